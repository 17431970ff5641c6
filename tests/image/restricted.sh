#!/bin/bash
# The image under the restrictions that people run it with.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/common.bash"

build_target serve

# check_works ABOUT OWNER OPTION...: events in, a prediction out, files of the directory's owner
check_works() {
    local about=$1 owner=$2
    shift 2
    new_data "$owner"
    serve -v "$DATA:/hostfiles" "$@"
    learn
    check_equal "$about: a prediction" '{"prediction": 321}' \
        "$(curl -s "$URL/predict?a=10&b=100" | sed 's/: */: /')"
    check_equal "$about: the files' owner" "$owner" "$(owners "$DATA")"
    check_equal "$about: predict answers after it was killed" "200 200 200 200" "$(kill_predict)"
    remove
}

# kill_predict: kills the predict processes, and shows how the next requests fare
kill_predict() {
    # shellcheck disable=SC2016  # for the shell in the container
    "$ENGINE" exec -u 0 "$NAME" sh -c 'for p in /proc/[0-9]*; do
        [ "$(cat $p/comm)" != predict ] || kill -9 ${p#/proc/}; done' 2>/dev/null
    for _ in 1 2 3 4; do status_of "$URL/predict?a=1&b=2" && echo; done | paste -sd' ' -
}

case $ENGINE in
podman) no_tmpfs=--read-only-tmpfs=false ;; # docker mounts none by itself
*) no_tmpfs= ;;
esac

check_works "--user" 4321:4322 --user 4321:4322
check_works "--read-only" 4321:4322 --read-only ${no_tmpfs:+"$no_tmpfs"}
check_works "--read-only --user" 4321:4322 --read-only ${no_tmpfs:+"$no_tmpfs"} --user 4321:4322
check_works "-m 64m" 4321:4322 -m 64m
check_works "--cpus 0.25" 4321:4322 --cpus 0.25
check_works "a directory of root's" 0:0
check_works "--cap-drop ALL --user" 4321:4322 --cap-drop ALL --user 4321:4322 \
    --sysctl net.ipv4.ip_unprivileged_port_start=0
check_works "--security-opt no-new-privileges" 4321:4322 --security-opt no-new-privileges
check_report restricted
