/* A handler: what one FastCGI binary does with requests. */
#ifndef TRENDLINE_HANDLER_H
#define TRENDLINE_HANDLER_H

#include "config.h"
#include "error.h"
#include "http.h"

struct handler {
    void *context;

    /* Takes a request. It is answered at once or kept and answered in a later turn. */
    void (*request)(void *context, struct request *request);

    /* Called at the start and after each round of requests (NULL: no need). Returns in how many
     * milliseconds it wants to be called again even if no request comes, or -1. */
    int (*turn)(void *context);

    void (*close)(void *context);
};

/* The binaries' handlers; false with `error` set. `config` must outlive them. */
bool predict_handler(struct handler *handler, const struct config *config, struct error *error);
bool action_handler(struct handler *handler, const struct config *config, struct error *error);
bool build_handler(struct handler *handler, const struct config *config, struct error *error);
bool follow_handler(struct handler *handler, const struct config *config, struct error *error);

#endif
