#!/usr/bin/env bash
# A volume that is nearly full, full, or cannot be written: writing is refused, reading goes on, and
# nothing that was answered is lost.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

test_min_free() {
    new_data
    start_service
    learn_plane
    stop_service
    start_service MIN_FREE=1000t
    check_equal "too little room: reading goes on" '200 {"prediction": 321}' "$(answer "/predict?a=10&b=100")"
    refuses "an event" 507 '' /action -d '{"a":1,"b":1,"target":6}'
    refuses "events in bulk" 507 '' /action -d '[{"a":1,"b":1,"target":6}]'
    refuses "a build" 507 '' /build -X POST
    check_equal "nothing is stored" 4 "$(wc -l <"$DATA/actions.jsonl" | tr -d ' ')"
    check_equal "nothing is built" 1 "$(model .version)"
    stop_service
}

# mount_data ARGUMENT...: a volume of its own at DATA; status 1 where we may not
mount_data() {
    new_data
    mount "$@" "$DATA" 2>/dev/null || return
    on_exit "umount -l '$DATA'"
}

# Events go in until the volume is full.
test_full() {
    local n accepted=0 code last
    mount_data -t tmpfs -o size=2m tmpfs || {
        echo "full volume: skipped, mounting is not allowed"
        return
    }
    start_service MIN_FREE=0
    learn_plane
    for n in {1..400}; do
        code=$(awk -v n="$n" 'BEGIN { printf "["; while (i++ < 100)
            printf("%s{\"a\":%d.25,\"b\":%d.5,\"target\":%d}", i > 1 ? "," : "", n, i, 2 * n + 3 * i) ; print "]" }' |
            status /action --data-binary @-)
        [ "$code" = 200 ] || break
        accepted=$((accepted + 100))
    done
    last=$code
    check_equal "a full volume" 507 "$last"
    check_contains "that is said" "free space" "$(jq -r .error "$SCRATCH/body")"
    accepted=$((accepted + $(jq '.accepted // 0' "$SCRATCH/body"))) # what came before there was no room
    check_equal "reading goes on" 200 "$(status "/predict?a=1&b=2")"
    check_equal "$accepted events were answered and are there" $((accepted + 4)) \
        "$(jq -s length "$DATA/actions.jsonl")"
    kill_service
    mount -o remount,size=200m "$DATA"
    start_service
    check_equal "with room again writing goes on" "201 {\"seq\": $((accepted + 5))}" \
        "$(answer /action -d '{"a":1,"b":1,"target":6}')"
    check_equal "and all is learnt" "200 $((accepted + 5))" "$(build) $(model .rows)"
    stop_service
}

test_read_only() {
    local source
    new_data
    start_service
    learn_plane
    stop_service
    source=$DATA
    mount_data --bind "$source" || {
        echo "read-only volume: skipped, mounting is not allowed"
        return
    }
    mount -o remount,bind,ro "$DATA"
    start_service
    check_equal "a read-only volume: predictions" '200 {"prediction": 321}' "$(answer "/predict?a=10&b=100")"
    check_equal "the model" 4 "$(model .rows)"
    refuses "an event" 507 '' /action -d '{"a":1,"b":1,"target":6}'
    refuses "a build" 507 '' /build -X POST
    stop_service
    mount_data -t tmpfs -o ro tmpfs
    check_contains "a read-only volume without a model" "$DATA" "$(failed_start)"
}

# without_model: what the last answer lacks to be the last good prediction, or a 503
without_model() {
    case $(header_status) in
    200) grep -v '^{"prediction": 321}$' "$SCRATCH/body" ;;
    503) error_faults ;;
    *) header_status ;;
    esac
}

# lost FILE...: gone from a full volume. What is in the journal cannot be made again of it for want of
# room; predictions go on, and everything else once there is room.
lost() {
    mount_data -t tmpfs -o size=24m tmpfs || {
        echo "full volume without $*: skipped, mounting is not allowed"
        return
    }
    start_service MIN_FREE=0
    awk 'BEGIN { for (i = 0; i < 1200; i++) printf("{\"_id\":\"e%d\",\"a\":%d,\"b\":%d,\"target\":%d}\n",
        i, i % 200, i % 7, 2 * (i % 200) + 3 * (i % 7) + 1) }' >"$SCRATCH/plane"
    status /action -H 'Content-Type: application/x-ndjson' --data-binary "@$SCRATCH/plane" >/dev/null
    check_equal "a build" 200 "$(build)"
    stop_service
    (cd "$DATA" && rm "$@")
    dd if=/dev/zero of="$DATA/filler" bs=4k status=none 2>/dev/null
    start_service MIN_FREE=0
    check_equal "full, without $*: predictions" '200 {"prediction": 39}' "$(answer '/predict?a=10&b=6')"
    refuses "full, without $*: an event" 507 '' /action -d '{"a":1,"b":1,"target":6}'
    refuses "full, without $*: a build" 507 '' /build -X POST
    rm "$DATA/filler"
    check_equal "with room again: an event" '201 {"seq": 1201}' "$(answer /action -d '{"a":1,"b":1,"target":6}')"
    check_equal "an id is known" '200 {"seq": 4, "duplicate": true}' \
        "$(answer /action -d '{"_id":"e3","a":3,"b":3,"target":16}')"
    check_equal "a build has all" "200 1201" "$(build) $(model .rows)"
    stop_service
}

test_lost_files() {
    lost ids.mdb
    lost events.moments
    lost terms.json
    lost model.json
    lost ids.mdb events.moments terms.json model.json
}

# Without a version that can be read there is still all that it was made from.
test_damaged_version() {
    new_data
    start_service
    learn_plane
    stop_service
    rm "$DATA/model.json"
    echo garbage >"$DATA/models/000001.json"
    start_service
    check_equal "a damaged version, and no model.json" '200 {"prediction": 321}' "$(answer "/predict?a=10&b=100")"
    check_equal "the next one is built" 2 "$(model .version)"
    check_contains "which is said" "models/000001.json: " "$(cat "$LOG")"
    stop_service
}

test_damaged_model() {
    new_data
    start_service
    learn_plane
    printf '{"version": 1' >"$DATA/model.json"
    answer "/predict?a=10&b=100" >/dev/null
    check_equal "a damaged model.json is not served" "" "$(without_model)"
    build >/dev/null
    check_equal "a build mends it" '200 {"prediction": 321}' "$(answer "/predict?a=10&b=100")"
    stop_service
}

# store_until_full NAME: 201s, each with its model, then nothing but 507
store_until_full() {
    local n code seq accepted=4
    for n in {1..400}; do
        code=$(status /action -d "{\"a\":$n,\"b\":1,\"target\":$((2 * n + 4)),\"_id\":\"$1 $n $(printf 'x%.0s' {1..100})\"}")
        [ "$code" = 201 ] || break
        accepted=$((accepted + 1))
        seq=$(jq .seq "$SCRATCH/body")
        status "/predict?a=1&b=1" >/dev/null
        [ "$(header X-Model-Events)" = "$seq" ] || check_fail "$1: event $n" "that it is learnt" "$(header X-Model-Events)"
    done
    check_equal "$1: full" "507 " "$code $(error_faults)"
    check_equal "$1: nobody has died" "$2" "$(pids_of action | tr '\n' ' ')"
    check_equal "$1: reading goes on" 200 "$(status "/predict?a=1&b=2")"
    check_equal "$1: $accepted events are there" "$accepted" "$(jq -s length "$DATA/actions.jsonl")"
}

# A file may not become larger than the limit (ulimit -f): its signal must end nobody.
test_file_size() {
    local action
    new_data
    start_service MIN_FREE=0 prlimit --fsize=$((64 << 10))
    learn_plane
    action=$(pids_of action | tr '\n' ' ')
    store_until_full "a limit on files" "$action"
    answer /action -d "{\"a\":1,\"b\":1,\"target\":6,\"_id\":\"$(printf 'x%.0s' {1..200})\"}" >/dev/null
    # by whoever finds out first: the check before the write, or the write
    check_equal "the reason is named" 1 "$(jq -r .error "$SCRATCH/body" | grep -c 'ulimit -f\|File too large')"
    stop_service
    start_service
    check_equal "without it writing goes on" 201 "$(status /action -d '{"a":1,"b":1,"target":6}')"
    stop_service
}

# Space there is, but none for another file.
test_inodes() {
    local action
    mount_data -t tmpfs -o size=20m,nr_inodes=24 tmpfs || return
    start_service MIN_FREE=0
    learn_plane
    action=$(pids_of action | tr '\n' ' ')
    check_equal "an event" 201 "$(status /action -d '{"a":5,"b":1,"target":14}')"
    touch "$DATA"/filler.{1..24} 2>/dev/null
    refuses "no inodes left" 507 inodes /action -d '{"a":1,"b":1,"target":6}'
    refuses "nor for a build" 507 '' /build -X POST
    check_equal "reading goes on" 200 "$(status "/predict?a=1&b=2")"
    check_equal "nobody has died" "$action" "$(pids_of action | tr '\n' ' ')"
    rm "$DATA"/filler.*
    check_equal "then it goes on" '201 {"seq": 6}' "$(answer /action -d '{"a":1,"b":1,"target":6}')"
    check_equal "and is learnt" 6 "$(model .events)"
    stop_service
}

test_min_free
test_full
test_file_size
test_inodes
test_read_only
test_damaged_model
test_lost_files
test_damaged_version
check_report http/disk
