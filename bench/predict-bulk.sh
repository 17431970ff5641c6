#!/bin/bash
# POST /predict in bulk: 10,000 rows of 10 features, as a table and as a JSON array.
. "$(dirname "$0")/lib.sh"
ROWS=10000

# measure_one NAME URL FILE TYPE: rows a second, over 4 connections
measure_one() {
    [ -n "$2" ] || return 0
    load 4 "$2" -- whole "$3" "$4"
    sample "$1" "$(awk -v r="$RATE" -v n=$ROWS 'BEGIN { print r * n }')"
}

measure() {
    measure_one ours-tsv "$OURS/predict" "$SCRATCH/test.tsv" text/tab-separated-values
    measure_one peer-tsv "${PEER:+$PEER/predict}" "$SCRATCH/test.tsv" text/tab-separated-values
    measure_one ours-json "$OURS/predict" "$SCRATCH/test.json" application/json
    measure_one peer-json "${PEER:+$PEER/predict/checked}" "$SCRATCH/test.json" application/json
    measure_one bare-json "${PEER:+$PEER/predict}" "$SCRATCH/test.json" application/json
}

export BENCH_TRAIN=$SCRATCH/train.tsv
generate 1000 10 tsv >"$BENCH_TRAIN"
generate $ROWS 10 test >"$SCRATCH/test.tsv"
generate $ROWS 10 json >"$SCRATCH/test.json"
start_service
OURS=$URL
post "$URL/action" "$BENCH_TRAIN" text/tab-separated-values >/dev/null
curl -sf -X POST "$URL/build" >/dev/null
if has_python fastapi uvicorn sklearn pandas; then
    next_port
    start /docs "$PYTHON" -m uvicorn --app-dir "$BENCH/peers" --workers 2 --port "$PORT" \
        --no-access-log --log-level warning sklearn_app:app
    PEER=$URL
fi
for_each_round measure

for kind in tsv json; do
    ! has peer-$kind || ratio ratio-$kind ours-$kind peer-$kind
done
! has bare-json || ratio ratio-bare ours-json bare-json
begin "POST /predict in bulk, $ROWS rows of 10 features"
row "TSV: of the scikit-learn service, which reads it by pandas" ratio-tsv at-least 20 '×'
row "JSON: of the scikit-learn service, which checks names and types by pydantic, as we do" ratio-json at-least 20 '×'
show "JSON: of the same service without any checks" ratio-bare '×'
show "TSV: rows/s" ours-tsv
show "TSV: rows/s, scikit-learn service" peer-tsv
show "JSON: rows/s" ours-json
show "JSON: rows/s, scikit-learn service" peer-json
show "JSON: rows/s, scikit-learn service without checks" bare-json
