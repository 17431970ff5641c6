#!/usr/bin/env bash
# Random kill -9, FAULT_KILLS of them (200), while many clients write and read: nothing acknowledged is
# lost, no id is stored twice, the model is that of a replay, and as long as nginx lives no GET fails.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=faults.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/faults.bash"

KILLS=${FAULT_KILLS:-200}
GROUP_KILLS=$((KILLS / 10))
NGINX_KILLS=$((KILLS / 10))
SINGLE_KILLS=$((KILLS - GROUP_KILLS - NGINX_KILLS))
RANDOM=${FAULT_SEED:-$$}
seed=${FAULT_SEED:-$$}
kills=0

# supervisor_of PID: its parent; nothing if that is no s6-supervise, because it has just been killed
supervisor_of() {
    local parent
    parent=$(awk '/^PPid:/ { print $2 }' "/proc/$1/status")
    grep -qx s6-supervise "/proc/$parent/comm" && echo "$parent"
} 2>/dev/null

# kill_random NAME...: kill -9 for one process of one of these names, or for its supervisor where the
# name begins with "s6:"; status 1 when there is none just now
kill_random() {
    local name=${*:RANDOM % $# + 1:1} pids
    mapfile -t pids < <(pids_of "${name#s6:}")
    [ ${#pids[@]} -gt 0 ] || return 1
    local pid=${pids[RANDOM % ${#pids[@]}]}
    [ "$name" = "${name#s6:}" ] || pid=$(supervisor_of "$pid")
    [ -n "$pid" ] && kill -9 "$pid" 2>/dev/null || return 1
    kills=$((kills + 1))
}

# short_pause: up to 0.15 s, so that kills come at any moment of the work
short_pause() {
    sleep "0.$((RANDOM % 2))$((RANDOM % 5))$((RANDOM % 10))"
}

# kill_many COUNT NAME...
kill_many() {
    local tries wanted=$((kills + $1))
    shift
    for ((tries = 0; kills < wanted && tries < 10 * KILLS; tries++)); do
        kill_random "$@"
        short_pause
    done
}

test_single_binaries() {
    begin_load single 12 6 1
    kill_many "$SINGLE_KILLS" predict predict action action build s6:predict s6:action s6:build
    check_equal "after $kills kills of binaries and their supervisors writing goes on" 0 \
        "$(load_goes_on; echo $?)"
    end_load
    echo "binaries: $kills kills, $(cat "$SCRATCH/load")"
    check_equal "what should not be, GETs that failed among it" "" "$(unexpected)"
    check_equal "events given up" 0 "$(wc -l <"$SCRATCH/unacked")"
    check_journal "kills of single binaries"
}

# Connections break with nginx's processes, so that GETs in them do fail; anything else must not.
test_nginx() {
    local before=$kills
    : >"$SCRATCH/failures"
    begin_load nginx 12 6 1
    kill_many "$NGINX_KILLS" nginx nginx nginx s6:nginx
    check_equal "after $((kills - before)) kills of nginx writing goes on" 0 "$(load_goes_on; echo $?)"
    end_load
    echo "nginx: $((kills - before)) kills, $(cat "$SCRATCH/load")"
    check_equal "failures but for broken connections" "" \
        "$(grep -v '^predict [012] ' "$SCRATCH/failures" | head -n 3)"
    check_equal "events given up" 0 "$(wc -l <"$SCRATCH/unacked")"
    check_journal "kills of nginx"
}

# The clients end with their service: the next one may have the same port, and is looked at in peace.
test_group() {
    local n acked
    for ((n = 0; n < GROUP_KILLS; n++)); do
        acked=$(acked_count)
        begin_load "group$n" 12 4 1
        wait_until 10 acked_more $((acked + 50 + RANDOM % 200))
        kill_service
        kills=$((kills + 1))
        kill -9 "$LOAD" && wait "$LOAD"
        start_service
        check_equal "killed as a whole ($n): the model has learnt the journal" \
            "$(wc -l <"$DATA/actions.jsonl" | tr -d ' ')" "$(model .rows)"
        check_equal "killed as a whole ($n): it is that of a build" "$(model "$FIGURES")" \
            "$(build >/dev/null; model "$FIGURES")"
    done 2>/dev/null # the shell would tell of the clients
    check_journal "kills of the whole group"
}
FIGURES='del(.version,.created,.events,.crc,.live,.tried,.places,.metric,.distance)'

start=$SECONDS
new_data
start_service
learn_plane
test_single_binaries
test_nginx
stop_service
check_replay "after kills of single processes"
start_service
test_group
stop_service
check_replay "after kills of the whole group"
echo "kills: $kills in $((SECONDS - start)) s, $(acked_count) events acknowledged, seed $seed"
check_equal "kills" "$KILLS" "$kills"
check_report faults/kill
