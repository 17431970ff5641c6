#!/usr/bin/env bash
# PostgreSQL in trouble: predictions never stop, writes are 503 and count once when they are sent
# again with their `_id`, and everything goes on by itself.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=postgres.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/postgres.bash"

number=0

# send: the next event, until it is acknowledged; the statuses on the way, each once
send() {
    local tries status seen=
    number=$((number + 1))
    for ((tries = 0; tries < 100; tries++)); do
        status=$(status /action -d "{\"_id\":\"f$number\",\"a\":$number,\"target\":$((2 * number))}")
        case " $seen " in *" $status "*) ;; *) seen="$seen $status" ;; esac
        case $status in 200 | 201) break ;; esac
        sleep 0.1
    done
    echo "$seen"
}

is_writing() {
    [ "$(status /action -d '{"_id":"f1","a":1,"target":2}')" = 200 ]
}

# away NAME: what holds while the database cannot be reached
away() {
    # while one process waits for the database, another may wait for that one's lock
    refuses "$1: a write" 503 "" /action -d '{"_id":"away","a":3,"target":6}'
    refuses "$1: a build" 503 "" /build -X POST
    check_equal "$1: a prediction" '200 {"prediction": 10}' "$(answer '/predict?a=5')"
}

# back NAME: it goes on by itself
back() {
    check_equal "$1: it goes on by itself" yes "$(wait_until 10 is_writing && echo yes)"
}

counted_once() {
    check_equal "$1: each event once" "$number|$number" \
        "$(sql "SELECT count(*), count(DISTINCT id) FROM trendline_rows WHERE id ~ '^f'")"
}

test_stopped() {
    stop_postgres
    away "stopped"
    resume_postgres
    back "started again"
}

test_hangs() {
    local pid pids=("$POSTGRES")
    for pid in $(pgrep -P "$POSTGRES"); do pids+=("$pid"); done
    kill -STOP "${pids[@]}"
    away "hangs"
    kill -CONT "${pids[@]}"
    back "goes on"
}

# The server's processes die while events are being committed.
test_killed() {
    local i
    for ((i = 0; i < 10; i++)); do
        send >>"$SCRATCH/sent" &
        local sender=$!
        number=$((number + 1)) # what the sender counts, in a process of its own
        sleep "0.0$((RANDOM % 10))"
        sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name = 'trendline'" >/dev/null
        wait "$sender"
    done
    stop_postgres QUIT
    resume_postgres
    back "killed"
    counted_once "killed"
}

# A standby that lacks what was committed last takes over. That is lost; all agree on what is left.
test_older_server() {
    stop_postgres
    cp -a "$CLUSTER/data" "$CLUSTER/standby"
    resume_postgres
    back "before"
    send >/dev/null
    send >/dev/null
    number=$((number - 2))
    stop_postgres
    rm -rf "$CLUSTER/data"
    mv "$CLUSTER/standby" "$CLUSTER/data"
    resume_postgres
    back "an older server"
    send >/dev/null
    counted_once "an older server"
    knows_what_is_there() { [ "$(model .rows)" = "$(sql 'SELECT count(*) FROM trendline_rows')" ]; }
    check_equal "an older server: no more is known than it has" yes \
        "$(wait_until 5 knows_what_is_there && echo yes)"
}

test_connections() {
    sql 'ALTER ROLE trendline CONNECTION LIMIT 0' >/dev/null # does not hold for a superuser
    sql "CREATE ROLE plain LOGIN CONNECTION LIMIT 0 PASSWORD '$PASSWORD'" >/dev/null
    stop_service
    start_service "POSTGRES_URI=${URI/trendline:/plain:}"
    refuses "out of connections" 503 "too many connections" /action -d '{"_id":"f1","a":1,"target":2}'
    check_equal "a prediction" '200 {"prediction": 10}' "$(answer '/predict?a=5')"
    stop_service
}

test_start_without() {
    stop_postgres
    new_data
    start_service "POSTGRES_URI=$URI"
    refuses "started without it: a write" 503 "database" /action -d '{"a":1,"target":2}'
    refuses "and no model yet" 503 "" '/predict?a=5'
    resume_postgres
    back "it comes"
    has_model() { [ "$(answer '/predict?a=5')" = '200 {"prediction": 10}' ]; }
    check_equal "and so does the model" yes "$(wait_until 10 has_model && echo yes)"
    stop_service
}

start_postgres
new_data
start_service "POSTGRES_URI=$URI"
send >/dev/null
send >/dev/null
check_equal "a build" 200 "$(build)"
test_stopped
test_hangs
test_killed
test_older_server
test_connections
test_start_without
check_equal "no password in the log" "" "$(grep -o "$PASSWORD" "$LOG")"
check_report postgres/faults
