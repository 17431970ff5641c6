#!/bin/bash
# How it scales: plots/*.svg and their numbers, plots/*.tsv.
# shellcheck disable=SC2016 # backquotes are Markdown
. "$(dirname "$0")/lib.sh"
PLOTS=$BENCH/plots
EVENTS=${EVENTS:-10000000}
ROUNDS=${CURVE_ROUNDS:-3} # these are no comparisons

# median_rate CONNECTIONS URL [ARGUMENT...]: RATE, P99: medians over the rounds
median_load() {
    local i
    rm -f "$SCRATCH/rate.samples" "$SCRATCH/p99.samples"
    for ((i = 0; i < ROUNDS; i++)); do
        load "$@"
        sample rate "$RATE"
        sample p99 "$P99"
    done
    RATE=$(median rate)
    P99=$(median p99)
}

# new_service FEATURES: with a model of so many features
new_service() {
    DATA=
    start_service
    generate 1000 "$1" ndjson >"$SCRATCH/events.ndjson"
    post "$URL/action" "$SCRATCH/events.ndjson" application/x-ndjson >/dev/null
    curl -sf -X POST "$URL/build" >/dev/null
}

against_connections() {
    local connections rate
    new_service 3
    printf '# connections\tpredict/s\taction/s\n' >"$PLOTS/connections.tsv"
    for connections in 1 2 4 8 16 32 64 128 256 512 1024; do
        say "$connections connections"
        median_load $connections "$URL/predict?x1=1.5&x2=-2.25&x3=3"
        rate=$RATE
        median_load $connections "$URL/action" -- lines "$SCRATCH/events.ndjson" application/json
        printf '%s\t%s\t%s\n' $connections "$rate" "$RATE" >>"$PLOTS/connections.tsv"
    done
    stop "$SERVICE"
}

against_features() {
    local features
    printf '# features\tp99 of one connection, ms\tevents/s\n' >"$PLOTS/features.tsv"
    for features in 3 10 30 100 300; do
        say "$features features"
        new_service $features
        median_load 1 "$URL/action" -- lines "$SCRATCH/events.ndjson" application/json
        printf '%s\t%s\t%s\n' $features "$P99" "$RATE" >>"$PLOTS/features.tsv"
        stop "$SERVICE"
    done
}

# plot NAME TITLE X-LABEL Y-LABEL GNUPLOT-COMMAND...
plot() {
    printf '%s\n' "set terminal svg size 640,400 font 'sans-serif,12' background '#ffffff'" \
        "set output '$PLOTS/$1.svg'" "set title '$2'" "set xlabel '$3'" "set ylabel '$4'" \
        "set grid" "set yrange [0:*]" "set key top left" "set style data linespoints" "${@:5}" | gnuplot
}

# table NAME HEADING...: the numbers behind a plot
table() {
    local name=$1
    shift
    printf '\n![%s](plots/%s.svg)\n\n|' "$name" "$name"
    printf ' %s |' "$@"
    printf '\n|%s\n' "$(printf -- '---|%.0s' "$@")"
    grep -v '^#' "$PLOTS/$name.tsv" | sed 's/\t/ | /g; s/.*/| & |/'
}

mkdir -p "$PLOTS"
against_connections
against_features
fill "$EVENTS"
{
    printf '# events\tMB\twith mapped files, MB\n'
    tr ' ' '\t' <"$DATA.memory"
} >"$PLOTS/memory.tsv"

plot connections 'Requests a second' 'connections' '1/s' 'set logscale x 2' \
    "plot '$PLOTS/connections.tsv' using 1:2 title 'GET /predict', '' using 1:3 title 'POST /action, durable'"
plot features 'POST /action, one connection, durable' 'features' 'p99, ms' 'set logscale x' \
    "plot '$PLOTS/features.tsv' using 1:2 notitle"
plot memory 'Memory of action' 'events remembered' 'MB' \
    "plot '$PLOTS/memory.tsv' using 1:2 title 'its own', '' using 1:3 title 'with mapped pages of ids.mdb'"

printf '### Scaling\n\n`bench/curves.sh`\n'
table connections connections 'GET /predict, 1/s' 'POST /action, 1/s'
table features features 'POST /action on one connection: p99, ms' '1/s'
table memory 'events remembered' 'memory of `action`, MB' 'with the mapped pages of ids.mdb, which the kernel takes back, MB'
