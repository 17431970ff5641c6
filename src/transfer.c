#include "transfer.h"

#include "intake.h"
#include "json.h"
#include "learn.h"
#include "progress.h"
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* between the store's identity and the event's number, in the ids that are made here */
#define OWN_ID_MARK "-"

enum {
    WRITE_SIZE = 256 << 10,
    BATCH_EVENTS = 8192,
    BATCH_BYTES = 4 << 20 /* of the store's open batch */
};

/* Waits for the lock, and learns what the store holds. */
static bool begin_work(struct store *store, struct error *error)
{
    return store_wait_lock(store, error) && store_catch_up(store, error);
}

/* ------------------------------------------------------------------ export */

struct export
{
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

static void write_id(const struct export *export, int64_t seq, const struct event *event,
                     struct buffer *out)
{
    buffer_puts(out, "{\"_id\":\"");
    if (event->id)
        buffer_append(out, event->id, event->id_length);
    else
        buffer_printf(out, "%s" OWN_ID_MARK "%lld", export->identity, (long long)seq);
    buffer_puts(out, "\"");
}

static void write_event(const struct export *export, int64_t seq, const struct event *event,
                        struct buffer *out)
{
    write_id(export, seq, event, out);
    buffer_puts(out, ",\"_time\":\"");
    buffer_puts(out, event->time);
    buffer_puts(out, "\"");
    for (size_t i = 0; i <= export->schema->count; i++) {
        const char *name = i < export->schema->count ? export->schema->names[i] : SCHEMA_TARGET;
        buffer_puts(out, ",");
        json_write_string(out, name, strlen(name));
        buffer_puts(out, ":");
        json_write_number(out, event->row[i]);
    }
    buffer_puts(out, "}\n");
}

static bool export_event(void *context, int64_t seq, const struct event *event, struct error *error)
{
    struct export *export = context;
    write_event(export, seq, event, &export->text);
    if (export->text.failed)
        return error_memory(error);
    progress_update(&export->progress, ++export->count);
    return export->text.length < WRITE_SIZE || flush(&export->text, error);
}

static bool export_events(struct store *store, struct error *error)
{
    struct export export = {.schema = store_event_schema(store)};
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
    bool ok = store && begin_work(store, error) && export_events(store, error);
    store_close(store);
    return ok;
}

/* ------------------------------------------------------------------ import */

struct import {
    struct store *store;
    char own[STORE_IDENTITY_MAX + 1]; /* how the ids begin that an export of this store made; "":
                                         of none, since it was empty */
    struct request request;           /* the stream as a body */
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
static bool stopped(const struct import *import, struct error *error)
{
    char why[ERROR_TEXT_MAX];
    snprintf(why, sizeof why, "%s", error->text);
    return error_set(error, error->kind,
                     "event %llu: %.300s (what came before it is stored: once this is mended, the "
                     "import can be started again)",
                     (unsigned long long)import->read, why);
}

static bool find_own(struct import *import, struct error *error)
{
    char identity[STORE_IDENTITY_MAX];
    bool ok = begin_work(import->store, error);
    if (ok && store_events(import->store) > 0) {
        ok = store_identity(import->store, identity, error);
        snprintf(import->own, sizeof import->own, "%s" OWN_ID_MARK, identity);
    }
    store_unlock(import->store);
    return ok;
}

/* Did this event come from here, where it has no id? */
static bool is_own(const struct import *import, const struct event *event)
{
    size_t length = strlen(import->own);
    return length > 0 && event->id_length > length && memcmp(event->id, import->own, length) == 0;
}

static bool add(struct import *import, const struct event *event, struct error *error)
{
    size_t ticket;
    import->read++;
    if (is_own(import, event)) {
        import->known++;
        return true;
    }
    if (!store_add(import->store, event, &ticket, error))
        return false;
    import->places[import->tickets++] = import->read;
    return true;
}

static bool take_batch(struct import *import, struct error *error)
{
    struct event event;
    uint64_t first = import->read;
    import->tickets = 0;
    while (import->read - first < BATCH_EVENTS && store_batch_bytes(import->store) < BATCH_BYTES)
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

static bool settle_batch(struct import *import, struct error *error)
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
static bool import_batch(struct import *import, struct error *error)
{
    struct error later;
    bool taken = take_batch(import, error);
    if (!store_commit(import->store, &later)) {
        *error = later;
        return false;
    }
    return settle_batch(import, taken ? error : &later) && taken;
}

static bool import_events(struct import *import, const struct config *config, struct error *error)
{
    bool ok = event_reader_open(&import->reader, &import->request, error);
    if (!ok && error->kind == ERROR_SYNTAX) /* an empty journal makes an empty stream */
        return true;
    ok = ok && find_own(import, error);
    import->reader.wants_id = true;
    while (ok && !import->ended) {
        ok = begin_work(import->store, error) && import_batch(import, error);
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

bool import_run(const struct config *config, struct error *error)
{
    static struct import import = {.request = {.method = "POST",
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
    bool ok = import_events(&import, config, error);
    progress_end(&import.progress);
    event_reader_close(&import.reader);
    store_close(import.store);
    fprintf(stderr, "import: %llu events stored, %llu were there already\n",
            (unsigned long long)import.stored, (unsigned long long)import.known);
    return ok;
}
