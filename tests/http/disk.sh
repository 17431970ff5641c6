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
    check_equal "that is said in one sentence" "" "$(error_faults)"
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

test_min_free
test_full
test_read_only
test_damaged_model
check_report http/disk
