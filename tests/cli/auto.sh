#!/usr/bin/env bash
# `trendline batch` chooses among models; how well, on real data.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

train=$SCRATCH/train.tsv
test=$SCRATCH/test.tsv
output=$SCRATCH/output.txt

# run_batch [NAME=VALUE...]: its report
run_batch() {
    env "DATA_DIR=$SCRATCH" "$@" "$TRENDLINE" batch 2>&1
}

rmse() {
    paste "$output" "$SCRATCH/truth" | awk '{ d = $1 - $2; s += d * d } END { printf "%.4f", sqrt(s / NR) }'
}

# split SET EVERY: every so manieth row is to be predicted
split() {
    local data=$ROOT/tests/data/uci/$1.tsv
    awk -v n="$2" 'NR % n' "$data" >"$train"
    awk -v n="$2" '!(NR % n)' "$data" | awk -F'\t' '{ print $NF }' >"$SCRATCH/truth"
    awk -v n="$2" '!(NR % n)' "$data" | sed 's/\t[^\t]*$//' >"$test"
}

# better NAME A B: A is less than B
better() {
    check_equal "$1" yes "$(awk -v a="$2" -v b="$3" 'BEGIN { print a < b ? "yes" : a " is not below " b }')"
}

split concrete 10
report=$(run_batch)
chosen=$(rmse)
check_contains "it says what was chosen" "model: fourier; cross-validated error: linear 10." "$report"
run_batch MODEL=linear >/dev/null
better "concrete: better by far than least squares" "$chosen" "$(awk -v r="$(rmse)" 'BEGIN { print 0.65 * r }')"
run_batch MODEL=auto >/dev/null
check_equal "MODEL=auto is the default" "$chosen" "$(rmse)"

awk 'BEGIN { for (i = 0; i < 300; i++) printf "%d\t%.17g\t%.17g\n", i, sin(i) * 100, 3 * i - 0.1 * sin(i) * 100 + 7 }' >"$train"
cut -f 1,2 "$train" >"$test"
report=$(run_batch)
check_contains "noise-free and linear: least squares" "model: linear" "$report"
cp "$output" "$SCRATCH/chosen"
check_equal "without a choice nothing is said of it" "" "$(run_batch MODEL=linear | grep model:)"
check_equal "and to the last digit the same" "$(cat "$SCRATCH/chosen")" "$(cat "$output")"

awk 'BEGIN { srand(1); for (i = 0; i < 400; i++) { x = 10 * rand(); printf "%.17g\t%.17g\n", x, sin(x) } }' >"$train"
printf '3\n1e6\n-1e300\n' >"$test"
report=$(run_batch)
check_contains "a sine" "model: fourier" "$report"
check_close "is learnt" 0.14112 "$(head -n 1 "$output")" 1
check_contains "far outside" "2 of them would be far beyond" "$report "
awk '$1 < -1.3 || $1 > 1.3 { exit 1 }' "$output" || check_fail "far outside" "near the range" "$(cat "$output")"

mkfifo "$SCRATCH/pipe"
rm "$train"
ln -s "$SCRATCH/pipe" "$train"
awk 'BEGIN { for (i = 0; i < 100; i++) print i "\t" i % 7 "\t" i * i }' >"$SCRATCH/pipe" &
printf '3\t3\n' >"$test"
report=$(run_batch)
check_contains "a pipe is read once: models linear in the features" "linear" "$report"
check_equal "and no others" "" "$(grep -o quadratic <<<"$report")"
wait
rm "$train"

check_equal "a wrong value" "trendline: MODEL=tree cannot be used: it must be auto or linear" "$(run_batch MODEL=tree)"
check_report cli/auto
