#!/usr/bin/env bash
# `trendline batch --report`: the page, and that its figures are those of the model.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

train=$SCRATCH/train.tsv
test=$SCRATCH/test.tsv
output=$SCRATCH/output.txt
page=$SCRATCH/report.html

# run_batch [NAME=VALUE...] [--report]: what it says, also in the file `said`
run_batch() {
    local settings=()
    while [[ ${1:-} == *=* ]]; do
        settings+=("$1")
        shift
    done
    env "DATA_DIR=$SCRATCH" "${settings[@]}" "$TRENDLINE" batch "$@" 2>&1 | tee "$SCRATCH/said"
    return "${PIPESTATUS[0]}"
}

# report [NAME=VALUE...]: makes the page and takes its figures out of it, into the file `data`
report() {
    rm -f "$page"
    run_batch "$@" --report >/dev/null
    sed -n 's|^<script type="application/json" id="data">\(.*\)</script>$|\1|p' "$page" >"$SCRATCH/data"
}

# figure EXPRESSION: of the page
figure() {
    jq -c "$1" "$SCRATCH/data"
}

# is NAME WANTS EXPRESSION
is() {
    check_equal "$1" "$2" "$(figure "$3")"
}

# near NAME WANTS EXPRESSION [DIGITS]
near() {
    check_close "$1" "$2" "$(figure "$3")" "${4:-10}"
}

# predict_again: the rows to be predicted are those learnt
predict_again() {
    awk 'BEGIN { FS = OFS = "\t" } { NF--; print }' "$train" >"$test"
}

# --- the page ------------------------------------------------------------------------------------

cp "$ROOT/tests/data/uci/concrete.tsv" "$train"
predict_again
run_batch >/dev/null
check_equal "without --report no page" no "$([ -e "$page" ] && echo yes || echo no)"
cp "$output" "$SCRATCH/plain"
said=$(run_batch --report)
check_contains "it says so" "report.html: " "$said"
check_equal "the predictions are the same" "" "$(cmp "$output" "$SCRATCH/plain" 2>&1)"
check_equal "a page" "<!doctype html>" "$(head -n 1 "$page")"
check_equal "all of it" "</html>" "$(tail -n 1 "$page")"
check_contains "it may load nothing" "content=\"default-src 'none'; style-src 'sha256-" "$(cat "$page")"
check_equal "it asks for nothing" "" \
    "$(grep -E -o '<(link|img|iframe|object)|<script[^>]* src|@import|url\(|fetch\(|XMLHttpRequest' "$page")"
check_equal "nothing is left to be filled in" "" "$(grep -E '@[A-Z]+@' "$page")"
check_equal "nothing beside it" "" "$(find "$SCRATCH" -name '.*')"

# hash FILE: as the policy has it
hash() {
    sha256sum <"$1" | cut -d ' ' -f 1 | xargs printf '%s' | sed 's/../\\x&/g' | xargs -0 printf '%b' | base64
}
for part in "$ROOT/src/report.css" "$ROOT/src/report.js" /usr/share/javascript/chart.js/chart.min.js; do
    check_contains "the policy allows $part" "'sha256-$(hash "$part")'" "$(grep Content-Security "$page")"
    check_contains "which is there as it is" "$(tail -n 1 "$part")" "$(cat "$page")"
done

# --- the figures are those of the summary and of the output ----------------------------------------

# summarise: the summary's first two lines, from the page
summarise() {
    figure '"train.tsv: \(.rows) rows, \(.features) features, rank \(.figures.rank)"'
    jq -r '.model.tried[] | "\(.kind) \(.error)"' "$SCRATCH/data" |
        awk -v kind="$(jq -r .model.kind "$SCRATCH/data")" '
            { text = text (NR > 1 ? ", " : "model: " kind "; cross-validated error: ") $1 " " sprintf("%.4g", $2) }
            END { print text }'
}

report
check_equal "rows, features and rank" "\"$(sed -n '1s/, mean.*/"/p' "$SCRATCH/said")" "$(summarise | head -n 1)"
check_equal "what was tried" "$(sed -n 2p "$SCRATCH/said")" "$(summarise | tail -n 1)"
check_contains "mean squared error" "mean squared error $(figure .figures.mse), R² $(figure .figures.r2)" \
    "$(cat "$SCRATCH/said")"
is "the kind" '"fourier"' .model.kind
is "fewer parameters than terms" true '.figures.parameters > 9 and .figures.parameters < .figures.rank'
is "the others are freedom" true '.rows - .figures.parameters - .figures.degrees_of_freedom | fabs < 1e-9'
is "the residuals' deviation by that" true \
    '.figures | .residual_deviation > .rmse and .residual_deviation < 2 * .rmse and (has("f") | not)'
is "why" '"tried"' .model.reason
is "no header" '[false,"i"]' '[.header, .target]'
is "how many were predicted" 1030 .predictions
is "all rows are there" 1030 '.residuals.sample | length'
is "and counted" 1030 '[.residuals.histogram | .below, .above, .counts[]] | add'
check_equal "what was predicted" "" \
    "$(jq '.residuals.sample[][0]' "$SCRATCH/data" | paste - "$output" | awk '($1 - $2)^2 > 1e-20')"
check_equal "what was actual" "" \
    "$(jq '.residuals.sample[][1]' "$SCRATCH/data" | paste - <(cut -f 9 "$train") | awk '$1 != $2')"
near "their mean square" "$(figure .figures.mse)" '[.residuals.sample[] | (.[0] - .[1]) | . * .] | add / length' 7
is "four points of the learning curve" 4 '.curve | length'
is "the last is the cross-validated error" true '(.curve[3].chosen / .model.tried[4].error - 1) | fabs < 1e-12'
is "of least squares too" true '.curve[3].linear == .model.tried[0].error'
is "more rows are better" true '[.curve[].chosen] == ([.curve[].chosen] | sort | reverse)'
is "each fifth once more" '[206,412,618,824]' '[.curve[].rows]'

report MODEL=linear
is "least squares: the kind" '"linear"' .model.kind
is "as was asked for" '["asked",[]]' '[.model.reason, .model.tried]'
is "with a learning curve" 4 '.curve | length'
near "the same model" "$(head -n 1 "$output")" '.residuals.sample[0][0]'
near "its coefficients predict" "$(head -n 1 "$output")" \
    '.coefficients | .intercept.estimate +
        ([[540, 0, 0, 162, 2.5, 1040, 676, 28], [.features[].estimate]] | transpose | map(.[0] * .[1]) | add)'

# certified by NIST
cp "$ROOT/tests/data/nist/Longley.train.tsv" "$train"
predict_again
report
is "few rows: why" '"rows"' .model.reason
is "few rows: no learning curve" '[]' .curve
near "Longley: residual deviation" 304.854073561965 .figures.residual_deviation
near "Longley: R²" 0.995479004577296 .figures.r2
near "Longley: intercept" -3482258.63459582 .coefficients.intercept.estimate
near "Longley: its standard error" 890420.383607373 .coefficients.intercept.standard_error
near "Longley: a coefficient" 15.0618722713733 '.coefficients.features[0].estimate'
near "Longley: its standard error" 84.9149257747669 '.coefficients.features[0].standard_error'
near "Longley: t" 0.177376028 '.coefficients.features[0].t' 8
near "Longley: an interval, as R has it" -177.02903529849515 '.coefficients.features[0].low'

# --- tables that are out of the ordinary ---------------------------------------------------------

# rows COUNT PROGRAM: so many, of what the awk program makes of i
rows() {
    awk -v n="$1" 'BEGIN { srand(1); OFS = "\t"; for (i = 0; i < n; i++) { '"$2"' } }'
}

{
    printf '%s\t%s\t%s\n' '</script><script>alert(1)</script>' "a \"quoted\" & 'ü' <!--\\ 漢" '<b>target</b>'
    rows 100 'x = rand(); y = rand(); print x, y, x - y + rand()'
} >"$train"
predict_again
report
check_equal "three scripts: the data, Chart.js and ours" 3 "$(grep -o -i '</script' "$page" | wc -l | tr -d ' ')"
check_equal "and nothing that looks like another" 3 "$(grep -o -i '<script' "$page" | wc -l | tr -d ' ')"
check_equal "names as they are" "$(head -n 1 "$train")" \
    "$(jq -r '[.coefficients.features[].name, .target] | join("\t")' "$SCRATCH/data")"
is "a header" true .header

rows 5 'print i, i * i, i * i * i, i % 2, i + 3' >"$train"
predict_again
report
is "as many rows as coefficients" '[true,0,false]' \
    '[.figures.rank == .rows, .figures.degrees_of_freedom, .coefficients.has_errors]'
is "no standard errors" '[null,null,null,null]' '.coefficients.features[0] | [.standard_error, .t, .p, .low]'

printf '1\t7\n' >"$train"
printf '1\n' >"$test"
report
is "one row" '[1,null,[],[[7,7]]]' '[.rows, .figures.r2, .curve, .residuals.sample]'
is "aliased" true '.coefficients.features[0].aliased'

rows 200 'x = rand(); print x, 3 * x + rand()' >"$train"
predict_again
report
is "one feature" '["a"]' '[.coefficients.features[].name]'

rows 300 's = 0; for (j = 0; j < 60; j++) { x = rand(); s += j * x; printf "%s\t", x } print s + rand()' >"$train"
predict_again
report
is "sixty features" '[60,false]' '[(.coefficients.features | length), .coefficients.has_errors]'
is "with estimates" 60 '[.coefficients.features[].estimate | numbers] | length'

rows 100 'print i, 7' >"$train"
predict_again
report
is "a constant target" '[null,0,0]' '[.figures.r2, .figures.mse, .curve[3].mean]'

rows 40 'print i % 2, i % 2 + 1' >"$train"
predict_again
report
is "rows too much alike for five parts" '["parts",[]]' '[.model.reason, .curve]'

rows 2 's = ""; for (j = 0; j < 300; j++) s = s (i * j) "\t"; print s i' >"$train"
printf '%s\n' "$(seq -s '	' 1 300)" >"$test"
report
is "too many features to choose" '["features",300]' '[.model.reason, .features]'

printf '0\t-1e308\n1\t1e308\n2\t-1e308\n3\t1e308\n' >"$train"
predict_again
report
is "squares beyond the doubles" '[null,4]' '[.figures.mse, .rows]'

mkfifo "$SCRATCH/pipe"
rm "$train"
ln -s "$SCRATCH/pipe" "$train"
rows 100 'print i, i % 7, i * i' >"$SCRATCH/pipe" &
printf '3\t3\n' >"$test"
report
wait
rm "$train"
is "a pipe: what can be told without a second reading" '[100,null,4,true]' \
    '[.rows, .residuals, (.curve | length), .coefficients.has_errors]'

# --- size ----------------------------------------------------------------------------------------

rows 500000 'print i, i % 7, 2 * i + (i * 7919) % 1000' >"$train"
head -n 3 "$train" | cut -f 1,2 >"$test"
(limit_memory 12288 && report MODEL=linear)
is "half a million rows" 500000 .rows
is "are all counted" 500000 '[.residuals.histogram | .below, .above, .counts[]] | add'
is "some are kept" true '.residuals.sample | length | . > 1800 and . < 2200'
check_equal "the page stays small" yes "$([ "$(wc -c <"$page")" -lt 600000 ] && echo yes)"

# --- errors --------------------------------------------------------------------------------------

rows 50 'print i, i + 1' >"$train"
predict_again
rm "$page"
mkdir "$page"
echo untouched >"$output"
run_batch --report >/dev/null
check_equal "a page that cannot be put in place" 1 $?
check_contains "is named" "report.html" "$(cat "$SCRATCH/said")"
check_equal "the output stays" untouched "$(cat "$output")"
rmdir "$page"

# misused ARGUMENT...
misused() {
    local status
    DATA_DIR=$SCRATCH "$TRENDLINE" "$@" >"$SCRATCH/said" 2>&1
    status=$?
    check_equal "$*" "2: trendline: subcommands take no arguments, but for batch --report; see trendline --help" \
        "$status: $(cat "$SCRATCH/said")"
}
misused batch --rapport
misused batch --report twice
misused batch report
misused sum --report
check_equal "no page of those" no "$([ -e "$page" ] && echo yes || echo no)"
check_contains "--help tells of it" "batch --report" "$("$TRENDLINE" --help)"

check_report cli/report
