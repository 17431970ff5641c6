/* Schema: the features that every event of a service has, in their fixed order. */
#ifndef TRENDLINE_SCHEMA_H
#define TRENDLINE_SCHEMA_H

#include "buffer.h"
#include "encoding.h"
#include "error.h"
#include "json.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    SCHEMA_FEATURES_MAX = 500,
    SCHEMA_NAME_MAX = 256 /* bytes of a feature's name */
};

#define SCHEMA_TARGET_DEFAULT "target"

/* What the target is called in JSON and in tables, and so no feature may be: "target", unless this
 * process was told another name (copied) before anything else. False: it cannot be a name. */
const char *schema_target(void);
bool schema_name_target(const char *name, struct error *error);

struct schema {
    size_t count;
    char **names;          /* `count` of them, in order; owned */
    enum cell_kind *kinds; /* the same number; owned */
    size_t *order;         /* indexes sorted by name, for schema_find */
};

/* Copies `count` names, and kinds where they are not all numbers (NULL). Fails (ERROR_UNUSABLE) on
 * a name that is empty, too long, not UTF-8, has a control character, begins with `_`, is the
 * target's or stands twice, on no names, on too many. */
struct schema *schema_new(const char *const *names, const enum cell_kind *kinds, size_t count,
                          struct error *error);
struct schema *schema_copy(const struct schema *schema); /* NULL without memory */
void schema_free(struct schema *schema);

/* Index of the feature called `name`, or -1. */
long schema_find(const struct schema *schema, const char *name);

/* How many doubles an event's row has: the features, the target, the weight. */
size_t schema_cells(const struct schema *schema);

/* How many features are numbers. */
size_t schema_numbers(const struct schema *schema);

/* As a JSON array of names, and back; a category is an object {"category": "name"}. */
void schema_write(const struct schema *schema, struct buffer *out);
struct schema *schema_parse(const struct json *array, struct error *error);

/* Appends a row's cell of feature j: a number or a category's text; where it is missing null or an
 * empty text, so that each cell tells which of them its feature is. */
void schema_write_cell(const struct schema *schema, const double *row, size_t j,
                       struct buffer *out);

/* The same names and kinds, in whatever order. */
bool schema_same_names(const struct schema *a, const struct schema *b);
/* The same names and kinds in the same order. */
bool schema_equal(const struct schema *a, const struct schema *b);

/* ERROR_CONFLICT that says which names only one side has, or what is of another kind, as
 * "WHAT: …". */
bool schema_difference(const struct schema *stored, const struct schema *other, const char *what,
                       struct error *error);

#endif
