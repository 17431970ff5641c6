#!/usr/bin/env bash
# Predictions beyond what was learnt are flagged: outside of a feature's range, or further from the
# middle than any row was.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

# rows along the diagonal, from 0 to 10
diagonal() {
    awk 'BEGIN { for (i = 0; i <= 100; i++) {
        a = i / 10; b = a + ((i * 7) % 5 - 2) / 10
        printf("{\"a\":%g,\"b\":%g,\"target\":%g}\n", a, b, a + b) } }'
}

# flagged NAME WANTS QUERY
flagged() {
    check_equal "$1" "$2" "$(curl -s "$URL/predict?$3" | jq -c '.extrapolating // false')"
}

test_flags() {
    flagged "in the middle" false "a=5&b=5"
    flagged "at an end" false "a=0&b=-0.2"
    flagged "beyond a range" true "a=10.1&b=10"
    flagged "below it" true "a=1&b=-0.3"
    flagged "within both ranges, but nowhere near a row" true "a=1&b=9"
    check_equal "which rows of many" '[1,2]' \
        "$(curl -s "$URL/predict" -d '[{"a":1,"b":1},{"a":1,"b":9},{"a":11,"b":11}]' | jq -c .extrapolating)"
    check_equal "none of the rows learnt" null \
        "$(diagonal | jq -c 'del(.target)' | jq -sc . | curl -s "$URL/predict" -d @- | jq -c .extrapolating)"
}

test_auto() {
    new_data
    start_service
    diagonal | head -50 | status /action --data-binary @- >/dev/null
    build >/dev/null
    flagged "not seen yet" true "a=9&b=9"
    diagonal | tail -n +51 | status /action --data-binary @- >/dev/null
    test_flags
    stop_service
    start_service
    test_flags
    kill_service
    on_files && rm "$DATA/events.moments"
    start_service
    build >/dev/null
    test_flags
    stop_service
}

# without places of the columns there are the ranges
test_linear() {
    new_data
    start_service MODEL=linear
    diagonal | status /action --data-binary @- >/dev/null
    build >/dev/null
    flagged "linear: in the middle" false "a=5&b=5"
    flagged "linear: beyond a range" true "a=10.1&b=10"
    stop_service
}

test_train_file() {
    new_data
    diagonal | jq -r '[.a, .b, .target] | @tsv' | { printf 'a\tb\ty\n'; cat; } >"$DATA/train.txt"
    start_service
    test_flags
    stop_service
}

# told: what a model says of how far the rows reach
told() {
    curl -s "$URL/model" | jq -c '[.reach, .distance]'
}

# near FROM TO: events that lie between 4 and 6
near() {
    awk -v from="$1" -v to="$2" 'BEGIN { for (i = from; i < to; i++)
        printf("{\"a\":%g,\"b\":%g,\"target\":%g}\n", 4 + i * 8 % 21 / 10, 4 + i * 11 % 21 / 10, i % 13) }'
}

# stays NAME: whoever publishes the model, and whatever has been started anew
stays() {
    check_equal "$1" "$reach" "$(told)"
    flagged "$1: where rows are" false "a=5&b=5"
    flagged "$1: where one was" true "a=9&b=9"
}

# test_forgotten NAME=VALUE...: rows that have left, or hardly weigh anything, are not told of
test_forgotten() {
    local reach
    new_data
    start_service "$@"
    near 0 50 | status /action --data-binary @- >/dev/null
    status /action -d '{"a":100,"b":-100,"target":0}' >/dev/null
    build >/dev/null
    flagged "$1: where a row is" false "a=99&b=-99"
    near 50 2400 | status /action --data-binary @- >/dev/null
    build >/dev/null # terms are made from where the rows lie by now
    near 2400 2500 | status /action --data-binary @- >/dev/null
    reach=$(told)
    check_equal "$1: what there is" '[[4,6],[4,6]]' "$(jq -c '.[0]' <<<"$reach")"
    stays "$1: learnt online"
    build >/dev/null
    stays "$1: by a build"
    stop_service
    start_service "$@"
    build >/dev/null
    stays "$1: after a restart"
    kill_service
    on_files && rm -f "$DATA/events.moments"
    start_service "$@"
    build >/dev/null
    stays "$1: without the sums"
    kill_service
    on_files && rm "$DATA/ids.mdb"
    start_service "$@"
    near 2500 2501 | status /action --data-binary @- >/dev/null
    stays "$1: after a replay of all"
    stop_service
}

test_auto
test_linear
test_forgotten WINDOW=100
test_forgotten WINDOW=100 MODEL=linear
on_files && test_forgotten FORGET=0.98
on_files && test_forgotten FORGET=0.98 MODEL=linear
on_files && test_train_file
check_report http/reach
