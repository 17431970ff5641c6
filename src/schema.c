#include "schema.h"

#include "symbols.h"
#include "utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char target_name[SCHEMA_NAME_MAX + 1] = SCHEMA_TARGET_DEFAULT;

const char *schema_target(void)
{
    return target_name;
}

static bool check_text(const char *name, struct error *error)
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
    return name[0] != '_' ||
           error_set(error, ERROR_UNUSABLE,
                     "\"%s\" cannot be a feature: names that begin with _ are options", name);
}

bool schema_name_target(const char *name, struct error *error)
{
    if (!check_text(name, error))
        return false;
    strcpy(target_name, name);
    return true;
}

static bool check_name(const char *name, struct error *error)
{
    if (!check_text(name, error))
        return false;
    if (strcmp(name, target_name) == 0)
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

static bool fill(struct schema *schema, const char *const *names, const enum cell_kind *kinds,
                 size_t count, struct error *error)
{
    schema->names = calloc(count, sizeof *schema->names);
    schema->kinds = calloc(count, sizeof *schema->kinds);
    schema->order = calloc(count, sizeof *schema->order);
    if (!schema->names || !schema->kinds || !schema->order)
        return error_memory(error);
    if (kinds)
        memcpy(schema->kinds, kinds, count * sizeof *kinds);
    for (schema->count = 0; schema->count < count; schema->count++) {
        if (!check_name(names[schema->count], error))
            return false;
        schema->names[schema->count] = strdup(names[schema->count]);
        if (!schema->names[schema->count])
            return error_memory(error);
    }
    return sort_names(schema, error);
}

struct schema *schema_new(const char *const *names, const enum cell_kind *kinds, size_t count,
                          struct error *error)
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
    if (fill(schema, names, kinds, count, error))
        return schema;
    schema_free(schema);
    return NULL;
}

struct schema *schema_copy(const struct schema *schema)
{
    struct error ignored; /* a schema that exists is valid: only memory can fail */
    return schema_new((const char *const *)schema->names, schema->kinds, schema->count, &ignored);
}

void schema_free(struct schema *schema)
{
    if (!schema)
        return;
    for (size_t i = 0; i < schema->count; i++)
        free(schema->names[i]);
    free(schema->names);
    free(schema->kinds);
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

size_t schema_cells(const struct schema *schema)
{
    return schema->count + 2;
}

size_t schema_numbers(const struct schema *schema)
{
    size_t numbers = 0;
    for (size_t i = 0; i < schema->count; i++)
        numbers += schema->kinds[i] == CELL_NUMBER;
    return numbers;
}

void schema_write(const struct schema *schema, struct buffer *out)
{
    buffer_puts(out, "[");
    for (size_t i = 0; i < schema->count; i++) {
        bool category = schema->kinds[i] == CELL_CATEGORY;
        buffer_puts(out, i ? ", " : "");
        buffer_puts(out, category ? "{\"category\": " : "");
        json_write_string(out, schema->names[i], strlen(schema->names[i]));
        buffer_puts(out, category ? "}" : "");
    }
    buffer_puts(out, "]");
}

void schema_write_cell(const struct schema *schema, const double *row, size_t j, struct buffer *out)
{
    if (schema->kinds[j] == CELL_CATEGORY) {
        const char *text = isnan(row[j]) ? "" : symbol_text(row[j]);
        json_write_string(out, text, strlen(text));
    } else if (isnan(row[j])) {
        buffer_puts(out, "null");
    } else {
        json_write_number(out, row[j]);
    }
}

struct schema *schema_parse(const struct json *array, struct error *error)
{
    const char *names[SCHEMA_FEATURES_MAX + 1];
    enum cell_kind kinds[SCHEMA_FEATURES_MAX + 1];
    size_t count = 0;
    for (const struct json *item = json_first(array); item && count <= SCHEMA_FEATURES_MAX;
         item = json_next(item)) {
        const struct json *name = item;
        kinds[count] = CELL_NUMBER;
        if (json_kind(item) == JSON_OBJECT) {
            name = json_get_kind(item, "category", JSON_STRING);
            kinds[count] = CELL_CATEGORY;
        }
        if (name && json_kind(name) == JSON_STRING)
            names[count++] = json_string(name);
    }
    return schema_new(names, kinds, count, error);
}

bool schema_same_names(const struct schema *a, const struct schema *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        long place = schema_find(b, a->names[i]);
        if (place < 0 || b->kinds[place] != a->kinds[i])
            return false;
    }
    return true;
}

bool schema_equal(const struct schema *a, const struct schema *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->names[i], b->names[i]) != 0 || a->kinds[i] != b->kinds[i])
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

static const char *kind_name(enum cell_kind kind)
{
    return kind == CELL_CATEGORY ? "text" : "a number";
}

bool schema_difference(const struct schema *stored, const struct schema *other, const char *what,
                       struct error *error)
{
    char missing[160], added[160];
    for (size_t i = 0; i < stored->count; i++) {
        long place = schema_find(other, stored->names[i]);
        if (place >= 0 && other->kinds[place] != stored->kinds[i])
            return error_set(
                error, ERROR_CONFLICT, "%s: \"%.100s\" is %s, but %s in the stored events", what,
                stored->names[i], kind_name(other->kinds[place]), kind_name(stored->kinds[i]));
    }
    list_missing(missing, sizeof missing, stored, other);
    list_missing(added, sizeof added, other, stored);
    return error_set(error, ERROR_CONFLICT,
                     "%s has other features than the stored events: missing %s; added %s", what,
                     missing, added);
}
