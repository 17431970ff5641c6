/* A body of JSON values, cut into single values while it streams in, so that cJSON only ever sees
 * one event at a time: a 16 MB body of small values would become 640 MB of cJSON at once.
 *
 * The text is one value, or several in a row with or without white space between them; an array at
 * the top level counts as its elements. */
#ifndef TRENDLINE_JSON_STREAM_H
#define TRENDLINE_JSON_STREAM_H

#include "buffer.h"
#include "error.h"

#include <stdbool.h>
#include <stddef.h>

enum { JSON_VALUE_MAX = 1 << 20 }; /* bytes of one event */

/* Fills up to `size` bytes, returns how many (0 at the end), or -1 with `error` set: ERROR_LATER
 * where they have not come yet. */
typedef long json_source(void *context, char *data, size_t size, struct error *error);

/* How far a value has been followed. */
struct json_extent {
    size_t length;
    unsigned depth;
    bool in_string, escaped, begun, done;
};

struct json_stream {
    json_source *source;
    void *context;
    struct buffer text;        /* what has been read and not yet been handed out */
    size_t next;               /* where in it the next value begins */
    struct json_extent extent; /* of that value, as far as it has come */
    bool ended;                /* the source has no more */
    bool any_array;            /* an array was seen: the body is bulk even with one element */
    enum {
        JSON_OUTSIDE,       /* of an array */
        JSON_ARRAY_OPENED,  /* an element or the closing bracket comes next */
        JSON_AFTER_ELEMENT, /* a comma or the closing bracket */
        JSON_AFTER_COMMA    /* an element */
    } place;
};

void json_stream_init(struct json_stream *stream, json_source *source, void *context);
void json_stream_free(struct json_stream *stream);

enum json_stream_result { JSON_STREAM_VALUE, JSON_STREAM_END, JSON_STREAM_ERROR };

/* The next value's text, valid until the next call. After ERROR_LATER it can be asked for again.
 * ERROR_SYNTAX and ERROR_TOO_LARGE cannot be recovered from: where the next value begins is then
 * unknown. */
enum json_stream_result json_stream_next(struct json_stream *stream, const char **text,
                                         size_t *length, struct error *error);

/* What has been read so far of the next value; false when there is nothing, and where
 * json_stream_next has something to say. Never reads. The value stays the next one until
 * json_stream_take steps over it, `length` bytes that must be all of it. */
bool json_stream_peek(struct json_stream *stream, const char **text, size_t *length);
void json_stream_take(struct json_stream *stream, size_t length);

#endif
