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
    bool answered;
    int status;
    char headers[HTTP_HEADERS_MAX + 64];
    char body[1 << 16]; /* the answer's */
};

static inline long fake_read(struct request *request, char *data, size_t size, struct error *error)
{
    struct fake_request *fake = (struct fake_request *)request;
    size_t left = fake->length - fake->at;
    if (left == 0 && fake->cut_short)
        return error_set(error, ERROR_SYNTAX, "the body ends early"), -1;
    size = size < left ? size : left;
    size = fake->step && fake->step < size ? fake->step : size;
    memcpy(data, fake->text + fake->at, size);
    fake->at += size;
    return (long)size;
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
    fake_turns(handler);
    return fake->answered ? fake->status : 0;
}

static inline const char *fake_body(const struct fake_request *fake)
{
    return fake->answered ? fake->body : "(no answer)";
}

#endif
