#!/usr/bin/env bash
# The settings that change what is learnt are kept in the database, too: replicas that live at the same time have the
# same; who comes when none lives takes over.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=postgres.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/postgres.bash"

start_replica() {
    new_data
    start_service "POSTGRES_URI=$URI" "$@"
}

failed_replica() {
    new_data
    failed_start "POSTGRES_URI=$URI" "$@"
}

test_at_once() {
    start_replica
    local first=$SERVICE setting
    seq 200 | awk '{ x = $1 % 37 / 4; printf "{\"x\": %.4f, \"target\": %.4f}\n", x, x * x + sin(7 * $1) / 9 }' |
        status /action --data-binary @- >/dev/null
    build >/dev/null
    check_contains "a curve is chosen" "$(model .model)" '"quadratic" "cubic" "fourier"'
    for setting in MODEL=linear WINDOW=50 MISSING=allow TARGET=price; do
        check_contains "$setting beside others is refused" "1: another service works on the database with" "$(failed_replica "$setting")"
        check_contains "$setting is named" "this one has $setting" "$(cat "$SCRATCH/failed")"
    done
    start_replica
    check_equal "another with the same" 201 "$(status /action -d '{"x":1,"target":1}')"
    stop_service "$first"
    check_contains "the second one is enough" "another service" "$(failed_replica MODEL=linear)"
    stop_service
}

test_one_after_another() {
    start_replica MODEL=linear
    check_contains "who takes over says so" "learnt from with MODEL=auto; from now on it is MODEL=linear" "$(cat "$LOG")"
    check_equal "the model is made anew" '"linear"' "$(model .model)"
    follows "linear after a curve"
    kill_service
    start_replica MODEL=linear
    check_equal "the same again is not worth a word" "" "$(grep "learnt from with" "$LOG")"
    sql "UPDATE trendline_settings SET settings = 'x' || settings"
    stop_service
    start_replica MODEL=linear
    check_contains "damage is said" "trendline_settings: not what was written" "$(cat "$LOG")"
    check_contains "and mended" '"MODEL": "linear"' "$(sql 'SELECT settings FROM trendline_settings')"
    stop_service
}

waiting() {
    sql "SELECT count(*) FROM pg_locks WHERE relation = 'trendline_settings'::regclass AND $1"
}

is_held() {
    [ "$(waiting "granted AND mode = 'AccessExclusiveLock'")" = 1 ]
}

are_two_waiting() {
    [ "$(waiting "NOT granted")" = 2 ]
}

# start_together FILE NAME=VALUE: a start's own words, and how it ended
start_together() {
    local DATA
    new_data
    env "DATA_DIR=$DATA" "POSTGRES_URI=$URI" "$2" "$TRENDLINE" prepare >"$1" 2>&1
    echo "ended: $?" >>"$1"
}

# Several come with the same new settings when nobody lives: each holds up the others for a moment, and none is refused.
test_together() {
    local one
    coproc psql -XAtq "$URI"
    # shellcheck disable=SC2153 # psql's
    local statements=${COPROC[1]} holder=$COPROC_PID starts=()
    echo "BEGIN; LOCK TABLE trendline_settings;" >&"$statements"
    wait_until 10 is_held || check_fail "the table" "that it is held" "it is not"
    for one in first second; do
        start_together "$SCRATCH/$one" MODEL=auto &
        starts+=($!)
    done
    wait_until 10 are_two_waiting || check_fail "two starts" "that both wait" "$(cat "$SCRATCH/first" "$SCRATCH/second")"
    echo "COMMIT; \q" >&"$statements"
    wait "${starts[@]}" "$holder"
    for one in first second; do
        check_contains "the $one of two at once" "ended: 0" "$(cat "$SCRATCH/$one")"
    done
    check_contains "what they have is kept" '"MODEL": "auto"' "$(sql 'SELECT settings FROM trendline_settings')"
}

# An import changes no settings, however often it is tried.
test_import() {
    local one
    for one in first second; do
        new_data
        check_contains "the $one import with others" "import with the same MODEL" \
            "$(DATA_DIR=$DATA POSTGRES_URI=$URI MODEL=linear "$TRENDLINE" import <<<'{"x": 1, "target": 9, "_id": "new"}' 2>&1)"
    done
    check_contains "what was kept is kept" '"MODEL": "auto"' "$(sql 'SELECT settings FROM trendline_settings')"
}

# store_at URL: what an event is answered there: 201, "other settings", or another status
store_at() {
    local code
    code=$(URL=$1 status /action -d '{"x":1,"target":1}')
    if grep -q "another service works on the database with .*, and this one has " "$SCRATCH/body"; then
        echo "other settings"
    else
        echo "$code"
    fi
}

# one_stores: and the other one is told why not
one_stores() {
    [ "$(printf '%s\n' "$(store_at "$linear")" "$(store_at "$auto")" | sort | paste -sd ,)" = "201,other settings" ]
}

# While the database is away nobody can look: of two with different settings that are there when it is back, one stores.
test_away() {
    start_replica MODEL=linear
    local linear=$URL auto
    stop_postgres
    start_replica
    auto=$URL
    resume_postgres
    check_equal "one of both stores, the other one names both" yes "$(wait_until 30 one_stores && echo yes)"
    check_equal "and so it stays" yes "$(one_stores && echo yes)"
}

start_postgres
test_at_once
test_one_after_another
test_together
test_import
test_away
check_report postgres/settings
