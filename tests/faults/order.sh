#!/usr/bin/env bash
# The order of write, sync, rename and answer, read from a system-call trace of action and build under
# load: nothing is answered as stored before it is, and no file is renamed before it is written.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=faults.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/faults.bash"

CALLS=openat,pwrite64,write,writev,sendto,sendmsg,fdatasync,fsync,rename,renameat,renameat2,flock,ftruncate

# trace NAME FILE: follows that binary, into the file, until end_trace
trace() {
    strace -f -y -s 64 -e "trace=$CALLS" -o "$2" -p "$(pids_of "$1")" 2>"$SCRATCH/strace" &
    tracers+=($!)
    on_exit "kill $! 2>/dev/null"
}

end_trace() {
    local pid
    for pid in "${tracers[@]}"; do
        kill -INT "$pid"
        wait "$pid"
    done
}

is_traced() {
    ! grep -q '^TracerPid:[[:space:]]*0$' "/proc/$(pids_of "$1")/status"
}

# order_of_action FILE: what is out of order, and a count of what was looked at
order_of_action() {
    awk '
        function bad(what) { if (faults++ < 3) print FILENAME ":" NR ": " what ": " $0 }
        / = -1 / && !/EAGAIN/ { next }
        /flock\(.*\/lock>, LOCK_EX/ { locked = 1; durable = published = 1 }
        /flock\(.*\/lock>, LOCK_UN/ {
            if (!durable) bad("the lock is given up before the batch is synced")
            locked = 0
        }
        /pwrite64\(.*\/actions\.jsonl>/ {
            if (!locked) bad("written without the lock")
            durable = published = 0; writes++
        }
        /fdatasync\(.*\/actions\.jsonl>\) *= 0/ { durable = 1; syncs++ }
        /rename(at|at2)?\(.*model\.json/ {
            if (!durable) bad("published before it is stored")
            published = 1; renames++
        }
        /(write|writev|sendto|sendmsg)\(.*(Status: 201|\\"seq\\"|accepted)/ {
            if (!durable) bad("answered before it is synced")
            if (!published) bad("answered before the model is published")
            answers++
        }
        END {
            printf "%s", faults ? "" : "in order"
            printf "action: %d writes, %d syncs, %d models, %d answers\n", writes, syncs, renames,
                answers >"/dev/stderr"
            if (!writes || !syncs || !renames || !answers) print ", but something was never seen"
        }' "$1"
}

# order_of_build FILE: a version and a model are synced before they are renamed, and the directory after
order_of_build() {
    awk '
        function bad(what) { if (faults++ < 3) print FILENAME ":" NR ": " what ": " $0 }
        / = -1 / && !/EAGAIN/ { next }
        /write\(.*\.tmp>/ { match($0, /\/[^\/>]*\.tmp>/); dirty[substr($0, RSTART + 1, RLENGTH - 2)] = 1 }
        /fsync\(.*\.tmp>/ { match($0, /\/[^\/>]*\.tmp>/); dirty[substr($0, RSTART + 1, RLENGTH - 2)] = 0 }
        /rename(at|at2)?\(/ {
            match($0, /\/[^\/"]*\.tmp"/); name = substr($0, RSTART + 1, RLENGTH - 2)
            if (dirty[name]) bad("renamed before it is synced")
            unsynced = 1; renames++
        }
        /fsync\(/ && !/\.tmp>/ { unsynced = 0 }
        /(write|writev|sendto|sendmsg)\(.*Content-Type: / && !/Status: / { # a 200 goes without it
            if (unsynced) bad("answered before the directory is synced")
            answers++
        }
        END {
            printf "%s", faults ? "" : "in order"
            printf "build: %d renames, %d answers\n", renames, answers >"/dev/stderr"
            if (!renames || !answers) print ", but something was never seen"
        }' "$1"
}

tracers=()
new_data
start_service
learn_plane
trace action "$SCRATCH/action.trace"
trace build "$SCRATCH/build.trace"
if ! wait_until 5 is_traced action || ! wait_until 5 is_traced build; then
    echo "order: skipped, tracing is not allowed: $(head -n 1 "$SCRATCH/strace")"
    check_report faults/order
    exit
fi
begin_load order 32 2 2
wait_until 30 acked_more 1500
end_load
end_trace
echo "order: $(cat "$SCRATCH/load")"
check_equal "action" "in order" "$(order_of_action "$SCRATCH/action.trace")"
grep -v fdatasync "$SCRATCH/action.trace" >"$SCRATCH/unsynced.trace"
check_contains "the check itself" "answered before it is synced" \
    "$(order_of_action "$SCRATCH/unsynced.trace" 2>/dev/null)"
check_equal "build" "in order" "$(order_of_build "$SCRATCH/build.trace")"
check_journal "traced"
check_report faults/order
