#!/bin/sh
# Installs what `make bench-peers` measures beside us, with Debian's packages. Does nothing when it is there.
# The system's own services are not started: the bench starts every server itself, on folders of its own.
set -eu

missing=
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || missing="$missing rabbitmq-server"
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$missing postgresql"
command -v redis-server >/dev/null || missing="$missing redis-server"
[ -n "$missing" ] || exit 0

fail() { # Vietnamese, English
    echo "bench-peers: LỖI: $1" >&2
    echo "bench-peers: ERROR: $2" >&2
    exit 1
}

command -v apt-get >/dev/null \
    || fail "thiếu$missing và máy này không có apt-get: hãy tự cài" "$missing missing, and there is no apt-get: install them yourself"
[ "$(id -u)" = 0 ] \
    || fail "thiếu$missing: hãy chạy với quyền root: apt-get install$missing" "$missing missing: as root, run apt-get install$missing"

# Debian starts what it installs; this answer to invoke-rc.d keeps it from doing so, unless the machine has its own.
if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
echo "bench-peers: apt-get install$missing" >&2
log=$(mktemp)
# shellcheck disable=SC2086 # several packages
if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1; then
    cat "$log" >&2
    fail "apt-get không cài được$missing" "apt-get could not install$missing"
fi
rm -f "$log"
