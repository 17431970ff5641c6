#!/usr/bin/env bash
# POST /action with many events at once: arrays, NDJSON, values in a row, tables.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

ndjson='Content-Type: application/x-ndjson'
tsv='Content-Type: text/tab-separated-values'
csv='Content-Type: text/csv'

# counts PATH [CURL-ARGUMENT...]: the answer's numbers and the indexes of its errors, in short
counts() {
    answer "$@" >/dev/null
    jq -r '"\(.accepted)+\(.duplicates)-\(.rejected) \(.first_seq)..\(.last_seq) \([.errors[].index])"' \
        "$SCRATCH/body"
}

# sentence INDEX: of the last answer's errors
sentence() {
    jq -r ".errors[$1].error" "$SCRATCH/body"
}

test_json() {
    check_equal "an array" '2+0-0 1..2 []' \
        "$(counts /action -d '[{"a":1,"b":1,"target":6},{"a":2,"b":1,"target":8}]')"
    check_equal "its status" 200 "$(header_status)"
    check_equal "its fields" '["accepted","duplicates","rejected","first_seq","last_seq","errors"]' \
        "$(jq -c keys_unsorted "$SCRATCH/body")"
    check_equal "an array of one" '1+0-0 3..3 []' "$(counts /action -d '[{"a":0,"b":0,"target":1}]')"
    check_equal "an empty array" '0+0-0 null..null []' "$(counts /action -d '[]')"
    printf '{"a":%d,"b":2,"target":7}\n' 1 2 3 >"$SCRATCH/events.ndjson"
    check_equal "NDJSON" '3+0-0 4..6 []' \
        "$(counts /action -H "$ndjson" --data-binary "@$SCRATCH/events.ndjson")"
    check_equal "NDJSON as curl -d sends it, without newlines" '3+0-0 7..9 []' \
        "$(counts /action -d "@$SCRATCH/events.ndjson")"
    check_equal "one line of NDJSON" '1+0-0 10..10 []' \
        "$(counts /action -H "$ndjson" -d '{"a":1,"b":1,"target":6}')"
    check_equal "CRLF, blank lines and no last newline" '2+0-0 11..12 []' \
        "$(counts /action -H "$ndjson" \
            --data-binary $'{"a":1,"b":1,"target":6}\r\n\r\n\n{"a":2,"b":1,"target":8}')"
    check_equal "arrays and objects in a row" '3+0-0 13..15 []' \
        "$(counts /action -d '[{"a":1,"b":1,"target":6}] {"a":1,"b":1,"target":6}[{"a":1,"b":1,"target":6}]')"
}

test_tables() {
    check_equal "a table" '2+0-0 16..17 []' \
        "$(counts /action -H "$tsv" --data-binary $'a\tb\ttarget\n1\t2\t9\n2\t2\t11\n')"
    check_equal "columns in another order, CRLF, no last newline" '2+0-0 18..19 []' \
        "$(counts /action -H "$csv" --data-binary $'target,b,a\r\n9,2,1\r\n11,2,2')"
    check_equal "quoted cells, semicolons" '1+0-0 20..20 []' \
        "$(counts /action -H "$csv; charset=utf-8" --data-binary $'"a";"b";"target"\n"1";"2";"9"\n')"
    check_equal "a byte-order mark" '1+0-0 21..21 []' \
        "$(counts /action -H "$csv" --data-binary $'\xef\xbb\xbfa,b,target\n1,2,9\n\n\n')"
    refuses "a header alone" 422 "no rows" /action -H "$csv" --data-binary $'a,b,target\n'
    check_equal "the values went to the right columns" '{"a":2,"b":2,"target":11}' \
        "$(journal | sed -n 19p | jq -c '{a,b,target}')"
    refuses "a table without a header" 422 names /action -H "$csv" --data-binary $'1,2,9\n'
    refuses "a repeated column" 400 a /action -H "$csv" --data-binary $'a,a,b,target\n1,1,2,9\n'
}

test_rejected() {
    check_equal "good ones are taken, bad ones told" '2+0-4 22..23 [1,2,4,5]' \
        "$(counts /action -d '[{"a":1,"b":2,"target":9},{"a":1,"target":9},{"a":"1","b":2,"target":9},
            {"a":1,"b":2,"target":9},7,{"a":1e999,"b":2,"target":9}]')"
    check_equal "still 200" 200 "$(header_status)"
    check_contains "a missing feature is named" '"b"' "$(sentence 0)"
    check_contains "a string is named" '"a"' "$(sentence 1)"
    check_contains "no object" object "$(sentence 2)"
    check_contains "out of range is named" '"a"' "$(sentence 3)"
    check_equal "all bad" '0+0-2 null..null [0,1]' "$(counts /action -d '[{"a":1},{"b":1}]')"
    check_equal "rows of a table" '2+0-3 24..25 [1,2,3]' \
        "$(counts /action -H "$csv" --data-binary $'a,b,target\n1,2,9\n1,x,9\n1,2\n1,,9\n2,2,11\n')"
    check_contains "a bad cell is named" b "$(sentence 0)"
    check_equal "a table with an unknown column" '0+0-1 null..null [0]' \
        "$(counts /action -H "$csv" --data-binary $'a,b,c,target\n1,2,3,9\n')"
    check_contains "it is named" '"c"' "$(sentence 0)"
    awk 'BEGIN { while (n++ < 250) print "{\"a\":1}" }' >"$SCRATCH/bad"
    answer /action -H "$ndjson" --data-binary "@$SCRATCH/bad" >/dev/null
    check_equal "the first 100 errors are told, all are counted" '250 100 99' \
        "$(jq -r '"\(.rejected) \(.errors | length) \(.errors[99].index)"' "$SCRATCH/body")"
}

test_faults() {
    local before
    before=$(journal | wc -l)
    refuses "a fault in a short body" 400 JSON /action -d '[{"a":1,"b":2,"target":9},{"a":1,]'
    refuses "an array that does not end" 400 array /action -d '[{"a":1,"b":2,"target":9}'
    refuses "a missing comma" 400 comma /action -d '[{"a":1,"b":2,"target":9} {"a":1,"b":2,"target":9}]'
    refuses "a comma too many" 400 comma /action -d '[{"a":1,"b":2,"target":9},]'
    check_equal "nothing of it is stored" "$before" "$(journal | wc -l)"
}

# A body of 20 MB in 200000 events, of which the middle one is bad, must neither fill the memory nor
# keep others from writing.
test_large() {
    local action peak
    new_data
    start_service MAX_BODY=32m
    awk 'BEGIN { while (n++ < 200000) printf "{\"a\":%d,\"b\":%d,\"target\":%s}%50s\n",
        n, n % 7, n == 100000 ? "1e999" : 2 * n + 3 * (n % 7) + 1, "" }' >"$SCRATCH/large"
    action=$(pids_of action)
    check_equal "200000 events at once" '199999+0-1 1..199999 [99999]' \
        "$(counts /action -H "$ndjson" --data-binary "@$SCRATCH/large")"
    peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$action/status")
    is_sanitized || check_equal "memory does not grow with the body (peak $peak kB)" yes \
        "$([ "$peak" -lt 30000 ] && echo yes)"
    check_equal "all are learnt" 199999 "$(build >/dev/null; model .rows)"
}

# What curl -d makes of a file: one line.
test_no_rows() {
    refuses "a table without rows" 422 "no rows" /action -H 'Content-Type: text/csv' -d 'a,target1,2'
}

new_data
start_service
test_json
test_tables
test_rejected
test_faults
test_no_rows
stop_service
test_large
stop_service
check_report http/bulk
