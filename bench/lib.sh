# What the scripts of `make bench` share; every one is sourced from a script that reads
#
#     . "$(dirname "$0")/lib.sh"
#     begin "What is measured"
#     start_service
#     for_each_round measure           # measure takes samples: sample NAME VALUE
#     ratio "ours / theirs" ours theirs
#     row "of theirs" "ours / theirs" at-least 0.4
#
# The report of one figure, in Markdown, goes to standard output; what is going on to standard
# error. ROUNDS (5) and RUN_SECONDS (3) shorten or lengthen a run; BUILD says where the binaries are.
# shellcheck shell=bash disable=SC2016,SC2034 # backquotes are Markdown; the scripts use the variables
set -eu
export LC_ALL=C
unset DATA_DIR TRAIN_FILE_PATH POSTGRES_URI PORT LEARN MODEL TARGET MISSING UNSEEN WINDOW FORGET WORKERS API_TOKEN READ_TOKEN

BENCH=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=${BUILD:-build}
case $BUILD in
/*) ;;
*) BUILD=$BENCH/../$BUILD ;;
esac
ROUNDS=${ROUNDS:-5}
RUN_SECONDS=${RUN_SECONDS:-3}
PROGRAMS=$BUILD/bench
PYTHON=/usr/bin/python3 # Debian's: it is the one that Debian's packages are for
PATH=$PATH:/usr/sbin

# ------------------------------------------------------------------ scratch, processes, ports

# on the disk of the build, since /tmp may be memory, where a sync costs nothing
mkdir -p "$BUILD/bench"
SCRATCH=$(mktemp -d "$BUILD/bench/run.XXXXXX")
chmod 755 "$SCRATCH"
exit_commands=:
trap 'eval "$exit_commands"; rm -rf "$SCRATCH"' EXIT

on_exit() {
    exit_commands="$1; $exit_commands"
}

say() {
    printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2
}

die() {
    say "$*"
    exit 1
}

is_alive() {
    [ -d "/proc/$1" ] && ! grep -q '^State:.*Z' "/proc/$1/status"
}

# wait_until SECONDS COMMAND...
wait_until() {
    local deadline=$(($(date +%s) + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$deadline" ] || return 1
        sleep 0.02
    done
}

is_gone() {
    ! is_alive "$1"
}

# stop PID: asks the process to end, and waits
stop() {
    kill -TERM "$1" 2>/dev/null || return 0
    wait_until 10 is_gone "$1" || kill -KILL "$1"
    wait "$1" 2>/dev/null || true
}

# family PID: the process and its living descendants
family() {
    local child
    echo "$1"
    for child in $(cat "/proc/$1/task/"*/children 2>/dev/null || true); do family "$child"; done
}

# pids_of NAME: the service's processes of that name
pids_of() {
    local pid
    for pid in $(family "$SERVICE"); do
        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != "$1" ] || echo "$pid"
    done
}

port_last=${BENCH_PORT:-18300}
# next_port: PORT is one that no one listens on
next_port() {
    while port_last=$((port_last + 1)) && (: <"/dev/tcp/127.0.0.1/$port_last") 2>/dev/null; do :; done
    PORT=$port_last
}

# answers URL
answers() {
    curl -sf --max-time 5 -o "$SCRATCH/answer" "$1"
}

# start URL-PATH COMMAND...: runs a server (its port in $PORT must be among the arguments) until the
# script ends; PID and URL say where. Each in a session of its own, as s6 starts ours, because Linux
# shares the processor out by sessions (sched_autogroup)
start() {
    local path=$1
    shift
    setsid "$@" >"$SCRATCH/$PORT.log" 2>&1 &
    PID=$!
    URL=http://127.0.0.1:$PORT
    on_exit "stop $PID"
    wait_until 60 answers "$URL$path" ||
        die "$1 does not answer: $(tail -n 3 "$SCRATCH/$PORT.log")"
}

# ------------------------------------------------------------------ the service

# start_service [NAME=VALUE...]: ours, on the empty directory DATA unless DATA is given; SERVICE is
# its launcher, RUN its run directory
start_service() {
    next_port
    DATA=${DATA:-$(mktemp -d "$SCRATCH/data.XXXXXX")}
    start /healthz env "PORT=$PORT" "DATA_DIR=$DATA" MODEL=linear WORKERS=2 "$@" "$BUILD/trendline" serve
    SERVICE=$PID
    SERVICE_PORT=$PORT
    RUN=$(readlink "/proc/$(pids_of nginx | head -n 1)/cwd")
}

# post URL FILE [TYPE]: the answer
post() {
    curl -sf --max-time 300 -H "Content-Type: ${3:-application/json}" -H Expect: --data-binary "@$2" "$1"
}

# start_nginx SED-EXPRESSION...: another nginx with the running service's configuration, edited
start_nginx() {
    local directory
    next_port
    directory=$(mktemp -d "$SCRATCH/nginx.XXXXXX")
    chmod 755 "$directory"
    sed -e "/listen /s/\<$SERVICE_PORT\>/$PORT/g" "$@" "$RUN/nginx.conf" >"$directory/nginx.conf"
    start /healthz nginx -e stderr -p "$directory" -c nginx.conf
}

# generate ROWS FEATURES KIND >FILE
generate() {
    "$PROGRAMS/generate" "$@"
}

# has_python MODULE...: says which peer is left out otherwise
has_python() {
    local code
    code=$(printf 'import %s\n' "$@")
    "$PYTHON" -c "$code" 2>/dev/null || {
        say "no peer: Debian's python3 lacks one of $*"
        return 1
    }
}

# fill EVENTS: DATA is a stopped service's directory that remembers so many events of 10 features,
# with ids, and has a model of them. Made once for all scripts; `bench/run` removes it. Beside it,
# `.memory` lists events and megabytes of `action` on the way, its own and with mapped files.
fill() {
    local events=$1 chunk=1000000 first
    DATA=$BUILD/bench/volume-$events
    [ ! -e "$DATA/model.json" ] || return 0
    [ "$events" -gt $chunk ] || chunk=$events
    rm -rf "$DATA"
    mkdir "$DATA"
    start_service MAX_BODY=4g
    for ((first = 1; first <= events; first += chunk)); do
        say "filling a volume: $first of $events"
        generate "$chunk" 10 ids "$first" >"$SCRATCH/chunk"
        post "$URL/action" "$SCRATCH/chunk" application/x-ndjson >/dev/null
        printf '%d %s\n' $((first + chunk - 1)) "$(own_memory action)" >>"$DATA.memory"
    done
    curl -sf -X POST "$URL/build" >/dev/null
    rm "$SCRATCH/chunk"
    stop "$SERVICE"
}

# ------------------------------------------------------------------ measuring

# load CONNECTIONS URL [WRK-ARGUMENT...]: RATE is requests a second, P99 milliseconds, ANSWERED how
# many there were
load() {
    local connections=$1 url=$2 threads=2 failed
    shift 2
    [ "$connections" -gt 1 ] || threads=1
    read -r RATE P99 ANSWERED failed < <(wrk -t$threads -c"$connections" -d"${RUN_SECONDS}s" --timeout 20s \
        -s "$BENCH/wrk.lua" "$url" "$@" | sed -n 's/^result //p')
    [ "$failed" = 0 ] || die "$failed requests to $url failed"
}

# timed COMMAND...: TIME is how many seconds it took
timed() {
    local from to
    from=$(date +%s%N)
    "$@" >"$SCRATCH/timed"
    to=$(date +%s%N)
    TIME=$(awk -v t=$((to - from)) 'BEGIN { printf "%.6f", t / 1e9 }')
}

# peak_memory NAME: the most that a process of the service has had, in MB
peak_memory() {
    awk '/^VmHWM/ { printf "%.1f\n", $2 / 1024 }' "/proc/$(pids_of "$1" | head -n 1)/status"
}

# own_memory NAME: what a process of the service has for itself, and with the files it has mapped, in
# MB
own_memory() {
    awk '/^RssAnon/ { own = $2 } /^VmRSS/ { all = $2 } END { printf "%.1f %.1f\n", own / 1024, all / 1024 }' \
        "/proc/$(pids_of "$1" | head -n 1)/status"
}

# cpu_of PID...: nanoseconds that these processes and their descendants have run; unlike the rate,
# what others do on the machine hardly changes it
cpu_of() {
    local pid
    for pid; do family "$pid"; done | while read -r pid; do
        cat "/proc/$pid/task/"*/schedstat 2>/dev/null || true
    done |
        awk '{ sum += $1 } END { printf "%.0f\n", sum }'
}

# sample NAME VALUE
sample() {
    printf '%s\n' "$2" >>"$SCRATCH/$1.samples"
}

# for_each_round COMMAND...
for_each_round() {
    local round
    for ((round = 1; round <= ROUNDS; round++)); do
        say "round $round of $ROUNDS"
        "$@"
    done
}

# has NAME: that was measured
has() {
    [ -e "$SCRATCH/$1.samples" ]
}

# ratio NAME OURS THEIRS: round by round
ratio() {
    paste "$SCRATCH/$2.samples" "$SCRATCH/$3.samples" | awk '{ print $1 / $2 }' >"$SCRATCH/$1.samples"
}

median() {
    sort -g "$SCRATCH/$1.samples" |
        awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

# ------------------------------------------------------------------ reporting

# number VALUE: three significant digits
number() {
    awk -v x="$1" 'BEGIN { if (x >= 1000) printf "%.0f", x; else printf "%.3g", x }'
}

# begin TITLE: the report's heading and the table's
begin() {
    printf '### %s\n\n`bench/%s`\n\n' "$1" "$(basename "$0")"
    printf '| | target | median | min–max | |\n|---|---|---|---|---|\n'
}

# spread NAME: its least and greatest sample
spread() {
    local least greatest
    read -r least greatest < <(sort -g "$SCRATCH/$1.samples" | sed -n '1p;$p' | paste -sd' ')
    printf '%s–%s' "$(number "$least")" "$(number "$greatest")"
}

# row TEXT NAME [at-least|under TARGET] [UNIT]
row() {
    local text=$1 name=$2 order=${3:-} target=${4:-} unit=${5:-} middle verdict=
    has "$name" || {
        printf '| %s | %s %s%s | not measured | | |\n' "$text" "${order/-/ }" "$target" "$unit"
        return
    }
    middle=$(median "$name")
    case $order in
    at-least) verdict=$(awk -v m="$middle" -v t="$target" 'BEGIN { print (m >= t ? "met" : "**missed**") }') ;;
    under) verdict=$(awk -v m="$middle" -v t="$target" 'BEGIN { print (m < t ? "met" : "**missed**") }') ;;
    esac
    printf '| %s | %s | %s%s | %s | %s |\n' "$text" "${order:+${order/-/ } $target$unit}" \
        "$(number "$middle")" "$unit" "$(spread "$name")" "$verdict"
}

# show TEXT NAME [UNIT]: a row without a target
show() {
    ! has "$2" || row "$1" "$2" "" "" "${3:-}"
}
