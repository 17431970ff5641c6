#!/usr/bin/env bash
# A synchronous standby is gone, so that every COMMIT waits on the server: sessions do not pile up there,
# nor writers; what was committed is not called back; reading goes on, and so does all when it is back.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=postgres.bash source=standby.bash source=trouble.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/postgres.bash"
. "$(dirname "$0")/standby.bash"
. "$(dirname "$0")/trouble.bash"

ROUNDS=12
MOST=8 # sessions: three that live, and what they had to give up

sessions() {
    sql "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'trendline'"
}

# write_and_build TIMES: the greatest number of sessions meanwhile is in $most
write_and_build() {
    local i now
    for ((i = 0; i < $1; i++)); do
        status /action -d '{"_id":"f1","a":1,"target":2}' >/dev/null # known: commits, without writing
        status /action -d "{\"_id\":\"other $RANDOM\",\"a\":3,\"target\":6}" >/dev/null
        status /build -X POST >/dev/null
        now=$(sessions)
        [ "$now" -le "$most" ] || most=$now
    done
}

few() {
    if [ "$1" -le "$2" ]; then echo few; else echo "$1"; fi
}

test_away() {
    most=0
    stop_standby
    write_and_build "$ROUNDS"
    check_equal "sessions, while it is away" few "$(few "$most" "$MOST")"
    refuses "a write" 503 "synchronous standby" /action -d '{"_id":"away","a":3,"target":6}'
    refuses "a build" 503 "synchronous standby" /build -X POST
    check_equal "a prediction" '200 {"prediction": 10}' "$(answer '/predict?a=5')"
}

# Who begins anew knows nothing of the sessions that were given up before.
test_killed() {
    local i pid
    for ((i = 0; i < 6; i++)); do
        for pid in $(pids_of action) $(pids_of build); do kill -9 "$pid"; done
        write_and_build 1
    done
    check_equal "sessions, of processes that are killed" few "$(few "$most" "$MOST")"
}

test_new_replica() {
    local first=$SERVICE url=$URL
    new_data
    start_service "POSTGRES_URI=$URI"
    check_equal "a new replica has the model" '200 {"prediction": 10}' "$(answer '/predict?a=5')"
    refuses "but cannot write" 503 "synchronous standby" /action -d '{"_id":"away","a":3,"target":6}'
    stop_service
    SERVICE=$first URL=$url
}

test_back() {
    resume_standby
    back "it is back"
    send >/dev/null
    counted_once "all the while"
    check_equal "a build" 200 "$(build)"
    knows_all() { [ "$(model .rows)" = "$(sql 'SELECT count(*) FROM trendline_rows')" ]; }
    check_equal "the model knows all" yes "$(wait_until 5 knows_all && echo yes)"
    check_equal "writers" few "$(few "$(sql 'SELECT count(*) FROM trendline_writers')" 4)"
    has_ended() { [ "$(sessions)" -le 3 ]; }
    check_equal "what was given up has ended" yes "$(wait_until 10 has_ended && echo yes)"
}

start_postgres synchronous_standby_names='*'
start_standby
new_data
start_service "POSTGRES_URI=$URI"
send >/dev/null
send >/dev/null
check_equal "a build" 200 "$(build)"
test_away
test_killed
test_new_replica
test_back
stop_service
check_report postgres/standby
