# A PostgreSQL of the script's own, for the figures that need one; sourced after lib.sh. Ends the script
# where there is none.
# shellcheck shell=bash

DATABASE_ADDRESS=127.0.0.1 # where it listens

programs=(/usr/lib/postgresql/*/bin)
PROGRAM_DIR=${programs[-1]}
[ -x "$PROGRAM_DIR/pgbench" ] || { say "no PostgreSQL here: this figure is left out"; exit 0; }

# as_server COMMAND...: PostgreSQL does not run as root
as_server() {
    if [ "$(id -u)" -eq 0 ]; then
        setpriv --reuid=postgres --regid=postgres --clear-groups env HOME=/ "$@"
    else
        "$@"
    fi
}

start_postgres() {
    next_port
    DATABASE_PORT=$PORT
    CLUSTER=$(mktemp -d "$BUILD/bench/postgres.XXXXXX")
    on_exit "rm -rf '$CLUSTER'"
    [ "$(id -u)" -ne 0 ] || chown postgres:postgres "$CLUSTER"
    (cd "$CLUSTER" && as_server "$PROGRAM_DIR/initdb" -D "$CLUSTER/data" -A trust -U trendline -E UTF8 \
        --locale=C >/dev/null)
    echo "host all all $DATABASE_ADDRESS/24 trust" >>"$CLUSTER/data/pg_hba.conf"
    (cd "$CLUSTER" && as_server "$PROGRAM_DIR/postgres" -D "$CLUSTER/data" -h "$DATABASE_ADDRESS" \
        -p "$DATABASE_PORT" -k "$CLUSTER" >"$SCRATCH/postgres.log" 2>&1) &
    on_exit "kill -INT \$(head -n 1 '$CLUSTER/data/postmaster.pid') 2>/dev/null; sleep 1"
    URI=postgresql://trendline@$DATABASE_ADDRESS:$DATABASE_PORT/postgres
    wait_until 30 sql 'SELECT 1'
}

sql() {
    psql -XAtq -c "$1" "$URI"
}
