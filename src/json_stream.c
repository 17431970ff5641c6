#include "json_stream.h"

#include <string.h>

enum { READ_SIZE = 64 << 10 };

void json_stream_init(struct json_stream *stream, json_source *source, void *context)
{
    *stream = (struct json_stream){.source = source, .context = context};
}

void json_stream_free(struct json_stream *stream)
{
    buffer_free(&stream->text);
}

/* Reads more behind what is there; false at the end of the source or with `error` set. */
static bool read_more(struct json_stream *stream, struct error *error)
{
    if (stream->ended)
        return false;
    char *room = buffer_reserve(&stream->text, READ_SIZE);
    if (!room)
        return error_memory(error);
    long got = stream->source(stream->context, room, READ_SIZE, error);
    stream->ended = got == 0 || (got < 0 && error->kind != ERROR_LATER);
    if (got > 0)
        stream->text.length += (size_t)got;
    return got > 0;
}

static void drop_consumed(struct json_stream *stream)
{
    struct buffer *text = &stream->text;
    if (stream->next == 0)
        return;
    memmove(text->data, text->data + stream->next, text->length - stream->next);
    text->length -= stream->next;
    stream->next = 0;
}

/* The first byte that is no white space, or 0 at the end of the source. */
static char peek(struct json_stream *stream, struct error *error)
{
    for (;;) {
        for (; stream->next < stream->text.length; stream->next++) {
            char byte = stream->text.data[stream->next];
            if (byte != ' ' && byte != '\t' && byte != '\r' && byte != '\n')
                return byte == '\0' ? '\1' : byte;
        }
        drop_consumed(stream);
        if (!read_more(stream, error))
            return 0;
    }
}

/* A bare word or number ends at a delimiter, which is not a part of it. */
static bool ends_scalar(char byte)
{
    return strchr(" \t\r\n,]}[{\"", byte) != NULL;
}

static void follow_byte(struct json_extent *extent, char byte)
{
    if (extent->in_string) {
        if (extent->escaped)
            extent->escaped = false;
        else if (byte == '\\')
            extent->escaped = true;
        else if (byte == '"')
            extent->in_string = false;
        extent->done = !extent->in_string && extent->depth == 0;
    } else if (extent->begun && extent->depth == 0 && ends_scalar(byte)) {
        extent->done = true;
        return;
    } else if (byte == '"') {
        extent->in_string = true;
    } else if (byte == '{' || byte == '[') {
        extent->depth++;
    } else if (byte == '}' || byte == ']') {
        /* a stray closing bracket is a value of its own, for the parser to refuse */
        extent->depth -= extent->depth > 0;
        extent->done = extent->depth == 0;
    }
    extent->begun = true;
    extent->length++;
}

static bool follow_value(struct json_stream *stream, struct error *error)
{
    struct json_extent *extent = &stream->extent;
    while (!extent->done) {
        if (extent->length >= JSON_VALUE_MAX)
            return error_set(error, ERROR_TOO_LARGE, "one event may have at most %d bytes",
                             JSON_VALUE_MAX);
        size_t at = stream->next + extent->length;
        if (at < stream->text.length) {
            follow_byte(extent, stream->text.data[at]);
            continue;
        }
        drop_consumed(stream);
        if (!read_more(stream, error))
            return error->kind == ERROR_NONE; /* cut short: the parser says so better */
    }
    return true;
}

/* What a byte between values means for the place we are in: step over it, or a value begins there.
 */
static bool step_over(struct json_stream *stream, char byte, struct error *error)
{
    switch (stream->place) {
    case JSON_OUTSIDE:
        if (byte != '[')
            return false;
        stream->place = JSON_ARRAY_OPENED;
        stream->any_array = true;
        return true;
    case JSON_AFTER_ELEMENT:
        if (byte != ',' && byte != ']')
            return error_set(error, ERROR_SYNTAX, "a comma is missing in the JSON array");
        stream->place = byte == ',' ? JSON_AFTER_COMMA : JSON_OUTSIDE;
        return true;
    case JSON_ARRAY_OPENED:
        if (byte != ']')
            return false;
        stream->place = JSON_OUTSIDE;
        return true;
    case JSON_AFTER_COMMA:
        if (byte == ']')
            return error_set(error, ERROR_SYNTAX, "the JSON array ends in a comma");
        return false;
    }
    return false;
}

/* Steps over brackets and commas to the next value; false at the end or with `error` set. */
static bool seek_value(struct json_stream *stream, struct error *error)
{
    char byte;
    while ((byte = peek(stream, error)) != 0) {
        if (!step_over(stream, byte, error))
            return error->kind == ERROR_NONE;
        stream->next++;
    }
    if (error->kind == ERROR_NONE && stream->place != JSON_OUTSIDE)
        return error_set(error, ERROR_SYNTAX, "the JSON array is not closed");
    return false;
}

enum json_stream_result json_stream_next(struct json_stream *stream, const char **text,
                                         size_t *length, struct error *error)
{
    error->kind = ERROR_NONE;
    if (!seek_value(stream, error))
        return error->kind == ERROR_NONE ? JSON_STREAM_END : JSON_STREAM_ERROR;
    if (!follow_value(stream, error))
        return JSON_STREAM_ERROR;
    *text = stream->text.data + stream->next;
    *length = stream->extent.length;
    json_stream_take(stream, stream->extent.length);
    return JSON_STREAM_VALUE;
}

bool json_stream_peek(struct json_stream *stream, const char **text, size_t *length)
{
    struct error ignored = {.kind = ERROR_NONE};
    bool ended = stream->ended;
    stream->ended = true; /* to look only at what is here: json_stream_next reads, and tells */
    bool found = seek_value(stream, &ignored);
    stream->ended = ended;
    if (!found)
        return false;
    *text = stream->text.data + stream->next;
    *length = stream->text.length - stream->next;
    return true;
}

void json_stream_take(struct json_stream *stream, size_t length)
{
    stream->next += length;
    stream->extent = (struct json_extent){0};
    if (stream->place != JSON_OUTSIDE)
        stream->place = JSON_AFTER_ELEMENT;
}
