#!/usr/bin/env bash
# The sandbox (src/sandbox.h): the running binaries are in it, and it leaves them what they need. What
# it forbids is shown by tests/unit/test_sandbox.c.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

# field PID NAME: what the kernel says of the process; nothing when it does not know the field
field() {
    awk -v name="$2:" '$1 == name { print $2 }' "/proc/$1/status"
}

none=0000000000000000

# filters PID: how many filters of system calls; a container has one to begin with
filters() {
    field "$1" Seccomp_filters
}

# kernels before 5.9 do not say; a sanitized binary has none of its own
filters=$(filters self)
if [ -n "$filters" ] && ! is_sanitized; then filters=$((filters + 1)); fi

# check_confined COUNT NAME: so many processes, and each has no right to spare
check_confined() {
    local pid pids
    mapfile -t pids < <(pids_of "$2")
    check_equal "$2: how many run" "$1" "${#pids[@]}"
    for pid in "${pids[@]}"; do
        check_equal "$2: no new privileges" 1 "$(field "$pid" NoNewPrivs)"
        check_equal "$2: capabilities" "$none $none $none" \
            "$(field "$pid" CapEff) $(field "$pid" CapPrm) $(field "$pid" CapInh)"
        check_equal "$2: system calls are filtered" "$filters" "$(filters "$pid")"
    done
}

test_confined() {
    new_data
    start_service
    check_confined 2 predict
    check_confined 1 action
    check_confined 1 build
    learn_plane
    check_equal "and they work" '200 {"prediction": 321}' "$(answer '/predict?a=10&b=100')"
    stop_service
}

# plane FILE TARGETS…: training rows at (0,0), (1,0), (0,1), (1,1)
plane() {
    printf '0\t0\t%s\n1\t0\t%s\n0\t1\t%s\n1\t1\t%s\n' "${@:2}" >"$1"
}

# A train file outside the data directory is read at the start, and again by each build, which is
# confined by then.
test_train_file() {
    local other=$SCRATCH/other
    new_data
    mkdir -p "$other/in" "$other/real"
    plane "$other/real/rows" 1 3 4 6
    ln -s ../real/rows "$other/in/train.txt"
    start_service "TRAIN_FILE_PATH=$other/in/train.txt"
    check_equal "a link to a train file elsewhere" '200 {"prediction": 321}' \
        "$(answer '/predict?a=10&b=100')"
    plane "$other/real/new" 2 4 5 7
    mv "$other/real/new" "$other/real/rows"
    check_equal "the build reads what it links to" 200 "$(build)"
    check_equal "and learns it" '200 {"prediction": 322}' "$(answer '/predict?a=10&b=100')"
    plane "$other/in/new" 3 5 6 8
    mv "$other/in/new" "$other/in/train.txt"
    check_equal "the build reads a file in place of the link" 200 "$(build)"
    check_equal "and learns that" '200 {"prediction": 323}' "$(answer '/predict?a=10&b=100')"
    stop_service
}

test_confined
test_train_file
check_report http/sandbox
