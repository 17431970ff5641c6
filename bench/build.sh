#!/bin/bash
# POST /build with many and with few events remembered.
. "$(dirname "$0")/lib.sh"
EVENTS=${EVENTS:-10000000}
FEW=10000

# build_at URL: TIME is how many milliseconds a build took
build_at() {
    TIME=$(curl -sf -o /dev/null -w '%{time_total}' -X POST "$1/build" | awk '{ print $1 * 1000 }')
}

measure() {
    build_at "$MANY_URL"
    sample many "$TIME"
    build_at "$FEW_URL"
    sample few "$TIME"
}

fill "$EVENTS"
start_service
MANY_URL=$URL
build_at "$MANY_URL" # which opens the files
fill $FEW
start_service
FEW_URL=$URL
build_at "$FEW_URL"
for_each_round measure

ratio many-per-few many few
begin 'POST /build, 10 features'
row "after $EVENTS events" many under 20 ' ms'
row "of the time after $FEW" many-per-few under 1.5 '×'
show "after $FEW events" few ' ms'
