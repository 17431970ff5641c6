#!/usr/bin/env bash
# Two services on one directory at once, and what happens to the lock that they share.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

EVENTS=300 # of each client

# post_many URL ID: events one after the other, each with an id of its own; the statuses go to a file
post_many() {
    local file=$SCRATCH/$2.${1##*:}
    awk -v url="$1/action" -v id="$2" -v events="$EVENTS" 'BEGIN {
        while (n++ < events) {
            print (n > 1 ? "next\n" : "") "silent\nurl = \"" url "\"\noutput = /dev/null"
            print "write-out = \"%{http_code}\\n\""
            printf("data = \"{\\\"_id\\\":\\\"%s-%d\\\",\\\"a\\\":%d.1,\\\"b\\\":%d.7,\\\"target\\\":%d.3}\"\n",
                id, n, n, n * n % 101, n * 7 % 53)
        } }' >"$file.curl"
    curl --max-time 120 -K "$file.curl" >"$file.statuses"
}

# builds URL COUNT
builds() {
    local n
    for ((n = 0; n < $2; n++)); do
        curl -s --max-time 60 -o /dev/null -w '%{http_code}\n' -X POST "$1/build"
    done >"$SCRATCH/build.${1##*:}.statuses"
}

# tally FILE...: how often each status is in them
tally() {
    cat "$@" | sort | uniq -c | awk '{ print $1, $2 }' | paste -sd' ' -
}

test_both_write() {
    local client url pids=() expected
    URL=$first_url learn_plane
    for client in 1 2; do
        for url in "$first_url" "$second_url"; do
            post_many "$url" "own-$client-${url##*:}" & pids+=($!)
            post_many "$url" "same-$client" & pids+=($!)
        done
    done
    builds "$first_url" 20 & pids+=($!)
    builds "$second_url" 20 & pids+=($!)
    wait "${pids[@]}"
    expected=$((6 * EVENTS))
    check_equal "events of its own: 201" "$((4 * EVENTS)) 201" "$(tally "$SCRATCH"/own-*.statuses)"
    check_equal "events sent to both: 201 by one, 200 by the other" \
        "$((2 * EVENTS)) 200 $((2 * EVENTS)) 201" "$(tally "$SCRATCH"/same-*.statuses)"
    check_equal "builds: 200" "40 200" "$(tally "$SCRATCH"/build.*.statuses)"
    check_equal "nothing is lost" $((expected + 4)) "$(wc -l <"$DATA/actions.jsonl" | tr -d ' ')"
    check_equal "the numbers are unique and have no gap" true \
        "$(jq -s 'map(._seq) == [range(1; length + 1)]' "$DATA/actions.jsonl")"
    check_equal "nor have the versions" true \
        "$(jq -s 'map(.version) | sort == [range(1; 42)]' "$DATA"/models/*.json)"
}

test_both_know() {
    check_equal "both have one model" \
        "$(curl -s "$first_url/model")" "$(curl -s "$second_url/model")"
    check_equal "which has learnt all" $((6 * EVENTS + 4)) "$(URL=$second_url model .rows)"
    check_equal "both predict the same bits" "$(URL=$first_url answer "/predict?a=0.1&b=0.7")" \
        "$(URL=$second_url answer "/predict?a=0.1&b=0.7")"
    check_equal "an id that the other has stored" 200 \
        "$(URL=$second_url status /action -d '{"_id":"own-1-'"${first_url##*:}"'-1","a":1.1,"b":1.7,"target":7.3}')"
    check_equal "with other content" 409 \
        "$(URL=$second_url status /action -d '{"_id":"own-1-'"${first_url##*:}"'-1","a":2,"b":1.7,"target":7.3}')"
    local wants
    wants=$(URL=$first_url model '[.intercept,.coefficients,.remainder,.mse]')
    build >/dev/null
    check_equal "a build changes no bit" "$wants" \
        "$(URL=$first_url model '[.intercept,.coefficients,.remainder,.mse]')"
}

# After a 201 by one every later prediction by the other has learnt the event.
test_fresh() {
    local n seq stale=0
    for n in {1..40}; do
        seq=$(curl -s "$first_url/action" -d "{\"a\":$n,\"b\":1,\"target\":2}" | jq .seq)
        URL=$second_url answer "/predict?a=1&b=1" >/dev/null
        [ "$(header X-Model-Events)" -ge "$seq" ] || stale=$((stale + 1))
    done
    check_equal "predictions of the other that were stale" 0 "$stale"
}

test_race_for_an_id() {
    local n pids=()
    for n in {1..10}; do
        for URL in "$first_url" "$second_url"; do
            curl -s --max-time 60 "$URL/action" -d '{"_id":"race","a":5,"b":5,"target":11}' \
                >"$SCRATCH/race.${URL##*:}.$n" &
            pids+=($!)
        done
    done
    wait "${pids[@]}"
    check_equal "an id raced for at both is stored once" 1 "$(grep -c '"_id":"race"' "$DATA/actions.jsonl")"
    check_equal "all answers tell its number" 1 "$(jq -s 'map(.seq) | unique | length' "$SCRATCH"/race.*)"
}

# Whoever holds the lock and does not move on must not freeze the others.
test_lock_held() {
    local holder start=$SECONDS
    flock "$DATA/lock" sleep 60 &
    holder=$!
    wait_until 10 lock_is_held
    URL=$first_url
    refuses "writing while another holds the lock" 503 '' /action -d '{"a":1,"b":1,"target":2}'
    refuses "a build" 503 '' /build -X POST
    check_equal "they give up in time" yes "$([ $((SECONDS - start)) -le 8 ] && echo yes)"
    check_equal "predictions go on" 200 "$(status "/predict?a=1&b=1")"
    pkill_child "$holder"
    check_equal "when it is free again, so is writing" 201 "$(status /action -d '{"a":1,"b":1,"target":2}')"
}

lock_is_held() {
    ! flock -n "$DATA/lock" true
}

# pkill_child PID: ends a command and what it started
pkill_child() {
    local pid
    for pid in $(group_of "$1"); do kill "$pid"; done
    wait "$1" 2>/dev/null
}

test_one_dies() {
    kill_service "$first"
    URL=$second_url
    check_equal "when one is killed the other writes" 201 "$(status /action -d '{"a":1,"b":1,"target":2}')"
    check_equal "and builds" 200 "$(build)"
    stop_service "$second"
}

new_data
start_service MODEL=linear
first=$SERVICE first_url=$URL
start_service MODEL=linear
second=$SERVICE second_url=$URL
test_both_write
test_both_know
test_fresh
test_race_for_an_id
test_lock_held
test_one_dies
check_report http/two-services
