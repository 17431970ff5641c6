#!/usr/bin/env bash
# Features that are text, and values that are missing: the columns they become, against R; new levels
# and old ones; in whatever order they came, over restarts.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

# ten rows with two of them without a size
paints() {
    printf '{"colour":"%s","size":%s,"target":%s}\n' red 1 3.1 green 2 5.2 blue 3 2.9 red 4 6.8 blue 5 7.7 \
        green 6 10.1 red 7 9.6 green 8 14.2 blue null 8.1 red null 7.3
}

post() {
    status /action -H 'Content-Type: application/x-ndjson' --data-binary @-
}

# figure NAME WANTS EXPRESSION: of the model, to ten digits
figure() {
    check_close "$1" "$2" "$(jq "$3" "$SCRATCH/model")" 10
}

# d <- data.frame(colour=…, s=size or 0, m=is.na(size), y=…); f <- lm(y ~ colour + s + m, d)
test_r() {
    new_data
    start_service MISSING=allow
    check_equal "text and null are taken" 200 "$(paints | post)"
    check_equal "all of them" 10 "$(jq .accepted "$SCRATCH/body")"
    build >/dev/null
    curl -s "$URL/model" >"$SCRATCH/model"
    check_equal "the levels, the base first" '{"colour":["blue","green","red"]}' "$(jq -c .levels "$SCRATCH/model")"
    check_equal "what may be missing" '["size"]' "$(jq -c .missing "$SCRATCH/model")"
    check_equal "the columns" '["colour=green","colour=red","size","size is missing"]' \
        "$(jq -c '.coefficients | keys_unsorted' "$SCRATCH/model")"
    figure "the intercept" 0.318458417849897 .intercept
    figure "a level" 2.402231237322514 '.coefficients["colour=green"]'
    figure "a number" 1.333620689655173 .coefficients.size
    figure "what is missing" 7.075659229208927 '.coefficients["size is missing"]'
    figure "standard error of a level" 0.842130198773300 '.inference.coefficients["colour=red"].standard_error'
    figure "of what is missing" 1.161849248293795 '.inference.coefficients["size is missing"].standard_error'
    figure "residual deviation" 1.09800344346734 .residual_deviation
    answer '/predict?colour=green&size=3&_interval=0.95' >/dev/null
    check_close "a prediction" 6.72155172413793 "$(jq .prediction "$SCRATCH/body")" 10
    check_close "its interval" 10.1484735465504 "$(jq '.interval[1]' "$SCRATCH/body")" 10
    answer '/predict?colour=green&size=3&_explain=1' >/dev/null
    check_equal "each feature's share" '["colour","size"]' "$(jq -c '.contributions | keys_unsorted' "$SCRATCH/body")"
    check_close "together they are the way from the mean" "$(jq '.prediction - 7.5' "$SCRATCH/body")" \
        "$(jq '.contributions | add' "$SCRATCH/body")" 9
    check_close "missing, in a query" 7.394117647058824 "$(curl -s "$URL/predict?colour=blue&size=" | jq .prediction)" 10
    check_close "and in JSON" 7.394117647058824 "$(curl -s "$URL/predict" -d '{"colour":"blue","size":null}' | jq .prediction)" 10
    MODEL_OF_ALL=$(jq -c 'del(.created, .crc, .live, .events, .places, .metric, .distance)' "$SCRATCH/model")
}

# what a model of the same rows is, whatever their order was
same_model() {
    curl -s "$URL/model" | jq -c 'del(.created, .crc, .live, .events, .version, .places, .metric, .distance) == ('"$MODEL_OF_ALL"' | del(.version))'
}

test_journal() {
    check_equal "people can read it" '["red",1,3.1]' "$(journal | jq -c 'select(._seq) | [.colour, .size, .target]' | head -1)"
    check_equal "nothing is nothing" 2 "$(journal | jq -c 'select(.size == null)' | wc -l)"
    stop_service
    start_service MISSING=allow
    check_equal "after a restart" true "$(same_model)"
    kill_service
    on_files && rm "$DATA/events.moments"
    start_service MISSING=allow
    build >/dev/null
    check_equal "after a replay" true "$(same_model)"
    stop_service
}

# A first event without a level still says that there are levels.
test_missing_first() {
    new_data
    printf 'colour\tsize\ty\nred\t1\t2\nblue\t2\t3\n' >"$DATA/train.txt"
    start_service MISSING=allow
    build >/dev/null
    check_equal "nothing, first" 201 "$(status /action -d '{"colour":null,"size":3,"target":4}')"
    check_equal "then a level" 201 "$(status /action -d '{"colour":"red","size":3,"target":4}')"
    kill_service
    rm -f "$DATA/events.moments"
    start_service MISSING=allow
    check_equal "are read again" 201 "$(status /action -d '{"colour":"blue","size":3,"target":4}')"
    stop_service
    new_data
    start_service MISSING=allow
    answer /action -H 'Content-Type: text/csv' --data-binary $'colour,target\nred,n/a\n,2\nblue,4\n' >/dev/null
    check_equal "in a table, behind a row that was refused" '[2,1]' "$(jq -c '[.accepted, .rejected]' "$SCRATCH/body")"
    kill_service
    start_service MISSING=allow
    check_equal "are read again, too" 201 "$(status /action -d '{"colour":"red","target":4}')"
    stop_service
}

test_order() {
    new_data
    start_service MISSING=allow
    { echo '{"colour":"red","size":4,"target":6.8}'; paints | grep -v '"size":4'; } | tac | tac | post >/dev/null
    build >/dev/null
    check_equal "in another order" true "$(same_model)"
    stop_service
    new_data
    start_service MISSING=allow
    { paints | grep -v null | tac; paints | grep null; } >"$SCRATCH/other"
    head -3 "$SCRATCH/other" | post >/dev/null
    build >/dev/null
    tail -n +4 "$SCRATCH/other" | while read -r event; do status /action -d "$event" >/dev/null; done
    build >/dev/null
    check_equal "one by one, with new levels on the way" true "$(same_model)"
    stop_service
}

test_online() {
    new_data
    start_service
    printf '{"colour":"%s","target":%d}' blue 1 red 3 blue 1 red 3 | post >/dev/null
    build >/dev/null
    refuses "a level never learnt" 422 colour '/predict?colour=mauve'
    status /action -d '{"colour":"mauve","target":8}' >/dev/null
    check_equal "is learnt at once" '{"prediction": 8}' "$(curl -s "$URL/predict?colour=mauve")"
    check_equal "and leaves the others" '{"prediction": 3}' "$(curl -s "$URL/predict?colour=red")"
    check_equal "a smaller one does not move the base" '["blue","amber","mauve","red"]' \
        "$(status /action -d '{"colour":"amber","target":5}' >/dev/null; curl -s "$URL/model" | jq -c .levels.colour)"
    build >/dev/null
    check_equal "but the next build does" '["amber","blue","mauve","red"]' "$(curl -s "$URL/model" | jq -c .levels.colour)"
    check_equal "which changes no prediction" '{"predictions": [5, 1, 8, 3]}' \
        "$(curl -s "$URL/predict" -d '[{"colour":"amber"},{"colour":"blue"},{"colour":"mauve"},{"colour":"red"}]')"
}

test_refused() {
    refuses "a number where text belongs" 422 colour /action -d '{"colour":7,"target":1}'
    refuses "an empty text" 422 colour /action -d '{"colour":"","target":1}'
    refuses "null" 422 MISSING /action -d '{"colour":null,"target":1}'
    refuses "a control character" 422 colour /action -d '{"colour":"a\u0007b","target":1}'
    refuses "a text that is too long" 422 colour /action -d "{\"colour\":\"$(printf '%300s' x)\",\"target\":1}"
    refuses "null, to predict" 422 MISSING /predict -d '{"colour":null}'
    refuses "a text for the target" 422 target /action -d '{"colour":"red","target":"7"}'
    check_equal "nothing of it is stored" 6 "$(journal | wc -l)"
    seq 300 | sed 's/.*/{"colour":"x&","target":&}/' | post >/dev/null
    check_equal "as many as there may be" '[252,48]' "$(jq -c '[.accepted, .rejected]' "$SCRATCH/body")"
    check_contains "it says so" "256 different values" "$(jq -r '.errors[0].error' "$SCRATCH/body")"
    stop_service
}

# What was refused is as if it had never come.
test_no_traces() {
    new_data
    { printf 'colour\tsize\ty\n'; seq 256 | sed 's/.*/c&\t&\t&/'; } >"$DATA/train.txt"
    start_service MODEL=linear
    build >/dev/null
    status /action -d '{"colour":"c1","size":3,"target":4}' >/dev/null
    refuses "a level too many beside the train file" 422 256 /action -d '{"colour":"new","size":3,"target":4}'
    check_equal "another event" 201 "$(status /action -d '{"colour":"c1","size":3,"target":4}')"
    refuses "brings no refused level" 422 new '/predict?colour=new&size=3'
    check_equal "into the model" 256 "$(model '.levels.colour | length')"
    stop_service
}

test_unseen() {
    new_data
    start_service UNSEEN=base
    printf '{"colour":"%s","x":%d,"target":%d}' blue 1 1 red 1 3 blue 2 2 red 2 4 | post >/dev/null
    build >/dev/null
    check_equal "as the base, and flagged" '{"prediction": 2, "unseen": true}' "$(curl -s "$URL/predict?colour=mauve&x=2")"
    check_equal "what is known is not" '{"prediction": 4}' "$(curl -s "$URL/predict?colour=red&x=2")"
    check_equal "many" '{"predictions": [4, 2], "unseen": [1]}' \
        "$(curl -s "$URL/predict" -d '[{"colour":"red","x":2},{"colour":"mauve","x":2}]')"
    check_equal "a table" $'4\n2' "$(curl -s "$URL/predict" -H 'Content-Type: text/csv' --data-binary $'x,colour\n2,red\n2,mauve\n')"
    stop_service
}

test_table() {
    new_data
    start_service MISSING=allow
    { echo 'size,colour,_id,target'; paints | jq -r '[.size, .colour, input_line_number, .target] | @csv'; } |
        status /action -H 'Content-Type: text/csv' --data-binary @- >/dev/null
    check_equal "a table" '[10,0]' "$(jq -c '[.accepted, .rejected]' "$SCRATCH/body")"
    build >/dev/null
    check_close "is the same model" 6.72155172413793 "$(curl -s "$URL/predict?colour=green&size=3" | jq .prediction)" 10
    check_equal "its cells are of the kinds that are fixed" '[0,1]' \
        "$(curl -s "$URL/action" -H 'Content-Type: text/csv' --data-binary $'size,colour,target\nbig,red,1\n' | jq -c '[.accepted, .rejected]')"
    check_equal "text that looks like a number" 201 "$(status /action -d '{"colour":"7","size":1,"target":1}')"
    stop_service
}

# Somebody else fixes what is text while a table is read that took it for a number.
test_meanwhile() {
    local i
    new_data
    start_service
    { echo colour,target; yes 1,n/a | head -n 100000; echo 7,3; } >"$SCRATCH/table"
    curl -s "$URL/action" -H 'Content-Type: text/csv' --data-binary "@$SCRATCH/table" >"$SCRATCH/counts" &
    for ((i = 0; i < 20; i++)); do status /action -d '{"colour":"red","target":4}' >/dev/null; done
    wait $!
    check_equal "the rest of the table is refused, or all others" 100001 "$(jq '.rejected + .accepted' "$SCRATCH/counts")"
    check_equal "one kind of events is stored" 1 "$(journal | jq -c '.colour | type' | sort -u | wc -l)"
    stop_service
}

test_train_file() {
    new_data
    paints | jq -r '[.colour, .size, .target] | @tsv' | { printf 'colour\tsize\ty\n'; cat; } | head -9 >"$DATA/train.txt"
    start_service MISSING=allow
    paints | tail -2 | post >/dev/null
    build >/dev/null
    check_equal "half from a train file" true "$(same_model)"
    check_equal "a level of the events alone" 201 "$(status /action -d '{"colour":"amber","size":1,"target":1}')"
    build >/dev/null
    check_equal "beside those of the train file" '["amber","blue","green","red"]' "$(curl -s "$URL/model" | jq -c .levels.colour)"
    stop_service
}

# levels PREFIX: 240 of them
levels() {
    seq 240 | sed "s/.*/$1&/"
}

test_union() {
    new_data
    start_service MODEL=linear
    levels a | sed 's/.*/{"c":"&","target":1}/' | post >/dev/null
    build >/dev/null
    { printf 'c\ty\n'; levels b | sed 's/$/\t2/'; } >"$DATA/train.txt"
    refuses "too many levels with a train file" 409 "together" /build -X POST
    { printf 'c\ty\n'; levels b | head -10 | sed 's/$/\t2/'; } >"$DATA/train.txt"
    check_equal "fewer" 200 "$(build)"
    seq 10 | sed 's/.*/{"c":"c&","target":1}/' | post >/dev/null
    check_equal "as many as there is room for" '[6,4]' "$(jq -c '[.accepted, .rejected]' "$SCRATCH/body")"
    build >/dev/null
    check_equal "no more are learnt" 256 "$(curl -s "$URL/model" | jq '.levels.c | length')"
    stop_service
}

test_r
test_journal
test_order
test_online
test_refused
test_unseen
test_table
test_meanwhile
on_files && test_train_file
on_files && test_union
on_files && test_missing_first
on_files && test_no_traces
check_report http/categories
