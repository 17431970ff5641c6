#!/usr/bin/env bash
# POST /build, the versions that it makes, and both ways of learning.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

# what a model is apart from its name: the same for the same rows
learnt='[.features,.rows,.events,.rank,.aliased,.intercept,.coefficients,.mse,.r2,.remainder]'

test_first_build() {
    refuses "nothing to train on" 409 '' /build -X POST
    check_equal "no version comes of it" "" "$(find "$DATA" -name '0*.json')"
    answer /action -d '{"a":0,"b":0,"target":1.5}' >/dev/null
    check_equal "before the first build events are only remembered" 503 "$(status "/predict?a=0&b=0")"
    answer /action -d '{"a":1,"b":0,"target":3}{"a":0,"b":1,"target":4}{"a":2,"b":1,"target":8.5}' >/dev/null
    answer /build -X POST >/dev/null
    check_equal "the first build" 200 "$(header_status)"
    check_equal "its type" application/json "$(header Content-Type)"
    check_equal "it answers the model" "$(cat "$SCRATCH/body")" "$(curl -s "$URL/model")"
    check_equal "which is model.json" "$(cat "$SCRATCH/body")" "$(cat "$DATA/model.json")"
    on_files && check_equal "and the first version" "$(cat "$SCRATCH/body")" "$(cat "$DATA/models/000001.json")"
}

# worked out by hand from the normal equations of the four events
test_fields() {
    check_equal "version, model, target" '[1,"linear","target"]' "$(model '[.version,.model,.target]')"
    check_equal "features" '["a","b"]' "$(model .features)"
    check_equal "rows and rank" '[4,3]' "$(model '[.rows,.rank]')"
    check_equal "aliased" '[]' "$(model .aliased)"
    check_equal "created" true "$(model '.created | test("^20..-..-..T..:..:..Z$")')"
    check_equal "intercept and coefficients" '[1.2,{"a":2.1,"b":2.95}]' \
        "$(model '[.intercept,.coefficients]')"
    check_close "mse" 0.05625 "$(model .mse)" 15
    check_close "r2" 0.9917431192660551 "$(model .r2)" 15
}

test_online() {
    check_equal "LEARN=online: an event" 201 "$(status /action -d '{"a":1,"b":1,"target":9}')"
    check_equal "moves the model" '[1,5]' "$(model '[.version,.rows]')"
    local online
    online=$(model "$learnt")
    answer "/predict?a=1&b=1" >/dev/null
    check_equal "and what predictions tell of it" "1 5" "$(header X-Model-Version) $(header X-Model-Events)"
    on_files && check_equal "the version as built stays" 4 "$(jq .rows "$DATA/models/000001.json")"
    check_equal "a build" 200 "$(build)"
    check_equal "is the next version" '[2,5]' "$(model '[.version,.rows]')"
    check_equal "and the same bits" "$online" "$(model "$learnt")"
    on_files && check_equal "it has a file of its own" 2 "$(jq .version "$DATA/models/000002.json")"
}

test_versions() {
    local n pids=()
    for n in 3 4 5; do build >/dev/null; done
    check_equal "versions count up" 5 "$(model .version)"
    on_files && check_equal "each is kept" "1 2 3 4 5" \
        "$(for n in "$DATA"/models/*; do jq .version "$n"; done | paste -sd' ' -)"
    check_equal "a body is ignored" 200 "$(status /build -d '{"what":')"
    check_equal "of any type and size" 200 \
        "$(head -c 1000000 /dev/zero | status /build -H 'Content-Type: x/y' --data-binary @-)"
    for n in {1..8}; do
        curl -s --max-time 60 -X POST "$URL/build" -o "$SCRATCH/build.$n" &
        pids+=($!)
    done
    wait "${pids[@]}"
    check_equal "builds at once: every one is answered, by as many as it takes, at most one each" '[8,true,true]' \
        "$(jq -sc 'map(.version) | [length, min == 8 and max <= 15, unique == [range(8; max + 1)]]' "$SCRATCH"/build.?)"
    refuses "GET /build" 405 POST /build
    check_contains "GET /build: Allow" POST "$(header Allow)"
    check_equal "OPTIONS /build" "204 " "$(answer /build -X OPTIONS)"
}

# versions: the numbers of the models that are kept
versions() {
    if on_files; then
        find "$DATA/models" -name '*.json' -printf '%f\n' | sort | sed 's/^0*//; s/.json//' | paste -sd ' '
    else
        psql -XAtqc "SELECT string_agg(version::text, ' ' ORDER BY version) FROM trendline_models" "$(store_uri)"
    fi
}

test_keep_versions() {
    new_data
    start_service KEEP_VERSIONS=3
    learn_plane
    for _ in 2 3 4 5; do build >/dev/null; done
    check_equal "the last ones are kept" "3 4 5" "$(versions)"
    if on_files; then
        touch "$DATA/models/mine.json"
        seq -f "$DATA/models/%06.0f.json" 100001 111000 | xargs touch
        build >/dev/null
        check_equal "of very many 10000 go at a time" $((11000 + 3 + 1 - 10000)) "$(find "$DATA/models" -name '0*.json' -o -name '1*.json' | wc -l)"
        build >/dev/null
        check_equal "then the rest; what is not ours stays" "111000 111001 111002 mine" "$(versions)"
    fi
    stop_service
    check_contains "a count that cannot be" "KEEP_VERSIONS=0 cannot be used" "$(failed_start KEEP_VERSIONS=0)"
}

test_learn_build() {
    new_data
    start_service LEARN=build
    learn_plane
    answer "/predict?a=10&b=100" >/dev/null
    local before after
    before=$(cat "$DATA/model.json")
    check_equal "LEARN=build: an event" 201 "$(status /action -d '{"a":1,"b":1,"target":66}')"
    check_equal "does not move the model" "$before" "$(curl -s "$URL/model")"
    check_equal "nor the predictions" '200 {"prediction": 321}' "$(answer "/predict?a=10&b=100")"
    check_equal "nor what they tell" 4 "$(header X-Model-Events)"
    build >/dev/null
    check_equal "a build does" '[2,5]' "$(model '[.version,.rows]')"
    after=$(model "$learnt")
    stop_service
    start_service LEARN=online
    check_equal "online has nothing to add" "$after" "$(model "$learnt")"
    stop_service
}

# rows FROM TO [BASE]: events of a plane
rows() {
    awk -v from="$1" -v to="$2" -v base="${3:-0}" 'BEGIN { for (i = from; i < to; i++)
        printf "{\"a\":%d,\"b\":%d,\"target\":%d}\n", base + i % 101, i % 7, 3 * (i % 101) + i % 7 }'
}

# put_byte LINE CHARACTER: the first one of a line of the journal, which the service has open
put_byte() {
    printf %s "$2" | dd "of=$DATA/actions.jsonl" bs=1 conv=notrunc status=none \
        "seek=$(head -n $(($1 - 1)) "$DATA/actions.jsonl" | wc -c)"
}

# A build reads nothing again that somebody's sums are of, or that is forgotten: whoever reads the
# damaged line says so.
test_far_behind() {
    local setting
    on_files || return
    for setting in WINDOW= WINDOW=1000 FORGET=0.99; do
        new_data
        start_service MODEL=linear "$setting"
        rows 0 100 | status /action --data-binary @- >/dev/null
        check_equal "$setting: a build" 200 "$(build)"
        rows 100 30000 | status /action --data-binary @- >/dev/null
        put_byte 5000 x
        check_equal "$setting: a build after many events does not read them all" 200 "$(build)"
        check_equal "$setting: but knows them" 30000 "$(model .events)"
        put_byte 5000 '{'
        stop_service
    done
}

# Where terms begin anew the build alone reads all events again.
test_new_terms() {
    on_files || return
    new_data
    start_service MODEL=auto
    rows 0 100 | status /action --data-binary @- >/dev/null
    check_equal "a first build" 200 "$(build)"
    rows 100 8000 1000 | status /action --data-binary @- >/dev/null
    cp "$DATA/terms.json" "$SCRATCH/terms"
    check_equal "a build where the columns have moved" 200 "$(build)"
    check_equal "lets terms begin anew" 1 "$(cmp -s "$SCRATCH/terms" "$DATA/terms.json"; echo $?)"
    put_byte 50 x
    check_equal "whoever stores the next event takes its sums" 201 "$(rows 8000 8001 1000 | status /action --data-binary @-)"
    check_equal "and has all rows" 8001 "$(model .rows)"
    put_byte 50 '{'
    stop_service
}

test_aliased() {
    new_data
    start_service
    answer /action -d '{"a":1,"b":2,"c":7,"target":1}{"a":2,"b":4,"c":7,"target":3}
        {"a":4,"b":8,"c":7,"target":7}' >/dev/null
    build >/dev/null
    check_equal "constant and dependent columns" '[2,["b","c"],{"a":2,"b":0,"c":0}]' \
        "$(model '[.rank,.aliased,.coefficients]')"
    check_equal "prediction works" '200 {"prediction": 9}' "$(answer "/predict?a=5&b=123&c=-9")"
    answer /action -d '{"a":4,"b":9,"c":7,"target":8}' >/dev/null
    check_equal "an event can make a column count" '[3,["c"],1]' \
        "$(model '[.rank,.aliased,.coefficients.b]')"
    stop_service
}

test_one_event() {
    new_data
    start_service
    answer /action -d '{"a":3,"target":7}' >/dev/null
    build >/dev/null
    check_equal "a model of one event" '[1,["a"],7,null]' "$(model '[.rows,.aliased,.intercept,.r2]')"
    check_equal "predicts it" '200 {"prediction": 7}' "$(answer "/predict?a=8")"
    stop_service
}

new_data
start_service
test_first_build
test_fields
test_online
test_versions
stop_service
test_learn_build
test_aliased
test_one_event
test_far_behind
test_new_terms
test_keep_versions
check_report http/build
