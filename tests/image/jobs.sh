#!/bin/bash
# The image's one-shot jobs: sum, batch, and any other command.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/common.bash"

# Files made in a mounted directory belong to its owner, and are right.
check_sum() {
    new_data 4321:4322
    printf '1e100 1\n-1e100\n' >"$DATA/input.txt"
    run_job "$@"
    check_equal "$1: exit code" 0 $?
    check_equal "$1: the sum" 1 "$(cat "$DATA/output.txt")"
    check_equal "$1: the owner of output.txt" 4321:4322 "$(stat -c %u:%g "$DATA/output.txt")"
}

check_batch() {
    new_data 4321:4322
    printf 'a\tb\ttarget\n1\t0\t3\n0\t1\t4\n1\t1\t6\n0\t0\t1\n' >"$DATA/train.tsv"
    printf 'a\tb\n10\t100\n' >"$DATA/test.tsv"
    run_job "$@" 2>"$SCRATCH/report"
    check_equal "$1: exit code" 0 $?
    check_equal "$1: the prediction" 321 "$(cat "$DATA/output.txt")"
    check_equal "$1: the owner of output.txt" 4321:4322 "$(stat -c %u:%g "$DATA/output.txt")"
    check_contains "$1: the report tells the rows" rows "$(cat "$SCRATCH/report")"
}

# What the page is made of came with the binary.
check_page() {
    run_job "$@" --report 2>/dev/null
    check_equal "$1: the page" "<!doctype html>" "$(head -n 1 "$DATA/report.html")"
    check_equal "$1: the owner of report.html" 4321:4322 "$(stat -c %u:%g "$DATA/report.html")"
}

build_target sum
check_sum "$IMAGE"
printf '1 x\n' >"$DATA/input.txt"
message=$(run_job "$IMAGE" 2>&1)
check_equal "a token that is no number: exit code" 1 $?
check_contains "a token that is no number: the message" input.txt:1: "$message"

build_target batch
check_batch "$IMAGE"

build_target
check_sum "$IMAGE" sum
check_batch "$IMAGE" batch
check_page "$IMAGE" batch
check_sum "--read-only" "$IMAGE" sum
check_equal "sh is executed as it is" hello "$("$ENGINE" run --no-healthcheck --rm "$IMAGE" sh -c 'echo hello')"
# it waits for both lines, since engines lose what is said before they listen, or just before the end
check_contains "sh on a terminal" hello-there \
    "$(printf 'there\nend\n' |
        script -qec "$ENGINE run --no-healthcheck --rm -it $IMAGE sh -c 'read a; echo hello-\$a; read b'" /dev/null)"
"$ENGINE" run --no-healthcheck --rm "$IMAGE" nosuch >/dev/null 2>&1
check_equal "a command that is not there: exit code" 127 $?
check_contains "--version" "trendline 0." "$("$ENGINE" run --no-healthcheck --rm "$IMAGE" --version)"
check_contains "--help" "usage: trendline" "$("$ENGINE" run --no-healthcheck --rm "$IMAGE" --help)"
check_report jobs
