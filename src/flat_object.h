/* Flat object: the common kind of JSON row, read in one pass without a tree. It has plain numbers,
 * all of a schema's features once, names without escapes, and perhaps `_id` and `_time`.
 *
 * Whatever is not just so is left to json_parse and struct binding, which know what to say of it:
 * a row is taken here only where these two would take the same row. */
#ifndef TRENDLINE_FLAT_OBJECT_H
#define TRENDLINE_FLAT_OBJECT_H

#include "event.h"
#include "schema.h"
#include "timestamp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Scratch, used again for each row; zero at first. */
struct flat_object {
    const struct schema *schema;
    bool with_target;
    size_t count;   /* of the schema's features */
    double *row;    /* schema_cells() of them; owned */
    uint64_t *seen; /* owned; the number of the row that last had the field */
    uint64_t row_number;
    struct event event; /* the row last read: `row`, and an id within its text */
    char time[TIMESTAMP_MAX];
};

/* Rows of this schema are wanted; the same one again costs nothing. False without memory. */
bool flat_object_begin(struct flat_object *flat, const struct schema *schema, bool with_target);
void flat_object_free(struct flat_object *flat);

/* Reads the object at the beginning of `text` into flat->row. How many bytes it took; 0: not a
 * plain one, or not all of it is there. */
size_t flat_object_read(struct flat_object *flat, const char *text, size_t length);

#endif
