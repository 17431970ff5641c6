/* The store on files: the lock, and reading what was stored by anyone.
 *
 * What is far behind is read without the lock, up to the last batch that was whole when the lock
 * was had last: what is complete never changes. Only the rest is read under it, a few batches that
 * came meanwhile. On the way sums and ids are kept from time to time, so that a process that is
 * killed costs no more than the last seconds' work. */
#include "store_files.h"

#include "clock.h"
#include "witness.h"

#include <stdio.h>
#include <string.h>

enum {
    NEAR = 64 << 10, /* bytes that are read under the lock: some ten milliseconds' work */
    FAR = 1 << 20,   /* more than that is worth a look at the snapshot, and one reader for all */
    IDS_KEPT = 4096, /* ids in memory, or there about */
    KEEP_MS = 2000,  /* between two snapshots on the way, */
    KEEP_SHARE = 10, /* and so many times what one takes */
};

static bool is_behind(const struct files *store)
{
    return store->journal && journal_position(store->journal).seq < store->target.seq;
}

bool files_behind(const struct files *store, struct error *error)
{
    return store_is_behind("the journal", journal_position(store->journal).seq, store->target.seq,
                           error);
}

/* ------------------------------------------------------------------ the lock */

static enum lock_result take_lock(struct files *store, struct error *error)
{
    enum lock_result result = store_take_lock(&store->base, error);
    if (result != LOCK_HELD || !store->journal || journal_lock(store->journal))
        return result;
    lock_release(&store->base.lock); /* somebody holds a lock that was removed or renamed */
    error_set(error, ERROR_BUSY, LOCK_BUSY_TEXT);
    return LOCK_WAIT;
}

static void release_lock(struct files *store)
{
    if (store->journal)
        journal_unlock(store->journal);
    lock_release(&store->base.lock);
}

static void end_recovery(struct files *store)
{
    if (!store->starts)
        recovery_release(&store->recovery);
}

bool files_unlock(struct store *base)
{
    struct files *store = (struct files *)base;
    if (store->journal && !journal_settle(store->journal))
        return false;
    end_recovery(store); /* who gives up must not keep others from it */
    release_lock(store);
    return true;
}

/* ------------------------------------------------------------------ reading without the lock */

/* Sums with other maps than all others have are of use to nobody yet. */
static bool is_sums_time(const struct files *store, int64_t now)
{
    return store->recovery.held && !store->base.maps_unsaid && now >= store->keep_at;
}

static bool wants_keeping(const struct files *store)
{
    return is_sums_time(store, clock_ms()) || ids_recent(store->ids) >= store->ids_tried + IDS_KEPT;
}

/* Sums and ids are kept where a batch begins: as of the middle of one they would be of no use. */
bool files_is_time(struct files *store, bool between_batches)
{
    if (store->pause_at == 0)
        return false;
    store->keeps = between_batches && wants_keeping(store);
    return store->keeps || clock_ms() >= store->pause_at;
}

/* Without room on the disk it is tried again later. */
static void keep(struct files *store)
{
    struct error full;
    int64_t begun = clock_ms();
    store->keeps = false;
    bool whole = is_sums_time(store, begun);
    if (!whole)
        ids_flush(store->ids, journal_position(store->journal), &full);
    else
        files_snapshot(&store->base, &full);
    store->ids_tried = ids_recent(store->ids);
    int64_t now = clock_ms(), pause = KEEP_SHARE * (now - begun);
    if (whole)
        store->keep_at = now + (pause > KEEP_MS ? pause : KEEP_MS);
}

/* Whether somebody has replaced the snapshot since it was opened. It is no help with other maps. */
static bool has_newer_snapshot(struct files *store)
{
    struct error unseen;
    return store->base.config->window == 0 && !store->base.maps_unsaid &&
           watch_look(&store->events_watch, store->events_path, &unseen) == WATCH_CHANGED;
}

/* Becomes the one who reads, unless another process is. What that has made is taken over. */
static bool lead(struct files *store, struct error *error)
{
    struct recovery *recovery = &store->recovery;
    struct error progress;
    if (!recovery->held) {
        if (!recovery_take(recovery, store->base.config->data_dir))
            return recovery_told(recovery, error);
        store->keep_at = clock_ms() + KEEP_MS;
    }
    files_behind(store, &progress);
    recovery_tell(recovery, progress.text);
    if (!has_newer_snapshot(store))
        return true;
    *error = progress;
    files_close_all(store);
    return false;
}

/* A piece of what is to be read. LOCK_HELD: all of it has been. */
static enum lock_result read_on(struct files *store, struct error *error)
{
    if (store->left > FAR && !lead(store, error))
        return LOCK_WAIT;
    store->pause_at = clock_ms() + STORE_SLICE_MS;
    bool ok = journal_visit(store->journal, store->target, files_visit_event, store, error);
    store->pause_at = 0;
    if (!ok && error->kind != ERROR_BEHIND) {
        end_recovery(store);
        store->target = (struct journal_position){0}; /* the next time it is looked again */
        store->left = UINT64_MAX;
        return LOCK_ERROR;
    }
    struct error busy;
    if (store->keeps && take_lock(store, &busy) == LOCK_HELD) {
        keep(store);
        release_lock(store);
    }
    return ok ? LOCK_HELD : LOCK_WAIT;
}

/* ------------------------------------------------------------------ how far it is */

/* With the lock. What was renamed, removed or replaced under this process is seen here, before each
 * batch. */
static bool open_what_is_there(struct files *store, struct error *error)
{
    if (store->journal && !journal_in_place(store->journal, error))
        return false;
    if (store->journal && !ids_in_place(store->ids))
        files_close_all(store);
    return store->journal || files_open(store, error);
}

/* Whether none of the events that were learnt matters any more. */
static bool is_forgotten(const struct files *store)
{
    return store_forgotten(&store->base, store->target.seq) > store->base.learnt;
}

/* Sets the target where much is to be read before. It must become less each time: what others store
 * as fast as it is read here is read under the lock. */
static bool look_ahead(struct files *store, struct error *error)
{
    uint64_t before = store->left;
    store->target = (struct journal_position){0};
    if (!open_what_is_there(store, error) || !journal_left(store->journal, &store->left, error))
        return false;
    if (store->left <= NEAR || store->left >= before) {
        store->left = UINT64_MAX;
        return true;
    }
    if (!journal_last(store->journal, &store->target, error))
        return false;
    files_behind(store, error);
    if (store->left > FAR && is_forgotten(store))
        files_close_all(store); /* to begin where the first one is that does */
    return true;
}

/* While there is no event nobody may store one beside a start, which may be about to learn the
 * train file: that fixes the features. */
static bool may_begin(struct files *store, struct error *error)
{
    struct recovery *recovery = &store->recovery;
    uint64_t left;
    bool none =
        files_events(&store->base) == 0 && journal_left(store->journal, &left, error) && left == 0;
    return !none || recovery->held || recovery_take(recovery, store->base.config->data_dir) ||
           recovery_told(recovery, error);
}

enum lock_result files_lock(struct store *base, struct error *error)
{
    struct files *store = (struct files *)base;
    enum lock_result result = LOCK_HELD;
    if (base->lock.held)
        return LOCK_HELD;
    if (!store->journal && !store->loaded && !files_load(store, error))
        return LOCK_ERROR;
    if (is_behind(store))
        result = read_on(store, error);
    if (result != LOCK_HELD || (result = take_lock(store, error)) != LOCK_HELD)
        return result;
    bool ok = look_ahead(store, error);
    if (ok && store->journal && !is_behind(store) && may_begin(store, error)) {
        end_recovery(store);
        return LOCK_HELD;
    }
    release_lock(store);
    return ok ? LOCK_WAIT : LOCK_ERROR;
}

void files_start(struct store *base, const char *sentence)
{
    struct files *store = (struct files *)base;
    store->starts = recovery_take(&store->recovery, base->config->data_dir);
    recovery_tell(&store->recovery, sentence);
}

bool files_read_again(struct store *base, struct error *error)
{
    struct files *store = (struct files *)base;
    store_is_behind("the journal", 0, files_events(base), error);
    files_close_all(store);
    return false;
}

/* ------------------------------------------------------------------ catching up */

static bool refresh_train(struct files *store, struct error *error)
{
    struct snapshot train;
    switch (watch_look(&store->train_watch, store->train_path, error)) {
    case WATCH_SAME:
        return true;
    case WATCH_ABSENT:
        snapshot_free(&store->base.train);
        return true;
    case WATCH_ERROR:
        return false;
    case WATCH_CHANGED:
        break;
    }
    if (!snapshot_read(&train, store->train_path, error)) {
        watch_close(&store->train_watch);
        if (error->kind != ERROR_DAMAGED)
            return false;
        fprintf(stderr, SNAPSHOT_TRAIN ": %s: the next build reads the train file again\n",
                error->text);
        memset(&train, 0, sizeof train);
    }
    snapshot_free(&store->base.train);
    store->base.train = train;
    return true;
}

/* Somebody's build may have let the terms begin anew. */
static bool refresh_maps(struct files *store, struct error *error)
{
    struct store *base = &store->base;
    struct term_maps *maps = NULL;
    if (!base->maps || watch_look(&store->terms_watch, store->terms_path, error) != WATCH_CHANGED)
        return true;
    if (!files_load_maps(base, base->maps_schema, &maps, error))
        return false;
    if (maps && !term_maps_equal(maps, base->maps))
        return store_change_maps(base, maps, error);
    term_maps_free(maps);
    return true;
}

/* The last event that is known to have been stored, from elsewhere than the journal. */
static int64_t known_events(const struct files *store, struct journal_position witness)
{
    const struct model *model = store_model(&store->base);
    int64_t known = store->stored > witness.seq ? store->stored : witness.seq;
    return model && model->events > known ? model->events : known;
}

/* A journal that was cut between two batches looks whole; so does another one. */
static bool check_complete(const struct files *store, int64_t known,
                           struct journal_position witness, struct error *error)
{
    struct journal_position end = journal_position(store->journal);
    if (end.seq < known)
        return error_set(error, ERROR_DAMAGED,
                         JOURNAL_NAME
                         ":%lld: the journal ends behind event %lld, but %lld have been "
                         "stored; restore it from a copy, or remove the other files too to "
                         "start over",
                         (long long)end.seq, (long long)end.seq, (long long)known);
    return end.seq != witness.seq || end.offset == witness.offset ||
           error_set(error, ERROR_DAMAGED,
                     JOURNAL_NAME ": is not the file that the last event was stored in: another "
                                  "process of this directory has another one; put the right one "
                                  "back");
}

bool files_catch_up(struct store *base, struct error *error)
{
    struct files *store = (struct files *)base;
    struct error no_model;
    if (!store->journal && !files_open(store, error))
        return false;
    model_file_refresh(&base->model, &no_model);
    struct journal_position witness = witness_read(base->lock.fd);
    int64_t known = known_events(store, witness);
    if (!journal_replay(store->journal, known, files_visit_event, store, error) ||
        !check_complete(store, known, witness, error) || !refresh_train(store, error) ||
        !refresh_maps(store, error) || !store_follow_terms(base, error))
        return false;
    store_settle(base);
    files_snapshot_if_due(store);
    return true;
}
