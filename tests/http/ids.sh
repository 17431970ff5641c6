#!/usr/bin/env bash
# `_id`: the same event is stored once, however often and however concurrently it is sent.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

# stored ID: how often the journal has it
stored() {
    journal | jq -c --arg id "$1" 'select(._id == $id)' | wc -l
}

test_one() {
    check_equal "an event with an id" '201 {"seq": 1}' "$(answer /action -d '{"_id":"x","a":1,"target":3}')"
    check_equal "the same again" '200 {"seq": 1, "duplicate": true}' \
        "$(answer /action -d '{"_id":"x","a":1,"target":3}')"
    check_equal "the same, written otherwise" '200 {"seq": 1, "duplicate": true}' \
        "$(answer /action -d ' { "target" : 3e0, "a":1.0, "_id":"\u0078" }')"
    refuses "the same id, another value" 409 '"x"' /action -d '{"_id":"x","a":2,"target":3}'
    refuses "the same id, another target" 409 '"x"' /action -d '{"_id":"x","a":1,"target":4}'
    refuses "the same id, a bad event" 422 '"a"' /action -d '{"_id":"x","target":4}'
    check_equal "another id, the same content" '201 {"seq": 2}' \
        "$(answer /action -d '{"_id":"y","a":1,"target":3}')"
    check_equal "no id is never a duplicate" '201 {"seq": 3}' "$(answer /action -d '{"a":1,"target":3}')"
    check_equal "stored once" 1 "$(stored x)"
}

test_forms() {
    local long
    check_equal "Unicode, quotes and backslashes" '201 {"seq": 4}' \
        "$(answer /action -d '{"_id":"é\"\\/ 日本","a":1,"target":3}')"
    check_equal "and again" '200 {"seq": 4, "duplicate": true}' \
        "$(answer /action -d '{"_id":"\u00e9\"\\\/ \u65e5本","a":1,"target":3}')"
    check_equal "the journal has it" 'é"\/ 日本' \
        "$(journal | jq -r 'select(._seq == 4)._id')"
    check_equal "case matters" '201 {"seq": 5}' "$(answer /action -d '{"_id":"X","a":1,"target":3}')"
    check_equal "a whole number" '201 {"seq": 6}' "$(answer /action -d '{"_id":17,"a":1,"target":3}')"
    check_equal "and again" '200 {"seq": 6, "duplicate": true}' \
        "$(answer /action -d '{"_id":17,"a":1,"target":3}')"
    # those beyond 2^53 - 1 read as the same double, and would be one id
    for long in true '[]' '{}' '""' 1.5 '"a\nb"' 9007199254740992 9007199254740993 -9007199254740993 1e300; do
        refuses "an id that is $long" 422 _id /action -d "{\"_id\":$long,\"a\":1,\"target\":3}"
    done
    check_equal "the greatest whole number" '201 {"seq": 7}' \
        "$(answer /action -d '{"_id":9007199254740991,"a":1,"target":3}')"
    check_equal "is its digits" '200 {"seq": 7, "duplicate": true}' \
        "$(answer /action -d '{"_id":"9007199254740991","a":1,"target":3}')"
    long=$(printf 'x%.0s' {1..5000})
    refuses "an id of 5000 bytes" 422 _id /action -d "{\"_id\":\"$long\",\"a\":1,\"target\":3}"
    refuses "two ids" 422 _id /action -d '{"_id":"p","_id":"q","a":1,"target":3}'
}

test_bulk() {
    answer /action -d '[{"_id":"x","a":1,"target":3},{"_id":"z","a":1,"target":3},
        {"_id":"z","a":1,"target":3},{"_id":"z","a":2,"target":3},{"_id":"x","a":9,"target":3}]' >/dev/null
    check_equal "in bulk" '[1,2,2,8,8,[3,4]]' \
        "$(jq -c '[.accepted,.duplicates,.rejected,.first_seq,.last_seq,[.errors[].index]]' "$SCRATCH/body")"
    check_contains "the error names the id" '"z"' "$(jq -r '.errors[0].error' "$SCRATCH/body")"
    answer /action -d '[{"a":1},{"_id":"x","a":9,"target":3},{"b":1},{"_id":"z","a":2,"target":3}]' >/dev/null
    check_equal "errors of all kinds in the order of the events" '[4,[0,1,2,3]]' \
        "$(jq -c '[.rejected,[.errors[].index]]' "$SCRATCH/body")"
    answer /action -d '[{"_id":"x","a":9,"target":3},{"_id":"x","a":9,"target":3},
        {"_id":"x","a":1,"target":3}]' >/dev/null
    check_equal "what was refused makes no duplicate" '[0,1,2,[0,1]]' \
        "$(jq -c '[.accepted,.duplicates,.rejected,[.errors[].index]]' "$SCRATCH/body")"
    check_equal "stored once" 1 "$(stored z)"
}

# The ids of a table are text, also where they look like numbers.
test_table() {
    printf '_id,a,target\nrow 1,1,3\n"quoted ""1""",1,3\n007,1,3\nrow 1,1,3\nrow 1,2,3\n,1,3\n' |
        answer /action -H 'Content-Type: text/csv' --data-binary @- >/dev/null
    check_equal "in a table" '[3,1,2,[4,5]]' \
        "$(jq -c '[.accepted,.duplicates,.rejected,[.errors[].index]]' "$SCRATCH/body")"
    check_equal "the journal has the texts" '["row 1","quoted \"1\"","007"]' \
        "$(journal | tail -n 3 | jq -sc 'map(._id)')"
    check_equal "the same id in JSON" 200 "$(answer /action -d '{"_id":"007","a":1,"target":3}' | cut -c-3)"
}

# Forty clients send the same event at once: one stores it, and all learn its number.
test_race() {
    local n pids=()
    for n in {1..40}; do
        curl -s --max-time 60 -o "$SCRATCH/race.$n" -w '%{http_code}' "$URL/action" \
            -d '{"_id":"race","a":5,"target":11}' >"$SCRATCH/race-status.$n" &
        pids+=($!)
    done
    wait "${pids[@]}"
    check_equal "one 201, the others 200" "201 200" \
        "$(for n in {1..40}; do cat "$SCRATCH/race-status.$n"; echo; done | sort | uniq -c |
            awk '{ n[$2] = $1 } END { print (n[201] == 1 ? 201 : ""), (n[200] == 39 ? 200 : "") }')"
    check_equal "all tell the same number" 1 "$(jq -s 'map(.seq) | unique | length' "$SCRATCH"/race.*)"
    check_equal "stored once" 1 "$(stored race)"
}

test_restart() {
    stop_service
    start_service
    check_equal "known after a restart" '200 {"seq": 1, "duplicate": true}' \
        "$(answer /action -d '{"_id":"x","a":1,"target":3}')"
    refuses "with its content" 409 '"x"' /action -d '{"_id":"x","a":2,"target":3}'
    kill_service
    rm -f "$DATA"/ids*
    start_service
    check_equal "known when the index is lost" '200 {"seq": 2, "duplicate": true}' \
        "$(answer /action -d '{"_id":"y","a":1,"target":3}')"
    stop_service
}

test_window() {
    local n
    on_files || return
    new_data
    start_service ID_WINDOW=2
    for n in 1 2 3; do answer /action -d "{\"_id\":\"$n\",\"a\":$n,\"target\":3}" >/dev/null; done
    check_equal "within ID_WINDOW" '200 {"seq": 2, "duplicate": true}' \
        "$(answer /action -d '{"_id":"2","a":2,"target":3}')"
    check_equal "beyond it an id is forgotten" '201 {"seq": 4}' \
        "$(answer /action -d '{"_id":"1","a":7,"target":3}')"
    stop_service
}

new_data
start_service
test_one
test_forms
test_bulk
test_race
test_table
test_restart
test_window
check_report http/ids
