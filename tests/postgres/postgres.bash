# A real PostgreSQL for the tests: a cluster of its own in a temporary directory, from Debian's
# package; sourced after lib.sh and service.bash.
#
#     start_postgres
#     start_service "POSTGRES_URI=$URI"
#     check_equal "rows" 3 "$(sql 'SELECT count(*) FROM trendline_rows')"
# shellcheck shell=bash

PASSWORD=secret-of-$RANDOM$RANDOM
PGADDRESS=127.0.0.1 # where the server listens
SERVER_IN=()        # how to run a command where the server is: nothing, or `ip netns exec NAME`

# as_server COMMAND...: postgres does not run as root
as_server() {
    if [ "$(id -u)" -eq 0 ]; then
        "${SERVER_IN[@]}" setpriv --reuid=postgres --regid=postgres --clear-groups env HOME="$CLUSTER" "$@"
    else
        "$@"
    fi
}

# server_program NAME: of the newest version installed
server_program() {
    local programs=(/usr/lib/postgresql/*/bin/"$1")
    echo "${programs[-1]}"
}

# start_postgres [SETTING=VALUE...]: URI is how to reach it, as a user with a password; CLUSTER where
# it is
start_postgres() {
    CLUSTER=$(mktemp -d "${TMPDIR:-/tmp}/trendline-pg.XXXXXX")
    on_exit "rm -rf '$CLUSTER'"
    PGPORT=$(free_port)
    echo "$PASSWORD" >"$CLUSTER/password"
    [ "$(id -u)" -ne 0 ] || chown postgres:postgres "$CLUSTER" "$CLUSTER/password"
    (cd / && as_server "$(server_program initdb)" -D "$CLUSTER/data" -A scram-sha-256 -U trendline \
        --pwfile="$CLUSTER/password" --no-sync -E UTF8 --locale=C >"$SCRATCH/initdb.log" 2>&1) ||
        { cat "$SCRATCH/initdb.log"; exit 1; }
    echo "host all all $PGADDRESS/24 scram-sha-256" >>"$CLUSTER/data/pg_hba.conf"
    URI=postgresql://trendline:$PASSWORD@$PGADDRESS:$PGPORT/postgres
    resume_postgres "$@"
    on_exit stop_postgres
}

# resume_postgres [SETTING=VALUE...]: starts it again; POSTGRES is the pid
resume_postgres() {
    local settings=(-c "listen_addresses=$PGADDRESS" -c "port=$PGPORT" -c "unix_socket_directories=$CLUSTER" -c max_connections=60)
    local setting
    for setting; do settings+=(-c "$setting"); done
    (cd / && as_server "$(server_program postgres)" -D "$CLUSTER/data" "${settings[@]}" \
        >>"$SCRATCH/postgres.log" 2>&1) &
    wait_until 30 sql 'SELECT 1' || { cat "$SCRATCH/postgres.log"; exit 1; }
    read -r POSTGRES <"$CLUSTER/data/postmaster.pid"
}

# stop_postgres [SIGNAL]: INT ends it fast and cleanly, QUIT at once
stop_postgres() {
    is_alive "$POSTGRES" || return 0
    kill -"${1:-INT}" "$POSTGRES"
    wait_until 30 is_gone "$POSTGRES"
} 2>/dev/null

# sql STATEMENT: its rows, bare
sql() {
    psql -XAtq -c "$1" "$URI"
}
