/* Postgres: one connection to a database, made again when it is lost. The one place that knows
 * libpq.
 *
 * No call waits for POSTGRES_PATIENCE_MS while nothing moves, and all of them together no longer
 * than their caller's patience; what does move, either way, may take its time, since links are slow
 * and values large. After any failure, be it one of SQL, the connection is closed, so that no
 * transaction stays open; the next try comes after a pause, which doubles from 0.1 s to 5 s while
 * tries fail. libpq's own words are in an error's detail only: they name host, user and database.
 */
#ifndef TRENDLINE_POSTGRES_H
#define TRENDLINE_POSTGRES_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { POSTGRES_PATIENCE_MS = 2000 };

/* Is it a URI that libpq reads as its writer meant it? If not, ERROR_UNUSABLE, with the remedy and
 * without any part of it; `variable` is where it came from. */
bool postgres_check_uri(const char *uri, const char *variable, struct error *error);

struct postgres;

/* Nothing is connected yet. `uri`: libpq's, copied; `prepare` (NULL: nothing is to be done) is
 * called on each new connection, which is given up when it fails. NULL without memory. */
struct postgres *postgres_new(const char *uri,
                              bool (*prepare)(struct postgres *postgres, void *context,
                                              struct error *error),
                              void *context);
void postgres_free(struct postgres *postgres); /* NULL is fine */

/* How long all that follows may wait for the database, all waits together, until this is called
 * again; without limit at first. What cannot be had in that time is ERROR_BUSY; what has not been
 * begun then leaves the connection as it is. */
void postgres_set_patience(struct postgres *postgres, int64_t ms);

/* False while the pause after a failure lasts, with that failure's error. */
bool postgres_may_try(const struct postgres *postgres, struct error *error);

/* Connects unless it is connected. False: ERROR_BUSY, at once while the pause lasts. */
bool postgres_connect(struct postgres *postgres, struct error *error);

/* The number that pg_backend_pid() has in this session; a pooler between here and there makes up
 * one of its own. To be called when connected. */
int64_t postgres_session(const struct postgres *postgres);
#define POSTGRES_POOLED_TEXT                                                                       \
    "the database is behind a pooler that gives each transaction another session: Trendline "      \
    "needs "                                                                                       \
    "sessions of its own, such as PgBouncer's with pool_mode=session, or a URI of the server "     \
    "itself"

/* Queues one statement; `values`: `count` of its parameters as text (NULL: null), to stay as they
 * are until postgres_run. */
enum { POSTGRES_PARAMETERS_MAX = 8, POSTGRES_STATEMENTS_MAX = 8 };
void postgres_queue(struct postgres *postgres, const char *statement, int count,
                    const char *const *values);

/* As postgres_queue, for one whose rows may be many or long: the server's own limit, which is one
 * on the whole statement, does not hold for it. Takes two places of the queue. */
void postgres_queue_long(struct postgres *postgres, const char *statement, int count,
                         const char *const *values);

/* Sends what is queued in one round trip; a transaction unless it has BEGIN and COMMIT itself. The
 * results, numbered as they were queued, stay until the next run. False: ERROR_BUSY, and what was
 * sent may have been done or not if it had a COMMIT. */
bool postgres_run(struct postgres *postgres, struct error *error);

/* Did the last run fail by an error of this class (SQLSTATE)? */
bool postgres_failed_by(const struct postgres *postgres, const char *sqlstate);

size_t postgres_rows(const struct postgres *postgres, size_t result);
/* NULL: null. */
const char *postgres_text(const struct postgres *postgres, size_t result, size_t row, int column);
int64_t postgres_number(const struct postgres *postgres, size_t result, size_t row, int column);

/* Closes the connection without a pause: what is known about the session no longer holds. */
void postgres_drop(struct postgres *postgres);

#endif
