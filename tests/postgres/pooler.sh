#!/usr/bin/env bash
# PgBouncer before the database. One that keeps sessions will do; with one that does not (transaction
# mode), claims on writers and prepared statements would be anybody's: it is found out at once, said, and
# nothing is left behind in sessions that are others' in a moment.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=postgres.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/postgres.bash"

PATH=$PATH:/usr/sbin

# start_pooler MODE SESSIONS: POOLED is the URI through it
start_pooler() {
    local port
    port=$(free_port)
    cat >"$CLUSTER/bouncer.ini" <<INI
[databases]
postgres = host=127.0.0.1 port=$PGPORT user=trendline password=$PASSWORD
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
auth_type = any
pool_mode = $1
default_pool_size = $2
unix_socket_dir =
INI
    (cd / && as_server pgbouncer -q "$CLUSTER/bouncer.ini" >>"$SCRATCH/bouncer.log" 2>&1) &
    on_exit "kill $! 2>/dev/null"
    POOLER=$!
    POOLED=postgresql://trendline@127.0.0.1:$port/postgres
    wait_until 10 psql -XAtqc 'SELECT 1' "$POOLED" || cat "$SCRATCH/bouncer.log"
}

# others: clients who use the same sessions, until stop_others
others() {
    local i
    touch "$SCRATCH/others"
    for ((i = 0; i < 3; i++)); do
        while [ -e "$SCRATCH/others" ]; do
            yes 'SELECT pg_sleep(0.001);' | head -n 200 | psql -XAtq "$POOLED" >/dev/null 2>&1
        done &
    done
}

stop_others() {
    rm -f "$SCRATCH/others"
}

# refused_start NAME: the service behind it says what is needed
refused_start() {
    new_data
    start_service "POSTGRES_URI=$POOLED"
    refuses "$1: a write" 503 "pool_mode=session" /action -d '{"a":1,"target":2}'
    refuses "$1: a build" 503 "pool_mode=session" /build -X POST
    refuses "$1: no model, because of that" 503 "pool_mode=session" /readyz
    check_contains "$1: the log" "warning: the database is behind a pooler" "$(cat "$LOG")"
    stop_service
}

test_transactions() {
    local i
    start_pooler transaction "$1"
    refused_start "$1 sessions for all"
    check_equal "$1 sessions: others' settings" "0|0" \
        "$(for ((i = 0; i < 10; i++)); do psql -XAtqc "SELECT current_setting('statement_timeout'),
            current_setting('lock_timeout')" "$POOLED"; done | sort -u)"
    kill "$POOLER"
}

# With others there it may go well for a while, by chance.
test_busy() {
    start_pooler transaction 4
    others
    new_data
    start_service "POSTGRES_URI=$POOLED"
    is_found_out() { answer /action -d '{"a":1,"target":2}' | grep -q '^503 .*pool_mode=session'; }
    check_equal "a busy pooler is found out" yes "$(wait_until 20 is_found_out && echo yes)"
    stop_others
    stop_service
    kill "$POOLER"
}

test_sessions() {
    start_pooler session "$1"
    new_data
    start_service "POSTGRES_URI=$POOLED" MODEL=linear
    check_equal "$1 sessions of our own: events" 200 "$(status /action -d '[{"_id":"1","a":0,"target":1},{"_id":"2","a":1,"target":3}]')"
    check_equal "a build" 200 "$(build)"
    check_equal "a prediction" '200 {"prediction": 5}' "$(answer '/predict?a=2')"
    stop_service
    kill "$POOLER"
}

if ! command -v pgbouncer >/dev/null; then
    printf 'pooler.sh: skipped, there is no pgbouncer\n'
    check_report postgres/pooler
    exit
fi
start_postgres
test_transactions 4
test_transactions 1
check_equal "no tables are made" "" "$(sql "SELECT tablename FROM pg_tables WHERE tablename LIKE 'trendline%'")"
test_sessions 8
test_sessions 3
test_busy
check_report postgres/pooler
