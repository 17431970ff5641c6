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

# killed_for_memory: how many processes of the container the kernel has killed for want of memory
killed_for_memory() {
    "$ENGINE" exec "$NAME" sh -c \
        'cat /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control 2>/dev/null' |
        awk '$1 == "oom_kill" { n += $2 } END { print n + 0 }'
}

# bulk SEED: 25,000 events of ten features
bulk() {
    awk -v seed="$1" 'BEGIN { srand(seed); printf "_id"; for (j = 0; j < 10; j++) printf "\tx%d", j; print "\ttarget"
        for (i = 0; i < 25000; i++) { printf "e%d-%d", seed, i; for (j = 0; j < 10; j++) printf "\t%.3f", 10 * rand()
            printf "\t%.4f\n", rand() } }'
}

# check_memory ABOUT SAYS OPTION...: bulks, builds and a big prediction in so much memory; the start says SAYS
check_memory() {
    local about=$1 says=$2 seed statuses=
    shift 2
    new_data 4321:4322
    serve -v "$DATA:/hostfiles" "$@"
    check_contains "$about: what is said" "$says" "$("$ENGINE" logs "$NAME" 2>&1)"
    for seed in 1 2 3 4; do
        bulk "$seed" >"$SCRATCH/bulk"
        statuses="$statuses $(status_of -m 200 -H 'Content-Type: text/tab-separated-values' --data-binary @"$SCRATCH/bulk" "$URL/action")"
        statuses="$statuses $(status_of -m 200 -X POST "$URL/build")"
    done
    check_equal "$about: bulks and builds" " 200 200 200 200 200 200 200 200" "$statuses"
    cut -f 2-11 "$SCRATCH/bulk" >"$SCRATCH/rows"
    check_equal "$about: a big prediction" 200 \
        "$(status_of -m 200 -H 'Content-Type: text/tab-separated-values' --data-binary @"$SCRATCH/rows" "$URL/predict")"
    check_equal "$about: nobody is killed for memory" 0 "$(killed_for_memory)"
    remove
}

case $ENGINE in
podman) no_tmpfs=--read-only-tmpfs=false ;; # docker mounts none by itself
*) no_tmpfs= ;;
esac

check_works "--user" 4321:4322 --user 4321:4322
check_works "--read-only" 4321:4322 --read-only ${no_tmpfs:+"$no_tmpfs"}
check_works "--read-only --user" 4321:4322 --read-only ${no_tmpfs:+"$no_tmpfs"} --user 4321:4322
check_works "-m 64m" 4321:4322 -m 64m
check_memory "-m 64m" "models of terms need 128" -m 64m
check_memory "-m 64m, linear" "" -m 64m -e MODEL=linear
check_memory "-m 128m" "" -m 128m
check_works "--cpus 0.25" 4321:4322 --cpus 0.25
check_works "a directory of root's" 0:0
check_works "--cap-drop ALL --user" 4321:4322 --cap-drop ALL --user 4321:4322 \
    --sysctl net.ipv4.ip_unprivileged_port_start=0
check_works "--security-opt no-new-privileges" 4321:4322 --security-opt no-new-privileges
check_report restricted
