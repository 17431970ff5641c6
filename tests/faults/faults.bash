# What the fault tests share; sourced after lib.sh and http/service.bash. Faults are switched on and off
# in the running service, and clients write down what was acknowledged:
#
#     new_data
#     start_with_faults MIN_FREE=0
#     begin_load first 8 4 1
#     fault action fdatasync EIO actions.jsonl 0 3
#     no_fault
#     end_load
#     check_journal "what was acknowledged"
# shellcheck shell=bash

# other ports than the tests over HTTP: both may run at once
# shellcheck disable=SC2034  # of service.bash
PORT_FIRST=18800 PORT_COUNT=100
FAULTS=$BUILD/faults # the helpers

# the numbers of what can be made to fail with
declare -A ERRNO=([EIO]=5 [ENOMEM]=12 [ENOSPC]=28 [EROFS]=30 [EMFILE]=24)

# --- faults --------------------------------------------------------------------------------------

# start_with_faults [NAME=VALUE...]: the service, in all of whose processes faults can be switched on
start_with_faults() {
    CONTROL=$(mktemp "$SCRATCH/control.XXXXXX")
    head -c 1024 /dev/zero >"$CONTROL"
    chmod 666 "$CONTROL"
    fault_number=0
    start_service "LD_PRELOAD=$FAULTS/fault.so" "FAULT_CONTROL=$CONTROL" "$@"
}

# fault PROGRAM CALL ERRNO|sleep:MS PLACE SKIP TIMES [...]: from now on these, and no others (fault.c)
fault() {
    local rules=
    while [ $# -ge 6 ]; do
        rules+=$(printf '\n%s %s %s %s %s %s' "$1" "$2" "${ERRNO[$3]:-$3}" "$4" "$5" "$6")
        shift 6
    done
    write_rules "$rules"
}

no_fault() {
    write_rules ''
}

# write_rules RULES: in place, for the processes have the file mapped
write_rules() {
    fault_number=$((fault_number + 1))
    printf '%-1015s\n' "$fault_number$1" 1<>"$CONTROL"
}

# faults_so_far: how many have been made
faults_so_far() {
    od -An -tu8 -j1016 -N8 "$CONTROL" | tr -d ' '
}

# --- load ----------------------------------------------------------------------------------------

# begin_load TAG WRITERS READERS BUILDERS [once]: clients, until end_load; ids begin with TAG
begin_load() {
    touch "$SCRATCH"/{acked,unacked,failures}
    "$FAULTS/load" "${URL##*:}" "$SCRATCH" "$@" >"$SCRATCH/load" 2>&1 &
    LOAD=$!
    on_exit "kill $LOAD 2>/dev/null"
}

# end_load: waits for the clients to end what they have begun
end_load() {
    kill -TERM "$LOAD"
    wait_until 60 is_gone "$LOAD" || check_fail "the clients" "that they end" "they go on"
    wait "$LOAD"
}

acked_count() {
    wc -l <"$SCRATCH/acked"
}

# acked_more COUNT: so many events have been acknowledged
acked_more() {
    [ "$(acked_count)" -ge "$1" ]
}

# load_goes_on: another 20 events are acknowledged within 10 s
load_goes_on() {
    wait_until 10 acked_more $(($(acked_count) + 20))
}

# --- what must hold ------------------------------------------------------------------------------

# check_journal NAME: every acknowledged event is in DATA's journal exactly once, as it was sent, under
# the number that was told; no id is there twice; the numbers have no gap
check_journal() {
    jq -r 'select(._id) | "\(._id) \(._seq) \(.a) \(.b) \(.target)"' "$DATA/actions.jsonl" |
        sort >"$SCRATCH/stored"
    check_equal "$1: ids stored twice" "" "$(cut -d' ' -f1 "$SCRATCH/stored" | uniq -d | head -n 3)"
    check_equal "$1: acknowledged, and not stored as sent" "" "$(sort -u "$SCRATCH/acked" |
        join -a 1 -o 1.1,1.2,1.3,1.4,1.5,2.2,2.3,2.4,2.5 -e - - "$SCRATCH/stored" |
        awk '($2 != "-" && $2 != $6) || $6 == "-" || $3 != $7 || $4 != $8 || $5 != $9' | head -n 3)"
    check_equal "$1: numbers have no gap" true \
        "$(jq -n 'reduce inputs as $e (0; if . == $e._seq - 1 then $e._seq else -1 end) >= 0' \
            "$DATA/actions.jsonl")"
}

# numbers_of FILE: all figures of a model file, as printed; not when and as what it was made, nor its history
numbers_of() {
    jq -c 'del(.version, .created, .events, .crc, .live, .tried, .places, .metric, .distance)' "$1"
}

# check_replay NAME: DATA's model, of a stopped service, has the figures of one that is built from
# nothing but the journal
check_replay() {
    local wants data=$DATA
    new_data
    cp "$data/actions.jsonl" "$DATA/"
    [ ! -e "$data/train.txt" ] || cp "$data/train.txt" "$DATA/"
    launch || check_fail "$1: a start on the journal alone" "that it answers" "$(cat "$LOG")"
    build >/dev/null
    wants=$(numbers_of "$DATA/model.json")
    stop_service
    DATA=$data
    check_contains "$1: a replay gives a model" '"rows":' "$wants"
    check_equal "$1: the model is that of a replay" "$wants" "$(numbers_of "$DATA/model.json")"
}

# unexpected: the answers that should not have been, of each kind
unexpected() {
    cut -d' ' -f1,2 "$SCRATCH/failures" | sort | uniq -c | sed 's/^ *//' | paste -sd';' -
}
