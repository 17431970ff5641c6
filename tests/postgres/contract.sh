#!/usr/bin/env bash
# The tests of the contract over HTTP once more, with events and models in PostgreSQL.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=postgres.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/postgres.bash"

start_postgres
for script in action ids bulk build predict exact transfer auto categories weights reach; do
    STORE_URI=$URI bash "$ROOT/tests/http/$script.sh" >"$SCRATCH/$script"
    check_equal "$script.sh: exit status" 0 $?
    grep -v "^http/$script: " "$SCRATCH/$script"
    read -r passed failed < <(sed -nE "s|^http/$script: ([0-9]+) passed, ([0-9]+) failed|\\1 \\2|p" \
        "$SCRATCH/$script")
    check_passed=$((check_passed + passed))
    check_failed=$((check_failed + failed))
done
check_report postgres/contract
