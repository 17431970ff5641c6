#!/usr/bin/env bash
# Three replicas on one database: every acknowledged event counts once, at each of them, and all
# answer with the same bits as one service on files that got the same events.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=postgres.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/postgres.bash"

REPLICAS=3
WRITERS=4
EVENTS=60
urls=()
services=()
logs=()

start_replicas() {
    local i
    for ((i = 0; i < REPLICAS; i++)); do
        new_data
        start_service "POSTGRES_URI=$URI" MODEL=linear
        urls+=("$URL")
        services+=("$SERVICE")
        logs+=("$LOG")
    done
}

# event NUMBER: awkward to sum, with an id of its own
event() {
    awk -v i="$1" 'BEGIN { printf "{\"_id\":\"e-%d\",\"a\":%.17g,\"b\":%.17g,\"target\":%.17g}\n",
        i, i % 7 ? i / 10 : 1e15 + i, i % 5 ? -i / 3 : 1e-10, i % 3 ? i : 1e9 }'
}

# writer NUMBER: sends each of its events twice, to any replicas; each fourth is one that all writers
# send
writer() {
    local i number
    for ((i = 0; i < EVENTS; i++)); do
        number=$((i % 4 == 0 ? i : $1 * 1000 + i))
        event "$number" >"$SCRATCH/event.$1"
        curl -s --max-time 20 -d "@$SCRATCH/event.$1" "${urls[RANDOM % REPLICAS]}/action"
        curl -s --max-time 20 -d "@$SCRATCH/event.$1" "${urls[RANDOM % REPLICAS]}/action"
    done >"$SCRATCH/writer.$1"
}

write_at_once() {
    local i pids=()
    for ((i = 1; i <= WRITERS; i++)); do
        writer "$i" &
        pids+=($!)
    done
    wait "${pids[@]}"
}

# events_at URL: how many the model there knows
events_at() {
    curl -s -o /dev/null -D - "$1/predict?a=1&b=2" | tr -d '\r' | sed -n 's/^X-Model-Events: //p'
}

# model_at URL: what it predicts with, without version and times
model_at() {
    curl -s "$1/model" | jq -c '[.features,.rows,.intercept,.coefficients,.mse,.r2]'
}

all_know() {
    local url
    for url in "${urls[@]}"; do [ "$(events_at "$url")" = "$1" ] || return 1; done
}

test_union() {
    local url i wanted stored
    for ((i = 1; i <= WRITERS; i++)); do
        check_equal "writer $i: all is acknowledged" "$((2 * EVENTS))" \
            "$(grep -c '^{"seq": [0-9]*\(, "duplicate": true\)\?}$' "$SCRATCH/writer.$i")"
    done
    wanted=$((EVENTS * WRITERS * 3 / 4 + EVENTS / 4))
    stored=$(sql 'SELECT count(*), count(DISTINCT id), count(DISTINCT seq) FROM trendline_rows')
    check_equal "each event once" "$wanted|$wanted|$wanted" "$stored"
    # but the one that was there before
    check_equal "acknowledged as new once" $((wanted - 1)) "$(cat "$SCRATCH"/writer.* | grep -c '^{"seq": [0-9]*}$')"
    check_equal "numbers without gaps" "" \
        "$(sql 'SELECT writer FROM trendline_rows GROUP BY writer HAVING count(*) <> max(number)')"
    wait_until 5 all_know "$wanted"
    for url in "${urls[@]}"; do
        check_equal "learnt at each replica" "$wanted" "$(events_at "$url")"
        check_equal "the same model" "$(model_at "${urls[0]}")" "$(model_at "$url")"
    done
    union_model=$(model_at "${urls[0]}")
}

test_freshness() {
    local before started
    before=$(events_at "${urls[1]}")
    started=$(date +%s%N)
    check_equal "an event at one replica" 201 "$(URL=${urls[0]} status /action -d '{"a":3,"b":4,"target":5}')"
    check_equal "read your writes" $((before + 1)) "$(events_at "${urls[0]}")"
    wait_until 5 all_know $((before + 1))
    check_equal "within a second at the others" 0 $((($(date +%s%N) - started) / 1000000000))
}

test_build_elsewhere() {
    check_equal "a build at another replica" 200 "$(URL=${urls[2]} build)"
    follows() { [ "$(curl -s "${urls[0]}/model" | jq .version)" = 2 ]; }
    wait_until 3 follows
    check_equal "is everybody's" 2 "$(curl -s "${urls[0]}/model" | jq .version)"
}

# Builds of all replicas race each other and the events.
test_builds_at_once() {
    local i pids=()
    for ((i = 0; i < 12; i++)); do
        (
            curl -s -o /dev/null -d '{"a":1,"b":2,"target":3}' "${urls[i % REPLICAS]}/action"
            curl -s -o /dev/null -w '%{http_code}\n' -X POST "${urls[i % REPLICAS]}/build"
        ) >"$SCRATCH/build.$i" &
        pids+=($!)
    done
    wait "${pids[@]}"
    check_equal "builds at once" 12 "$(cat "$SCRATCH"/build.* | grep -c 200)"
    check_equal "of a replica's those that wait are one: at most a version each, and no gap" t \
        "$(sql 'SELECT count(*) = max(version) AND count(*) BETWEEN 3 AND 14 FROM trendline_models')"
    check_equal "none knows less than the one before" t "$(sql 'SELECT bool_and(known) FROM (
        SELECT events >= lag(events, 1, 0::bigint) OVER (ORDER BY version) FROM trendline_models) m(known)')"
}

# Another session stores the same id and has not committed: whoever comes second waits, and then knows.
# raced NAME ENDING WANTS: the answer to an event whose id is looked up in vain, then met when it is stored
raced() {
    local psql
    coproc OTHER { psql -XAtq "$URI"; }
    psql=$OTHER_PID
    echo "BEGIN; INSERT INTO trendline_ids SELECT 'raced-$1', 4711, digest FROM trendline_ids WHERE id = 'e-0';" >&"${OTHER[1]}"
    is_held() { [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND query ~ 'raced-$1'")" = 1 ]; }
    wait_until 10 is_held
    URL=${urls[1]} answer /action -d "$(event 0 | sed "s/e-0/raced-$1/")" >"$SCRATCH/raced" &
    local asked=$!
    is_waiting() { [ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'trendline' AND wait_event_type = 'Lock'")" = 1 ]; }
    check_equal "$1: it waits" yes "$(wait_until 10 is_waiting && echo yes)"
    printf '%s;\n\\q\n' "$2" >&"${OTHER[1]}"
    wait "$psql" "$asked"
    check_contains "$1: and then knows" "$3" "$(cat "$SCRATCH/raced")"
}

test_raced_ids() {
    raced committed COMMIT '200 {"seq": 4711, "duplicate": true}'
    raced "rolled-back" ROLLBACK '201 {"seq": '
    check_equal "what was rolled back is stored once" 1 "$(sql "SELECT count(*) FROM trendline_rows WHERE id = 'raced-rolled-back'")"
}

# The union replayed into files gives the same bits.
test_files() {
    new_data
    start_service MODEL=linear
    sql "SELECT features || jsonb_build_object('target', target) FROM trendline_events
        WHERE id IS NOT NULL ORDER BY random()" >"$SCRATCH/union.ndjson"
    answer /action -H 'Content-Type: application/x-ndjson' --data-binary "@$SCRATCH/union.ndjson" >/dev/null
    check_equal "built from files" 200 "$(build)"
    check_equal "the same bits" "$union_model" "$(model_at "$URL")"
    stop_service
}

test_new_replica() {
    new_data
    start_service "POSTGRES_URI=$URI" MODEL=linear
    check_equal "a new replica with an empty directory" "$(model_at "${urls[0]}")" "$(model_at "$URL")"
    stop_service
}

# From time to time the sums are kept, with a position for each writer. What they cover is not read
# again: to a new replica it need not even be there.
test_kept_sums() {
    local before
    before=$(events_at "${urls[0]}")
    awk 'BEGIN { for (i = 0; i < 70000; i++)
        printf "{\"a\":%d,\"b\":%.17g,\"target\":%d}\n", i % 100, i / 7, i % 13 }' >"$SCRATCH/many.ndjson"
    URL=${urls[1]} answer /action -H 'Content-Type: application/x-ndjson' \
        --data-binary "@$SCRATCH/many.ndjson" >/dev/null
    check_equal "many events are learnt" yes "$(wait_until 20 all_know $((before + 70000)) && echo yes)"
    are_kept() { [ "$(sql 'SELECT count(*) FROM trendline_moments WHERE events >= 65536')" = 1 ]; }
    check_equal "the sums are kept" yes "$(wait_until 20 are_kept && echo yes)"
    sql "DELETE FROM trendline_rows r USING trendline_moments m, unnest(m.writers, m.numbers) p(writer, number)
        WHERE r.writer = p.writer AND r.number <= p.number"
    check_equal "most rows are gone" yes \
        "$(sql 'SELECT count(*) < 10000 FROM trendline_rows' | sed 's/t/yes/')"
    check_equal "a build that is far behind takes the sums" 200 "$(URL=${urls[0]} build)"
    check_equal "with all that they have" $((before + 70000)) "$(events_at "${urls[0]}")"
    new_data
    start_service "POSTGRES_URI=$URI" MODEL=linear
    knows_the_same() { [ "$(model_at "$URL")" = "$(model_at "${urls[0]}")" ]; }
    check_equal "a new replica knows the same" yes "$(wait_until 10 knows_the_same && echo yes)"
    stop_service
}

start_postgres
start_replicas
check_equal "a first event" 201 "$(URL=${urls[0]} status /action -d "$(event 0)")"
check_equal "the model that moves" 200 "$(URL=${urls[0]} build)"
write_at_once
test_union
test_freshness
test_build_elsewhere
test_builds_at_once
test_files
test_raced_ids
test_new_replica
test_kept_sums
for SERVICE in "${services[@]}"; do stop_service; done
check_equal "no password in any log" "" "$(cat "${logs[@]}" | grep -o "$PASSWORD")"
check_report postgres/replicas
