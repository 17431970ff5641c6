# What the image tests share; sourced after lib.sh.
# shellcheck shell=bash

# docker where its engine answers, else podman
if [ -z "${ENGINE:-}" ]; then
    if docker info >/dev/null 2>&1; then ENGINE=docker; else ENGINE=podman; fi
fi
export BUILDAH_FORMAT=docker # podman's own format has no HEALTHCHECK
NAME=trendline-test-$$
on_exit "$ENGINE rm -f -t 0 $NAME >/dev/null 2>&1 || $ENGINE rm -f $NAME >/dev/null 2>&1"

# build_target [TARGET]: builds that target as the image $IMAGE; ends the test when that fails
build_target() {
    IMAGE=trendline-test-${1:-plain}
    if ! "$ENGINE" build ${1:+--target "$1"} -t "$IMAGE" "$ROOT" >"$SCRATCH/build.log" 2>&1; then
        check_fail "building ${1:-the image}" success "$(tail -n 20 "$SCRATCH/build.log")"
        check_report image
        exit 1
    fi
}

# Podman drives health checks through systemd and complains where there is none; they are tested by
# hand, hence --no-healthcheck below.

# run_job [OPTION...]: the plain `run`, with $DATA mounted
run_job() {
    "$ENGINE" run --no-healthcheck --rm -v "$DATA:/hostfiles" "$@"
}

# serve [OPTION...]: starts the service and waits until it answers; URL is where
serve() {
    "$ENGINE" run --no-healthcheck -d --name "$NAME" -p 80 "$@" "$IMAGE" >/dev/null || return 1
    find_url
}

# find_url: of the running container, once it answers
find_url() {
    URL=http://127.0.0.1:$("$ENGINE" port "$NAME" 80 | sed -n '1s/.*://p')
    wait_until 30 curl -sf "$URL/healthz" && wait_until 30 is_announced
}

is_announced() {
    "$ENGINE" logs "$NAME" 2>&1 | grep -q ' ready on '
}

# remove: stops the container and throws it away
remove() {
    "$ENGINE" stop -t 5 "$NAME" >/dev/null 2>&1
    "$ENGINE" rm -f "$NAME" >/dev/null 2>&1
}

# status_of CURL-ARGUMENT...: the HTTP status
status_of() {
    curl -s -o /dev/null -w '%{http_code}' "$@"
}

# owners DIRECTORY: who owns the files in it, each once
owners() {
    find "$1" -mindepth 1 -printf '%U:%G\n' | sort -u | paste -sd' ' -
}

# new_data OWNER: an empty data directory of that owner
new_data() {
    DATA=$(mktemp -d "$SCRATCH/data.XXXXXX")
    chmod 755 "$SCRATCH" "$DATA"
    chown "$1" "$DATA"
}

# learn: posts a few events of target = 2a + 3b + 1 and builds
learn() {
    curl -s -d '{"a":1,"b":0,"target":3}{"a":0,"b":1,"target":4}{"a":1,"b":1,"target":6}{"a":0,"b":0,"target":1}' \
        "$URL/action" >/dev/null
    curl -s -X POST "$URL/build" >/dev/null
}
