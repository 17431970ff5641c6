#include "schema.h"

#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool check_name(const char *name, struct error *error)
{
    size_t length = strlen(name);
    if (length == 0)
        return error_set(error, ERROR_UNUSABLE, "a feature has an empty name");
    if (length > SCHEMA_NAME_MAX)
        return error_set(error, ERROR_UNUSABLE,
                         "the name of feature \"%.40s…\" is longer than %d bytes", name,
                         SCHEMA_NAME_MAX);
    if (!utf8_valid(name, length))
        return error_set(error, ERROR_UNUSABLE, "a feature's name is not valid UTF-8");
    for (const char *at = name; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7F)
            return error_set(error, ERROR_UNUSABLE, "a feature's name has a control character");
    if (name[0] == '_')
        return error_set(error, ERROR_UNUSABLE,
                         "\"%s\" cannot be a feature: names that begin with _ are options", name);
    if (strcmp(name, SCHEMA_TARGET) == 0)
        return error_set(error, ERROR_UNUSABLE, "\"%s\" cannot be a feature's name", name);
    return true;
}

static int compare_by_name(const void *a, const void *b, void *names)
{
    char **name = names;
    return strcmp(name[*(const size_t *)a], name[*(const size_t *)b]);
}

static bool sort_names(struct schema *schema, struct error *error)
{
    for (size_t i = 0; i < schema->count; i++)
        schema->order[i] = i;
    qsort_r(schema->order, schema->count, sizeof *schema->order, compare_by_name, schema->names);
    for (size_t i = 1; i < schema->count; i++) {
        const char *name = schema->names[schema->order[i]];
        if (strcmp(schema->names[schema->order[i - 1]], name) == 0)
            return error_set(error, ERROR_UNUSABLE, "feature \"%s\" is repeated", name);
    }
    return true;
}

static bool fill(struct schema *schema, const char *const *names, size_t count, struct error *error)
{
    schema->names = calloc(count, sizeof *schema->names);
    schema->order = calloc(count, sizeof *schema->order);
    if (!schema->names || !schema->order)
        return error_memory(error);
    for (schema->count = 0; schema->count < count; schema->count++) {
        if (!check_name(names[schema->count], error))
            return false;
        schema->names[schema->count] = strdup(names[schema->count]);
        if (!schema->names[schema->count])
            return error_memory(error);
    }
    return sort_names(schema, error);
}

struct schema *schema_new(const char *const *names, size_t count, struct error *error)
{
    if (count == 0) {
        error_set(error, ERROR_UNUSABLE, "there must be at least one feature beside the target");
        return NULL;
    }
    if (count > SCHEMA_FEATURES_MAX) {
        error_set(error, ERROR_UNUSABLE, "%zu features are too many: at most %d are allowed", count,
                  SCHEMA_FEATURES_MAX);
        return NULL;
    }
    struct schema *schema = calloc(1, sizeof *schema);
    if (!schema) {
        error_memory(error);
        return NULL;
    }
    if (fill(schema, names, count, error))
        return schema;
    schema_free(schema);
    return NULL;
}

struct schema *schema_copy(const struct schema *schema)
{
    struct error ignored; /* a schema that exists is valid: only memory can fail */
    return schema_new((const char *const *)schema->names, schema->count, &ignored);
}

void schema_free(struct schema *schema)
{
    if (!schema)
        return;
    for (size_t i = 0; i < schema->count; i++)
        free(schema->names[i]);
    free(schema->names);
    free(schema->order);
    free(schema);
}

long schema_find(const struct schema *schema, const char *name)
{
    size_t low = 0, high = schema->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, schema->names[schema->order[middle]]);
        if (order == 0)
            return (long)schema->order[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

void schema_write(const struct schema *schema, struct buffer *out)
{
    buffer_puts(out, "[");
    for (size_t i = 0; i < schema->count; i++) {
        buffer_puts(out, i ? ", " : "");
        json_write_string(out, schema->names[i], strlen(schema->names[i]));
    }
    buffer_puts(out, "]");
}

struct schema *schema_parse(const struct json *array, struct error *error)
{
    const char *names[SCHEMA_FEATURES_MAX + 1];
    size_t count = 0;
    for (const struct json *item = json_first(array); item && count <= SCHEMA_FEATURES_MAX;
         item = json_next(item))
        if (json_kind(item) == JSON_STRING)
            names[count++] = json_string(item);
    return schema_new(names, count, error);
}

bool schema_same_names(const struct schema *a, const struct schema *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (schema_find(b, a->names[i]) < 0)
            return false;
    return true;
}

bool schema_equal(const struct schema *a, const struct schema *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->names[i], b->names[i]) != 0)
            return false;
    return true;
}

/* Appends the names that `of` has and `without` lacks to `text`, as far as they fit. */
static void list_missing(char *text, size_t size, const struct schema *of,
                         const struct schema *without)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < of->count && used < size; i++)
        if (schema_find(without, of->names[i]) < 0)
            used +=
                (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", of->names[i]);
    if (text[0] == '\0')
        snprintf(text, size, "none");
}

bool schema_difference(const struct schema *stored, const struct schema *other, const char *what,
                       struct error *error)
{
    char missing[160], added[160];
    list_missing(missing, sizeof missing, stored, other);
    list_missing(added, sizeof added, other, stored);
    return error_set(error, ERROR_CONFLICT,
                     "%s has other features than the stored events: missing %s; added %s", what,
                     missing, added);
}
