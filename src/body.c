#include "body.h"

#include <ctype.h>
#include <string.h>

/* The source of both streams: first what was read ahead, then the rest. */
static long read_body(void *context, char *data, size_t size, struct error *error)
{
    struct body *body = context;
    size_t ahead = body->first_length - body->first_at;
    if (ahead == 0)
        return body->request->read(body->request, data, size, error);
    if (ahead > size)
        ahead = size;
    memcpy(data, body->first + body->first_at, ahead);
    body->first_at += ahead;
    return (long)ahead;
}

/* Reads until there is a byte that is no white space, which goes to *byte; 0 at the end. White
 * space that fills all of `first` is dropped: no kind of body needs it. */
static bool peek(struct body *body, char *byte, struct error *error)
{
    *byte = 0;
    for (;;) {
        long got = body->request->read(body->request, body->first, sizeof body->first, error);
        if (got <= 0)
            return got == 0;
        for (long i = 0; i < got; i++)
            if (!isspace((unsigned char)body->first[i])) {
                *byte = body->first[i];
                body->first_length = (size_t)got;
                return true;
            }
    }
}

static bool open_table(struct body *body, struct error *error)
{
    body->is_table = body->is_bulk = true;
    body->table = table_new(read_body, body, "body", error);
    if (!body->table)
        return false;
    return table_has_header(body->table) ||
           error_set(error, ERROR_UNUSABLE,
                     "body:1: the table needs a first line with the names of its columns");
}

bool body_open(struct body *body, struct request *request, struct error *error)
{
    char begin;
    enum http_body type = http_body_type(request);
    *body = (struct body){.request = request};
    if (!request->has_length)
        return error_set(error, ERROR_LENGTH, "the request has no body: send one with its length");
    if (!peek(body, &begin, error))
        return false;
    if (begin == 0)
        return error_set(error, ERROR_SYNTAX, "the body is empty");
    if (type == HTTP_BODY_TABLE)
        return open_table(body, error);
    if (type == HTTP_BODY_UNKNOWN && begin != '{' && begin != '[')
        return error_set(error, ERROR_MEDIA_TYPE,
                         "cannot tell what the body is: send JSON, or a Content-Type of "
                         "application/json, application/x-ndjson, text/tab-separated-values or "
                         "text/csv (curl -H 'Content-Type: text/csv' --data-binary @FILE)");
    body->is_bulk = type == HTTP_BODY_NDJSON;
    json_stream_init(&body->json, read_body, body);
    return true;
}

bool body_no_rows(struct error *error)
{
    return error_set(error, ERROR_UNUSABLE,
                     "the table has a header and no rows (curl -d removes line ends: use "
                     "--data-binary @FILE)");
}

void body_close(struct body *body)
{
    table_free(body->table);
    json_stream_free(&body->json);
}
