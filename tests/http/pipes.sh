#!/usr/bin/env bash
# A pipe in the place of a file, which whoever may write to the directory can make: neither the start nor
# a request ever waits for somebody to write into it.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

# pipe NAME: in the place of that file
pipe() {
    rm -f "$DATA/$1"
    mkfifo "$DATA/$1"
}

test_train_file() {
    new_data
    start_service
    learn_plane
    pipe train.txt
    refuses "a build refuses a pipe for train.txt" 409 "train.txt is a pipe" /build -X POST -m 20
    rm "$DATA/train.txt"
    check_equal "and goes on when it is gone" 200 "$(build)"
    stop_service
    pipe train.txt
    check_contains "so does the start" "1: $DATA/train.txt is a pipe" "$(failed_start)"
    rm "$DATA/train.txt"
    mkfifo "$SCRATCH/rows"
    check_contains "and for any path" "$SCRATCH/rows is a pipe" "$(failed_start "TRAIN_FILE_PATH=$SCRATCH/rows")"
}

# Of its own files: done without, or refused by name; whoever is asked answers.
test_own_files() {
    local name
    for name in actions.jsonl ids.mdb model.json events.moments terms.json models/000001.json lock lock.turn \
        .model.json.tmp .events.moments.tmp; do
        new_data
        start_service
        learn_plane
        stop_service
        pipe "$name"
        if launch; then
            check_equal "$name: an event is answered" yes "$(answers /action -d '{"a":1,"b":1,"target":6}')"
            check_equal "$name: so is a build" yes "$(answers /build -X POST)"
            stop_service
        else
            check_contains "$name: the start names it" "${name##*/}" "$(cat "$LOG")"
        fi
    done
}

# answers PATH [CURL-ARGUMENT...]: "yes", whatever the answer is, unless there is none for long
answers() {
    if [ "$(status "$@" -m 20)" ]; then echo yes; else echo no; fi
}

test_train_file
test_own_files
check_report http/pipes
