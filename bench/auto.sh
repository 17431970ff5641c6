#!/bin/bash
# MODEL=auto beside MODEL=linear: events of 10 features whose target is a polynomial of the third
# degree, so that auto chooses that and each batch moves a model of 285 terms. Bodies of 100,000 and
# single events, builds, memory.
# shellcheck disable=SC2016 # backquotes are Markdown
. "$(dirname "$0")/lib.sh"
EVENTS=${EVENTS:-100000}
MODELS='linear auto'
declare -A URLS ACTIONS # by model: the service, and the process of its `action`

# start_model MODEL: a service with a model of 1000 events
start_model() {
    DATA=
    start_service "MODEL=$1"
    post "$URL/action" "$SCRATCH/first.ndjson" application/x-ndjson >/dev/null
    curl -sf -X POST "$URL/build" >/dev/null
    URLS[$1]=$URL
    ACTIONS[$1]=$(pids_of action)
}

# cost_of MODEL EVENTS BEFORE: microseconds of the processor that its `action` has run since, an event
cost_of() {
    awk -v n="$2" -v t=$(($(cpu_of "${ACTIONS[$1]}") - $3)) 'BEGIN { print t / n / 1000 }'
}

# take_bulk MODEL: a long body
take_bulk() {
    local before
    before=$(cpu_of "${ACTIONS[$1]}")
    timed post "${URLS[$1]}/action" "$SCRATCH/events.ndjson" application/x-ndjson
    sample "$1-bulk" "$(awk -v n="$EVENTS" -v t="$TIME" 'BEGIN { print n / t }')"
    sample "$1-bulk-cpu" "$(cost_of "$1" "$EVENTS" "$before")"
}

# take_single MODEL: an event a request, on 64 connections
take_single() {
    local before
    before=$(cpu_of "${ACTIONS[$1]}")
    load 64 "${URLS[$1]}/action" -- lines "$SCRATCH/first.ndjson" application/json
    sample "$1-single" "$RATE"
    sample "$1-single-p99" "$P99"
    sample "$1-single-cpu" "$(cost_of "$1" "$ANSWERED" "$before")"
}

# take_build MODEL: the first one learns what has come since the last snapshot, and is left out
take_build() {
    curl -sf -o /dev/null -X POST "${URLS[$1]}/build"
    sample "$1-build" "$(curl -sf -o /dev/null -w '%{time_total}' -X POST "${URLS[$1]}/build" |
        awk '{ print $1 * 1000 }')"
}

measure() {
    local model
    for model in $MODELS; do
        take_bulk "$model"
        take_single "$model"
        take_build "$model"
        SERVICE=${ACTIONS[$model]}
        sample "$model-memory" "$(peak_memory action)"
    done
}

generate "$EVENTS" 10 curved >"$SCRATCH/events.ndjson"
head -n 1000 "$SCRATCH/events.ndjson" >"$SCRATCH/first.ndjson"
for model in $MODELS; do start_model "$model"; done
KIND=$(curl -sf "${URLS[auto]}/model" | sed -n 's/^ *"model": "\(.*\)",$/\1/p')
for_each_round measure

ratio bulk-ratio auto-bulk linear-bulk
ratio single-ratio auto-single linear-single
begin "\`MODEL=auto\`, which chose $KIND, beside \`linear\`: 10 features, durable"
row "bodies of $EVENTS events: of the rate at \`linear\`" bulk-ratio
row 'one event a request, 64 connections: of the rate at `linear`' single-ratio
for model in $MODELS; do
    show "\`$model\`: events/s, bodies of $EVENTS" "$model-bulk"
    show "\`$model\`: processor time of \`action\`, an event of those" "$model-bulk-cpu" ' µs'
    show "\`$model\`: events/s, one a request" "$model-single"
    show "\`$model\`: processor time of \`action\`, an event of those" "$model-single-cpu" ' µs'
    show "\`$model\`: p99, one a request" "$model-single-p99" ' ms'
    show "\`$model\`: POST /build after $EVENTS events" "$model-build" ' ms'
    show "\`$model\`: memory of \`action\`, peak" "$model-memory" ' MB'
done
