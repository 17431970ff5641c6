#include "body.h"

#include "clock.h"

#include <ctype.h>
#include <string.h>

enum { FIRST_SIZE = 1 << 10 };

void body_begin(struct body *body, struct request *request)
{
    *body = (struct body){.request = request};
}

static long read_request(struct body *body, char *data, size_t size, struct error *error)
{
    if (body->ended)
        return 0;
    if (body->until > 0 && clock_us() >= body->until)
        return error_later(error), -1;
    long got = body->request->read(body->request, data, size, error);
    body->ended = got == 0;
    return got;
}

/* The source of both streams: first what was read ahead, then the rest. */
static long read_body(void *context, char *data, size_t size, struct error *error)
{
    struct body *body = context;
    size_t ahead = body->first.length - body->first_at;
    if (ahead == 0)
        return read_request(body, data, size, error);
    if (ahead > size)
        ahead = size;
    memcpy(data, body->first.data + body->first_at, ahead);
    body->first_at += ahead;
    return (long)ahead;
}

/* Reads more of how the body begins: how many bytes, 0 at its end. */
static long read_first(struct body *body, struct error *error)
{
    char *room = buffer_reserve(&body->first, FIRST_SIZE);
    if (!room)
        return error_memory(error), -1;
    long got = read_request(body, room, FIRST_SIZE, error);
    body->first.length += got > 0 ? (size_t)got : 0;
    return got;
}

/* Reads until there is a byte that is no white space, which goes to *byte; 0 at the end. White
 * space that is all there is is dropped: no kind of body needs it. */
static bool peek(struct body *body, char *byte, struct error *error)
{
    long got;
    *byte = 0;
    do {
        for (size_t i = 0; i < body->first.length; i++)
            if (!isspace((unsigned char)body->first.data[i])) {
                *byte = body->first.data[i];
                return true;
            }
        buffer_clear(&body->first);
    } while ((got = read_first(body, error)) > 0);
    return got == 0;
}

static bool is_line(const struct buffer *text)
{
    const char *at = text->data, *end = at + text->length;
    while (at < end && isspace((unsigned char)*at))
        at++;
    return memchr(at, '\n', (size_t)(end - at)) || text->length > TABLE_LINE_MAX;
}

/* So that the header, which a table reads at once, never has to be waited for. */
static bool read_header(struct body *body, struct error *error)
{
    long got = 1;
    while (got > 0 && !is_line(&body->first))
        got = read_first(body, error);
    return got >= 0;
}

static bool open_table(struct body *body, struct error *error)
{
    body->is_table = body->is_bulk = true;
    if (!read_header(body, error))
        return false;
    body->table = table_new(read_body, body, "body", error);
    if (!body->table)
        return false;
    return table_has_header(body->table) ||
           error_set(error, ERROR_UNUSABLE,
                     "body:1: the table needs a first line with the names of its columns");
}

bool body_open(struct body *body, struct error *error)
{
    char begin;
    enum http_body type = http_body_type(body->request);
    if (!body->request->has_length)
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
    buffer_free(&body->first);
}
