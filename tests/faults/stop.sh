#!/usr/bin/env bash
# SIGTERM under load, as `docker stop` sends it: every request that was accepted is answered, what was
# answered is stored, what was stored was answered, and all ends within 2 s.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=faults.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/faults.bash"

STOPS=$((${FAULT_KILLS:-200} / 10))

# Clients with a new connection for each request go on until nobody listens any more. A connection
# that nginx had not yet taken is refused or reset (0): its request was not accepted. One that got a
# part of an answer, or a 5xx, was.
stop_under_load() {
    local begin ms
    : >"$SCRATCH/acked"
    : >"$SCRATCH/failures"
    : >"$SCRATCH/unacked"
    begin_load "stop$1" 12 8 2 once
    wait_until 10 acked_more $((50 + RANDOM % 100))
    begin=${EPOCHREALTIME/./}
    stop_service
    check_equal "stop $1: its exit code" 0 $?
    ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
    [ "$ms" -le "$slowest" ] || slowest=$ms
    end_load
    check_equal "stop $1: requests that were accepted and not answered" "" \
        "$(grep -vE '^[a-z]+ 0 ' "$SCRATCH/failures" | head -n 3)"
    jq -r '._id // empty' "$DATA/actions.jsonl" | grep "^stop$1-" | sort >"$SCRATCH/stored"
    check_equal "stop $1: stored, and not answered" "" \
        "$(cut -d' ' -f1 "$SCRATCH/acked" | sort | comm -13 - "$SCRATCH/stored" | head -n 3)"
    check_journal "stop $1"
}

slowest=0
new_data
start_service
learn_plane
stop_service
for ((n = 0; n < STOPS; n++)); do
    start_service
    stop_under_load "$n"
done
# Who does not send the rest of a request cannot hold it up.
start_service
"$FAULTS/hold" "${URL##*:}" 50 'POST /action HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{' 100 >"$SCRATCH/held" &
on_exit "kill $! 2>/dev/null"
wait_until 10 grep -q '^held' "$SCRATCH/held"
stop_under_load slow
echo "stop: $STOPS stops under load, the slowest took $slowest ms"
check_equal "the slowest stop ($slowest ms) took less than 2 s" yes "$([ "$slowest" -lt 2000 ] && echo yes)"
check_report faults/stop
