#!/usr/bin/env bash
# /predict, /model, /healthz and /readyz: everything that reads the model.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

json='Content-Type: application/json'
tsv='Content-Type: text/tab-separated-values'
csv='Content-Type: text/csv'

test_before_any_model() {
    refuses "predict before any build" 503 "no model" "/predict?a=1"
    refuses "POST predict before any build" 503 "no model" /predict -d '{"a":1}'
    refuses "readyz before any build" 503 "no model" /readyz
    refuses "model before any build" 404 "no model" /model
    check_equal "healthz before any build" 200 "$(status /healthz)"
}

test_get() {
    check_equal "a prediction" '200 {"prediction": 321}' "$(answer "/predict?a=10&b=100")"
    check_equal "its type" application/json "$(header Content-Type)"
    check_equal "its model's version" 1 "$(header X-Model-Version)"
    check_equal "its model's events" 4 "$(header X-Model-Events)"
    check_equal "features in any order" '200 {"prediction": 321}' "$(answer "/predict?b=100&a=10")"
    check_equal "ready" 200 "$(status /readyz)"
    check_equal "model.json is what /model gives" "200 $(cat "$DATA/model.json")" "$(answer /model)"
    check_equal "the type of /model" application/json "$(header Content-Type)"
}

# gives NAME QUERY PREDICTION
gives() {
    check_equal "$1" "200 {\"prediction\": $3}" "$(answer "/predict?$2")"
}

test_query_values() {
    local value
    gives "+ stands for itself" "a=1e+3&b=+0" 2001
    gives "an escaped +" "a=1e%2B3&b=0" 2001
    gives "an escaped digit" "a=%31&b=%30" 3
    gives "an escaped name" "%61=1&b=0" 3
    gives "lower-case and upper-case exponents" "a=1E0&b=1e0" 6
    gives "a negative number" "a=-1&b=-2.5" -8.5
    gives "a fraction without digits before the point" "a=.5&b=0" 2
    gives "true is 1, false 0" "a=true&b=false" 3
    check_equal "in JSON too" '200 {"prediction": 3}' "$(answer /predict -d '{"a":true,"b":false}')"
    gives "an empty pair" "&a=1&&b=0&" 3
    refuses "escapes are decoded once" 422 '"a"' "/predict?a=%2531&b=0"
    refuses "a + is no space" 422 '"a"' "/predict?a=+%2B1&b=0"
    refuses "a malformed escape" 400 '%' "/predict?a=%zz&b=0"
    refuses "an escape cut short" 400 '%' "/predict?a=1&b=%3"
    refuses "an escaped NUL" 400 NUL "/predict?a=1%00&b=0"
    for value in nan inf -inf infinity 0x10 1e999 -1e999 '' %20 1,5 1_000 ١ 1e 1d0 --1 abc True yes; do
        refuses "a=$value" 422 '"a"' "/predict?a=$value&b=0"
    done
}

test_query_names() {
    local name
    refuses "a missing feature" 422 'missing feature "b"' "/predict?a=1"
    refuses "no query" 422 '"a"' /predict
    refuses "no query: each is named" 422 '"b"' /predict
    refuses "an unknown feature" 422 'unknown feature "c"' "/predict?a=1&b=2&c=3"
    refuses "the target" 422 '"target"' "/predict?a=1&b=2&target=3"
    refuses "an unknown option" 422 '"_verbose"' "/predict?a=1&b=2&_verbose=1"
    refuses "case matters" 422 '"A"' "/predict?A=1&b=2"
    refuses "a repeated feature" 422 '"a" is repeated' "/predict?a=1&b=2&a=1"
    refuses "a repeated feature, escaped" 422 '"a" is repeated' "/predict?a=1&b=2&%61=1"
    answer "/predict?a=x&c=1&d=1" >/dev/null
    for name in a b c d; do
        check_contains "each is named: $name" "\"$name\"" "$(jq -r .error "$SCRATCH/body")"
    done
}

test_post() {
    check_equal "an object" '200 {"prediction": 321}' "$(answer /predict -d '{"a":10,"b":100}')"
    check_equal "an object: version" 1 "$(header X-Model-Version)"
    check_equal "an object as JSON" '200 {"prediction": 321}' \
        "$(answer /predict -H "$json" -d ' {"b":100, "a":1e1}')"
    check_equal "an array" '200 {"predictions": [321, 1]}' \
        "$(answer /predict -d '[{"a":10,"b":100},{"a":0,"b":0}]')"
    check_equal "an array: events" 4 "$(header X-Model-Events)"
    check_equal "an array of one" '200 {"predictions": [321]}' "$(answer /predict -d '[{"a":10,"b":100}]')"
    check_equal "an empty array" '200 {"predictions": []}' "$(answer /predict -d '[]')"
    check_equal "a table" $'200 321\n1' \
        "$(answer /predict -H "$tsv" --data-binary $'a\tb\n10\t100\n0\t0\n')"
    check_equal "a table: version" 1 "$(header X-Model-Version)"
    check_equal "a table in another order, CRLF" $'200 321\n1' \
        "$(answer /predict -H "$csv" --data-binary $'b,a\r\n100,10\r\n0,0')"
    check_equal "a body in chunks" '200 {"prediction": 321}' \
        "$(answer /predict -H 'Transfer-Encoding: chunked' -d '{"a":10,"b":100}')"
}

test_post_refused() {
    refuses "an object that lacks a feature" 422 '"b"' /predict -d '{"a":1}'
    refuses "a string" 422 '"a"' /predict -d '{"a":"1","b":2}'
    refuses "null" 422 '"a"' /predict -d '{"a":null,"b":2}'
    refuses "out of range" 422 '"a"' /predict -d '{"a":1e999,"b":2}'
    refuses "a duplicate key" 422 '"a"' /predict -d '{"a":1,"b":2,"a":1}'
    refuses "in an array" 422 'index 1' /predict -d '[{"a":1,"b":2},{"a":1}]'
    refuses "no object" 422 object /predict -H "$json" -d 5
    refuses "not JSON" 400 JSON /predict -d '{"a":1,"b":'
    refuses "an empty body" 400 empty /predict -d ''
    refuses "a table without a header" 422 names /predict -H "$csv" -d $'1,2'
    refuses "a table that lacks a column" 422 '"b"' /predict -H "$csv" -d a
    refuses "a bad cell" 422 b /predict -H "$csv" --data-binary $'a,b\n1,x\n'
    refuses "another type" 415 Content-Type /predict -H 'Content-Type: application/xml' -d '<a>1</a>'
}

test_methods() {
    local length path
    for path in "/predict?a=10&b=100" /model /readyz /healthz; do
        answer "$path" >/dev/null
        length=$(wc -c <"$SCRATCH/body")
        check_equal "HEAD $path" 200 "$(status "$path" --head)"
        check_equal "HEAD $path: length" "$length" "$(header Content-Length)"
        check_equal "OPTIONS $path" "204 " "$(answer "$path" -X OPTIONS)"
        check_contains "OPTIONS $path: Allow" "GET, HEAD" "$(header Allow)"
        refuses "DELETE $path" 405 '' "$path" -X DELETE
        check_contains "DELETE $path: Allow" "GET, HEAD" "$(header Allow)"
    done
    check_equal "HEAD has no body" 0 \
        "$(raw 'HEAD /predict?a=10&b=100 HTTP/1.0\r\n\r\n' | sed '1,/^\r*$/d' | wc -c)"
    check_contains "POST is allowed for /predict" POST \
        "$(answer /predict -X OPTIONS >/dev/null; header Allow)"
}

# As long as a start reads, nobody can know whether a model was built.
test_while_a_start_reads() {
    local start
    new_data
    touch "$DATA/lock"
    exec 8<"$DATA/lock"
    flock 8
    DATA_DIR=$DATA "$TRENDLINE" prepare 8<&- 2>"$SCRATCH/prepare" &
    start=$!
    check_equal "a start that reads says so" yes "$(wait_until 10 grep -q 'is still being read' "$DATA/unready.txt" && echo yes)"
    exec 8<&-
    wait "$start"
    check_equal "and it goes well" "0 " "$? $(cat "$SCRATCH/prepare")"
    check_equal "nothing is left to say" "" "$(cat "$DATA/unready.txt" 2>/dev/null)"
}

test_while_a_start_reads
new_data
start_service
test_before_any_model
learn_plane
test_get
test_query_values
test_query_names
test_post
test_post_refused
test_methods
stop_service
check_equal "stopping is no failure" 0 $?
check_report http/predict
