#!/usr/bin/env bash
# Who may do what, and how often: tokens and RATE_LIMIT.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

WRITER=writer-0123456789
READER=reader-0123456789
json='Content-Type: application/json'

# as TOKEN: what curl is to be told, in AS; without a token, nothing
as() {
    AS=()
    [ -z "$1" ] || AS=(-H "Authorization: Bearer $1")
}

# ask_all PATH [CURL-ARGUMENT...]: the statuses without a token, with a wrong one, as reader, as writer
ask_all() {
    local token
    for token in '' wrong "$READER" "$WRITER"; do
        as "$token"
        status "$@" "${AS[@]}"
    done | paste -sd' ' -
}

# check_pages ABOUT READS WRITES: the statuses of all pages, in which - stands for being served
check_pages() {
    local about=$1 reads=$2 writes=$3 path
    check_equal "$about: GET /predict" "${reads//-/200}" "$(ask_all "/predict?a=1&b=2")"
    check_equal "$about: POST /predict" "${reads//-/200}" "$(ask_all /predict -d '{"a":1,"b":2}')"
    check_equal "$about: GET /model" "${reads//-/200}" "$(ask_all /model)"
    check_equal "$about: HEAD /model" "${reads//-/200}" "$(ask_all /model -I)"
    check_equal "$about: POST /action" "${writes//-/201}" "$(ask_all /action -d '{"a":1,"b":2,"target":9}')"
    check_equal "$about: POST /build" "${writes//-/200}" "$(ask_all /build -X POST)"
    check_equal "$about: GET /action" "${writes//-/405}" "$(ask_all /action)"
    for path in /healthz /readyz; do
        check_equal "$about: GET $path" '200 200 200 200' "$(ask_all $path)"
    done
    for path in /predict /model /action /build /healthz /readyz; do
        check_equal "$about: OPTIONS $path" '204 204 204 204' "$(ask_all $path -X OPTIONS)"
    done
    check_equal "$about: no such page" '404 404 404 404' "$(ask_all /nothing)"
}

# learn_plane, and a model, before there are any tokens
new_model() {
    new_data
    start_service
    learn_plane
    stop_service
}

test_rights() {
    new_model
    start_service
    check_pages "no tokens" '- - - -' '- - - -'
    stop_service
    start_service "API_TOKEN=$WRITER"
    check_pages "API_TOKEN" '- - - -' '401 401 401 -'
    stop_service
    start_service "API_TOKEN=$WRITER" "READ_TOKEN=$READER"
    check_pages "API_TOKEN and READ_TOKEN" '401 401 - -' '401 401 403 -'
    check_equal "no warning" 0 "$(grep -c 'warning: .*TOKEN' "$LOG")"
    env "PORT=${URL##*:}" "$TRENDLINE" health
    check_equal "trendline health needs no token" 0 $?
    stop_service
    start_service "READ_TOKEN=$READER"
    check_pages "READ_TOKEN" '401 401 - 401' '- - - -'
    check_contains "a warning" "API_TOKEN is not" "$(cat "$LOG")"
    stop_service
}

test_refusals() {
    local rows
    new_data
    start_service "API_TOKEN=$WRITER" "READ_TOKEN=$READER"
    refuses "no token" 401 'Authorization: Bearer' /action -d '{"a":1,"target":2}'
    refuses "no token, for reading" 401 'Authorization: Bearer' /predict?a=1
    refuses "an empty token" 401 'Authorization: Bearer' /action -d '{"a":1,"target":2}' -H 'Authorization: Bearer'
    refuses "another scheme" 401 'Authorization: Bearer' /action -d '{"a":1,"target":2}' -u "user:$WRITER"
    refuses "a token in the query" 401 'Authorization: Bearer' "/action?access_token=$WRITER" -d '{"a":1,"target":2}'
    refuses "half a token" 401 valid /action -d '{"a":1,"target":2}' -H "Authorization: Bearer ${WRITER:0:8}"
    refuses "READ_TOKEN for a write" 403 reading /action -d '{"a":1,"target":2}' -H "Authorization: Bearer $READER"
    refuses "READ_TOKEN for a build" 403 reading /build -X POST -H "Authorization: Bearer $READER"
    raw_refuses "two tokens" 400 HTTP "GET /model HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
Authorization: Bearer x\r\nAuthorization: Bearer $WRITER\r\n\r\n"
    check_equal "nothing was stored" 0 "$(wc -l <"$DATA/actions.jsonl")"
    check_equal "the scheme's case makes no difference" 201 \
        "$(status /action -d '{"a":1,"target":2}' -H "authorization: bearer   $WRITER")"
    # a body that is not read must not be taken for the connection's next request
    head -c 4000000 /dev/zero | tr '\0' '\n' >"$SCRATCH/large"
    refuses "a large body" 401 token /action -H "$json" -H Expect: --data-binary "@$SCRATCH/large"
    as "$WRITER"
    rows=$(for _ in {1..20}; do
        curl -s -o /dev/null -o /dev/null -w '%{http_code} ' "$URL/action" -H Expect: --data-binary "@$SCRATCH/large" \
            --next -s -w '%{http_code}\n' "$URL/action" "${AS[@]}" -d '{"a":1,"target":2}' -o /dev/null
    done | sort | uniq -c | xargs)
    check_equal "and the next one is served" '20 401 201' "$rows"
    stop_service
}

# stops ABOUT VARIABLE REASON NAME=VALUE...: one line that names the variable, gives a reason, and tells no secret
stops() {
    local about=$1 variable=$2 reason=$3 said
    shift 3
    said=$(failed_start "$@")
    check_contains "$about stops the start" "1: trendline: $variable" "$said"
    check_contains "$about: why" "$reason" "$said"
    check_equal "$about: one line" 1 "$(wc -l <"$SCRATCH/failed")"
    check_equal "$about: nothing is told" 0 "$(grep -c s3cret "$SCRATCH/failed")"
    check_equal "$about: nothing is made" "" "$(ls -A "$DATA")"
}

test_bad_tokens() {
    local name
    new_data
    printf 's3cret-in-a-file\n' >"$SCRATCH/good"
    printf '\n' >"$SCRATCH/empty"
    printf 's3cret\ns3cret\n' >"$SCRATCH/two"
    for name in API_TOKEN READ_TOKEN; do
        stops "an empty $name" "$name " "there is none" "$name="
        stops "a $name with a space" "$name " "without spaces" "$name=s3cret s3cret"
        stops "a $name with a newline" "$name " "without spaces" "$name=s3cret"$'\n'
        stops "an accented $name" "$name " "ASCII" "$name=s3cret-é"
        stops "a $name without end" "$name " "1 to 512" "$name=s3cret$(head -c 512 /dev/zero | tr '\0' x)"
        stops "$name and a file" "$name and ${name}_FILE " "only one" "$name=s3cret" "${name}_FILE=$SCRATCH/good"
        stops "no file for $name" "${name}_FILE " "No such file" "${name}_FILE=$SCRATCH/none"
        stops "a directory for $name" "${name}_FILE " "is a directory" "${name}_FILE=$SCRATCH"
        stops "an empty file for $name" "${name}_FILE " "there is none" "${name}_FILE=$SCRATCH/empty"
        stops "two lines for $name" "${name}_FILE " "one line" "${name}_FILE=$SCRATCH/two"
    done
    if [ "$(id -u)" -ne 0 ]; then
        chmod 0 "$SCRATCH/good"
        stops "a locked file" API_TOKEN_FILE "Permission denied" "API_TOKEN_FILE=$SCRATCH/good"
    fi
    start_service API_TOKEN=short
    check_contains "a short token is warned of" "warning: API_TOKEN has fewer than 16" "$(cat "$LOG")"
    stop_service
}

# environments NAME...: which processes of that name show a token in /proc to whoever may look
environments() {
    local name pid
    for name; do
        for pid in $(pids_of "$name"); do
            tr '\0' '\n' <"/proc/$pid/environ" | grep -q 'writer-\|reader-' && echo "$name"
        done
    done
}

test_files() {
    local pid place
    new_data
    printf '%s\n' "$WRITER" >"$SCRATCH/writer"
    printf '%s' "$READER" >"$SCRATCH/reader"
    chmod 400 "$SCRATCH/writer" "$SCRATCH/reader"
    # a secret of root's, and a volume of somebody else's, is what containers often have
    if [ "$(id -u)" -eq 0 ]; then
        chmod 711 "$SCRATCH"
        chown 65534:65534 "$DATA"
    fi
    start_service "API_TOKEN_FILE=$SCRATCH/writer" "READ_TOKEN_FILE=$SCRATCH/reader"
    as "$WRITER"
    check_equal "the file's token" 201 "$(status /action -d '{"a":1,"target":2}' "${AS[@]}")"
    check_equal "for a build" 200 "$(status /build -X POST "${AS[@]}")"
    check_equal "without it" 401 "$(status /action -d '{"a":1,"target":2}')"
    as "$READER"
    check_equal "the other file's" '200 {"prediction": 2}' "$(answer "/predict?a=1" "${AS[@]}")"
    check_equal "which may not write" 403 "$(status /action -d '{"a":1,"target":2}' "${AS[@]}")"
    rm "$SCRATCH/writer" "$SCRATCH/reader"
    for place in predict action build; do
        for pid in $(pids_of $place); do kill -9 "$pid"; done
    done
    check_equal "a binary that was killed knows it still" 200 "$(status "/predict?a=1" "${AS[@]}")"
    check_equal "and guards" 401 "$(status "/predict?a=1")"
    as "$WRITER"
    check_equal "writing too" 201 "$(status /action -d '{"a":1,"target":2}' "${AS[@]}")"
    check_equal "and building" 401 "$(status /build -X POST)"
    test_secrecy
    stop_service
}

# memory_of PID: "token" when there is one in what that process may write
memory_of() {
    python3 - "$1" <<'END'
import sys
with open(f"/proc/{sys.argv[1]}/maps") as maps, open(f"/proc/{sys.argv[1]}/mem", "rb", 0) as memory:
    for line in maps:
        place, rights = line.split()[:2]
        start, end = (int(part, 16) for part in place.split("-"))
        if not rights.startswith("rw"):
            continue
        memory.seek(start)
        try:
            content = memory.read(end - start)
        except OSError: # pages of shared memory that no one has touched
            continue
        if b"writer-0123" in content or b"reader-0123" in content:
            print("token")
            break
END
}

# What is there for others to see. With the service running, and tokens used.
test_secrecy() {
    local pid
    raw "GET /model HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $WRITER\r\nAuthorization: Bearer $READER\r\n\r\n" >/dev/null
    check_equal "all names are known" 7 "$(for pid in predict action build nginx; do pids_of $pid; done | wc -l)"
    check_equal "no token in the environment of those that serve" "" "$(environments predict action build nginx)"
    # nginx's master, which sees no request, writes its title over its environment: a copy would be elsewhere
    # (the address sanitizer maps terabytes: nothing to look through)
    if [ "$(id -u)" -eq 0 ] && ! is_sanitized; then
        check_equal "the memory can be looked through" token "$(memory_of "$SERVICE")"
        check_equal "no token in nginx's memory" "" "$(memory_of "$(pids_of nginx | head -n 1)")"
    fi
    check_equal "no token in any command line" "" "$(for pid in $(group_of "$SERVICE"); do
        tr '\0' ' ' <"/proc/$pid/cmdline" | grep 'writer-\|reader-'
    done)"
    check_contains "the log has the requests" '"POST /action HTTP/1.1" 201' "$(cat "$LOG")"
    check_equal "and no token" 0 "$(grep -c 'writer-\|reader-' "$LOG")"
    check_equal "nor have the files" "" "$(grep -rl 'writer-\|reader-' "$DATA")"
}

# many COUNT PATH [CURL-ARGUMENT...]: the statuses of so many requests over one connection
many() {
    local count=$1 path=$2
    shift 2
    curl -s --max-time 60 -o /dev/null -w '%{http_code}\n' "$@" "$URL$path?a=[1-$count]"
}

test_rate_limit() {
    local served refused
    new_data
    start_service RATE_LIMIT=10r/s "API_TOKEN=$WRITER"
    many 200 /model >"$SCRATCH/statuses"
    served=$(grep -c 404 "$SCRATCH/statuses")
    refused=$(grep -c 429 "$SCRATCH/statuses")
    check_equal "each is served or refused" 200 $((served + refused))
    check_equal "a second's worth is served at once, not much more ($served)" yes \
        "$([ "$served" -ge 11 ] && [ "$served" -lt 100 ] && echo yes)"
    many 200 /action -d '{}' >"$SCRATCH/statuses"
    check_equal "tokens are not guessed any faster" yes \
        "$([ "$(grep -c 401 "$SCRATCH/statuses")" -lt 100 ] && grep -q 429 "$SCRATCH/statuses" && echo yes)"
    refuse_once
    check_equal "/healthz is not counted" "200 200" "$(many 200 /healthz | uniq -c | xargs)"
    check_equal "/readyz is not counted" "200 503" "$(many 200 /readyz | uniq -c | xargs)"
    many 200 /model >/dev/null
    check_equal "another address is another client" 404 "$(status /model --interface 127.0.0.2)"
    check_equal "refused ones are in the log once" 0 "$(grep -c 'limiting requests' "$LOG")"
    wait_until 5 is_served || check_fail "after a while" "to be served again" "$(cat "$SCRATCH/body")"
    stop_service
    start_service RATE_LIMIT=0
    check_equal "0 is no limit" "500 404" "$(many 500 /model | uniq -c | xargs)"
    stop_service
    start_service
    check_equal "there is none by default" "500 404" "$(many 500 /model | uniq -c | xargs)"
    stop_service
}

# refuse_once: one answer of 429 as it should be, behind so many requests in one go that it must come
refuse_once() {
    curl -s --max-time 60 -o /dev/null "$URL/model?a=[1-200]" \
        --next -s -D "$SCRATCH/headers" -o "$SCRATCH/body" "$URL/model"
    check_equal "429 " "429 " "$(header_status) $(error_faults)"
    check_contains "429: the sentence" RATE_LIMIT "$(jq -r .error "$SCRATCH/body" 2>&1)"
}

is_served() {
    [ "$(status /model)" = 404 ]
}

test_rights
test_refusals
test_bad_tokens
test_files
test_rate_limit
check_report http/access
