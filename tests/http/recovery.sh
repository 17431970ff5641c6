#!/usr/bin/env bash
# Much is stored, and what was made from it is lost: predictions come at once, from the model that is
# there; a write is told how far it is; what was read is not read again after a kill.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

EVENTS=150000 # some seconds of reading
# shellcheck disable=SC2034  # for service.bash
WAIT_PREPARED=no
ROW=$(printf '"x%d":0.5,' {1..10})
PREDICT="/predict?$(printf 'x%d=0.5&' {1..9})x10=0.5"

# write [ID]: one event more
write() {
    answer /action -d "{${1:+\"_id\":\"$1\",}$ROW\"target\":5}"
}

is_written() {
    [[ $(write "$1") == 20[01]* ]]
}

prepared() {
    grep -q 'the data are prepared' "$LOG"
}

# the position of the sums that are kept
kept() {
    sed -nE '1s/.*"seq":([0-9]+).*/\1/p' "$DATA/events.moments" 2>/dev/null
}

is_kept() {
    [ -n "$(kept)" ]
}

# preparer: the process that prepares the data
preparer() {
    local pid
    for pid in $(group_of "$SERVICE"); do
        [ "$(tr '\0' ' ' <"/proc/$pid/cmdline")" = "trendline prepare " ] && echo "$pid"
    done
}

# Stops the preparer while it reads, when others may have the lock.
hold_preparer() {
    local pid
    pid=$(preparer)
    [ -n "$pid" ] && kill -STOP "$pid" && flock -n "$DATA/lock" true && return
    kill -CONT "$pid"
    return 1
}

# rows COUNT: a table
rows() {
    awk -v n="$1" 'BEGIN {
            srand(7)
            for (j = 1; j <= 10; j++) printf "x%d\t", j
            print "target"
            for (i = 0; i < n; i++) {
                for (j = 1; j <= 10; j++) printf "%.2f\t", rand()
                print i % 10
            }
        }'
}

make_events() {
    new_data
    start_service MAX_BODY=100m
    rows "$EVENTS" | answer /action -H 'Content-Type: text/tab-separated-values' --data-binary @- >/dev/null
    check_equal "events" "$EVENTS" "$(jq .accepted "$SCRATCH/body")"
    check_equal "one with an id" "201 {\"seq\": $((EVENTS + 1))}" "$(write known)"
    check_equal "a model" 200 "$(build)"
    WANTED=$(model '[.events,.rows,.mse,.coefficients]')
    stop_service
    cp -r "$DATA" "$SCRATCH/whole"
}

whole_data() {
    rm -rf "$DATA"
    cp -r "$SCRATCH/whole" "$DATA"
}

test_serves_at_once() {
    rm "$DATA/events.moments" "$DATA/model.json"
    start_service
    check_contains "ready, and says for what" "still being read" "$(grep ' ready on ' "$LOG")"
    wait_until 10 hold_preparer
    check_equal "its health" 200 "$(status /healthz)"
    check_equal "readiness, by the newest version" 200 "$(status /readyz)"
    check_equal "predictions" 200 "$(status "$PREDICT")"
    refuses "an event meanwhile" 503 "reading the journal again: " /action -d "{$ROW\"target\":5}"
    check_contains "of how many" "of 150,001 events" "$(jq -r .error "$SCRATCH/body")"
    check_equal "and predictions go on" 200 "$(status "$PREDICT")"
    kill_service
}

# Killed on the way, twice: the next one goes on from what was kept.
test_killed() {
    local before=0 n
    for n in 1 2; do
        [ "$n" = 1 ] && rm -f "$DATA/events.moments"
        rm -f "$DATA/lock.recovery"
        start_service
        is_further() { [ "$(kept || echo 0)" -gt "$before" ] || prepared; }
        wait_until 60 is_further
        kill_service
        before=$(kept)
        check_equal "something was kept ($n)" yes "$([ "${before:-0}" -gt 0 ] && echo yes)"
    done
    rm -f "$DATA/lock.recovery"
    start_service
    # the sentence names at least what was kept
    told() { [ -s "$DATA/lock.recovery" ] || prepared || [ "$(kept)" -gt "$EVENTS" ]; }
    wait_until 60 told
    check_equal "it goes on from there" yes "$(tr -d , <"$DATA/lock.recovery" 2>/dev/null |
        awk -v kept="$before" '/^reading/ && $5 < kept { less = 1 } END { if (!less) print "yes" }')"
    wait_until 60 is_written known
    check_equal "an event is taken in the end" 200 "$(header_status)"
    check_equal "the model is as it was" "$WANTED" "$(model '[.events,.rows,.mse,.coefficients]')"
    check_equal "and can be built" "200 $((EVENTS + 1))" "$(build) $(model .rows)"
    stop_service
}

# The preparer dies alone: another one takes its place.
test_preparer_killed() {
    local pid
    rm "$DATA/events.moments"
    start_service
    pid=$(preparer)
    wait_until 60 is_kept
    kill -9 "$pid"
    wait_until 60 prepared
    check_equal "another one prepares the data" 0 $?
    check_equal "an event is taken" 201 "$(write >/dev/null; header_status)"
    stop_service
}

# The index of ids is lost under the service: nobody waits for long, and no id counts twice.
test_ids_lost() {
    start_service
    rm "$DATA/ids.mdb"
    write other >/dev/null
    [ "$(header_status)" = 503 ] &&
        check_contains "a write meanwhile" "reading the journal again: " "$(cat "$SCRATCH/body")"
    wait_until 60 is_written other
    check_equal "it is taken in the end" "200 {\"seq\": $((EVENTS + 1)), \"duplicate\": true}" "$(write known)"
    check_equal "and once" 200 "$(write other >/dev/null; header_status)"
    stop_service
}

# Damage that is found after the start: everyone who writes is told, predictions go on.
test_damage() {
    rm "$DATA/events.moments"
    sed -i "$((EVENTS - 1000))s/0\\.5/0.6/;$((EVENTS - 1000))s/\"x1\":0/\"x1\":1/" "$DATA/actions.jsonl"
    start_service
    failed() { grep -q 'the data are not prepared' "$LOG"; }
    wait_until 60 failed
    check_contains "the log names the line" "actions.jsonl:$((EVENTS - 1000)):" "$(cat "$LOG")"
    check_equal "predictions go on" 200 "$(status "$PREDICT")"
    tells() { write >/dev/null && grep -q "actions.jsonl:$((EVENTS - 1000)):" "$SCRATCH/body"; }
    wait_until 60 tells
    refuses "an event" 503 "actions.jsonl:$((EVENTS - 1000)):" /action -d "{$ROW\"target\":5}"
    refuses "a build" 503 "actions.jsonl:$((EVENTS - 1000)):" /build -X POST
    stop_service
    check_equal "it ends well" 0 $?
}

# A train file that takes long: nobody stores an event meanwhile whose features it does not have.
test_train_file() {
    local pid
    new_data
    rows 120000 >"$DATA/train.txt"
    start_service
    pid=$(preparer)
    kill -STOP "$pid"
    check_equal "its health" 200 "$(status /healthz)"
    refuses "a prediction" 503 "there is no model here yet" "$PREDICT"
    refuses "an event" 503 "learning the train file" /action -d '{"other":1,"target":5}'
    kill -CONT "$pid"
    wait_until 60 prepared
    check_equal "then predictions come" 200 "$(status "$PREDICT")"
    refuses "an event of other features" 422 '"other"' /action -d '{"other":1,"target":5}'
    check_equal "an event" '201 {"seq": 1}' "$(write)"
    stop_service
}

# Told to stop while it still prepares.
test_stopped() {
    rm "$DATA/events.moments"
    start_service
    stop_service
    check_equal "stopped on the way" 0 $?
    check_equal "nothing goes on" "" "$(pgrep -f "$TRENDLINE prepare" || true)"
}

make_events
test_serves_at_once
whole_data
test_killed
whole_data
test_preparer_killed
whole_data
test_ids_lost
whole_data
test_damage
whole_data
test_stopped
test_train_file
check_report http/recovery
