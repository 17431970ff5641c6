#!/usr/bin/env bash
# The train file: learnt at the start and by each build, replaced when it changes, never added twice.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

# target = 2a + 3b + 1
plane='1\t0\t3\n0\t1\t4\n1\t1\t6\n0\t0\t1\n'

# train TEXT: an empty data directory with this train.txt (notation of printf %b)
train() {
    new_data
    printf %b "$1" >"$DATA/train.txt"
}

# learns NAME TEXT [QUERY]: a service started on it predicts the plane's 321
learns() {
    train "$2"
    start_service
    check_equal "$1" '200 {"prediction": 321}' "$(answer "/predict?${3:-a=10&b=100}")"
    stop_service
}

test_forms() {
    learns "without a header" "$plane"
    learns "with a header" "width\theight\tprice\n$plane" 'width=10&height=100'
    learns "CRLF, no last newline" "a\tb\ty\r\n1\t0\t3\r\n0\t1\t4\r\n1\t1\t6\r\n0\t0\t1"
    learns "commas, a byte-order mark, blank lines at the end" \
        "\xef\xbb\xbf\"a\",b,y\n1,0,3\n0,1,4\n1,1,6\n0,0,1\n\n \n"
    learns "semicolons" "${plane//\\t/;}"
    learns "spaces" "${plane//\\t/  }"
    learns "a header in Unicode" "größe\t高さ\tПреис\n$plane" 'gr%C3%B6%C3%9Fe=10&高さ=100'
}

test_start() {
    train "$plane"
    start_service
    check_equal "a version is built" '[1,4,0,"target"]' "$(model '[.version,.rows,.events,.target]')"
    check_equal "ready" 200 "$(status /readyz)"
    stop_service
    start_service
    check_equal "the same content builds nothing" 1 "$(model .version)"
    touch "$DATA/train.txt"
    stop_service
    start_service
    check_equal "nor under another time" 1 "$(model .version)"
    build >/dev/null
    check_equal "a build never adds it twice" '[2,4]' "$(model '[.version,.rows]')"
    stop_service
}

test_with_events() {
    train "$plane"
    start_service
    refuses "its columns are the schema" 422 '"c"' /action -d '{"a":1,"b":1,"c":1,"target":1}'
    check_equal "an event" 201 "$(status /action -d '{"b":2,"a":3,"target":13}')"
    check_equal "is learnt besides it" '[1,5,1]' "$(model '[.version,.rows,.events]')"
    printf '9\t0\t1\n' >>"$DATA/train.txt"
    build >/dev/null
    check_equal "a build looks again" '[2,6,1]' "$(model '[.version,.rows,.events]')"
    printf %b "$plane" >"$DATA/train.txt"
    stop_service
    start_service
    check_equal "a start too; the old sums are replaced" '[3,5,1]' "$(model '[.version,.rows,.events]')"
    check_equal "to the last bit" '[1,{"a":2,"b":3},0,1]' "$(model '[.intercept,.coefficients,.mse,.r2]')"
    printf 'b\ta\ty\n1\t0\t4\n1\t1\t6\n0\t0\t1\n0\t1\t3\n' >"$DATA/train.txt"
    build >/dev/null
    check_equal "columns in another order" '[4,5,{"a":2,"b":3}]' "$(model '[.version,.rows,.coefficients]')"
    rm "$DATA/train.txt"
    build >/dev/null
    check_equal "removed: the events remain" '[5,1]' "$(model '[.version,.rows]')"
    stop_service
}

test_conflict() {
    local said
    new_data
    start_service
    learn_plane
    printf 'a\tc\ty\n1\t2\t3\n' >"$DATA/train.txt"
    refuses "a build on a train file with other features" 409 c /build -X POST
    check_contains "says what is missing too" b "$(jq -r .error "$SCRATCH/body")"
    check_equal "the model stays" '[1,4]' "$(model '[.version,.rows]')"
    check_equal "events go on" 201 "$(status /action -d '{"a":1,"b":2,"target":9}')"
    stop_service
    said=$(failed_start)
    check_equal "a start on it" 1 "${said%%:*}"
    check_contains "says so" train.txt "$said"
    check_contains "and what differs" "added c" "$said"
    printf 'a,b,y\n1,2,9\n1,x,9\n' >"$DATA/train.txt"
    check_contains "a bad cell stops the start" "train.txt:3: column b" "$(failed_start)"
    rm "$DATA/train.txt"
    start_service
    printf 'a,b,y\n1,2,9\n1,x,9\n' >"$DATA/train.txt"
    refuses "a bad cell under a running service" 409 "train.txt:3: column b" /build -X POST
    check_equal "nothing of it is learnt" 5 "$(model .rows)"
    stop_service
}

# stops NAME WANTS TEXT [NAME=VALUE...]: a start on this train file fails and says so
stops() {
    local name=$1 wants=$2
    train "$3"
    shift 3
    check_contains "$name" "$wants" "$(failed_start "$@")"
}

test_unusable() {
    stops "a feature called target" target 'target\tb\ty\n1\t2\t3\n'
    stops "a feature called _a" _a '_a\tb\ty\n1\t2\t3\n'
    stops "an empty file" train.txt ''
    stops "a header alone" train.txt 'a\tb\ty\n'
    stops "one column" train.txt '1\n2\n'
    stops "a ragged row" train.txt:2 '1\t2\n1\t2\t3\n'
    stops "no such file, where one was asked for" TRAIN_FILE_PATH= "$plane" TRAIN_FILE_PATH=/no/such
    check_equal "a last column called target is the target" '200 {"prediction": 321}' \
        "$(train "a\tb\ttarget\n$plane"; start_service; answer "/predict?a=10&b=100"; stop_service)"
}

test_path() {
    new_data
    printf %b "$plane" >"$SCRATCH/rows.csv"
    start_service "TRAIN_FILE_PATH=$SCRATCH/rows.csv"
    check_equal "TRAIN_FILE_PATH" '200 {"prediction": 321}' "$(answer "/predict?a=10&b=100")"
    stop_service
}

test_schema_is_free_again() {
    train "$plane"
    start_service
    rm "$DATA/train.txt"
    refuses "neither rows nor events" 409 '' /build -X POST
    check_equal "the schema is free" 201 "$(status /action -d '{"x":1,"target":2}')"
    check_equal "and builds" 200 "$(build)"
    check_equal "another model" '[2,["x"],1]' "$(model '[.version,.features,.rows]')"
    stop_service
}

test_forms
test_start
test_with_events
test_conflict
test_unusable
test_path
test_schema_is_free_again
check_report http/train
