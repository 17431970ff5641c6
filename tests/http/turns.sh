#!/usr/bin/env bash
# Much work at once: it takes little memory, and nobody else waits for it. What is compared is how many
# others are served while it lasts, never a time.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

ndjson='Content-Type: application/x-ndjson'
tsv='Content-Type: text/tab-separated-values'
ROWS=1000000
if is_sanitized; then ROWS=200000; fi

# table ROWS: a and b, of which the prediction is 2a + 3b + 1
table() {
    awk -v n="$1" 'BEGIN { print "a\tb"; for (i = 0; i < n; i++) print i % 10 "\t1" }'
}

# objects ROWS: the same as NDJSON
objects() {
    awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) printf "{\"a\":%d,\"b\":1}\n", i % 10 }'
}

# peak NAME: the most kB that any process of that name has had
peak() {
    local pid
    for pid in $(pids_of "$1"); do
        awk '/^VmHWM:/ { print $2 }' "/proc/$pid/status"
    done | sort -n | tail -n 1
}

# send FILE PATH [CURL-ARGUMENT...]: in the background; its status goes to FILE
send() {
    local file=$1 path=$2
    shift 2
    any_sent || SENT=()
    curl -sg --max-time 300 -o "$file.body" -w '%{http_code}' "$@" "$URL$path" >"$file" &
    SENT+=($!)
}

any_sent() {
    local pid
    for pid in "${SENT[@]}"; do is_alive "$pid" && return; done
    return 1
}

# beside PATH [CURL-ARGUMENT...]: how many such requests were answered well while what was sent lasted
beside() {
    local served=0
    while any_sent; do
        [[ $(curl -sg --max-time 120 -o "$SCRATCH/beside" -w '%{http_code}' "${@:2}" "$URL$1") == 20[01] ]] &&
            served=$((served + 1))
    done
    echo "$served"
}

at_least() {
    check_equal "$1: $3 of others were served" yes "$([ "$3" -ge "$2" ] && echo yes)"
}

test_memory() {
    local before after
    new_data
    start_service
    learn_plane
    answer "/predict?a=1&b=1" >/dev/null
    before=$(peak predict)
    table "$ROWS" >"$SCRATCH/rows.tsv"
    objects "$ROWS" >"$SCRATCH/rows.ndjson"
    check_equal "a long table" 200 "$(status /predict -H "$tsv" --data-binary "@$SCRATCH/rows.tsv")"
    check_equal "has a line for each row" "$ROWS $((ROWS * 13))" \
        "$(awk '{ sum += $1 } END { printf "%d %d", NR, sum }' "$SCRATCH/body")"
    check_equal "in the order of the rows" "4 6 8 10 12 14 16 18 20 22" \
        "$(tail -n 10 "$SCRATCH/body" | tr '\n' ' ' | sed 's/ $//')"
    check_equal "a long table with intervals" 200 \
        "$(status "/predict?_interval=0.9" -H "$tsv" --data-binary "@$SCRATCH/rows.tsv")"
    check_equal "has three columns in each line" "$ROWS" "$(awk -F'\t' 'NF == 3 && $2 <= $1 && $1 <= $3' "$SCRATCH/body" |
        wc -l | tr -d ' ')"
    check_equal "long NDJSON" 200 "$(status /predict -H "$ndjson" --data-binary "@$SCRATCH/rows.ndjson")"
    check_equal "has a list" "[\"predictions\"] $ROWS [4,6,8] 22" \
        "$(jq -r '"\(keys_unsorted) \(.predictions | length) \(.predictions[:3]) \(.predictions[-1])"' "$SCRATCH/body")"
    after=$(peak predict)
    is_sanitized || check_equal "a process grows by less than 8 MB ($before kB, then $after kB)" yes \
        "$([ $((after - before)) -lt 8192 ] && echo yes)"
    check_equal "nothing of it is left in the directory" "" "$(find "$DATA" -name '.answers*')"
    stop_service
}

# All lists, long ones: of some rows the level is unknown, and they lie beyond what was learnt.
test_lists() {
    new_data
    start_service UNSEEN=base
    awk 'BEGIN { srand(1); for (i = 0; i < 400; i++) { x = 4 * rand() - 2
        printf "{\"c\":\"%s\",\"x\":%.4f,\"target\":%.4f}\n", i % 2 ? "u" : "v", x, sin(2 * x) } }' >"$SCRATCH/events"
    status /action -H "$ndjson" --data-binary "@$SCRATCH/events" >/dev/null
    build >/dev/null
    awk -v n="$ROWS" 'BEGIN { for (i = 0; i < n / 4; i++)
        print "{\"c\":\"u\",\"x\":0.5}{\"c\":\"w\",\"x\":1}{\"c\":\"v\",\"x\":1e9}{\"c\":\"u\",\"x\":0}" }' >"$SCRATCH/rows"
    check_equal "rows of all kinds" 200 \
        "$(status "/predict?_interval=0.5" -H "$ndjson" --data-binary "@$SCRATCH/rows")"
    check_equal "the lists" '["predictions","intervals","unseen","extrapolating","clipped"]' \
        "$(jq -c keys_unsorted "$SCRATCH/body")"
    check_equal "as long as they should be, and with what should be in them" "true $ROWS $ROWS 0 0" "$(jq -r '
        (.predictions | length) as $n | "\(.unseen == [range(1; $n; 4)] and .extrapolating == [range(2; $n; 4)]
            and .clipped == [range(2; $n; 4)]) \($n) \(.intervals | length) \([range(0; $n; 4) as $i |
            select(.predictions[$i] != .predictions[0])] | length) \([range($n) as $i |
            select(.intervals[$i][0] > .predictions[$i] or .intervals[$i][1] < .predictions[$i])] | length)"' "$SCRATCH/body")"
    stop_service
}

# A row that will not do refuses the body, however late it comes, and is named.
test_refused() {
    local index=$((ROWS - 1))
    new_data
    start_service
    learn_plane
    { table "$((ROWS - 1))" && printf 'x\t1\n'; } >"$SCRATCH/rows"
    refuses "the last row of a table" 422 "body:$((ROWS + 1)): column a" /predict -H "$tsv" --data-binary "@$SCRATCH/rows"
    { objects "$index" && echo '{"a":1}'; } >"$SCRATCH/rows"
    refuses "the last row of NDJSON" 422 "at index $index: missing feature \"b\"" \
        /predict -H "$ndjson" --data-binary "@$SCRATCH/rows"
    { echo '{"a":1}' && objects "$ROWS"; } >"$SCRATCH/rows"
    refuses "the first row of NDJSON" 422 'missing feature "b"' /predict -H "$ndjson" --data-binary "@$SCRATCH/rows"
    check_equal "the next request" '200 {"prediction": 6}' "$(answer "/predict?a=1&b=1")"
    stop_service
}

test_predictions() {
    local path n
    new_data
    start_service
    learn_plane
    table "$ROWS" >"$SCRATCH/rows.tsv"
    objects "$ROWS" >"$SCRATCH/rows.ndjson"
    # the first row will not do; the whole body has to be passed over
    { printf 'a\tb\nx\ty\n' && tail -n +2 "$SCRATCH/rows.tsv"; } >"$SCRATCH/bad.tsv"
    { printf '{"a":1,"b":1}' && head -c $((12 << 20)) /dev/zero | tr '\0' ' '; } >"$SCRATCH/blank"
    for path in "/predict?a=1&b=1" /readyz /model; do
        for n in 1 2 3 4; do send "$SCRATCH/sent$n" /predict -H "$tsv" --data-binary "@$SCRATCH/rows.tsv"; done
        at_least "four long tables, beside them $path" 8 "$(beside "$path")"
        check_equal "they are answered too" 200200200200 "$(cat "$SCRATCH"/sent[1-4])"
    done
    for n in 1 2 3 4; do send "$SCRATCH/sent$n" /predict -H "$ndjson" --data-binary "@$SCRATCH/rows.ndjson"; done
    at_least "long NDJSON, beside it a short body" 8 "$(beside /predict -d '{"a":1,"b":1}')"
    check_equal "that of the last one" '{"prediction": 6}' "$(cat "$SCRATCH/beside")"
    for n in {1..4}; do
        send "$SCRATCH/sent$n" /predict -H "$tsv" --data-binary "@$SCRATCH/bad.tsv"
        send "$SCRATCH/blank$n" /predict --data-binary "@$SCRATCH/blank"
        send "$SCRATCH/ignored$n" /build --data-binary "@$SCRATCH/blank"
    done
    at_least "bodies that are passed over" 1 "$(beside "/predict?a=1&b=1")"
    check_equal "those whose first row will not do" 422422422422 "$(cat "$SCRATCH"/sent[1-4])"
    check_equal "white space behind a row" '{"prediction": 6}' "$(cat "$SCRATCH/blank4.body")"
    check_equal "builds, of which it is ignored" 200200200200 "$(cat "$SCRATCH"/ignored[1-4])"
    stop_service
}

# A client that does not take its answer.
test_slow_client() {
    local n
    new_data
    start_service
    learn_plane
    table "$ROWS" >"$SCRATCH/rows.tsv"
    for n in {1..8}; do
        send "$SCRATCH/slow$n" /predict -H "$tsv" --limit-rate 1k --data-binary "@$SCRATCH/rows.tsv" -N
    done
    check_equal "others beside slow clients" 200200200 \
        "$(for n in 1 2 3; do printf %s "$(status /predict -H "$tsv" --data-binary "@$SCRATCH/rows.tsv")"; done)"
    check_equal "which are still there" yes "$(any_sent && echo yes)"
    kill "${SENT[@]}"
    stop_service
}

# events COUNT SEED: of six features with 83 levels each, 498 columns
events() {
    awk -v n="$1" -v seed="$2" 'BEGIN { srand(seed); for (i = 0; i < n; i++) { for (j = 0; j < 6; j++)
        printf "%s\"f%d\":\"v%d\"", j ? "," : "{", j, int(rand() * 83); printf ",\"target\":%.4f}\n", rand() } }'
}

test_wide_events() {
    local one
    new_data
    start_service
    events 2000 1 >"$SCRATCH/first"
    check_equal "events of many columns" 200 "$(status /action -H "$ndjson" --data-binary "@$SCRATCH/first")"
    build >/dev/null
    one=$(events 1 2)
    is_sanitized && ROWS=1000 || ROWS=6000
    events "$ROWS" 3 >"$SCRATCH/events"
    send "$SCRATCH/sent1" /action -H "$ndjson" --data-binary "@$SCRATCH/events"
    at_least "beside them single events" 8 "$(beside /action -d "$one")"
    check_equal "they were all taken" "200 $ROWS 0" \
        "$(cat "$SCRATCH/sent1") $(jq -r '"\(.accepted) \(.rejected)"' "$SCRATCH/sent1.body")"
    stop_service
}

# The volume has no room for a long answer, or cannot be written: short ones are given.
test_no_room() {
    local source
    new_data
    start_service
    learn_plane
    stop_service
    start_service MIN_FREE=1000t
    table 100000 >"$SCRATCH/rows"
    table 1000 >"$SCRATCH/few"
    refuses "a long answer without room" 507 MIN_FREE /predict -H "$tsv" --data-binary "@$SCRATCH/rows"
    check_equal "a short one" 200 "$(status /predict -H "$tsv" --data-binary "@$SCRATCH/few")"
    stop_service
    source=$DATA
    new_data
    mount --bind "$source" "$DATA" 2>/dev/null || {
        echo "read-only volume: skipped, mounting is not allowed"
        return
    }
    on_exit "umount -l '$DATA'"
    mount -o remount,bind,ro "$DATA"
    start_service
    check_equal "a longer answer on a volume that cannot be written" 200 \
        "$(status /predict -H "$tsv" --data-binary "@$SCRATCH/rows")"
    check_equal "is whole" 100000 "$(wc -l <"$SCRATCH/body" | tr -d ' ')"
    table 1000000 >"$SCRATCH/rows"
    refuses "a too long one" 413 "fewer rows" /predict -H "$tsv" --data-binary "@$SCRATCH/rows"
    stop_service
}

SENT=()
test_memory
test_lists
test_refused
test_predictions
test_slow_client
test_wide_events
test_no_room
check_report http/turns
