#!/usr/bin/env bash
# The headers that every answer has, from nginx and from the binaries, and those that some have: once.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

# headed NAME STATUS PATH [CURL-ARGUMENT...]: an answer with that status and all headers
headed() {
    local name=$1 status=$2
    shift 2
    status "$@" >/dev/null
    check_equal "headers of $name" "$status " "$(header_status) $(header_faults)"
}

# Errors are looked at by `refuses`, in all the tests.
test_headers() {
    new_data
    start_service MAX_BODY=64k
    learn_plane
    headed "a prediction" 200 "/predict?a=1&b=2"
    check_equal "its own headers" "1 4" "$(header X-Model-Version) $(header X-Model-Events)"
    headed "predictions" 200 /predict -H 'Content-Type: text/csv' -d $'a,b\n1,2\n'
    headed "an event" 201 /action -d '{"a":1,"b":2,"target":9}'
    headed "a build" 200 /build -X POST
    headed "the model" 200 /model
    headed "HEAD" 200 /model -I
    headed "/healthz" 200 /healthz
    headed "/readyz" 200 /readyz
    headed "OPTIONS" 204 /action -X OPTIONS
    check_equal "Allow" "POST, OPTIONS" "$(header Allow)"
    headed "OPTIONS of nginx's own" 204 /healthz -X OPTIONS
    check_equal "Allow of nginx's own" "GET, HEAD, OPTIONS" "$(header Allow)"
    check_equal "no Retry-After" "" "$(header Retry-After)"
    refuses "nginx's 405" 405 method /healthz -d x
    check_equal "nginx's 405: Allow" "GET, HEAD, OPTIONS" "$(header Allow)"
    refuses "a binary's 405" 405 PUT /action -X PUT
    check_equal "a binary's 405: Allow" "POST, OPTIONS" "$(header Allow)"
    rm "$DATA"/*.json
    refuses "a binary's 503" 503 model /predict?a=1
    check_equal "a binary's 503: Retry-After" 1 "$(header Retry-After)"
    test_nginx_502
    stop_service
}

# A binary that dies over a request: here build, while it waits for the lock.
test_nginx_502() {
    local pid sockets lock curl
    pid=$(pids_of build)
    sockets=$(sockets_of "$pid")
    exec {lock}<>"$DATA/lock"
    flock "$lock"
    curl -s -D "$SCRATCH/headers" -o "$SCRATCH/body" -X POST "$URL/build" &
    curl=$!
    wait_until 5 has_more_sockets "$pid" "$sockets" || check_fail "a build begins" "a connection" "none"
    kill -9 "$pid"
    wait "$curl"
    exec {lock}>&-
    check_equal "nginx's 502" "502 " "$(header_status) $(error_faults)"
    check_equal "nginx's 502: Retry-After" 1 "$(header Retry-After)"
}

sockets_of() {
    find "/proc/$1/fd" -lname 'socket:*' | wc -l
}

has_more_sockets() {
    [ "$(sockets_of "$1")" -gt "$2" ]
}

test_headers
check_report http/headers
