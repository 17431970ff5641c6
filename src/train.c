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

static bool add_row(struct snapshot *train, const struct table *table, const char *name,
                    const double *row, struct error *error)
{
    switch (moments_reserve(train->moments, row)) {
    case MOMENTS_OK:
        moments_add(train->moments, row);
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
        name, (unsigned long long)table_line(table));
}

static bool read_rows(struct snapshot *train, struct table *table, const char *name,
                      struct error *error)
{
    double row[TABLE_COLUMNS_MAX];
    enum table_result result;
    while ((result = table_next(table, row, error)) == TABLE_ROW)
        if (!add_row(train, table, name, row, error))
            return false;
    return result == TABLE_END;
}

static bool read_table(struct table *table, const char *name, struct snapshot *train,
                       struct error *error)
{
    if (table_columns(table) < 2)
        return error_set(error, ERROR_UNUSABLE,
                         "%s: one column is not enough: features, then the target", name);
    train->schema = table_schema(table, name, error);
    if (!train->schema)
        return false;
    train->moments = moments_new(train->schema->count);
    if (!train->moments)
        return error_memory(error);
    if (!read_rows(train, table, name, error))
        return false;
    if (moments_rows(train->moments) == 0)
        return error_set(error, ERROR_UNUSABLE, "%s: there is no row of numbers", name);
    table_fingerprint(table, train->fingerprint);
    return true;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool train_read(const char *path, struct snapshot *train, struct error *error)
{
    *train = (struct snapshot){0};
    if (!train_source(path, train->source, error))
        return false;
    struct table *table = table_open(path, error);
    bool ok = table && read_table(table, base_name(path), train, error);
    table_free(table);
    if (!ok)
        snapshot_free(train);
    return ok;
}

/* The same sums with the columns where `schema` has them; the constant stays first, the target
 * last. */
static struct moments *permute(const struct snapshot *train, const struct schema *schema)
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
            long exponent = moments_sum(train->moments, from[j], from[k], sum);
            ok = moments_set_sum(moments, j, k, sum, exponent);
        }
    mpz_clear(sum);
    moments_set_rows(moments, moments_rows(train->moments));
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
    struct schema *order = schema_copy(schema);
    struct moments *moments = order ? permute(train, schema) : NULL;
    if (!moments) {
        schema_free(order);
        return error_memory(error);
    }
    schema_free(train->schema);
    moments_free(train->moments);
    train->schema = order;
    train->moments = moments;
    return true;
}
