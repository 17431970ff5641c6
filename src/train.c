#include "train.h"

#include "columns.h"
#include "table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool train_source(const char *path, char source[static SNAPSHOT_SOURCE_MAX], struct error *error)
{
    struct stat status;
    if (stat(path, &status) != 0 && errno == ENOENT)
        return error_set(error, ERROR_ABSENT, "there is no train file %s", path);
    if (stat(path, &status) != 0)
        return error_errno(error, "cannot look at the train file %s", path);
    snprintf(source, SNAPSHOT_SOURCE_MAX, "%llx:%llx:%lld:%lld.%09ld:%lld.%09ld",
             (unsigned long long)status.st_dev, (unsigned long long)status.st_ino,
             (long long)status.st_size, (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
             (long long)status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
    return true;
}

/* The features; the last column is the target whatever its name. */
static struct schema *table_schema(const struct table *table, const struct columns *columns,
                                   struct error *error)
{
    struct error why;
    enum cell_kind kinds[TABLE_COLUMNS_MAX];
    for (size_t j = 0; j < columns->features; j++)
        kinds[j] =
            table_is_category(table, columns_of_feature(columns, j)) ? CELL_CATEGORY : CELL_NUMBER;
    struct schema *schema =
        schema_new((const char *const *)columns->names, kinds, columns->features, &why);
    if (!schema)
        error_set(error, why.kind, "%.150s:1: %.300s", columns->file, why.text);
    return schema;
}

/* One reading of the table. */
struct reading {
    struct snapshot *train;
    const char *name; /* of the file, for errors */
    struct columns columns;
    size_t place[TABLE_COLUMNS_MAX]; /* where each feature goes in a row */
    bool sums, terms;                /* which are wanted of this reading */
};

static bool reserve_row(const struct reading *reading, const struct table *table, const double *row,
                        struct error *error)
{
    struct error why;
    size_t feature;
    if (folds_reserve(reading->train->folds, row, row[reading->columns.features + 1], &feature,
                      &why))
        return true;
    if (feature == SIZE_MAX)
        return error_set(error, why.kind, "%.150s:%llu: %.300s", reading->name,
                         (unsigned long long)table_line(table), why.text);
    return error_set(error, why.kind, "%.150s:%llu: column %.100s %.200s", reading->name,
                     (unsigned long long)table_line(table), reading->train->schema->names[feature],
                     why.text);
}

static bool read_rows(const struct reading *reading, struct table *table, struct error *error)
{
    double cells[TABLE_COLUMNS_MAX + 1], row[TABLE_COLUMNS_MAX + 1];
    size_t features = reading->columns.features;
    enum table_result result;
    while ((result = table_next(table, cells, error)) == TABLE_ROW) {
        if (!columns_arrange(&reading->columns, cells, table_line(table), error))
            return false;
        for (size_t j = 0; j < features; j++)
            row[reading->place[j]] = cells[j];
        memcpy(row + features, cells + features, 2 * sizeof *row); /* target and weight */
        if (reading->sums) {
            if (!reserve_row(reading, table, row, error))
                return false;
            folds_add(reading->train->folds, row, row[features + 1]);
        }
        if (reading->terms)
            folds_add_terms(reading->train->folds, row, row[features + 1]);
    }
    return result == TABLE_END;
}

/* The features as the events have them, where these are the same. */
static bool order_columns(struct reading *reading, const struct schema *order, struct error *error)
{
    struct snapshot *train = reading->train;
    size_t features = train->schema->count;
    bool same = order && schema_same_names(order, train->schema);
    for (size_t i = 0; i < features; i++)
        reading->place[i] = same ? (size_t)schema_find(order, train->schema->names[i]) : i;
    if (!same)
        return true;
    schema_free(train->schema);
    train->schema = schema_copy(order);
    return train->schema || error_memory(error);
}

/* What its columns are; which are categories, as the events have it, or by the first row. */
static bool begin_table(struct reading *reading, struct table *table, const struct train_wish *wish,
                        struct error *error)
{
    struct columns *columns = &reading->columns;
    if (!columns_find(columns, table, reading->name, error))
        return false;
    if (wish->missing_allowed)
        table_allow_missing(table);
    if (!wish->order)
        return table_guess_categories(table, error);
    for (size_t i = 0; i < columns->features; i++) {
        long j = schema_find(wish->order, columns->names[i]);
        if (j >= 0 && wish->order->kinds[j] == CELL_CATEGORY)
            table_set_category(table, columns_of_feature(columns, i));
    }
    return true;
}

static bool read_table(struct reading *reading, struct table *table, const struct train_wish *wish,
                       struct error *error)
{
    struct snapshot *train = reading->train;
    if (!begin_table(reading, table, wish, error))
        return false;
    train->schema = table_schema(table, &reading->columns, error);
    if (!train->schema || !order_columns(reading, wish->order, error))
        return false;
    size_t features = train->schema->count;
    train->folds =
        folds_new(train->schema->kinds, features, folds_parts(features, wish->may_choose));
    if (!train->folds)
        return error_memory(error);
    reading->sums = true;
    reading->terms =
        train->folds->parts > 1 && wish->maps && schema_equal(wish->maps_schema, train->schema);
    if (reading->terms && !folds_begin_terms(train->folds, wish->maps))
        return error_memory(error);
    if (!read_rows(reading, table, error))
        return false;
    if (folds_rows(train->folds) == 0)
        return error_set(error, ERROR_UNUSABLE, "%s: there is no row of numbers", reading->name);
    table_fingerprint(table, train->fingerprint);
    return true;
}

static bool changed_error(const struct reading *reading, struct error *error)
{
    return error_set(error, ERROR_UNUSABLE, "%s: was changed while it was read", reading->name);
}

/* Where each feature goes is known of the first reading's. */
static bool check_unchanged(const struct reading *reading, struct error *error)
{
    return reading->columns.features == reading->train->schema->count ||
           changed_error(reading, error);
}

/* The terms, where the first reading has told where the columns lie. */
static bool read_again(struct reading *reading, const char *path, const struct train_wish *wish,
                       struct error *error)
{
    struct folds *folds = reading->train->folds;
    struct folds_set set = {1, {folds}, NULL};
    if (!wish->has_terms || folds->parts == 1 || folds->maps ||
        schema_numbers(reading->train->schema) == 0)
        return true;
    struct term_maps *maps = folds_set_maps(&set);
    bool ok = maps && folds_begin_terms(folds, maps);
    term_maps_free(maps);
    if (!ok)
        return error_memory(error);
    struct table *table = table_open_regular(path, error);
    reading->sums = false;
    reading->terms = true;
    ok = table && begin_table(reading, table, wish, error) && check_unchanged(reading, error) &&
         read_rows(reading, table, error);
    table_free(table);
    return ok && (folds->term_rows == folds_rows(folds) || changed_error(reading, error));
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool train_read(const char *path, const struct train_wish *wish, struct snapshot *train,
                struct error *error)
{
    struct reading reading = {.train = train, .name = base_name(path)};
    *train = (struct snapshot){0};
    if (!train_source(path, train->source, error))
        return false;
    struct table *table = table_open_regular(path, error);
    bool ok = table && read_table(&reading, table, wish, error);
    table_free(table);
    ok = ok && read_again(&reading, path, wish, error);
    if (!ok)
        snapshot_free(train);
    return ok;
}

bool train_reorder(struct snapshot *train, const struct schema *schema, const char *path,
                   struct error *error)
{
    if (!schema_same_names(schema, train->schema))
        return schema_difference(schema, train->schema, base_name(path), error);
    if (schema_equal(schema, train->schema))
        return true;
    if (train->folds->parts > 1) /* a row's part follows from its order, too */
        return error_set(
            error, ERROR_BUSY,
            "the first event has fixed the order of the features meanwhile: try again");
    size_t from[SCHEMA_FEATURES_MAX];
    for (size_t i = 0; i < schema->count; i++)
        from[i] = (size_t)schema_find(train->schema, schema->names[i]);
    struct schema *order = schema_copy(schema);
    if (!order || !folds_reorder(train->folds, from)) {
        schema_free(order);
        return error_memory(error);
    }
    schema_free(train->schema);
    train->schema = order;
    return true;
}
