#!/usr/bin/env bash
# deploy/compose.yaml as it is: three replicas behind the balancer; one of them, then PostgreSQL
# itself, killed under load, with nothing lost and nothing counted twice.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=common.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/common.bash"

EVENTS=600
POSTGRES_PASSWORD=secret-$RANDOM
PORT=$((18600 + RANDOM % 300))
export POSTGRES_PASSWORD PORT TRENDLINE_IMAGE=trendline-test-compose POSTGRES_IMAGE=trendline-test-postgres
URL=http://127.0.0.1:$PORT
PROJECT=trendline-test-$$

compose() {
    if [ "$ENGINE" = docker ]; then
        docker compose -p "$PROJECT" -f "$ROOT/deploy/compose.yaml" "$@"
    else
        podman-compose -p "$PROJECT" -f "$ROOT/deploy/compose.yaml" "$@"
    fi
}

# container SERVICE: its name
container() {
    "$ENGINE" ps -a --format '{{.Names}}' | grep -E "^${PROJECT}[-_]$1[-_]1$"
}

# Podman wants systemd for an image's health check, so that this one is built without.
build_images() {
    BUILDAH_FORMAT=oci "$ENGINE" build -q -t "$TRENDLINE_IMAGE" "$ROOT" &&
        BUILDAH_FORMAT=oci "$ENGINE" build -q -t "$POSTGRES_IMAGE" "$ROOT/tests/image/postgres"
}

# post N: event N, again and again until it is acknowledged
post() {
    local tries
    for ((tries = 0; tries < 300; tries++)); do
        curl -sf --max-time 5 -o /dev/null "$URL/action" \
            -d "{\"_id\":\"c$1\",\"a\":$1,\"b\":$(($1 % 7)),\"target\":$((2 * $1 + 1))}" && return
        sleep 0.1
    done
    return 1
}

post_all() {
    export -f post
    export URL
    # shellcheck disable=SC2016 # the inner shell expands it
    seq 1 $EVENTS | xargs -P 8 -I '{}' bash -c 'post "$0" || echo lost' '{}' >"$SCRATCH/lost"
}

sql() {
    "$ENGINE" exec "$(container postgres)" env PGPASSWORD="$POSTGRES_PASSWORD" \
        psql -XAtq -h 127.0.0.1 -U trendline -c "$1" trendline
}

stored() {
    sql 'SELECT count(*) FROM trendline_events'
}

has_stored() {
    [ "$(stored)" -ge "$1" ]
}

is_built() {
    [ "$(status_of -X POST "$URL/build")" = 200 ]
}

# address SERVICE: of its container
address() {
    "$ENGINE" inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' "$(container "$1")" |
        cut -d' ' -f1
}

# rows_of SERVICE: what its model has learnt
rows_of() {
    curl -sf --max-time 5 "http://$(address "$1")/model" | sed -n 's/^  "rows": \([0-9]*\),/\1/p'
}

rows_are_all() {
    [ "$(rows_of trendline-1) $(rows_of trendline-2) $(rows_of trendline-3)" = "$EVENTS $EVENTS $EVENTS" ]
}

check_equal "the images are built" 0 "$(build_images >"$SCRATCH/build.log" 2>&1; echo $?)"
on_exit "compose down -v >/dev/null 2>&1"
compose up -d >"$SCRATCH/up.log" 2>&1
if ! wait_until 60 curl -sf "$URL/healthz"; then
    check_fail "one command, and it answers" "an answer" "$(tail -n 20 "$SCRATCH/up.log")"
    check_report compose
    exit 1
fi
check_equal "the first event is stored" 0 "$(post 1; echo $?)"
# on a busy machine a database may take longer than the 2 s after which a build is 503
check_equal "a build" yes "$(wait_until 60 is_built && echo yes)"
post_all &
load=$!
wait_until 60 has_stored $((EVENTS / 4))
"$ENGINE" kill "$(container trendline-2)" >/dev/null
wait_until 60 has_stored $((EVENTS / 2))
"$ENGINE" kill "$(container postgres)" >/dev/null
check_equal "without PostgreSQL: a prediction" 200 "$(status_of "$URL/predict?a=1&b=1")"
"$ENGINE" start "$(container postgres)" >/dev/null 2>&1
"$ENGINE" start "$(container trendline-2)" >/dev/null 2>&1
wait $load
check_equal "every event was acknowledged" "" "$(cat "$SCRATCH/lost")"
check_equal "and is stored once" "$EVENTS $EVENTS" \
    "$(sql "SELECT count(*) || ' ' || count(DISTINCT id) FROM trendline_events")"
check_equal "all replicas have learnt them" yes "$(wait_until 20 rows_are_all && echo yes)"
check_equal "and predict the same" "1" "$(for name in trendline-1 trendline-2 trendline-3; do
    curl -s "http://$(address "$name")/predict?a=0.1&b=0.7"
done | sort -u | wc -l)"
check_report compose
