#!/usr/bin/env bash
# The model of docs/replication.md: spin tries every order of its steps and finds no error, and
# finds the one that is to be expected in each variant that is broken on purpose.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

MODEL=$ROOT/tests/model/replication.pml
MEMORY_MB=3000

# search NAME OPTION SWITCH...: what spin's program says with this option and the model's switches:
# "none", the error, or that it did not come to an end
search() {
    local name=$1 option=$2
    shift 2
    mkdir -p "$SCRATCH/$name" && cd "$SCRATCH/$name" || return
    spin -a "$@" "$MODEL" >spin.log 2>&1 &&
        gcc -w -O1 -DSAFETY -DCOLLAPSE -DMEMLIM=$MEMORY_MB -o pan pan.c >gcc.log 2>&1 &&
        ./pan -m100000 "$option" >pan.log 2>&1
    awk '/^pan:1: / { error = $0; sub(/ \(at depth.*/, "", error) }
        /Search not completed|search depth too small/ { partly = 1 }
        /errors: 0$/ { ended = 1 }
        END { print error ? error : ended && !partly ? "none" : "no end" }' pan.log
}

# holds NAME SWITCH...: neither a wrong assertion nor a state without a way out
holds() {
    check_equal "$*" none "$(search "$1" -w24 "${@:2}")"
}

# breaks NAME ASSERTION SWITCH...: this assertion, some part of it, turns out to be wrong
breaks() {
    check_contains "$1" "$2" "$(search "$1" -E "${@:3}" | grep -F 'assertion violated')"
}

TWO_ACTIONS="-DVERSIONS=1 -DNO_FOLLOW"

# shellcheck disable=SC2086  # switches, to be split
{
    holds one_fault -DFAULTS=1 -DVERSIONS=1
    holds builds -DFAULTS=0
    holds two_faults -DFAULTS=2 -DEVENTS=1 -DNO_FOLLOW
    holds no_claim -DFAULTS=1 $TWO_ACTIONS -DNO_CLAIM

    breaks reach 'violated 0' -DFAULTS=1 -DEVENTS=1 -DREACH
    breaks global_sequence 'wanted&' -DFAULTS=0 $TWO_ACTIONS -DGLOBAL_SEQUENCE
    breaks taken_over_unseen 'wanted&' -DFAULTS=1 $TWO_ACTIONS -DTAKEN_OVER_UNSEEN
    breaks positions_apart 'wanted&' -DFAULTS=1 $TWO_ACTIONS -DPOSITIONS_APART
    breaks ids_apart '(batch& ~(stored))' -DFAULTS=1 $TWO_ACTIONS -DIDS_APART
    breaks no_ids '(stored&session[s].events)' -DFAULTS=1 $TWO_ACTIONS -DNO_IDS
    breaks publish_behind '(replica[here].events& ~(learner[me].events))' \
        -DFAULTS=0 -DVERSIONS=1 -DPUBLISH_BEHIND
    breaks build_unseen '(replica[here].events& ~(built[version]))' -DFAULTS=1 -DBUILD_UNSEEN
    breaks commits_lost '(acknowledged& ~(stored))' -DFAULTS=0 $TWO_ACTIONS -DCOMMITS_LOST
}

check_report replication
