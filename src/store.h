/* Store: the events and models of one data directory, shared with whoever else uses it.
 *
 * One process at a time may write, under the lock. The pattern is: store_lock until it is had,
 * store_catch_up (so that what others wrote is known), work, store_unlock. Everything below the
 * lock's functions wants the lock to be held and the store caught up.
 *
 * Much may have been stored that a process does not know yet: at a start without sums, with a lost
 * index of ids, after a long rest. That is read before the lock is had, piece by piece and without
 * holding it, by each further call of store_lock; what is left for store_catch_up is short. Of
 * several processes on one directory one reads and the others wait for what it makes of it; it
 * keeps that on the disk on the way, so that whoever takes over goes on from there. */
#ifndef TRENDLINE_STORE_H
#define TRENDLINE_STORE_H

#include "config.h"
#include "error.h"
#include "event.h"
#include "folds.h"
#include "lock.h"
#include "model.h"
#include "schema.h"
#include "settings.h"
#include "snapshot.h"

#include <stdbool.h>
#include <stdint.h>

struct store;

/* Can there be a store with these settings, as far as can be told without looking for it? What
 * store_open begins with. ERROR_UNUSABLE names the variable that will not do. */
bool store_check(const struct config *config, struct error *error);

/* `config` must outlive the store. Fails with ERROR_FULL on a read-only volume. */
struct store *store_open(const struct config *config, struct error *error);
void store_close(struct store *store); /* NULL is fine */

/* Never blocks, and works for some 10 ms at most: on LOCK_WAIT come back in some milliseconds, or
 * give up with store_unlock. `error` then says what is waited for, to be told to whoever has waited
 * too long: ERROR_BUSY, another process holds the lock; ERROR_BEHIND, what is stored is being read
 * ("reading the journal again: 1,200,000 of 3,000,000 events"), by these calls, so that they have
 * to go on if nobody waits any more. LOCK_ERROR: what was to be read cannot be. */
enum lock_result store_lock(struct store *store, struct error *error);
/* For those who have nothing else to do: waits up to 10 s for another process, and as long as it
 * takes for what has to be read; then takes the lock and catches up. */
bool store_wait(struct store *store, struct error *error);
/* False when the lock had to be kept, because a batch that failed could not be cut off the journal:
 * come back in some milliseconds, or nobody else can ever write. */
bool store_unlock(struct store *store);

/* How long all that follows may wait for a database, all waits together, until this is called
 * again: what is not had by then is ERROR_BUSY. Without limit at first. */
void store_limit_waits(struct store *store, int64_t ms);

/* Both need no lock: to be called before it is asked for, so that nobody has to wait for who waits
 * for a database. False while a failure is so fresh that nothing is tried: */
bool store_may_try(const struct store *store, struct error *error);
/* Whether catching up would bring anything; asks the database. */
bool store_has_news(struct store *store, bool *news, struct error *error);

/* For a start, beside which others may be served already: from now on until this store is closed
 * they do not store the first event, nor build, and say what they wait for. Where there are events
 * it makes no difference. */
void store_start(struct store *store, const char *sentence);

/* Learns what has been written since: the journal's new events, a new train file's sums, a new
 * model. An incomplete last batch in the journal is cut. After ERROR_DAMAGED nothing may be
 * written. ERROR_BEHIND: terms have begun meanwhile that want more events to be read again than
 * the lock may be held for; store_lock goes on with it. */
bool store_catch_up(struct store *store, struct error *error);

/* For a start, before anything is read: claims the store for its settings (settings.h), until the
 * store is closed; *was: what those kept before are to them. False with ERROR_SYSTEM: a service
 * with others lives. Then, when all that a start has to do is done, keeps them. */
bool store_claim_settings(struct store *store, enum settings_result *was, struct error *error);
bool store_keep_settings(struct store *store, struct error *error);

/* The features that events must have, or NULL while nothing has fixed them. */
const struct schema *store_schema(const struct store *store);
bool store_allows_missing(const struct store *store); /* MISSING=allow */
int64_t store_events(const struct store *store); /* how many are stored: the last one's number */
/* The schema of the events alone, or NULL while there are none. */
const struct schema *store_event_schema(const struct store *store);

/* All rows' sums, train file and events (of those in the WINDOW); the store's still, and only until
 * it learns more. False with ERROR_CONFLICT when there is nothing to train on. */
bool store_rows(const struct store *store, struct folds_set *rows, struct error *error);

/* Where terms are made from, once that is known and where a model may be chosen; NULL otherwise.
 * *schema: whose columns' places those are. */
struct term_maps *store_maps(const struct store *store, const struct schema **schema);
/* Lets sums of terms begin, if there may be some and there are none: by the places of the rows that
 * are known by now, whose terms are then made too. For a build; from STORE_FIRST_ROWS events on it
 * happens by itself, so that it never takes long. */
enum { STORE_FIRST_ROWS = 1000, STORE_TERMS_ROWS = 4096 };
/* While more events of the same body are to come, terms wait for them, but no longer than until
 * there are STORE_TERMS_ROWS: what a model is made from must not depend on how long the body takes.
 */
void store_expect_more(struct store *store, bool more);
bool store_begin_terms(struct store *store, struct error *error);

/* Where columns have moved so far since that models of terms are of little use, lets the terms
 * begin anew, of no more than STORE_RENEW_ROWS events: first in this process alone, which reads
 * them again (ERROR_BEHIND: call it again when the lock is had and the store caught up), then for
 * all. For a build, before the train file is read. */
enum { STORE_RENEW_ROWS = 50000 };
bool store_renew_terms(struct store *store, struct error *error);

/* ---- events */

enum store_outcome {
    STORE_ADDED,
    STORE_DUPLICATE, /* this id with this content is stored already, or in this batch */
    STORE_REFUSED    /* `error` says why: ERROR_CONFLICT, another event has this id */
};

/* Fixes the schema by the first event, until the batch fails or it is unset before any event was
 * added. Only while store_schema is NULL. */
bool store_set_schema(struct store *store, const struct schema *schema, struct error *error);
void store_unset_schema(struct store *store);

/* Puts an event into the open batch. *ticket counts the batch's events from 0. False: it was
 * refused at once, and has no ticket. */
bool store_add(struct store *store, const struct event *event, size_t *ticket, struct error *error);
size_t store_batch_bytes(const struct store *store);
/* Is the open batch to be committed before more is added? Terms begin with the first
 * STORE_FIRST_ROWS events, whatever batches they come in: what a model is made from must not depend
 * on the time. */
bool store_batch_is_full(const struct store *store);

/* Makes the open batch durable, all of it or nothing, and learns it. */
bool store_commit(struct store *store, struct error *error);

/* What became of an event, once its batch is durable and until the next one is begun. *seq is its
 * number, or the number of the one that it duplicates. */
enum store_outcome store_outcome(const struct store *store, size_t ticket, int64_t *seq,
                                 struct error *error);

/* Visits the events that were stored when the store caught up last, each once; `seq` is the event's
 * number. The order is not that of the numbers where several replicas wrote. Wants no lock: what is
 * stored does not change. */
typedef bool store_visitor(void *context, int64_t seq, const struct event *event,
                           struct error *error);
bool store_visit(struct store *store, store_visitor *visit, void *context, struct error *error);

/* Tells the store's events from those of any other. Wants an event to be stored. */
enum { STORE_IDENTITY_MAX = 40 };
bool store_identity(struct store *store, char identity[static STORE_IDENTITY_MAX],
                    struct error *error);

/* ---- the train file's sums */

const struct snapshot *store_train(const struct store *store); /* NULL: none */
/* Have these and the events together no more levels and columns than there may be? */
bool store_fits_train(const struct store *store, const struct snapshot *train, struct error *error);
/* Replaces them (`train` is taken over, its content emptied), or drops them with NULL. */
bool store_set_train(struct store *store, struct snapshot *train, struct error *error);

/* ---- models */

/* The current model as last published by anyone, or NULL. */
const struct model *store_model(const struct store *store);

/* Makes `model` (taken over on success) the current one; a build makes it the next version too,
 * written to models/ and durable. An online update keeps version and time of the current model. */
bool store_publish_build(struct store *store, struct model *model, struct error *error);
bool store_publish_update(struct store *store, struct model *model, struct error *error);
/* Makes the newest version in models/ the current model when model.json is missing or damaged. On
 * files store_lock has done so when it first looked. ERROR_ABSENT: none has ever been built here.
 */
bool store_restore_model(struct store *store, struct error *error);

/* Writes the moments and the id index to their files, so that the next start need not replay. Does
 * nothing with a database: see store_keep. */
bool store_snapshot(struct store *store, struct error *error);
/* The same for a database, which is slow: a part of it, for whoever is asked nothing, after
 * catching up. Wants no lock. *more: there is more to do at once. False: not now, which only makes
 * the next start slower; the store tries again by itself. */
bool store_keep(struct store *store, bool *more, struct error *error);

#endif
