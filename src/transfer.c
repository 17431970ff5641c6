#include "transfer.h"

#include "intake.h"
#include "json.h"
#include "learn.h"
#include "progress.h"
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

enum {
    MADE_ID_MAX = STORE_IDENTITY_MAX + 48,
    WRITE_SIZE = 256 << 10,
    BATCH_EVENTS = 8192,
    BATCH_BYTES = 4 << 20 /* of the store's open batch */
};

/* ------------------------------------------------------------------ export */

/* The id that event `seq`, which has none, gets in a stream; its length. Events of two copies of a
 * store that went different ways have different ones. */
static size_t make_id(const char *identity, int64_t seq, const struct event *event,
                      const struct schema *schema, char id[static MADE_ID_MAX])
{
    size_t weight = schema->count + 1; /* 1 most of the time, and then no part of it */
    size_t columns = weight + (event->row[weight] != 1);
    XXH64_hash_t digest = XXH3_64bits(event->time, strlen(event->time));
    digest = XXH3_64bits_withSeed(event->row, columns * sizeof *event->row, digest);
    return (size_t)snprintf(id, MADE_ID_MAX, "%s-%lld-%016llx", identity, (long long)seq,
                            (unsigned long long)digest);
}

struct exporter {
    const struct schema *schema;
    char identity[STORE_IDENTITY_MAX];
    struct buffer text;
    uint64_t count;
    struct progress progress;
};

static bool flush(struct buffer *text, struct error *error)
{
    const char *data = text->data;
    for (size_t left = text->length; left > 0;) {
        ssize_t wrote = write(STDOUT_FILENO, data, left);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return error_errno(error, "cannot write to standard output");
        data += wrote;
        left -= (size_t)wrote;
    }
    buffer_clear(text);
    return true;
}

static void write_id(const struct exporter *export, int64_t seq, const struct event *event,
                     struct buffer *out)
{
    buffer_puts(out, "{\"_id\":\"");
    if (event->id) {
        buffer_append(out, event->id, event->id_length);
    } else {
        char id[MADE_ID_MAX];
        size_t length = make_id(export->identity, seq, event, export->schema, id);
        buffer_append(out, id, length);
    }
    buffer_puts(out, "\"");
}

static void write_event(const struct exporter *export, int64_t seq, const struct event *event,
                        struct buffer *out)
{
    write_id(export, seq, event, out);
    buffer_puts(out, ",\"_time\":\"");
    buffer_puts(out, event->time);
    buffer_puts(out, "\"");
    if (event->row[export->schema->count + 1] != 1) {
        buffer_puts(out, ",\"_weight\":");
        json_write_number(out, event->row[export->schema->count + 1]);
    }
    for (size_t i = 0; i < export->schema->count; i++) {
        buffer_puts(out, ",");
        json_write_string(out, export->schema->names[i], strlen(export->schema->names[i]));
        buffer_puts(out, ":");
        schema_write_cell(export->schema, event->row, i, out);
    }
    buffer_puts(out, ",");
    json_write_string(out, schema_target(), strlen(schema_target()));
    buffer_puts(out, ":");
    json_write_number(out, event->row[export->schema->count]);
    buffer_puts(out, "}\n");
}

static bool export_event(void *context, int64_t seq, const struct event *event, struct error *error)
{
    struct exporter *export = context;
    write_event(export, seq, event, &export->text);
    if (export->text.failed)
        return error_memory(error);
    progress_update(&export->progress, ++export->count);
    return export->text.length < WRITE_SIZE || flush(&export->text, error);
}

static bool export_events(struct store *store, struct error *error)
{
    struct exporter export = {.schema = store_event_schema(store)};
    bool any = store_events(store) > 0;
    bool ok = !any || store_identity(store, export.identity, error);
    store_unlock(store);
    progress_begin_count(&export.progress, "export", (uint64_t)store_events(store));
    ok = ok && store_visit(store, export_event, &export, error) && flush(&export.text, error);
    progress_end(&export.progress);
    buffer_free(&export.text);
    if (ok)
        fprintf(stderr, "export: %llu events\n", (unsigned long long)export.count);
    return ok;
}

bool export_run(const struct config *config, struct error *error)
{
    struct store *store = store_open(config, error);
    bool ok = store && store_wait(store, error) && export_events(store, error);
    store_close(store);
    return ok;
}

/* ------------------------------------------------------------------ import */

struct importer {
    struct store *store;
    char identity[STORE_IDENTITY_MAX]; /* "": none, since the store was empty */
    struct buffer own; /* uint64_t: hashes of the ids that its events without ids would get, sorted;
                          empty until one such id turns up */
    bool own_known;
    struct request request; /* the stream as a body */
    struct event_reader reader;
    size_t tickets;                /* of the open batch */
    uint64_t places[BATCH_EVENTS]; /* in the stream, from 1, by ticket */
    uint64_t read, stored, known;
    bool ended;
    struct progress progress;
};

static long read_input(struct request *request, char *data, size_t size, struct error *error)
{
    (void)request;
    ssize_t got;
    do
        got = read(STDIN_FILENO, data, size);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        error_errno(error, "cannot read standard input");
    return got;
}

/* The sentence gets the event's place, and what to do. */
static bool stopped(const struct importer *import, struct error *error)
{
    struct error why = *error;
    error_set(error, why.kind,
              "event %llu: %.300s (what came before it is stored: once this is mended, the import "
              "can be started again)",
              (unsigned long long)import->read, why.text);
    memcpy(error->detail, why.detail, sizeof why.detail);
    return false;
}

static bool find_identity(struct importer *import, struct error *error)
{
    bool ok = store_wait(import->store, error);
    if (ok && store_events(import->store) > 0)
        ok = store_identity(import->store, import->identity, error);
    store_unlock(import->store);
    return ok;
}

static uint64_t hash_id(const char *id, size_t length)
{
    return XXH3_64bits(id, length);
}

static bool keep_own(void *context, int64_t seq, const struct event *event, struct error *error)
{
    struct importer *import = context;
    char id[MADE_ID_MAX];
    if (event->id)
        return true;
    const struct schema *schema = store_event_schema(import->store);
    uint64_t hash = hash_id(id, make_id(import->identity, seq, event, schema, id));
    buffer_append(&import->own, &hash, sizeof hash);
    return !import->own.failed || error_memory(error);
}

static int compare_hashes(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Only a stream that this store or a copy of it began has such ids: then a look at all its events
 * is worth while. */
static bool learn_own(struct importer *import, struct error *error)
{
    if (import->own_known)
        return true;
    if (!store_visit(import->store, keep_own, import, error))
        return false;
    import->own_known = true;
    if (import->own.length > 0)
        qsort(import->own.data, import->own.length / sizeof(uint64_t), sizeof(uint64_t),
              compare_hashes);
    return true;
}

/* Is it one that is stored here without an id? */
static bool find_own(struct importer *import, const struct event *event, bool *found,
                     struct error *error)
{
    size_t length = strlen(import->identity);
    *found = false;
    if (length == 0 || event->id_length <= length ||
        memcmp(event->id, import->identity, length) != 0)
        return true;
    if (!learn_own(import, error))
        return false;
    uint64_t hash = hash_id(event->id, event->id_length);
    *found =
        import->own.length > 0 && bsearch(&hash, import->own.data, import->own.length / sizeof hash,
                                          sizeof hash, compare_hashes);
    return true;
}

static bool add(struct importer *import, const struct event *event, struct error *error)
{
    size_t ticket;
    bool own;
    import->read++;
    if (!find_own(import, event, &own, error))
        return false;
    if (own) {
        import->known++;
        return true;
    }
    if (!store_add(import->store, event, &ticket, error))
        return false;
    import->places[import->tickets++] = import->read;
    return true;
}

static bool take_batch(struct importer *import, struct error *error)
{
    struct event event;
    uint64_t first = import->read;
    import->tickets = 0;
    while (import->read - first < BATCH_EVENTS && !store_batch_is_full(import->store) &&
           store_batch_bytes(import->store) < BATCH_BYTES)
        switch (intake_next(import->store, &import->reader, &event, error)) {
        case EVENT_FETCHED:
            if (!add(import, &event, error))
                return false;
            break;
        case EVENT_END:
            import->ended = true;
            return true;
        case EVENT_REFUSED:
        case EVENT_BROKEN:
            import->read++;
            return false;
        }
    return true;
}

static bool settle_batch(struct importer *import, struct error *error)
{
    for (size_t ticket = 0; ticket < import->tickets; ticket++) {
        int64_t seq;
        switch (store_outcome(import->store, ticket, &seq, error)) {
        case STORE_ADDED:
            import->stored++;
            break;
        case STORE_DUPLICATE:
            import->known++;
            break;
        case STORE_REFUSED:
            import->read = import->places[ticket];
            return false;
        }
    }
    progress_update(&import->progress, import->read);
    return true;
}

/* A line that cannot be taken ends the import, but not before what came before it is durable. */
static bool import_batch(struct importer *import, struct error *error)
{
    struct error later;
    bool taken = take_batch(import, error);
    if (!store_commit(import->store, &later)) {
        *error = later;
        return false;
    }
    return settle_batch(import, taken ? error : &later) && taken;
}

static bool import_events(struct importer *import, const struct config *config, struct error *error)
{
    event_reader_begin(&import->reader, &import->request);
    bool ok = event_reader_open(&import->reader, error);
    if (!ok && error->kind == ERROR_SYNTAX) /* an empty journal makes an empty stream */
        return true;
    ok = ok && find_identity(import, error);
    import->reader.exported = true;
    store_expect_more(import->store, true);
    while (ok && !import->ended) {
        ok = store_wait(import->store, error) && import_batch(import, error);
        if (ok && import->ended)
            ok = learn_update(import->store, config, error) && store_snapshot(import->store, error);
        store_unlock(import->store);
    }
    return ok || stopped(import, error);
}

static bool check_window(const struct config *config, struct error *error)
{
    return config->id_window == UINT64_MAX || config->postgres.length > 0 ||
           error_set(error, ERROR_UNUSABLE,
                     "ID_WINDOW=%llu: an import knows by their ids which events are stored: unset "
                     "it meanwhile",
                     (unsigned long long)config->id_window);
}

/* Whoever learns beside a service must have its settings, and an import changes none. */
static bool take_settings(struct store *store, struct error *error)
{
    enum settings_result settings;
    if (!store_claim_settings(store, &settings, error))
        return false;
    if (settings_differ(settings))
        return error_set(error, ERROR_CONFLICT,
                         "these data are learnt from with other settings (settings.json, "
                         "trendline_settings): import with the same MODEL, WINDOW, FORGET, TARGET "
                         "and MISSING as the service has");
    return store_keep_settings(store, error);
}

bool import_run(const struct config *config, struct error *error)
{
    static struct importer import = {.request = {.method = "POST",
                                                 .path = "",
                                                 .query = "",
                                                 .content_type = "application/x-ndjson",
                                                 .authorization = "",
                                                 .has_length = true,
                                                 .content_length = UINT64_MAX,
                                                 .read = read_input}};
    if (!check_window(config, error) || !(import.store = store_open(config, error)))
        return false;
    progress_begin_count(&import.progress, "import", 0);
    bool ok = take_settings(import.store, error) && import_events(&import, config, error);
    progress_end(&import.progress);
    event_reader_close(&import.reader);
    buffer_free(&import.own);
    store_close(import.store);
    fprintf(stderr, "import: %llu events stored, %llu were there already\n",
            (unsigned long long)import.stored, (unsigned long long)import.known);
    return ok;
}
