#!/usr/bin/env bash
# Worlds that change: WINDOW learns from the last events alone, to the last bit; FORGET lets each event
# count less with each that follows.
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

# a category that is missing in all that is left has no level, until one comes again
test_no_level() {
    new_data
    start_service WINDOW=20 MISSING=allow MODEL=linear
    awk 'BEGIN { for (i = 1; i <= 60; i++) printf "{\"c\": %s, \"x\": %d, \"target\": %d}\n",
        (i > 30 ? "null" : i % 2 ? "\"a\"" : "\"b\""), i, 3 * i }' | post
    check_equal "a build" 200 "$(build)"
    check_equal "no levels" '[20,{"c":[]}]' "$(model '[.rows, .levels]')"
    check_close "the others are as they were" 300 "$(curl -s -d '{"c": null, "x": 100}' "$URL/predict" | jq .prediction)" 12
    refuses "a level" 422 '"a"' /predict -d '{"c": "a", "x": 100}'
    stop_service
    start_service WINDOW=20 MISSING=allow MODEL=linear
    status /action -d '{"c": "a", "x": 61, "target": 190}' >/dev/null
    check_equal "one comes again" '{"c":["a"]}' "$(model .levels)"
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

# direct FACTOR LAST: slope and intercept of the target on x by weights, computed from the events; the
# sum of the weights, the effective rows, and the slope's standard error by those
direct() {
    world 1 "$2" | jq -r '[.x, .target, ._weight] | @tsv' | awk -v factor="$1" '
        { x[NR] = $1; y[NR] = $2; w[NR] = $3 }
        END {
            for (i = NR; i > 0; i--) {
                v = w[i] * factor ^ (NR - i); s += v; mx += v * x[i]; my += v * y[i]; n += factor ^ (NR - i)
            }
            mx /= s; my /= s
            for (i = NR; i > 0; i--) {
                v = w[i] * factor ^ (NR - i); xx += v * (x[i] - mx) ^ 2; xy += v * (x[i] - mx) * (y[i] - my)
            }
            slope = xy / xx
            for (i = NR; i > 0; i--) rss += w[i] * factor ^ (NR - i) * (y[i] - my - slope * (x[i] - mx)) ^ 2
            n = int(n + 0.5)
            printf "%.15g %.15g %.15g %d %.15g\n", slope, my - slope * mx, s, n, sqrt(rss / (n - 2) / xx) }'
}

# agrees NAME FACTOR LAST
agrees() {
    local slope intercept weight rows error
    read -r slope intercept weight rows error < <(direct "$2" "$3")
    check_close "$1: the slope" "$slope" "$(model .coefficients.x)" 11
    check_close "$1: the intercept" "$intercept" "$(model .intercept)" 10
    check_close "$1: the weight" "$weight" "$(model .weight)" 12
    check_close "$1: the standard error" "$error" "$(model .inference.coefficients.x.standard_error)" 8
    check_equal "$1: rows, and degrees of freedom" "[$rows,$((rows - 2))]" "$(model '[.rows, .degrees_of_freedom]')"
}

without_colour() {
    world "$@" | jq -c 'del(.c)'
}

test_forget() {
    new_data
    start_service MODEL=linear FORGET=0.98
    without_colour 1 300 | post
    build >/dev/null
    agrees "in bulk" 0.98 300
    check_close "the slope as it was" 2 "$(model .coefficients.x)" 3
    without_colour 301 330 | while read -r event; do post <<<"$event"; done
    agrees "while the world changes" 0.98 330
    without_colour 331 900 | post
    agrees "after it" 0.98 900
    check_close "and as it has become" -1 "$(model .coefficients.x)" 2
    kill_service
    start_service MODEL=linear FORGET=0.98
    without_colour 901 1900 | post
    agrees "after kill -9" 0.98 1900
    stop_service
    rm "$DATA/ids.mdb"
    start_service MODEL=linear FORGET=0.98
    build >/dev/null
    agrees "after a replay" 0.98 1900
    stop_service
    start_service MODEL=linear FORGET=0.9
    build >/dev/null
    agrees "with another FORGET" 0.9 1900
    stop_service
    start_service MODEL=linear
    build >/dev/null
    check_equal "without it all of them count" 1900 "$(model .rows)"
    stop_service
}

# with terms: a world that bends the other way
test_forget_terms() {
    local kept
    new_data
    start_service FORGET=0.99
    awk 'BEGIN { for (i = 1; i <= 2200; i++) { x = i * 7919 % 101 / 10 - 5
        printf "{\"x\": %.17g, \"target\": %.17g}\n", x, (i <= 1100 ? 1 : -1) * x * x + i * 31 % 7 / 100 } }' | post
    build >/dev/null
    check_equal "terms are chosen" true "$(model '.model != "linear" and .model != "ridge"')"
    check_equal "of effective rows" 100 "$(model .rows)"
    kept=$(curl -s "$URL/predict?x=3" | jq .prediction)
    check_close "the world as it has become" -8.97 "$kept" 2
    stop_service
    start_service FORGET=0.99
    build >/dev/null
    check_close "after a restart" "$kept" "$(curl -s "$URL/predict?x=3" | jq .prediction)" 5
    status /action -d '{"x": 3, "target": -9}' >/dev/null
    check_equal "learnt online" 2201 "$(model .events)"
    stop_service
}

# sensors FROM TO: an input that goes constant behind event 700, as a sensor's does that was taken away
sensors() {
    awk -v from="$1" -v to="$2" 'BEGIN { srand(3); for (i = 1; i <= to; i++) { x = 10 * rand(); y = 6 * rand() - 3
        if (i > 700) y = 1
        if (i >= from) printf "{\"x\": %.6f, \"y\": %.6f, \"target\": %.8f}\n", x, y, sin(2 * x) * cos(y) } }'
}

# knows SEQ: the model that answers has learnt it
knows() {
    curl -s -D - -o /dev/null "$URL/predict?x=1&y=1" | tr -d '\r' | grep -qix "x-model-events: $1"
}

# each event that is acknowledged is in the next prediction
test_constant_input() {
    local seq=700 behind=0
    new_data
    start_service FORGET=0.98
    sensors 1 700 | post
    build >/dev/null
    check_equal "terms are chosen" true "$(model '.model != "linear" and .model != "ridge"')"
    while [ "$seq" -lt 2200 ]; do
        sensors $((seq + 1)) $((seq + 29)) | post
        knows $((seq + 29)) || behind=$((behind + 1))
        sensors $((seq + 30)) $((seq + 30)) | post
        seq=$((seq + 30))
        knows "$seq" || behind=$((behind + 1))
    done
    check_equal "batches that were not in the next prediction" 0 "$behind"
    check_equal "and nothing is said" 0 "$(grep -c 'not up to date' "$LOG")"
    check_equal "a build" 200 "$(build)"
    check_close "a prediction" "$(awk 'BEGIN { print sin(4) * cos(1) }')" "$(curl -s "$URL/predict?x=2&y=1" | jq .prediction)" 1
    stop_service
}

# where fewer rows are effective than there are columns there are no errors, and the model is kept
test_forget_much() {
    new_data
    start_service MODEL=linear FORGET=0.3
    for i in 1 2 3 4 5 6 7 8; do
        status /action -d "{\"a\":$((i * i)),\"b\":$((i * 5 % 7)),\"c\":$i,\"target\":$((3 * i + 1))}" >/dev/null
        [ "$i" -ne 5 ] || build >/dev/null
    done
    check_equal "no degrees of freedom" '[1,0,null]' "$(model '[.rows, .degrees_of_freedom, .residual_deviation]')"
    check_close "predictions" 31 "$(curl -s "$URL/predict?a=100&b=1&c=10" | jq .prediction)" 9
    stop_service
    start_service MODEL=linear FORGET=0.3
    check_close "after a restart" 31 "$(curl -s "$URL/predict?a=100&b=1&c=10" | jq .prediction)" 9
    stop_service
}

# far_apart: events whose weights and values lie at the ends of the range
far_apart() {
    awk 'BEGIN { for (i = 1; i <= 60; i++) printf "{\"x\": 1.%d, \"target\": -2.%d, \"_weight\": %d.%de-%d}\n",
        i * 7919 % 1000, i * 104729 % 1000, 1 + i % 9, i * 7919 % 1000, 284 + i * 7 % 40 }'
    for weight in 5e-324 2.9e-289 1.7976931348623157e308 1 1e-307; do
        printf '{"x": %s, "target": %s, "_weight": '"$weight"'}\n' 1 2 5e-324 -1e300 1e308 5e-324 -1e308 1e308
    done
}

# each is stored and learnt, or refused; and whatever an older version has left in the journal is learnt
test_far_apart() {
    local event status
    new_data
    start_service MODEL=linear FORGET=0.999
    status /action -d '{"x": 1, "target": 1}' >/dev/null
    build >/dev/null
    far_apart >"$SCRATCH/far"
    while read -r event; do
        status=$(status /action -d "$event")
        case $status in 201 | 422) ;; *) check_equal "$event" 201 "$status" ;; esac
    done <"$SCRATCH/far"
    check_equal "events go on" 201 "$(status /action -d '{"x": 2, "target": 3}')"
    check_equal "and builds" 200 "$(build)"
    kill_service
    start_service MODEL=linear FORGET=0.999
    check_equal "after kill -9" 201 "$(status /action -d '{"x": 3, "target": 1}')"
    stop_service
    new_data
    start_service MODEL=linear
    post <"$SCRATCH/far"
    stop_service
    rm -f "$DATA/events.moments"
    start_service MODEL=linear FORGET=0.999
    check_equal "events of before" 201 "$(status /action -d '{"x": 2, "target": 3}')"
    check_equal "all of them" "$(($(wc -l <"$SCRATCH/far") + 1))" "$(wc -l <"$DATA/actions.jsonl")"
    stop_service
}

# weights that are all so many times as much are the same
test_forget_least() {
    local weight model first=
    for weight in 1 5e-324 4.49423283715579e307; do
        new_data
        start_service MODEL=linear FORGET=0.9
        awk -v weight="$weight" 'BEGIN { for (i = 1; i <= 60; i++)
            printf "{\"x\": %d, \"target\": %d, \"_weight\": %s}\n", i * 7 % 11, i * 5 % 13, weight }' | post
        check_equal "a build, each weighs $weight" 200 "$(build)"
        model=$(model '[.coefficients, .intercept, .mse]')
        check_equal "each weighs $weight" "${first:=$model}" "$model"
        stop_service
    done
}

on_files || exit 0
test_follows
same_bits MODEL=linear
same_bits MODEL=auto
test_no_level
test_too_large
test_forget
test_forget_terms
test_constant_input
test_forget_much
test_far_apart
test_forget_least
check_report http/forget
