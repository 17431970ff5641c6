#!/usr/bin/env bash
# `trendline export` and `trendline import`: all events, each once, however often they are sent.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

# transfer COMMAND [NAME=VALUE...]: on DATA; what it says goes to SAID, its status is the function's
transfer() {
    local command=$1
    shift
    env "DATA_DIR=$DATA" "POSTGRES_URI=$(store_uri)" "$@" "$TRENDLINE" "$command" 2>"$SAID"
}
SAID=$SCRATCH/said

# contents: all events of DATA without their ids and times, sorted
contents() {
    transfer export | jq -c 'del(._id, ._time)' | sort
}

# seed: some events with ids, some without, in several batches; a name and an id that need escapes
seed() {
    local i
    for ((i = 0; i < 5; i++)); do
        status /action -d "{\"ü \\\"x\\\"\": 0.$i, \"b\": -1e-300, \"target\": $i}" >/dev/null
        status /action -d "{\"_id\": \"id \\\"$i\\\" é\", \"ü \\\"x\\\"\": 1e20, \"b\": $i, \"target\": 0.1}" \
            >/dev/null
    done
    jq -nc '[range(3000) | {"ü \"x\"": ., b: (. * . / 7), target: (. / 3)}]' >"$SCRATCH/bulk"
    status /action -d "@$SCRATCH/bulk" >/dev/null
}
EVENTS=3010

test_export() {
    transfer export >"$SCRATCH/events" || check_fail "export" "that it succeeds" "$(cat "$SAID")"
    check_equal "it says how many" "export: $EVENTS events" "$(cat "$SAID")"
    check_equal "so many lines" "$EVENTS" "$(grep -c . "$SCRATCH/events")"
    check_equal "each has an id of its own" "$EVENTS" "$(jq -r ._id "$SCRATCH/events" | sort -u | wc -l)"
    check_equal "an id that was given stays" 5 "$(grep -c '^{"_id":"id \\"[0-4]\\" é",' "$SCRATCH/events")"
    check_equal "a moment each" "$EVENTS" "$(grep -cE '"_time":"[0-9T:-]{19}\.[0-9]{3}Z"' "$SCRATCH/events")"
    transfer export | sort >"$SCRATCH/again"
    check_equal "the same again" "$(sort "$SCRATCH/events" | sha256sum)" "$(sha256sum <"$SCRATCH/again")"
}

# into another store, whose service is running
test_import() {
    transfer import <"$SCRATCH/events" || check_fail "import" "that it succeeds" "$(cat "$SAID")"
    check_equal "all are new" "import: $EVENTS events stored, 0 were there already" "$(cat "$SAID")"
    check_equal "the same events" "$WANTED" "$(contents)"
    check_equal "the same model" "$MODEL_WANTED" "$(build >/dev/null && model '[.rows, .coefficients, .mse]')"
    check_equal "at the same moments" "$(jq -c '[._id, ._time]' "$SCRATCH/events" | sort)" \
        "$(transfer export | jq -c '[._id, ._time]' | sort)"
    transfer import <"$SCRATCH/events"
    check_equal "none is new" "import: 0 events stored, $EVENTS were there already" "$(cat "$SAID")"
    check_equal "one event more" 201 "$(status /action -d '{"ü \"x\"": 1, "b": 1, "target": 1}')"
    check_equal "is learnt with the others" $((EVENTS + 1)) "$(model .rows)"
}

# Back into the store that they came from: its events without ids are known there all the same.
test_back() {
    transfer export >"$SCRATCH/more"
    DATA=$FIRST
    transfer import <"$SCRATCH/more" || check_fail "back" "that it succeeds" "$(cat "$SAID")"
    check_equal "one is new" "import: 1 events stored, $EVENTS were there already" "$(cat "$SAID")"
}

# Into a copy from before the last events, which has the same identity: what it lacks is stored, also
# when it went its own way since.
test_into_backup() {
    local backup
    new_data
    start_service
    status /action -d '{"x": 1, "target": 2}' >/dev/null
    stop_service
    backup=$(mktemp -d "$SCRATCH/data.XXXXXX")
    cp -a "$DATA/." "$backup/"
    start_service
    status /action -d '{"x": 2, "target": 4}{"x": 3, "target": 6}' >/dev/null
    stop_service
    transfer export >"$SCRATCH/newer"
    DATA=$backup
    start_service
    status /action -d '{"x": 4, "target": 8}' >/dev/null
    stop_service
    transfer import <"$SCRATCH/newer"
    check_equal "a backup: what it lacks" "import: 2 events stored, 1 were there already" "$(cat "$SAID")"
    transfer import <"$SCRATCH/newer"
    check_equal "a backup: the second time" "import: 0 events stored, 3 were there already" "$(cat "$SAID")"
    check_equal "a backup: all of both" '1 2 3 4' "$(contents | jq -s 'map(.x) | sort | map(tostring) | join(" ")' -r)"
}

# fails NAME WANTS INPUT: an import that must not succeed
fails() {
    printf '%s' "$3" >"$SCRATCH/input"
    if transfer import <"$SCRATCH/input"; then check_fail "$1" "that it fails" "$(cat "$SAID")"; fi
    check_contains "$1" "$2" "$(cat "$SAID")"
}

test_refused() {
    new_data
    transfer import </dev/null || check_fail "nothing" "that it succeeds" "$(cat "$SAID")"
    fails "no id" 'event 2: missing "_id"' '{"_id":"a","x":1,"target":2}{"x":1,"target":2}'
    check_contains "what came before is stored" "import: 1 events stored" "$(cat "$SAID")"
    fails "no JSON" 'event 2: ' '{"_id":"a","x":1,"target":2}
{"_id":"b","x":'
    fails "another feature" 'event 1: unknown feature "y"' '{"_id":"b","y":1,"target":2}'
    fails "other content" '_id "a" is already stored as event 1 with other content' \
        '{"_id":"c","x":5,"target":2}{"_id":"a","x":7,"target":2}{"_id":"d","x":5,"target":2}'
    fails "no moment" 'event 1: _time must be' '{"_id":"b","_time":"yesterday","x":1,"target":2}'
    check_equal "the rest is as it was" '{"target":2,"x":1}
{"target":2,"x":5}' "$(contents | jq -Sc . | sed -n '1p;$p')"
    on_files || return
    if transfer import ID_WINDOW=10 <"$SCRATCH/events"; then
        check_fail "a window" "that it fails" "$(cat "$SAID")"
    fi
    check_contains "a window" "ID_WINDOW=10" "$(cat "$SAID")"
    DATA=$SCRATCH/nowhere transfer export && check_fail "no directory" "that it fails" "$(cat "$SAID")"
    check_contains "no directory" "$SCRATCH/nowhere" "$(cat "$SAID")"
    transfer export >/dev/full && check_fail "a full disk" "that it fails" "$(cat "$SAID")"
    check_contains "a full disk" "cannot write to standard output" "$(cat "$SAID")"
}

# An import that is killed goes on where it was.
test_killed() {
    local i
    new_data
    jq -nc 'range(200000) | {_id: "k\(.)", x: ., target: (2 * .)}' >"$SCRATCH/many"
    for ((i = 0; i < 4; i++)); do
        transfer import <"$SCRATCH/many" &
        sleep "0.$((1 + RANDOM % 3))"
        kill -9 "$(pgrep -P $!)"
        wait $!
    done 2>/dev/null
    transfer import <"$SCRATCH/many" || check_fail "the last one" "that it succeeds" "$(cat "$SAID")"
    check_equal "each once" "200000 200000" \
        "$(transfer export | jq -r ._id | sort -u | wc -l) $(transfer export | wc -l)"
}

# What may stand first in a table, but not in an event that a person sends.
test_text() {
    local wanted
    new_data
    start_service MISSING=allow
    answer /action -H 'Content-Type: text/csv' --data-binary $'colour,size,target\nred,1,n/a\n7,2,1\n,,2\nred,3,3\n' >/dev/null
    stop_service
    wanted=$(contents)
    transfer export >"$SCRATCH/text"
    { tail -n 1 "$SCRATCH/text"; head -n 2 "$SCRATCH/text"; } | tac >"$SCRATCH/tacked"
    for order in text tacked; do
        new_data
        transfer import MISSING=allow <"$SCRATCH/$order"
        check_equal "text, in the order of $order" "import: 3 events stored, 0 were there already" "$(cat "$SAID")"
        check_equal "the same text" "$wanted" "$(contents)"
    done
}

new_data
FIRST=$DATA
start_service
seed
WANTED=$(contents)
MODEL_WANTED=$(build >/dev/null && model '[.rows, .coefficients, .mse]')
test_export
stop_service
new_data
start_service
test_import
test_back
stop_service
! on_files || test_into_backup
test_refused
test_text
test_killed
check_report http/transfer
