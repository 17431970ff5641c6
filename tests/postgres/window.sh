#!/usr/bin/env bash
# WINDOW on one database: all replicas have the same bits, those of the events with the greatest
# numbers, in whatever order they learn; a new one too, without reading all of them.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=postgres.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/postgres.bash"

WINDOW=100
urls=()
posts=()

start_replica() {
    new_data
    start_service "POSTGRES_URI=$URI" WINDOW=$WINDOW "$@"
    urls+=("$URL")
}

# events FROM TO: awkward to sum, some with ids, one kind of them no longer at the end
events() {
    awk -v from="$1" -v to="$2" 'BEGIN { for (i = from; i < to; i++) {
        kind = i < 300 ? "early" : i % 2 ? "odd" : "even"
        printf("{\"a\":%.17g,\"kind\":\"%s\",\"target\":%.17g%s}\n", i % 7 ? i / 10 : 1e12 + i, kind,
            i / 3, i % 3 ? "" : ",\"_id\":\"e-" i "\"") } }'
}

model_at() {
    curl -s "$1/model" | jq -c '[.rows, .levels, .intercept, .coefficients, .remainder, .mse, .reach]'
}

all_agree() {
    [ "$(for url in "${urls[@]}"; do model_at "$url"; done | sort -u | wc -l)" = 1 ] &&
        [ "$(curl -s "${urls[0]}/model" | jq .events)" = "$1" ]
}

# what the last events alone are, in files
union_model() {
    sql "SELECT features || jsonb_build_object('target', target) FROM
        (SELECT * FROM trendline_events ORDER BY seq DESC LIMIT $WINDOW) last ORDER BY random()" >"$SCRATCH/last"
    new_data
    start_service MODEL=linear
    answer /action -H 'Content-Type: application/x-ndjson' --data-binary "@$SCRATCH/last" >/dev/null
    build >/dev/null
    model_at "$URL"
    stop_service
}

start_postgres
for _ in 1 2 3; do start_replica MODEL=linear; done
events 0 5 | URL=${urls[0]} status /action --data-binary @- >/dev/null
check_equal "a build" 200 "$(URL=${urls[1]} build)"
for ((part = 0; part < 6; part++)); do
    events $((5 + part * 99)) $((5 + part * 99 + 99)) >"$SCRATCH/part.$part"
done
for ((part = 0; part < 6; part++)); do
    URL=${urls[part % 3]} answer /action -H 'Content-Type: application/x-ndjson' \
        --data-binary "@$SCRATCH/part.$part" >/dev/null &
    posts+=($!)
    [ $((part % 3)) -ne 2 ] || wait "${posts[@]}"
done
wait "${posts[@]}"
check_equal "all replicas agree" yes "$(wait_until 10 all_agree 599 && echo yes)"
check_equal "on the last events alone" "$WINDOW" "$(curl -s "${urls[1]}/model" | jq .rows)"
check_equal "a level that has left is not known" 422 "$(URL=${urls[2]} status '/predict?a=1&kind=early')"
before=$(model_at "${urls[0]}")
check_equal "as those events alone are learnt" "$(union_model)" "$before"
start_replica MODEL=linear
check_equal "a new replica agrees" yes "$(wait_until 10 all_agree 599 && echo yes)"
URL=${urls[3]} status /action -d '{"a":5,"kind":"odd","target":1}' >/dev/null
check_equal "and goes on with the others" yes "$(wait_until 10 all_agree 600 && echo yes)"
check_equal "no sums are kept for others" 0 "$(sql 'SELECT count(*) FROM trendline_moments')"
check_report postgres/window
