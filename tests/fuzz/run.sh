#!/bin/bash
# tests/fuzz/run.sh FUZZER...
#
# Runs libFuzzer programs one after the other, FUZZ_SECONDS each. What they find goes beside them:
# new inputs into NAME.corpus/, one that fails into NAME-crash-… (or timeout, leak, oom). To look at
# it: FUZZER FILE. To keep it: copy it to tests/fuzz/corpus/NAME/ under a name that says what it is.
set -u
cd "$(dirname "$0")/../.." || exit 1
seconds=${FUZZ_SECONDS:-30}
case $seconds in
'' | *[!0-9]* | 0*)
    printf 'FUZZ_SECONDS is %s: it must be a whole number of seconds\n' "$seconds" >&2
    exit 1
    ;;
esac

FUZZ_SCRATCH=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)" trendline-fuzz.XXXXXX)
export FUZZ_SCRATCH
fuzzing=
trap '[ -z "$fuzzing" ] || kill "$fuzzing" 2>/dev/null; rm -rf "$FUZZ_SCRATCH"' EXIT
trap 'exit 130' INT TERM

passed=0
failed=0

# show_progress NAME LOG: on a terminal, until the fuzzer has ended
show_progress() {
    local start=$SECONDS runs
    while [ -t 2 ] && kill -0 "$fuzzing" 2>/dev/null; do
        runs=$(sed -n 's/^#\([0-9]*\).*/\1/p' "$2" | tail -n 1)
        printf '\r%s: %d of %d s, %s inputs\033[K' "$1" $((SECONDS - start)) "$seconds" \
            "${runs:-0}" >&2
        sleep 0.5
    done
    [ ! -t 2 ] || printf '\r\033[K' >&2
}

# fuzz FUZZER
fuzz() {
    local name=${1##*/fuzz_} log=$1.log
    mkdir -p "$1.corpus"
    "$1" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$1-" "$1.corpus" "tests/fuzz/corpus/$name" >"$log" 2>&1 &
    fuzzing=$!
    show_progress "$name" "$log"
    if wait "$fuzzing"; then
        passed=$((passed + 1))
        printf '%s: %s inputs, nothing found\n' "$name" \
            "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
    else
        failed=$((failed + 1))
        printf '%s: failed; %s ends:\n' "$name" "$log"
        tail -n 40 "$log"
    fi
    fuzzing=
}

for fuzzer; do
    fuzz "$fuzzer"
done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
