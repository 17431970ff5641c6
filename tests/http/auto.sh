#!/usr/bin/env bash
# The service with MODEL=auto: the same choice and the same predictions as `batch`, to the last bit, learnt
# online, over restarts and by every way that events come in.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

NAMES=cement,slag,ash,water,plasticizer,coarse,fine,age
concrete=$ROOT/tests/data/uci/concrete.tsv
ROWS=1030

# as_csv: rows with a header
as_csv() {
    echo "$NAMES,target"
    tr '\t' ','
}

# every tenth row is to be predicted
awk '!(NR % 10)' "$concrete" | cut -f 1-8 | { echo "$NAMES"; tr '\t' ','; } >"$SCRATCH/questions"

awk '!(NR % 10)' "$concrete" | cut -f 9 >"$SCRATCH/answers"

# by_batch: what batch, trained by all rows, predicts
by_batch() {
    mkdir -p "$SCRATCH/batch"
    as_csv <"$concrete" >"$SCRATCH/batch/train.tsv"
    cp "$SCRATCH/questions" "$SCRATCH/batch/test.tsv"
    DATA_DIR=$SCRATCH/batch MODEL=auto "$TRENDLINE" batch 2>/dev/null
    cat "$SCRATCH/batch/output.txt"
}

predictions() {
    curl -s --max-time 60 -H 'Content-Type: text/csv' --data-binary "@$SCRATCH/questions" "$URL/predict"
}

post_rows() {
    as_csv >"$SCRATCH/rows"
    status /action -H 'Content-Type: text/csv' --data-binary "@$SCRATCH/rows"
}

# the answers to the questions as one number
fingerprint() {
    predictions | sha256sum
}

test_as_batch() {
    check_equal "all rows at once" 200 "$(post_rows <"$concrete")"
    check_equal "a build" 200 "$(build)"
    check_equal "what is chosen" '"fourier"' "$(model .model)"
    check_equal "what was tried" '["linear","ridge","quadratic","cubic","fourier"]' "$(model '.tried | keys_unsorted')"
    check_equal "the same predictions as batch" "$WANTED" "$(predictions)"
    check_equal "rows" "$ROWS" "$(model .rows)"
    test_answers
}

# What goes with a prediction of terms.
test_answers() {
    local query covered
    query=$(sed -n 2p "$SCRATCH/questions" | awk -F, -v n="$NAMES" '{
        split(n, k, ","); for (i = 1; i <= NF; i++) printf "%s=%s&", k[i], $i }')
    curl -s "$URL/predict?${query}_explain=1" >"$SCRATCH/body"
    check_equal "each feature's share" 8 "$(jq '.contributions | length' "$SCRATCH/body")"
    check_close "together they are the way from the baseline" "$(jq '.prediction - .baseline' "$SCRATCH/body")" \
        "$(jq '.contributions | add' "$SCRATCH/body")" 8
    curl -s -H 'Content-Type: text/csv' --data-binary "@$SCRATCH/questions" "$URL/predict?_interval=0.9" |
        paste "$SCRATCH/answers" - >"$SCRATCH/intervals"
    check_equal "what would be far beyond the targets is brought back, and flagged" '[true,true]' \
        "$(curl -s "$URL/predict?cement=5000&slag=0&ash=900&water=10&plasticizer=90&coarse=0&fine=0&age=1" |
            jq -c '[.clipped, .extrapolating]')"
    covered=$(awk '$1 >= $3 && $1 <= $4 { n++ } END { printf("%d", 100 * n / NR) }' "$SCRATCH/intervals")
    check_equal "nine of ten targets, or more, are in their interval: $covered %" yes \
        "$([ "$covered" -ge 88 ] && echo yes)"
}

# Most of a build's time goes into the choice, and others may write then.
test_lock_is_free() {
    local builder free=0 held=0
    on_files || return
    curl -s --max-time 60 -o "$SCRATCH/built" -X POST "$URL/build" &
    builder=$!
    while is_alive "$builder"; do
        if flock -n "$DATA/lock" true; then free=$((free + 1)); else held=$((held + 1)); fi
    done
    wait "$builder"
    check_equal "the lock is free most of the time: $free of $((free + held)) tries" yes "$([ "$free" -gt "$held" ] && echo yes)"
}

# One event moves the model at once, the same however the service comes to know it.
test_online() {
    local before after
    before=$(fingerprint)
    check_equal "an event" 201 "$(status /action -d '{"cement":500,"slag":0,"ash":0,"water":150,"plasticizer":5,"coarse":1000,"fine":700,"age":28,"target":200}')"
    after=$(fingerprint)
    check_equal "moves the model" yes "$([ "$before" != "$after" ] && echo yes)"
    check_equal "rows" $((ROWS + 1)) "$(model .rows)"
    stop_service
    start_service MODEL=auto
    check_equal "after a restart" "$after" "$(fingerprint)"
    status /action -d '{"cement":1,"slag":2,"ash":3,"water":150,"plasticizer":5,"coarse":1000,"fine":700,"age":3,"target":1}' >/dev/null
    build >/dev/null
    after=$(fingerprint)
    kill_service
    on_files && rm -f "$DATA/events.moments" "$DATA/model.json"
    start_service MODEL=auto
    build >/dev/null
    check_equal "from the journal alone, and another build: as many rows" $((ROWS + 2)) "$(model .rows)"
    check_equal "and the same predictions" "$after" "$(fingerprint)"
    stop_service
}

# In small pieces, in another order, half of them before the build: places are those of the first
# rows then, and what is chosen predicts as well.
test_piecewise() {
    local error
    new_data
    start_service MODEL=auto
    sort -R --random-source=<(yes) "$concrete" >"$SCRATCH/shuffled"
    head -n 400 "$SCRATCH/shuffled" | post_rows >/dev/null
    check_equal "a build of 400" 200 "$(build)"
    check_equal "its kind is not linear" no "$(model 'if .model == "linear" then "yes" else "no" end' | tr -d '"')"
    tail -n +401 "$SCRATCH/shuffled" | split -l 105 - "$SCRATCH/piece."
    for piece in "$SCRATCH"/piece.*; do post_rows <"$piece" >/dev/null; done
    check_equal "rows" "$ROWS" "$(model .rows)"
    build >/dev/null
    error=$(paste <(predictions) <(awk '!(NR % 10)' "$concrete" | cut -f 9) |
        awk '{ d = $1 - $2; s += d * d } END { print sqrt(s / NR) < 5.5 ? "small" : sqrt(s / NR) }')
    check_equal "the error on rows that it knows" small "$error"
    stop_service
}

test_train_file() {
    new_data
    as_csv <"$concrete" >"$DATA/train.txt"
    start_service MODEL=auto
    check_equal "from a train file: as batch" "$WANTED" "$(predictions)"
    check_equal "an event beside it" 201 "$(status /action -d '{"age":28,"cement":500,"slag":0,"ash":0,"water":150,"plasticizer":5,"coarse":1000,"fine":700,"target":200}')"
    check_equal "rows of both" $((ROWS + 1)) "$(model .rows)"
    check_equal "a build of both" 200 "$(build)"
    check_equal "rows of both again" $((ROWS + 1)) "$(model .rows)"
    stop_service
}

# The order of the features is the first event's; the train file comes later.
test_train_file_later() {
    new_data
    start_service MODEL=auto
    status /action -d '{"age":28,"cement":500,"slag":0,"ash":0,"water":150,"plasticizer":5,"coarse":1000,"fine":700,"target":60}' >/dev/null
    as_csv <"$concrete" >"$DATA/train.txt"
    check_equal "a build with a train file" 200 "$(build)"
    check_equal "rows of both" $((ROWS + 1)) "$(model .rows)"
    check_equal "its kind" '"fourier"' "$(model .model)"
    stop_service
}

test_straight() {
    new_data
    start_service MODEL=auto
    jq -nc '[range(20) | {a: ., b: (. * 7 % 5), target: (3 * . + 2)}]' >"$SCRATCH/line"
    status /action -d "@$SCRATCH/line" >/dev/null
    check_equal "few rows" 200 "$(build)"
    check_equal "least squares, untried" '["linear",null]' "$(model '[.model, .tried]')"
    jq -nc '[range(2000) | {a: ., b: (. * 7 % 5), target: (3 * . + 2)}]' >"$SCRATCH/line"
    status /action -d "@$SCRATCH/line" >/dev/null
    build >/dev/null
    check_equal "a straight line is exact" '["linear",{"a":3,"b":0}]' "$(model '[.model, .coefficients]')"
    stop_service
}

# On a directory that was made with the other setting.
test_other_setting() {
    new_data
    start_service MODEL=linear
    post_rows <"$concrete" >/dev/null
    build >/dev/null
    check_equal "linear" '"linear"' "$(model .model)"
    linear=$(fingerprint)
    stop_service
    start_service MODEL=auto
    check_equal "the model stays until a build" "$linear" "$(fingerprint)"
    build >/dev/null
    check_equal "then it is chosen" '["fourier",2]' "$(model '[.model, .version]')"
    check_equal "as batch" "$WANTED" "$(predictions)"
    stop_service
    start_service MODEL=linear
    build >/dev/null
    check_equal "and back" "$linear" "$(fingerprint)"
    stop_service
}

test_damage() {
    local places
    on_files || return
    new_data
    start_service MODEL=auto
    post_rows <"$concrete" >/dev/null
    build >/dev/null
    stop_service
    for places in '{"features": ["cement"], "places": [[0, 0]]}' '{"features": ["x"], "places": [[0, 0], [0, 0]]}' '{'; do
        echo "$places" >"$DATA/terms.json"
        start_service MODEL=auto
        build >/dev/null
        check_equal "no places of ours, $places: made again" "$WANTED" "$(predictions)"
        stop_service
    done
}

# of_before: terms.json as it was before it had a checksum
of_before() {
    jq -c 'del(.crc)' "$DATA/terms.json" >"$SCRATCH/of-before"
    cp "$SCRATCH/of-before" "$DATA/terms.json"
}

# flip: one digit of the first place becomes another
flip() {
    sed -i 's/"places": \[\[2/"places": [[9/' "$DATA/terms.json"
}

# as_it_was NAME: it is read, or written again, and nothing has changed
as_it_was() {
    check_equal "$1: the file" "$kept" "$(sha256sum <"$DATA/terms.json")"
    build >/dev/null
    check_equal "$1: what is predicted" "$predicted" "$(predictions)"
}

# What terms are made from is believed: damage is found, said, and mended from what else has it.
test_damaged_terms() {
    local kept predicted
    on_files || return
    new_data
    start_service MODEL=auto
    head -600 "$concrete" | post_rows >/dev/null
    build >/dev/null
    tail -n +601 "$concrete" | post_rows >/dev/null
    build >/dev/null
    predicted=$(predictions)
    check_contains "it has a checksum" '"crc"' "$(cat "$DATA/terms.json")"
    kept=$(sha256sum <"$DATA/terms.json")
    stop_service

    flip
    start_service MODEL=auto
    check_contains "a flipped digit is said" "terms.json: the checksum does not match" "$(cat "$LOG")"
    as_it_was "a flipped digit"
    sed 's/"places": \[\[2/"places": [[9/' "$DATA/terms.json" >"$DATA/other.json"
    mv "$DATA/other.json" "$DATA/terms.json"
    check_equal "under a running service" 200 "$(build)"
    as_it_was "under a running service"
    stop_service

    truncate -s 100 "$DATA/terms.json"
    rm "$DATA"/*.moments
    start_service MODEL=auto
    as_it_was "cut, and without sums: as the model has it"
    stop_service

    : >"$DATA/terms.json"
    rm "$DATA/model.json" "$DATA/models"/*
    start_service MODEL=auto
    as_it_was "empty, and without a model: as the sums have it"
    check_equal "which are not made again" 0 "$(grep -c 'from the rows' "$LOG")"
    stop_service

    of_before
    start_service MODEL=auto
    as_it_was "of before there was a checksum"
    stop_service
}

# bowl FROM TO: rows of a parabola, whose column moves on
bowl() {
    awk -v from="$1" -v to="$2" 'BEGIN { for (i = from; i < to; i++)
        printf("{\"t\":%d,\"target\":%.6f}\n", i, (i - 1100) ^ 2 / 50 + (i * 7) % 3) }'
}

test_moved_columns() {
    local before
    on_files || return
    new_data
    start_service MODEL=auto
    bowl 0 50 | status /action --data-binary @- >/dev/null
    build >/dev/null
    bowl 1000 1200 | status /action --data-binary @- >/dev/null
    build >/dev/null
    check_equal "terms begin anew where the columns have moved to" '"quadratic"' "$(model .model)"
    check_equal "and are right there" yes "$(model '.tried.quadratic < 3' | sed 's/true/yes/')"
    bowl 1200 1210 | status /action --data-binary @- >/dev/null
    check_equal "events move the model" 260 "$(model .rows)"
    before=$(curl -s "$URL/predict?t=1150")
    stop_service
    start_service MODEL=auto
    check_equal "after a restart" "$before" "$(curl -s "$URL/predict?t=1150")"
    build >/dev/null
    check_equal "a build changes nothing" "$before" "$(curl -s "$URL/predict?t=1150")"
    stop_service
    rm -r "$DATA/model.json" "$DATA/models" "$DATA"/*.moments
    start_service MODEL=auto
    build >/dev/null
    check_equal "nor does a replay" "$before" "$(curl -s "$URL/predict?t=1150")"
    stop_service
    bowl 0 260 | jq -r '[.t, .target] | @tsv' | { printf 't\ty\n'; cat; } >"$DATA/train.txt"
    start_service MODEL=auto
    bowl 9000 9300 | status /action --data-binary @- >/dev/null
    build >/dev/null
    check_equal "with a train file too" 820 "$(model .rows)"
    check_equal "all rows have terms" true "$(model '.tried | has("quadratic")')"
    stop_service
}

WANTED=$(by_batch)
new_data
start_service MODEL=auto
test_as_batch
test_lock_is_free
test_online
test_piecewise
test_train_file
test_train_file_later
test_straight
test_other_setting
test_damage
test_damaged_terms
test_moved_columns
check_report http/auto
