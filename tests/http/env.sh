#!/usr/bin/env bash
# The environment: what a setting does, and that one which cannot be used stops the start.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

# stops NAME=VALUE ALLOWED: one line that names the variable, the value and what is allowed
stops() {
    local said
    said=$(failed_start "$1")
    check_contains "$1 stops the start" "1: trendline: $1 " "$said"
    check_contains "$1: what is allowed" "$2" "$said"
    check_equal "$1: one line" 1 "$(wc -l <"$SCRATCH/failed")"
    check_equal "$1: nothing is made" "" "$(ls -A "$DATA")"
}

test_bad_values() {
    local value
    new_data
    for value in 0 65536 99999999999999999999 -1 http 80x 0x50 '8 0'; do
        stops "PORT=$value" "1 to 65535"
    done
    for value in 0 65 many -2 2.5; do stops "WORKERS=$value" "1 to 64"; done
    for value in offline ONLINE true; do stops "LEARN=$value" "online or build"; done
    for value in AUTO tree; do stops "MODEL=$value" linear; done
    stops "TARGET=_price" "a name such as"
    for value in yes ALLOW; do stops "MISSING=$value" "refuse or allow"; done
    for value in yes mean; do stops "UNSEEN=$value" "refuse or base"; done
    for value in 0 -1 16q 16mb 1.5m 99999999999g; do stops "MAX_BODY=$value" 16m; done
    for value in -1 lots 64x; do stops "MIN_FREE=$value" 16m; done
    for value in -1 fast 1.5 100r/m 1000001; do stops "RATE_LIMIT=$value" 100r/s; done
    for value in 0 -5 all; do stops "ID_WINDOW=$value" unlimited; done
    for value in 9 2000001 -100 1e3 all; do stops "WINDOW=$value" "from 10 to 2000000"; done
    for value in 0 1 1.5 -0.5 nan 99%; do stops "FORGET=$value" "above 0 and below 1"; done
    check_contains "both" "FORGET=0.9 cannot be used: it must be unset with WINDOW" "$(failed_start FORGET=0.9 WINDOW=100)"
    check_contains "FORGET with a database" "FORGET=0.9 cannot be used: it must be unset with WINDOW and with POSTGRES_URI" \
        "$(failed_start FORGET=0.9 POSTGRES_URI=postgresql://nobody@127.0.0.1:1/none)"
}

test_places() {
    local said port
    new_data
    echo content >"$DATA/file"
    said=$(failed_start "DATA_DIR=$DATA/file")
    check_contains "DATA_DIR is a file" "DATA_DIR=$DATA/file" "$said"
    said=$(failed_start DATA_DIR=/proc/nothing)
    check_contains "DATA_DIR cannot be made" "DATA_DIR=/proc/nothing" "$said"
    said=$(failed_start "TRAIN_FILE_PATH=$DATA/none")
    check_contains "no such TRAIN_FILE_PATH" "TRAIN_FILE_PATH=$DATA/none" "$said"
    start_service "DATA_DIR=$DATA/deep/er"
    check_equal "DATA_DIR is made" 201 "$(status /action -d '{"a":1,"target":2}')"
    check_equal "and used" 1 "$(wc -l <"$DATA/deep/er/actions.jsonl")"
    port=${URL##*:}
    said=$(failed_start "PORT=$port")
    check_contains "PORT is taken" "PORT=$port" "$said"
    check_equal "that harms no one" 200 "$(status /healthz)"
    stop_service
}

test_empty_is_unset() {
    new_data
    start_service LEARN= MODEL= MISSING= UNSEEN= TARGET= WORKERS= MAX_BODY= MIN_FREE= ID_WINDOW= WINDOW= FORGET= RATE_LIMIT= TRAIN_FILE_PATH=
    check_equal "an empty variable is as good as none" 200 "$(status /healthz)"
    stop_service
}

test_values() {
    new_data
    start_service WORKERS=3 MODEL=linear LEARN=online ID_WINDOW=unlimited MAX_BODY=1K MIN_FREE=0
    check_equal "WORKERS" 3 "$(pids_of predict | wc -l)"
    check_equal "MAX_BODY" 413 "$(head -c 1025 /dev/zero | status /action --data-binary @-)"
    stop_service
    start_service WORKERS=1
    learn_plane
    check_equal "one worker is enough" '200 {"prediction": 321}' "$(answer "/predict?a=10&b=100")"
    stop_service
}

test_commands() {
    check_contains "--version" "trendline 0." "$("$TRENDLINE" --version)"
    check_contains "--help" serve "$("$TRENDLINE" --help)"
    new_data
    start_service
    env "PORT=${URL##*:}" "$TRENDLINE" health
    check_equal "trendline health" 0 $?
    stop_service
    env "PORT=${URL##*:}" "$TRENDLINE" health >/dev/null 2>&1
    check_equal "trendline health, when there is none" 1 $?
}

test_bad_values
test_places
test_empty_is_unset
test_values
test_commands
check_report http/env
