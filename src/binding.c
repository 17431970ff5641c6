#include "binding.h"

#include "quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool make_room(struct binding *binding, size_t fields)
{
    if (fields <= binding->capacity)
        return true;
    double *row = realloc(binding->row, fields * sizeof *row);
    if (row)
        binding->row = row;
    unsigned char *seen = realloc(binding->seen, fields);
    if (seen)
        binding->seen = seen;
    if (!row || !seen)
        return false;
    binding->capacity = fields;
    return true;
}

bool binding_begin(struct binding *binding, const struct schema *schema, bool with_target,
                   struct error *error)
{
    if (!make_room(binding, schema->count + 1))
        return error_memory(error);
    binding->schema = schema;
    binding->with_target = with_target;
    binding->bound = 0;
    binding->problems[0] = '\0';
    binding->untold = 0;
    memset(binding->seen, 0, schema->count + 1);
    return true;
}

/* Tells of one name, unless there is no room any more. */
static void problem(struct binding *binding, const char *before, const char *name,
                    const char *after)
{
    char quoted[QUOTE_MAX], text[QUOTE_MAX + 64];
    size_t used = strlen(binding->problems);
    if (binding->untold > 0) {
        binding->untold++;
        return;
    }
    int length = snprintf(text, sizeof text, "%s%s%s%s", used ? "; " : "", before,
                          quote(quoted, name, strlen(name)), after);
    if (used + (size_t)length < sizeof binding->problems)
        memcpy(binding->problems + used, text, (size_t)length + 1);
    else
        binding->untold = 1;
}

static long find_field(const struct binding *binding, const char *name)
{
    if (strcmp(name, SCHEMA_TARGET) == 0)
        return binding->with_target ? (long)binding->schema->count : -1;
    return schema_find(binding->schema, name);
}

void binding_value(struct binding *binding, const char *name, enum binding_value kind, double value)
{
    long field = find_field(binding, name);
    if (field < 0) {
        problem(binding, name[0] == '_' ? "unknown option " : "unknown feature ", name, "");
        return;
    }
    if (binding->seen[field]) {
        problem(binding, "", name, " is repeated");
        return;
    }
    binding->seen[field] = 1;
    binding->bound++;
    binding->row[field] = value;
    if (kind == BINDING_NOT_A_NUMBER)
        problem(binding, "", name, " is not a number");
    else if (kind == BINDING_TOO_LARGE)
        problem(binding, "", name, " is beyond the range of a double");
}

static void name_missing(struct binding *binding)
{
    const struct schema *schema = binding->schema;
    for (size_t i = 0; i < schema->count; i++)
        if (!binding->seen[i])
            problem(binding, "missing feature ", schema->names[i], "");
    if (binding->with_target && !binding->seen[schema->count])
        problem(binding, "missing ", SCHEMA_TARGET, "");
}

bool binding_end(struct binding *binding, struct error *error)
{
    if (binding->bound < binding->schema->count + binding->with_target)
        name_missing(binding);
    if (binding->problems[0] == '\0')
        return true;
    if (binding->untold > 0)
        return error_set(error, ERROR_UNUSABLE, "%s; and %zu more", binding->problems,
                         binding->untold);
    return error_set(error, ERROR_UNUSABLE, "%s", binding->problems);
}

void binding_free(struct binding *binding)
{
    free(binding->row);
    free(binding->seen);
    *binding = (struct binding){0};
}
