/* Events out of a request's body, one at a time. */
#ifndef TRENDLINE_EVENT_READER_H
#define TRENDLINE_EVENT_READER_H

#include "binding.h"
#include "body.h"
#include "error.h"
#include "event.h"
#include "flat_object.h"
#include "ids.h"
#include "json.h"
#include "schema.h"

#include <stdbool.h>
#include <stddef.h>

/* JSON bodies of up to so many bytes are parsed whole before the first event is fetched: of a body
 * with a fault nothing is taken then. Longer ones are streamed, and what stands before the fault
 * counts. */
enum { EVENT_READER_AHEAD = 64 << 10 };

struct event_reader {
    struct body body;
    struct json *json;   /* the event last fetched, of a JSON body */
    struct json **ahead; /* events parsed before they are fetched; NULL: streamed */
    size_t ahead_count, ahead_next, ahead_capacity;
    bool opened;                     /* the body is */
    bool any_row;                    /* of a table was fetched */
    double *cells;                   /* the row last fetched, of a table */
    size_t id_column, weight_column; /* of a table; SIZE_MAX: none */
    struct binding binding;
    struct buffer id_text; /* of a table's row */
    struct buffer id;      /* escaped, with its quotes */
    char time[TIMESTAMP_MAX];
    struct flat_object flat;
    bool expects;  /* has been told what to expect */
    bool exported; /* by us: each event has an id, and all that is text is in quotes; false unless
                      set after event_reader_open */
};

/* As body_begin and body_open, whose error may also be what is wrong with a short body's JSON; to
 * be closed in any case. The reader must stay where it is. */
void event_reader_begin(struct event_reader *reader, struct request *request);
bool event_reader_open(struct event_reader *reader, struct error *error);
void event_reader_close(struct event_reader *reader);

/* What the columns of a table are, and whether something may be missing: to be called before the
 * first fetch. `schema` NULL: the first row tells. Another call does nothing. */
bool event_reader_expect(struct event_reader *reader, const struct schema *schema,
                         bool missing_allowed, struct error *error);

enum event_result {
    EVENT_FETCHED,
    EVENT_REFUSED, /* this one is no event: `error` says why; the next can be fetched */
    EVENT_END,
    EVENT_BROKEN /* the rest of the body cannot be read; ERROR_LATER: not yet, ask again */
};

enum event_result event_reader_fetch(struct event_reader *reader, struct error *error);

/* Fetches and binds the next event of a streamed body in one step, if it is of the common kind
 * (flat_object.h) and is there as a whole. False: nothing was taken, event_reader_fetch has it.
 * `schema` must stay as long as the reader. */
bool event_reader_next_flat(struct event_reader *reader, const struct schema *schema,
                            struct event *event);

/* The schema that the fetched event would make. */
struct schema *event_reader_schema(const struct event_reader *reader, struct error *error);

/* The fetched event under `schema`; what *event points to lives until the next fetch or bind. */
bool event_reader_bind(struct event_reader *reader, const struct schema *schema,
                       struct event *event, struct error *error);

/* True when the body was one JSON object and nothing else; to be asked at EVENT_END. */
bool event_reader_is_single(const struct event_reader *reader, size_t fetched);

/* Binds all members of a JSON object by their names, but an event's options when `is_event`; true
 * is 1 and false 0. */
void binding_object(struct binding *binding, const struct json *object, bool is_event);

#endif
