/* The store's tables, made on the first connection of all. Private to store_postgres*.c.
 *
 * Plain SQL without triggers and locks across rows. What the hot path touches is keyed by writer
 * (trendline_writers, trendline_rows) or by id (trendline_ids). */
#ifndef TRENDLINE_STORE_POSTGRES_SQL_H
#define TRENDLINE_STORE_POSTGRES_SQL_H

#define SQL_VERSION "2"

/* All of it may be there already. One transaction at a time, by the advisory lock. */
#define SQL_LOCK_MIGRATION "SELECT pg_advisory_xact_lock(hashtext('trendline migration'))"
#define SQL_MIGRATE                                                                                \
    "DO $$ BEGIN "                                                                                 \
    "SET LOCAL client_min_messages = warning;"                                                     \
    "CREATE TABLE IF NOT EXISTS trendline_meta ("                                                  \
    " version int PRIMARY KEY, store uuid NOT NULL DEFAULT gen_random_uuid());"                    \
    "CREATE SEQUENCE IF NOT EXISTS trendline_seq;"                                                 \
    "CREATE TABLE IF NOT EXISTS trendline_schema ("                                                \
    " one boolean PRIMARY KEY DEFAULT true CHECK (one), features jsonb NOT NULL);"                 \
    "CREATE TABLE IF NOT EXISTS trendline_terms ("                                                 \
    " one boolean PRIMARY KEY DEFAULT true CHECK (one), places text NOT NULL);"                    \
    "CREATE TABLE IF NOT EXISTS trendline_texts ("                                                 \
    " code float8 PRIMARY KEY, text text NOT NULL);"                                               \
    "CREATE TABLE IF NOT EXISTS trendline_writers ("                                               \
    " writer bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number bigint NOT NULL DEFAULT 0);"  \
    "CREATE TABLE IF NOT EXISTS trendline_rows ("                                                  \
    " writer bigint, number bigint, seq bigint NOT NULL, time timestamptz NOT NULL DEFAULT now()," \
    " id text, cells float8[] NOT NULL, PRIMARY KEY (writer, number));"                            \
    "ALTER TABLE trendline_rows ADD COLUMN IF NOT EXISTS weight float8 NOT NULL DEFAULT 1;"        \
    "ALTER TABLE trendline_schema ADD COLUMN IF NOT EXISTS target text NOT NULL DEFAULT 'target';" \
    "CREATE TABLE IF NOT EXISTS trendline_ids ("                                                   \
    " id text PRIMARY KEY, seq bigint NOT NULL, digest uuid NOT NULL);"                            \
    "CREATE TABLE IF NOT EXISTS trendline_models ("                                                \
    " version bigint PRIMARY KEY, created timestamptz NOT NULL DEFAULT now(),"                     \
    " events bigint NOT NULL, model text NOT NULL);"                                               \
    "CREATE TABLE IF NOT EXISTS trendline_train ("                                                 \
    " one boolean PRIMARY KEY DEFAULT true CHECK (one), revision bigint NOT NULL,"                 \
    " snapshot text NOT NULL);"                                                                    \
    "CREATE TABLE IF NOT EXISTS trendline_moments ("                                               \
    " one boolean PRIMARY KEY DEFAULT true CHECK (one), events bigint NOT NULL,"                   \
    " writers bigint[] NOT NULL, numbers bigint[] NOT NULL, snapshot text NOT NULL);"              \
    "CREATE OR REPLACE VIEW trendline_events AS"                                                   \
    " SELECT r.seq, r.time, r.id,"                                                                 \
    "  (SELECT jsonb_object_agg(coalesce(f.name->>'category', f.name#>>'{}'),"                     \
    "   CASE WHEN r.cells[f.place] = 'NaN' THEN NULL"                                              \
    "   WHEN jsonb_typeof(f.name) = 'object' THEN"                                                 \
    "    (SELECT to_jsonb(t.text) FROM trendline_texts t WHERE t.code = r.cells[f.place])"         \
    "   ELSE to_jsonb(r.cells[f.place]) END)"                                                      \
    "   FROM jsonb_array_elements(s.features) WITH ORDINALITY f(name, place)) AS features,"        \
    "  r.cells[cardinality(r.cells)] AS target, r.weight"                                          \
    " FROM trendline_rows r, trendline_schema s;"                                                  \
    "INSERT INTO trendline_meta VALUES (" SQL_VERSION ") ON CONFLICT DO NOTHING;"                  \
    "END $$"

/* The version of the tables: looked up only if the table is there. */
#define SQL_HAS_META "SELECT to_regclass('trendline_meta') IS NOT NULL"
#define SQL_SERVER   "SELECT pg_postmaster_start_time()::text"
#define SQL_META     "SELECT coalesce(max(version), 0) FROM trendline_meta"
#define SQL_IDENTITY "SELECT store FROM trendline_meta ORDER BY version LIMIT 1"

#define SQL_SESSION                                                                                \
    "SELECT set_config('statement_timeout', '2000', false), set_config('lock_timeout', '1500', "   \
    "false), set_config('extra_float_digits', '1', false), "                                       \
    "set_config('default_transaction_isolation', 'read committed', false), "                       \
    "set_config('synchronous_commit', CASE "                                                       \
    "current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE "                             \
    "current_setting('synchronous_commit') END, false)"

/* A writer whose last session is over: the lock is held as long as a session lives. */
#define SQL_CLAIM_WRITER                                                                           \
    "SELECT writer FROM trendline_writers WHERE "                                                  \
    "pg_try_advisory_lock('trendline_writers'::regclass::oid::int, writer::int) LIMIT 1"
#define SQL_NEW_WRITER    "INSERT INTO trendline_writers DEFAULT VALUES"
#define SQL_WRITER_NUMBER "SELECT number FROM trendline_writers WHERE writer = $1"

#define SQL_VERSIONS "SELECT coalesce(max(version), 0) FROM trendline_models"
#define SQL_TRAINED  "SELECT coalesce(max(revision), 0) FROM trendline_train"
#define SQL_HEADS    "SELECT writer, number FROM trendline_writers WHERE number > 0"
#define SQL_SCHEMA   "SELECT features, target FROM trendline_schema"
#define SQL_TERMS    "SELECT places FROM trendline_terms"
#define SQL_ADD_TERMS                                                                              \
    "INSERT INTO trendline_terms AS known (places) VALUES ($1) ON CONFLICT (one) DO UPDATE"        \
    " SET places = EXCLUDED.places"                                                                \
    " WHERE known.places::jsonb->'features' <> EXCLUDED.places::jsonb->'features'"
#define SQL_MODEL "SELECT model FROM trendline_models WHERE version = $1"
#define SQL_TRAIN "SELECT revision, snapshot FROM trendline_train"
#define SQL_MOMENTS                                                                                \
    "SELECT snapshot, array_to_string(writers, ' '), array_to_string(numbers, ' ') "               \
    "FROM trendline_moments"
#define SQL_MOMENTS_EVENTS "SELECT events FROM trendline_moments"
#define SQL_TAIL                                                                                   \
    "SELECT number, cells, weight, seq FROM trendline_rows WHERE writer = $1 AND number > $2 AND " \
    "number <= $3 "                                                                                \
    "ORDER BY number LIMIT 8192"

/* The same with all that a person would want to keep. */
#define SQL_EVENTS                                                                                 \
    "SELECT number, cells, seq, id, "                                                              \
    "to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), weight "               \
    "FROM trendline_rows WHERE writer = $1 AND number > $2 AND number <= $3 "                      \
    "ORDER BY number LIMIT 8192"

#define SQL_FIX_SCHEMA                                                                             \
    "INSERT INTO trendline_schema (features, target) VALUES ($1::jsonb, $2) ON CONFLICT DO "       \
    "NOTHING"
/* Numbered in the order of the batch, then sorted by their bytes, so that two replicas never wait
 * for each other in a circle. Those that are known are left out only so that they use up no number:
 * others may come meanwhile. */
#define SQL_ADD_IDS                                                                                \
    "INSERT INTO trendline_ids (id, seq, digest) SELECT id, seq, digest FROM ("                    \
    "SELECT id, nextval('trendline_seq') AS seq, digest FROM ("                                    \
    "SELECT n.id, n.digest FROM unnest($1::text[], $2::uuid[], $3::bigint[]) n(id, digest, "       \
    "place) "                                                                                      \
    "WHERE NOT EXISTS (SELECT FROM trendline_ids i WHERE i.id = n.id) ORDER BY n.place) placed"    \
    ") numbered ORDER BY id COLLATE \"C\" ON CONFLICT DO NOTHING RETURNING id, seq"
#define SQL_FIND_IDS                                                                               \
    "SELECT id, seq, replace(digest::text, '-', '') FROM trendline_ids WHERE id = ANY($1::text[])"
#define SQL_ADD_ROWS                                                                               \
    "INSERT INTO trendline_rows (writer, number, seq, id, cells, time, weight) "                   \
    "SELECT $1::bigint, $2::bigint + n.place, coalesce(n.seq, nextval('trendline_seq')), n.id, "   \
    "n.cells::float8[], coalesce(n.time, now()), coalesce(n.weight, 1) "                           \
    "FROM unnest($3::bigint[], $4::text[], $5::text[], $6::timestamptz[], $7::float8[]) "          \
    "WITH ORDINALITY n(seq, id, cells, time, weight, place) RETURNING seq"
/* In the order of their codes, so that replicas do not wait for each other in a circle. */
#define SQL_ADD_TEXTS                                                                              \
    "INSERT INTO trendline_texts (code, text) SELECT code, text FROM "                             \
    "unnest($1::float8[], $2::text[]) n(code, text) ORDER BY code ON CONFLICT DO NOTHING"
#define SQL_TEXTS   "SELECT code, text FROM trendline_texts"
#define SQL_ADVANCE "UPDATE trendline_writers SET number = $2 WHERE writer = $1"

#define SQL_ADD_MODEL                                                                              \
    "INSERT INTO trendline_models (version, events, model) VALUES ($1, $2, $3) "                   \
    "ON CONFLICT DO NOTHING RETURNING version"
#define SQL_SET_TRAIN                                                                              \
    "INSERT INTO trendline_train (revision, snapshot) VALUES (1, $1) ON CONFLICT (one) DO "        \
    "UPDATE SET revision = trendline_train.revision + 1, snapshot = excluded.snapshot "            \
    "RETURNING revision"
#define SQL_SET_MOMENTS                                                                            \
    "INSERT INTO trendline_moments (events, writers, numbers, snapshot) VALUES ($1, $2, $3, $4) "  \
    "ON CONFLICT (one) DO UPDATE SET events = excluded.events, writers = excluded.writers, "       \
    "numbers = excluded.numbers, snapshot = excluded.snapshot "                                    \
    "WHERE trendline_moments.events < excluded.events"

#endif
