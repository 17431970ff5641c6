#!/usr/bin/env bash
# The network to the database is cut while events are being stored: the link goes down, or the server
# gets everything and none of its answers comes through. The server has a network namespace of its own.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=postgres.bash source=trouble.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/postgres.bash"
. "$(dirname "$0")/trouble.bash"

CUTS=8
SPACE=trendline-$$
NETWORK=10.$((RANDOM % 200 + 20)).$((RANDOM % 250))

inside() {
    ip netns exec "$SPACE" "$@"
}

make_network() {
    ip netns add "$SPACE" 2>"$SCRATCH/netns" || return
    on_exit "ip netns del $SPACE"
    ip link add "tl$$" type veth peer name server netns "$SPACE"
    ip address add "$NETWORK.1/24" dev "tl$$"
    ip link set "tl$$" up
    inside ip address add "$NETWORK.2/24" dev server
    inside ip link set lo up
    inside ip link set server up
}

# cut HOW, mend HOW
cut() {
    case $1 in
    link) inside ip link set server down ;;
    answers) inside ip route add blackhole "$NETWORK.1/32" ;;
    esac
}

mend() {
    case $1 in
    link) inside ip link set server up ;;
    answers) inside ip route del blackhole "$NETWORK.1/32" ;;
    esac
}

test_cut() {
    cut "$1"
    away "no $1"
    mend "$1"
    back "$1 again"
}

sessions() {
    sql "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'trendline'"
}

# Those whose end the server was not told of: it finds out.
test_sessions() {
    no_more_than_live() { [ "$(sessions)" -le 3 ]; } # action, build, follow
    check_equal "no $1, $CUTS times: no sessions are left" yes \
        "$(wait_until 40 no_more_than_live && echo yes)"
}

# at any moment of a batch
test_cuts() {
    local i
    keep_sending
    for ((i = 0; i < CUTS; i++)); do
        sleep "0.$((RANDOM % 50 + 10))"
        cut "$1"
        sleep "0.$((RANDOM % 50 + 10))"
        check_equal "a prediction meanwhile" '200 {"prediction": 10}' "$(answer '/predict?a=5')"
        mend "$1"
    done
    stop_sending
    counted_once "no $1, $CUTS times"
}

# Of two hosts the first does not answer at all: its turn must not use up all the time.
test_silent_host() {
    stop_service
    new_data
    ip neighbour add "$NETWORK.3" lladdr 02:00:00:00:00:03 dev "tl$$"
    start_service "POSTGRES_URI=postgresql://trendline:$PASSWORD@$NETWORK.3:$PGPORT,$PGADDRESS:$PGPORT/postgres"
    back "a silent host first"
}

if ! make_network; then
    printf 'network.sh: skipped, no network namespace can be made: %s\n' "$(cat "$SCRATCH/netns")"
    check_report postgres/network
    exit
fi
# shellcheck disable=SC2034 # read by start_postgres
PGADDRESS=$NETWORK.2 SERVER_IN=(inside)
start_postgres
new_data
start_service "POSTGRES_URI=$URI"
send >/dev/null
send >/dev/null
check_equal "a build" 200 "$(build)"
for how in link answers; do
    test_cut "$how"
    test_cuts "$how"
    test_sessions "$how"
done
test_silent_host
stop_service
check_report postgres/network
