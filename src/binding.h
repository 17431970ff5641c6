/* Binding: named values become a row in the schema's order, and every name that is wrong is told.
 *
 * Used alike for a JSON object, a query string and a table's header. */
#ifndef TRENDLINE_BINDING_H
#define TRENDLINE_BINDING_H

#include "error.h"
#include "schema.h"

#include <stdbool.h>
#include <stddef.h>

/* One use: binding_begin, a binding_value for each pair, binding_end. The struct can be used again
 * and then allocates nothing. */
struct binding {
    const struct schema *schema;
    /* set by the caller, and left alone: */
    const struct encoding *known; /* what a row may say; NULL: anything, and texts are kept */
    bool missing_allowed;
    bool unseen_allowed; /* what is not known is no problem */
    bool with_target;
    double *row;         /* schema_cells(): the weight is 1; owned */
    unsigned char *seen; /* the same number of flags; owned */
    size_t capacity;     /* of both */
    size_t bound;        /* how many distinct fields have been seen */
    char problems[400];  /* what is wrong so far, "; " between */
    size_t untold;       /* how much more is wrong than `problems` has room for */
    bool unseen;         /* something was not known */
};

enum binding_value {
    BINDING_NUMBER,
    BINDING_NOT_A_NUMBER, /* a container, text that is no number */
    BINDING_TOO_LARGE,    /* a number beyond the range of doubles */
    BINDING_MISSING       /* null */
};

/* `with_target`: the field schema_target() is wanted too, otherwise it is unknown. */
bool binding_begin(struct binding *binding, const struct schema *schema, bool with_target,
                   struct error *error);
void binding_value(struct binding *binding, const char *name, enum binding_value kind,
                   double value);
/* The same for text, which is the level of a category, or missing where it is empty. */
void binding_text(struct binding *binding, const char *name, const char *text);
/* The same for a table's cell, which has been read as one of that kind: a category's code, or NaN,
 * already. */
void binding_cell(struct binding *binding, const char *name, enum cell_kind kind, double cell);
/* What `name` is wanted to be; CELL_NUMBER if it is no feature. */
enum cell_kind binding_kind(const struct binding *binding, const char *name);
/* True when every field was given once and is what it should be: `row` is then complete. Otherwise
 * ERROR_UNUSABLE that names the fields. */
bool binding_end(struct binding *binding, struct error *error);
void binding_free(struct binding *binding);

#endif
