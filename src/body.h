/* A request's body as a stream whose kind is known: JSON values or a table.
 *
 * It is read bit by bit: where nothing has come yet, or where the time is over, whatever is asked
 * of the body fails with ERROR_LATER and can be asked for again. */
#ifndef TRENDLINE_BODY_H
#define TRENDLINE_BODY_H

#include "buffer.h"
#include "error.h"
#include "http.h"
#include "json_stream.h"
#include "table.h"

#include <stdbool.h>
#include <stdint.h>

struct body {
    struct request *request;
    int64_t until; /* clock_us, to be set by the user: no more is read after it; 0: no limit */
    bool is_table;
    bool is_bulk;            /* a table or NDJSON; JSON may still turn out to be */
    struct table *table;     /* with a header; NULL unless is_table */
    struct json_stream json; /* unless is_table */
    struct buffer first;     /* what was read to see how the body begins */
    size_t first_at;         /* how much of it has been passed on */
    bool ended;              /* the request has no more */
};

/* A body that is to be opened. It must stay where it is, and is to be closed in any case. */
void body_begin(struct body *body, struct request *request);
/* ERROR_LATER: try again. ERROR_LENGTH: a body of unknown length; ERROR_SYNTAX: an empty one;
 * ERROR_MEDIA_TYPE: neither a type that we know nor JSON by its first byte; or what is wrong with
 * the table's header. */
bool body_open(struct body *body, struct error *error);
/* What is wrong with a table that ends behind its header; false, as error_set. */
bool body_no_rows(struct error *error);
void body_close(struct body *body);

#endif
