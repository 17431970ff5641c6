/* Event: one row to learn, and what it is known by. */
#ifndef TRENDLINE_EVENT_H
#define TRENDLINE_EVENT_H

#include <stddef.h>

struct event {
    const double *row; /* the schema's features, the target, the weight: schema_cells() of them */
    const char *id;    /* escaped as in json_write_string, without quotes, not terminated; NULL:
                          none */
    size_t id_length;
    const char *time; /* as in timestamp.h; NULL: the present */
};

#endif
