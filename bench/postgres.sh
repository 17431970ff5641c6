#!/bin/bash
# POST /action with POSTGRES_URI set, on a PostgreSQL of the script's own: single events, and NDJSON,
# against pgbench with one connection, as `action` has it, and as many rows a transaction.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/postgres.bash"
BULK=100000

# transaction ROWS: one that stores as many rows as that, as pgbench sends it
transaction() {
    awk -v n="$1" 'BEGIN {
        print "BEGIN;"
        printf "INSERT INTO trendline_rows (writer, number, seq, cells) VALUES "
        for (i = 1; i <= n; i++)
            printf "%s(1000000, nextval($$bench_number$$), nextval($$trendline_seq$$), $${%s}$$)",
                (i > 1 ? ", " : ""), "0.1234,12.3456,-45.6789,123.4567"
        print ";\nUPDATE trendline_writers SET number = number WHERE writer = 1;\nCOMMIT;" }'
}

# pgbench_rows NAME ROWS: rows a second
pgbench_rows() {
    transaction "$2" >"$SCRATCH/transaction.sql"
    sample "$1" "$("$PROGRAM_DIR/pgbench" -n -c 1 -T "$RUN_SECONDS" -f "$SCRATCH/transaction.sql" "$URI" 2>/dev/null |
        awk -v n="$2" '/^tps/ { print n * $3 }')"
}

commits() {
    sql "SELECT count(DISTINCT time) FROM trendline_rows WHERE writer < 1000000"
}

measure() {
    local before batch
    sql "TRUNCATE trendline_rows" # nobody reads it again
    load 64 "$OURS/action" -- lines "$SCRATCH/events.ndjson" application/json
    sample single "$RATE"
    sample single-p99 "$P99"
    before=$(commits)
    batch=$((ANSWERED / before > 0 ? ANSWERED / before : 1))
    sample batch "$batch"
    pgbench_rows pgbench-single "$batch"
    timed post "$OURS/action" "$SCRATCH/bulk.ndjson" application/x-ndjson
    sample bulk "$(awk -v n=$BULK -v t="$TIME" 'BEGIN { print n / t }')"
    pgbench_rows pgbench-bulk 4096
}

start_postgres
generate 1000 3 ndjson >"$SCRATCH/events.ndjson"
generate $BULK 3 ndjson >"$SCRATCH/bulk.ndjson"
DATA=
start_service "POSTGRES_URI=$URI"
OURS=$URL
post "$OURS/action" "$SCRATCH/events.ndjson" application/x-ndjson >/dev/null
curl -sf -X POST "$OURS/build" >/dev/null
sql 'CREATE SEQUENCE bench_number'
for_each_round measure
ratio per-single single pgbench-single
ratio per-bulk bulk pgbench-bulk

begin 'POST /action into PostgreSQL, 3 features'
row 'events/s, one a request, 64 connections' single at-least 10000
row 'of pgbench with one connection and as many rows a transaction' per-single at-least 0.7
row 'NDJSON: of pgbench with 4096 rows a transaction' per-bulk at-least 0.7
show 'events a transaction, one a request' batch
show 'rows/s, pgbench, as many' pgbench-single
show 'events/s, NDJSON' bulk
show 'rows/s, pgbench, 4096 a transaction' pgbench-bulk
show 'p99, one a request' single-p99 ' ms'
