/* JSON: the input is a text, read as one value and as a stream of them. */
#include "fuzz.h"
#include "json.h"
#include "json_stream.h"
#include "utf8.h"

#include <ctype.h>

/* ------------------------------------------------------------------ RFC 8259, once more, with the
 * limits that json_parse states, and cJSON's on depth */

enum { DEPTH_MAX = 1000, NUMBER_MAX = 63 };

struct text {
    const char *at, *end;
};

static bool is_value(struct text *text, int depth);

static bool take(struct text *text, const char *literal)
{
    size_t length = strlen(literal);
    if ((size_t)(text->end - text->at) < length || memcmp(text->at, literal, length) != 0)
        return false;
    text->at += length;
    return true;
}

static bool space(struct text *text)
{
    while (take(text, " ") || take(text, "\t") || take(text, "\r") || take(text, "\n"))
        ;
    return true;
}

static bool digits(struct text *text)
{
    const char *start = text->at;
    while (text->at < text->end && isdigit((unsigned char)*text->at))
        text->at++;
    return text->at > start;
}

static bool is_number(struct text *text)
{
    const char *start = text->at;
    take(text, "-");
    bool ok = (take(text, "0") || digits(text)) && (!take(text, ".") || digits(text));
    if (ok && (take(text, "e") || take(text, "E")))
        ok = (take(text, "+") || take(text, "-") || true) && digits(text);
    return ok && text->at - start <= NUMBER_MAX;
}

/* XXXX, or -1 */
static long take_hex(struct text *text)
{
    char hex[5] = "", *end;
    for (int i = 0; i < 4 && text->at < text->end && isxdigit((unsigned char)*text->at); i++)
        hex[i] = *text->at++;
    long code = strtol(hex, &end, 16);
    return end == hex + 4 ? code : -1;
}

/* A code unit that is not NUL, or a pair of surrogates. */
static bool is_unicode(struct text *text)
{
    long code = take_hex(text);
    if (code >= 0xD800 && code <= 0xDBFF) {
        long low = take(text, "\\u") ? take_hex(text) : -1;
        return low >= 0xDC00 && low <= 0xDFFF;
    }
    return code > 0 && (code < 0xDC00 || code > 0xDFFF);
}

static bool is_string(struct text *text)
{
    if (!take(text, "\""))
        return false;
    while (!take(text, "\"")) {
        size_t step = utf8_sequence(text->at, (size_t)(text->end - text->at));
        if (step == 0 || (unsigned char)*text->at < 0x20)
            return false;
        if (!take(text, "\\"))
            text->at += step;
        else if (take(text, "u")
                     ? !is_unicode(text)
                     : text->at == text->end || !*text->at || !strchr("\"\\/bfnrt", *text->at++))
            return false;
    }
    return true;
}

static bool is_member(struct text *text, int depth, bool named)
{
    return space(text) && (!named || (is_string(text) && space(text) && take(text, ":"))) &&
           is_value(text, depth) && space(text);
}

static bool is_container(struct text *text, int depth, bool named)
{
    const char *end = named ? "}" : "]";
    if (depth >= DEPTH_MAX)
        return false;
    if (space(text) && take(text, end))
        return true;
    do
        if (!is_member(text, depth + 1, named))
            return false;
    while (take(text, ","));
    return take(text, end);
}

static bool is_value(struct text *text, int depth)
{
    space(text);
    if (take(text, "{"))
        return is_container(text, depth, true);
    if (take(text, "["))
        return is_container(text, depth, false);
    return take(text, "null") || take(text, "true") || take(text, "false") ||
           (text->at < text->end && (*text->at == '"' ? is_string(text) : is_number(text)));
}

static bool is_json(const char *data, size_t size)
{
    struct text text = {data, data + size};
    return is_value(&text, 0) && space(&text) && text.at == text.end;
}

/* ------------------------------------------------------------------ values written again */

static void write_value(struct buffer *out, const struct json *json);

static void write_members(struct buffer *out, const struct json *container, bool named)
{
    buffer_puts(out, named ? "{" : "[");
    for (const struct json *at = json_first(container); at; at = json_next(at)) {
        if (named) {
            json_write_string(out, json_name(at), strlen(json_name(at)));
            buffer_puts(out, ":");
        }
        write_value(out, at);
        buffer_puts(out, json_next(at) ? "," : "");
    }
    buffer_puts(out, named ? "}" : "]");
}

static void write_value(struct buffer *out, const struct json *json)
{
    switch (json_kind(json)) {
    case JSON_NULL:
        buffer_puts(out, "null");
        break;
    case JSON_BOOLEAN:
        buffer_puts(out, "true");
        break;
    case JSON_NUMBER:
        if (isfinite(json_number(json)))
            json_write_number(out, json_number(json));
        else
            buffer_puts(out, json_number(json) > 0 ? "1e999" : "-1e999");
        break;
    case JSON_STRING:
        json_write_string(out, json_string(json), strlen(json_string(json)));
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        write_members(out, json, json_kind(json) == JSON_OBJECT);
        break;
    }
}

/* Parses and writes again; false if the text is not JSON. */
static bool rewrite(const char *data, size_t size, struct buffer *out)
{
    struct error error = {0};
    struct json *json = json_parse(data, size, &error);
    WANT(json || is_told(&error));
    if (json)
        write_value(out, json);
    json_free(json);
    return json != NULL;
}

static void check_value(const struct buffer *value)
{
    struct buffer again = {0};
    WANT(rewrite(value->data, value->length, &again) && same_bytes(value, &again));
    buffer_free(&again);
}

/* ------------------------------------------------------------------ streams */

enum { BROKEN = -1 };

/* The stream's values written again with commas between, up to its end or its first fault. How many
 * they are outside of an array, or BROKEN. */
static int stream(const uint8_t *data, size_t size, bool small, struct buffer *values)
{
    struct pieces pieces = {.data = (const char *)data, .length = size, .small = small};
    struct json_stream stream;
    struct error error = {0};
    enum json_stream_result result;
    const char *text;
    size_t length;
    int count = 0;
    bool ok = true;
    json_stream_init(&stream, pieces_read, &pieces);
    while (ok &&
           (result = json_stream_next(&stream, &text, &length, &error)) == JSON_STREAM_VALUE) {
        WANT(length > 0);
        buffer_puts(values, values->length > 0 ? "," : "");
        ok = rewrite(text, length, values);
        count += !stream.any_array;
    }
    ok = ok && result == JSON_STREAM_END;
    WANT(!ok || pieces.at == size);
    json_stream_free(&stream);
    return ok ? count : BROKEN;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer value = {0}, values = {0}, again = {0};
    bool is_one = rewrite((const char *)data, size, &value);
    WANT(is_one == is_json((const char *)data, size));
    int count = stream(data, size, false, &values);
    WANT(stream(data, size, true, &again) == count && same_bytes(&values, &again));
    WANT(is_one || count != 1 || memchr(data, '[', size));
    if (is_one) { /* the stream has the same, or the array's elements */
        size_t bracket = value.data[0] == '[';
        check_value(&value);
        WANT(count == !bracket && values.length == value.length - 2 * bracket);
        WANT(values.length == 0 || memcmp(values.data, value.data + bracket, values.length) == 0);
    }
    buffer_free(&value);
    buffer_free(&values);
    buffer_free(&again);
    return 0;
}
