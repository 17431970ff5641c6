#include "train.h"

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

/* The table's columns but the last, which is the target whatever its name. */
static struct schema *table_schema(const struct table *table, const char *name, struct error *error)
{
    struct error why;
    size_t features = table_columns(table) - 1;
    const char *names[TABLE_COLUMNS_MAX];
    for (size_t i = 0; i < features; i++)
        names[i] = table_column_name(table, i);
    struct schema *schema = schema_new(names, features, &why);
    if (!schema)
        error_set(error, why.kind, "%.150s:1: %.300s", name, why.text);
    return schema;
}

/* One reading of the table. */
struct reading {
    struct snapshot *train;
    const char *name;                /* of the file, for errors */
    size_t place[TABLE_COLUMNS_MAX]; /* where each column goes in a row */
    bool sums, terms;                /* which are wanted of this reading */
};

static bool reserve_row(const struct reading *reading, const struct table *table, const double *row,
                        struct error *error)
{
    switch (folds_reserve(reading->train->folds, row, 1)) {
    case MOMENTS_OK:
        return true;
    case MOMENTS_NO_MEMORY:
        return error_memory(error);
    case MOMENTS_TOO_WIDE:
        break;
    }
    return error_set(
        error, ERROR_UNUSABLE,
        "%.150s:%llu: the values of so many columns span too wide a range to be summed "
        "exactly",
        reading->name, (unsigned long long)table_line(table));
}

static bool read_rows(const struct reading *reading, struct table *table, struct error *error)
{
    double cells[TABLE_COLUMNS_MAX], row[TABLE_COLUMNS_MAX];
    enum table_result result;
    while ((result = table_next(table, cells, error)) == TABLE_ROW) {
        for (size_t i = 0; i < table_columns(table); i++)
            row[reading->place[i]] = cells[i];
        if (reading->sums) {
            if (!reserve_row(reading, table, row, error))
                return false;
            folds_add(reading->train->folds, row, 1);
        }
        if (reading->terms)
            folds_add_terms(reading->train->folds, row, 1);
    }
    return result == TABLE_END;
}

/* The columns as the events have them, where these are the same features; the target stays last. */
static bool order_columns(struct reading *reading, const struct schema *order, struct error *error)
{
    struct snapshot *train = reading->train;
    size_t features = train->schema->count;
    bool same = order && schema_same_names(order, train->schema);
    for (size_t i = 0; i < features; i++)
        reading->place[i] = same ? (size_t)schema_find(order, train->schema->names[i]) : i;
    reading->place[features] = features;
    if (!same)
        return true;
    schema_free(train->schema);
    train->schema = schema_copy(order);
    return train->schema || error_memory(error);
}

static bool read_table(struct reading *reading, struct table *table, const struct train_wish *wish,
                       struct error *error)
{
    struct snapshot *train = reading->train;
    if (table_columns(table) < 2)
        return error_set(error, ERROR_UNUSABLE,
                         "%s: one column is not enough: features, then the target", reading->name);
    train->schema = table_schema(table, reading->name, error);
    if (!train->schema || !order_columns(reading, wish->order, error))
        return false;
    size_t features = train->schema->count;
    train->folds = folds_new(features, folds_parts(features, wish->may_choose));
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

/* The terms, where the first reading has told where the columns lie. */
static bool read_again(struct reading *reading, const char *path, struct error *error)
{
    struct folds *folds = reading->train->folds;
    struct folds_set set = {1, {folds}};
    if (folds->parts == 1 || folds->maps)
        return true;
    struct moments *moments = folds_set_moments(&set);
    struct term_maps *maps = moments ? term_maps_new(moments) : NULL;
    bool ok = maps && folds_begin_terms(folds, maps);
    term_maps_free(maps);
    moments_free(moments);
    if (!ok)
        return error_memory(error);
    struct table *table = table_open(path, error);
    reading->sums = false;
    reading->terms = true;
    ok = table && read_rows(reading, table, error);
    table_free(table);
    return ok &&
           (folds->term_rows == folds_rows(folds) ||
            error_set(error, ERROR_UNUSABLE, "%s: was changed while it was read", reading->name));
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
    struct table *table = table_open(path, error);
    bool ok = table && read_table(&reading, table, wish, error);
    table_free(table);
    ok = ok && read_again(&reading, path, error);
    if (!ok)
        snapshot_free(train);
    return ok;
}

/* The same sums with the columns where `schema` has them; the constant stays first, the target
 * last. */
static struct moments *permute(const struct snapshot *train, const struct moments *sums,
                               const struct schema *schema)
{
    size_t features = schema->count, from[SCHEMA_FEATURES_MAX + 2] = {0};
    struct moments *moments = moments_new(features);
    mpz_t sum;
    if (!moments)
        return NULL;
    for (size_t i = 0; i < features; i++)
        from[i + 1] = (size_t)schema_find(train->schema, schema->names[i]) + 1;
    from[features + 1] = features + 1;
    mpz_init(sum);
    bool ok = true;
    for (size_t j = 0; j < features + 2; j++)
        for (size_t k = j; k < features + 2 && ok; k++) {
            long exponent = moments_sum(sums, from[j], from[k], sum);
            ok = moments_set_sum(moments, j, k, sum, exponent);
        }
    mpz_clear(sum);
    moments_set_rows(moments, moments_rows(sums));
    if (ok)
        return moments;
    moments_free(moments);
    return NULL;
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
    struct schema *order = schema_copy(schema);
    struct moments *moments = order ? permute(train, train->folds->moments[0], schema) : NULL;
    if (!moments) {
        schema_free(order);
        return error_memory(error);
    }
    schema_free(train->schema);
    moments_free(train->folds->moments[0]);
    train->schema = order;
    train->folds->moments[0] = moments;
    return true;
}
