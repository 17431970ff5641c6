#!/usr/bin/env bash
# The sums of the events are kept in the database so that starts are quick, and for nothing else: over a
# slow link, without the right, with a server that is slow, no event is refused for them. What can be
# made again is, and that is said.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=postgres.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/postgres.bash"

MANY=66000 # events: more than are kept nowhere

# start_link BYTES: a link to the database, with so many bytes a second each way; SLOW is the URI over it
start_link() {
    local port
    python3 - "$PGPORT" "$1" "$SCRATCH/port" <<'END' &
import os, socket, sys, threading, time
to, rate, name = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
ways = threading.Lock(), threading.Lock()
def pass_on(source, sink, way):
    try:
        while data := source.recv(16384):
            with way:
                time.sleep(len(data) / rate)
            sink.sendall(data)
    except OSError:
        pass
    for end in source, sink:
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
listener.bind(("127.0.0.1", 0))
listener.listen(50)
with open(name + ".new", "w") as file:
    print(listener.getsockname()[1], file=file)
os.rename(name + ".new", name)
while True:
    near, far = listener.accept()[0], socket.create_connection(("127.0.0.1", to))
    threading.Thread(target=pass_on, args=(near, far, ways[0]), daemon=True).start()
    threading.Thread(target=pass_on, args=(far, near, ways[1]), daemon=True).start()
END
    on_exit "kill $!"
    wait_until 10 test -e "$SCRATCH/port"
    read -r port <"$SCRATCH/port"
    SLOW=${URI/:$PGPORT/:$port}
}

# send_many: the answer's status
send_many() {
    awk -v n="$MANY" 'BEGIN { for (i = 0; i < n; i++)
        printf "{\"a\":%d,\"b\":%.17g,\"target\":%d}\n", i % 100, i / 7, i % 13 }' |
        status /action -H 'Content-Type: application/x-ndjson' --data-binary @-
}

start_over() {
    sql 'DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO public' 2>/dev/null
    new_data
}

is_kept() {
    [ "$(sql 'SELECT count(*) FROM trendline_moments WHERE events >= 65536')" = 1 ]
}

is_under_way() {
    [ "$(sql 'SELECT count(*) > 3 FROM trendline_moments_parts')" = t ]
}

# tells TEXT: the log has it from follow
tells() {
    grep -q "^follow: .*$1" "$LOG"
}

event() {
    status /action -d '{"a":1,"b":2,"target":3}'
}

# knows EVENTS: the model that is served knows so many
knows() {
    answer '/predict?a=1&b=2' >/dev/null
    [ "$(header X-Model-Events)" = "$1" ]
}

# events_until CONDITION...: one event after the other; what was answered, each once
events_until() {
    local seen='' sent
    for ((sent = 0; sent < 5000; sent++)); do
        case " $seen " in *" $(event) "*) ;; *) seen="$seen $(header_status)" ;; esac
        ! "$@" || break
    done
    echo "$seen"
}

# The sums take four seconds to be sent, and no silence is longer than two.
test_slow_link() {
    start_over
    start_link 1e6
    start_service "POSTGRES_URI=$SLOW"
    check_equal "over a slow link: a first event" 201 "$(event)"
    check_equal "a build" 200 "$(build)"
    check_equal "many events" 200 "$(send_many)"
    check_equal "events while their sums are sent" " 201" "$(events_until is_under_way)"
    mapfile -t followers < <(pids_of follow)
    kill -9 "${followers[@]}"
    check_equal "events after that was cut off" " 201" "$(events_until is_kept)"
    check_equal "the sums are longer than what comes in two seconds" t \
        "$(sql 'SELECT sum(length(part)) > 3e6 FROM trendline_moments_parts')"
    check_equal "nothing else is said" "" "$(grep -v ' ready on \|"POST ' "$LOG")"
    stop_service
    # what they cover need not even be there
    sql "DELETE FROM trendline_rows r USING trendline_moments m, unnest(m.writers, m.numbers) p(writer, number)
        WHERE r.writer = p.writer AND r.number <= p.number"
    new_data
    start_service "POSTGRES_URI=$SLOW"
    check_equal "a new replica: an event" 201 "$(event)"
    check_equal "knows all" yes \
        "$(wait_until 20 knows "$(sql 'SELECT sum(number) FROM trendline_writers')" && echo yes)"
    check_equal "of the sums" "" "$(grep instead "$LOG")"
    stop_service
}

test_no_right() {
    start_over
    start_service "POSTGRES_URI=$URI" MODEL=linear
    stop_service
    sql "CREATE ROLE service LOGIN PASSWORD '$PASSWORD'; REVOKE CREATE ON SCHEMA public FROM public" >/dev/null
    psql -Xq -f <(sed -n '/^GRANT/p' "$ROOT/docs/postgres.md") "$URI"
    sql 'REVOKE ALL ON trendline_moments FROM service'
    start_service "POSTGRES_URI=${URI/trendline:/service:}" MODEL=linear
    check_equal "without a right: an event" 201 "$(event)"
    check_equal "many events" 200 "$(send_many)"
    check_equal "events until that is said" " 201" "$(events_until tells 'GRANT SELECT, INSERT, UPDATE ON trendline_moments')"
    check_equal "and after it" 201 "$(event)"
    check_equal "once" 1 "$(grep -c '^follow: .*GRANT' "$LOG")"
    stop_service
    new_data
    start_service "POSTGRES_URI=${URI/trendline:/service:}" MODEL=linear
    is_stored() { [ "$(event)" = 201 ]; }
    check_equal "a start that has to read all events" yes "$(wait_until 30 is_stored && echo yes)"
    stop_service
}

# A server, or its standby, takes long over the sums.
test_slow_server() {
    start_over
    start_service "POSTGRES_URI=$URI" MODEL=linear
    check_equal "a first event" 201 "$(event)"
    sql "CREATE FUNCTION delay() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(20); RETURN NEW; END'" >/dev/null
    sql 'CREATE TRIGGER delay BEFORE INSERT ON trendline_moments FOR EACH ROW EXECUTE FUNCTION delay()' >/dev/null
    check_equal "a slow server: many events" 200 "$(send_many)"
    check_equal "events until it has been given up" " 201" "$(events_until tells 'the sums are not kept')"
    check_equal "and after it" 201 "$(event)"
    stop_service
}

# new_replica NAME WORDS: its start says them, and it learns all
new_replica() {
    new_data
    start_service "POSTGRES_URI=$URI"
    check_equal "$1: an event" 201 "$(event)"
    check_contains "$1: the log" "$2" "$(cat "$LOG")"
    check_equal "$1: all is learnt" yes \
        "$(wait_until 20 knows "$(sql 'SELECT sum(number) FROM trendline_writers')" && echo yes)"
}

# kept: what tells these sums from those kept later
kept() {
    sql 'SELECT md5(m::text) FROM trendline_moments m'
}

# damaged NAME STATEMENT WORDS: a new replica says so, and keeps them again
damaged() {
    local before
    sql "$2" >/dev/null
    before=$(kept)
    new_replica "$1" "$3"
    kept_again() { [ "$(kept)" != "$before" ]; }
    check_equal "$1: they are kept again" yes "$(wait_until 20 kept_again && echo yes)"
    stop_service
}

test_damaged_sums() {
    start_over
    start_service "POSTGRES_URI=$URI"
    check_equal "a first event" 201 "$(event)"
    check_equal "a build" 200 "$(build)"
    check_equal "many events" 200 "$(send_many)"
    check_equal "are kept" yes "$(wait_until 20 is_kept && echo yes)"
    stop_service
    damaged "the last part" "UPDATE trendline_moments SET snapshot = overlay(snapshot placing '!' from 9 for 1)" "checksum"
    damaged "another part" "UPDATE trendline_moments_parts SET part = '{}' WHERE place = 7" "checksum"
    damaged "no part" 'TRUNCATE trendline_moments_parts' "a part is missing"
    damaged "the positions" "UPDATE trendline_moments SET numbers = '{7}'" "checksum"
    damaged "a later format, whole" "UPDATE trendline_moments SET parts = 0, crc = NULL, snapshot = '{\"trendline_moments\":9}'" \
        "reading all events instead"
    damaged "events that are not there" \
        "UPDATE trendline_moments SET parts = 0, crc = NULL, writers = '{77}', snapshot = (SELECT
            string_agg(p.part, '' ORDER BY p.place) || m.snapshot FROM trendline_moments m JOIN trendline_moments_parts p
            ON p.slot = m.slot AND p.place < m.parts GROUP BY m.snapshot)" \
        "knows events that trendline_writers does not"
    new_replica "whole again" "ready on"
    check_equal "nothing else is said" "" "$(grep trendline_moments "$LOG")"
    stop_service
}

start_postgres
test_slow_link
test_no_right
test_slow_server
test_damaged_sums
check_report postgres/sums
