/* Requests and responses as the handlers see them: plain values, free of FastCGI and nginx, so that
 * a test can make one by hand. */
#ifndef TRENDLINE_HTTP_H
#define TRENDLINE_HTTP_H

#include "buffer.h"
#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_HEADERS_MAX = 512 };

/* The rest of a body that is too long for memory: `length` bytes, read piece by piece. */
struct response_stream {
    uint64_t length;
    bool (*read)(void *context, char *data, size_t size, struct error *error); /* all of `size` */
    void (*close)(void *context);
    void *context;
};

struct response {
    int status;
    const char *content_type;       /* NULL: no body */
    char headers[HTTP_HEADERS_MAX]; /* further header lines, each ending in \r\n */
    struct buffer body;             /* owned; its memory is used again for the next request */
    struct response_stream rest;    /* what comes behind `body`; owned; length 0: nothing */
};

struct request {
    const char *method, *path, *query; /* query: as sent, still %-encoded; "" when there is none */
    const char *content_type;          /* "" when there is none */
    const char *authorization;         /* "" when there is none */
    bool has_length;                   /* a Content-Length was given, or the body came in chunks */
    uint64_t content_length;
    bool gone; /* the client has hung up since: nobody waits for the answer */

    /* Reads up to `size` bytes of the body: how many, 0 at its end, -1 with `error` set when it
     * ends before content_length bytes. Never waits: ERROR_LATER where nothing has come yet, whose
     * coming makes the loop turn. What is not read is skipped behind the answer. */
    long (*read)(struct request *request, char *data, size_t size, struct error *error);

    /* Sends the response, whose `rest` it takes over, and ends the request, which may not be used
     * afterwards. */
    void (*answer)(struct request *request, struct response *response);

    /* All of it belongs to whoever made the request. */
    void *connection;
};

/* Makes an empty response of the present one. */
void response_clear(struct response *response);
void response_header(struct response *response, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* {"error": "…"} with the status that the error's kind stands for: the only place that chooses one.
 */
void response_error(struct response *response, const struct error *error);
int http_status(enum error_kind kind);
const char *http_reason(int status);

/* True if the method is one of `allowed` ("GET, HEAD, POST"). Otherwise fills in the response: 204
 * for OPTIONS, else 405, both with Allow. */
bool http_method_allowed(const struct request *request, const char *allowed,
                         struct response *response);

/* What the Content-Type says of the body. */
enum http_body {
    HTTP_BODY_JSON,
    HTTP_BODY_NDJSON,
    HTTP_BODY_TABLE,
    HTTP_BODY_UNKNOWN /* nothing that we know, as with plain curl -d: the first byte decides */
};

enum http_body http_body_type(const struct request *request);

/* Called for each `name=value` of the query, %-decoded once, in order. */
typedef void http_query_visitor(void *context, const char *name, const char *value);

/* `+` stands for itself, so that 1e+16 needs no escaping. ERROR_SYNTAX for a malformed escape or a
 * NUL. */
bool http_query(const char *query, http_query_visitor *visit, void *context, struct error *error);

#endif
