#!/usr/bin/env bash
# Events that weigh more than others, or less: by the figures of R's lm(weights=); and the target by
# another name.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

# x <- 1:8; y <- …; w <- c(1,2,0.5,1,3,0.1,1,4)
weighted() {
    printf '{"x":%s,"target":%s,"_weight":%s}\n' 1 2.1 1 2 3.9 2 3 6.2 0.5 4 7.8 1 5 10.1 3 6 12.2 0.1 7 13.8 1 8 16.5 4
}

figure() {
    check_close "$1" "$2" "$(curl -s "$URL/model" | jq "$3")" 10
}

fingerprint() {
    curl -s "$URL/model" | jq -c 'del(.created, .crc, .live, .events, .version, .places, .metric, .distance)'
}

test_r() {
    new_data
    start_service
    weighted | status /action --data-binary @- >/dev/null
    build >/dev/null
    figure "the intercept" -0.2178687761749628 .intercept
    figure "the slope" 2.0716612377850159 .coefficients.x
    figure "a standard error" 0.03219416405092816 '.inference.coefficients.x.standard_error'
    figure "residual deviation" 0.2820436619895886 .residual_deviation
    figure "R²" 0.9985530975941809 .r2
    check_equal "rows are rows" '[8,12.6]' "$(curl -s "$URL/model" | jq -c '[.rows, .weight]')"
    answer '/predict?x=10&_interval=0.95' >/dev/null
    check_close "a prediction" 20.49874360167519 "$(jq .prediction "$SCRATCH/body")" 10
    check_close "its interval, for a weight of 1" 21.31056894295764 "$(jq '.interval[1]' "$SCRATCH/body")" 10
    MODEL_OF_ALL=$(fingerprint)
}

test_kept() {
    on_files && check_equal "the journal has them" '[[1,null],[2,2],[3,0.5]]' \
        "$(head -3 "$DATA/actions.jsonl" | jq -sc 'map([.x, ._weight])')"
    stop_service
    start_service
    check_equal "after a restart" "$MODEL_OF_ALL" "$(fingerprint)"
    kill_service
    on_files && rm "$DATA/events.moments"
    start_service
    build >/dev/null
    check_equal "after a replay" "$MODEL_OF_ALL" "$(fingerprint)"
    stop_service
}

test_other_ways() {
    local weight
    new_data
    start_service
    weighted | tac | jq -r '[.x, .target, ._weight] | @csv' | { echo 'x,target,_weight'; cat; } |
        status /action -H 'Content-Type: text/csv' --data-binary @- >/dev/null
    build >/dev/null
    check_equal "a table, backwards" "$MODEL_OF_ALL" "$(fingerprint)"
    stop_service
    new_data
    start_service
    weighted | head -3 | status /action --data-binary @- >/dev/null
    build >/dev/null
    weighted | tail -n +4 | while read -r event; do status /action -d "$event" >/dev/null; done
    check_equal "one by one, learnt online" "$MODEL_OF_ALL" "$(fingerprint)"
    for weight in 0 -1 '"2"' null 1e999; do
        refuses "a weight of $weight" 422 _weight /action -d "{\"x\":1,\"target\":2,\"_weight\":$weight}"
    done
    refuses "two weights" 422 _weight /action -d '{"x":1,"target":2,"_weight":1,"_weight":2}'
    check_equal "two of the same id and weight" '201 200' \
        "$(status /action -d '{"x":1,"target":2,"_weight":3,"_id":"w"}') $(status /action -d '{"x":1,"target":2,"_weight":3,"_id":"w"}')"
    refuses "with another weight" 409 w /action -d '{"x":1,"target":2,"_id":"w"}'
    refuses "a weight to predict" 422 _weight /predict -d '{"x":1,"_weight":2}'
    stop_service
}

test_moved() {
    on_files || return
    new_data
    start_service
    weighted | status /action --data-binary @- >/dev/null
    stop_service
    DATA_DIR=$DATA "$TRENDLINE" export 2>/dev/null >"$SCRATCH/stream"
    new_data
    DATA_DIR=$DATA "$TRENDLINE" import <"$SCRATCH/stream" 2>/dev/null
    start_service
    build >/dev/null
    check_equal "exported and imported" "$MODEL_OF_ALL" "$(fingerprint)"
    stop_service
}

# weighted_table ORDER: the same rows with the columns in that order (jq's array)
weighted_table() {
    weighted | jq -sr "map($1) | (first | keys_unsorted), (.[] | [.[]]) | @tsv"
}

# In files it is a column, wherever it stands; of the others the last is the target.
test_files() {
    local order
    for order in '{x, y: .target, _weight}' '{x, _weight, y: .target}' '{_weight, x, y: .target}'; do
        new_data
        weighted_table "$order" >"$DATA/train.tsv"
        printf 'x\n10\n' >"$DATA/test.tsv"
        check_contains "batch says so" "8 rows weighted by _weight, 1 features" \
            "$(DATA_DIR=$DATA "$TRENDLINE" batch --report 2>&1)"
        check_close "batch: $order" 20.49874360167519 "$(cat "$DATA/output.txt")" 10
        printf '_weight\tx\n5\t10\n' >"$DATA/test.tsv"
        DATA_DIR=$DATA "$TRENDLINE" batch 2>/dev/null
        check_close "batch: in a test table it is passed over" 20.49874360167519 "$(cat "$DATA/output.txt")" 10
        mv "$DATA/train.tsv" "$DATA/train.txt"
        start_service
        check_close "the train file: $order" 20.49874360167519 "$(curl -s "$URL/predict?x=10" | jq .prediction)" 10
        check_equal "its rows and weight" '[8,12.6,["x"]]' "$(model '[.rows, .weight, .features]')"
        stop_service
    done
    new_data
    { weighted_table '{x, _weight, y: .target}'; seq 9 60 | awk '{ print $1 "\t" 1 + $1 % 3 "\t" 20 * sin($1 / 8) }'; } >"$DATA/train.tsv"
    printf 'x\n10\n' >"$DATA/test.tsv"
    DATA_DIR=$DATA "$TRENDLINE" batch 2>/dev/null
    mv "$DATA/train.tsv" "$DATA/train.txt"
    start_service
    check_equal "models of terms are the same of both" "$(cat "$DATA/output.txt")" "$(curl -s "$URL/predict?x=10" | jq .prediction)"
    check_contains "which one of them is" "$(model .model)" '"quadratic" "cubic" "fourier"'
    stop_service
}

# refused_table TEXT CELL...: by batch and as a train file, in one sentence that has TEXT, of a table of these cells, three a row
refused_table() {
    local wants=$1
    shift
    new_data
    printf '%s\t%s\t%s\n' "$@" >"$DATA/train.tsv"
    printf 'a\n1\n' >"$DATA/test.tsv"
    check_contains "batch: $wants" "train.tsv:$wants" "$(DATA_DIR=$DATA "$TRENDLINE" batch 2>&1)"
    mv "$DATA/train.tsv" "$DATA/train.txt"
    check_contains "the train file: $wants" "1: train.txt:$wants" "$(failed_start)"
}

test_refused_files() {
    refused_table '3: column _weight: must be a number above 0' a _weight y 1 1 2 2 0 3
    refused_table '2: column _weight: must be a number above 0' a _weight y 1 -1 2 2 1 3
    refused_table '2: column _weight: "much" is not a number' a _weight y 1 much 2 2 1 3
    refused_table '3: column _weight: the cell is empty' a _weight y 1 1 2 2 '' 3
    refused_table '1: column _id: a name that begins with _' _id a y 7 1 2 8 2 3
    printf '_weight\ty\n1\t2\n' >"$DATA/train.txt"
    check_contains "a weight is no feature" "train.txt:1: one column is not enough" "$(failed_start)"
}

# far_apart: three points that are on one plane only, as few doubles weigh more and less
far_apart() {
    printf '{"x":%s,"z":%s,"target":%s,"_weight":%s}\n' 1 2 10 "$1" 3 5 20 "$2" 2 7 40 "$3"
}

test_far_apart() {
    local weights
    for weights in '5e-324 1e-270 1' '1 1e-270 5e-324' '1e-40 1.7976931348623157e308 1e-200' '3e-17 1e-40 1'; do
        new_data
        start_service MODEL=linear
        # shellcheck disable=SC2086
        far_apart $weights | while read -r event; do status /action -d "$event" >/dev/null; done
        check_equal "$weights: a build" 200 "$(build)"
        check_equal "$weights: the rank" '[3,[]]' "$(curl -s "$URL/model" | jq -c '[.rank, .aliased]')"
        check_equal "$weights: through all points" '{"predictions": [10, 20, 40, 25]}' "$(curl -s "$URL/predict" \
            -d '[{"x":1,"z":2},{"x":3,"z":5},{"x":2,"z":7},{"x":1.5,"z":4.5}]')"
        stop_service
    done
}

test_target() {
    new_data
    start_service TARGET=price
    check_equal "the target by its name" 201 "$(status /action -d '{"target":1,"price":2}')"
    refuses "not by another" 422 '"price"' /action -d '{"target":1}'
    status /action -d '{"target":2,"price":4}' >/dev/null
    build >/dev/null
    check_equal "\"target\" is a feature like others" '{"prediction": 6}' "$(curl -s "$URL/predict?target=3")"
    check_equal "the model tells" '"price"' "$(curl -s "$URL/model" | jq .target)"
    stop_service
    start_service TARGET=price
    check_equal "after a restart" '{"prediction": 6}' "$(curl -s "$URL/predict?target=3")"
    check_equal "it goes on" 201 "$(status /action -d '{"target":3,"price":6}')"
    stop_service
    on_files || return
    new_data
    start_service TARGET=price
    status /action -d '{"size":3,"price":6}' >/dev/null
    stop_service
    check_contains "without it the start stops" 'the target is called "price"' "$(failed_start)"
    check_contains "a name that cannot be" TARGET "$(failed_start TARGET=_x)"
}

test_r
test_kept
test_other_ways
test_moved
if on_files; then
    test_files
    test_refused_files
fi
test_far_apart
test_target
check_report http/weights
