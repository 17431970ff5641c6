#!/usr/bin/env bash
# A synchronous standby takes over while events are being stored: nothing acknowledged is lost, and the
# service finds the new primary by itself.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=postgres.bash source=standby.bash source=trouble.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/postgres.bash"
. "$(dirname "$0")/standby.bash"
. "$(dirname "$0")/trouble.bash"

stored() {
    sql 'SELECT count(*) FROM trendline_rows'
}

has_stored() {
    [ "$(stored)" -ge "$1" ]
}

number=0
start_postgres synchronous_standby_names='*'
start_standby
new_data
start_service "POSTGRES_URI=postgresql://trendline:$PASSWORD@127.0.0.1:$PGPORT,127.0.0.1:$STANDBY_PORT/postgres?target_session_attrs=read-write"
send >/dev/null
send >/dev/null
check_equal "a build" 200 "$(build)"

keep_sending
check_equal "events come" yes "$(wait_until 10 has_stored 20 && echo yes)"
stop_postgres QUIT
check_equal "nobody to write to: a prediction" '200 {"prediction": 10}' "$(answer '/predict?a=5')"
(cd / && as_server "$(server_program pg_ctl)" promote -w -D "$STANDBY/data" >/dev/null)
URI=${URI/:$PGPORT/:$STANDBY_PORT}
back "the standby took over"
check_equal "and more of them" yes "$(wait_until 10 has_stored $(($(stored) + 20)) && echo yes)"
stop_sending
counted_once "failing over"
check_equal "more than before" yes "$([ "$number" -gt 2 ] && echo yes)"
check_equal "the model knows all" "$number" "$(model .rows)"
check_equal "a build on the new server" 200 "$(build)"
stop_service
check_report postgres/failover
