#!/bin/bash
# From start, after a kill, to the first correct prediction.
. "$(dirname "$0")/lib.sh"
EVENTS=${EVENTS:-10000000}
FEW=10000
TAIL=3000 # events behind the last snapshot, to be replayed
QUERY='/predict?x1=1&x2=2&x3=3&x4=4&x5=5&x6=6&x7=7&x8=8&x9=9&x10=10'

first_answer() {
    start_service
    until [ "$(curl -s "$URL$QUERY")" = "$EXPECTED" ]; do sleep 0.001; done
}

# kill_all: as a power cut does, parents first
kill_all() {
    # shellcheck disable=SC2046 # a list
    kill -KILL $(family "$SERVICE")
    wait "$SERVICE" 2>/dev/null || true
}

# measure_one NAME DIRECTORY
measure_one() {
    DATA=$2
    start_service
    post "$URL/action" "$SCRATCH/tail.ndjson" application/x-ndjson >/dev/null
    EXPECTED=$(curl -sf "$URL$QUERY")
    kill_all
    timed first_answer
    sample "$1" "$TIME"
    stop "$SERVICE"
}

measure() {
    measure_one many "$MANY"
    measure_one few "$FEWER"
}

generate $TAIL 10 ndjson >"$SCRATCH/tail.ndjson"
fill "$EVENTS"
MANY=$DATA
fill $FEW
FEWER=$DATA
for_each_round measure

ratio many-per-few many few
begin "From start, after kill -9, to the first correct prediction, $TAIL events behind the snapshot"
row "with $EVENTS events" many under 0.5 ' s'
row "of the time with $FEW" many-per-few under 1.2 '×'
show "with $FEW events" few ' s'
