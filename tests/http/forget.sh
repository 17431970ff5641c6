#!/usr/bin/env bash
# Worlds that change: WINDOW learns from the last events alone, to the last bit.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

# world FIRST LAST: events whose slope is 2 up to the 300th and -1 from there on, of a weight, of a
# colour that goes out of use
world() {
    awk -v first="$1" -v last="$2" 'BEGIN {
        for (i = first; i <= last; i++)
            printf "{\"x\": %.17g, \"c\": \"c%d\", \"target\": %.17g, \"_weight\": %s}\n",
                i * 7919 % 101 / 10, i / 150, (i <= 300 ? 2 : -1) * (i * 7919 % 101 / 10) + i * 31 % 7 / 100,
                i % 5 ? 1 : 0.3 }'
}

post() {
    status /action -H 'Content-Type: application/x-ndjson' --data-binary @- >/dev/null
}

fingerprint() {
    curl -s "$URL/model" | jq -c 'del(.created, .crc, .live, .events, .version)'
}

built() {
    build >/dev/null
    fingerprint
}

# of_last FIRST LAST [NAME=VALUE...]: the model of a service that has seen no others
of_last() {
    local first=$1 last=$2 kept=$DATA
    shift 2
    new_data
    cp "$kept/terms.json" "$DATA/" 2>/dev/null
    start_service "$@"
    world "$first" "$last" | post
    built
    stop_service
    DATA=$kept
}

test_follows() {
    new_data
    start_service MODEL=linear WINDOW=100
    world 1 300 | post
    build >/dev/null
    check_close "the slope as it was" 2 "$(model .coefficients.x)" 3
    world 301 399 | post
    world 400 400 | post
    check_close "and as it has become" -1 "$(model .coefficients.x)" 3
    check_equal "of so many rows" 100 "$(model .rows)"
    check_equal "the last event" 400 "$(model .events)"
    check_equal "levels as they are" '["c2"]' "$(model .levels.c)"
    refuses "what has gone" 422 '"c1"' '/predict?x=1&c=c1'
    stop_service
    start_service MODEL=linear
    build >/dev/null
    check_equal "without it all of them count" '[400,["c0","c1","c2"]]' "$(model '[.rows, .levels.c]')"
    stop_service
}

# same_bits NAME=VALUE...: with that model, after whatever has happened
same_bits() {
    local of_all
    new_data
    start_service WINDOW=120 "$@"
    world 1 60 | post
    build >/dev/null
    world 61 430 | while read -r event; do
        [ "${event#*: 5}" != "$event" ] && post <<<"$event" || echo "$event" >>"$SCRATCH/rest"
    done
    post <"$SCRATCH/rest"
    rm "$SCRATCH/rest"
    world 431 440 | while read -r event; do post <<<"$event"; done
    world 441 600 | post
    of_all=$(built)
    check_equal "$1: the events online" "$of_all" "$(fingerprint)"
    check_equal "$1: as if there had been no others" "$(of_last 481 600 "$@")" "$of_all"
    stop_service
    start_service WINDOW=120 "$@"
    check_equal "$1: after a restart" "$of_all" "$(built)"
    world 601 610 | post
    kill_service
    start_service WINDOW=120 "$@"
    of_all=$(built)
    check_equal "$1: after kill -9" "$(of_last 491 610 "$@")" "$of_all"
    stop_service
    rm "$DATA/ids.mdb"
    start_service WINDOW=120 "$@"
    check_equal "$1: after a replay of all" "$of_all" "$(built)"
    stop_service
}

# wide: an event of 40 features
wide() {
    awk 'BEGIN { printf "{"; for (i = 0; i < 40; i++) printf "\"f%d\":%d,", i, i; print "\"target\":1}" }'
}

test_too_large() {
    local said="WINDOW=1000000 cannot be used: with 40 features it must be at most"
    new_data
    start_service
    wide | post
    stop_service
    check_contains "what cannot fit stops the start" "$said" "$(failed_start WINDOW=1000000)"
    new_data
    wide | jq -r 'keys_unsorted, map(.) | @tsv' >"$DATA/train.txt"
    check_contains "also with the train file's features" "$said" "$(failed_start WINDOW=1000000)"
    rm "$DATA/train.txt"
    start_service WINDOW=1000000
    refuses "and refuses the first event" 422 "$said" /action -d "$(wide)"
    stop_service
}

on_files || exit 0
test_follows
same_bits MODEL=linear
same_bits MODEL=auto
test_too_large
check_report http/forget
