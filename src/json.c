#include "json.h"

#include "number.h"
#include "utf8.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_LENGTH_MAX = 63 }; /* cJSON copies a number into 64 bytes and cuts what is longer */

/* A cursor over the text for the checks that come before cJSON. */
struct scan {
    const char *at, *end;
    struct error *error;
};

/* uXXXX: cJSON takes anything that is no hexadecimal digit for a NUL, which would end the string.
 */
static bool scan_unicode(struct scan *scan)
{
    if (scan->end - scan->at < 5)
        return error_set(scan->error, ERROR_SYNTAX, "the JSON has an invalid escape in a string");
    for (int i = 1; i <= 4; i++)
        if (!isxdigit((unsigned char)scan->at[i]))
            return error_set(scan->error, ERROR_SYNTAX,
                             "the JSON has an invalid escape in a string");
    if (memcmp(scan->at, "u0000", 5) == 0)
        return error_set(scan->error, ERROR_SYNTAX, "the JSON has a NUL character in a string");
    scan->at += 5;
    return true;
}

static bool scan_escape(struct scan *scan)
{
    if (scan->at == scan->end || !strchr("\"\\/bfnrtu", *scan->at) || *scan->at == '\0')
        return error_set(scan->error, ERROR_SYNTAX, "the JSON has an invalid escape in a string");
    if (*scan->at == 'u')
        return scan_unicode(scan);
    scan->at++;
    return true;
}

/* From behind the opening quote to behind the closing one. */
static bool scan_string(struct scan *scan)
{
    while (scan->at < scan->end && *scan->at != '"') {
        if ((unsigned char)*scan->at < 0x20)
            return error_set(scan->error, ERROR_SYNTAX,
                             "the JSON has a raw control character in a string");
        if (*scan->at == '\\') {
            scan->at++;
            if (!scan_escape(scan))
                return false;
            continue;
        }
        size_t step = utf8_sequence(scan->at, (size_t)(scan->end - scan->at));
        if (step == 0)
            return error_set(scan->error, ERROR_SYNTAX, "the JSON is not valid UTF-8");
        scan->at += step;
    }
    if (scan->at == scan->end)
        return error_set(scan->error, ERROR_SYNTAX, "the JSON ends inside a string");
    scan->at++;
    return true;
}

static size_t scan_digits(struct scan *scan)
{
    const char *start = scan->at;
    while (scan->at < scan->end && isdigit((unsigned char)*scan->at))
        scan->at++;
    return (size_t)(scan->at - start);
}

static bool scan_if(struct scan *scan, const char *any_of)
{
    if (scan->at == scan->end || *scan->at == '\0' || !strchr(any_of, *scan->at))
        return false;
    scan->at++;
    return true;
}

/* number = [ "-" ] int [ "." digits ] [ ( "e" / "E" ) [ "+" / "-" ] digits ]     (RFC 8259, section
 * 6) */
static bool scan_number(struct scan *scan)
{
    const char *start = scan->at;
    scan_if(scan, "-");
    bool ok = scan_if(scan, "0") || scan_digits(scan) > 0;
    if (ok && scan_if(scan, "."))
        ok = scan_digits(scan) > 0;
    if (ok && scan_if(scan, "eE")) {
        scan_if(scan, "+-");
        ok = scan_digits(scan) > 0;
    }
    if (!ok || (scan->at < scan->end && (isalnum((unsigned char)*scan->at) || *scan->at == '.')))
        return error_set(scan->error, ERROR_SYNTAX, "the JSON has a malformed number");
    if (scan->at - start > NUMBER_LENGTH_MAX)
        return error_set(scan->error, ERROR_SYNTAX,
                         "the JSON has a number of more than %d characters", NUMBER_LENGTH_MAX);
    return true;
}

static bool is_white_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* cJSON steps over control characters, and over a byte-order mark at the beginning. */
static bool may_stand_between(char byte)
{
    return is_white_space(byte) || (byte > ' ' && byte < 0x7F);
}

static bool scan_text(struct scan *scan)
{
    while (scan->at < scan->end) {
        if (*scan->at == '"') {
            scan->at++;
            if (!scan_string(scan))
                return false;
        } else if (*scan->at == '-' || isdigit((unsigned char)*scan->at)) {
            if (!scan_number(scan))
                return false;
        } else if (!may_stand_between(*scan->at)) {
            return error_set(scan->error, ERROR_SYNTAX,
                             "the JSON has a control or non-ASCII character outside of strings");
        } else {
            scan->at++;
        }
    }
    return true;
}

static bool only_white_space(const char *at, const char *end)
{
    while (at < end && is_white_space(*at))
        at++;
    return at == end;
}

/* cJSON does not say whether the text or the memory was what failed. */
static _Thread_local bool memory_failed;

static void *allocate(size_t size)
{
    void *memory = malloc(size);
    memory_failed = memory_failed || !memory;
    return memory;
}

struct json *json_parse(const char *text, size_t length, struct error *error)
{
    struct scan scan = {.at = text, .end = text + length, .error = error};
    if (!scan_text(&scan))
        return NULL;
    cJSON_Hooks hooks = {.malloc_fn = allocate, .free_fn = free};
    const char *end = NULL;
    cJSON_InitHooks(&hooks);
    memory_failed = false;
    cJSON *json = cJSON_ParseWithLengthOpts(text, length, &end, false);
    if (json && only_white_space(end, text + length))
        return (struct json *)json;
    cJSON_Delete(json);
    if (memory_failed)
        error_memory(error);
    else
        error_set(error, ERROR_SYNTAX, "the JSON cannot be parsed (near byte %zu)",
                  end ? (size_t)(end - text) + 1 : (size_t)1);
    return NULL;
}

/* `struct json` is cJSON under a name that keeps cJSON.h out of every other file. */
static const cJSON *item(const struct json *json)
{
    return (const cJSON *)json;
}

void json_free(struct json *json)
{
    cJSON_Delete((cJSON *)json);
}

enum json_kind json_kind(const struct json *json)
{
    if (cJSON_IsNumber(item(json)))
        return JSON_NUMBER;
    if (cJSON_IsString(item(json)))
        return JSON_STRING;
    if (cJSON_IsBool(item(json)))
        return JSON_BOOLEAN;
    if (cJSON_IsArray(item(json)))
        return JSON_ARRAY;
    return cJSON_IsObject(item(json)) ? JSON_OBJECT : JSON_NULL;
}

const struct json *json_first(const struct json *container)
{
    return (const struct json *)item(container)->child;
}

const struct json *json_next(const struct json *member)
{
    return (const struct json *)item(member)->next;
}

const char *json_name(const struct json *member)
{
    return item(member)->string;
}

bool json_truth(const struct json *boolean)
{
    return cJSON_IsTrue(item(boolean));
}

double json_number(const struct json *number)
{
    return item(number)->valuedouble;
}

const char *json_string(const struct json *string)
{
    return item(string)->valuestring;
}

const struct json *json_get(const struct json *object, const char *name)
{
    return (const struct json *)cJSON_GetObjectItemCaseSensitive(item(object), name);
}

const struct json *json_get_kind(const struct json *object, const char *name, enum json_kind kind)
{
    const struct json *member = json_get(object, name);
    return member && json_kind(member) == kind ? member : NULL;
}

bool json_get_number(const struct json *object, const char *name, double *value)
{
    const struct json *member = json_get_kind(object, name, JSON_NUMBER);
    if (!member || !isfinite(json_number(member)))
        return false;
    *value = json_number(member);
    return true;
}

bool json_get_count(const struct json *object, const char *name, int64_t *value)
{
    double number;
    if (!json_get_number(object, name, &number) || number < 0 || number > 0x1p53 ||
        trunc(number) != number)
        return false;
    *value = (int64_t)number;
    return true;
}

bool json_get_text(const struct json *object, const char *name, char *text, size_t size)
{
    const struct json *member = json_get_kind(object, name, JSON_STRING);
    return member && (size_t)snprintf(text, size, "%s", json_string(member)) < size;
}

static void write_escaped(struct buffer *out, unsigned char byte)
{
    if (byte == '"' || byte == '\\')
        buffer_printf(out, "\\%c", byte);
    else
        buffer_printf(out, "\\u%04x", byte);
}

void json_write_string(struct buffer *out, const char *text, size_t length)
{
    buffer_puts(out, "\"");
    while (length > 0) {
        size_t step = utf8_sequence(text, length);
        unsigned char byte = (unsigned char)*text;
        if (step == 0)
            buffer_puts(out, "\xEF\xBF\xBD");
        else if (byte < 0x20 || byte == '"' || byte == '\\' || byte == 0x7F)
            write_escaped(out, byte);
        else
            buffer_append(out, text, step);
        step = step ? step : 1;
        text += step;
        length -= step;
    }
    buffer_puts(out, "\"");
}

void json_write_number(struct buffer *out, double value)
{
    char *text = buffer_reserve(out, NUMBER_TEXT_MAX);
    if (text)
        out->length += number_format(value, text);
}

void json_write_figure(struct buffer *out, double value)
{
    if (isfinite(value))
        json_write_number(out, value);
    else
        buffer_puts(out, "null");
}
