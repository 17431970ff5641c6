#!/bin/bash
# Types the README's console blocks as they stand, in a copy of this tree, and compares what comes out. In the
# wanted output … stands for any text. `tests/http/readme.sh --write` puts the real output into the README.
. "$(dirname "$0")/../lib.sh"

COPY=$SCRATCH/trendline
service=''
port=''

copy_tree() {
    mkdir "$COPY"
    (cd "$ROOT" && tar -c --exclude=./build --exclude='./build-*' --exclude=./hostfiles --exclude=./.git .) |
        tar -x -C "$COPY"
    cp -a "$BUILD" "$COPY/build"
}

free_port() {
    local candidate
    for candidate in $(shuf -i 20000-29999 -n 50); do
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

stop_service() {
    [ -n "$service" ] || return 0
    kill -INT "$service"
    wait "$service"
    service=''
}
on_exit stop_service

# The one command that cannot be typed here: it holds the terminal until Ctrl-C. So it runs aside, without
# make, which would look for packages and for changes.
start_service() {
    stop_service
    (cd "$COPY" && eval "export PORT=$port DATA_DIR=./hostfiles $1" && exec build/trendline serve) \
        >"$SCRATCH/service.log" 2>&1 </dev/null &
    service=$!
    wait_until 20 curl -f "http://127.0.0.1:$port/healthz" ||
        check_fail "the service starts" "an answer" "$(cat "$SCRATCH/service.log")"
}

# What a terminal would show: both streams.
type_command() {
    case $1 in
    *'make run') start_service "${1%make run}" ;;
    *) (cd "$COPY" && bash -c "${1//127.0.0.1:8080/127.0.0.1:$port}" 2>&1 </dev/null | sed "s/$port/8080/g") ;;
    esac
}

# How long it took is another time each time.
untimed() {
    sed -E 's/[0-9.]+ seconds/N seconds/'
}

# Runs a command and compares: a bare [[ ]] pattern, in which only … is special.
run_command() {
    local wants=$1 command=$2 got pattern
    type_command "$command" >"$SCRATCH/output"
    got=$(tr -d '\r' <"$SCRATCH/output")
    actual[${#actual[@]}]=$got
    pattern=$(printf '%s' "$wants" | untimed | sed 's/[][\\*?]/\\&/g; s/…/*/g')
    # shellcheck disable=SC2053  # it is a pattern
    if [[ $(untimed <<<"$got") == $pattern ]]; then
        check_pass
    else
        check_fail "$command" "$wants" "$got"
    fi
}

# Reads the README: calls run_command for each command of its console blocks.
type_readme() {
    local line in_block='' command='' wants=''
    while IFS= read -r line; do
        case $in_block$line in
        '```console') in_block=y ;;
        'y```' | 'y$ '*)
            [ -z "$command" ] || run_command "$wants" "$command"
            command='' wants=''
            if [ "$line" = '```' ]; then in_block=''; else command=${line#\$ }; fi
            ;;
        y*) wants=$wants${wants:+$'\n'}$line ;;
        esac
    done <"$ROOT/README.md"
}

write_readme() {
    local line in_block='' index=0
    while IFS= read -r line; do
        case $in_block$line in
        '```console')
            in_block=y
            printf '%s\n' "$line"
            ;;
        'y```')
            in_block=''
            printf '%s\n' "$line"
            ;;
        'y$ '*)
            printf '%s\n' "$line"
            [ -z "${actual[index]}" ] || printf '%s\n' "${actual[index]}"
            index=$((index + 1))
            ;;
        y*) ;;
        *) printf '%s\n' "$line" ;;
        esac
    done <"$ROOT/README.md" >"$SCRATCH/README.md"
    cp "$SCRATCH/README.md" "$ROOT/README.md"
}

# on a terminal curl shows no progress
export CURL_HOME=$SCRATCH
echo silent >"$SCRATCH/.curlrc"

actual=()
copy_tree
port=$(free_port)
type_readme
stop_service
[ "${1:-}" != --write ] || write_readme
check_report readme
