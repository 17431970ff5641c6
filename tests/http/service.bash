# What the tests over HTTP share; sourced after lib.sh: the real service, started by the real launcher
# on a data directory of its own, and questions to it by curl. A test reads
#
#     new_data
#     start_service LEARN=build
#     check_equal "one event" '201 {"seq": 1}' "$(answer /action -d '{"a":1,"target":2}')"
#     refuses "an unknown feature" 422 '"x"' "/predict?x=1"
#     stop_service
# shellcheck shell=bash

# ports that nothing else of ours uses; a taken one is passed over
PORT_FIRST=${PORT_FIRST:-18200}
PORT_COUNT=100

# new_data: DATA is an empty data directory
new_data() {
    DATA=$(mktemp -d "$SCRATCH/data.XXXXXX")
}

free_port() {
    local tries port
    for ((tries = 0; tries < PORT_COUNT; tries++)); do
        port=$((PORT_FIRST + RANDOM % PORT_COUNT))
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

is_alive() {
    local stat
    read -r stat 2>/dev/null <"/proc/$1/stat" && [[ ${stat##*) } != Z* ]]
}

is_gone() {
    ! is_alive "$1"
}

# Ready, and what is stored has been read, which a slow machine may not have done by then; with
# WAIT_PREPARED=no whether or not it has.
is_ready_or_gone() {
    is_gone "$SERVICE" && return
    grep -q ' ready on ' "$LOG" || return
    [ "${WAIT_PREPARED:-yes}" = no ] || ! grep -q 'still being read' "$LOG" || grep -q 'the data are ' "$LOG"
}

# With STORE_URI set (tests/postgres/contract.sh) the services of these tests store in that database, in
# a schema of its own for each data directory. There the checks of files do not apply.
on_files() {
    [ -z "${STORE_URI:-}" ]
}

# store_uri: empty on files
store_uri() {
    local schema=${DATA##*.}
    on_files && return
    psql -Xq -c "CREATE SCHEMA IF NOT EXISTS \"$schema\"" "$STORE_URI" 2>/dev/null
    echo "$STORE_URI?options=-csearch_path%3D\"$schema\""
}

# journal: what is stored, one event a line, as in the file
journal() {
    if on_files; then
        cat "$DATA/actions.jsonl"
    else
        psql -XAtq -c "SELECT jsonb_strip_nulls(jsonb_build_object('_seq', seq, '_id', id, 'target', target)
            || features) FROM trendline_events ORDER BY seq" "$(store_uri)" 2>/dev/null
    fi
}

# launch [NAME=VALUE...]: status 1 when the service ends instead of answering; its output is in LOG
launch() {
    local port
    port=$(free_port)
    URL=http://127.0.0.1:$port
    LOG=$(mktemp "$SCRATCH/log.XXXXXX")
    env "PORT=$port" "DATA_DIR=$DATA" WORKERS=2 "POSTGRES_URI=$(store_uri)" "$@" "$TRENDLINE" serve >"$LOG" 2>&1 &
    SERVICE=$!
    on_exit "kill_service $SERVICE"
    wait_until 60 is_ready_or_gone
    is_alive "$SERVICE"
}

# start_service [NAME=VALUE...]: serves DATA with these settings; URL is where, SERVICE the launcher's
# pid, LOG what it says. Ends the script when it cannot.
start_service() {
    local tries
    for ((tries = 0; tries < 5; tries++)); do
        launch "$@" && return
        grep -q 'cannot listen' "$LOG" || break
    done
    check_fail "starting the service" "that it answers" "$(cat "$LOG")"
    check_report "http/$(basename "$0" .sh)"
    exit 1
}

# failed_start [NAME=VALUE...]: "EXIT-CODE: what it said" of a start that must not succeed
failed_start() {
    local code
    timeout 20 env "PORT=$(free_port)" "DATA_DIR=$DATA" WORKERS=2 "$@" "$TRENDLINE" serve \
        >"$SCRATCH/failed" 2>&1
    code=$?
    printf '%d: %s' "$code" "$(cat "$SCRATCH/failed")"
}

# stop_service [PID]: asks the launcher to end, as Ctrl-C and `docker stop` do; its exit code is the
# status
stop_service() {
    local pid=${1:-$SERVICE}
    kill -TERM "$pid"
    wait_until 10 is_gone "$pid" || check_fail "stopping the service" "that it ends" "it goes on"
    wait "$pid"
}

# kill_service [PID]: kill -9 for all of it at once, parents first
kill_service() {
    local pid pids
    mapfile -t pids < <(group_of "${1:-$SERVICE}")
    [ ${#pids[@]} -eq 0 ] || kill -9 "${pids[@]}"
    for pid in "${pids[@]}"; do wait_until 10 is_gone "$pid"; done
    wait "${1:-$SERVICE}"
} 2>/dev/null # the shell would tell of each

# group_of PID: the living processes of that launcher, itself first. Forks nothing: it is used to wait.
group_of() {
    local child children
    is_alive "$1" || return 0
    echo "$1"
    read -r -a children 2>/dev/null <"/proc/$1/task/$1/children"
    for child in "${children[@]}"; do group_of "$child"; done
}

# pids_of NAME: the service's processes with that name: predict, action, build, nginx
pids_of() {
    local pid name
    group_of "$SERVICE" | while read -r pid; do
        read -r name 2>/dev/null <"/proc/$pid/comm" && [ "$name" = "$1" ] && echo "$pid"
    done
}

# --- questions -----------------------------------------------------------------------------------

# answer PATH [CURL-ARGUMENT...]: "STATUS BODY"; the parts are kept in $SCRATCH/headers and /body
answer() {
    local path=$1 status
    shift
    rm -f "$SCRATCH/headers" "$SCRATCH/body"
    touch "$SCRATCH/headers" "$SCRATCH/body"
    status=$(curl -sg --max-time 120 -D "$SCRATCH/headers" -o "$SCRATCH/body" -w '%{http_code}' \
        "$@" "$URL$path")
    printf '%s %s' "$status" "$(cat "$SCRATCH/body")"
}

# status PATH [CURL-ARGUMENT...]
status() {
    answer "$@" >/dev/null
    header_status
}

# header NAME: its value in the last answer
header() {
    tr -d '\r' <"$SCRATCH/headers" | sed -n "s/^$1: //Ip"
}

header_status() {
    sed -nE 's/^HTTP[^ ]* ([0-9]+).*/\1/p' "$SCRATCH/headers" | tail -n 1 | tr -d '\r'
}

# header_faults: what the last answer's headers lack, or have twice
header_faults() {
    local name
    [ "$(header X-Content-Type-Options)" = nosniff ] || echo "no X-Content-Type-Options"
    [ "$(header Cache-Control)" = no-store ] || echo "Cache-Control: $(header Cache-Control)"
    [[ $(header Content-Security-Policy) == "default-src 'none'"* ]] || echo "no Content-Security-Policy"
    [ "$(header Server)" = nginx ] || echo "Server: $(header Server)"
    for name in Allow Retry-After Content-Type; do
        [ "$(header "$name" | wc -l)" -le 1 ] || echo "$name twice"
    done
}

# error_faults: what the last answer lacks to be an error as all are
error_faults() {
    [ "$(header Content-Type)" = application/json ] || echo "Content-Type: $(header Content-Type)"
    jq -e 'keys == ["error"] and (.error | type == "string" and length > 0 and test("^[^\n]+$"))' \
        "$SCRATCH/body" >/dev/null 2>&1 || echo "not {\"error\": one sentence}"
    header_faults
    case $(header_status) in
    401) [ "$(header WWW-Authenticate)" = Bearer ] || echo "no WWW-Authenticate" ;;
    405) [ -n "$(header Allow)" ] || echo "no Allow" ;;
    429 | 503) [[ $(header Retry-After) =~ ^[1-9][0-9]*$ ]] || echo "Retry-After: $(header Retry-After)" ;;
    esac
}

# refuses NAME STATUS TEXT PATH [CURL-ARGUMENT...]: an error with that status whose sentence has TEXT
refuses() {
    local name=$1 status=$2 text=$3
    shift 3
    answer "$@" >/dev/null
    check_equal "$name" "$status " "$(header_status) $(error_faults)"
    check_contains "$name: the sentence" "$text" "$(jq -r '.error' "$SCRATCH/body" 2>&1)"
}

# raw TEXT: the whole answer to these very bytes (notation of printf %b), as far as it comes
raw() {
    exec 3<>"/dev/tcp/127.0.0.1/${URL##*:}"
    printf %b "$1" >"$SCRATCH/request" # to be sent in one piece: the answer may come before the end
    cat "$SCRATCH/request" >&3
    timeout 20 cat <&3
    exec 3>&-
}

# raw_refuses NAME STATUS TEXT REQUEST: as `refuses`, for what curl would not send
raw_refuses() {
    raw "$4" >"$SCRATCH/raw"
    sed '/^\r*$/q' "$SCRATCH/raw" >"$SCRATCH/headers"
    sed '1,/^\r*$/d' "$SCRATCH/raw" >"$SCRATCH/body"
    check_equal "$1" "$2 " "$(header_status) $(error_faults)"
    check_contains "$1: the sentence" "$3" "$(jq -r '.error' "$SCRATCH/body" 2>&1)"
}

# model EXPRESSION: jq's view of GET /model
model() {
    curl -s --max-time 60 "$URL/model" | jq -c "$1"
}

# build: POST /build, its status
build() {
    status /build -X POST
}

# learn_plane: four events of target = 2a + 3b + 1, and a build
learn_plane() {
    answer /action -d '{"a":0,"b":0,"target":1}{"a":1,"b":0,"target":3}
        {"a":0,"b":1,"target":4}{"a":1,"b":1,"target":6}' >/dev/null
    build >/dev/null
}

# follows NAME: each of some events of the feature x is in the next prediction
follows() {
    local n seq
    for n in 1 2 3 4 5; do
        answer /action -d "{\"x\": $n, \"target\": 7}" >/dev/null
        seq=$(jq .seq "$SCRATCH/body")
        status "/predict?x=1" >/dev/null
        check_equal "$1: event $n is learnt" "$seq" "$(header X-Model-Events)"
    done
}
