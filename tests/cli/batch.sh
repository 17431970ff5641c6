#!/usr/bin/env bash
# `trendline batch`: train.tsv, test.tsv -> output.txt
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

export MODEL=linear
data=$ROOT/tests/data/uci
train=$SCRATCH/train.tsv
test=$SCRATCH/test.tsv
output=$SCRATCH/output.txt

# What `trendline batch` does with the tables as they are: "STATUS: " and the predictions on one
# line, or the error. The report goes to the file `report`.
run_batch() {
    local status
    DATA_DIR=$SCRATCH "$TRENDLINE" batch >"$SCRATCH/report" 2>&1
    status=$?
    if [ $status = 0 ]; then
        echo "0: $(paste -sd ' ' "$output")"
    else
        echo "$status: $(cat "$SCRATCH/report")"
    fi
}

# tables TRAIN TEST, in the notation of printf %b
tables() {
    printf %b "$1" >"$train"
    printf %b "$2" >"$test"
}

# predicts NAME WANTS TRAIN TEST
predicts() {
    tables "$3" "$4"
    check_equal "$1" "0: $2" "$(run_batch)"
}

# fails NAME WANTS TRAIN TEST: the error, and an output left as it was
fails() {
    tables "$3" "$4"
    echo untouched >"$output"
    check_equal "$1" "1: $2" "$(run_batch)"
    check_equal "$1: output" untouched "$(cat "$output")"
}

# Mean squared difference between the output and the numbers in a file.
mse_of_output() {
    paste "$output" "$1" | awk '{ d = $1 - $2; s += d * d } END { printf "%.12g", s / NR }'
}

# --- real data -----------------------------------------------------------------------------------

head -n 422 "$data/diabetes.tsv" >"$train"
tail -n 20 "$data/diabetes.tsv" | cut -f 1-10 >"$test"
tail -n 20 "$data/diabetes.tsv" | cut -f 11 >"$SCRATCH/truth"
run_batch >"$SCRATCH/said"
check_equal "diabetes: a prediction a line" 20 "$(wc -l <"$output" | tr -d ' ')"
check_close "diabetes: test error" 2004.518686 "$(mse_of_output "$SCRATCH/truth")" 10
check_contains "diabetes: report" "train.tsv: 422 rows, 10 features, rank 11, mean squared error 2901." \
    "$(cat "$SCRATCH/report")"
check_contains "diabetes: report on the test table" "test.tsv: 20 predictions in output.txt" \
    "$(cat "$SCRATCH/report")"
mv "$output" "$SCRATCH/tab.output"

for delimiter in ',' ';' ' ' '   '; do
    sed -i "s/[^-+.0-9e][^-+.0-9e]*/$delimiter/g" "$train" "$test"
    run_batch >"$SCRATCH/said"
    check_equal "diabetes: the same delimited by '$delimiter'" "" \
        "$(cmp "$output" "$SCRATCH/tab.output" 2>&1)"
done

head -n 422 "$data/diabetes.tsv" | shuf >"$train"
tail -n 20 "$data/diabetes.tsv" | cut -f 1-10 >"$test"
run_batch >"$SCRATCH/said"
check_equal "diabetes: the same bits in any order of rows" "" \
    "$(cmp "$output" "$SCRATCH/tab.output" 2>&1)"

head -n 422 "$data/diabetes.tsv" | cut -f 3,11 >"$train"
tail -n 20 "$data/diabetes.tsv" | cut -f 3 >"$test"
run_batch >"$SCRATCH/said"
check_close "diabetes, bmi alone: test error" 2548.07239873 "$(mse_of_output "$SCRATCH/truth")" 12

cp "$data/diabetes.tsv" "$train"
cut -f 1-10 "$data/diabetes.tsv" >"$test"
run_batch >"$SCRATCH/said"
check_contains "diabetes, all rows: R²" "R² 0.5177484222" "$(cat "$SCRATCH/report")"

# --- forms of tables -----------------------------------------------------------------------------

# the target is 1 + 2a - b
rows='1\t2\t1\n2\t2\t3\n3\t5\t2\n4\t1\t8\n'
predicts "no headers" "5 1" "$rows" '3\t2\n0\t0\n'
predicts "no last newline" "5 1" "${rows%\\n}" '3\t2\n0\t0'
predicts "CRLF" "5 1" "${rows//\\n/\\r\\n}" '3\t2\r\n0\t0\r\n'
predicts "blank lines at the end" "5 1" "$rows\n\r\n \n" '3\t2\n0\t0\n\n\n'
predicts "a byte-order mark" "5 1" "\xEF\xBB\xBF$rows" '\xEF\xBB\xBF3\t2\n0\t0\n'
predicts "both with headers" "5 1" "a\tb\ty\n$rows" 'a\tb\n3\t2\n0\t0\n'
predicts "columns by name" "5 1" "a\tb\ty\n$rows" 'b\ta\n2\t3\n0\t0\n'
predicts "a header in train alone" "5 1" "a\tb\ty\n$rows" '3\t2\n0\t0\n'
predicts "a header in test alone: by position" "5 1" "$rows" 'b\ta\n3\t2\n0\t0\n'
predicts "different delimiters" "5 1" "$rows" '3,2\n0,0\n'
predicts "quoted cells" "5 1" "\"a\",\"b\"\"\",y\n${rows//\\t/,}" '"b""","a"\n2,"3"\n0,0\n'
predicts "no rows to predict" "" "a\tb\ty\n$rows" 'a\tb\n'
predicts "one row to learn from" "7 7" '1\t2\t7\n' '3\t2\n0\t0\n'
predicts "a negative zero of cells" "0" '-0\t0\n1\t1\n' '-0\n'
predicts "extremes" "1e+308 5e-324" '1\t1e308\n0\t5e-324\n' '1\n0\n'
check_contains "one row: the report" "rank 2, mean squared error 0, R² 1" "$(cat "$SCRATCH/report")"

predicts "dependent columns" "6" 'a\tb\tc\ty\n1\t2\t3\t1\n2\t2\t3\t3\n3\t6\t3\t5\n4\t8\t3\t7\n' \
    'a\tb\tc\n3.5\t0\t3\n'
check_contains "aliased columns" "aliased, with coefficient 0: c" "$(cat "$SCRATCH/report")"
predicts "constant columns" "4" 'a\tb\ty\n7\t5\t4\n7\t5\t4\n' '1\t2\n'
check_contains "several aliased columns" "aliased, with coefficient 0: a, b" "$(cat "$SCRATCH/report")"
check_contains "a constant target" "R² undefined" "$(cat "$SCRATCH/report")"

# --- errors --------------------------------------------------------------------------------------

fails "a bad cell in train" 'train.tsv:3: column b: "xx" is not a number' '1\t2\t1\n2\t2\t3\n3\txx\t2\n' '1\t2\n'
fails "a bad cell in train, by name" 'train.tsv:3: column size: "xx" is not a number' \
    'size\ty\n1\t2\nxx\t2\n' '1\n'
fails "a bad cell in test" 'test.tsv:2: column b: "n/a" is not a number' "$rows" '1\t2\n1\tn/a\n'
fails "an empty cell" 'train.tsv:2: column b: the cell is empty' '1\t2\t1\n2\t\t3\n' '1\t2\n'
fails "out of range" 'train.tsv:1: column b: "1e309" is out of the range of doubles' '1\t1e309\t1\n' '1\t2\n'
fails "a ragged row" 'train.tsv:2: 2 cells where the first row has 3' '1\t2\t1\n2\t2\n' '1\t2\n'
fails "a blank line" 'train.tsv:2: a blank line, and data after it' '1\t2\n\n2\t3\n' '1\n'
fails "one column" 'train.tsv:1: one column is not enough: features, then the target' '1\n2\n' '1\n'
fails "an empty train file" 'train.tsv is empty' '' '1\n'
fails "a header alone" 'train.tsv: no rows to learn from' 'a\ty\n' '1\n'
fails "an empty test file" 'test.tsv is empty' "$rows" ''
fails "too few columns in test" 'test.tsv:1: 1 column where train.tsv has 2 features' "$rows" '1\n'
fails "the target in test" 'test.tsv:1: 3 columns where train.tsv has 2 features' "$rows" '1\t2\t1\n'
fails "the target in test, by name" 'test.tsv:1: column y is the target in train.tsv' "a\tb\ty\n$rows" \
    'a\tb\ty\n1\t2\t3\n'
fails "an unknown column" 'test.tsv:1: column c is not in train.tsv' "a\tb\ty\n$rows" 'a\tb\tc\n1\t2\t3\n'
fails "a missing column" 'test.tsv:1: column b is missing' "a\tb\ty\n$rows" 'a\n1\n'
fails "a prediction out of range" 'test.tsv:2: the prediction is out of the range of doubles' \
    '1\t1e308\n2\t1.5e308\n' '1\n1000\n'
fails "a coefficient out of range" \
    'train.tsv: column a: a coefficient is beyond the range of double precision' \
    '0\t0\n1e-300\t1e300\n' '1\n'

# 700 columns that each have 1e300 and 1e-300
wide() {
    awk -v x="$1" -v y="$2" 'BEGIN { for (i = 0; i < 350; i++) printf "%s\t%s\t", x, y; print 1 }'
}
{ wide 1e300 1e-300 && wide 1e-300 1e300; } >"$train"
wide 1 2 | cut -f 1-700 >"$test"
check_contains "what the sums cannot hold" "1: train.tsv:2: the values span too wide a range" "$(run_batch)"

rm "$test"
check_equal "no test file" "1: cannot open $test: No such file or directory" "$(run_batch)"
rm "$train"
check_equal "no train file" "1: cannot open $train: No such file or directory" "$(run_batch)"

# --- size ----------------------------------------------------------------------------------------

# a million rows, 17 MB, with less than 8 MB of memory to have
seq 1 1000000 | awk -v OFS='\t' '{ print $1, $1 % 7, 2 * $1 - $1 % 7 }' >"$train"
cut -f 1,2 "$train" >"$test"
(limit_memory 8192 && DATA_DIR=$SCRATCH "$TRENDLINE" batch 2>"$SCRATCH/report")
check_equal "a million rows: status" 0 $?
check_equal "no progress bar in a file" 2 "$(wc -l <"$SCRATCH/report" | tr -d ' ')"
bars=$(script -qec "DATA_DIR='$SCRATCH' '$TRENDLINE' batch" /dev/null)
check_contains "a progress bar for train.tsv" "train.tsv [####################      " "$bars"
check_contains "a progress bar for test.tsv" "test.tsv [####################      " "$bars"
check_equal "a million rows" "" "$(cut -f 3 "$train" | cmp - "$output" 2>&1)"
check_equal "nothing is left beside the output" "" "$(find "$SCRATCH" -name '.*')"

check_report cli/batch
