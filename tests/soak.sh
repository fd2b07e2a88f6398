#!/bin/sh
# The long runs, all of them whatever happens to one: `make soak`, or `make soak ONLY="flood scale"` for some.
#
# Builds first. Then each part runs alone on the machine, is shown live, and is kept in target/soak/NAME.log; its last
# line there begins `VERDICT NAME:`. At the end stands one table of all parts. Exit 0 only if none failed.

set -u
cd "$(dirname "$0")/.." || exit 1
CARGO=${CARGO:-cargo}
OUT=${CARGO_TARGET_DIR:-target}/soak
PARTS='model power_cut disk_full flood cluster recovery scale sim'
ONLY=${ONLY:-$PARTS}
LIENTHONG_SOAK=1
export LIENTHONG_SOAK

for name in $ONLY; do
    case " $PARTS " in
        *" $name "*) ;;
        *) echo "soak: there is no part $name, only: $PARTS" >&2; exit 2 ;;
    esac
done
mkdir -p "$OUT" || exit 1
trap 'exit 130' INT TERM

wanted() { case " $ONLY " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

# run NAME: the part itself. What is measured in time is built with --release.
run() {
    case $1 in
        flood) "$CARGO" test -p lienthong-tests --release --test flood -- --nocapture ;;
        cluster) "$CARGO" test -p lienthong-tests --test cluster -- --nocapture --test-threads=1 ;;
        scale) "$CARGO" test -p lienthong-tests --release --test scale -- --nocapture --test-threads=1 ;;
        sim)
            "$CARGO" run -p lienthong-sim --release -- --seeds 0..20000 \
                && "$CARGO" run -p lienthong-sim --release -- --seeds 0..5000 --gone ;;
        *) "$CARGO" test -p lienthong-tests --test "$1" -- --nocapture ;;
    esac
}

# A part that is built while another is measured would spoil its figures: all is built before the first.
build() {
    debug='' release=''
    for name in model power_cut disk_full cluster recovery; do wanted $name && debug="$debug --test $name"; done
    for name in flood scale; do wanted $name && release="$release --test $name"; done
    # shellcheck disable=SC2086 # several words
    if [ -n "$debug" ]; then
        "$CARGO" build -p lienthong && "$CARGO" test -p lienthong-tests --no-run $debug || return 1
    fi
    # shellcheck disable=SC2086
    if [ -n "$release" ]; then
        "$CARGO" build -p lienthong --release && "$CARGO" test -p lienthong-tests --release --no-run $release || return 1
    fi
    if wanted sim; then "$CARGO" build -p lienthong-sim --release || return 1; fi
}

# sum LOG WORDS [AWK CONDITION]: the numbers right before these words in the verdicts of a log, added up.
sum() {
    grep 'VERDICT ' "$1" | awk -v words="$2" "${3:-1} { while (match(\$0, \"[0-9]+ \" words)) {
        n += substr(\$0, RSTART, RLENGTH); \$0 = substr(\$0, RSTART + RLENGTH) } } END { print n + 0 }"
}

# figures NAME LOG: what a part comes to, added up over its tests.
figures() {
    case $1 in
        model) echo "$(grep -c 'VERDICT model' "$2") searches, $(sum "$2" states) states" ;;
        power_cut)
            red='/plain|ignored/'
            echo "$(sum "$2" rounds "!$red") rounds, $(sum "$2" lost "!$red") lost, $(sum "$2" failures) failing calls;" \
                "plain sled and ignored syncs beside them: $(sum "$2" rounds "$red") rounds, $(sum "$2" lost "$red") lost" ;;
        disk_full) echo "$(sum "$2" moments) moments, $(sum "$2" 'acts done') acts done, $(sum "$2" refused) refused" ;;
        flood) sed -n 's/.*VERDICT flood: \([A-Za-z]*\): .*\(ratio [0-9.]*\).*/\1 \2,/p; s/.*VERDICT flood: \(worst ratio [0-9.]*\).*/\1/p' \
            "$2" | tr '\n' ' ' ;;
        cluster) echo "$(sum "$2" hand-offs) hand-offs, $(sum "$2" lost) lost, $(sum "$2" doubled) doubled" ;;
        recovery) echo "$(sum "$2" returned) returned, $(sum "$2" learned) learned, $(sum "$2" trails) trails verified" ;;
        scale) sed -n 's/.*VERDICT scale: //p' "$2" | tr '\n' ' ' ;;
        sim) echo "$(sum "$2" seeds) seeds without a violation" ;;
    esac
}

# part NAME: runs it and adds its line to the table.
part() {
    name=$1 log=$OUT/$1.log state=FAILED
    echo "== $name"
    began=$(date +%s)
    { run "$name" 2>&1; echo $? >"$OUT/rc"; } | tee "$log"
    seconds=$(($(date +%s) - began))
    [ "$(cat "$OUT/rc")" = 0 ] && state=ok
    # A part that says nothing has shown nothing.
    grep -q 'VERDICT ' "$log" || state=FAILED
    [ $state = ok ] || failed=1
    told=$(figures "$name" "$log")
    tests=$(sed -n 's/^test result: .* \([0-9]*\) passed; \([0-9]*\) failed.*/\1 tests passed, \2 failed; /p' "$log")
    echo "VERDICT $name: $state in $seconds s; $tests$told" | tee -a "$log"
    printf '%-10s %6s s  %-6s  %s\n' "$name" "$seconds" "$state" "$tests$told" >>"$OUT/table"
    # What each of its tests said, and where something failed, what it was.
    grep 'VERDICT ' "$log" | sed '$d; s/.*VERDICT [a-z_]*:/   /' >>"$OUT/table"
    [ "$state" = ok ] && return
    sed -n '/^failures:$/,/^test result/ s/^    [a-z]/FAILED&/p; /^error/p; /^seed [0-9]* breaks/p' "$log" >>"$OUT/table"
}

failed=0
: >"$OUT/table"
build || { echo "soak: FAILED, it does not build" >&2; exit 1; }
for name in $PARTS; do
    if wanted "$name"; then part "$name"; fi
done
echo
cat "$OUT/table"
[ $failed = 0 ] || echo "soak: FAILED" >&2
exit $failed
