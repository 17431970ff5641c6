# A synchronous standby of the server that start_postgres has started with synchronous_standby_names;
# sourced after postgres.bash.
# shellcheck shell=bash

# start_standby: STANDBY is its directory, STANDBY_PORT its port
start_standby() {
    STANDBY=$(mktemp -d "${TMPDIR:-/tmp}/trendline-pg.XXXXXX")
    on_exit "rm -rf '$STANDBY'"
    [ "$(id -u)" -ne 0 ] || chown postgres:postgres "$STANDBY"
    (cd / && PGPASSWORD=$PASSWORD as_server "$(server_program pg_basebackup)" -R -X stream -c fast \
        -D "$STANDBY/data" -d "$URI" >"$SCRATCH/backup.log" 2>&1) || { cat "$SCRATCH/backup.log"; exit 1; }
    STANDBY_PORT=$(free_port)
    on_exit stop_standby
    resume_standby
}

is_synchronous() {
    [ "$(sql "SELECT sync_state FROM pg_stat_replication")" = sync ]
}

# resume_standby: until it is one that commits are waited for
resume_standby() {
    (cd / && as_server "$(server_program postgres)" -D "$STANDBY/data" -c "port=$STANDBY_PORT" \
        -c "unix_socket_directories=$STANDBY" >>"$SCRATCH/standby.log" 2>&1) &
    wait_until 30 is_synchronous || { cat "$SCRATCH/standby.log"; exit 1; }
}

stop_standby() {
    kill -INT "$(head -n 1 "$STANDBY/data/postmaster.pid")"
    wait_until 30 test ! -e "$STANDBY/data/postmaster.pid"
} 2>/dev/null
