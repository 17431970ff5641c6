#!/usr/bin/env bash
# Every file of a real run's DATA_DIR, cut at every byte of its tail and with bits flipped throughout:
# a start has the right state, or stops and names file and place. Never a wrong number.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=faults.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/faults.bash"

FLIPS=${FAULT_FLIPS:-600} # of each file
# in memory: thousands of starts, each of which syncs
WORK=$(mktemp -d /dev/shm/trendline-damage.XXXXXX 2>/dev/null) || WORK=$SCRATCH/work
on_exit "rm -rf '$WORK' '$WORK.said'"

# post_some FIRST COUNT: events with ids, a batch each, every fifth with three
post_some() {
    local n
    for ((n = $1; n < $1 + $2; n++)); do
        answer /action -d "{\"_id\":\"one-$n\",\"a\":$n.125,\"b\":$((n * n % 17)),\"target\":$((n * 31 % 101)).5}" \
            >/dev/null
        [ $((n % 5)) -ne 0 ] || answer /action -d "{\"_id\":\"x-$n\",\"a\":$n,\"b\":2,\"target\":1}
            {\"a\":0.1,\"b\":$n,\"target\":2} {\"_id\":\"y-$n\",\"a\":1e-3,\"b\":0,\"target\":$n}" >/dev/null
    done
}

# A train file, two versions, a snapshot, and events behind it; killed.
real_run() {
    new_data
    printf 'a\tb\ty\n1\t2\t3\n4\t5\t7.5\n0.25\t1\t1e3\n' >"$DATA/train.txt"
    start_service MODEL=linear
    post_some 1 30
    build >/dev/null
    stop_service # which keeps the sums
    start_service MODEL=linear
    post_some 31 12
    kill_service
}

# Terms that were begun in the middle, and sums of them; killed.
real_auto_run() {
    new_data
    start_service
    post_some 1 30
    build >/dev/null
    post_some 31 12
    stop_service
    start_service
    post_some 43 3
    kill_service
}

# tries FILE [without FILE...]: what came of them, in DAMAGE; bad ones are shown
tries() {
    local file=$1
    shift
    DAMAGE=$("$FAULTS/damage" "$DATA" "$WORK" "$file" "$FLIPS" "$@" 2>"$SCRATCH/bad")
    echo "$file $*: $DAMAGE"
}

# outcome NAME: how many
outcome() {
    grep -oP "$1 \K[0-9]+" <<<"$DAMAGE"
}

# never_wrong FILE [without FILE...]
never_wrong() {
    tries "$@"
    check_equal "$*: wrong, refused without a place, crashed" "0 0 0 $(head -c 600 "$SCRATCH/bad")" \
        "$(outcome wrong) $(outcome unnamed) $(outcome crashed) "
    check_equal "$*: there were some" yes "$([ "$(outcome right)$(outcome refused)" != 00 ] && echo yes)"
}

# always_right FILE [without FILE...]: it is made again from others
always_right() {
    never_wrong "$@"
    check_equal "$*: made again" 0 "$(outcome refused)"
}

real_run
never_wrong actions.jsonl
check_equal "a journal that is shorter than what is known is refused" 0 "$(outcome older)"
never_wrong actions.jsonl without events.moments ids.mdb
check_equal "so it is when only a model tells" 0 "$(outcome older)"
never_wrong actions.jsonl without events.moments ids.mdb model
always_right events.moments
always_right train.moments
always_right model.json
never_wrong models/000002.json without model.json
always_right models/000001.json without model.json
never_wrong ids.mdb
real_auto_run
always_right terms.json
always_right terms.json without events.moments
always_right terms.json without model
check_report faults/damage
