#!/bin/bash
# POST /action with NDJSON of 10 features, durable: bodies as large as MAX_BODY allows by default,
# two at a time; then one of ten times the size, for the memory that it takes.
# shellcheck disable=SC2016 # backquotes are Markdown
. "$(dirname "$0")/lib.sh"
EVENTS=${EVENTS:-100000}
BODIES=10

# post_all: the bodies, two at a time
post_all() {
    export -f post
    seq $BODIES | xargs -P 2 -I '{}' bash -c 'post "$0" "$1" application/x-ndjson' \
        "$URL/action" "$SCRATCH/events.ndjson"
}

# take NAME COMMAND...: events a second of a command that stores BODIES times EVENTS
take() {
    local name=$1
    shift
    timed "$@"
    awk -F'[ ,]+' -v n=$((BODIES * EVENTS)) '{ got += $2 } END { exit got != n }' "$SCRATCH/timed" ||
        die "$(cat "$SCRATCH/timed")"
    sample "$name" "$(awk -v n=$((BODIES * EVENTS)) -v t="$TIME" 'BEGIN { print n / t }')"
}

measure() {
    take rate post_all
    sample small "$(peak_memory action)"
}

generate "$EVENTS" 10 ndjson >"$SCRATCH/events.ndjson"
head -n 1000 "$SCRATCH/events.ndjson" >"$SCRATCH/first.ndjson"
start_service MAX_BODY=4g
post "$URL/action" "$SCRATCH/first.ndjson" application/x-ndjson >/dev/null
curl -sf -X POST "$URL/build" >/dev/null
for_each_round measure
for ((i = 0; i < BODIES; i++)); do cat "$SCRATCH/events.ndjson"; done >"$SCRATCH/long.ndjson"
take long post "$URL/action" "$SCRATCH/long.ndjson" application/x-ndjson
sample large "$(peak_memory action)"

begin "POST /action, NDJSON of 10 features, durable"
row "events/s, bodies of $EVENTS events, two at a time" rate at-least 300000
show "events/s, one body of $((BODIES * EVENTS))" long
show 'memory of `action`, peak, after the short bodies' small ' MB'
row 'memory of `action`, peak, after the long one' large under 32 ' MB'
