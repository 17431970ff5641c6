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

test_auto
test_linear
on_files && test_train_file
check_report http/reach
