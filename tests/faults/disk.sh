#!/usr/bin/env bash
# A disk that fails in a running service: a clear 503 or 507, predictions go on, and once the cause is
# gone everything does, without a restart.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=faults.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/faults.bash"

events() {
    wc -l <"$DATA/actions.jsonl" | tr -d ' '
}

# rows_are COUNT: what the model has learnt; the model may be some moments late after a fault
rows_are() {
    [ "$(model .rows)" = "$1" ]
}

# recovers NAME: without the fault an event is stored under the next number and learnt, and a build works
recovers() {
    no_fault
    local next=$(($(events) + 1))
    check_equal "$1 is over: an event is stored" "201 {\"seq\": $next}" \
        "$(answer /action -d '{"a":1,"b":1,"target":6}')"
    wait_until 2 rows_are "$next"
    check_equal "$1 is over: all is learnt" "$next" "$(model .rows)"
    check_equal "$1 is over: a build" 200 "$(build)"
}

# write_fails NAME STATUS TEXT CALL FAULT PLACE: while the call fails in action no event is stored
write_fails() {
    local name="$4 of $6 fails ($1)" before
    before=$(events)
    fault action "$4" "$5" "$6" 0 0
    refuses "$name: an event" "$2" "$3" /action -d '{"a":1,"b":1,"target":6}'
    refuses "$name: again" "$2" '' /action -d '[{"_id":"i","a":1,"b":1,"target":6}]'
    check_equal "$name: predictions" '200 {"prediction": 321}' "$(answer "/predict?a=10&b=100")"
    check_equal "$name: what others would take for stored" "$before" "$(whole_batches)"
    recovers "$name"
}

# whole_batches: events in the journal up to the last complete batch
whole_batches() {
    awk '/"_batch":/ { n = NR } END { print n + 0 }' "$DATA/actions.jsonl"
}

test_journal() {
    write_fails EIO 503 'cannot sync actions.jsonl' fdatasync EIO actions.jsonl
    write_fails EIO 503 'cannot write actions.jsonl' pwrite EIO actions.jsonl
    write_fails ENOSPC 507 'cannot write actions.jsonl' pwrite ENOSPC actions.jsonl
    write_fails EROFS 507 'cannot write actions.jsonl' pwrite EROFS actions.jsonl
    write_fails ENOSPC 507 'cannot sync actions.jsonl' fdatasync ENOSPC actions.jsonl
    write_fails EIO 503 'free space' statvfs EIO "$DATA"
}

# After a failed sync nobody knows what the disk holds: while the batch can be neither synced nor cut
# off, another service must not take it for stored.
test_failed_cut() {
    local first_url=$URL before
    before=$(events)
    local first=$SERVICE control=$CONTROL
    start_service # the other one, without faults
    local second_url=$URL second=$SERVICE
    CONTROL=$control SERVICE=$first URL=$first_url
    fault action fdatasync EIO actions.jsonl 0 0 action ftruncate EIO actions.jsonl 0 0
    refuses "neither synced nor cut: an event" 503 'cannot sync' /action -d '{"_id":"cut","a":1,"b":1,"target":6}'
    URL=$second_url refuses "neither synced nor cut: an event at another service" 503 'lock' \
        /action -d '{"a":1,"b":1,"target":6}'
    check_equal "neither synced nor cut: predictions there" '200 {"prediction": 321}' \
        "$(URL=$second_url answer "/predict?a=10&b=100")"
    no_fault
    wait_until 3 can_write "$second_url"
    check_equal "with the disk back the other one writes" "201 {\"seq\": $((before + 2))}" \
        "$(URL=$second_url answer /action -d '{"_id":"cut","a":1,"b":1,"target":6}')"
    check_equal "and both know it" "200 {\"seq\": $((before + 2)), \"duplicate\": true}" \
        "$(answer /action -d '{"_id":"cut","a":1,"b":1,"target":6}')"
    stop_service "$second"
}

# can_write URL: an event is stored there, which takes the next number
can_write() {
    [ "$(URL=$1 status /action -d '{"_id":"can-write","a":1,"b":1,"target":6}')" -le 201 ]
}

# An event is stored although the model cannot be written; that comes later by itself.
test_model() {
    local what before
    for what in "rename EIO model.json" "write ENOSPC .model.json.tmp" "open EMFILE .model.json.tmp"; do
        before=$(events)
        read -r call error place <<<"$what"
        fault action "$call" "$error" "$place" 0 0
        check_equal "$what: an event is stored all the same" "201 {\"seq\": $((before + 1))}" \
            "$(answer /action -d '{"a":1,"b":1,"target":6}')"
        check_equal "$what: predictions go on" '200 {"prediction": 321}' "$(answer "/predict?a=10&b=100")"
        no_fault
        wait_until 3 rows_are $((before + 1))
        check_equal "$what is over: the model comes by itself" $((before + 1)) "$(model .rows)"
    done
}

# build_fails STATUS CALL FAULT PLACE: a build fails, and the last model stays
build_fails() {
    local name="$2 of $4 fails ($3)" before
    before=$(model .version)
    status /action -d '{"a":1,"b":1,"target":6}' >/dev/null # for the build to read
    fault build "$2" "$3" "$4" 0 0
    refuses "$name: a build" "$1" '' /build -X POST
    check_equal "$name: the model stays" "$before" "$(model .version)"
    check_equal "$name: predictions" '200 {"prediction": 321}' "$(answer "/predict?a=10&b=100")"
    check_equal "$name: events" 201 "$(status /action -d '{"a":1,"b":1,"target":6}')"
    recovers "$name"
}

test_build() {
    build_fails 503 fsync EIO tmp
    build_fails 507 write ENOSPC .tmp
    build_fails 507 open EROFS .tmp
    build_fails 503 rename EIO model.json
    build_fails 503 pread EIO actions.jsonl
}

# What only makes the next start faster may fail.
test_snapshot() {
    local many
    many=$(awk 'BEGIN { for (i = 0; i < 5000; i++)
        printf "{\"a\":%d,\"b\":%d,\"target\":%d}\n", i % 11, i % 101, 1 + 2 * (i % 11) + 3 * (i % 101) }')
    fault action pwrite ENOSPC ids.mdb 0 0
    status /action -d '{"_id":"late","a":1,"b":1,"target":6}' >/dev/null
    check_equal "ids that cannot be written: many events" 200 "$(status /action --data-binary @- <<<"$many")"
    fault action rename EIO events.moments 0 0
    check_equal "sums that cannot be written: many events" 200 "$(status /action --data-binary @- <<<"$many")"
    no_fault
    check_equal "ids are known all the same" 200 "$(status /action -d '{"_id":"late","a":1,"b":1,"target":6}')"
}

# What is stored cannot be read: that is said, and a duplicate is no new event.
test_unreadable() {
    local before
    before=$(events)
    fault action pread EIO actions.jsonl 0 0
    refuses "a stored event cannot be read" 503 'cannot read actions.jsonl' \
        /action -d '{"_id":"late","a":1,"b":1,"target":6}'
    check_equal "nothing is stored twice" "$before" "$(events)"
    recovers "an unreadable journal"
    fault predict open EIO model.json 0 0
    check_equal "a model that cannot be opened: the last one serves" '200 {"prediction": 321}' \
        "$(status /action -d '{"a":1,"b":1,"target":6}' >/dev/null; answer "/predict?a=10&b=100")"
    fault predict read EIO model.json 0 0
    status /action -d '{"a":1,"b":1,"target":6}' >/dev/null
    answer "/predict?a=10&b=100" >/dev/null
    check_contains "a model that cannot be read: no other number" "$(header_status)" "200 503"
    recovers "an unreadable model"
    check_equal "and serves" '200 {"prediction": 321}' "$(answer "/predict?a=10&b=100")"
}

# A real volume that fills up, and has room again.
test_full_volume() {
    local n last=200
    new_data
    mount -t tmpfs -o size=4m tmpfs "$DATA" 2>/dev/null || {
        echo "full volume: skipped, mounting is not allowed"
        return
    }
    on_exit "umount -l '$DATA'"
    start_service MIN_FREE=0
    learn_plane
    begin_load full 8 2 1
    head -c 3m /dev/zero >"$DATA/filler" 2>/dev/null
    wait_until 60 grep -q '^action 507 ' "$SCRATCH/failures"
    end_load
    echo "full volume: $(cat "$SCRATCH/load")"
    check_equal "a full volume refuses with 507, and nothing else fails" "" \
        "$(grep -v ' 507 ' "$SCRATCH/failures" | head -n 3)"
    last=$(awk 'BEGIN { printf "["; while (i++ < 4000) printf("%s{\"a\":%d.25,\"b\":1,\"target\":5}",
        i > 1 ? "," : "", i) ; print "]" }' | status /action --data-binary @-)
    check_equal "many events more" 507 "$last"
    check_equal "predictions go on" 200 "$(status "/predict?a=1&b=2")"
    check_equal "the model says how" 200 "$(status /model)"
    rm "$DATA/filler"
    n=$(events)
    check_equal "with room again an event is stored" "201 {\"seq\": $((n + 1))}" \
        "$(answer /action -d '{"a":1,"b":1,"target":6}')"
    check_equal "and a model built" "200 $((n + 1))" "$(build) $(model .rows)"
    check_journal "a full volume"
    stop_service
    check_replay "a full volume"
}

new_data
start_with_faults
learn_plane
answer /action -d '{"_id":"first","a":1,"b":1,"target":6}' >/dev/null
test_journal
test_failed_cut
test_model
test_build
test_snapshot
test_unreadable
stop_service
check_replay "after all faults"
test_full_volume
check_report faults/disk
