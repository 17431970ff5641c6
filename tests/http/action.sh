#!/usr/bin/env bash
# POST /action with one event: what is stored, what is refused, and that a refusal stores nothing.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

json='Content-Type: application/json'

# stored: how many events the journal has
stored() {
    journal | wc -l
}

test_first_event() {
    refuses "a first event without a target" 422 '"target"' /action -d '{"a":1,"b":2}'
    refuses "a first event without features" 422 feature /action -d '{"target":1}'
    refuses "a first event with a string" 422 '"b"' /action -d '{"a":1,"b":"2","target":3}'
    refuses "a first event with an unknown option" 422 '"_x"' /action -d '{"a":1,"_x":2,"target":3}'
    check_equal "they do not fix the schema" '201 {"seq": 1}' \
        "$(answer /action -d '{"b":1,"a":2,"target":3}')"
    check_equal "the type of the answer" application/json "$(header Content-Type)"
}

test_content_types() {
    check_equal "JSON" '201 {"seq": 2}' "$(answer /action -H "$json" -d '{"a":1,"b":1,"target":1}')"
    check_equal "JSON with a charset" '201 {"seq": 3}' \
        "$(answer /action -H "$json; charset=utf-8" -d '{"a":1,"b":2,"target":1}')"
    check_equal "no type at all" '201 {"seq": 4}' \
        "$(answer /action -H 'Content-Type:' -d '{"a":1,"b":3,"target":1}')"
    check_equal "an unknown type, but {" '201 {"seq": 5}' \
        "$(answer /action -H 'Content-Type: text/plain' -d $' \n{"a":1,"b":4,"target":1}')"
    check_equal "in chunks" '201 {"seq": 6}' \
        "$(answer /action -H 'Transfer-Encoding: chunked' -d '{"a":1,"b":5,"target":1}')"
    refuses "a form" 415 '' /action -d 'a=1&b=2&target=3'
    refuses "a table without its type" 415 '' /action --data-binary $'a\tb\ttarget\n1\t2\t3\n'
    refuses "another type" 415 '' /action -H 'Content-Type: application/xml' -d '<a/>'
}

test_other_features() {
    refuses "an unknown feature" 422 '"c"' /action -d '{"a":1,"b":2,"c":3,"target":4}'
    refuses "a missing feature" 422 '"b"' /action -d '{"a":1,"target":4}'
    refuses "a missing target" 422 '"target"' /action -d '{"a":1,"b":2}'
    refuses "case matters" 422 '"A"' /action -d '{"A":1,"b":2,"target":3}'
    refuses "an unknown option" 422 '"_wait"' /action -d '{"a":1,"b":2,"_wait":3,"target":3}'
    answer /action -d '{"a":"x","c":1,"d":2,"d":3}' >/dev/null
    local name
    for name in a b c d target; do
        check_contains "each is named: $name" "\"$name\"" "$(jq -r .error "$SCRATCH/body")"
    done
}

# value NAME JSON STATUS: the event with this for b
value() {
    refuses "b is $1" "$3" '"b"' /action -d "{\"a\":1,\"b\":$2,\"target\":3}"
}

test_values() {
    value "a string" '"2"' 422
    value "null" null 422
    value "an array" '[2]' 422
    value "an object" '{"c":2}' 422
    value "too large" 1e999 422
    value "too small" -1e999 422
    refuses "a duplicate key" 422 '"b"' /action -d '{"a":1,"b":2,"b":2,"target":3}'
    refuses "a duplicate key, escaped" 422 '"b"' /action -d '{"a":1,"b":2,"\u0062":2,"target":3}'
    refuses "a string for the target" 422 '"target"' /action -d '{"a":1,"b":2,"target":"3"}'
    refuses "a target that is too large" 422 '"target"' /action -d '{"a":1,"b":2,"target":1e309}'
}

test_not_json() {
    local text
    for text in '{"a":1,"b":NaN,"target":3}' '{"a":1,"b":Infinity,"target":3}' '{"a":1,"b":-inf}' \
        '{"a":1,"b":0x10,"target":3}' '{"a":1,"b":01,"target":3}' '{"a":1,"b":1.,"target":3}' \
        '{"a":1,"b":.5,"target":3}' '{"a":1,"b":+1,"target":3}' '{"a":1,"b":1e,"target":3}' \
        '{"a":1,"b":2,"target":3' '{"a":1,"b":2,"target":3}}' '{"a":1,"b":2,"target":3,}' \
        '{a:1,"b":2,"target":3}' "{'a':1}" '{"a":1 "b":2}' '{"a\u0000":1,"b":2,"target":3}' \
        $'{"a\t":1}' '{"a":1,"b":2,"target":3} x' '{' '[' '{"a":tru}' '{"\ud800":1}'; do
        refuses "not JSON: $text" 400 '' /action -d "$text"
    done
    refuses "invalid UTF-8" 400 UTF-8 /action --data-binary $'{"\xff":1,"b":2,"target":3}'
    refuses "an overlong form" 400 UTF-8 /action --data-binary $'{"\xc0\xaf":1,"b":2,"target":3}'
    refuses "an empty body" 400 empty /action -d ''
    refuses "white space" 400 empty /action -d $' \n\n '
    refuses "a scalar" 422 object /action -H "$json" -d 5
}

test_hostile() {
    awk 'BEGIN { while (n++ < 100000) printf "[" }' >"$SCRATCH/deep"
    refuses "100000 brackets" 400 '' /action -d "@$SCRATCH/deep"
    awk 'BEGIN { while (n++ < 100000) printf "{\"a\":" }' >"$SCRATCH/deep"
    refuses "100000 objects in each other" 400 '' /action -d "@$SCRATCH/deep"
    awk 'BEGIN { printf "{\"a\":1"; while (n++ < 100000) printf ",\"%d\":1", n; print "}" }' \
        >"$SCRATCH/wide"
    refuses "100000 unknown features" 422 '"1"' /action -d "@$SCRATCH/wide"
    awk 'BEGIN { printf "{\"a\":1"; while (n++ < 1048576) printf " "; print ",\"b\":2,\"target\":3}" }' \
        >"$SCRATCH/long"
    refuses "an event of more than 1 MB" 413 '' /action -d "@$SCRATCH/long"
    check_equal "and the service lives" 200 "$(status /healthz)"
}

test_journal() {
    check_equal "the journal has one object a line" 8 "$(journal | jq -s length)"
    check_equal "its numbers count up" '[1,2,3,4,5,6,7,8]' "$(journal | jq -sc 'map(._seq)')"
    on_files || return
    check_equal "it has the values by name" '{"b":1,"a":2,"target":3}' \
        "$(head -n 1 "$DATA/actions.jsonl" | jq -c 'with_entries(select(.key | startswith("_") | not))')"
    check_equal "it has time and checksum" true \
        "$(jq -s 'all(._time | test("^....-..-..T..:..:..(\\.\\d+)?Z$")) and all(._crc | test("^[0-9a-f]{8}$"))' \
            "$DATA/actions.jsonl")"
}

test_time() {
    check_equal "a moment of its own" 201 \
        "$(status /action -d '{"_time":"1999-12-31T23:59:59Z","a":1,"b":2,"target":3}')"
    check_equal "true is 1, false 0" 201 "$(status /action -d '{"a":true,"b":false,"target":3}')"
    refuses "no moment" 422 '_time must be' /action -d '{"_time":"1999-02-29T23:59:59Z","a":1,"b":2,"target":3}'
    refuses "a number" 422 '_time must be' /action -d '{"_time":1999,"a":1,"b":2,"target":3}'
    refuses "two" 422 '"_time" is repeated' \
        /action -d '{"_time":"1999-12-31T23:59:59Z","_time":"1999-12-31T23:59:59Z","a":1,"b":2,"target":3}'
    on_files || return
    check_equal "both are in the journal" '["1999-12-31T23:59:59.000Z",1]' \
        "$(journal | tail -n 2 | jq -sc '[.[0]._time, .[1].a]')"
}

test_methods() {
    refuses "GET /action" 405 POST /action
    check_contains "GET /action: Allow" POST "$(header Allow)"
    refuses "PUT /action" 405 POST /action -X PUT -d '{"a":1,"b":2,"target":3}'
    check_equal "OPTIONS /action" "204 " "$(answer /action -X OPTIONS)"
    check_contains "OPTIONS /action: Allow" POST "$(header Allow)"
    check_equal "HEAD /action" 405 "$(status /action --head)"
}

new_data
start_service
test_first_event
test_content_types
test_other_features
test_values
test_not_json
test_hostile
test_methods
test_time
check_equal "what is refused is not stored" 8 "$(stored)"
test_journal
stop_service
check_report http/action
