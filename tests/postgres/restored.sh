#!/usr/bin/env bash
# The database is changed under running replicas: a copy from before is restored into it, tables are
# dropped, rows are damaged. What is lost is lost; the rest is stored, learnt and built by all, and what
# can be made again is made again.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=postgres.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/postgres.bash"

# start_replicas: two on an empty database, `at 1` and `at 2` ask one
start_replicas() {
    local i
    sql 'DROP SCHEMA public CASCADE; CREATE SCHEMA public' 2>/dev/null
    urls=() services=() logs=() data=()
    for i in 1 2; do
        new_data
        start_service "POSTGRES_URI=$URI" "$@"
        urls[i]=$URL services[i]=$SERVICE logs[i]=$LOG data[i]=$DATA
    done
}

stop_replicas() {
    for SERVICE in "${services[@]}"; do stop_service; done
}

# at REPLICA COMMAND...
at() {
    local URL=${urls[$1]}
    shift
    "$@"
}

# send FROM TO: on the line target = 2 a + 1
send() {
    local i
    for ((i = $1; i <= $2; i++)); do status /action -d "{\"a\":$i,\"target\":$((2 * i + 1))}"; done | sort -u
}

send_one() {
    status /action -d '{"a":5,"target":11}'
}

copy() {
    "$(server_program pg_dump)" -Fc -f "$SCRATCH/copy" "$URI"
}

# restore: as docs/postgres.md says
restore() {
    "$(server_program pg_restore)" --clean --if-exists -1 -d "$URI" "$SCRATCH/copy"
}

stored() {
    sql 'SELECT count(*) FROM trendline_rows'
}

knows_all() {
    answer '/predict?a=5' >/dev/null
    [ "$(header X-Model-Events)" = "$(stored)" ]
}

# goes_on NAME: both replicas store, know the same, and build; a new one does so too
goes_on() {
    local i
    for i in 1 2; do
        check_equal "$1: replica $i stores" 201 "$(at $i send_one)"
        check_equal "$1: replica $i builds" 200 "$(at $i build)"
    done
    for i in 1 2; do
        check_equal "$1: replica $i knows all" yes "$(at $i wait_until 5 knows_all && echo yes)"
        check_equal "$1: replica $i predicts" '200 {"prediction": 11}' "$(at $i answer '/predict?a=5')"
    done
    check_equal "$1: numbers without gaps" "" \
        "$(sql 'SELECT writer FROM trendline_rows GROUP BY writer HAVING count(*) <> max(number)')"
    new_data
    start_service "POSTGRES_URI=$URI" "${settings[@]}"
    check_equal "$1: a new replica predicts" '200 {"prediction": 11}' "$(answer '/predict?a=5')"
    check_equal "$1: a new replica stores" 201 "$(send_one)"
    stop_service
}

test_restored() {
    start_replicas "${settings[@]}"
    check_equal "events" 201 "$(at 1 send 1 20)"
    check_equal "a build" 200 "$(at 1 build)"
    copy
    check_equal "events that the copy lacks" 201 "$(at 1 send 21 40)"
    check_equal "of a writer that it lacks" 201 "$(at 2 send 21 30)"
    restore
    goes_on "restored"
    stop_replicas
}

# Others store as many events as there were before the first replica looks again, which is stopped.
test_restored_and_passed() {
    local pids
    start_replicas "${settings[@]}"
    check_equal "events" 201 "$(at 1 send 1 20)"
    check_equal "a build" 200 "$(at 1 build)"
    copy
    check_equal "events that the copy lacks" 201 "$(at 1 send 21 25)"
    at 1 knows_all
    SERVICE=${services[1]}
    mapfile -t pids < <(pids_of action; pids_of follow; pids_of build)
    kill -STOP "${pids[@]}"
    restore
    sql "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()" >/dev/null
    check_equal "more events" 201 "$(at 2 wait_until 10 writes && at 2 send 30 60)"
    kill -CONT "${pids[@]}"
    goes_on "restored, and passed"
    stop_replicas
}

writes() {
    [ "$(send_one)" = 201 ]
}

# A copy takes the tables' place between a look and what is stored after it.
test_restored_meanwhile() {
    start_replicas "${settings[@]}"
    check_equal "events" 201 "$(at 1 send 1 20)"
    check_equal "a build" 200 "$(at 1 build)"
    sql "CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN UPDATE trendline_writers SET number = number - 5; DELETE FROM trendline_rows WHERE number > 15; RETURN NULL; END'" >/dev/null
    sql 'CREATE TRIGGER back BEFORE INSERT ON trendline_rows FOR EACH STATEMENT EXECUTE FUNCTION back()' >/dev/null
    at 1 refuses "a gap" 503 "gone back in time" /action -d '{"a":5,"target":11}'
    sql 'DROP FUNCTION back CASCADE' 2>/dev/null
    goes_on "nothing behind a gap"
    stop_replicas
}

# dropped TABLE...: it is made again, and that is said
dropped() {
    local table
    for table; do
        sql "DROP TABLE $table" >/dev/null
        at 1 wait_until 10 writes
        at 2 wait_until 10 writes
        goes_on "without $table"
        check_contains "without $table: it is said" "the database has lost $table: making it again" "$(cat "${logs[@]}" "$LOG")"
    done
}

test_dropped() {
    start_replicas "${settings[@]}"
    check_equal "events" 201 "$(at 1 send 1 40)"
    check_equal "a build" 200 "$(at 1 build)"
    dropped trendline_moments trendline_moments_parts trendline_terms trendline_models trendline_train
    for SERVICE in "${services[@]}"; do stop_service; done
}

# names TABLE: as lost, when an event comes
names() {
    answer /action -d '{"_id":"new","a":5,"target":11}' >/dev/null
    grep -q "lost $1: restore it" "$SCRATCH/body"
}

# lost TABLE: nothing can make it again; it is named, and predictions go on
lost() {
    copy
    sql "DROP TABLE $1 CASCADE" 2>/dev/null
    stop_replicas
    DATA=${data[1]}
    start_service "POSTGRES_URI=$URI" "${settings[@]}"
    check_contains "without $1: the start says so" "the database has lost $1: restore it" "$(cat "$LOG")"
    check_equal "without $1: a prediction" '200 {"prediction": 11}' "$(answer '/predict?a=5')"
    refuses "without $1: an event" 503 "lost $1: restore it" /action -d '{"a":5,"target":11}'
    restore 2>/dev/null
    check_equal "$1 is back" yes "$(wait_until 10 writes && echo yes)"
    urls=("" "$URL") services=("$SERVICE")
}

test_lost() {
    local table
    start_replicas "${settings[@]}"
    check_equal "events" 201 "$(at 1 send 1 40)"
    check_equal "a build" 200 "$(at 1 build)"
    for table in trendline_rows trendline_ids trendline_writers trendline_schema trendline_texts; do lost "$table"; done
    copy
    sql 'DROP TABLE trendline_ids'
    check_equal "under a running service it is named too" yes "$(wait_until 10 names trendline_ids && echo yes)"
    restore
    check_equal "and goes on" yes "$(wait_until 10 writes && echo yes)"
    stop_replicas
}

# model_of: what it predicts with
model_of() {
    model '[.kind,.rows,.intercept,.coefficients,.mse]'
}

# Replicas agree on the terms, also where one has to make them again.
test_damaged_terms() {
    local damage
    start_replicas
    awk 'BEGIN { srand(3); for (i = 0; i < 1500; i++) { a = rand(); b = rand()
        printf "{\"a\":%.17g,\"b\":%.17g,\"target\":%.17g}\n", a, b, a * b + a * a } }' >"$SCRATCH/curve"
    check_equal "events" 200 \
        "$(at 1 status /action -H 'Content-Type: application/x-ndjson' --data-binary "@$SCRATCH/curve")"
    check_equal "a build" 200 "$(at 1 build)"
    # shellcheck disable=SC2016
    for damage in "places = '{'" "places = overlay(places placing '7' from length(places) - 9 for 1)" "digest = 5"; do
        sql "UPDATE trendline_terms SET $damage"
        # a service that looks first, five times a second, says it
        new_data
        start_service "POSTGRES_URI=$URI"
        check_contains "terms with $damage: it is said" "trendline_terms: " "$(cat "${logs[@]}" "$LOG")"
        check_equal "terms with $damage: an event" 201 "$(status /action -d '{"a":0.5,"b":0.5,"target":0.5}')"
        check_equal "terms with $damage: a build" 200 "$(build)"
        same() { [ "$(model_of)" = "$(at 1 model_of)" ] && [ "$(model_of)" = "$(at 2 model_of)" ]; }
        check_equal "terms with $damage: all have the same model" yes "$(wait_until 10 same && echo yes)"
        stop_service
    done
    stop_replicas
}

# The train file's rows do not vanish from the model unseen.
test_damaged_train() {
    start_replicas "${settings[@]}"
    printf 'a\ttarget\n0\t1\n1\t3\n2\t5\n' >"${data[1]}/train.txt"
    check_equal "a build with a train file" 200 "$(at 1 build)"
    check_equal "events" 201 "$(at 1 send 1 9)"
    check_equal "are known" yes "$(at 2 wait_until 5 knows_all && echo yes)"
    sql "UPDATE trendline_train SET snapshot = overlay(snapshot placing '!' from 9 for 1), revision = revision + 1"
    check_equal "damaged: an event" 201 "$(at 2 send_one)"
    wait_until 5 grep -q trendline_train "${logs[2]}"
    check_contains "damaged: it is said" "trendline_train: the checksum does not match: POST /build where the train file is" \
        "$(cat "${logs[2]}")"
    check_equal "damaged: the model keeps its rows" 12 "$(at 2 model .rows)"
    at 2 refuses "a build without the file" 503 "trendline_train" /build -X POST
    check_equal "an event" 201 "$(at 2 send_one)"
    check_equal "a build with the file" 200 "$(at 1 build)"
    has_rows() { [ "$(model .rows)" = 14 ]; }
    check_equal "has all" yes "$(at 1 wait_until 5 has_rows && at 2 wait_until 5 has_rows && echo yes)"
    check_equal "then the other builds too" 200 "$(at 2 build)"
    stop_replicas
}

test_damaged_model() {
    start_replicas "${settings[@]}"
    check_equal "events" 201 "$(at 1 send 1 9)"
    check_equal "a build" 200 "$(at 1 build)"
    sql "UPDATE trendline_models SET model = overlay(model placing '!' from 9 for 1)"
    new_data
    start_service "POSTGRES_URI=$URI" "${settings[@]}"
    check_equal "a damaged version: a prediction" '200 {"prediction": 11}' "$(answer '/predict?a=5')"
    check_contains "it is said" "trendline_models: version 1: " "$(cat "$LOG")"
    check_equal "the next one is built" 2 "$(sql 'SELECT max(version) FROM trendline_models')"
    check_equal "an event" 201 "$(send_one)"
    stop_service
    stop_replicas
}

settings=(MODEL=linear)
start_postgres
test_restored
test_restored_and_passed
test_restored_meanwhile
test_dropped
test_lost
test_damaged_terms
test_damaged_train
test_damaged_model
check_report postgres/restored
