#!/bin/bash
# GET /predict against nginx's own limit, the classic libfcgi responder, and Python services.
# shellcheck disable=SC2016 # backquotes are Markdown
. "$(dirname "$0")/lib.sh"

QUERY='/predict?x1=1.5&x2=-2.25&x3=3'

start_fastapi() {
    has_python fastapi uvicorn sklearn pandas || return 0
    next_port
    start "$QUERY" "$PYTHON" -m uvicorn --app-dir "$BENCH/peers" --workers 2 --port "$PORT" \
        --no-access-log --log-level warning sklearn_app:app
    FASTAPI=$URL$QUERY FASTAPI_PID=$PID
}

start_flask() {
    has_python flask gunicorn sklearn pandas || return 0
    next_port
    start "$QUERY" "$PYTHON" -m gunicorn --chdir "$BENCH/peers" -w 2 -b "127.0.0.1:$PORT" flask_app:app
    FLASK=$URL$QUERY FLASK_PID=$PID
}

# measure_one NAME URL CONNECTIONS [PID...]: with the processor time of these servers
measure_one() {
    local name=$1 url=$2 connections=$3 before
    [ -n "$url" ] || return 0
    shift 3
    before=$(cpu_of "$@")
    load "$connections" "$url"
    sample "$name-rate" "$RATE"
    sample "$name-p99" "$P99"
    sample "$name-cpu" "$(awk -v b="$before" -v a="$(cpu_of "$@")" -v n="$ANSWERED" \
        'BEGIN { print (a - b) / n / 1000 }')"
}

measure() {
    measure_one ours "$OURS" 32 "$SERVICE"
    measure_one limit "$LIMIT" 32 "$LIMIT_PID"
    measure_one classic "$CLASSIC" 32 "$CLASSIC_PID" "$THREADS_PID"
    measure_one fastapi "${FASTAPI:-}" 32 "${FASTAPI_PID:-}"
    measure_one flask "${FLASK:-}" 32 "${FLASK_PID:-}"
    measure_one ours-128 "$OURS" 128 "$SERVICE"
    measure_one limit-128 "$LIMIT" 128 "$LIMIT_PID"
}

export BENCH_TRAIN=$SCRATCH/train.tsv
generate 1000 3 tsv >"$BENCH_TRAIN"
start_service
OURS=$URL$QUERY
post "$URL/action" "$BENCH_TRAIN" text/tab-separated-values >/dev/null
curl -sf -X POST "$URL/build" >/dev/null
answer=$(curl -sf "$OURS")

start_nginx -e "s|location = /predict {|& return 200 '$answer\\\\n';|"
LIMIT=$URL$QUERY LIMIT_PID=$PID
setsid "$PROGRAMS/fcgi_threads" "$SCRATCH/classic.sock" "$answer" &
THREADS_PID=$!
on_exit "stop $THREADS_PID"
start_nginx -e "s|server unix:.*/predict-.*|server unix:$SCRATCH/classic.sock max_fails=0;|"
CLASSIC=$URL$QUERY CLASSIC_PID=$PID
for url in "$LIMIT" "$CLASSIC"; do
    [ "$(curl -sf "$url")" = "$answer" ] || die "$url does not answer $answer"
done
start_fastapi
start_flask
for_each_round measure

for peer in limit classic fastapi flask; do
    ! has $peer-rate || ratio ours-per-$peer ours-rate $peer-rate
done
ratio p99-per-limit ours-128-p99 limit-128-p99
begin "GET /predict, 3 features, 32 connections"
row 'of nginx `return 200` with the same body' ours-per-limit at-least 0.4
row 'of a libfcgi responder with 64 blocking threads' ours-per-classic at-least 1.6 '×'
row 'of FastAPI + uvicorn + scikit-learn' ours-per-fastapi at-least 5 '×'
row 'of Flask + gunicorn + scikit-learn' ours-per-flask at-least 12 '×'
row 'p99 at 128 connections' ours-128-p99 under 10 ' ms'
row 'p99 at 128 connections, of that of `return 200` (enough: one of the two)' p99-per-limit under 3 '×'
show 'requests/s' ours-rate
show 'requests/s, `return 200`' limit-rate
show 'requests/s, libfcgi threads' classic-rate
show 'requests/s, FastAPI' fastapi-rate
show 'requests/s, Flask' flask-rate
show 'p99 at 32 connections' ours-p99 ' ms'
show 'p99 at 128 connections, `return 200`' limit-128-p99 ' ms'
show 'processor time of the servers, a request' ours-cpu ' µs'
show 'processor time of `return 200`, a request' limit-cpu ' µs'
show 'processor time of the libfcgi threads, a request' classic-cpu ' µs'
show 'processor time of FastAPI, a request' fastapi-cpu ' µs'
show 'processor time of Flask, a request' flask-cpu ' µs'
