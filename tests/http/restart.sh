#!/usr/bin/env bash
# The same directory again: after a clean end, after kill -9, after a torn write, after damage.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

events() {
    wc -l <"$DATA/actions.jsonl" | tr -d ' '
}

test_clean_end() {
    new_data
    start_service
    learn_plane
    answer /action -d '{"_id":"x","a":1,"b":1,"target":7}' >/dev/null
    local before
    before=$(curl -s "$URL/model")
    stop_service
    check_equal "a clean end is no failure" 0 $?
    start_service
    check_equal "the model is there, to the byte" "$before" "$(curl -s "$URL/model")"
    check_equal "at once" 200 "$(status /readyz)"
    check_equal "ids are known" '200 {"seq": 5, "duplicate": true}' \
        "$(answer /action -d '{"_id":"x","a":1,"b":1,"target":7}')"
    check_equal "numbers go on" '201 {"seq": 6}' "$(answer /action -d '{"a":1,"b":1,"target":6}')"
    check_equal "and learning" '[1,6]' "$(model '[.version,.rows]')"
    stop_service
}

# answered COUNT: the client of test_kill_all has had that many answers
answered() {
    [ "$(wc -l <"$SCRATCH/answered")" -ge "$1" ]
}

# While a client posts one event after the other everything is killed: what was answered is there.
test_kill_all() {
    local client
    start_service
    (while curl -sf --max-time 5 -o /dev/null "$URL/action" -d '{"a":2,"b":2,"target":11}'; do
        echo answered
    done >"$SCRATCH/answered") &
    client=$!
    wait_until 10 answered 40
    kill_service
    wait "$client"
    local told stored
    told=$(wc -l <"$SCRATCH/answered")
    start_service
    stored=$(($(events) - 6))
    check_equal "kill -9 of everything: $told answered, $stored stored" yes \
        "$([ "$stored" -ge "$told" ] && [ "$stored" -le $((told + 1)) ] && echo yes)"
    check_equal "the numbers have no gap" true \
        "$(jq -s 'map(._seq) == [range(1; length + 1)]' "$DATA/actions.jsonl")"
    check_equal "the model has learnt them" "$(events)" "$(model .rows)"
    stop_service
}

test_torn() {
    local before
    before=$(events)
    tail -n 1 "$DATA/actions.jsonl" | head -c 40 >"$SCRATCH/torn"
    cat "$SCRATCH/torn" >>"$DATA/actions.jsonl"
    start_service
    check_equal "a torn last line is cut" "$before" "$(events)"
    check_contains "and the log says so" incomplete "$(cat "$LOG")"
    check_equal "numbers go on behind it" "201 {\"seq\": $((before + 1))}" \
        "$(answer /action -d '{"a":1,"b":1,"target":6}')"
    stop_service
    check_equal "all lines are whole" $((before + 1)) "$(jq -s length "$DATA/actions.jsonl")"
}

# damaged NAME LINE: a start says which line is damaged, and neither repairs nor loses anything
damaged() {
    local before said
    before=$(cksum <"$DATA/actions.jsonl")
    said=$(failed_start)
    check_equal "$1: the start stops" 1 "${said%%:*}"
    check_contains "$1: file and line are named" "actions.jsonl:$2:" "$said"
    check_equal "$1: the file is as it was" "$before" "$(cksum <"$DATA/actions.jsonl")"
    cp "$SCRATCH/good" "$DATA/actions.jsonl"
}

# Without the sums and ids that the service made of the journal it has to read all of it.
test_damage() {
    new_data
    start_service
    answer /action -d '{"a":1,"target":101}{"a":2,"target":102}{"a":3,"target":103}' >/dev/null
    answer /action -d '{"a":4,"target":104}' >/dev/null
    stop_service
    cp "$DATA/actions.jsonl" "$SCRATCH/good"
    rm -f "$DATA"/*.moments "$DATA"/ids*
    sed -i '2s/102/107/' "$DATA/actions.jsonl"
    damaged "a flipped digit" 2
    sed -i '4s/104/105/' "$DATA/actions.jsonl"
    damaged "a flipped digit in the last line" 4
    sed -i 2d "$DATA/actions.jsonl"
    damaged "a missing line" 2
    sed -i '3s/^/x/' "$DATA/actions.jsonl"
    damaged "a letter too many" 3
    printf 'hello\n' >"$DATA/actions.jsonl"
    damaged "a foreign file" 1
    start_service
    check_equal "the good one is read" '200 4' "$(build) $(model .rows)"
    stop_service
}

# What was made from the journal may be lost or damaged: it is made again.
test_derived_files() {
    local file wants
    new_data
    start_service
    learn_plane
    answer /action -d '{"_id":"x","a":5,"b":5,"target":27}' >/dev/null
    wants=$(model '[.rows,.intercept,.coefficients,.mse,.remainder]')
    stop_service
    for file in $(cd "$DATA" && find . -maxdepth 1 -type f ! -name actions.jsonl ! -name 'lock*'); do
        rm "$DATA/$file"
        start_service
        check_equal "$file lost" "$wants" "$(model '[.rows,.intercept,.coefficients,.mse,.remainder]')"
        stop_service
        echo garbage >"$DATA/$file"
        start_service
        check_equal "$file damaged" "$wants" "$(model '[.rows,.intercept,.coefficients,.mse,.remainder]')"
        check_equal "$file damaged: ids are known" 200 \
            "$(status /action -d '{"_id":"x","a":5,"b":5,"target":27}')"
        stop_service
    done
}

# The index of ids loses its inner pages: the service starts, and knows the ids from the journal again.
test_index_pages() {
    local n
    new_data
    start_service
    for n in {1..5000}; do printf '{"_id":"id-%d","a":%d,"target":1}\n' "$n" "$n"; done |
        answer /action -H 'Content-Type: application/x-ndjson' --data-binary @- >/dev/null
    check_equal "stored" 5000 "$(jq .accepted "$SCRATCH/body")"
    stop_service
    head -c "$(($(stat -c %s "$DATA/ids.mdb") - 8192))" /dev/zero |
        dd of="$DATA/ids.mdb" bs=4096 seek=2 conv=notrunc status=none
    start_service
    for n in 1 2500 5000; do
        check_equal "id-$n is known" "200 {\"seq\": $n, \"duplicate\": true}" \
            "$(answer /action -d "{\"_id\":\"id-$n\",\"a\":$n,\"target\":1}")"
    done
    stop_service
}

# A model that cannot follow its events, because a coefficient is no double, does not stop a start.
test_model_behind() {
    new_data
    start_service
    answer /action -d '{"a":0,"target":0}' >/dev/null
    build >/dev/null
    check_equal "no double" 201 "$(status /action -d '{"a":1e-200,"target":1e200}')"
    stop_service
    start_service
    check_equal "the model is there" '200 {"prediction": 0}' "$(answer '/predict?a=0')"
    check_equal "an event cures it" 201 "$(status /action -d '{"a":1,"target":1}')"
    check_equal "the model follows" 3 "$(model .events)"
    stop_service
}

# Nothing is acknowledged that goes to a file which has no name any more.
test_removed() {
    new_data
    start_service
    answer /action -d '{"a":1,"target":1}' >/dev/null
    mv "$DATA/actions.jsonl" "$SCRATCH/kept"
    cp "$SCRATCH/kept" "$DATA/actions.jsonl"
    rm "$SCRATCH/kept"
    refuses "a journal replaced under the service" 503 removed /action -d '{"a":2,"target":1}'
    stop_service
    start_service
    check_equal "the file put back" '201 {"seq": 2}' "$(answer /action -d '{"a":2,"target":1}')"
    stop_service
}

# As logrotate does it: no event goes where the next start does not look, and no number comes twice.
test_renamed() {
    local action
    new_data
    start_service
    answer /action -d '{"_id":"x","a":1,"target":1}' >/dev/null
    mv "$DATA/actions.jsonl" "$DATA/rotated.jsonl"
    refuses "a journal renamed under the service" 503 renamed /action -d '{"_id":"y","a":2,"target":1}'
    refuses "a build" 503 actions.jsonl /build -X POST
    action=$(pids_of action)
    kill -9 "$action"
    wait_until 10 is_gone "$action"
    refuses "after a restart of action" 503 "is missing" /action -d '{"_id":"x","a":1,"target":1}'
    check_equal "no new journal is begun" "" "$(ls "$DATA/actions.jsonl" 2>/dev/null)"
    stop_service
    check_contains "nor by a start" "1: actions.jsonl: is missing" "$(failed_start)"
    mv "$DATA/rotated.jsonl" "$DATA/actions.jsonl"
    start_service
    check_equal "the file put back: its id is known" '200 {"seq": 1, "duplicate": true}' \
        "$(answer /action -d '{"_id":"x","a":1,"target":1}')"
    check_equal "and numbers go on" '201 {"seq": 2}' "$(answer /action -d '{"_id":"y","a":2,"target":1}')"
    stop_service
}

# Cut to whole batches under the service, which dies: the next one knows that there were more.
test_cut_under_it() {
    local action
    new_data
    start_service
    answer /action -d '{"_id":"x","a":1,"target":1}' >/dev/null
    cp "$DATA/actions.jsonl" "$SCRATCH/one"
    answer /action -d '{"_id":"y","a":2,"target":1}' >/dev/null
    cp "$DATA/actions.jsonl" "$SCRATCH/two"
    truncate -s "$(stat -c %s "$SCRATCH/one")" "$DATA/actions.jsonl"
    refuses "a journal cut under the service" 503 "first 2 events" /action -d '{"_id":"y","a":2,"target":1}'
    action=$(pids_of action)
    kill -9 "$action"
    wait_until 10 is_gone "$action"
    refuses "after a restart of action" 503 "2 have been stored" /action -d '{"_id":"y","a":2,"target":1}'
    stop_service
    cp "$SCRATCH/two" "$DATA/actions.jsonl"
    start_service
    check_equal "restored: its id is known" '200 {"seq": 2, "duplicate": true}' \
        "$(answer /action -d '{"_id":"y","a":2,"target":1}')"
    stop_service
}

test_clean_end
test_kill_all
test_torn
test_damage
test_derived_files
test_model_behind
test_removed
test_renamed
test_cut_under_it
test_index_pages
check_report http/restart
