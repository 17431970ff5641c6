/* Requests made by hand, and what a handler answered, without nginx and FastCGI. */
#ifndef TRENDLINE_TESTS_FAKE_REQUEST_H
#define TRENDLINE_TESTS_FAKE_REQUEST_H

#include "check.h"
#include "handler.h"

#include <stdlib.h>

struct fake_request {
    struct request request; /* first, so that a pointer to it is one to the whole */
    const char *text;
    size_t length, at;
    size_t step;    /* bytes of the body that come at a time; 0: as many as are wanted */
    bool cut_short; /* the body ends before its length is reached */
    bool halting;   /* every other read comes too early */
    bool halted;    /* as the last one did */
    bool answered;
    int status;
    char headers[HTTP_HEADERS_MAX + 64];
    char body[1 << 16]; /* the answer's */
    uint64_t length_answered;
};

static inline long fake_read(struct request *request, char *data, size_t size, struct error *error)
{
    struct fake_request *fake = (struct fake_request *)request;
    size_t left = fake->length - fake->at;
    fake->halted = fake->halting && !fake->halted;
    if (fake->halted)
        return error_later(error), -1;
    if (left == 0 && fake->cut_short)
        return error_set(error, ERROR_SYNTAX, "the body ends early"), -1;
    size = size < left ? size : left;
    size = fake->step && fake->step < size ? fake->step : size;
    memcpy(data, fake->text + fake->at, size);
    fake->at += size;
    return (long)size;
}

/* What there is room for of a long answer, read in pieces of an odd size. */
static inline void fake_keep_rest(struct fake_request *fake, struct response_stream *rest)
{
    struct error error;
    size_t used = strlen(fake->body);
    fake->length_answered = used + rest->length;
    for (size_t size; rest->length > 0; rest->length -= size) {
        char piece[4097];
        size = rest->length < sizeof piece ? (size_t)rest->length : sizeof piece;
        CHECK(rest->read(rest->context, piece, size, &error), "%s", error.text);
        for (size_t i = 0; i < size && used < sizeof fake->body - 1; i++)
            fake->body[used++] = piece[i];
    }
    fake->body[used] = '\0';
    if (rest->close)
        rest->close(rest->context);
    *rest = (struct response_stream){0};
}

static inline void fake_answer(struct request *request, struct response *response)
{
    struct fake_request *fake = (struct fake_request *)request;
    CHECK(!fake->answered, "answered twice");
    fake->answered = true;
    fake->status = response->status;
    snprintf(fake->headers, sizeof fake->headers, "Content-Type: %s\r\n%s",
             response->content_type ? response->content_type : "none", response->headers);
    if (response->body.failed) { /* as fcgi.c does it */
        fake->status = 503;
        snprintf(fake->body, sizeof fake->body, "{\"error\": \"out of memory\"}\n");
        return;
    }
    snprintf(fake->body, sizeof fake->body, "%.*s", (int)response->body.length,
             response->body.data ? response->body.data : "");
    fake_keep_rest(fake, &response->rest);
}

/* Makes a new request of *fake. */
static inline void fake_begin(struct fake_request *fake, const char *method, const char *path,
                              const char *query, const char *type, const char *body)
{
    memset(fake, 0, sizeof *fake);
    fake->text = body ? body : "";
    fake->length = strlen(fake->text);
    fake->request = (struct request){.method = method,
                                     .path = path,
                                     .query = query,
                                     .content_type = type,
                                     .authorization = "",
                                     .has_length = body != NULL,
                                     .content_length = fake->length,
                                     .read = fake_read,
                                     .answer = fake_answer};
}

/* Turns until the handler has nothing more to do. False when it waits for something else. */
static inline bool fake_turns(const struct handler *handler)
{
    for (int i = 0; handler->turn && i < 10000; i++) {
        int wait = handler->turn(handler->context);
        if (wait < 0)
            return true;
        if (wait > 0)
            return false;
    }
    return !handler->turn;
}

/* One request from beginning to end; returns the status, 0 if there was no answer. */
static inline int fake_serve(const struct handler *handler, struct fake_request *fake)
{
    handler->request(handler->context, &fake->request);
    do
        fake_turns(handler);
    while (fake->halting && !fake->answered);
    return fake->answered ? fake->status : 0;
}

static inline const char *fake_body(const struct fake_request *fake)
{
    return fake->answered ? fake->body : "(no answer)";
}

#endif
