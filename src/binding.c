#include "binding.h"

#include "quote.h"
#include "symbols.h"

#include <math.h>
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
    if (!make_room(binding, schema_cells(schema)))
        return error_memory(error);
    binding->row[schema->count] = 0;
    binding->row[schema->count + 1] = 1;
    binding->schema = schema;
    binding->with_target = with_target;
    binding->bound = 0;
    binding->problems[0] = '\0';
    binding->untold = 0;
    binding->unseen = false;
    memset(binding->seen, 0, schema->count + 1);
    return true;
}

/* Tells of one name, unless there is no room any more. */
static void problem(struct binding *binding, const char *before, const char *name,
                    const char *after)
{
    char quoted[QUOTE_MAX], text[2 * QUOTE_MAX + 200];
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
    if (strcmp(name, schema_target()) == 0)
        return binding->with_target ? (long)binding->schema->count : -1;
    return schema_find(binding->schema, name);
}

static enum cell_kind kind_of(const struct binding *binding, long field)
{
    bool is_feature = field >= 0 && (size_t)field < binding->schema->count;
    return is_feature ? binding->schema->kinds[field] : CELL_NUMBER;
}

enum cell_kind binding_kind(const struct binding *binding, const char *name)
{
    return kind_of(binding, find_field(binding, name));
}

/* The field of that name, if it is wanted and was not given before; else -1, and it is told. */
static long take_field(struct binding *binding, const char *name)
{
    long field = find_field(binding, name);
    if (field < 0) {
        problem(binding, name[0] == '_' ? "unknown option " : "unknown feature ", name, "");
        return -1;
    }
    if (binding->seen[field]) {
        problem(binding, "", name, " is repeated");
        return -1;
    }
    binding->seen[field] = 1;
    binding->bound++;
    return field;
}

/* Whether the model knows of what field j has just become. */
static void check_known(struct binding *binding, const char *name, size_t j, const char *after)
{
    if (!binding->known || encoding_knows_cell(binding->known, binding->row, j))
        return;
    binding->unseen = true;
    if (!binding->unseen_allowed)
        problem(binding, "", name, after);
}

static void bind_missing(struct binding *binding, const char *name, size_t field)
{
    binding->row[field] = NAN;
    if (field == binding->schema->count)
        problem(binding, "", name, " is not a number");
    else if (!binding->missing_allowed)
        problem(binding, "", name, " is missing, which MISSING=allow would allow");
    else
        check_known(binding, name, field, " is missing, which it never was in what was learnt");
}

void binding_value(struct binding *binding, const char *name, enum binding_value kind, double value)
{
    long field = take_field(binding, name);
    if (field < 0)
        return;
    binding->row[field] = value;
    if (kind == BINDING_MISSING)
        bind_missing(binding, name, (size_t)field);
    else if (binding_kind(binding, name) == CELL_CATEGORY)
        problem(binding, "", name, " is not text");
    else if (kind == BINDING_NOT_A_NUMBER)
        problem(binding, "", name, " is not a number");
    else if (kind == BINDING_TOO_LARGE)
        problem(binding, "", name, " is beyond the range of a double");
}

void binding_text(struct binding *binding, const char *name, const char *text)
{
    struct error error;
    char after[ERROR_TEXT_MAX + 1], quoted[QUOTE_MAX];
    long field = take_field(binding, name);
    if (field < 0)
        return;
    if (binding_kind(binding, name) != CELL_CATEGORY) {
        problem(binding, "", name, " is not a number");
        return;
    }
    if (text[0] == '\0') {
        bind_missing(binding, name, (size_t)field);
        return;
    }
    if (binding->known) {
        binding->row[field] = symbol_code(text, strlen(text));
        snprintf(after, sizeof after, " has no level %s", quote(quoted, text, strlen(text)));
        check_known(binding, name, (size_t)field, after);
    } else if (!symbol_keep(text, strlen(text), &binding->row[field], &error)) {
        snprintf(after, sizeof after, " %s", error.text);
        problem(binding, "", name, after);
    }
}

void binding_cell(struct binding *binding, const char *name, enum cell_kind kind, double cell)
{
    long field = take_field(binding, name);
    if (field < 0)
        return;
    binding->row[field] = cell;
    if (isnan(cell))
        bind_missing(binding, name, (size_t)field);
    else if (kind != kind_of(binding, field))
        problem(binding, "", name,
                kind == CELL_CATEGORY
                    ? " is a number, and was taken for text: send the table again"
                    : " is text, and was taken for a number: send the table again");
}

static void name_missing(struct binding *binding)
{
    const struct schema *schema = binding->schema;
    for (size_t i = 0; i < schema->count; i++)
        if (!binding->seen[i])
            problem(binding, "missing feature ", schema->names[i], "");
    if (binding->with_target && !binding->seen[schema->count])
        problem(binding, "missing ", schema_target(), "");
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
