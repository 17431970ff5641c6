#!/usr/bin/env bash
# MODEL=auto on one database: replicas agree on where terms are made from, whoever begins them, and on
# every prediction to the last bit; a new replica too, from the kept sums or from the events.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=postgres.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/postgres.bash"

REPLICAS=3
NAMES=cement,slag,ash,water,plasticizer,coarse,fine,age
concrete=$ROOT/tests/data/uci/concrete.tsv
urls=()
posts=()

start_replica() {
    new_data
    start_service "POSTGRES_URI=$URI" MODEL=auto
    urls+=("$URL")
}

# post URL FILE: the rows of a table without a header
post() {
    { echo "$NAMES,target"; tr '\t' ',' <"$2"; } |
        curl -s --max-time 60 -o /dev/null -w '%{http_code}' -H 'Content-Type: text/csv' --data-binary @- "$1/action"
}

awk '!(NR % 10)' "$concrete" | cut -f 1-8 | { echo "$NAMES"; tr '\t' ','; } >"$SCRATCH/questions"

predictions_at() {
    curl -s --max-time 60 -H 'Content-Type: text/csv' --data-binary "@$SCRATCH/questions" "$1/predict" | sha256sum
}

# all_know ROWS: the models of all replicas
all_know() {
    local url
    for url in "${urls[@]}"; do
        [ "$(curl -s "$url/model" | jq .rows)" = "$1" ] || return 1
    done
}

all_agree() {
    local url
    for url in "${urls[@]}"; do predictions_at "$url"; done | sort -u | wc -l
}

start_postgres
for ((i = 0; i < REPLICAS; i++)); do start_replica; done
split -n r/6 "$concrete" "$SCRATCH/part."
for part in "$SCRATCH"/part.*; do
    post "${urls[RANDOM % REPLICAS]}" "$part" >/dev/null &
    posts+=($!)
done
wait "${posts[@]}"
check_equal "a build" 200 "$(curl -s -o /dev/null -w '%{http_code}' -X POST "${urls[1]}/build")"
check_equal "all rows everywhere" yes "$(wait_until 10 all_know 1030 && echo yes)"
check_equal "a model of terms" '"fourier"' "$(curl -s "${urls[2]}/model" | jq .model)"
check_equal "all replicas predict the same" 1 "$(all_agree)"
check_equal "the places were said once" 1 "$(sql 'SELECT count(*) FROM trendline_terms')"
status /action -d '{"cement":500,"slag":0,"ash":0,"water":150,"plasticizer":5,"coarse":1000,"fine":700,"age":28,"target":200}' >/dev/null
check_equal "an event is known everywhere" yes "$(wait_until 10 all_know 1031 && echo yes)"
check_equal "and moves all models alike" 1 "$(all_agree)"
start_replica
check_equal "a new replica knows them" yes "$(wait_until 10 all_know 1031 && echo yes)"
check_equal "and predicts the same" 1 "$(all_agree)"

# damaged TEXT NAME: a new replica says so, and writes it again as all have it
damaged() {
    sql "UPDATE trendline_terms SET places = $1" >/dev/null
    start_replica
    check_equal "$2: a new replica knows all" yes "$(wait_until 10 all_know 1031 && echo yes)"
    check_contains "$2: it is said" "trendline_terms: " "$(cat "$LOG")"
    check_equal "$2: what it was before" "$said" "$(sql 'SELECT places FROM trendline_terms')"
    check_equal "$2: a build" 200 "$(build)"
    check_equal "$2: all predict the same" yes "$(wait_until 10 agree && echo yes)"
}

# within a second of the build, whose events were known everywhere before
agree() {
    [ "$(all_agree)" = 1 ]
}

said=$(sql 'SELECT places FROM trendline_terms')
check_contains "the places have a checksum" '"crc"' "$said"
damaged "replace(places, '[[2', '[[9')" "a flipped digit"
damaged "'{'" "no JSON"
sql "UPDATE trendline_terms SET places = regexp_replace(places, ',\s*\"crc\".*', '}')" >/dev/null
check_equal "as it was before there was a checksum" 0 "$(sql "SELECT count(*) FROM trendline_terms WHERE places LIKE '%crc%'")"
start_replica
check_equal "of before: a new replica knows all" yes "$(wait_until 10 all_know 1031 && echo yes)"
check_equal "of before: it gets its checksum" "$said" "$(sql 'SELECT places FROM trendline_terms')"
check_equal "of before: all predict the same" 1 "$(all_agree)"
check_report postgres/auto
