#!/usr/bin/env bash
# How sure a model is: the figures of /model, intervals and contributions of /predict, against R.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

# mpg of 32 cars by weight, power and quarter mile time: R's mtcars
cars() {
    printf 'wt,hp,qsec,target\n'
    tr ' ' '\n' <<'END'
2.62,110,16.46,21 2.875,110,17.02,21 2.32,93,18.61,22.8 3.215,110,19.44,21.4 3.44,175,17.02,18.7 3.46,105,20.22,18.1
3.57,245,15.84,14.3 3.19,62,20,24.4 3.15,95,22.9,22.8 3.44,123,18.3,19.2 3.44,123,18.9,17.8 4.07,180,17.4,16.4
3.73,180,17.6,17.3 3.78,180,18,15.2 5.25,205,17.98,10.4 5.424,215,17.82,10.4 5.345,230,17.42,14.7 2.2,66,19.47,32.4
1.615,52,18.52,30.4 1.835,65,19.9,33.9 2.465,97,20.01,21.5 3.52,150,16.87,15.5 3.435,150,17.3,15.2 3.84,245,15.41,13.3
3.845,175,17.05,19.2 1.935,66,18.9,27.3 2.14,91,16.7,26 1.513,113,16.9,30.4 3.17,264,14.5,15.8 2.77,175,15.5,19.7
3.57,335,14.6,15 2.78,109,18.6,21.4
END
}

# figure NAME WANTS EXPRESSION: of the last answer's body, to ten digits
figure() {
    check_close "$1" "$2" "$(jq "$3" "$SCRATCH/body")" 10
}

test_model() {
    answer /model >/dev/null
    figure "residual deviation" 2.5777848825208176 .residual_deviation
    check_equal "degrees of freedom" 28 "$(jq .degrees_of_freedom "$SCRATCH/body")"
    figure "adjusted R²" 0.81706430760288284 .adjusted_r2
    figure "F" 47.152818701457747 .f
    figure "p of F" 4.5064110240248436e-11 .f_p
    figure "standard error" 0.752700392234739502 .inference.coefficients.wt.standard_error
    figure "t" -5.7908794058437758 .inference.coefficients.wt.t
    figure "p" 3.2172215296399067e-06 .inference.coefficients.wt.p
    figure "confidence interval" -5.900634059248407226 '.inference.coefficients.wt.confidence_95[0]'
    figure "of the intercept" 44.857968482953239686 '.inference.intercept.confidence_95[1]'
    answer '/model?_covariance=1' >/dev/null
    check_equal "the covariance's names" '["intercept","wt","hp","qsec"]' "$(jq -c .names "$SCRATCH/body")"
    figure "a covariance" 0.192915554205415535 '.covariance[3][3]'
    figure "one with the intercept" -3.631748211238807755 '.covariance[0][3]'
}

CAR='wt=3&hp=110&qsec=17'

test_interval() {
    check_equal "a status" 200 "$(status "/predict?$CAR&_interval=0.95")"
    check_equal "what it has" '["prediction","interval"]' "$(jq -c keys_unsorted "$SCRATCH/body")"
    figure "its low end" 15.669347755809554 '.interval[0]'
    figure "its high end" 26.8463686107368176 '.interval[1]'
    answer "/predict?_interval=0.5&$CAR" >/dev/null
    figure "another level" 19.3935195902475641 '.interval[0]'
    answer '/predict?_interval=0.95' -d '{"wt":3,"hp":110,"qsec":17}' >/dev/null
    figure "POST" 15.669347755809554 '.interval[0]'
    answer '/predict?_interval=0.95' -d '[{"wt":3,"hp":110,"qsec":17},{"wt":10,"hp":50,"qsec":25}]' >/dev/null
    check_equal "many: as many intervals" '[2,2]' "$(jq -c '[(.predictions, .intervals) | length]' "$SCRATCH/body")"
    figure "many" 7.3731064686395733 '.intervals[1][1]'
    answer '/predict?_interval=0.95' -H 'Content-Type: text/csv' --data-binary $'wt,hp,qsec\n10,50,25\n' >/dev/null
    check_close "a table: the interval's low end" -15.568539203784781 "$(cut -f 2 "$SCRATCH/body")" 10
    check_close "a table: its high end" 7.3731064686395733 "$(cut -f 3 "$SCRATCH/body")" 10
}

test_explain() {
    answer "/predict?$CAR&_explain=1" >/dev/null
    figure "contributions make the prediction less the mean" \
        "$(jq .prediction "$SCRATCH/body")" '(.contributions | add) + 20.090625'
    check_equal "by name" '["wt","hp","qsec"]' "$(jq -c '.contributions | keys_unsorted' "$SCRATCH/body")"
    check_equal "0 is none" '["prediction"]' \
        "$(answer "/predict?$CAR&_explain=0" >/dev/null && jq -c keys_unsorted "$SCRATCH/body")"
    answer '/predict?_explain=1&_interval=0.9' -d '{"wt":3,"hp":110,"qsec":17}' >/dev/null
    check_equal "both, by POST" '["prediction","interval","baseline","contributions"]' "$(jq -c keys_unsorted "$SCRATCH/body")"
    answer "/predict?$CAR" >/dev/null
    check_equal "neither, the next time" '["prediction"]' "$(jq -c keys_unsorted "$SCRATCH/body")"
}

test_refused() {
    local value
    for value in 0 1 -1 2 x '' nan 1e999; do
        refuses "_interval=$value" 422 "_interval must be between 0 and 1" "/predict?$CAR&_interval=$value"
    done
    refuses "_explain=yes" 422 "_explain must be 0 or 1" "/predict?$CAR&_explain=yes"
    refuses "an unknown option" 422 '"_foo"' "/predict?$CAR&_foo=1"
    refuses "a feature beside a body" 422 '"wt" is no option here' '/predict?wt=1' -d '{"wt":3,"hp":110,"qsec":17}'
    refuses "to explain many" 422 "_explain is for a single row" '/predict?_explain=1' \
        -d '[{"wt":3,"hp":110,"qsec":17},{"wt":10,"hp":50,"qsec":25}]'
    refuses "beyond the doubles" 422 "beyond the range" "/predict?wt=1e308&hp=1e308&qsec=1e308&_interval=0.9"
}

test_too_few_rows() {
    answer /action -d '[{"a":1,"target":2},{"a":2,"target":5}]' >/dev/null
    build >/dev/null
    refuses "as many coefficients as rows" 422 "there is no interval" '/predict?a=1&_interval=0.9'
    check_equal "no figure is made up" '[0,null,null]' "$(model '[.degrees_of_freedom, .residual_deviation, .f_p]')"
    check_equal "but a prediction" '200 {"prediction": 2}' "$(answer '/predict?a=1')"
}

test_many_features() {
    awk 'BEGIN { n = 41; srand(2); for (i = 0; i < n; i++) printf "x%d,", i; print "target"
        for (r = 0; r < 100; r++) { for (i = 0; i < n; i++) printf "%.6f,", rand(); print rand() } }' >"$SCRATCH/wide"
    answer /action -H 'Content-Type: text/csv' --data-binary "@$SCRATCH/wide" >/dev/null
    build >/dev/null
    query=$(awk 'BEGIN { for (i = 0; i < 41; i++) printf "x%d=1&", i }')
    check_equal "41 features: an interval by the cross-validated error" 2 \
        "$(answer "/predict?${query}_interval=0.9" >/dev/null && jq '.interval | length' "$SCRATCH/body")"
    stop_service
    start_service MODEL=linear
    build >/dev/null
    refuses "41 features: an exact interval" 422 "40 columns" "/predict?${query}_interval=0.9"
    refuses "41 features: the covariance" 422 "40 features at most" '/model?_covariance=1'
    check_equal "but contributions" 41 "$(answer "/predict?${query}_explain=1" >/dev/null && jq '.contributions | length' "$SCRATCH/body")"
}

# curve FROM TO: y = a² − 3 b and a little noise
curve() {
    awk -v from="$1" -v to="$2" 'BEGIN { srand(24); print "a,b,target"
        for (i = 1; i <= to; i++) { a = 10 * rand(); b = rand(); noise = rand() - 0.5
            if (i >= from) printf "%.6f,%.6f,%.9f\n", a, b, a * a - 3 * b + noise } }' >"$SCRATCH/curve"
    answer /action -H 'Content-Type: text/csv' --data-binary "@$SCRATCH/curve" >/dev/null
}

# agrees NAME: the figures of a model of terms with each other, and its means with the rows' own
agrees() {
    model . >"$SCRATCH/body"
    check_equal "$1: columns with a coefficient" 6 "$(jq .rank "$SCRATCH/body")"
    check_equal "$1: as many parameters, or hardly less" true \
        "$(jq '.effective_parameters > 5.9 and .effective_parameters < 6' "$SCRATCH/body")"
    check_equal "$1: the others are freedom" true \
        "$(jq '.rows - .effective_parameters - .degrees_of_freedom | fabs < 1e-9' "$SCRATCH/body")"
    check_close "$1: the residuals' deviation" "$(jq '.mse * (.weight // .rows) / .degrees_of_freedom | sqrt' "$SCRATCH/body")" \
        "$(jq .residual_deviation "$SCRATCH/body")" 12
    check_close "$1: which is the noise's" 0.289 "$(jq .residual_deviation "$SCRATCH/body")" 1
    check_close "$1: adjusted R²" "$(jq '1 - (1 - .r2) * (.rows - 1) / .degrees_of_freedom' "$SCRATCH/body")" \
        "$(jq .adjusted_r2 "$SCRATCH/body")" 12
    check_equal "$1: no F, which is of projections" '[null,null]' "$(jq -c '[.f, .f_p]' "$SCRATCH/body")"
    check_equal "$1: nor an inverse" false "$(jq 'has("inverse") or has("inference")' "$SCRATCH/body")"
}

test_terms() {
    curve 1 200
    build >/dev/null
    check_equal "a curve" '"quadratic"' "$(model .model)"
    agrees "a build"
    check_close "its means" "$(awk -F, 'NR > 1 { sum += $1 } END { printf "%.12g", sum / 200 }' "$SCRATCH/curve")" \
        "$(model '.means[0]')" 11
    refuses "the covariance" 422 "least squares" '/model?_covariance=1'
    curve 201 210
    agrees "learnt since"
    check_equal "of all rows" 210 "$(model .rows)"
}

new_data
start_service
cars >"$SCRATCH/cars"
check_equal "the cars" 200 "$(status /action -H 'Content-Type: text/csv' --data-binary "@$SCRATCH/cars")"
check_equal "a build" 200 "$(build)"
test_model
test_interval
test_explain
test_refused
stop_service
new_data
start_service
test_too_few_rows
stop_service
new_data
start_service
test_many_features
stop_service
new_data
start_service
test_terms
stop_service
check_report http/inference
