#!/usr/bin/env bash
# A killed process comes back; reading goes on meanwhile, and nothing that was answered is lost.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

# as_many NAME COUNT: so many processes of that name are alive
as_many() {
    [ "$(pids_of "$1" | wc -l)" -eq "$2" ]
}

# kill_one NAME: kill -9 for a process of that name; status 0 once there are as many as before
kill_one() {
    local pids
    mapfile -t pids < <(pids_of "$1")
    kill -9 "${pids[RANDOM % ${#pids[@]}]}"
    wait_until 10 as_many "$1" $((${#pids[@]} - 1))
    wait_until 10 as_many "$1" ${#pids[@]}
}

# While a client predicts without a pause all the others are killed, twice each.
test_reads_go_on() {
    local client name times
    (while [ -e "$SCRATCH/go-on" ]; do
        curl -s --max-time 10 -o /dev/null -w '%{http_code}\n' "$URL/predict?b=1&a=[1-50]"
    done >"$SCRATCH/statuses") &
    client=$!
    for name in predict action build; do
        for times in 1 2; do
            kill_one "$name"
            check_equal "$name comes back ($times)" 0 $?
        done
    done
    rm "$SCRATCH/go-on"
    wait "$client"
    check_equal "predictions that failed meanwhile" "" \
        "$(sort "$SCRATCH/statuses" | uniq -c | grep -v ' 200$')"
    check_equal "there were some" yes "$([ "$(wc -l <"$SCRATCH/statuses")" -gt 100 ] && echo yes)"
}

test_writes_are_there() {
    check_equal "events from before are there" '200 {"seq": 5, "duplicate": true}' \
        "$(answer /action -d '{"_id":"x","a":2,"b":2,"target":11}')"
    check_equal "writing goes on" '201 {"seq": 6}' "$(answer /action -d '{"a":1,"b":1,"target":6}')"
    check_equal "learning too" '[1,6]' "$(model '[.version,.rows]')"
    check_equal "building too" '200 2' "$(build) $(model .version)"
}

# A write that was under way when its process died is told to be in doubt, and is safe to send again.
test_write_in_doubt() {
    local n doubt=0
    (for n in {1..100}; do
        curl -s --max-time 10 -o /dev/null -w "$n %{http_code}\n" "$URL/action" \
            -d "{\"_id\":\"doubt-$n\",\"a\":$n,\"b\":1,\"target\":$((2 * n + 4))}"
    done >"$SCRATCH/statuses") &
    for n in 1 2 3; do kill_one action; done
    wait $!
    check_equal "each is stored or in doubt" "" "$(grep -vE ' (201|502)$' "$SCRATCH/statuses")"
    for n in {1..100}; do
        status /action -d "{\"_id\":\"doubt-$n\",\"a\":$n,\"b\":1,\"target\":$((2 * n + 4))}" >/dev/null
        grep -q "^$n 201" "$SCRATCH/statuses" && [ "$(header_status)" != 200 ] && doubt=$((doubt + 1))
    done
    check_equal "what was answered 201 and is not stored" 0 "$doubt"
    check_equal "all are stored once" 100 "$(grep -c '"_id":"doubt' "$DATA/actions.jsonl")"
    check_equal "numbers have no gap" true \
        "$(jq -s 'map(._seq) == [range(1; length + 1)]' "$DATA/actions.jsonl")"
}

test_nginx() {
    local pid master pids
    mapfile -t pids < <(pids_of nginx)
    master=${pids[0]}
    kill -9 "${pids[1]}"
    wait_until 10 is_gone "${pids[1]}"
    wait_until 10 as_many nginx ${#pids[@]}
    check_equal "an nginx worker comes back" 200 "$(status "/predict?a=1&b=1")"
    mapfile -t pids < <(pids_of nginx)
    kill -9 "$master"
    for pid in "${pids[@]}"; do wait_until 10 is_gone "$pid"; done # its workers are ended too
    wait_until 10 ready
    check_equal "so does nginx itself" 200 "$(status "/predict?a=1&b=1")"
    check_equal "with all its workers" 0 "$(wait_until 10 as_many nginx ${#pids[@]}; echo $?)"
}

ready() {
    curl -sf --max-time 5 "$URL/readyz"
}

test_end() {
    local pid pids left=0
    mapfile -t pids < <(group_of "$SERVICE")
    stop_service
    check_equal "stopping is no failure, even then" 0 $?
    for pid in "${pids[@]}"; do is_gone "$pid" || left=$((left + 1)); done
    check_equal "processes left behind" 0 "$left"
    start_service
    mapfile -t pids < <(group_of "$SERVICE")
    {
        kill -9 "$SERVICE"
        for pid in "${pids[@]}"; do wait_until 5 is_gone "$pid" || left=$((left + 1)); done
        wait "$SERVICE"
    } 2>/dev/null # the shell would tell of it
    check_equal "processes left behind by a killed launcher" 0 "$left"
}

new_data
start_service
learn_plane
answer /action -d '{"_id":"x","a":2,"b":2,"target":11}' >/dev/null
touch "$SCRATCH/go-on"
test_reads_go_on
test_writes_are_there
test_write_in_doubt
test_nginx
test_end
check_report http/kill
