#include "http.h"

#include "json.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void response_clear(struct response *response)
{
    response->status = 200;
    response->content_type = "application/json";
    response->headers[0] = '\0';
    buffer_clear(&response->body);
    response->rest = (struct response_stream){0};
}

void response_header(struct response *response, const char *format, ...)
{
    size_t used = strlen(response->headers);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(response->headers + used, sizeof response->headers - used, format, arguments);
    va_end(arguments);
    used = strlen(response->headers);
    snprintf(response->headers + used, sizeof response->headers - used, "\r\n");
}

int http_status(enum error_kind kind)
{
    switch (kind) {
    case ERROR_SYNTAX:
        return 400;
    case ERROR_TOKEN:
        return 401;
    case ERROR_FORBIDDEN:
        return 403;
    case ERROR_ABSENT:
        return 404;
    case ERROR_METHOD:
        return 405;
    case ERROR_CONFLICT:
        return 409;
    case ERROR_LENGTH:
        return 411;
    case ERROR_TOO_LARGE:
        return 413;
    case ERROR_MEDIA_TYPE:
        return 415;
    case ERROR_UNUSABLE:
        return 422;
    case ERROR_FULL:
        return 507;
    case ERROR_NONE:
    case ERROR_NOT_READY:
    case ERROR_BUSY:
    case ERROR_BEHIND:
    case ERROR_LATER:
    case ERROR_DAMAGED:
    case ERROR_SYSTEM:
        break;
    }
    return 503;
}

const char *http_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {{200, "OK"},
                   {201, "Created"},
                   {204, "No Content"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {409, "Conflict"},
                   {411, "Length Required"},
                   {413, "Content Too Large"},
                   {415, "Unsupported Media Type"},
                   {422, "Unprocessable Content"},
                   {503, "Service Unavailable"},
                   {507, "Insufficient Storage"}};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}

void response_error(struct response *response, const struct error *error)
{
    response_clear(response);
    response->status = http_status(error->kind);
    if (response->status == 401)
        response_header(response, "WWW-Authenticate: Bearer");
    if (response->status == 503)
        response_header(response, "Retry-After: 1");
    buffer_puts(&response->body, "{\"error\": ");
    json_write_string(&response->body, error->text, strlen(error->text));
    buffer_puts(&response->body, "}\n");
}

bool http_method_allowed(const struct request *request, const char *allowed,
                         struct response *response)
{
    size_t length = strlen(request->method);
    const char *at = length > 0 ? allowed : NULL;
    for (; at && (at = strstr(at, request->method)); at += length)
        if ((at == allowed || at[-1] == ' ') && (at[length] == ',' || !at[length]))
            return true;
    if (strcmp(request->method, "OPTIONS") == 0) {
        response_clear(response);
        response->status = 204;
        response->content_type = NULL;
    } else {
        struct error error;
        error_set(&error, ERROR_METHOD, "%s does not take %.20s, but %s", request->path,
                  request->method, allowed);
        response_error(response, &error);
    }
    response_header(response, "Allow: %s, OPTIONS", allowed);
    return false;
}

enum http_body http_body_type(const struct request *request)
{
    static const struct {
        const char *name;
        enum http_body type;
    } types[] = {
        {"application/json", HTTP_BODY_JSON},           {"text/json", HTTP_BODY_JSON},
        {"application/x-ndjson", HTTP_BODY_NDJSON},     {"application/ndjson", HTTP_BODY_NDJSON},
        {"application/jsonl", HTTP_BODY_NDJSON},        {"application/jsonlines", HTTP_BODY_NDJSON},
        {"text/tab-separated-values", HTTP_BODY_TABLE}, {"text/csv", HTTP_BODY_TABLE}};
    size_t length = strcspn(request->content_type, "; \t");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strlen(types[i].name) == length &&
            strncasecmp(types[i].name, request->content_type, length) == 0)
            return types[i].type;
    return HTTP_BODY_UNKNOWN;
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit = (char)tolower((unsigned char)digit);
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Decodes `length` bytes into `out`, which has room for them and a NUL. */
static bool decode(const char *text, size_t length, char *out, struct error *error)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] != '%') {
            *out++ = text[i];
            continue;
        }
        int high = i + 2 < length ? hex_digit(text[i + 1]) : -1;
        int low = i + 2 < length ? hex_digit(text[i + 2]) : -1;
        if (high < 0 || low < 0)
            return error_set(error, ERROR_SYNTAX,
                             "the query has a %% that is not followed by two hexadecimal digits");
        if (high == 0 && low == 0)
            return error_set(error, ERROR_SYNTAX, "the query has a NUL character");
        *out++ = (char)(high * 16 + low);
        i += 2;
    }
    *out = '\0';
    return true;
}

static bool visit_pair(const char *pair, size_t length, char *scratch, http_query_visitor *visit,
                       void *context, struct error *error)
{
    const char *equals = memchr(pair, '=', length);
    size_t name_length = equals ? (size_t)(equals - pair) : length;
    size_t value_start = equals ? name_length + 1 : length;
    char *name = scratch, *value = scratch + name_length + 1;
    if (!decode(pair, name_length, name, error) ||
        !decode(pair + value_start, length - value_start, value, error))
        return false;
    visit(context, name, value);
    return true;
}

bool http_query(const char *query, http_query_visitor *visit, void *context, struct error *error)
{
    enum { ON_STACK = 4096 };
    size_t size = strlen(query) + 2;
    char stack[ON_STACK], *scratch = size <= ON_STACK ? stack : malloc(size);
    if (!scratch)
        return error_memory(error);
    bool ok = true;
    while (ok && *query) {
        size_t length = strcspn(query, "&");
        if (length > 0)
            ok = visit_pair(query, length, scratch, visit, context, error);
        query += length + (query[length] == '&');
    }
    if (scratch != stack)
        free(scratch);
    return ok;
}
