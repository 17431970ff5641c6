#!/usr/bin/env bash
# The disk of the database is full: it refuses or ends; nothing acknowledged is lost, and with room
# again everything goes on.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=postgres.bash source=trouble.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/postgres.bash"
. "$(dirname "$0")/trouble.bash"

SMALL=$SCRATCH/small
BULK=2000

mkdir "$SMALL"
if ! mount -t tmpfs -o size=160m none "$SMALL" 2>"$SCRATCH/mount"; then
    printf 'disk.sh: skipped, no file system can be mounted: %s\n' "$(cat "$SCRATCH/mount")"
    check_report postgres/disk
    exit
fi
on_exit "umount -l '$SMALL'"
chmod 755 "$SCRATCH" "$SMALL"

# bulk: the next events in one body; STATUS is its answer's
bulk() {
    local first=$((number + 1))
    number=$((number + BULK))
    jq -nc "range($first; $number + 1) | {_id: \"f\(.)\", a: ., target: (2 * .)}" >"$SCRATCH/bulk"
    STATUS=$(status /action -H 'Content-Type: application/x-ndjson' --data-binary "@$SCRATCH/bulk")
}

fill() {
    dd if=/dev/zero of="$SMALL/filler" bs=64k status=none 2>/dev/null
    sync
}

# the server may have gone down over it
is_back() {
    is_alive "$POSTGRES" || resume_postgres
    is_writing
}

TMPDIR=$SMALL start_postgres max_wal_size=32MB min_wal_size=32MB
new_data
start_service "POSTGRES_URI=$URI"
send >/dev/null
send >/dev/null
check_equal "a build" 200 "$(build)"
bulk
check_equal "room for some" 200 "$STATUS"
fill
for ((tries = 0; tries < 100; tries++)); do
    bulk
    [ "$STATUS" = 200 ] || break
done
refuses "full: the same again" 503 "" \
    /action -H 'Content-Type: application/x-ndjson' --data-binary "@$SCRATCH/bulk"
check_equal "full: a prediction" '200 {"prediction": 10}' "$(answer '/predict?a=5')"
check_contains "the log names the reason" "No space left on device" "$(cat "$SCRATCH/postgres.log")"
rm "$SMALL/filler"
check_equal "with room again it goes on" yes "$(wait_until 20 is_back && echo yes)"
number=$((number - BULK))
bulk
check_equal "what was refused can be sent again" 200 "$STATUS"
send >/dev/null
counted_once "full"
check_equal "and the model knows all" "$number" "$(model .rows)"
stop_service
check_report postgres/disk
