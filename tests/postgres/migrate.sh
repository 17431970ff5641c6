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
    check_equal "the tables' version" 3 "$(sql 'SELECT version FROM trendline_meta')"
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

# Tables as the first version left them, with an event in them.
test_older() {
    sql "DROP SCHEMA public CASCADE; CREATE SCHEMA public" >/dev/null 2>&1
    new_data
    start_service "POSTGRES_URI=$URI"
    status /action -d '[{"x":1,"target":2},{"x":2,"target":4}]' >/dev/null
    stop_service
    sql "DROP VIEW trendline_events; DROP TABLE trendline_texts, trendline_terms;
        ALTER TABLE trendline_rows DROP COLUMN weight; ALTER TABLE trendline_schema DROP COLUMN target;
        UPDATE trendline_meta SET version = 1;
        CREATE VIEW trendline_events AS SELECT seq, time, id, NULL::jsonb AS features,
            cells[cardinality(cells)] AS target FROM trendline_rows" >/dev/null
    new_data
    start_service "POSTGRES_URI=$URI"
    check_equal "tables of the first version: an event" 201 "$(status /action -d '{"x":3,"target":6,"_weight":2}')"
    check_equal "a build" 200 "$(build)"
    check_equal "knows all" 3 "$(curl -s "$URL/model" | jq .rows)"
    check_equal "the view has the rest" 't|f' "$(sql 'SELECT bool_and(weight > 0), bool_or(features IS NULL) FROM trendline_events')"
    stop_service
}

# As the second version left them: the sums were one text, and the terms had no digest.
test_second() {
    sql "DROP SCHEMA public CASCADE; CREATE SCHEMA public" >/dev/null 2>&1
    new_data
    start_service "POSTGRES_URI=$URI"
    awk 'BEGIN { for (i = 0; i < 66000; i++) printf "{\"x\":%d,\"target\":%d}\n", i % 50, i % 50 * 2 }' |
        status /action -H 'Content-Type: application/x-ndjson' --data-binary @- >/dev/null
    check_equal "a build" 200 "$(build)"
    are_kept() { [ "$(sql 'SELECT count(*) FROM trendline_moments')" = 1 ]; }
    check_equal "the sums are kept" yes "$(wait_until 20 are_kept && echo yes)"
    stop_service
    sql "UPDATE trendline_moments m SET snapshot = (SELECT string_agg(part, '' ORDER BY place) FROM
            trendline_moments_parts p WHERE p.slot = m.slot AND p.place < m.parts) || snapshot WHERE parts > 0;
        ALTER TABLE trendline_moments DROP COLUMN slot, DROP COLUMN parts, DROP COLUMN crc;
        DROP TABLE trendline_moments_parts; ALTER TABLE trendline_terms DROP COLUMN digest;
        UPDATE trendline_meta SET version = 2;
        DELETE FROM trendline_rows r USING trendline_moments m WHERE r.number <= m.numbers[1]" >/dev/null
    new_data
    start_service "POSTGRES_URI=$URI"
    check_equal "tables of the second version: an event" 201 "$(status /action -d '{"x":3,"target":6}')"
    check_equal "a build" 200 "$(build)"
    check_equal "knows all" 66001 "$(model .rows)"
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

# What an encoding lacks would be refused again and again, with what came beside it.
test_encoding() {
    local encoding said uri
    for encoding in LATIN1 WIN1252 EUC_JP; do
        sql "CREATE DATABASE in_$encoding ENCODING '$encoding' LOCALE 'C' TEMPLATE template0" >/dev/null
        uri=${URI%/*}/in_${encoding,,}
        new_data
        said=$(failed_start "POSTGRES_URI=$uri")
        check_contains "$encoding stops the start" "1: the database \"in_${encoding,,}\" has the encoding $encoding" "$said"
        check_contains "$encoding: the remedy" "CREATE DATABASE … ENCODING 'UTF8'" "$said"
        check_equal "$encoding: nothing is made in it" 0 \
            "$(psql -XAtqc "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'trendline%'" "$uri")"
    done
    stop_postgres
    new_data
    start_service "POSTGRES_URI=$uri"
    resume_postgres
    says_so() { answer "$@" | grep -q '^503 .*has the encoding EUC_JP'; }
    check_equal "one that comes later" yes "$(wait_until 10 says_so /action -d '{"x":1,"target":2}' && echo yes)"
    check_equal "and there is no model because of that" yes "$(wait_until 10 says_so /readyz && echo yes)"
    stop_service
    sql "CREATE DATABASE in_bytes ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0" >/dev/null
    new_data
    start_service "POSTGRES_URI=${URI%/*}/in_bytes"
    answer /action -d '{"_id":"☃","colour":"röd","target":2}' >/dev/null
    check_equal "bytes as they are will do" 201 "$(header_status)"
    check_equal "and are there" '☃|röd' \
        "$(psql -XAtqc "SELECT id, features->>'colour' FROM trendline_events" "${URI%/*}/in_bytes")"
    stop_service
}

start_postgres
test_at_once
test_schema
test_rights
test_newer
test_older
test_second
test_encoding
check_report postgres/migrate
