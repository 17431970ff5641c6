#!/usr/bin/env bash
# From files to PostgreSQL and back: the same events and the same bits, each event once, also when the
# database is restarted meanwhile.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=postgres.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/postgres.bash"

EVENTS=60000

# transfer COMMAND [NAME=VALUE...]: on DATA
transfer() {
    local command=$1
    shift
    env "DATA_DIR=$DATA" "$@" "$TRENDLINE" "$command" 2>>"$SCRATCH/said"
}

# learnt [NAME=VALUE...]: what a service on DATA makes of its events
learnt() {
    start_service "$@"
    build >/dev/null
    model '[.rows, .intercept, .coefficients, .mse]'
    stop_service
}

contents() {
    jq -c 'del(._id)' | sort | sha256sum
}

start_postgres
new_data
start_service
# a third of them without ids
jq -nc "range($EVENTS) | {x: (. / 7), y: (. * 31 % 1000), target: (. / 3)} + if . % 3 == 0 then {} else {_id: \"e\(.)\"} end" \
    >"$SCRATCH/seed"
check_equal "seeding" 200 "$(status /action -H 'Content-Type: application/x-ndjson' --data-binary "@$SCRATCH/seed")"
stop_service
WANTED=$(learnt)
transfer export >"$SCRATCH/events"

# the database dies again and again under the import, which is started again and again
new_data
for ((tries = 0; tries < 200; tries++)); do
    transfer import "POSTGRES_URI=$URI" <"$SCRATCH/events" &
    import=$!
    if [ "$tries" -lt 3 ]; then
        stored_some() { [ "$(sql 'SELECT count(*) FROM trendline_rows')" -gt $((tries * 15000)) ]; }
        wait_until 10 stored_some
        stop_postgres QUIT
        resume_postgres
    fi
    wait "$import" && break
    sleep 0.1
done
check_equal "each event once" "$EVENTS|$EVENTS" "$(sql 'SELECT count(*), count(DISTINCT id) FROM trendline_rows')"
check_contains "it was interrupted" "can be started again" "$(cat "$SCRATCH/said")"
check_equal "the same sums" "$WANTED" "$(learnt "POSTGRES_URI=$URI")"
check_equal "the moments too" "$(jq -r ._time "$SCRATCH/events" | sort | sha256sum)" "$(sql "SELECT to_char(time AT TIME
    ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') FROM trendline_rows ORDER BY time" | sha256sum)"

# and back
transfer export "POSTGRES_URI=$URI" >"$SCRATCH/back"
check_equal "the same events" "$(contents <"$SCRATCH/events")" "$(contents <"$SCRATCH/back")"
new_data
transfer import <"$SCRATCH/back"
check_equal "and the same sums" "$WANTED" "$(learnt)"
check_report postgres/transfer
