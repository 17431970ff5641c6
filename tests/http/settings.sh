#!/usr/bin/env bash
# MODEL, WINDOW, FORGET, TARGET and MISSING change what is learnt, and are kept with the data: services that work on them
# at the same time have the same, and whoever comes later with others takes over.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

# curve COUNT: events of a curve that a line cannot follow
curve() {
    seq "$1" | awk '{ x = $1 % 37 / 4; printf "{\"x\": %.4f, \"target\": %.4f}\n", x, x * x + sin(7 * $1) / 9 }'
}

# learn_curve: DATA has a model of terms
learn_curve() {
    curve 200 | status /action --data-binary @- >/dev/null
    build >/dev/null
    check_contains "a curve is chosen" "$(model .model)" '"quadratic" "cubic" "fourier"'
}

# said: what the last service has said of settings
said() {
    grep -E 'learnt from with|warning' "$LOG"
}

test_at_once() {
    local first second
    new_data
    start_service
    first=$SERVICE
    learn_curve
    for setting in MODEL=linear WINDOW=50 FORGET=0.99 MISSING=allow TARGET=price; do
        check_contains "$setting beside others is refused" "1: another service works on $DATA" "$(failed_start "$setting")"
        check_contains "$setting: what this one has is named" "this one has $setting" "$(cat "$SCRATCH/failed")"
    done
    check_contains "what the other one has is named" "with TARGET=target" "$(cat "$SCRATCH/failed")"
    start_service
    second=$SERVICE
    follows "another with the same"
    stop_service "$first"
    check_contains "the second one is enough" "another service" "$(failed_start MODEL=linear)"
    stop_service "$second"
}

test_one_after_another() {
    start_service MODEL=linear
    check_contains "who takes over says so" \
        "learnt from with MODEL=auto; from now on it is MODEL=linear" "$(said)"
    check_equal "the model is made anew" '"linear"' "$(model .model)"
    follows "linear after a curve"
    kill_service
    start_service MODEL=linear
    check_equal "the same again is not worth a word" "" "$(said)"
    stop_service
    start_service
    check_equal "back to auto: a linear model stays" '"linear"' "$(model .model)"
    build >/dev/null
    check_contains "until a build" "$(model .model)" '"quadratic" "cubic" "fourier"'
    follows "a curve after linear"
    stop_service
    start_service WINDOW=50
    check_equal "a window: of its rows" 50 "$(model .rows)"
    follows "a window"
    stop_service
    start_service MISSING=allow
    check_contains "each is named that differs" "learnt from with WINDOW=50, MISSING=refuse; from now on it is WINDOW=all, MISSING=allow" "$(said)"
    check_equal "the same rows as before" "$(model .events)" "$(model .rows)"
    stop_service
}

test_failed_start() {
    check_contains "a start that fails" 'the target is called "target"' "$(failed_start TARGET=price)"
    start_service MISSING=allow
    check_equal "has changed nothing" "" "$(said)"
    stop_service
    seq 2000 | tee "$DATA/lock.services" >"$DATA/settings.json"
    start_service MISSING=allow
    check_contains "what is far too long is damaged" "settings.json: not what was written" "$(cat "$LOG")"
    stop_service
    sed -i 's/WINDOW/WINDOX/' "$DATA/settings.json"
    start_service MISSING=allow
    check_contains "damage is said" "settings.json: not what was written" "$(cat "$LOG")"
    stop_service
    start_service MISSING=allow
    check_equal "and mended" "" "$(grep settings "$LOG")"
    stop_service
}

# A start keeps its settings at its end, which may be far off: until then settings.json is of before, or is not there.
test_while_another_starts() {
    local first
    new_data
    start_service
    stop_service
    cp "$DATA/settings.json" "$SCRATCH/before"
    start_service WINDOW=50
    first=$SERVICE
    rm "$DATA/settings.json"
    check_contains "beside the first start of all" "with WINDOW=50, and this one has WINDOW=60" "$(failed_start WINDOW=60)"
    cp "$SCRATCH/before" "$DATA/settings.json"
    check_contains "who has what was kept before" "with WINDOW=50, and this one has WINDOW=all" "$(failed_start)"
    check_contains "who has something else" "with WINDOW=50, and this one has WINDOW=60" "$(failed_start WINDOW=60)"
    start_service WINDOW=50
    check_contains "who has the same comes" "from now on it is WINDOW=50" "$(said)"
    stop_service
    echo '{"WINDOW": "60"}' >"$DATA/lock.services"
    check_contains "where that is damaged, what was kept tells" "with WINDOW=50, and this one has WINDOW=60" "$(failed_start WINDOW=60)"
    stop_service "$first"
    echo "not ours" >"$SCRATCH/elsewhere"
    ln -sf "$SCRATCH/elsewhere" "$DATA/lock.services"
    check_contains "a link in its place is refused" "lock.services" "$(failed_start WINDOW=50)"
    check_equal "and not followed" "not ours" "$(cat "$SCRATCH/elsewhere")"
    rm "$DATA/lock.services"
}

# As in a container with -m 64m.
test_little_memory() {
    new_data
    start_service TRENDLINE_MEMORY=$((64 << 20))
    check_contains "little memory is said" "64 MB of memory, and models of terms need 128" "$(said)"
    curve 200 | status /action --data-binary @- >/dev/null
    build >/dev/null
    check_equal "what is tried" '["linear","ridge"]' "$(model '.tried | keys_unsorted')"
    follows "with little memory"
    check_equal "no place is kept for terms" 0 "$(find "$DATA" -size +100k | wc -l)"
    stop_service
    start_service
    build >/dev/null
    check_contains "with more there are curves" "$(model .model)" '"quadratic" "cubic" "fourier"'
    stop_service
    start_service TRENDLINE_MEMORY=$((64 << 20))
    check_contains "and back again" "$(model .model)" '"linear" "ridge"'
    follows "with little memory, after a curve"
    stop_service
}

test_import() {
    local event='{"x": 3, "target": 9, "_id": "new"}'
    new_data
    start_service MODEL=linear
    learn_plane
    check_contains "an import beside a service with others" "another service works on" \
        "$(DATA_DIR=$DATA "$TRENDLINE" import <<<"$event" 2>&1)"
    stop_service
    check_contains "and without it" "import with the same MODEL" \
        "$(DATA_DIR=$DATA "$TRENDLINE" import <<<"$event" 2>&1)"
    check_contains "with the same" "import: 1 events stored" \
        "$(DATA_DIR=$DATA MODEL=linear "$TRENDLINE" import <<<'{"a": 1, "b": 3, "target": 9, "_id": "new"}' 2>&1)"
}

test_at_once
test_one_after_another
test_failed_start
test_while_another_starts
test_little_memory
test_import
check_report http/settings
