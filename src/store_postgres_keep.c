/* The store on PostgreSQL: the events' sums as they are kept for whoever starts, so that a start
 * does not depend on the number of events.
 *
 * They are megabytes, and all that is lost without them is time: so nobody who is asked something
 * keeps them, but `follow`, which is not, and in parts. Each is a transaction of its own, so that
 * over a slow link, or with a standby that is slow, what is stored meanwhile waits for one part at
 * most. All parts but the last are rows of trendline_moments_parts, in one of two slots; the last
 * is in the row of trendline_moments, by which the slot becomes what a start reads. So a keeper may
 * be cut off at any time. There is one at a time, by a session's advisory lock. */
#include "clock.h"
#include "store_postgres_sql.h"
#include "store_replica.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define NO_RIGHT                                                                                   \
    "this role may not: GRANT SELECT, INSERT, UPDATE ON trendline_moments, "                       \
    "trendline_moments_parts"

enum {
    KEEP_EVERY = 65536, /* events: what a new replica has to read at most, or thereabouts */
    PART_BYTES = 32 << 10,
    BUSY_PAUSE_MS = 5000,   /* while another replica keeps them */
    FAILED_PAUSE_MS = 60000 /* before the next try */
};

/* Of all that the sums mean something with. */
static uint32_t checksum(const char *writers, const char *numbers, const struct buffer *text)
{
    uLong crc = crc32_z(0, (const Bytef *)writers, strlen(writers) + 1);
    crc = crc32_z(crc, (const Bytef *)numbers, strlen(numbers) + 1);
    return (uint32_t)crc32_z(crc, (const Bytef *)text->data, text->length);
}

/* ------------------------------------------------------------------ loading */

/* Where the results of the loading transaction are. */
enum { LOADED_MOMENTS = 1, LOADED_PARTS, LOADED_HEADS };

static bool damaged(const char *what, struct error *error)
{
    return error_set(error, ERROR_DAMAGED, "%s", what);
}

static bool ask_moments(struct replica *store, struct error *error)
{
    postgres_queue(store->postgres, SQL_BEGIN_LOAD, 0, NULL);
    postgres_queue_long(store->postgres, SQL_MOMENTS, 0, NULL);
    postgres_queue_long(store->postgres, SQL_PARTS, 0, NULL);
    postgres_queue(store->postgres, SQL_HEADS, 0, NULL);
    postgres_queue(store->postgres, "COMMIT", 0, NULL);
    return postgres_run(store->postgres, error);
}

/* Puts the parts together. */
static bool join_parts(const struct postgres *postgres, struct buffer *text, struct error *error)
{
    const char *crc = postgres_text(postgres, LOADED_MOMENTS, 0, 4);
    size_t parts = postgres_rows(postgres, LOADED_PARTS);
    for (size_t i = 0; i < parts; i++)
        buffer_puts(text, postgres_text(postgres, LOADED_PARTS, i, 0));
    buffer_puts(text, postgres_text(postgres, LOADED_MOMENTS, 0, 0));
    if (text->failed)
        return error_memory(error);
    if (postgres_number(postgres, LOADED_MOMENTS, 0, 3) != (int64_t)parts)
        return damaged("a part is missing", error);
    return !crc /* of an older version */ ||
           strtoll(crc, NULL, 10) == checksum(postgres_text(postgres, LOADED_MOMENTS, 0, 1),
                                              postgres_text(postgres, LOADED_MOMENTS, 0, 2),
                                              text) ||
           damaged("the checksum does not match", error);
}

/* Is there a writer who has stored so many? */
static bool is_stored(const struct postgres *postgres, int64_t writer, int64_t number)
{
    for (size_t i = 0; i < postgres_rows(postgres, LOADED_HEADS); i++)
        if (postgres_number(postgres, LOADED_HEADS, i, 0) == writer)
            return number <= postgres_number(postgres, LOADED_HEADS, i, 1);
    return false;
}

/* "{1,5,7}" and "{100,3,8}": the positions. */
static bool read_positions(struct replica *store, struct error *error)
{
    char *writers = (char *)postgres_text(store->postgres, LOADED_MOMENTS, 0, 1);
    char *numbers = (char *)postgres_text(store->postgres, LOADED_MOMENTS, 0, 2);
    while (writers[1] && numbers[1]) {
        int64_t writer = strtoll(writers + 1, &writers, 10);
        int64_t *number = replica_position(store, writer);
        if (!number)
            return error_memory(error);
        *number = strtoll(numbers + 1, &numbers, 10);
        if (!is_stored(store->postgres, writer, *number))
            return damaged("it knows events that trendline_writers does not", error);
    }
    return true;
}

/* Takes the sums over; those of another MODEL or FORGET are of no use. */
static bool take_moments(struct replica *store, struct buffer *text, struct error *error)
{
    struct snapshot snapshot;
    if (!join_parts(store->postgres, text, error) || !snapshot_parse(&snapshot, text, error))
        return false;
    if (!store_fits(&store->base, snapshot.folds)) {
        snapshot_free(&snapshot);
        store->must_keep = true;
        return true;
    }
    store->schema = snapshot.schema;
    store->kept_at = snapshot.position.seq;
    store_take_sums(&store->base, &snapshot);
    return read_positions(store, error);
}

bool replica_load_moments(struct replica *store, struct error *error)
{
    struct buffer text = {0};
    if (!store->may_load) {
        fprintf(stderr, "trendline_moments: reading all events instead: " NO_RIGHT "\n");
        return true;
    }
    if (!ask_moments(store, error))
        return false;
    if (postgres_rows(store->postgres, LOADED_MOMENTS) == 0)
        return true;
    bool ok = take_moments(store, &text, error);
    buffer_free(&text);
    if (ok || error->kind == ERROR_BUSY)
        return ok;
    fprintf(stderr, "trendline_moments: %s: reading all events instead\n", error->text);
    replica_forget_events(store);
    store->must_keep = true;
    return true;
}

/* ------------------------------------------------------------------ keeping */

void keeping_free(struct keeping *keeping)
{
    buffer_free(&keeping->text);
    buffer_free(&keeping->writers);
    buffer_free(&keeping->numbers);
    *keeping = (struct keeping){0};
}

static bool is_due(const struct replica *store)
{
    return store->loaded && !store_forgets(&store->base) &&
           (store->must_keep || store->base.learnt - store->kept_at >= KEEP_EVERY) &&
           store->base.learnt > 0 && clock_ms() >= store->keep_after;
}

/* Somebody else has done it, unless what they kept is none of what is there. */
static bool is_kept(struct replica *store, size_t result)
{
    const struct postgres *postgres = store->postgres;
    if (store->must_keep || postgres_rows(postgres, result) == 0)
        return false;
    int64_t kept = postgres_number(postgres, result, 0, 0);
    if (kept > store->base.learnt || store->base.learnt - kept >= KEEP_EVERY)
        return false;
    store->kept_at = kept;
    return true;
}

static void write_positions(struct replica *store)
{
    const struct position *positions = (const struct position *)store->positions.data;
    size_t count = store->positions.length / sizeof *positions;
    struct keeping *keeping = &store->keeping;
    for (size_t i = 0; i < count; i++) {
        buffer_printf(&keeping->writers, "%c%lld", i ? ',' : '{', (long long)positions[i].writer);
        buffer_printf(&keeping->numbers, "%c%lld", i ? ',' : '{', (long long)positions[i].number);
    }
    buffer_puts(&keeping->writers, "}");
    buffer_puts(&keeping->numbers, "}");
}

/* What is to be kept, as it is now. */
static bool write_keeping(struct replica *store, int64_t slot, struct error *error)
{
    struct keeping *keeping = &store->keeping;
    *keeping = (struct keeping){.is_open = true, .slot = slot, .events = store->base.learnt};
    write_positions(store);
    struct snapshot sums = store_sums(&store->base);
    snapshot_format(&sums, &keeping->text);
    return (replica_text(&keeping->writers) && replica_text(&keeping->numbers) &&
            !keeping->text.failed) ||
           error_memory(error);
}

static bool end_keeping(struct replica *store, struct error *error)
{
    keeping_free(&store->keeping);
    return replica_ask(store, SQL_END_KEEPING, 0, NULL, error);
}

static bool begin_keeping(struct replica *store, struct error *error)
{
    struct postgres *postgres = store->postgres;
    if (!store->may_keep)
        return error_set(error, ERROR_BUSY, NO_RIGHT);
    postgres_queue(postgres, SQL_BEGIN_KEEPING, 0, NULL);
    postgres_queue(postgres, SQL_KEPT, 0, NULL);
    if (!postgres_run(postgres, error))
        return false;
    if (postgres_number(postgres, 0, 0, 0) == 0) {
        store->keep_after = clock_ms() + BUSY_PAUSE_MS;
        return true;
    }
    if (is_kept(store, 1))
        return end_keeping(store, error);
    int64_t slot = postgres_rows(postgres, 1) > 0 ? postgres_number(postgres, 1, 0, 1) : 0;
    return write_keeping(store, slot == 0 ? 1 : 0, error);
}

/* The length of the next part, which does not end within a character. */
static size_t part_length(const struct keeping *keeping)
{
    size_t length = keeping->text.length - keeping->sent;
    if (length <= PART_BYTES)
        return length;
    for (length = PART_BYTES; (keeping->text.data[keeping->sent + length] & 0xC0) == 0x80;)
        length--;
    return length;
}

/* The row, with the last part, which makes it what a start reads. */
static bool send_row(struct replica *store, const char *slot, const char *place, const char *part,
                     struct error *error)
{
    const struct keeping *keeping = &store->keeping;
    const char *writers = keeping->writers.data, *numbers = keeping->numbers.data;
    char events[INTEGER_MAX], crc[INTEGER_MAX];
    const char *values[] = {slot,
                            place,
                            part,
                            replica_integer(keeping->events, events),
                            writers,
                            numbers,
                            replica_integer(checksum(writers, numbers, &keeping->text), crc)};
    if (!replica_write(store, SQL_SET_MOMENTS, 7, values, error))
        return false;
    store->kept_at = keeping->events;
    store->must_keep = false;
    return end_keeping(store, error);
}

static bool send_part(struct replica *store, struct error *error)
{
    struct keeping *keeping = &store->keeping;
    struct buffer part = {0};
    char slot[INTEGER_MAX], place[INTEGER_MAX];
    size_t length = part_length(keeping);
    bool is_last = keeping->sent + length == keeping->text.length;
    buffer_append(&part, keeping->text.data + keeping->sent, length);
    const char *values[] = {replica_integer(keeping->slot, slot),
                            replica_integer(keeping->parts, place), replica_text(&part)};
    bool ok = values[2] ? is_last ? send_row(store, slot, place, part.data, error)
                                  : replica_write(store, SQL_SET_PART, 3, values, error)
                        : error_memory(error);
    buffer_free(&part);
    if (ok && !is_last) {
        keeping->sent += length;
        keeping->parts++;
    }
    return ok;
}

bool postgres_keep(struct store *base, bool *more, struct error *error)
{
    struct replica *store = (struct replica *)base;
    bool ok = true;
    if (store->keeping.is_open)
        ok = send_part(store, error);
    else if (is_due(store))
        ok = begin_keeping(store, error);
    if (!ok) {
        keeping_free(&store->keeping);
        store->keep_after = clock_ms() + FAILED_PAUSE_MS;
    }
    *more = store->keeping.is_open;
    return ok;
}
