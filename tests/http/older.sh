#!/usr/bin/env bash
# Directories that older versions left (tests/data/directories): opened as they are, and without all that can be made
# again.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

# unpack NAME: DATA is a copy of that directory
unpack() {
    new_data
    tar -xzf "$ROOT/tests/data/directories/$1.tar.gz" -C "$DATA" --strip-components=1 --no-same-owner
}

# next_event: one more, of the kind that the directory has
next_event() {
    tail -n 1 "$DATA/actions.jsonl" | jq -c 'del(._seq, ._time, ._batch, ._crc) | ._id = "next"'
}

# opens NAME DIGITS: the service on DATA predicts to so many digits what it did, knows ids, learns, builds, exports
opens() {
    local count
    count=$(cat "$DATA/count")
    start_service MISSING=allow
    answer "/predict?$(cat "$DATA/query")" >/dev/null
    check_close "$1: the prediction" "$(cat "$DATA/prediction")" "$(jq .prediction "$SCRATCH/body")" "$2"
    check_equal "$1: the last event is known" "200 {\"seq\": $count, \"duplicate\": true}" \
        "$(answer /action -d "$(tail -n 1 "$DATA/actions.jsonl" | jq -c 'del(._seq, ._time, ._batch, ._crc)')")"
    check_equal "$1: the next one is taken" "201 {\"seq\": $((count + 1))}" "$(answer /action -d "$(next_event)")"
    check_equal "$1: and a build" 200 "$(build)"
    check_equal "$1: which has all events" $((count + 1)) "$(model .events)"
    stop_service
    check_equal "$1: the export" $((count + 1)) "$(MISSING=allow DATA_DIR=$DATA "$TRENDLINE" export 2>/dev/null | wc -l)"
}

# What a build makes of the events need not be what the older version chose, but predicts nearly the same.
test_directory() {
    unpack "$1"
    opens "$1" 15
    unpack "$1"
    rm -rf "$DATA"/*.moments "$DATA/ids.mdb" "$DATA/terms.json"
    opens "$1, of journal and model alone" "${2:-15}"
}

test_directory 4558d1d-linear
test_directory 1457639-terms 3
test_directory c33b47e-gaps
test_directory 7f4f3ca-terms 3
test_directory 7f4f3ca-text
check_report http/older
