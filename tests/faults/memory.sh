#!/usr/bin/env bash
# Memory and file descriptors run out in running binaries: the Nth allocation fails, for every N until
# the request succeeds; then all allocations for a while. A clear 503, predictions go on, nothing that
# was answered is lost, and all is well again without a restart.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=faults.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/faults.bash"

STEP=${FAULT_STEP:-1} # every so manieth allocation
TRIES_MAX=1500

# tell: the last answer, for a message
tell() {
    echo "$(header_status) $(head -c 200 "$SCRATCH/body")"
}

# check_status NAME STATUS...: the answer last had has one of these; none at all is not one of them
check_status() {
    local name=$1
    shift
    case " $* " in
    *" $(header_status) "*) check_pass ;;
    *) check_fail "$name" "one of $*" "$(tell)" ;;
    esac
}

# fail_each PROGRAM EXPECTED PATH [CURL-ARGUMENT...]: the request with the first, second, … allocation
# of one process failing, until none does. EXPECTED statuses besides 503, separated by |. libfcgi and
# GMP end the process when they get no memory: a write is then in doubt (502), and nginx sends a read
# again; nobody sees it.
fail_each() {
    local program=$1 expected=$2 n pid faults died=0 refused=0
    shift 2
    for ((n = 0; n < TRIES_MAX; n += STEP)); do
        wait_until 10 is_there "$program"
        pid=$(pids_of "$program")
        faults=$(faults_so_far)
        fault "$pid" malloc ENOMEM '*' "$n" 1
        answer "$@" --max-time 10 >/dev/null
        [ "$(faults_so_far)" -gt "$faults" ] || break
        case $(header_status) in
        503) refused=$((refused + 1)); check_equal "$program, allocation $n" "" "$(error_faults)" ;;
        502) check_equal "$program, allocation $n: 502, as the process died" 0 "$(wait_until 5 is_gone "$pid"; echo $?)" ;;
        *) [[ $(header_status) =~ ^($expected)$ ]] ||
            check_fail "$program, allocation $n" "503 or $expected" "$(tell)" ;;
        esac
        is_alive "$pid" || died=$((died + 1))
    done
    no_fault
    echo "$program $1: $n allocations, one failed at a time (step $STEP); $refused answered 503, $died ended the process"
    check_equal "$program: it succeeds in the end" yes "$([ "$n" -lt "$TRIES_MAX" ] && echo yes)"
}

# is_there NAME: a process of that name lives
is_there() {
    [ -n "$(pids_of "$1")" ]
}

# without_memory PROGRAM PATH [CURL-ARGUMENT...]: all allocations fail for a while. A request waits until
# there is memory when it comes on a new connection, or to a process that has died and cannot start.
without_memory() {
    local program=$1 before
    shift
    before=$(pids_of "$program")
    fault "$program" malloc ENOMEM '*' 0 0
    for _ in 1 2 3; do answer "$@" --max-time 10 >/dev/null; done
    [ -z "$(header_status)" ] || check_status "$program without any memory" 200 201 502 503
    check_equal "$program without any memory: others" 200 "$(status /healthz)"
    no_fault
    wait_until 10 is_there "$program"
    answer "$@" >/dev/null
    check_status "$program with memory again" 200 201
    [ "$before" = "$(pids_of "$program")" ] || echo "$program without any memory: the process was replaced"
}

test_memory() {
    local event='{"_id":"%s","a":1,"b":1,"target":6}'
    fail_each action '200|201' /action -d '{"a":1,"b":1,"target":6}'
    # shellcheck disable=SC2059
    fail_each action '200|201' /action -d "$(printf "[$event,$event]" one two)"
    fail_each predict 200 "/predict?a=1&b=1"
    fail_each predict 200 /predict -d '[{"a":1,"b":1},{"a":2,"b":1}]'
    fail_each build 200 /build -X POST
    without_memory predict "/predict?a=1&b=1"
    without_memory action /action -d '{"a":1,"b":1,"target":6}'
    without_memory build /build -X POST
}

# files_of NAME LIMIT: the process may have no more descriptors than that from now on
files_of() {
    local pid
    for pid in $(pids_of "$1"); do prlimit --pid "$pid" --nofile="$2:16384"; done
}

# Not one descriptor more than the process has now.
test_descriptors() {
    local name
    status /action -d '{"a":1,"b":1,"target":6}' >/dev/null
    for name in predict action build; do files_of "$name" 3; done
    check_equal "no descriptors: predictions go on" 200 "$(status "/predict?a=1&b=1")"
    for _ in 1 2 3; do
        answer /action -d '{"a":1,"b":1,"target":6}' --max-time 8 >/dev/null
        check_status "no descriptors: an event" 201 503
    done
    check_equal "no descriptors: predictions still do" 200 "$(status "/predict?a=1&b=1")"
    # build has no kept connection: the request waits for a descriptor
    (sleep 1; files_of build 16384) &
    check_equal "no descriptors: a build comes as soon as there is one" 200 "$(build)"
    for name in predict action build; do files_of "$name" 16384; done
    check_equal "descriptors again: an event" 201 "$(status /action -d '{"a":1,"b":1,"target":6}')"
    wait_until 3 rows_are_all
    check_equal "descriptors again: all is learnt" "$(events)" "$(model .rows)"
    check_equal "descriptors again: a build" 200 "$(build)"
}

events() {
    wc -l <"$DATA/actions.jsonl" | tr -d ' '
}

rows_are_all() {
    [ "$(model .rows)" = "$(events)" ]
}

new_data
start_with_faults WORKERS=1 # so that the process with the fault gets the request
learn_plane
test_memory
check_equal "the model has learnt what is stored" "$(events)" "$(wait_until 3 rows_are_all; model .rows)"
check_equal "ids are stored once" "" "$(jq -r '._id // empty' "$DATA/actions.jsonl" | sort | uniq -d)"
test_descriptors
stop_service
check_replay "after all that"
check_report faults/memory
