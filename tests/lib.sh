# What every shell test sources: checks that count and print wants/got, a scratch directory, and the
# closing line. A test script reads
#
#     . "$(dirname "$0")/../lib.sh"
#     check_equal "name of the behaviour" "what it wants" "$(what it got)"
#     check_report NAME
#
# BUILD says where the binaries are; without it they are those of `make` in this repository.
# shellcheck shell=bash

set -u
export LC_ALL=C
# what a person has set up for their own service must not leak into a test
unset DATA_DIR TRAIN_FILE_PATH POSTGRES_URI POSTGRES_URI_FILE PORT LEARN MODEL TARGET MISSING UNSEEN WINDOW FORGET KEEP_VERSIONS WORKERS API_TOKEN READ_TOKEN \
    API_TOKEN_FILE READ_TOKEN_FILE RATE_LIMIT

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${BUILD:-$ROOT/build}
case $BUILD in
/*) ;;
*) BUILD=$ROOT/$BUILD ;;
esac
# shellcheck disable=SC2034  # for the tests that source this
TRENDLINE=$BUILD/trendline

check_passed=0
check_failed=0

check_pass() {
    check_passed=$((check_passed + 1))
}

# check_fail NAME WANTS GOT
check_fail() {
    check_failed=$((check_failed + 1))
    printf '%s: %s:\n  wants %s\n  got   %s\n' "${0##*/}" "$1" "$2" "$3"
}

# check_equal NAME WANTS GOT
check_equal() {
    if [ "$2" = "$3" ]; then check_pass; else check_fail "$@"; fi
}

# check_contains NAME WANTS GOT: the text WANTS, taken literally, is somewhere in GOT
check_contains() {
    case $3 in
    *"$2"*) check_pass ;;
    *) check_fail "$1" "… $2 …" "$3" ;;
    esac
}

# check_close NAME WANTS GOT DIGITS: two numbers agree to so many significant digits
check_close() {
    if awk -v w="$2" -v g="$3" -v d="$4" 'BEGIN {
            if (g !~ /^-?[0-9]/) exit 1
            e = w - g; if (e < 0) e = -e; s = w < 0 ? -w : w
            exit !(e <= 0.5 * s * 10 ^ (1 - d)) }'; then
        check_pass
    else
        check_fail "$1" "$2 to $4 digits" "$3"
    fi
}

# check_report NAME: the closing line; its status is that of the whole script
check_report() {
    printf '%s: %d passed, %d failed\n' "$1" "$check_passed" "$check_failed"
    [ "$check_failed" -eq 0 ]
}

# wait_until SECONDS COMMAND…: tries the command until it succeeds; status 1 when the time is over
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.02
    done
}

# is_sanitized: the binaries are built with the address sanitizer, which needs memory and time
is_sanitized() {
    grep -q __asan_init "$TRENDLINE"
}

# limit_memory KIB: what this shell and its children may have, each
limit_memory() {
    is_sanitized || ulimit -d "$1"
}

# on_exit COMMAND: is run when the script ends, before what was registered earlier
on_exit() {
    exit_commands="$1; $exit_commands"
}
exit_commands=:
trap 'eval "$exit_commands"' EXIT

# SCRATCH is a directory of the test's own
SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/trendline-test.XXXXXX") || exit 1
on_exit "rm -rf '$SCRATCH'"
