#!/usr/bin/env bash
# PostgreSQL in trouble: predictions never stop, writes are 503 and count once when they are sent
# again with their `_id`, and everything goes on by itself.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=postgres.bash source=trouble.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/postgres.bash"
. "$(dirname "$0")/trouble.bash"

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

# delay SECONDS: each batch takes so long to be stored
delay() {
    sql "CREATE OR REPLACE FUNCTION delay() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_sleep($1); RETURN NULL; END'" >/dev/null
    sql "CREATE OR REPLACE TRIGGER delay AFTER INSERT ON trendline_rows EXECUTE FUNCTION delay()" >/dev/null
}

test_slow() {
    delay 0.3
    check_equal "slow" " 201" "$(send)"
    number=$((number + 1))
    delay 5
    refuses "too slow: a write" 503 "" /action -d '{"_id":"too slow","a":3,"target":6}'
    check_equal "too slow: a prediction" '200 {"prediction": 10}' "$(answer '/predict?a=5')"
    sql 'DROP TRIGGER delay ON trendline_rows' >/dev/null
    back "quick again"
    check_equal "what took too long can be sent again" 201 "$(status /action -d '{"_id":"too slow","a":3,"target":6}')"
    counted_once "slow"
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
    refuses "out of connections" 503 "cannot be reached: try again" /action -d '{"_id":"f1","a":1,"target":2}'
    check_contains "the log has the server's words" "too many connections" "$(cat "$LOG")"
    check_equal "a prediction" '200 {"prediction": 10}' "$(answer '/predict?a=5')"
    stop_service
}

test_start_without() {
    stop_postgres
    new_data
    start_service "POSTGRES_URI=$URI"
    refuses "started without it: a write" 503 "database" /action -d '{"a":1,"target":2}'
    for path in '/predict?a=5' /readyz /model; do
        refuses "and no model: $path" 503 "there is no model here yet: the database cannot be reached" "$path"
    done
    check_contains "the log says more" "onnection refused" "$(cat "$LOG")"
    resume_postgres
    back "it comes"
    has_model() { [ "$(answer '/predict?a=5')" = '200 {"prediction": 10}' ]; }
    check_equal "and so does the model" yes "$(wait_until 10 has_model && echo yes)"
    says_nothing() { [ ! -e "$DATA/unready.txt" ]; }
    check_equal "nothing is left to say" yes "$(wait_until 10 says_nothing && echo yes)"
    stop_service
}

# None of the sentences outlives what it says.
test_none_built() {
    sql 'CREATE SCHEMA empty' >/dev/null
    stop_postgres
    new_data
    start_service "POSTGRES_URI=$URI?options=-csearch_path%3Dempty"
    refuses "away" 503 "cannot be reached" /readyz
    resume_postgres
    knows_it() { status /readyz >/dev/null; grep -q 'no model has been built yet' "$SCRATCH/body"; }
    check_equal "it is there, without a model" yes "$(wait_until 10 knows_it && echo yes)"
    stop_postgres
    refuses_it() { status /readyz >/dev/null; grep -q 'cannot be reached' "$SCRATCH/body"; }
    check_equal "away again" yes "$(wait_until 10 refuses_it && echo yes)"
    stop_service
    echo "the database is away" >"$DATA/unready.txt"
    resume_postgres
    start_service "POSTGRES_URI=$URI?options=-csearch_path%3Dempty"
    refuses "what a start before it said is forgotten" 503 "no model has been built yet" /readyz
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
test_slow
test_killed
test_older_server
test_connections
test_start_without
test_none_built
check_equal "no password in the log" "" "$(grep -o "$PASSWORD" "$LOG")"
check_report postgres/faults
