#!/usr/bin/env bash
# The contract with events and models in PostgreSQL, by one replica.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=postgres.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/postgres.bash"

test_events() {
    check_equal "an event" '201 {"seq": 1}' "$(answer /action -d '{"a":1,"b":2,"target":8}')"
    check_equal "an event with an id" '201 {"seq": 2}' \
        "$(answer /action -d '{"_id":"x","a":2,"b":1,"target":7}')"
    check_equal "the same again" '200 {"seq": 2, "duplicate": true}' \
        "$(answer /action -d '{"_id":"x","a":2,"b":1,"target":7}')"
    refuses "the same id, other content" 409 '"x"' /action -d '{"_id":"x","a":2,"b":1,"target":8}'
    refuses "a missing feature" 422 '"b"' /action -d '{"a":2,"target":8}'
    refuses "no model yet" 503 'POST /build' '/predict?a=1&b=2'
    answer /action -d '{"_id":"é\"\\","a":0,"b":0,"target":3}' >/dev/null
    check_equal "an awkward id is stored" 201 "$(header_status)"
    check_equal "as it is" "é\"\\" "$(sql 'SELECT id FROM trendline_rows ORDER BY seq DESC LIMIT 1')"
    answer /action -d '{"_id":"\u00e9\"\\","a":-0.0,"b":0,"target":3}' >/dev/null
    check_equal "and known again, also with -0" 200 "$(header_status)"
}

test_bulk() {
    answer /action -d '[{"_id":"x","a":2,"b":1,"target":7},{"_id":"z","a":1,"b":1,"target":6},
        {"_id":"z","a":1,"b":1,"target":6},{"_id":"z","a":2,"b":1,"target":6},{"a":1},
        {"_id":"x","a":9,"b":1,"target":7},{"a":2,"b":2,"target":9}]' >/dev/null
    check_equal "in bulk" '[2,2,3,[3,4,5]]' \
        "$(jq -c '[.accepted,.duplicates,.rejected,[.errors[].index]]' "$SCRATCH/body")"
}

test_model() {
    check_equal "a build" 200 "$(build)"
    check_equal "predicts" '200 {"prediction": 9}' "$(answer '/predict?a=2&b=2')"
    answer /action -d '{"a":1,"b":0,"target":104}' >/dev/null
    check_equal "read your writes" 6 "$(answer '/predict?a=2&b=2' >/dev/null; header X-Model-Events)"
}

test_tables() {
    check_equal "events as rows" '{"a": 1, "b": 2}|8' \
        "$(sql 'SELECT features, target FROM trendline_events ORDER BY seq LIMIT 1')"
    check_equal "models" '1|1' \
        "$(sql "SELECT version, model::jsonb->>'version' FROM trendline_models")"
}

test_extremes() {
    answer /action -d '{"a":5e-324,"b":1.7976931348623157e308,"target":0.1}' >/dev/null
    check_equal "an extreme event" 201 "$(header_status)"
    check_equal "bit for bit" '5e-324|1.7976931348623157e+308|0.1' \
        "$(sql "SELECT cells[1], cells[2], cells[3] FROM trendline_rows ORDER BY seq DESC LIMIT 1")"
}

test_restart() {
    local before
    before=$(answer '/predict?a=2&b=2')
    stop_service
    rm -rf "$DATA"
    new_data
    start_service "POSTGRES_URI=$URI"
    check_equal "an empty directory: the same prediction" "$before" "$(answer '/predict?a=2&b=2')"
    check_equal "the id is known" '200 {"seq": 2, "duplicate": true}' \
        "$(answer /action -d '{"_id":"x","a":2,"b":1,"target":7}')"
    check_equal "another build" 200 "$(build)"
    check_equal "is version 2" 2 "$(model .version)"
    check_equal "nothing but what can be made again" 'lock lock.turn model.json' \
        "$(find "$DATA" -type f -printf '%f\n' | sort | paste -sd ' ')"
}

# environment_of NAME: of all processes with that name
environment_of() {
    local pid
    for pid in $(pids_of "$1"); do tr '\0' '\n' <"/proc/$pid/environ"; done
}

test_secret() {
    local name
    for name in predict nginx action build follow; do
        check_equal "$name does not show the password" "" \
            "$(environment_of "$name" | grep -o "$PASSWORD")"
    done
    stop_service
    check_equal "nor does the log" "" "$(grep -o "$PASSWORD" "$LOG")"
    echo "$URI" >"$SCRATCH/uri"
    start_service "POSTGRES_URI_FILE=$SCRATCH/uri"
    check_equal "the URI from a file" 200 "$(status '/predict?a=2&b=2')"
    stop_service
}

# stops NAME URI: the start ends with one line, which has the variable and the remedy and nothing of
# the URI
stops() {
    local said
    said=$(failed_start "POSTGRES_URI=$2")
    check_contains "$1 stops the start" "1: trendline: POSTGRES_URI cannot be used" "$said"
    check_contains "$1: the remedy" "@ %40" "$said"
    check_equal "$1: one line, nothing of it shown" "1 0" \
        "$(wc -l <"$SCRATCH/failed") $(grep -ciE 's3|cret|nowhere' "$SCRATCH/failed")"
    check_equal "$1: nothing is made" "" "$(ls -A "$DATA")"
    echo "$2" >"$SCRATCH/uri"
    said=$(failed_start "POSTGRES_URI_FILE=$SCRATCH/uri")
    check_contains "$1, in a file" "1: trendline: POSTGRES_URI_FILE cannot be used" "$said"
    check_equal "$1, in a file: nothing of it shown" 0 "$(grep -ciE 's3|cret|nowhere' "$SCRATCH/failed")"
    for command in export import; do
        said=$(DATA_DIR=$DATA POSTGRES_URI=$2 "$TRENDLINE" "$command" 2>&1 </dev/null)
        check_contains "$1: $command" "POSTGRES_URI cannot be used" "$said"
        check_equal "$1: $command shows nothing" "" "$(grep -oiE 's3|cret|nowhere' <<<"$said")"
    done
}

test_uris() {
    local at=@127.0.0.1:$PGPORT/nowhere
    new_data
    stops "a percent sign" "postgresql://user:s3%cret$at"
    stops "an at sign" "postgresql://user:s3@cret$at"
    stops "an at sign in the user's name" "postgresql://user@s3:cret$at"
    stops "a slash" "postgresql://user:s3/cret$at"
    stops "a slash behind a number" "postgresql://user:3/s3cret$at"
    stops "a slash first" "postgresql://user:/s3cret$at"
    stops "a question mark and an at sign" "postgresql://user:s3?x@cret$at"
    stops "a port that is none" "postgresql://user:s3cret@127.0.0.1:$PGPORT:x/nowhere"
    stops "an ampersand" "postgresql://127.0.0.1/nowhere?password=s3&cret"
    stops "no URI" "host=nowhere"
    stops "another one" "mysql://user:s3cret$at"
    said=$(failed_start "POSTGRES_URI_FILE=postgresql://user:s3cret$at")
    check_contains "a URI for the file's name" "POSTGRES_URI_FILE cannot be used" "$said"
    check_equal "shows nothing of it" "" "$(grep -oiE 's3|cret|nowhere' <<<"$said")"
    sql "CREATE ROLE \"a@b\" LOGIN PASSWORD 'p@/%?:#s3'; GRANT ALL ON SCHEMA public TO \"a@b\";
        GRANT ALL ON ALL TABLES IN SCHEMA public TO \"a@b\"; GRANT ALL ON SEQUENCE trendline_seq TO \"a@b\"" >/dev/null
    start_service "POSTGRES_URI=postgresql://a%40b:p%40%2F%25%3F%3A%23s3@127.0.0.1:$PGPORT/postgres?application_name=x@y"
    check_equal "all of it percent-encoded" 201 "$(status /action -d '{"a":1,"b":2,"target":8}')"
    stop_service
}

# in_container [NAME=VALUE...]: what a start says as the first process of its namespace, on a directory
# beside the system's own
in_container() {
    local port
    port=$(free_port)
    LOG=$(mktemp "$SCRATCH/log.XXXXXX")
    env "PORT=$port" "DATA_DIR=$BUILD/data.$$" WORKERS=1 "$@" unshare --pid --fork --kill-child "$TRENDLINE" serve >"$LOG" 2>&1 &
    wait_until 30 grep -q ' ready on ' "$LOG"
    kill -KILL $!
    wait $! 2>/dev/null
    grep 'no volume' "$LOG"
}

# The data do not die with a container when they are in a database.
test_no_volume() {
    on_exit "rm -rf '$BUILD/data.$$'"
    if [ "$(unshare --pid --fork echo made 2>&1)" != made ] || ! in_container >/dev/null; then
        echo "store.sh: skipped: no container without a volume can be made here"
        return
    fi
    check_equal "no warning of a volume that is missing" "" "$(in_container "POSTGRES_URI=$URI")"
}

# Only what is stored brings its levels.
test_texts() {
    sql 'CREATE SCHEMA texts' >/dev/null
    new_data
    start_service "POSTGRES_URI=$URI?options=-csearch_path%3Dtexts"
    status /action -d '{"_id":"1","colour":"red","target":1}' >/dev/null
    refuses "another event with the same id" 409 already /action -d '{"_id":"1","colour":"mauve","target":1}'
    status /action -d '[{"_id":"1","colour":"mauve","target":1},{"_id":"2","colour":"blue","target":1}]' >/dev/null
    check_equal "the levels" "blue red" "$(sql 'SELECT text FROM texts.trendline_texts ORDER BY text' | xargs)"
    stop_service
}

start_postgres
new_data
start_service "POSTGRES_URI=$URI"
test_events
test_bulk
test_model
test_tables
test_extremes
test_restart
test_secret
test_uris
test_no_volume
test_texts
check_report postgres/store
