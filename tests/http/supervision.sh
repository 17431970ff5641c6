#!/bin/bash
# The process group: it starts fast, says so, survives the death of any of its parts, and ends whole.
. "$(dirname "$0")/../lib.sh"

PORT=18090
URL=http://127.0.0.1:$PORT
DATA=$SCRATCH/data
mkdir "$DATA"
SERVICE=
on_exit 'stop'

# start [NAME=VALUE...]: serves $DATA, and waits for the line that says so
start() {
    : >"$SCRATCH/out"
    env PORT="$PORT" DATA_DIR="$DATA" "$@" "$TRENDLINE" serve >"$SCRATCH/out" 2>"$SCRATCH/err" &
    SERVICE=$!
    wait_until 30 grep -q ' ready on ' "$SCRATCH/out"
}

# stop [SIGNAL]: its exit status is the service's
stop() {
    [ -n "$SERVICE" ] || return 0
    kill -s "${1:-TERM}" "$SERVICE"
    wait "$SERVICE"
    local code=$?
    SERVICE=
    return "$code"
}

# ours NAME: the processes of the service with that command name
ours() {
    pgrep -s "$(group_sessions)" -x "$1"
}

# Each service has a session of its own, and s6-svscan has one: the sessions of all of them.
group_sessions() {
    local svscan supervisors
    svscan=$(pgrep -P "$SERVICE" -x s6-svscan)
    supervisors=$(pgrep -P "$svscan" -d,)
    { echo "$svscan"; pgrep -P "$supervisors"; } | paste -sd, -
}

# codes COUNT PATH: the statuses of so many requests in a row
codes() {
    local i
    for ((i = 0; i < $1; i++)); do
        curl -s -o /dev/null -w '%{http_code}\n' "$URL$2"
    done | sort | uniq -c | awk '{ print $2 " x" $1 }' | paste -sd' ' -
}

# kill_all NAME: with SIGKILL
kill_all() {
    # shellcheck disable=SC2046  # one word a process
    kill -s KILL $(ours "$1")
}

answers() {
    [ "$(curl -s -o /dev/null -w '%{http_code}' "$URL/healthz")" = 200 ]
}

is_gone() {
    ! curl -s -o /dev/null "$URL/healthz" && [ -z "$(pgrep -P "$1")" ]
}

has_no_directory() {
    [ ! -e "$1" ]
}

test_start() {
    local begin=$EPOCHREALTIME
    start WORKERS=2
    check_equal "it answers within a second" yes \
        "$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { print b - a < 1 ? "yes" : b - a " s" }')"
    check_equal "one line says that it is ready" \
        "trendline 0.1.0 ready on $URL, data in $DATA" "$(head -n 1 "$SCRATCH/out")"
    check_equal "no model yet" "503 x4" "$(codes 4 /predict?a=1)"
}

test_killed_binaries() {
    local round
    for round in 1 2 3; do
        kill_all predict
        check_equal "no request is lost when every predict dies ($round)" "503 x8" "$(codes 8 /predict?a=1)"
        kill_all action
        check_equal "nor when action dies ($round)" "405 x8" "$(codes 8 /action)"
        kill_all build
        check_equal "nor when build dies ($round)" "405 x8" "$(codes 8 /build)"
    done
    check_equal "each is there once" "2 1 1" \
        "$(ours predict | wc -l) $(ours action | wc -l) $(ours build | wc -l)"
}

test_killed_supervisor() {
    kill -s KILL "$(pgrep -f '^s6-supervise action$' -P "$(pgrep -P "$SERVICE" -x s6-svscan)")"
    check_equal "a request waits for action's new supervisor" "405 x2" "$(codes 2 /action)"
    wait_until 5 ours action
    check_equal "action is there once" 1 "$(ours action | wc -l)"
}

test_killed_nginx() {
    local master
    master=$(pgrep -s "$(group_sessions)" -f '^nginx: master')
    kill -s KILL "$master"
    wait_until 5 pgrep -s "$(group_sessions)" -f '^nginx: master'
    wait_until 5 answers
    check_equal "nginx comes back" "200 x4" "$(codes 4 /healthz)"
    check_equal "without the workers of the one that died" 2 \
        "$(pgrep -s "$(group_sessions)" -f '^nginx: worker' | wc -l)"
}

test_signals() {
    local signal
    for signal in TERM INT HUP QUIT; do
        [ -n "$SERVICE" ] || start
        local service=$SERVICE begin=$EPOCHREALTIME
        stop "$signal"
        check_equal "SIG$signal is no failure" 0 $?
        check_equal "SIG$signal ends it within two seconds" yes \
            "$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { print b - a < 2 ? "yes" : b - a " s" }')"
        check_equal "SIG$signal leaves nothing" yes "$(is_gone "$service" && echo yes)"
    done
}

test_killed_svscan() {
    start
    local service=$SERVICE
    kill -s KILL "$(pgrep -P "$SERVICE" -x s6-svscan)"
    wait "$SERVICE"
    check_equal "without s6-svscan it fails" 1 $?
    SERVICE=
    check_equal "and leaves nothing" yes "$(is_gone "$service" && echo yes)"
}

test_killed_launcher() {
    start
    local service=$SERVICE run
    run=$(pgrep -P "$SERVICE" -a -x s6-svscan | sed 's/.* \(.*\)\/services$/\1/')
    kill -s KILL "$SERVICE"
    wait "$SERVICE" 2>/dev/null
    SERVICE=
    wait_until 3 has_no_directory "$run"
    check_equal "a killed launcher leaves no run directory" "" "$(ls -d "$run" 2>/dev/null)"
    check_equal "and nothing that listens" yes "$(is_gone "$service" && echo yes)"
}

# refused ABOUT MESSAGE NAME=VALUE...: the start fails with that message, on one line
refused() {
    local about=$1 wants=$2 message
    shift 2
    message=$(env PORT="$PORT" DATA_DIR="$DATA" "$@" "$TRENDLINE" serve 2>&1)
    check_equal "$about: exit code" 1 $?
    check_contains "$about: the message" "$wants" "$message"
    check_equal "$about: one line" 1 "$(printf '%s\n' "$message" | wc -l)"
}

test_refusals() {
    touch "$SCRATCH/file"
    refused "a port out of range" "PORT=0 cannot be used" PORT=0
    refused "a directory that is none" "DATA_DIR=$SCRATCH/file" DATA_DIR="$SCRATCH/file"
    refused "a directory that cannot be made" "DATA_DIR=$SCRATCH/file/x" DATA_DIR="$SCRATCH/file/x"
    refused "a URI with spaces" "POSTGRES_URI cannot be used" POSTGRES_URI="host=a user=b"
    start
    refused "a port in use" "PORT=$PORT: Address already in use" DATA_DIR="$DATA"
}

test_owner() {
    [ "$(id -u)" -eq 0 ] || return 0
    local data=$SCRATCH/owned
    mkdir "$data"
    chmod 755 "$SCRATCH"
    chown 4321:4322 "$data"
    stop
    DATA=$data start
    curl -s -d '{"a":1,"target":2}' "$URL/action" >/dev/null
    curl -s -X POST "$URL/build" >/dev/null
    check_equal "the files belong to the directory's owner" 4321:4322 \
        "$(find "$data" -printf '%U:%G\n' | sort -u)"
    check_equal "and so do the processes" 4321 \
        "$(ours predict | xargs ps -o uid= -p | sort -u | tr -d ' ')"
}

test_start
test_killed_binaries
test_killed_supervisor
test_killed_nginx
test_signals
test_killed_svscan
test_killed_launcher
test_refusals
test_owner
check_report supervision
