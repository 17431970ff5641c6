#!/bin/bash
# `trendline batch`: 1,000,000 × 10 to learn, 200,000 to predict.
# shellcheck disable=SC2016 # backquotes are Markdown
. "$(dirname "$0")/lib.sh"

export DATA_DIR=$SCRATCH/data MODEL=linear

# peak COMMAND...: MEMORY is the most that it took, in MB
peak() {
    "$PYTHON" -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)' "$@"
}

measure() {
    timed "$BUILD/trendline" batch 2>"$SCRATCH/batch.log"
    sample ours "$TIME"
    timed "$PROGRAMS/bare_batch" "$DATA_DIR/train.tsv" "$DATA_DIR/test.tsv"
    sample bare "$TIME"
    [ -n "$peer" ] || return 0
    timed "$PYTHON" "$BENCH/peers/batch_pandas.py" "$DATA_DIR"
    sample peer "$TIME"
}

# How long choosing a model takes beside least squares, and in what memory
measure_auto() {
    local auto=$SCRATCH/auto
    mkdir "$auto"
    head -n 10001 "$DATA_DIR/train.tsv" >"$auto/train.tsv"
    head -n 2 "$DATA_DIR/test.tsv" >"$auto/test.tsv"
    timed env "DATA_DIR=$auto" MODEL=auto "$BUILD/trendline" batch 2>"$SCRATCH/auto.log"
    sample auto-small "$TIME"
    sample auto-memory "$(DATA_DIR=$auto MODEL=auto peak "$BUILD/trendline" batch)"
    timed env MODEL=auto "$BUILD/trendline" batch 2>"$SCRATCH/auto.log"
    sample auto "$TIME"
    sample auto-rate "$(awk -v n="${ROWS:-1000000}" -v t="$TIME" 'BEGIN { print n / t }')"
    sample linear-rate "$(awk -v n="${ROWS:-1000000}" -v t="$(median ours)" 'BEGIN { print n / t }')"
}

# the two agree to so many digits, or one of them has done something else
compare_outputs() {
    paste "$DATA_DIR/output.txt" "$DATA_DIR/peer.txt" |
        awk '{ d = $1 - $2; if (d > 1e-6 || d < -1e-6) exit 1 }' || die 'the predictions differ'
}

mkdir "$DATA_DIR"
generate "${ROWS:-1000000}" 10 tsv >"$DATA_DIR/train.tsv"
generate "${TEST_ROWS:-200000}" 10 test >"$DATA_DIR/test.tsv"
peer=
! has_python sklearn pandas || peer=yes
for_each_round measure
sample memory "$(peak "$BUILD/trendline" batch)"
measure_auto
ratio per-bare ours bare
if [ -n "$peer" ]; then
    compare_outputs
    ratio per-peer peer ours
    sample peer-memory "$(peak "$PYTHON" "$BENCH/peers/batch_pandas.py" "$DATA_DIR")"
fi

begin '`batch`, 1,000,000 × 10 to learn, 200,000 to predict'
row 'faster than pandas + scikit-learn' per-peer at-least 8 '×'
row 'time, of a bare loop on one core with our number parser' per-bare under 3 '×'
row 'memory, peak' memory under 32 ' MB'
row '`MODEL=auto`, 10,000 × 10: time' auto-small under 2 ' s'
row '`MODEL=auto`, 10,000 × 10: memory, peak' auto-memory under 200 ' MB'
show '`MODEL=auto`: time' auto ' s'
show '`MODEL=auto`: rows/s' auto-rate
show 'rows/s' linear-rate
show 'time' ours ' s'
show 'time, bare loop' bare ' s'
show 'time, pandas + scikit-learn' peer ' s'
show 'memory, pandas + scikit-learn' peer-memory ' MB'
