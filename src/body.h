/* A request's body as a stream whose kind is known: JSON values or a table. */
#ifndef TRENDLINE_BODY_H
#define TRENDLINE_BODY_H

#include "error.h"
#include "http.h"
#include "json_stream.h"
#include "table.h"

#include <stdbool.h>

struct body {
    struct request *request;
    bool is_table;
    bool is_bulk;            /* a table or NDJSON; JSON may still turn out to be */
    struct table *table;     /* with a header; NULL unless is_table */
    struct json_stream json; /* unless is_table */
    char first[256];         /* what was read to see how the body begins */
    size_t first_length, first_at;
};

/* ERROR_LENGTH: a body of unknown length; ERROR_SYNTAX: an empty one; ERROR_MEDIA_TYPE: neither a
 * type that we know nor JSON by its first byte; or what is wrong with the table's header. `body`
 * must stay where it is, and is to be closed in any case. */
bool body_open(struct body *body, struct request *request, struct error *error);
/* What is wrong with a table that ends behind its header; false, as error_set. */
bool body_no_rows(struct error *error);
void body_close(struct body *body);

#endif
