#!/bin/bash
# The image as a service: what a plain `run` gives, and that it survives and ends well.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/common.bash"

build_target serve
size=$("$ENGINE" image inspect --format '{{.Size}}' "$IMAGE")
printf 'image: %d MB\n' $((size / 1000000))
check_contains "HEALTHCHECK calls trendline health" "trendline health" \
    "$("$ENGINE" image inspect --format '{{.Config.Healthcheck}}' "$IMAGE")"
check_contains "EXPOSE 80" 80/tcp "$("$ENGINE" image inspect --format '{{.Config.ExposedPorts}}' "$IMAGE")"

test_life() {
    new_data 4321:4322
    serve -v "$DATA:/hostfiles"
    check_equal "healthz" 200 "$(status_of "$URL/healthz")"
    check_equal "readyz before any model" 503 "$(status_of "$URL/readyz")"
    check_equal "predict before any model" 503 "$(status_of "$URL/predict?a=1&b=2")"
    learn
    check_equal "a prediction" '{"prediction": 321}' \
        "$(curl -s "$URL/predict?a=10&b=100" | sed 's/: */: /')"
    check_equal "the files belong to the directory's owner" 4321:4322 "$(owners "$DATA")"
    "$ENGINE" exec "$NAME" trendline health
    check_equal "trendline health" 0 $?
    check_equal "with a volume nothing is said of losing data" "" \
        "$("$ENGINE" logs "$NAME" 2>&1 | grep 'no volume')"
    check_contains "the log has the requests" 'GET /predict?a=10&b=100' "$("$ENGINE" logs "$NAME" 2>&1)"
    check_equal "the log is silent about health checks" "" \
        "$("$ENGINE" logs "$NAME" 2>&1 | grep 'GET /healthz HTTP/1.0')"
}

test_stop() {
    local start=$EPOCHREALTIME
    "$ENGINE" stop -t 10 "$NAME" >/dev/null
    local took
    took=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')
    check_equal "stop takes less than 2.5 s (took $took s)" yes \
        "$(awk -v t="$took" 'BEGIN { print t < 2.5 ? "yes" : "no" }')"
    check_equal "stopping is no failure" 0 "$("$ENGINE" inspect --format '{{.State.ExitCode}}' "$NAME")"
}

test_new_container_on_the_same_volume() {
    "$ENGINE" rm "$NAME" >/dev/null
    serve -v "$DATA:/hostfiles"
    check_equal "a new container has the model" '{"prediction": 321}' \
        "$(curl -s "$URL/predict?a=10&b=100" | sed 's/: */: /')"
    curl -s -d '{"a":2,"b":2,"target":11}' "$URL/action" >/dev/null
    check_contains "and the events" '"rows": 5' "$(curl -s "$URL/model" | sed 's/: */: /g')"
    remove
}

test_train_file() {
    new_data 4321:4322
    printf 'a,b,y\r\n1,0,3\r\n0,1,4\r\n1,1,6\r\n0,0,1' >"$DATA/train.txt"
    serve -v "$DATA:/hostfiles"
    check_equal "a train file is learnt at the start" '{"prediction": 321}' \
        "$(curl -s "$URL/predict?a=10&b=100" | sed 's/: */: /')"
    remove
}

programs_of_root() {
    # shellcheck disable=SC2016  # for the shell in the container
    "$ENGINE" exec "$NAME" sh -c 'for p in /proc/[0-9]*; do
        [ "$(stat -c %u $p)" != 0 ] || cat $p/comm; done' 2>/dev/null
}

test_without_volume() {
    serve
    learn
    check_equal "without a volume it works" 200 "$(status_of "$URL/predict?a=10&b=100")"
    check_equal "and warns once" 1 "$("$ENGINE" logs "$NAME" 2>&1 | grep -c 'no volume is mounted')"
    check_equal "no binary runs as root" "" "$(programs_of_root | grep -xE 'predict|action|build')"
    remove
}

test_published_ports() {
    "$ENGINE" run --no-healthcheck -d --name "$NAME" -P "$IMAGE" >/dev/null
    find_url
    check_equal "-P publishes the port" 200 "$(status_of "$URL/healthz")"
    remove
}

test_bad_setting() {
    local message
    message=$("$ENGINE" run --no-healthcheck --rm -e WORKERS=many "$IMAGE" 2>&1)
    check_equal "a setting that cannot be used: exit code" 1 $?
    check_contains "a setting that cannot be used: the message" "WORKERS=many" "$message"
}

# A secret of root's on a volume of somebody else's.
test_token_file() {
    new_data 4321:4322
    echo writer-0123456789 >"$SCRATCH/token"
    chmod 400 "$SCRATCH/token"
    serve -v "$DATA:/hostfiles" -v "$SCRATCH/token:/run/secrets/token:ro" -e API_TOKEN_FILE=/run/secrets/token
    check_equal "without the token" 401 "$(status_of -d '{"a":1,"target":2}' "$URL/action")"
    check_equal "with the mounted token" 201 \
        "$(status_of -d '{"a":1,"target":2}' -H 'Authorization: Bearer writer-0123456789' "$URL/action")"
    "$ENGINE" exec "$NAME" trendline health
    check_equal "trendline health needs none" 0 $?
    check_equal "the token is neither in the log nor in the container's settings" 0 \
        "$({ "$ENGINE" logs "$NAME"; "$ENGINE" inspect "$NAME"; } 2>&1 | grep -c writer-0123456789)"
    remove
}

test_life
test_stop
test_new_container_on_the_same_volume
test_train_file
test_without_volume
test_published_ports
test_bad_setting
test_token_file
check_report serve
