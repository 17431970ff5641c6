#!/usr/bin/env bash
# TLS to the database, with the server's certificate checked, from within the sandbox.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=postgres.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/postgres.bash"

# the sandbox lets nothing else be read
if ! CERTIFICATES=$(mktemp -d /etc/trendline-test.XXXXXX 2>"$SCRATCH/mktemp"); then
    printf 'tls.sh: skipped, no certificates can be put into /etc: %s\n' "$(cat "$SCRATCH/mktemp")"
    check_report postgres/tls
    exit
fi
on_exit "rm -rf '$CERTIFICATES'"
chmod 755 "$CERTIFICATES"

# authority NAME: makes a certificate authority
authority() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" -keyout "$SCRATCH/$1.key" \
        -out "$CERTIFICATES/$1.pem" 2>>"$SCRATCH/openssl"
}

server_certificate() {
    openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout "$CLUSTER/server.key" \
        -out "$SCRATCH/server.csr" 2>>"$SCRATCH/openssl"
    echo 'subjectAltName=DNS:localhost' >"$SCRATCH/extension"
    openssl x509 -req -in "$SCRATCH/server.csr" -CA "$CERTIFICATES/ours.pem" -CAkey "$SCRATCH/ours.key" \
        -CAcreateserial -days 2 -extfile "$SCRATCH/extension" -out "$CLUSTER/server.pem" 2>>"$SCRATCH/openssl"
    [ "$(id -u)" -ne 0 ] || chown postgres:postgres "$CLUSTER"/server.*
    chmod 600 "$CLUSTER/server.key"
}

# secured AUTHORITY [HOST]: the URI that wants a certificate by that one
secured() {
    echo "postgresql://trendline:$PASSWORD@${2:-localhost}:$PGPORT/postgres?sslmode=verify-full&sslrootcert=$CERTIFICATES/$1.pem"
}

is_encrypted() {
    sql "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'trendline'"
}

# refused NAME URI TEXT: no connection comes about, and the log says why
refused() {
    new_data
    start_service "POSTGRES_URI=$2"
    refuses "$1" 503 "cannot be reached: try again" /action -d '{"a":1,"target":2}'
    check_contains "$1: the log" "$3" "$(cat "$LOG")"
    check_equal "$1: no more for clients" "" "$(grep -o "${3% *}" "$SCRATCH/body")"
    check_equal "$1: no password in the log" "" "$(grep -o "$PASSWORD" "$LOG")"
    stop_service
}

start_postgres
authority ours
authority others
server_certificate
stop_postgres
resume_postgres ssl=on "ssl_cert_file=$CLUSTER/server.pem" "ssl_key_file=$CLUSTER/server.key"
new_data
start_service "POSTGRES_URI=$(secured ours)"
check_equal "an event" '201 {"seq": 1}' "$(answer /action -d '{"a":1,"target":2}')"
check_equal "all connections are encrypted" t "$(is_encrypted)"
check_equal "no password in the log" "" "$(grep -o "$PASSWORD" "$LOG")"
stop_service
refused "another authority" "$(secured others)" "certificate verify failed"
refused "another host" "$(secured ours 127.0.0.1)" 'does not match host name "127.0.0.1"'
check_report postgres/tls
