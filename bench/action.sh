#!/bin/bash
# POST /action, one event a request, 64 connections, durable, with a built model that learns online.
. "$(dirname "$0")/lib.sh"

# start_ours [NAME=VALUE...]
start_ours() {
    DATA=
    start_service "$@"
    post "$URL/action" "$EVENTS" application/x-ndjson >/dev/null
    curl -sf -X POST "$URL/build" >/dev/null
}

# measure_one NAME URL
measure_one() {
    [ -n "$2" ] || return 0
    load 64 "$2/action" -- lines "$EVENTS" application/json
    sample "$1" "$RATE"
    sample "$1-p99" "$P99"
}

measure() {
    measure_one ours "$OURS"
    sample append "$("$PROGRAMS/append" "$SCRATCH/append.jsonl" "$RUN_SECONDS" "$LINE")"
    measure_one unsynced "$UNSYNCED"
    measure_one sqlite "${SQLITE:-}"
}

EVENTS=$SCRATCH/events.ndjson
generate 1000 3 ndjson >"$EVENTS"
start_ours
OURS=$URL
LINE=$(head -n 1 "$DATA/actions.jsonl")
start_ours "LD_PRELOAD=$PROGRAMS/no_sync.so"
UNSYNCED=$URL
if has_python fastapi uvicorn sklearn; then
    next_port
    export BENCH_DB=$SCRATCH/events.db
    start /healthz "$PYTHON" -m uvicorn --app-dir "$BENCH/peers" --port "$PORT" --no-access-log \
        --log-level warning sqlite_app:app
    SQLITE=$URL
fi
for_each_round measure

ratio per-append ours append
ratio per-unsynced ours unsynced
! has sqlite || ratio per-sqlite ours sqlite
begin "POST /action, one event of 3 features a request, 64 connections, durable"
row 'of append + fdatasync one after another' per-append at-least 7 '×'
row 'of the same path without fdatasync' per-unsynced at-least 0.6
row 'of FastAPI + SQLite (a commit an event, synchronous=FULL) + partial_fit' per-sqlite at-least 20 '×'
show 'events/s' ours
show 'events/s, append + fdatasync' append
show 'events/s, without fdatasync' unsynced
show 'events/s, FastAPI + SQLite' sqlite
show 'p99' ours-p99 ' ms'
show 'p99, FastAPI + SQLite' sqlite-p99 ' ms'
