/* The store on files: the journal and all that is made from it, in one directory. */
#include "store_files.h"

#include "file.h"
#include "maps_file.h"
#include "model_file.h"
#include "settings_file.h"
#include "timestamp.h"
#include "versions.h"
#include "witness.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <xxhash.h>

enum {
    SNAPSHOT_EVERY = 4096, /* events: what a start has to replay at most, or there about */
    ID_SHOWN_MAX = 300,    /* bytes of an id in an error */
    INODES_MIN = 8,        /* for the files that are written beside those they replace */
    MODEL_SLACK = 4096,    /* by how much a model may grow with an event, beyond the event's text */
    SPACE_SLACK =
        1 << 20 /* bytes that must be free beyond MIN_FREE, for the model after an event */
};

struct outcome {
    int64_t seq;
    bool duplicate;
};

/* ------------------------------------------------------------------ open, close */

static bool make_paths(struct files *store, struct error *error)
{
    const char *directory = store->base.config->data_dir;
    if (snprintf(store->events_path, PATH_MAX, "%s/" SNAPSHOT_EVENTS, directory) >= PATH_MAX ||
        snprintf(store->train_path, PATH_MAX, "%s/" SNAPSHOT_TRAIN, directory) >= PATH_MAX ||
        snprintf(store->terms_path, PATH_MAX, "%s/" TERMS_NAME, directory) >= PATH_MAX ||
        snprintf(store->ids_path, PATH_MAX, "%s/" IDS_NAME, directory) >= PATH_MAX ||
        snprintf(store->journal_path, PATH_MAX, "%s/" JOURNAL_NAME, directory) >= PATH_MAX)
        return error_set(error, ERROR_SYSTEM, "the path of the data directory is too long");
    return true;
}

static void files_close(struct store *base)
{
    struct files *store = (struct files *)base;
    journal_close(store->journal);
    ids_close(store->ids);
    recovery_close(&store->recovery);
    watch_close(&store->events_watch);
    watch_close(&store->train_watch);
    watch_close(&store->terms_watch);
    files_unload(store);
    settings_file_end(&store->claim);
    buffer_free(&store->batch_rows);
    buffer_free(&store->outcomes);
    store_free_shared(base);
    free(store);
}

static bool files_claim_settings(struct store *base, enum settings_result *was, struct error *error)
{
    struct files *store = (struct files *)base;
    bool ok = settings_file_claim(base->config, &store->claim, error);
    *was = store->claim.was;
    return ok;
}

static bool files_keep_settings(struct store *base, struct error *error)
{
    struct files *store = (struct files *)base;
    return settings_file_keep(base->config, &store->claim, error);
}

static const struct schema *files_event_schema(const struct store *base)
{
    const struct files *store = (const struct files *)base;
    return store->journal ? journal_schema(store->journal) : NULL;
}

int64_t files_events(const struct store *base)
{
    const struct files *store = (const struct files *)base;
    return store->journal ? journal_position(store->journal).seq : 0;
}

/* Whether a limit on the size of files (ulimit -f) leaves room for `bytes` more in the journal, and
 * for the model after them. */
static bool check_file_size(const struct files *store, uint64_t bytes, struct error *error)
{
    struct rlimit limit;
    uint64_t journal = journal_position(store->journal).offset + bytes;
    uint64_t model = store->base.model.text.length + bytes + MODEL_SLACK;
    return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
           (journal <= limit.rlim_cur && model <= limit.rlim_cur) ||
           error_set(error, ERROR_FULL,
                     "files may have %llu bytes at most here (ulimit -f), and %llu are needed: "
                     "raise it, then start again",
                     (unsigned long long)limit.rlim_cur,
                     (unsigned long long)(journal > model ? journal : model));
}

/* Whether `bytes` more fit on the volume without going below MIN_FREE. */
static bool check_space(const struct files *store, uint64_t bytes, struct error *error)
{
    struct statvfs space;
    if (statvfs(store->base.config->data_dir, &space) != 0)
        return error_errno(error, "cannot tell the free space of the data directory");
    if (space.f_flag & ST_RDONLY)
        return error_set(error, ERROR_FULL, "the data directory is read-only");
    if (space.f_files > 0 && space.f_favail < INODES_MIN)
        return error_set(error, ERROR_FULL,
                         "the volume has no free inodes for files of ours: remove some files, then "
                         "try again");
    uint64_t available = (uint64_t)space.f_bavail * space.f_frsize;
    uint64_t needed = store->base.config->min_free + bytes + SPACE_SLACK;
    return (available >= needed ||
            error_set(
                error, ERROR_FULL,
                "the volume has %llu MB of free space, and %llu MB are needed (MIN_FREE and what "
                "is to be written): free some, then try again",
                (unsigned long long)(available >> 20),
                (unsigned long long)((needed + (1 << 20) - 1) >> 20))) &&
           check_file_size(store, bytes, error);
}

/* ------------------------------------------------------------------ adding events */

static size_t row_size(const struct files *store)
{
    return schema_cells(store_schema(&store->base)) * sizeof(double);
}

/* The first event of all: its schema, or the train file's, becomes the journal's. */
static bool prepare_first(struct files *store, struct error *error)
{
    const struct schema *schema = store_schema(&store->base);
    if (files_events(&store->base) > 0 || store->batch_rows.length > 0)
        return true;
    return journal_set_schema(store->journal, schema, error) &&
           store_start_moments(&store->base, schema, error);
}

/* Is the event at `offset`, which has the same id, the same in content? */
static bool compare_content(struct files *store, uint64_t offset, const struct event *event,
                            int64_t *seq, struct error *error)
{
    struct journal_event stored;
    const char *id = event->id;
    size_t id_length = event->id_length;
    if (!journal_read(store->journal, offset, &stored, error))
        return false;
    if (!stored.event.id || stored.event.id_length != id_length ||
        memcmp(stored.event.id, id, id_length) != 0)
        return error_set(error, ERROR_DAMAGED,
                         IDS_NAME
                         ": points to the wrong event %lld; stop the service and delete this file, "
                         "the next start makes it again",
                         (long long)stored.seq);
    *seq = stored.seq;
    for (size_t i = 0; i < schema_cells(store_schema(&store->base)); i++)
        if (stored.event.row[i] != event->row[i] &&
            !(isnan(stored.event.row[i]) && isnan(event->row[i])))
            return error_set(error, ERROR_CONFLICT,
                             "_id \"%.*s\" is already stored as event %lld with other content",
                             id_length < ID_SHOWN_MAX ? (int)id_length : ID_SHOWN_MAX, id,
                             (long long)stored.seq);
    return true;
}

static bool add_new(struct files *store, const struct event *event, int64_t *seq,
                    struct error *error)
{
    uint64_t offset;
    if (!store_reserve(&store->base, event->row, error))
        return false;
    *seq = journal_add(store->journal, event, &offset);
    /* should memory run out here, the whole batch fails at its commit */
    buffer_append(&store->batch_rows, event->row, row_size(store));
    if (event->id && !ids_add(store->ids, event->id, event->id_length, offset, error))
        store->batch_rows.failed = true;
    return true;
}

static bool add_or_find(struct files *store, const struct event *event, struct outcome *outcome,
                        struct error *error)
{
    uint64_t offset;
    enum ids_result known =
        event->id ? ids_find(store->ids, event->id, event->id_length, &offset, error) : IDS_UNKNOWN;
    outcome->duplicate = known == IDS_FOUND;
    if (known == IDS_UNKNOWN)
        return add_new(store, event, &outcome->seq, error);
    return known == IDS_FOUND && compare_content(store, offset, event, &outcome->seq, error);
}

static bool files_add(struct store *base, const struct event *event, size_t *ticket,
                      struct error *error)
{
    struct files *store = (struct files *)base;
    if (store->settled)
        buffer_clear(&store->outcomes);
    store->settled = false;
    /* room first: an event that was added must have its outcome */
    struct outcome *outcome = (void *)buffer_reserve(&store->outcomes, sizeof *outcome);
    if (!outcome) {
        store->outcomes.failed = false;
        return error_memory(error);
    }
    if (!prepare_first(store, error) || !add_or_find(store, event, outcome, error))
        return false;
    *ticket = store->outcomes.length / sizeof *outcome;
    store->outcomes.length += sizeof *outcome;
    return true;
}

/* What could be wrong was known at store_add. */
static enum store_outcome files_outcome(const struct store *base, size_t ticket, int64_t *seq,
                                        struct error *error)
{
    const struct files *store = (const struct files *)base;
    const struct outcome *outcome = (const struct outcome *)store->outcomes.data + ticket;
    (void)error;
    *seq = outcome->seq;
    return outcome->duplicate ? STORE_DUPLICATE : STORE_ADDED;
}

static size_t files_batch_bytes(const struct store *base)
{
    const struct files *store = (const struct files *)base;
    return journal_open_bytes(store->journal);
}

static void learn_batch(struct files *store)
{
    size_t size = row_size(store);
    for (size_t at = 0; at < store->batch_rows.length; at += size)
        store_learn(&store->base, (const double *)(store->batch_rows.data + at),
                    store->base.learnt + 1);
}

/* Durable, and where its name leads: a file that was renamed meanwhile is not there for whoever
 * opens it next. */
static bool write_batch(struct files *store, struct error *error)
{
    if (store->batch_rows.failed)
        return error_memory(error);
    if (store->batch_rows.length == 0)
        return true;
    return check_space(store, files_batch_bytes(&store->base), error) &&
           journal_commit(store->journal, error) && journal_in_place(store->journal, error);
}

static void take_batch(struct files *store)
{
    learn_batch(store);
    store_settle(&store->base);
    store->stored = store->base.learnt;
    witness_write(store->base.lock.fd, journal_position(store->journal));
}

static void drop_batch(struct files *store, struct journal_position before)
{
    bool astray = journal_position(store->journal).seq > before.seq;
    journal_discard(store->journal);
    ids_forget(store->ids, before.offset);
    if (astray) { /* put back, the file must not have what was refused */
        journal_take_back(store->journal, before);
        files_close_all(store);
    }
}

void files_snapshot_if_due(struct files *store)
{
    struct error late;
    if (store->base.learnt - store->snapshot_at >= SNAPSHOT_EVERY &&
        !files_snapshot(&store->base, &late)) /* it only makes the next start slower */
        fprintf(stderr, "%s\n", late.text);
}

static bool files_commit(struct store *base, struct error *error)
{
    struct files *store = (struct files *)base;
    struct journal_position before = journal_position(store->journal);
    bool ok = write_batch(store, error);
    if (!ok)
        drop_batch(store, before);
    else if (store->batch_rows.length > 0)
        take_batch(store);
    buffer_clear(&store->batch_rows);
    store->settled = true;
    store_unset_schema(base);
    store_forget_unstored(base);
    if (ok)
        files_snapshot_if_due(store);
    return ok;
}

/* ------------------------------------------------------------------ all events */

struct visit {
    store_visitor *visit;
    void *context;
};

static bool visit_stored(void *context, const struct journal_event *stored, struct error *error)
{
    const struct visit *visit = context;
    char time[TIMESTAMP_MAX];
    struct event event = stored->event;
    snprintf(time, sizeof time, "%.*s", TIMESTAMP_LENGTH, stored->event.time);
    event.time = time;
    return visit->visit(visit->context, stored->seq, &event, error);
}

/* By a journal of its own, whose position is at the beginning. */
static bool files_visit(struct store *base, store_visitor *visit, void *context,
                        struct error *error)
{
    const struct files *store = (const struct files *)base;
    struct visit to = {visit, context};
    struct journal *journal = journal_open_again(store->journal, error);
    bool ok = journal &&
              journal_visit(journal, journal_position(store->journal), visit_stored, &to, error);
    journal_close(journal);
    return ok;
}

/* By the first event, which a copy of the directory shares: it has the same events. */
static bool files_identity(struct store *base, char identity[static STORE_IDENTITY_MAX],
                           struct error *error)
{
    struct files *store = (struct files *)base;
    struct journal_event first;
    if (!journal_read(store->journal, 0, &first, error))
        return false;
    XXH64_hash_t hash = XXH3_64bits(first.event.row, row_size(store) - sizeof(double));
    hash = XXH3_64bits_withSeed(first.event.time, TIMESTAMP_LENGTH, hash);
    hash = XXH3_64bits_withSeed(first.event.id, first.event.id_length, hash);
    snprintf(identity, STORE_IDENTITY_MAX, "%016llx", (unsigned long long)hash);
    return true;
}

/* ------------------------------------------------------------------ terms */

static bool files_renew_maps(struct store *base, const struct schema *schema,
                             const struct term_maps *maps, struct error *error)
{
    return maps_file_write(((struct files *)base)->terms_path, schema, maps, error);
}

bool files_load_maps(struct store *base, const struct schema *schema, struct term_maps **maps,
                     struct error *error)
{
    return maps_file_read(base, ((struct files *)base)->terms_path, schema, store_known_maps(base),
                          maps, error);
}

/* At the opening, where `kept` has the sums as they were kept, if they were. Of other terms, or of
 * another MODEL or FORGET, they are of no use. */
bool files_open_maps(struct files *store, struct snapshot *kept, struct error *error)
{
    struct store *base = &store->base;
    struct known_maps known = store_known_maps(base);
    if (kept->folds && kept->folds->maps)
        known = (struct known_maps){kept->schema, kept->folds->maps};
    if (!base->maps && !maps_file_read(base, store->terms_path, NULL, known, &base->maps, error))
        return false;
    bool all = kept->recent || base->config->forget == 0;
    if (kept->folds && !(all && store_fits(base, kept->folds)))
        snapshot_free(kept);
    return true;
}

static bool files_save_maps(struct store *base, const struct schema *schema,
                            const struct term_maps *maps, struct error *error)
{
    struct term_maps *known;
    if (!files_load_maps(base, schema, &known, error))
        return false;
    term_maps_free(known);
    return known || files_renew_maps(base, schema, maps, error);
}

/* ------------------------------------------------------------------ train file, models, snapshot
 */

static bool files_set_train(struct store *base, struct snapshot *train, struct error *error)
{
    struct files *store = (struct files *)base;
    if (train && !snapshot_write(train, store->train_path, error))
        return false;
    if (!train && remove(store->train_path) != 0 && errno != ENOENT)
        return error_errno(error, "cannot remove " SNAPSHOT_TRAIN);
    struct error unseen; /* our own file need not be read back, but may be */
    watch_look(&store->train_watch, store->train_path, &unseen);
    snapshot_free(&store->base.train);
    if (train) {
        store->base.train = *train;
        *train = (struct snapshot){0};
    }
    return true;
}

/* The current one may be newer than the newest file, where that was lost. */
static bool last_version(const struct store *base, int64_t *version, struct error *error)
{
    const struct model *model = store_model(base);
    if (!versions_last(base->config->data_dir, version, error))
        return false;
    if (model && model->version > *version)
        *version = model->version;
    return true;
}

bool files_restore_model(struct store *base, struct error *error)
{
    int64_t version;
    if (store_model(base) || !last_version(base, &version, error))
        return store_model(base);
    if (version == 0)
        return error_set(error, ERROR_ABSENT, "no model has been built");
    struct model *model = versions_read(base->config->data_dir, version, error);
    if (model && model_file_publish(&base->model, model, true, error))
        return true;
    bool has_no_room = model && error->kind == ERROR_FULL;
    model_free(model);
    return has_no_room && versions_link(base->config->data_dir, version, base->model.path, error) &&
           model_file_refresh(&base->model, error);
}

static bool files_publish_build(struct store *base, struct model *model, struct error *error)
{
    struct files *store = (struct files *)base;
    int64_t last;
    if (!check_space(store, 0, error) || !last_version(base, &last, error))
        return false;
    model->version = last + 1;
    store_stamp(base, model);
    model_time(model->created);
    if (!versions_write(base->config->data_dir, model, error) ||
        !model_file_publish(&base->model, model, true, error))
        return false;
    versions_prune(base->config->data_dir, last + 2 - base->config->keep_versions);
    return true;
}

bool files_snapshot(struct store *base, struct error *error)
{
    struct files *store = (struct files *)base;
    struct journal_position position = journal_position(store->journal);
    if (position.seq == store->snapshot_at)
        return true;
    struct snapshot snapshot = store_sums(base);
    snapshot.position = position;
    /* ids first: a snapshot must never be ahead of the ids that its events brought */
    if (!ids_flush(store->ids, position, error))
        return false;
    /* while only ids are made again the sums are ahead, and kept already */
    if (base->config->window == 0 && base->learnt == position.seq) {
        if (!snapshot_write(&snapshot, store->events_path, error))
            return false;
        struct error unseen; /* our own is nothing new */
        watch_look(&store->events_watch, store->events_path, &unseen);
    }
    store->snapshot_at = position.seq;
    return true;
}

static const struct store_methods methods = {.close = files_close,
                                             .lock = files_lock,
                                             .unlock = files_unlock,
                                             .start = files_start,
                                             .catch_up = files_catch_up,
                                             .claim_settings = files_claim_settings,
                                             .keep_settings = files_keep_settings,
                                             .events = files_events,
                                             .event_schema = files_event_schema,
                                             .add = files_add,
                                             .batch_bytes = files_batch_bytes,
                                             .commit = files_commit,
                                             .outcome = files_outcome,
                                             .visit = files_visit,
                                             .identity = files_identity,
                                             .load_maps = files_load_maps,
                                             .save_maps = files_save_maps,
                                             .renew_maps = files_renew_maps,
                                             .read_again = files_read_again,
                                             .set_train = files_set_train,
                                             .publish_build = files_publish_build,
                                             .restore_model = files_restore_model,
                                             .snapshot = files_snapshot};

struct store *store_files_open(const struct config *config, struct error *error)
{
    struct files *store = calloc(1, sizeof *store);
    if (!store) {
        error_memory(error);
        return NULL;
    }
    store_begin(&store->base, &methods, config);
    store->events_watch = store->train_watch = store->terms_watch = (struct watch)WATCH_INIT;
    store->recovery = (struct recovery)RECOVERY_INIT;
    store->left = UINT64_MAX;
    store->claim.lock = -1;
    if (make_paths(store, error) && store_open_shared(&store->base, error))
        return &store->base;
    files_close(&store->base);
    return NULL;
}
