#!/bin/bash
# One, two and four replicas on one PostgreSQL. Each has a network namespace of its own and a fixed
# share of the processor, so that a machine of few cores shows how the whole grows with them; a client
# each. And what an event costs: a replica that only follows, the database's disk and its log.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/postgres.bash"
REPLICAS=4
SHARE=15 # of a core in percent, for each replica
EVENTS=200000
QUERY='/predict?x1=1.5&x2=-2.25&x3=3'
NETWORK=10.$((RANDOM % 200 + 20)).$((RANDOM % 250))
BRIDGE=tlb$$

# make_group PERCENT: GROUP is a control group with that share of a core; false where that cannot be
make_group() {
    local v1=/sys/fs/cgroup/cpu v2=/sys/fs/cgroup
    if [ -e $v1/cpu.cfs_quota_us ]; then
        GROUP=$(mktemp -d $v1/trendline.XXXXXX) || return
        echo $(($1 * 1000)) >"$GROUP/cpu.cfs_quota_us"
    elif grep -q cpu $v2/cgroup.subtree_control 2>/dev/null; then
        GROUP=$(mktemp -d $v2/trendline.XXXXXX) || return
        echo "$(($1 * 1000)) 100000" >"$GROUP/cpu.max"
    else
        return 1
    fi
    on_exit "wait_until 5 rmdir '$GROUP'"
}

make_bridge() {
    ip link add "$BRIDGE" type bridge 2>/dev/null || return
    on_exit "ip link del $BRIDGE"
    ip address add "$NETWORK.1/24" dev "$BRIDGE"
    ip link set "$BRIDGE" up
}

# make_space NUMBER: a namespace whose address ends in 1NUMBER
make_space() {
    local space=trendline-$$-$1
    ip netns add "$space" || return
    on_exit "ip netns del $space"
    ip link add "tl$$-$1" type veth peer name uplink netns "$space"
    ip link set "tl$$-$1" master "$BRIDGE" up
    ip netns exec "$space" ip address add "$NETWORK.1$1/24" dev uplink
    ip netns exec "$space" ip link set lo up
    ip netns exec "$space" ip link set uplink up
}

# start_replica NUMBER [SHARE]: GROUPS_OF and PIDS remember it
start_replica() {
    local data group
    make_space "$1" || die "no network namespace can be made"
    data=$(mktemp -d "$SCRATCH/data.XXXXXX")
    make_group "$SHARE" || die "no control group can be made"
    group=$GROUP
    replica_groups[$1]=$group
    # shellcheck disable=SC2016 # the inner shell's
    setsid sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" \
        ip netns exec "trendline-$$-$1" env PORT=8080 "DATA_DIR=$data" WORKERS=2 "POSTGRES_URI=$URI" \
        "$BUILD/trendline" serve >"$SCRATCH/replica-$1.log" 2>&1 &
    replica_pids[$1]=$!
    on_exit "stop $!"
    wait_until 60 answers "http://$NETWORK.1$1:8080/healthz" ||
        die "replica $1 does not answer: $(tail -n 3 "$SCRATCH/replica-$1.log")"
}

# set_share NUMBER PERCENT
set_share() {
    local group=${replica_groups[$1]}
    if [ -e "$group/cpu.cfs_quota_us" ]; then
        echo $(($2 * 1000)) >"$group/cpu.cfs_quota_us"
    else
        echo "$(($2 * 1000)) 100000" >"$group/cpu.max"
    fi
}

# load_each COUNT PATH [WRK-ARGUMENT...]: RATE is the sum over the first replicas, a client each
load_each() {
    local count=$1 path=$2 i pids=()
    shift 2
    for ((i = 1; i <= count; i++)); do
        wrk -t1 -c16 -d"${RUN_SECONDS}s" --timeout 20s -s "$BENCH/wrk.lua" "http://$NETWORK.1$i:8080$path" "$@" \
            >"$SCRATCH/wrk.$i" &
        pids+=($!)
    done
    wait "${pids[@]}"
    RATE=$(sed -n 's/^result //p' "$SCRATCH"/wrk.* | awk '{ rate += $1; failed += $4 } END { print failed ? "failed" : rate }')
    rm "$SCRATCH"/wrk.*
    [ "$RATE" != failed ] || die "requests failed"
}

measure_growth() {
    local count
    for count in 1 2 4; do
        load_each "$count" "$QUERY"
        sample "predict-$count" "$RATE"
        load_each "$count" /action -- lines "$SCRATCH/events.ndjson" application/json
        sample "action-$count" "$RATE"
    done
}

knows_all() {
    [ "$(curl -s -o /dev/null -D - "http://$NETWORK.1$1:8080$QUERY" | tr -d '\r' |
        sed -n 's/^X-Model-Events: //p')" = "$(sql 'SELECT sum(number) FROM trendline_writers')" ]
}

DISK="SELECT pg_total_relation_size('trendline_rows') + pg_total_relation_size('trendline_ids')"

wait_for_all() {
    local i
    for ((i = 1; i <= REPLICAS; i++)); do
        wait_until 60 knows_all "$i" || die "replica $i does not learn"
    done
}

# What it costs a replica to learn what another stored, and the database to keep it.
measure_event() {
    local kind=$1 before used disk log
    sql CHECKPOINT
    disk=$(sql "$DISK")
    log=$(sql "SELECT pg_current_wal_insert_lsn() - '0/0'")
    before=$(cpu_of "$(follower)")
    curl -sf --max-time 300 -H 'Content-Type: application/x-ndjson' -H Expect: \
        --data-binary "@$SCRATCH/$kind" "http://$NETWORK.11:8080/action" >/dev/null
    wait_for_all
    used=$(cpu_of "$(follower)")
    sample "$kind-learn" "$(awk -v t=$((used - before)) -v n=$EVENTS 'BEGIN { print n / t * 1e9 }')"
    sample "$kind-log" "$(sql "SELECT (pg_current_wal_insert_lsn() - '0/0' - $log) / $EVENTS")"
    sample "$kind-disk" "$((($(sql "$DISK") - disk) / EVENTS))"
}

follower() {
    SERVICE=${replica_pids[2]} pids_of follow
}

make_bridge || { say "no network can be made here: this figure is left out"; exit 0; }
make_group 100 || { say "no control groups here: this figure is left out"; exit 0; }
declare -a replica_pids replica_groups
DATABASE_ADDRESS=$NETWORK.1
start_postgres
generate 1000 3 ndjson >"$SCRATCH/events.ndjson"
generate $EVENTS 3 ndjson >"$SCRATCH/plain"
generate $EVENTS 3 ids 1 >"$SCRATCH/ids"
for ((i = 1; i <= REPLICAS; i++)); do start_replica "$i"; done
post "http://$NETWORK.11:8080/action" "$SCRATCH/events.ndjson" application/x-ndjson >/dev/null
curl -sf -X POST "http://$NETWORK.11:8080/build" >/dev/null
wait_for_all
for_each_round measure_growth
for figure in predict action; do
    ratio "$figure-two" "$figure-2" "$figure-1"
    ratio "$figure-four" "$figure-4" "$figure-1"
done
for ((i = 1; i <= REPLICAS; i++)); do set_share "$i" 200; done
measure_event plain
measure_event ids

begin 'Replicas on one PostgreSQL, 3 features'
show "predictions/s, one replica with $SHARE % of a core" predict-1
show 'two replicas: times as many' predict-two
show 'four replicas' predict-four
show "events/s, one a request, one replica with $SHARE % of a core" action-1
show 'two replicas: times as many' action-two
show 'four replicas' action-four
show 'events/s that a replica can learn from others, on one core' plain-learn
show 'bytes an event in the database, without _id' plain-disk
show 'with _id' ids-disk
show "bytes an event in the database's log, without _id" plain-log
show 'with _id' ids-log
