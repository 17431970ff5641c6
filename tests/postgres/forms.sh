#!/usr/bin/env bash
# Our statements are of the forms that docs/scaling.md promises to those who spread the tables over
# several servers: all that the source has, and all that a server really receives.
# shellcheck source-path=SCRIPTDIR source=../lib.sh source=../http/service.bash source=postgres.bash
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../http/service.bash"
. "$(dirname "$0")/postgres.bash"

HEADER=$ROOT/src/store_postgres_sql.h
# the limit of time that a long answer needs: postgres.c's own
TAKE_TIME="SELECT set_config('statement_timeout', '0', true)"
EVENTS=70000 # more than are learnt before the sums are kept

# in_source: the statements, NAME<tab>TEXT, as the compiler puts them together
in_source() {
    {
        printf '#include <stdio.h>\n#include "%s"\nint main(void) {\n' "$HEADER"
        sed -n '/SQL_VERSION /d; /SQL_ADVANCE_FAILS /d; s/^#define \(SQL_[A-Z_]*\) .*/puts("\1\\t" \1);/p' "$HEADER"
        echo '}'
    } | "${CC:-cc}" -x c -o "$SCRATCH/in_source" - && "$SCRATCH/in_source"
}

# received: the statements that the server has been sent by the service, each once
received() {
    sed -nE 's/^trendline LOG:  (execute [^:]*|statement): //p' "$SCRATCH/postgres.log" | sort -u
}

# faults: of the statements on standard input
faults() {
    awk -f "$ROOT/tests/postgres/forms.awk"
}

# every_way: what a service does with its database, once
every_way() {
    new_data
    printf 'a\tc\ttarget\n1\tred\t2\n2\tblue\t3\n' >"$SCRATCH/train.txt"
    start_service "POSTGRES_URI=$URI" "TRAIN_FILE_PATH=$SCRATCH/train.txt"
    status /action -d '{"_id":"x","a":1,"c":"red","target":3}' >/dev/null
    status /action -d '[{"_id":"x","a":1,"c":"red","target":3},{"_id":"y","a":2,"c":"blue","target":3}]' >/dev/null
    awk -v n=$EVENTS 'BEGIN { for (i = 0; i < n; i++) printf "{\"a\":%d,\"c\":\"red\",\"target\":%d}\n", i % 97, i % 89 }' \
        >"$SCRATCH/many"
    check_equal "many events" 200 "$(status /action -H 'Content-Type: application/x-ndjson' --data-binary "@$SCRATCH/many")"
    check_equal "a build" 200 "$(build)"
    stop_service
    new_data
    start_service "POSTGRES_URI=$URI"
    is_known() { [ "$(status /action -d '{"_id":"y","a":2,"c":"blue","target":3}')" = 200 ]; }
    check_equal "a second replica" yes "$(wait_until 20 is_known && echo yes)"
    stop_service
    DATA_DIR=$DATA POSTGRES_URI=$URI "$TRENDLINE" export >"$SCRATCH/export" 2>"$SCRATCH/said"
    check_equal "an export" $((EVENTS + 2)) "$(wc -l <"$SCRATCH/export")"
}

test_source() {
    in_source >"$SCRATCH/statements"
    check_equal "the source has statements" yes "$([ "$(wc -l <"$SCRATCH/statements")" -ge 30 ] && echo yes)"
    check_equal "each is of a form that is promised" "" "$(faults <"$SCRATCH/statements")"
}

test_received() {
    received >"$SCRATCH/received"
    sed 's/^/received\t/' "$SCRATCH/received" | faults >"$SCRATCH/faults"
    check_equal "what the server gets is of these forms" "" "$(cat "$SCRATCH/faults")"
    { cut -f 2 "$SCRATCH/statements"; printf '%s\n' BEGIN COMMIT SELECT "$TAKE_TIME"; } | sort -u >"$SCRATCH/known"
    check_equal "and nothing that the source does not list" "" "$(comm -23 "$SCRATCH/received" "$SCRATCH/known")"
    for name in SQL_MIGRATE SQL_CLAIM_WRITER SQL_FIND_IDS SQL_ADD_IDS SQL_ADD_ROWS SQL_ADVANCE SQL_ADD_TEXTS \
        SQL_HEADS SQL_TAIL SQL_EVENTS SQL_ADD_MODEL SQL_SET_TRAIN; do
        check_equal "$name was among them" 1 \
            "$(grep -cxF -- "$(sed -n "s/^$name\t//p" "$SCRATCH/statements")" "$SCRATCH/received")"
    done
    check_contains "the sums were kept" "INSERT INTO trendline_moments" "$(cat "$SCRATCH/received")"
}

# Only keys that have the column by which a table is spread can be kept by its parts alone.
test_tables() {
    check_equal "keys" "trendline_ids: PRIMARY KEY (id)
trendline_rows: PRIMARY KEY (writer, number)
trendline_writers: PRIMARY KEY (writer)" "$(sql "SELECT conrelid::regclass || ': ' || pg_get_constraintdef(oid)
        FROM pg_constraint WHERE conrelid::regclass::text IN ('trendline_ids', 'trendline_rows', 'trendline_writers')
        ORDER BY 1")"
    check_equal "no foreign key, trigger, rule or other index anywhere" "0|0|0|0" \
        "$(sql "SELECT (SELECT count(*) FROM pg_constraint WHERE contype = 'f'),
            (SELECT count(*) FROM pg_trigger WHERE tgrelid::regclass::text ~ '^trendline'),
            (SELECT count(*) FROM pg_rewrite r JOIN pg_class c ON c.oid = ev_class
                WHERE relname ~ '^trendline' AND relkind <> 'v'),
            (SELECT count(*) FROM pg_index WHERE indrelid::regclass::text ~ '^trendline' AND NOT indisprimary)")"
}

# broken NAME WHAT STATEMENT: the check sees it
broken() {
    check_contains "$1 is seen" "$2" "$(printf '%s\t%s\n' "$1" "${3//$'\n'/ }" | faults)"
}

# What was tried on Citus, and did not do.
test_check() {
    local ids="unnest(\$1::text[], \$2::uuid[]) n(id, digest)" insert="INSERT INTO trendline_ids (id, seq, digest)"
    broken "a correlated sub-SELECT over a function" "a sub-SELECT in a condition or a column, over a function" \
        "$insert SELECT id, 1, digest FROM $ids WHERE NOT EXISTS (SELECT FROM trendline_ids i WHERE i.id = n.id)"
    broken "a join that reads the whole table" "a distributed table is joined with a function" \
        "$insert SELECT n.id, 1, n.digest FROM $ids LEFT JOIN trendline_ids i ON i.id = n.id WHERE i.id IS NULL"
    broken "a number drawn on a worker" "a function with an effect beside a distributed table" \
        "$insert SELECT n.id, nextval('trendline_seq'), n.digest FROM $ids LEFT JOIN
            (SELECT id FROM trendline_ids WHERE id = ANY(\$1::text[])) i ON i.id = n.id WHERE i.id IS NULL"
    broken "a lock taken on a worker" "a function with an effect beside a distributed table" \
        "SELECT writer FROM trendline_writers WHERE pg_try_advisory_lock(1, writer::int) LIMIT 1"
    broken "a view's text looked up in a column" "a sub-SELECT in a condition or a column, over a function" \
        "CREATE VIEW v AS SELECT (SELECT jsonb_agg((SELECT t.text FROM trendline_texts t WHERE t.code = f.code))
            FROM jsonb_array_elements(r.cells) f(code)) FROM trendline_rows r"
    broken "two tables that are spread" "more than one distributed table" \
        "SELECT FROM trendline_rows r JOIN trendline_ids i ON i.id = r.id"
    broken "rows of all writers" "rows of more than one writer" "SELECT seq FROM trendline_rows WHERE number > \$1"
    broken "all ids" "ids that are not named" "SELECT id FROM trendline_ids WHERE seq > \$1"
    broken "a row that changes" "never change" "UPDATE trendline_rows SET seq = \$2 WHERE writer = \$1"
    broken "a row that goes" "never change" "DELETE FROM trendline_rows WHERE writer = \$1"
    broken "a lock on rows" "FOR UPDATE" "SELECT number FROM trendline_writers WHERE writer = \$1 FOR UPDATE"
    broken "another kind of statement" "it begins with LISTEN" "LISTEN news"
    broken "a foreign key" REFERENCES "CREATE TABLE t (writer bigint REFERENCES trendline_writers)"
    check_equal "what is of these forms passes" "" "$(printf 'good\t%s\n' "SELECT number, cells FROM trendline_rows WHERE writer = \$1" \
        "INSERT INTO trendline_ids SELECT id, nextval('trendline_seq'), digest FROM $ids ON CONFLICT DO NOTHING" | faults)"
}

start_postgres log_statement=all log_line_prefix='%a '
every_way
test_source
test_received
test_tables
test_check
check_report postgres/forms
