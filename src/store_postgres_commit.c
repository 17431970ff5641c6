/* The store on PostgreSQL: one batch of this process's events, as one transaction. */
#include "ids.h"
#include "json.h"
#include "number.h"
#include "store_postgres_sql.h"
#include "store_replica.h"
#include "symbols.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    CLAIMS_MAX = 5,    /* tries to become a writer */
    ID_SHOWN_MAX = 300 /* bytes of an id in an error */
};

#define FIXED_MEANWHILE "another replica has just stored the first event: try again"

/* ------------------------------------------------------------------ adding events */

static size_t entry_count(const struct replica *store)
{
    return store->entries.length / sizeof(struct entry);
}

static struct entry *entry_of(const struct replica *store, size_t ticket)
{
    return (struct entry *)store->entries.data + ticket;
}

static size_t columns_of(const struct replica *store)
{
    return store_schema(&store->base)->count + 1;
}

/* Its columns, and behind them its weight. */
static const double *row_of(const struct replica *store, size_t ticket)
{
    return (const double *)store->rows.data + ticket * (columns_of(store) + 1);
}

static const char *id_of(const struct replica *store, const struct entry *entry)
{
    return store->batch_ids.data + entry->id;
}

static void clear_batch(struct replica *store)
{
    buffer_clear(&store->entries);
    buffer_clear(&store->batch_ids);
    buffer_clear(&store->rows);
    store->settled = false;
}

static bool reserve(struct replica *store, const double *row, struct error *error)
{
    const struct schema *schema = store_schema(&store->base);
    if (store->base.learnt == 0 && entry_count(store) == 0 &&
        !store_start_moments(&store->base, schema, error))
        return false;
    return store_reserve(&store->base, row, error);
}

static void digest_row(const double *row, size_t columns, char digest[static DIGEST_SIZE])
{
    XXH128_hash_t hash = XXH3_128bits(row, columns * sizeof *row);
    snprintf(digest, DIGEST_SIZE, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
}

/* People who look into the tables want the id itself. */
static bool add_id(struct replica *store, struct entry *entry, const char *id, size_t length,
                   struct error *error)
{
    char quoted[2 * IDS_LENGTH_MAX + 3];
    entry->has_id = true;
    entry->id = store->batch_ids.length;
    int size = snprintf(quoted, sizeof quoted, "\"%.*s\"", (int)length, id);
    struct json *text = json_parse(quoted, (size_t)size, error);
    if (!text)
        return false;
    buffer_append(&store->batch_ids, json_string(text), strlen(json_string(text)) + 1);
    json_free(text);
    return true;
}

/* -0 as 0, which is the same content. */
static void append_row(struct replica *store, const double *row)
{
    for (size_t i = 0; i <= columns_of(store); i++) {
        double cell = row[i] + 0.0;
        buffer_append(&store->rows, &cell, sizeof cell);
    }
}

bool postgres_add(struct store *base, const struct event *event, size_t *ticket,
                  struct error *error)
{
    struct replica *store = (struct replica *)base;
    struct entry entry = {.outcome = STORE_ADDED};
    if (store->settled)
        clear_batch(store);
    if (!reserve(store, event->row, error) ||
        (event->id && !add_id(store, &entry, event->id, event->id_length, error)))
        return false;
    if (event->time)
        snprintf(entry.time, sizeof entry.time, "%s", event->time);
    *ticket = entry_count(store);
    /* should memory run out here, the whole batch fails at its commit */
    append_row(store, event->row);
    size_t columns = columns_of(store); /* a weight of 1 is no part of the content */
    if (event->id && !store->rows.failed)
        digest_row(row_of(store, *ticket), columns + (event->row[columns] != 1), entry.digest);
    buffer_append(&store->entries, &entry, sizeof entry);
    return true;
}

size_t postgres_batch_bytes(const struct store *base)
{
    const struct replica *store = (const struct replica *)base;
    return store->settled ? 0 : store->rows.length + store->entries.length;
}

/* ------------------------------------------------------------------ committing */

/* A text as an element of an array. */
static void write_element(struct buffer *out, const char *text)
{
    buffer_puts(out, out->length ? "," : "{");
    buffer_puts(out, "\"");
    for (size_t part; *text; text += part) {
        if (*text == '"' || *text == '\\')
            buffer_append(out, "\\", 1);
        part = 1 + strcspn(text + 1, "\"\\");
        buffer_append(out, text, part);
    }
    buffer_puts(out, "\"");
}

static const char *end_array(struct buffer *out)
{
    buffer_puts(out, out->length ? "}" : "{}");
    return replica_text(out);
}

struct order {
    const char *id;
    size_t ticket;
};

static int compare_order(const void *a, const void *b)
{
    const struct order *x = a, *y = b;
    int by_id = strcmp(x->id, y->id);
    return by_id ? by_id : (x->ticket > y->ticket) - (x->ticket < y->ticket);
}

static int compare_rows(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The batch's events with ids, by id; *count of them. */
static struct order *order_ids(const struct replica *store, size_t *count)
{
    struct order *order = malloc((entry_count(store) + 1) * sizeof *order);
    *count = 0;
    for (size_t i = 0; order && i < entry_count(store); i++)
        if (entry_of(store, i)->has_id)
            order[(*count)++] = (struct order){id_of(store, entry_of(store, i)), i};
    if (order)
        qsort(order, *count, sizeof *order, compare_order);
    return order;
}

static bool is_first(const struct order *order, size_t i)
{
    return i == 0 || strcmp(order[i - 1].id, order[i].id) != 0;
}

/* The number of the row of result `result` whose first column is `id`, by its sorted index. */
struct found {
    const char *id;
    size_t row;
};

static struct found *index_result(const struct postgres *postgres, size_t result)
{
    size_t rows = postgres_rows(postgres, result);
    struct found *found = malloc((rows + 1) * sizeof *found);
    for (size_t i = 0; found && i < rows; i++)
        found[i] = (struct found){postgres_text(postgres, result, i, 0), i};
    if (found)
        qsort(found, rows, sizeof *found, compare_rows);
    return found;
}

static const struct found *find(const struct found *found, size_t count, const char *id)
{
    struct found key = {.id = id};
    return bsearch(&key, found, count, sizeof *found, compare_rows);
}

static void compare_entry(struct entry *entry, const char *digest, int64_t seq)
{
    bool same = strncmp(entry->digest, digest, DIGEST_SIZE - 1) == 0;
    entry->outcome = same ? STORE_DUPLICATE : STORE_REFUSED;
    entry->seq = seq;
    memmove(entry->digest, digest, DIGEST_SIZE - 1); /* what is stored: see settle_repeats */
}

/* The first event of its id, of which nothing is known yet. */
static bool is_unknown(const struct replica *store, const struct order *order, size_t i)
{
    return is_first(order, i) && entry_of(store, order[i].ticket)->seq == 0;
}

static bool any_unknown(const struct replica *store, const struct order *order, size_t count)
{
    size_t i = 0;
    while (i < count && !is_unknown(store, order, i))
        i++;
    return i < count;
}

/* Takes seq (and digest: of what was there before) of the ids in the result. */
static bool take_ids(struct replica *store, const struct order *order, size_t count, size_t result,
                     bool known, struct error *error)
{
    size_t rows = postgres_rows(store->postgres, result);
    struct found *found = index_result(store->postgres, result);
    if (!found)
        return error_memory(error);
    for (size_t i = 0; i < count; i++) {
        const struct found *one =
            is_unknown(store, order, i) ? find(found, rows, order[i].id) : NULL;
        if (!one)
            continue;
        struct entry *entry = entry_of(store, order[i].ticket);
        int64_t seq = postgres_number(store->postgres, result, one->row, 1);
        if (known)
            compare_entry(entry, postgres_text(store->postgres, result, one->row, 2), seq);
        else
            entry->seq = seq;
    }
    free(found);
    return true;
}

/* Looks up those of which nothing is known, behind the statement `before` in the same round trip.
 */
static bool find_ids(struct replica *store, const char *before, const struct order *order,
                     size_t count, struct error *error)
{
    struct buffer ids = {0};
    for (size_t i = 0; i < count; i++)
        if (is_unknown(store, order, i))
            write_element(&ids, order[i].id);
    const char *values[] = {end_array(&ids)};
    bool ok = values[0] || error_memory(error);
    if (ok) {
        postgres_queue(store->postgres, before, 0, NULL);
        postgres_queue(store->postgres, SQL_FIND_IDS, 1, values);
        ok = postgres_run(store->postgres, error) && take_ids(store, order, count, 1, true, error);
    }
    buffer_free(&ids);
    return ok;
}

/* Stores those of which nothing is known; another replica may have been faster. */
static bool add_ids(struct replica *store, const struct order *order, size_t count,
                    struct error *error)
{
    struct buffer ids = {0}, digests = {0}, places = {0};
    for (size_t i = 0; i < count; i++)
        if (is_unknown(store, order, i)) {
            write_element(&ids, order[i].id);
            write_element(&digests, entry_of(store, order[i].ticket)->digest);
            buffer_printf(&places, "%c%zu", places.length ? ',' : '{', order[i].ticket);
        }
    const char *values[] = {end_array(&ids), end_array(&digests), end_array(&places)};
    bool ok = (values[0] && values[1] && values[2]) || error_memory(error);
    ok = ok && replica_ask(store, SQL_ADD_IDS, 3, values, error) &&
         take_ids(store, order, count, 0, false, error);
    buffer_free(&ids);
    buffer_free(&digests);
    buffer_free(&places);
    return ok;
}

/* The later events with the same id, by the digest of the stored one, which the first has by now.
 */
static bool settle_repeats(struct replica *store, const struct order *order, size_t count,
                           struct error *error)
{
    const struct entry *first = NULL;
    for (size_t i = 0; i < count; i++) {
        struct entry *entry = entry_of(store, order[i].ticket);
        if (!is_first(order, i))
            compare_entry(entry, first->digest, first->seq);
        else if (entry->seq == 0)
            return error_set(error, ERROR_BUSY, "an _id has been removed meanwhile: try again");
        else
            first = entry;
    }
    return true;
}

static bool fix_schema(struct replica *store, struct error *error)
{
    struct buffer names = {0};
    const struct schema *ours = store_schema(&store->base);
    if (store->schema)
        return true;
    schema_write(ours, &names);
    const char *values[] = {replica_text(&names), schema_target()};
    bool ok =
        values[0] ? replica_ask(store, SQL_FIX_SCHEMA, 2, values, error) : error_memory(error);
    buffer_free(&names);
    if (!ok || !replica_ask(store, SQL_SCHEMA, 0, NULL, error))
        return false;
    const char *text = postgres_text(store->postgres, 0, 0, 0);
    struct json *array = json_parse(text, strlen(text), error);
    struct schema *fixed = array ? schema_parse(array, error) : NULL;
    json_free(array);
    ok = fixed && schema_equal(fixed, ours);
    schema_free(fixed);
    return ok || error_set(error, ERROR_BUSY, FIXED_MEANWHILE);
}

/* One whose session is over, if there is any: *writer; left as it is otherwise. */
static bool find_free_writer(struct replica *store, int64_t *writer, struct error *error)
{
    if (!replica_ask(store, SQL_WRITERS, 0, NULL, error))
        return false;
    const char *known = postgres_text(store->postgres, 0, 0, 0);
    char *copy = known ? strdup(known) : NULL; /* the result goes with the next */
    if (known && !copy)
        return error_memory(error);
    const char *values[] = {copy};
    bool ok = replica_ask(store, SQL_CLAIM_WRITER, 1, values, error);
    free(copy);
    if (ok && postgres_rows(store->postgres, 0) > 0)
        *writer = postgres_number(store->postgres, 0, 0, 0);
    return ok;
}

static bool claim_writer(struct replica *store, struct error *error)
{
    char writer[INTEGER_MAX];
    for (int tries = 0; store->writer == 0 && tries < CLAIMS_MAX; tries++)
        if (!find_free_writer(store, &store->writer, error) ||
            (store->writer == 0 && !replica_ask(store, SQL_NEW_WRITER, 0, NULL, error)))
            return false;
    if (store->writer == 0)
        return error_set(error, ERROR_BUSY, "too many replicas begin at once: try again");
    /* only now that nobody else can change it */
    const char *values[] = {replica_integer(store->writer, writer)};
    if (!replica_ask(store, SQL_WRITER_NUMBER, 1, values, error))
        return false;
    store->number = postgres_number(store->postgres, 0, 0, 0);
    /* what the session before it committed since we caught up */
    return store->number == 0 ||
           replica_learn_tail(store, (struct position){store->writer, store->number}, error);
}

static void write_cells(const double *row, size_t columns, struct buffer *out)
{
    char text[NUMBER_TEXT_MAX];
    buffer_puts(out, out->length ? ",\"{" : "{\"{");
    for (size_t i = 0; i < columns; i++) {
        buffer_append(out, ",", i > 0);
        if (isnan(row[i]))
            buffer_puts(out, "NaN");
        else
            buffer_append(out, text, number_format(row[i], text));
    }
    buffer_puts(out, "}\"");
}

/* The new rows' columns, as arrays. */
struct columns {
    struct buffer seqs, ids, cells, times, weights;
};

static void free_columns(struct columns *columns)
{
    buffer_free(&columns->seqs);
    buffer_free(&columns->ids);
    buffer_free(&columns->cells);
    buffer_free(&columns->times);
    buffer_free(&columns->weights);
}

/* NULL where there is none. */
static void write_optional(struct buffer *out, const char *text)
{
    if (text)
        write_element(out, text);
    else
        buffer_puts(out, out->length ? ",NULL" : "{NULL");
}

static void write_seq(struct buffer *out, const struct entry *entry)
{
    buffer_puts(out, out->length ? "," : "{");
    if (entry->has_id)
        buffer_printf(out, "%lld", (long long)entry->seq);
    else
        buffer_puts(out, "NULL");
}

static void write_weight(struct buffer *out, double weight)
{
    char text[NUMBER_TEXT_MAX];
    buffer_puts(out, out->length ? "," : "{");
    buffer_append(out, text, number_format(weight, text));
}

static size_t write_rows(const struct replica *store, struct columns *columns)
{
    size_t added = 0;
    bool any_time = false, any_weight = false;
    for (size_t i = 0; i < entry_count(store); i++) {
        const struct entry *entry = entry_of(store, i);
        if (entry->outcome != STORE_ADDED)
            continue;
        added++;
        any_time |= *entry->time != '\0';
        write_seq(&columns->seqs, entry);
        write_optional(&columns->ids, entry->has_id ? id_of(store, entry) : NULL);
        write_cells(row_of(store, i), columns_of(store), &columns->cells);
        write_optional(&columns->times, *entry->time ? entry->time : NULL);
        any_weight |= row_of(store, i)[columns_of(store)] != 1;
        write_weight(&columns->weights, row_of(store, i)[columns_of(store)]);
    }
    if (!any_time) /* a short array is as good as one of nulls */
        buffer_clear(&columns->times);
    if (!any_weight)
        buffer_clear(&columns->weights);
    return added;
}

static bool has_code(const struct buffer *codes, double code)
{
    const double *known = (const double *)codes->data;
    size_t count = codes->length / sizeof *known, i = 0;
    while (i < count && known[i] != code)
        i++;
    return i < count;
}

/* The levels of the batch that the database may not have: codes and texts as arrays, and the codes
 * into store->new_texts. */
static void find_texts(struct replica *store, struct buffer *codes, struct buffer *texts)
{
    const struct schema *schema = store_schema(&store->base);
    char number[NUMBER_TEXT_MAX];
    buffer_clear(&store->new_texts);
    for (size_t i = 0; i < entry_count(store); i++)
        for (size_t j = 0; j < schema->count; j++) {
            double code = row_of(store, i)[j];
            if (entry_of(store, i)->outcome != STORE_ADDED || schema->kinds[j] != CELL_CATEGORY ||
                isnan(code) || has_code(&store->texts, code) || has_code(&store->new_texts, code))
                continue;
            buffer_append(&store->new_texts, &code, sizeof code);
            buffer_puts(codes, codes->length ? "," : "{");
            buffer_append(codes, number, number_format(code, number));
            write_element(texts, symbol_text(code));
        }
}

/* The rest of the transaction, in one round trip; begins it too if there was no need yet. */
static bool send_rows(struct replica *store, bool begun, size_t *added, struct error *error)
{
    struct columns columns = {0};
    struct buffer codes = {0}, texts = {0};
    char writer[INTEGER_MAX], from[INTEGER_MAX], to[INTEGER_MAX];
    *added = write_rows(store, &columns);
    const char *rows[] = {replica_integer(store->writer, writer),
                          replica_integer(store->number, from),
                          end_array(&columns.seqs),
                          end_array(&columns.ids),
                          end_array(&columns.cells),
                          end_array(&columns.times),
                          end_array(&columns.weights)};
    const char *advance[] = {writer, replica_integer(store->number + (int64_t)*added, to), from};
    find_texts(store, &codes, &texts);
    const char *new_texts[] = {end_array(&codes), end_array(&texts)};
    bool ok = (rows[2] && rows[3] && rows[4] && rows[5] && rows[6] && new_texts[0] &&
               new_texts[1] && !store->new_texts.failed) ||
              error_memory(error);
    if (ok) {
        postgres_queue(store->postgres, begun ? "SELECT" : "BEGIN", 0, NULL);
        if (*added) {
            postgres_queue(store->postgres, SQL_ADD_ROWS, 7, rows);
            postgres_queue(store->postgres, SQL_ADVANCE, 3, advance);
        }
        if (store->new_texts.length > 0)
            postgres_queue(store->postgres, SQL_ADD_TEXTS, 2, new_texts);
        postgres_queue(store->postgres, "COMMIT", 0, NULL);
        ok = postgres_run(store->postgres, error) ||
             (postgres_failed_by(store->postgres, SQL_ADVANCE_FAILS) &&
              replica_gone_back(store, error));
    }
    if (ok)
        buffer_append(&store->texts, store->new_texts.data, store->new_texts.length);
    store->texts.failed = false; /* what is not known to be there is sent again */
    free_columns(&columns);
    buffer_free(&codes);
    buffer_free(&texts);
    return ok;
}

/* Begins the transaction; in it the new ids are stored, and those that are not new are found. */
static bool begin(struct replica *store, struct error *error)
{
    size_t count;
    struct order *order = order_ids(store, &count);
    if (!order)
        return error_memory(error);
    bool ok = find_ids(store, "BEGIN", order, count, error) && fix_schema(store, error);
    if (ok && any_unknown(store, order, count))
        ok = add_ids(store, order, count, error);
    if (ok && any_unknown(store, order, count))
        ok = find_ids(store, "SELECT", order, count, error);
    ok = ok && settle_repeats(store, order, count, error);
    free(order);
    return ok;
}

static bool send_batch(struct replica *store, size_t *added, struct error *error)
{
    bool are_first = !store->schema, begun = are_first || store->batch_ids.length > 0;
    if (store->writer == 0 && !claim_writer(store, error))
        return false;
    if (are_first && store->schema) /* the batch was bound to what it would have fixed itself */
        return error_set(error, ERROR_BUSY, FIXED_MEANWHILE);
    if ((begun && !begin(store, error)) || !send_rows(store, begun, added, error))
        return false;
    return *added == 0 || postgres_rows(store->postgres, 1) == *added ||
           error_set(error, ERROR_BUSY, "the database did not store all rows: try again");
}

/* All memory that this takes was reserved before. */
static void learn_batch(struct replica *store, size_t added)
{
    int64_t *number = replica_position(store, store->writer);
    for (size_t i = 0, row = 0; i < entry_count(store); i++) {
        struct entry *entry = entry_of(store, i);
        if (entry->outcome != STORE_ADDED)
            continue;
        entry->seq = postgres_number(store->postgres, 1, row++, 0);
        store_learn(&store->base, row_of(store, i), entry->seq);
    }
    store_settle(&store->base);
    store->number += (int64_t)added;
    *number = store->number;
}

/* The schema of the first events is certain now. */
static bool keep_schema(struct replica *store, struct error *error)
{
    if (!store->schema)
        store->schema = schema_copy(store_schema(&store->base));
    return store->schema || error_memory(error);
}

static bool store_batch(struct replica *store, struct error *error)
{
    size_t added = 0;
    bool ok = send_batch(store, &added, error);
    /* whether this session was the writer's first, its position begins where it took over */
    if (ok && added > 0)
        ok = (replica_position(store, store->writer) || error_memory(error)) &&
             keep_schema(store, error);
    if (!ok)
        postgres_drop(store->postgres); /* an open transaction ends with it */
    else if (added > 0)
        learn_batch(store, added);
    return ok;
}

bool postgres_commit(struct store *base, struct error *error)
{
    struct replica *store = (struct replica *)base;
    bool ok = true;
    if (store->settled || entry_count(store) == 0)
        clear_batch(store);
    else if (store->rows.failed || store->entries.failed || store->batch_ids.failed)
        ok = error_memory(error);
    else
        ok = replica_may_write(store, error) && store_batch(store, error);
    if (!ok) {
        buffer_free(&store->rows);
        buffer_free(&store->entries);
        buffer_free(&store->batch_ids);
    }
    store->settled = true;
    store_unset_schema(base);
    store_forget_unstored(base);
    return ok;
}

enum store_outcome postgres_outcome(const struct store *base, size_t ticket, int64_t *seq,
                                    struct error *error)
{
    const struct replica *store = (const struct replica *)base;
    const struct entry *entry = entry_of(store, ticket);
    *seq = entry->seq;
    if (entry->outcome == STORE_REFUSED)
        error_set(error, ERROR_CONFLICT,
                  "_id \"%.*s\" is already stored as event %lld with other content", ID_SHOWN_MAX,
                  id_of(store, entry), (long long)entry->seq);
    return entry->outcome;
}
