#!/usr/bin/env bash
# The tables are made once, whoever connects first and however many do so at once; in the schema that
# the search_path says; and by somebody else, when the service may not.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=postgres.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/postgres.bash"

REPLICAS=5

test_at_once() {
    local i logs=() services=()
    for ((i = 0; i < REPLICAS; i++)); do
        new_data
        logs+=("$(mktemp "$SCRATCH/log.XXXXXX")")
        PORT=$((PGPORT + 1 + i)) DATA_DIR=$DATA WORKERS=1 POSTGRES_URI=$URI "$TRENDLINE" serve \
            >"${logs[-1]}" 2>&1 &
        services+=($!)
        on_exit "kill_service $!"
    done
    for ((i = 0; i < REPLICAS; i++)); do
        wait_until 30 grep -q ' ready on ' "${logs[i]}"
        check_equal "replica $i says nothing but that it is ready" 1 "$(grep -c . "${logs[i]}")"
    done
    check_equal "the tables' version" 2 "$(sql 'SELECT version FROM trendline_meta')"
    # shellcheck disable=SC2034  # stop_service reads it
    for SERVICE in "${services[@]}"; do stop_service; done
}

test_schema() {
    sql 'CREATE SCHEMA other' >/dev/null
    new_data
    start_service "POSTGRES_URI=$URI?options=-csearch_path%3Dother"
    check_equal "another schema" '201 {"seq": 1}' "$(answer /action -d '{"x":1,"target":2}')"
    check_equal "has it" 1 "$(sql 'SELECT count(*) FROM other.trendline_rows')"
    check_equal "and not the first one" 0 "$(sql 'SELECT count(*) FROM public.trendline_rows')"
    stop_service
}

# as docs/postgres.md says
test_rights() {
    local service=$SCRATCH/rights.sql
    sed -n '/^GRANT/p' "$ROOT/docs/postgres.md" >"$service"
    sql "CREATE ROLE service LOGIN PASSWORD '$PASSWORD'" >/dev/null
    psql -Xq -f "$service" "$URI"
    new_data
    start_service "POSTGRES_URI=${URI/trendline:/service:}"
    check_equal "with the least rights: an event" 201 "$(status /action -d '{"_id":"a","x":1,"target":2}')"
    check_equal "an event again" 200 "$(status /action -d '{"_id":"a","x":1,"target":2}')"
    check_equal "and a build" 200 "$(build)"
    stop_service
}

# A replica of an older version must not write into newer tables.
test_newer() {
    sql 'INSERT INTO trendline_meta VALUES (99)' >/dev/null
    new_data
    start_service "POSTGRES_URI=$URI"
    refuses "tables of a later version" 503 'version 99' /action -d '{"x":1,"target":2}'
    stop_service
}

start_postgres
test_at_once
test_schema
test_rights
test_newer
check_report postgres/migrate
