/* The store's tables, made on the first connection of all. Private to store_postgres*.c.
 *
 * Plain SQL without triggers and locks across rows. What the hot path touches is keyed by writer
 * (trendline_writers, trendline_rows) or by id (trendline_ids), so that these tables may be spread
 * over servers: docs/scaling.md lists the forms of statements, tests/postgres/forms.sh checks them.
 */
#ifndef TRENDLINE_STORE_POSTGRES_SQL_H
#define TRENDLINE_STORE_POSTGRES_SQL_H

#define SQL_VERSION "3"

/* What can be made again: from the events, and by whoever has the train file. */
#define SQL_MAKE_DERIVED                                                                           \
    "CREATE TABLE IF NOT EXISTS trendline_terms ("                                                 \
    " one boolean PRIMARY KEY DEFAULT true CHECK (one), places text NOT NULL,"                     \
    " digest bigint NOT NULL DEFAULT 0);"                                                          \
    "CREATE TABLE IF NOT EXISTS trendline_models ("                                                \
    " version bigint PRIMARY KEY, created timestamptz NOT NULL DEFAULT now(),"                     \
    " events bigint NOT NULL, model text NOT NULL);"                                               \
    "CREATE TABLE IF NOT EXISTS trendline_train ("                                                 \
    " one boolean PRIMARY KEY DEFAULT true CHECK (one), revision bigint NOT NULL,"                 \
    " snapshot text NOT NULL);"                                                                    \
    "CREATE TABLE IF NOT EXISTS trendline_settings ("                                              \
    " one boolean PRIMARY KEY DEFAULT true CHECK (one), settings text NOT NULL);"                  \
    "CREATE TABLE IF NOT EXISTS trendline_moments ("                                               \
    " one boolean PRIMARY KEY DEFAULT true CHECK (one), events bigint NOT NULL,"                   \
    " writers bigint[] NOT NULL, numbers bigint[] NOT NULL, snapshot text NOT NULL,"               \
    " slot int NOT NULL DEFAULT 0, parts int NOT NULL DEFAULT 0, crc bigint);"                     \
    "CREATE TABLE IF NOT EXISTS trendline_moments_parts ("                                         \
    " slot int, place int, part text NOT NULL, PRIMARY KEY (slot, place));"
#define SQL_MAKE_VIEW                                                                              \
    "CREATE OR REPLACE VIEW trendline_events AS"                                                   \
    " SELECT r.seq, r.time, r.id,"                                                                 \
    "  (SELECT jsonb_object_agg(coalesce(f.name->>'category', f.name#>>'{}'),"                     \
    "   CASE WHEN r.cells[f.place] = 'NaN' THEN NULL"                                              \
    "   WHEN jsonb_typeof(f.name) = 'object' THEN to_jsonb(t.text)"                                \
    "   ELSE to_jsonb(r.cells[f.place]) END)"                                                      \
    "   FROM jsonb_array_elements(s.features) WITH ORDINALITY f(name, place)"                      \
    "   LEFT JOIN LATERAL (SELECT text FROM trendline_texts WHERE code = r.cells[f.place]"         \
    "    AND jsonb_typeof(f.name) = 'object' LIMIT 1) t ON true) AS features,"                     \
    "  r.cells[cardinality(r.cells)] AS target, r.weight"                                          \
    " FROM trendline_rows r, trendline_schema s;"

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
    " id text PRIMARY KEY, seq bigint NOT NULL, digest uuid NOT NULL);" SQL_MAKE_DERIVED           \
        SQL_MAKE_VIEW                                                                              \
    "ALTER TABLE trendline_terms ADD COLUMN IF NOT EXISTS digest bigint NOT NULL DEFAULT 0;"       \
    "ALTER TABLE trendline_moments ADD COLUMN IF NOT EXISTS slot int NOT NULL DEFAULT 0,"          \
    " ADD COLUMN IF NOT EXISTS parts int NOT NULL DEFAULT 0,"                                      \
    " ADD COLUMN IF NOT EXISTS crc bigint;"                                                        \
    "INSERT INTO trendline_meta VALUES (" SQL_VERSION ") ON CONFLICT DO NOTHING;"                  \
    "END $$"
#define SQL_MAKE_AGAIN                                                                             \
    "DO $$ BEGIN SET LOCAL client_min_messages = warning;" SQL_MAKE_DERIVED                        \
    "IF to_regclass('trendline_events') IS NULL THEN " SQL_MAKE_VIEW " END IF; END $$"

/* One row: how many of the tables that nothing can make again are missing, and how many there are;
 * their names; the names of those that can be made again, and whether they are needed, and may be
 * made; whether the kept sums may be read, and written. */
#define SQL_TABLES                                                                                 \
    "SELECT count(*) FILTER (WHERE level = 0 AND at IS NULL),"                                     \
    " count(*) FILTER (WHERE level = 0),"                                                          \
    " string_agg(name, ', ') FILTER (WHERE level = 0 AND at IS NULL),"                             \
    " string_agg(name, ', ') FILTER (WHERE level > 0 AND at IS NULL),"                             \
    " count(*) FILTER (WHERE level = 1 AND at IS NULL),"                                           \
    " coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)::int,"                     \
    " coalesce(bool_and(has_table_privilege(at, 'SELECT')) FILTER (WHERE level = 2),"              \
    "  false)::int,"                                                                               \
    " coalesce(bool_and(has_table_privilege(at, 'SELECT') AND has_table_privilege(at, 'INSERT')"   \
    "  AND has_table_privilege(at, 'UPDATE')) FILTER (WHERE level = 2), false)::int "              \
    "FROM (SELECT name, level, to_regclass(name) AS at FROM (VALUES"                               \
    " ('trendline_rows', 0), ('trendline_texts', 0), ('trendline_ids', 0),"                        \
    " ('trendline_writers', 0), ('trendline_schema', 0), ('trendline_seq', 0),"                    \
    " ('trendline_terms', 1), ('trendline_models', 1), ('trendline_train', 1), "                   \
    "('trendline_settings', 1),"                                                                   \
    " ('trendline_moments', 2), ('trendline_moments_parts', 2), ('trendline_events', 3))"          \
    " named(name, level)) tables"

/* The version of the tables: looked up only if the table is there. */
#define SQL_HAS_META "SELECT to_regclass('trendline_meta') IS NOT NULL"
#define SQL_SERVER                                                                                 \
    "SELECT pg_postmaster_start_time()::text, pg_backend_pid(), current_database(), "              \
    "current_setting('server_encoding')"
#define SQL_SESSION_NUMBER "SELECT pg_backend_pid()"
#define SQL_META           "SELECT coalesce(max(version), 0) FROM trendline_meta"
#define SQL_IDENTITY       "SELECT store FROM trendline_meta ORDER BY version LIMIT 1"

/* Also that the server notices in some ten seconds that we are out of reach, and ends the session:
 * its own default is two hours. */
#define SQL_SESSION                                                                                \
    "SELECT set_config('tcp_keepalives_idle', '5', false), "                                       \
    "set_config('tcp_keepalives_interval', '2', false), "                                          \
    "set_config('tcp_keepalives_count', '3', false), "                                             \
    "set_config('tcp_user_timeout', '10000', false), set_config('statement_timeout', '2000', "     \
    "false), set_config('lock_timeout', '1500', "                                                  \
    "false), set_config('extra_float_digits', '1', false), "                                       \
    "set_config('default_transaction_isolation', 'read committed', false), "                       \
    "set_config('synchronous_commit', CASE "                                                       \
    "current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE "                             \
    "current_setting('synchronous_commit') END, false)"

/* What a session of ours has been waiting for that has been given up and cannot be ended: a COMMIT
 * whose standby is away, or whose disk does not answer. All else ends by its timeouts. */
#define SQL_HELD_UP                                                                                \
    "SELECT coalesce(min(wait_event), '') FROM pg_stat_activity WHERE "                            \
    "application_name = current_setting('application_name') AND datname = current_database() "     \
    "AND usename = current_user AND pid <> pg_backend_pid() AND state = 'active' "                 \
    "AND wait_event_type <> 'Client' AND query_start < clock_timestamp() - interval '2 s'"

/* A writer whose last session is over: the lock is held as long as a session lives. It is taken in
 * a statement without a table, so that nobody evaluates it elsewhere or for more writers than one.
 */
#define SQL_WRITERS "SELECT array_agg(writer) FROM trendline_writers"
#define SQL_CLAIM_WRITER                                                                           \
    "SELECT writer FROM unnest($1::bigint[]) known(writer) WHERE "                                 \
    "pg_try_advisory_lock('trendline_writers'::regclass::oid::int, writer::int) LIMIT 1"
#define SQL_NEW_WRITER    "INSERT INTO trendline_writers DEFAULT VALUES"
#define SQL_WRITER_NUMBER "SELECT number FROM trendline_writers WHERE writer = $1"

/* Who lives, by a lock that every session of ours shares; alone it is had by whoever changes what
 * the settings are. */
#define SQL_MAY_KEEP_SETTINGS                                                                      \
    "SELECT (has_table_privilege('trendline_settings', 'SELECT')"                                  \
    " AND has_table_privilege('trendline_settings', 'INSERT')"                                     \
    " AND has_table_privilege('trendline_settings', 'UPDATE'))::int"
#define SQL_SHARE_SETTINGS                                                                         \
    "SELECT pg_try_advisory_lock_shared('trendline_settings'::regclass::oid::int, 0)::int"
#define SQL_UNSHARE_SETTINGS                                                                       \
    "SELECT pg_advisory_unlock_shared('trendline_settings'::regclass::oid::int, 0)"
#define SQL_CLAIM_SETTINGS                                                                         \
    "SELECT pg_try_advisory_lock('trendline_settings'::regclass::oid::int, 0)::int"
#define SQL_UNCLAIM_SETTINGS                                                                       \
    "SELECT pg_advisory_unlock('trendline_settings'::regclass::oid::int, 0)"
#define SQL_SETTINGS "SELECT settings FROM trendline_settings"
#define SQL_ADD_SETTINGS                                                                           \
    "INSERT INTO trendline_settings (settings) VALUES ($1) ON CONFLICT DO NOTHING"
#define SQL_SET_SETTINGS                                                                           \
    "INSERT INTO trendline_settings (settings) VALUES ($1) ON CONFLICT (one) DO UPDATE"            \
    " SET settings = EXCLUDED.settings"

#define SQL_VERSIONS "SELECT coalesce(max(version), 0) FROM trendline_models"
/* Of what are the train file's sums and the terms; and which tables these are, so that others with
 * the same names, such as a copy brings back, are not taken for them. */
#define SQL_STATE                                                                                  \
    "SELECT (SELECT coalesce(max(revision), 0) FROM trendline_train), "                            \
    "(SELECT digest FROM trendline_terms), "                                                       \
    "(SELECT concat(tableoid, '.', xmin) FROM trendline_meta ORDER BY version LIMIT 1)"
#define SQL_HEADS  "SELECT writer, number FROM trendline_writers WHERE number > 0"
#define SQL_SCHEMA "SELECT features, target FROM trendline_schema"
#define SQL_TERMS  "SELECT places, digest FROM trendline_terms"
/* In place of what is of no use, by its digest, and of nothing else. */
#define SQL_ADD_TERMS                                                                              \
    "INSERT INTO trendline_terms AS known (places, digest) VALUES ($1, $2) ON CONFLICT (one) "     \
    "DO UPDATE SET places = EXCLUDED.places, digest = EXCLUDED.digest WHERE known.digest = $3"
#define SQL_MODEL "SELECT model FROM trendline_models WHERE version = $1"
#define SQL_TRAIN "SELECT revision, snapshot FROM trendline_train"
/* In the transaction's view: the parts are those that the row means. */
#define SQL_BEGIN_LOAD "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
#define SQL_MOMENTS                                                                                \
    "SELECT snapshot, writers::text, numbers::text, parts, crc FROM trendline_moments"
#define SQL_PARTS                                                                                  \
    "SELECT p.part FROM trendline_moments m JOIN trendline_moments_parts p "                       \
    "ON p.slot = m.slot AND p.place < m.parts ORDER BY p.place"
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
/* Looked up before any is inserted: what is known uses up no number, and waits for nobody. */
#define SQL_FIND_IDS                                                                               \
    "SELECT id, seq, replace(digest::text, '-', '') FROM trendline_ids WHERE id = ANY($1::text[])"
/* Numbered in the order of the batch, then sorted by their bytes, so that two replicas never wait
 * for each other in a circle. One that another replica has stored meanwhile is not among the
 * returned, and SQL_FIND_IDS finds it. */
#define SQL_ADD_IDS                                                                                \
    "INSERT INTO trendline_ids (id, seq, digest) SELECT id, seq, digest FROM ("                    \
    "SELECT id, nextval('trendline_seq') AS seq, digest FROM ("                                    \
    "SELECT id, digest FROM unnest($1::text[], $2::uuid[], $3::bigint[]) n(id, digest, place) "    \
    "ORDER BY place) placed) numbered "                                                            \
    "ORDER BY id COLLATE \"C\" ON CONFLICT DO NOTHING RETURNING id, seq"
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
#define SQL_TEXTS "SELECT code, text FROM trendline_texts"
/* Fails, by SQL_ADVANCE_FAILS (division_by_zero), where the writer's last number is not the one
 * that was known, so that nothing is stored behind a gap when an older copy of the tables has taken
 * their place since. */
#define SQL_ADVANCE                                                                                \
    "WITH advanced AS (UPDATE trendline_writers SET number = $2 WHERE writer = $1 AND number = "   \
    "$3 RETURNING 1) SELECT 1 / count(*) FROM advanced"
#define SQL_ADVANCE_FAILS "22012"

#define SQL_ADD_MODEL                                                                              \
    "INSERT INTO trendline_models (version, events, model) VALUES ($1, $2, $3) "                   \
    "ON CONFLICT DO NOTHING RETURNING version"
#define SQL_MAY_PRUNE    "SELECT has_table_privilege('trendline_models', 'DELETE')::int"
#define SQL_PRUNE_MODELS "DELETE FROM trendline_models WHERE version < $1"
#define SQL_SET_TRAIN                                                                              \
    "INSERT INTO trendline_train (revision, snapshot) VALUES (1, $1) ON CONFLICT (one) DO "        \
    "UPDATE SET revision = trendline_train.revision + 1, snapshot = excluded.snapshot "            \
    "RETURNING revision"

/* Whoever has this lock keeps the sums; one at a time. */
#define SQL_BEGIN_KEEPING                                                                          \
    "SELECT pg_try_advisory_lock('trendline_moments'::regclass::oid::int, 0)::int"
#define SQL_END_KEEPING "SELECT pg_advisory_unlock('trendline_moments'::regclass::oid::int, 0)"
#define SQL_KEPT        "SELECT events, slot FROM trendline_moments"
#define SQL_SET_PART                                                                               \
    "INSERT INTO trendline_moments_parts (slot, place, part) VALUES ($1, $2, $3) "                 \
    "ON CONFLICT (slot, place) DO UPDATE SET part = excluded.part"
#define SQL_SET_MOMENTS                                                                            \
    "INSERT INTO trendline_moments (slot, parts, snapshot, events, writers, numbers, crc) "        \
    "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (one) DO UPDATE SET slot = excluded.slot, "   \
    "parts = excluded.parts, snapshot = excluded.snapshot, events = excluded.events, "             \
    "writers = excluded.writers, numbers = excluded.numbers, crc = excluded.crc"

#endif
