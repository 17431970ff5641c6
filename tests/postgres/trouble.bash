# What the tests of PostgreSQL in trouble share: events on the line target = 2 a, what holds meanwhile,
# and what holds afterwards; sourced after postgres.bash.
# shellcheck shell=bash

number=0

# send: the next event, until it is acknowledged; the statuses on the way, each once
send() {
    local tries status seen=
    number=$((number + 1))
    for ((tries = 0; tries < 100; tries++)); do
        status=$(status /action -d "{\"_id\":\"f$number\",\"a\":$number,\"target\":$((2 * number))}")
        case " $seen " in *" $status "*) ;; *) seen="$seen $status" ;; esac
        case $status in 200 | 201) break ;; esac
        sleep 0.1
    done
    echo "$seen"
}

is_writing() {
    [ "$(status /action -d '{"_id":"f1","a":1,"target":2}')" = 200 ]
}

# away NAME: what holds while the database cannot be reached
away() {
    # while one process waits for the database, another may wait for that one's lock
    refuses "$1: a write" 503 "" /action -d '{"_id":"away","a":3,"target":6}'
    refuses "$1: a build" 503 "" /build -X POST
    check_equal "$1: a prediction" '200 {"prediction": 10}' "$(answer '/predict?a=5')"
}

# back NAME: it goes on by itself
back() {
    check_equal "$1: it goes on by itself" yes "$(wait_until 10 is_writing && echo yes)"
}

counted_once() {
    check_equal "$1: each event once" "$number|$number" \
        "$(sql "SELECT count(*), count(DISTINCT id) FROM trendline_rows WHERE id ~ '^f'")"
}

# send_until FILE: one event after the other until the file is there, which then has the number
send_until() {
    local SCRATCH
    SCRATCH=$(mktemp -d "${1%/*}/sender.XXXXXX") # its answers are not ours
    until [ -e "$1" ]; do send; done >"$SCRATCH/seen"
    echo "$number" >"$1"
}

# keep_sending: until stop_sending, in the background
keep_sending() {
    ENOUGH=$SCRATCH/enough
    rm -f "$ENOUGH"
    send_until "$ENOUGH" &
    SENDER=$!
    on_exit "touch '$ENOUGH'"
}

stop_sending() {
    touch "$ENOUGH"
    wait "$SENDER"
    read -r number <"$ENOUGH"
}
