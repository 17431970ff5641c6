#!/usr/bin/env bash
# Live quality: each event is predicted before it is learnt, and /model tells how well, also after
# restarts; drift is told when the world changes.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=service.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/service.bash"

live() {
    curl -s "$URL/model" | jq -c ".live | $1"
}

# events FROM TO SLOPE: of targets SLOPE · a with something on top
events() {
    awk -v from="$1" -v to="$2" -v slope="$3" 'BEGIN {
        for (i = from; i < to; i++) {
            a = (i * 37) % 101
            printf("{\"a\": %d, \"target\": %.10g}\n", a, slope * a + (i * 53) % 7)
        } }'
}


test_figures() {
    events 0 40 2 | status /action --data-binary @- >/dev/null
    build >/dev/null
    check_equal "nothing before the first model" 0 "$(live .events)"
    events 40 60 2 | while read -r event; do
        printf '%s\t%s\n' "$(curl -s "$URL/predict?a=$(jq .a <<<"$event")" | jq .prediction)" "$(jq .target <<<"$event")"
        status /action -d "$event" >/dev/null
    done >"$SCRATCH/pairs"
    check_equal "the errors a client saw" "$(awk '{ e = $2 - $1; a += e < 0 ? -e : e; s += e * e }
        END { printf("20 %.9g %.9g", a / NR, sqrt(s / NR)) }' "$SCRATCH/pairs")" \
        "$(live '"\(.events) \(.mae) \(.rmse)"' | tr -d '"' | awk '{ printf("%d %.9g %.9g", $1, $2, $3) }')"
    check_equal "all in the window" true "$(live '.window.mae == .mae')"
    check_equal "better than the mean" true "$(live '.rmse < .baseline_rmse / 5')"
    build >/dev/null
    check_equal "a build keeps them" 20 "$(live .events)"
}

test_restart() {
    local before
    before=$(live .)
    stop_service
    start_service
    check_equal "so does a restart" "$before" "$(live .)"
    events 60 70 2 | status /action --data-binary @- >/dev/null
    before=$(live .)
    check_equal "they go on" 30 "$(live .events)"
    kill_service "$SERVICE"
    start_service
    check_equal "also when it was killed" "$before" "$(live .)"
}

test_drift() {
    events 70 1000 2 | status /action --data-binary @- >/dev/null
    check_equal "the world is as it was" false "$(live .drift)"
    events 1000 1300 5 | status /action --data-binary @- >/dev/null
    check_equal "the world has changed" true "$(live .drift)"
    check_equal "and the window shows it" true "$(live '.window.mae > 1.2 * .mae')"
}

# The build did not learn all of these events itself, but took their sums.
test_learn_build() {
    new_data
    start_service LEARN=build MODEL=linear
    events 0 100 2 | status /action --data-binary @- >/dev/null
    build >/dev/null
    events 100 30000 2 | status /action --data-binary @- >/dev/null
    check_equal "LEARN=build: the model stays, and what it says" 0 "$(live .events)"
    build >/dev/null
    check_equal "LEARN=build: a build tells of all events since" 29900 "$(live .events)"
    stop_service
}

new_data
start_service
test_figures
test_restart
test_drift
stop_service
test_learn_build
check_report http/live
