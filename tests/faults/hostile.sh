#!/usr/bin/env bash
# Slow and hostile clients: bounded memory, the right status, and nobody else notices.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=faults.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/faults.bash"

IDLE=${FAULT_IDLE:-10000}
MEMORY_MAX=65536 # kB resident that a process may have had at most

# hold COUNT TEXT [DRIP_MS]: so many connections that send this and no more, until let_go
hold() {
    : >"$SCRATCH/held" # here, for the child may come to it after the first look
    "$FAULTS/hold" "${URL##*:}" "$@" >"$SCRATCH/held" 2>&1 &
    HOLD=$!
    on_exit "kill $HOLD 2>/dev/null"
    wait_until 60 grep -q '^held' "$SCRATCH/held"
}

let_go() {
    kill -TERM "$HOLD"
    wait "$HOLD"
}

# others NAME: that everybody else is served, and at once
others() {
    local slowest
    slowest=$(curl -s --max-time 20 -o /dev/null -w '%{http_code} %{time_total}\n' \
        "$URL/predict?b=100&a=[1-200]" | sort -k2 -n | awk '$1 != 200 { bad++ } { t = $2 }
            END { print bad + 0, (t < 2 ? "fast" : t) }')
    check_equal "$1: others predict" "0 fast" "$slowest"
    check_equal "$1: others write" 201 "$(status /action -d '{"a":1,"b":1,"target":6}')"
    check_equal "$1: others on a new connection" 200 "$(status "/predict?a=1&b=1")"
}

# bounded NAME: no process has ever had more than MEMORY_MAX
bounded() {
    local pid
    check_equal "$1: a process that took more than $MEMORY_MAX kB" "" "$(for pid in $(group_of "$SERVICE"); do
        awk -v max="$MEMORY_MAX" '/^Name:/ { n = $2 } /^VmHWM:/ && $2 > max { print n, $2 }' \
            "/proc/$pid/status"
    done)"
}

peak() {
    local pid
    for pid in $(group_of "$SERVICE"); do
        awk '/^Name:/ { n = $2 } /^VmHWM:/ { print $2, n }' "/proc/$pid/status"
    done | sort -n | tail -n 1
}

test_idle() {
    hold "$IDLE" ''
    echo "idle: $(paste -sd' ' "$SCRATCH/held")"
    others "$IDLE idle connections"
    check_contains "idle connections: as many as were wanted" "held $IDLE" "$(cat "$SCRATCH/held")"
    let_go
    echo "idle: the server has $(tail -n 1 "$SCRATCH/held") of them by then, to serve others"
    hold 2000 'GET /predict?a=1&b=1 HTTP/1.1\r\nHost: x\r\n\r\n'
    others "2000 kept connections"
    let_go
    check_contains "kept connections had their answer" " 200" "$(tail -n 1 "$SCRATCH/held")"
    bounded "idle connections"
}

test_slow() {
    hold 500 'GET /predict?a=1&b=1 HTTP/1.1\r\nHost: x\r\nX-Slow: ' 200
    others "500 slow headers"
    let_go
    hold "$((IDLE * 9 / 10))" 'GET /predict?a=1&b=1 HTTP/1.1\r\nHost: x\r\nX-Slow: '
    others "$((IDLE * 9 / 10)) half-sent headers"
    let_go
    hold 500 'POST /action HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{' 200
    others "500 slow bodies"
    let_go
    hold 200 'POST /action HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":' 500
    others "200 slow chunks"
    let_go
    # after 15 s
    hold 50 'GET /predict?a=1' 1000
    check_equal "slow headers are given up" 0 "$(wait_until 25 grep -q "^all closed" "$SCRATCH/held"; echo $?)"
    let_go
    bounded "slow clients"
}

# Nothing of a body that was cut short is stored, nor is it waited for.
test_cut() {
    local before
    before=$(wc -l <"$DATA/actions.jsonl")
    for _ in {1..20}; do
        exec 3<>"/dev/tcp/127.0.0.1/${URL##*:}"
        printf 'POST /action HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a":1,"b":1,"target":6}' >&3
        exec 3>&-
    done
    others "cut bodies"
    check_equal "bodies cut short are not stored" $((before + 1)) "$(wc -l <"$DATA/actions.jsonl")"
}

test_pipelining() {
    local get='GET /predict?a=10&b=100 HTTP/1.1\r\nHost: x\r\n' text=
    for _ in {1..50}; do text+="$get\r\n"; done
    raw "$text${get}Connection: close\r\n\r\n" >"$SCRATCH/raw"
    check_equal "51 requests in one go" 51 "$(grep -c '"prediction": 321' "$SCRATCH/raw")"
    raw 'POST /action HTTP/1.1\r\nHost: x\r\nContent-Length: 24\r\n\r\n{"a":1,"b":1,"target":6}GET /predict?a=10&b=100 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >"$SCRATCH/raw"
    check_equal "a write and a read in one go" "201 200" \
        "$(sed -n 's/^HTTP\/1.1 \([0-9]*\).*/\1/p' "$SCRATCH/raw" | paste -sd' ' -)"
}

# file_refused NAME STATUS TEXT: as a body of /action, and of /predict
file_refused() {
    refuses "$1" "$2" "$3" /action -H 'Content-Type: application/json' --data-binary "@$SCRATCH/hostile"
    refuses "$1, to predict" "$2" "$3" /predict -H 'Content-Type: application/json' \
        --data-binary "@$SCRATCH/hostile"
}

# repeat COUNT TEXT
repeat() {
    awk -v n="$1" -v text="$2" 'BEGIN { while (n-- > 0) printf "%s", text }'
}

test_bodies() {
    printf '{"a":1,"b":1,"target":6,"\xff\xfe":1}' >"$SCRATCH/hostile"
    file_refused "invalid UTF-8 in a name" 400 ''
    printf '{"a":"\xc3\x28","b":1,"target":6}' >"$SCRATCH/hostile"
    file_refused "invalid UTF-8 in a value" 400 ''
    refuses "invalid UTF-8 in a query" 422 '' "/predict?a=1&b=1&%ff%fe=1"
    { repeat 100000 '['; repeat 100000 ']'; } >"$SCRATCH/hostile"
    file_refused "arrays 100000 deep" 400 ''
    { repeat 100000 '{"a":'; printf 1; repeat 100000 '}'; } >"$SCRATCH/hostile"
    file_refused "objects 100000 deep" 400 ''
    { printf '{"a":1,"b":1,"target":6,"c":'; repeat 100000 '['; } >"$SCRATCH/hostile"
    file_refused "deep and unfinished" 400 ''
    awk 'BEGIN { printf "{\"a\":1,\"b\":1,\"target\":6"; while (i++ < 1000000) printf ",\"k%d\":1", i; print "}" }' \
        >"$SCRATCH/hostile"
    refuses "a million keys" 413 '' /action --data-binary "@$SCRATCH/hostile"
    awk 'BEGIN { printf "{\"a\":1,\"b\":1,\"target\":6"; while (i++ < 60000) printf ",\"k%d\":1", i; print "}" }' \
        >"$SCRATCH/hostile"
    refuses "60000 keys" 422 'unknown' /action --data-binary "@$SCRATCH/hostile"
    { printf '{"a":1,"b":1,"target":6,"'; repeat 900000 x; printf '":1}'; } >"$SCRATCH/hostile"
    refuses "a name of 900 kB" 422 '' /action --data-binary "@$SCRATCH/hostile"
    { printf '{"b":1,"target":6,"a":'; repeat 900000 1; printf '}'; } >"$SCRATCH/hostile"
    refuses "a number of 900 kB" 400 '' /action --data-binary "@$SCRATCH/hostile"
    repeat 100000 '{"a":1,' >"$SCRATCH/hostile"
    refuses "an object without an end" 400 '' /action --data-binary "@$SCRATCH/hostile"
    head -c 17000000 /dev/zero >"$SCRATCH/hostile"
    refuses "a body beyond MAX_BODY" 413 MAX_BODY /action --data-binary "@$SCRATCH/hostile"
    others "hostile bodies"
    bounded "hostile bodies"
}

# Names made to fall into one place of a hash table, and many of one length and beginning: quadratic
# work would show.
test_colliding_names() {
    local begin ms
    awk 'BEGIN { # of "Aa" and "BB", which are one to many a hash
        for (i = 0; i < 16384; i++) { name = ""; for (j = 0; j < 14; j++)
            name = name (int(i / 2 ^ j) % 2 ? "Aa" : "BB"); printf "%s\"%s\":1", i ? "," : "{", name }
        print ",\"target\":1}" }' >"$SCRATCH/hostile"
    begin=${EPOCHREALTIME/./}
    refuses "16384 colliding names" 422 '' /action --data-binary "@$SCRATCH/hostile"
    ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
    check_equal "16384 colliding names take no time ($ms ms)" yes "$([ "$ms" -lt 3000 ] && echo yes)"
    awk 'BEGIN { while (i++ < 20000) printf("%s{\"_id\":\"%s%d\",\"a\":1,\"b\":1,\"target\":6}",
        i > 1 ? "," : "[", "AaBBAaBBAaBBAaBBAaBBAaBBAaBBAaBBAaBBAaBB", i); print "]" }' >"$SCRATCH/hostile"
    begin=${EPOCHREALTIME/./}
    check_equal "20000 ids that are nearly one" 200 "$(status /action --data-binary "@$SCRATCH/hostile")"
    ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
    check_equal "20000 ids that are nearly one take no time ($ms ms)" yes "$([ "$ms" -lt 3000 ] && echo yes)"
}

test_heads() {
    local long
    long=$(repeat 70000 x)
    raw_refuses "a line of 70 kB" 414 '' "GET /predict?$long HTTP/1.1\r\nHost: x\r\n\r\n"
    raw_refuses "a header of 70 kB" 431 '' "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: $long\r\n\r\n"
    long=$(repeat 30000 'X-A: 1\r\n')
    raw_refuses "30000 headers" 431 '' "GET /healthz HTTP/1.1\r\nHost: x\r\n$long\r\n"
    long=$(awk 'BEGIN { while (i++ < 7000) printf "&k%d=1", i }')
    refuses "7000 parameters" 422 'unknown' "/predict?a=1&b=1$long"
    raw_refuses "a length that is none" 400 '' 'POST /action HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n'
    raw_refuses "two lengths" 400 '' 'POST /action HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}'
    raw_refuses "a length and chunks" 400 '' 'POST /action HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'
    raw_refuses "a chunk beyond all" 400 '' 'POST /action HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n'
    others "hostile heads"
}

new_data
start_service
learn_plane
test_cut
test_pipelining
test_heads
test_bodies
test_colliding_names
test_slow
test_idle
bounded "all of it"
echo "hostile: the most that a process has taken: $(peak) ($MEMORY_MAX kB allowed)"
check_report faults/hostile
