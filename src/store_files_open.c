/* The store on files: opening what was made from the journal, and learning its events.
 *
 * Sums and ids are two files, each of which may be lost, damaged or older than the other. Reading
 * begins where the first event is missing in one of them, and each event goes to where it is
 * missing, so that a lost index of ids does not cost the learning too. */
#include "store_files.h"

#include "model_file.h"
#include "witness.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* Takes the snapshot of the events' sums if there is a good one: a missing or damaged one only
 * means to read the journal from its beginning. That of a window would be of no use without its
 * rows. */
static bool load_events(struct files *store, struct snapshot *snapshot, struct error *error)
{
    struct error unseen;
    watch_look(&store->events_watch, store->events_path, &unseen); /* first: what comes is newer */
    if (store->base.config->window > 0 || snapshot_read(snapshot, store->events_path, error))
        return true;
    if (error->kind == ERROR_DAMAGED)
        fprintf(stderr, SNAPSHOT_EVENTS ": %s: making it again from " JOURNAL_NAME "\n",
                error->text);
    return error->kind == ERROR_ABSENT || error->kind == ERROR_DAMAGED;
}

/* Without a journal there must be nothing that was made from one: a new one would give its events'
 * numbers, and take its ids, once more. */
static bool open_journal(struct files *store, const struct snapshot *snapshot, bool had_ids,
                         struct error *error)
{
    const struct model *model = store_model(&store->base);
    const char *rest = snapshot->schema             ? SNAPSHOT_EVENTS
                       : had_ids                    ? IDS_NAME
                       : model && model->events > 0 ? MODEL_NAME
                                                    : NULL;
    if (rest && access(store->journal_path, F_OK) != 0 && errno == ENOENT)
        return error_set(error, ERROR_DAMAGED,
                         JOURNAL_NAME ": is missing, but there is %s: put the file back, or remove "
                                      "the other files too to start over",
                         rest);
    store->journal = journal_open(store->base.config->data_dir, error);
    if (!store->journal)
        return false;
    return journal_lock(store->journal) ||
           error_set(error, ERROR_BUSY, "another process is writing " JOURNAL_NAME "; try again");
}

/* What told of another life of the directory, without ids, tells nothing of this one. */
static bool open_ids(struct files *store, bool had_ids, struct journal_position *known,
                     struct error *error)
{
    const struct config *config = store->base.config;
    if (!had_ids)
        witness_write(store->base.lock.fd, (struct journal_position){0});
    store->ids = ids_open(config->data_dir, config->id_window, error);
    return store->ids && ids_position(store->ids, known, error) &&
           journal_check(store->journal, *known, error);
}

/* Sums of another journal are of no use; whether it is the sums that are in the wrong place, or the
 * journal, the ids can tell, if they are not lost. */
static bool check_snapshot(struct files *store, struct snapshot *snapshot, int64_t known,
                           struct error *error)
{
    if (journal_check(store->journal, snapshot->position, error))
        return true;
    if (error->kind != ERROR_DAMAGED || known >= snapshot->position.seq)
        return false;
    fprintf(stderr, SNAPSHOT_EVENTS ": not of this " JOURNAL_NAME ": making it again\n");
    snapshot_free(snapshot);
    return true;
}

/* Of those events that are all stored no more matter than the last ones: that is quicker. */
static bool skip_forgotten(struct files *store, int64_t known, struct error *error)
{
    struct journal_position last;
    if (!journal_last(store->journal, &last, error))
        return false;
    int64_t forgotten = store_forgotten(&store->base, last.seq);
    store->base.learnt = forgotten;
    store->snapshot_at = known;
    int64_t from = known < forgotten ? known : forgotten;
    return from == 0 || journal_seek(store->journal, last, from, error);
}

/* Moves the journal to where the first event is that the sums or the ids lack. */
static bool begin_reading(struct files *store, struct snapshot *snapshot,
                          struct journal_position known, struct error *error)
{
    struct journal_position sums = snapshot->position;
    store->ids_known = known.seq;
    if (!snapshot->schema)
        return !store_forgets(&store->base) || skip_forgotten(store, known.seq, error);
    store_take_sums(&store->base, snapshot);
    struct journal_position from = known.seq < sums.seq ? known : sums;
    store->snapshot_at = from.seq;
    return from.seq == 0 || journal_resume(store->journal, from, snapshot->schema, error);
}

bool files_load(struct files *store, struct error *error)
{
    struct error none;
    model_file_refresh(&store->base.model, &none); /* it may know what a damaged file does not */
    store->loaded =
        load_events(store, &store->kept, error) && files_open_maps(store, &store->kept, error);
    return store->loaded;
}

static bool open_all(struct files *store, struct snapshot *snapshot, struct error *error)
{
    struct store *base = &store->base;
    struct journal_position known;
    struct error none;
    bool had_ids = access(store->ids_path, F_OK) == 0;
    /* what was built serves, also while the journal is read */
    if (!model_file_refresh(&base->model, &none))
        files_restore_model(base, &none);
    if ((!store->loaded && !files_load(store, error)) ||
        !open_journal(store, snapshot, had_ids, error) || !open_ids(store, had_ids, &known, error))
        return false;
    int64_t sums = snapshot->position.seq;
    if (!check_snapshot(store, snapshot, known.seq, error))
        return false;
    sums = snapshot->schema ? sums : 0;
    int64_t told = known.seq > sums ? known.seq : sums;
    store->stored = store->stored > told ? store->stored : told;
    return begin_reading(store, snapshot, known, error);
}

bool files_open(struct files *store, struct error *error)
{
    bool ok = open_all(store, &store->kept, error);
    if (!ok)
        files_close_all(store);
    files_unload(store);
    return ok;
}

void files_unload(struct files *store)
{
    snapshot_free(&store->kept);
    store->loaded = false;
}

void files_close_all(struct files *store)
{
    journal_close(store->journal);
    ids_close(store->ids);
    store_free_sums(&store->base);
    store_drop_maps(&store->base);
    store->journal = NULL;
    store->ids = NULL;
    store->base.learnt = store->snapshot_at = store->ids_known = 0;
    store->target = (struct journal_position){0};
    store->left = UINT64_MAX;
    store->ids_tried = 0;
}

/* ------------------------------------------------------------------ one event */

static bool learn_event(struct files *store, const struct journal_event *event, struct error *error)
{
    const struct schema *schema = journal_schema(store->journal);
    /* anew, because a first event of ours that was never stored may have had other features */
    bool first = store->base.learnt == 0 || !store->base.events;
    if (first && !store_start_moments(&store->base, schema, error))
        return false;
    /* what is new takes the place of what has gone, or there may be no room for all there ever was
     */
    if (!encoding_knows(store->base.events->encoding, event->event.row))
        store_settle(&store->base);
    if (!store_reserve_accepted(&store->base, event->event.row))
        return error_memory(error);
    store_learn(&store->base, event->event.row, event->seq);
    return true;
}

bool files_visit_event(void *context, const struct journal_event *event, struct error *error)
{
    struct files *store = context;
    const struct event *content = &event->event;
    if (files_is_time(store, event->offset == journal_position(store->journal).offset))
        return files_behind(store, error);
    if (event->seq > store->base.learnt && !learn_event(store, event, error))
        return false;
    if (event->seq <= store->ids_known)
        return true;
    if (content->id && !ids_add(store->ids, content->id, content->id_length, event->offset, error))
        return false;
    store->ids_known = event->seq;
    return true;
}
