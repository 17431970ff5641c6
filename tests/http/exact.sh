#!/usr/bin/env bash
# Exactness as a client sees it: events posted, a build, coefficients read from /model.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

nist=$ROOT/tests/data/nist
tsv='Content-Type: text/tab-separated-values'
ndjson='Content-Type: application/x-ndjson'

# what the same rows must give to the last bit, however they came
learnt='[.rows,.rank,.aliased,.intercept,.coefficients,.mse,.r2,.remainder]'

# header_of FILE [target]: a header for its columns: a, b, … and, if asked for, target as the last
header_of() {
    awk -v FS='\t' -v OFS='\t' -v last="${2:-}" 'NR == 1 {
        for (i = 1; i <= NF; i++) $i = substr("abcdefghijklmnopqrstuvwxyz", i, 1)
        if (last) $NF = last
        print }' "$1"
}

# post_table PATH FILE [target]: the table with a header
post_table() {
    { header_of "$2" "${3:-}" && cat "$2"; } |
        curl -s --max-time 60 -H "$tsv" --data-binary @- "$URL$1"
}

# to_events FILE: a training table's rows as JSON, one a line
to_events() {
    awk -v FS='\t' '{
        for (i = 1; i < NF; i++)
            printf("%s\"%s\":%s", i > 1 ? "," : "{", substr("abcdefghijklmnopqrstuvwxyz", i, 1), $i)
        print ",\"target\":" $NF "}" }' "$1"
}

# check_exact NAME WANTS GOT: two files of numbers, line by line the same double
check_exact() {
    check_equal "$1" "$(wc -l <"$2") numbers" "$(paste "$2" "$3" | awk '
        NF == 2 && $1 + 0 == $2 + 0 { same++; next }
        { printf "line %d: %s, not %s; ", NR, $2, $1 }
        END { print same + 0 " numbers" }')"
}

test_nist() {
    local set
    for set in "$nist"/*.train.tsv; do
        set=$(basename "$set" .train.tsv)
        new_data
        start_service MODEL=linear
        post_table /action "$nist/$set.train.tsv" target >/dev/null
        build >/dev/null
        model '.intercept, .coefficients[]' >"$SCRATCH/got"
        check_exact "$set: coefficients" "$nist/$set.coef_exact.txt" "$SCRATCH/got"
        post_table /predict "$nist/$set.test.tsv" >"$SCRATCH/got"
        check_exact "$set: predictions" "$nist/$set.pred_exact.txt" "$SCRATCH/got"
        stop_service
    done
}

# post_each FILE: a request for each line, over one connection
post_each() {
    awk -v url="$URL/action" '{
        gsub(/"/, "\\\"")
        print (NR > 1 ? "next\n" : "") "silent\nurl = \"" url "\"\noutput = /dev/null\ndata = \"" $0 "\"" }' \
        "$1" >"$SCRATCH/curl"
    curl --max-time 120 -K "$SCRATCH/curl"
}

post_bulk() {
    curl -s --max-time 60 -o /dev/null -H "$ndjson" --data-binary "@$1" "$URL/action"
}

# Rows of ordinary size, and some so large and small that any rounding on the way would show.
make_events() {
    head -n 120 "$ROOT/tests/data/uci/diabetes.tsv" >"$SCRATCH/rows"
    awk -v OFS='\t' '{ $1 = $1 "e140"; $NF = $NF "e-140"; print }' "$SCRATCH/rows" |
        head -n 3 >"$SCRATCH/large"
    awk -v OFS='\t' '{ $2 = $2 "e-130"; $5 = $5 "e18"; print }' "$SCRATCH/rows" | tail -n 3 >>"$SCRATCH/large"
    cat "$SCRATCH/large" >>"$SCRATCH/rows"
    to_events "$SCRATCH/rows" >"$SCRATCH/events"
    shuf --random-source="$SCRATCH/rows" "$SCRATCH/events" >"$SCRATCH/shuffled"
}

test_same_bits() {
    local wants
    make_events
    new_data
    start_service MODEL=linear
    post_bulk "$SCRATCH/events"
    build >/dev/null
    wants=$(model "$learnt")
    check_equal "all are there" 126 "$(model .rows)"
    stop_service
    same_bits_online "$wants"
    same_bits_in_parts "$wants"
    same_bits_with_train_file "$wants"
}

same_bits_online() {
    new_data
    start_service MODEL=linear
    head -n 5 "$SCRATCH/shuffled" >"$SCRATCH/some"
    post_bulk "$SCRATCH/some"
    build >/dev/null
    tail -n +6 "$SCRATCH/shuffled" >"$SCRATCH/some"
    post_each "$SCRATCH/some"
    check_equal "shuffled, one by one, learnt online" "$1" "$(model "$learnt")"
    build >/dev/null
    check_equal "and built" "$1" "$(model "$learnt")"
    stop_service
}

same_bits_in_parts() {
    local part
    new_data
    for part in 1 2 3 4; do
        start_service MODEL=linear
        tac "$SCRATCH/events" | awk -v part="$part" 'NR % 4 == part - 1' >"$SCRATCH/some"
        post_bulk "$SCRATCH/some"
        [ $((part % 2)) = 0 ] || build >/dev/null
        if [ $((part % 2)) = 0 ]; then stop_service; else kill_service; fi
    done
    start_service MODEL=linear
    build >/dev/null
    check_equal "in parts, over restarts" "$1" "$(model "$learnt")"
    stop_service
}

same_bits_with_train_file() {
    new_data
    head -n 60 "$SCRATCH/rows" >"$DATA/train.txt"
    start_service MODEL=linear
    tail -n +61 "$SCRATCH/events" | tac >"$SCRATCH/some"
    post_bulk "$SCRATCH/some"
    check_equal "half of them from a train file" "$1" "$(model "$learnt")"
    stop_service
}

test_unix_seconds() {
    new_data
    start_service MODEL=linear
    awk 'BEGIN { for (i = 0; i < 3600; i += 60)
        printf("{\"t\":%d,\"x\":%d,\"target\":%.2f}\n",
            1763596800 + i, i % 7, (1763596800 + i) / 4 + 2 * (i % 7) - 3) }' \
        >"$SCRATCH/events"
    post_bulk "$SCRATCH/events"
    build >/dev/null
    check_equal "Unix seconds as a feature" '[-3,{"t":0.25,"x":2}]' "$(model '[.intercept,.coefficients]')"
    check_equal "and its predictions" '200 {"prediction": 440900098, "extrapolating": true}' "$(answer "/predict?t=1763600400&x=0.5")"
    stop_service
}

# predicts NAME QUERY PREDICTION
predicts() {
    check_equal "$1" "200 {\"prediction\": $3}" "$(answer "/predict?$2")"
}

test_one_rounding() {
    new_data
    start_service MODEL=linear
    answer /action -d '{"a":0,"b":0,"c":0,"target":0}{"a":1,"b":0,"c":0,"target":1}
        {"a":0,"b":1,"c":0,"target":1}{"a":0,"b":0,"c":1,"target":1}' >/dev/null
    build >/dev/null
    predicts "shortest form" "a=0.1&b=0&c=0" 0.1
    predicts "rounded once" "a=0.1&b=0.2&c=0" 0.30000000000000004
    predicts "rounded once: what is left of large ones" "a=1e100&b=-1e100&c=1" 1
    predicts "rounded once: to even" "a=9007199254740992&b=1&c=0" 9007199254740992
    predicts "rounded once: up" "a=9007199254740992&b=1&c=5e-324" 9007199254740994
    predicts "the smallest" "a=5e-324&b=0&c=0" 5e-324
    predicts "no negative zero" "a=-0&b=0&c=0" 0
    check_equal "the largest" 1.7976931348623157e308 \
        "$(answer "/predict?a=1.7976931348623157e308&b=0&c=0" | sed -E 's/.*: (.*)}/\1/; s/e\+/e/')"
    refuses "a prediction beyond doubles" 422 '' "/predict?a=1.7976931348623157e308&b=1e308&c=0"
    stop_service
}

test_extremes() {
    new_data
    start_service MODEL=linear
    check_equal "targets of 5e-324 and 1e308" '201 {"seq": 1}' "$(answer /action -d '{"a":0,"target":5e-324}')"
    check_equal "1e308" '201 {"seq": 2}' "$(answer /action -d '{"a":1,"target":1e308}')"
    build >/dev/null
    predicts "5e-324" "a=0" 5e-324
    check_equal "1e308" 1e308 "$(answer "/predict?a=1" | sed -E 's/.*: (.*)}/\1/; s/e\+/e/')"
    stop_service
    new_data
    start_service MODEL=linear
    check_equal "features of 5e-324 and 1e308" 201 "$(status /action -d '{"a":5e-324,"target":1}')"
    check_equal "1e308" 201 "$(status /action -d '{"a":1e308,"target":2}')"
    build >/dev/null
    predicts "at 5e-324" "a=5e-324" 1
    predicts "at 1e308" "a=1e308" 2
    stop_service
}

# wide_event X Y: 500 features, of each value in turn
wide_event() {
    awk -v x="$1" -v y="$2" 'BEGIN {
        for (i = 0; i < 250; i++)
            printf("%s\"x%d\":%s,\"y%d\":%s", i ? "," : "{", i, x, i, y)
        print ",\"target\":1}" }'
}

test_what_sums_cannot_hold() {
    local code
    new_data
    start_service MODEL=linear
    code=$(wide_event 1e308 5e-324 | status /action --data-binary @-)
    code=$code,$(wide_event 5e-324 1e308 | status /action --data-binary @-)
    check_equal "500 features of 1e308 and 5e-324" 201,422 "$code"
    check_equal "that is said in one sentence" "" "$(error_faults)"
    check_equal "and nothing of it is stored" 1 "$(journal | wc -l)"
    check_equal "ordinary ones are taken" 201 "$(wide_event 1e308 5e-324 | status /action --data-binary @-)"
    check_equal "and learnt" '200 2' "$(build) $(model .rows)"
    stop_service
}

test_nist
test_same_bits
test_unix_seconds
test_one_rounding
test_extremes
test_what_sums_cannot_hold
check_report http/exact
