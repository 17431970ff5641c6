#!/usr/bin/env bash
# Somebody holds a table, as an analyst's LOCK TABLE does: who writes is told so after 2 s, whoever
# else of the same replica waits for the database or for the directory's lock.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=postgres.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/postgres.bash"

CLIENTS=4 # the first one builds
REQUESTS=3
TABLES="trendline_writers trendline_rows trendline_ids trendline_models trendline_train trendline_meta"

# lock_table NAME: until unlock_table
lock_table() {
    exec 9> >(psql -XAtq "$URI" >/dev/null 2>&1)
    echo "BEGIN; LOCK TABLE $1 IN ACCESS EXCLUSIVE MODE;" >&9
    is_locked() { [ "$(sql "SELECT count(*) FROM pg_locks WHERE relation = '$1'::regclass AND mode = 'AccessExclusiveLock' AND granted")" = 1 ]; }
    wait_until 10 is_locked "$1"
}

unlock_table() {
    exec 9>&-
    goes_on() { [ "$(status /action -d '{"a":1,"target":2}')" = 201 ]; }
    check_equal "$1: it goes on" yes "$(wait_until 10 goes_on && echo yes)"
}

waiting() {
    sql "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'trendline' AND wait_event_type = 'Lock'"
}

# follow waits for the table, and nobody for follow.
test_follow() {
    local i held=0 seen=0
    lock_table trendline_writers
    for ((i = 0; i < 200 && seen < 20; i++)); do
        flock -n "$DATA/lock" true || held=$((held + 1))
        [ "$(waiting)" = 0 ] || seen=$((seen + 1))
    done
    check_equal "follow waits" 20 "$seen"
    check_equal "and does not hold the directory's lock meanwhile" 0 "$held"
    unlock_table trendline_writers
}

# too_long: the answers that were not there after 2 s, and some more for a busy machine
too_long() {
    awk '$1 >= 2.7 { print } END { if (NR == 0) print "none at all" }' "$SCRATCH"/time.*
}

# ask NUMBER PATH [CURL-ARGUMENT...]
ask() {
    local number=$1 path=$2
    shift 2
    curl -s -o /dev/null --max-time 30 -w '%{time_total} %{http_code}\n' "$@" "$URL$path" >"$SCRATCH/time.$number"
}

# client NUMBER TABLE: one request after the other
client() {
    local i
    for ((i = 0; i < REQUESTS; i++)); do
        if [ "$1" = 0 ]; then
            ask "$1.$i" /build -X POST
        else
            ask "$1.$i" /action -d "{\"_id\":\"$2 $1 $i\",\"a\":1,\"target\":2}"
        fi
    done
}

# Two waits, one after the other, would be 3 s.
test_requests() {
    local i pids=()
    rm -f "$SCRATCH"/time.*
    lock_table "$1"
    for ((i = 0; i < CLIENTS; i++)); do
        client "$i" "$1" &
        pids+=($!)
    done
    wait "${pids[@]}"
    check_equal "$1: answers that took too long" "" "$(too_long)"
    unlock_table "$1"
}

# What was waited for the directory's lock is not waited for the database once more.
test_both() {
    rm -f "$SCRATCH"/time.*
    lock_table trendline_rows
    flock "$DATA/lock" sleep 1.6 & # another service on the directory is so slow
    is_taken() { ! flock -n "$DATA/lock" true; }
    wait_until 10 is_taken
    ask 0 /action -d '{"a":1,"target":2}'
    check_equal "one wait after the other" "" "$(too_long)"
    unlock_table trendline_rows
}

# Somebody reads old versions to change them: a build is done all the same, and the next one prunes.
test_prune() {
    new_data
    start_service "POSTGRES_URI=$URI" KEEP_VERSIONS=1
    build >/dev/null
    exec 9> >(psql -XAtq "$URI" >/dev/null 2>&1)
    echo "BEGIN; SELECT version FROM trendline_models FOR UPDATE;" >&9
    is_read() { [ "$(sql "SELECT count(*) FROM pg_locks WHERE relation = 'trendline_models'::regclass AND mode = 'RowShareLock'")" = 1 ]; }
    wait_until 10 is_read
    check_equal "a build whose forerunner is held" 200 "$(status /build -X POST)"
    check_contains "the log tells of the versions" "old versions are kept for now" "$(cat "$LOG")"
    check_equal "both are there" 2 "$(sql 'SELECT count(*) FROM trendline_models')"
    exec 9>&-
    builds() { [ "$(status /build -X POST)" = 200 ]; }
    wait_until 10 builds
    is_pruned() { [ "$(sql 'SELECT count(*) FROM trendline_models')" = 1 ]; }
    check_equal "the next build prunes" yes "$(wait_until 10 is_pruned && echo yes)"
    stop_service
}

start_postgres
new_data
start_service "POSTGRES_URI=$URI"
for i in 1 2 3; do status /action -d "{\"a\":$i,\"target\":2}" >/dev/null; done
check_equal "a build" 200 "$(build)"
test_follow
for table in $TABLES; do test_requests "$table"; done
test_both
stop_service
test_prune
check_report postgres/waits
