/* The body of a POST /predict: many rows, or one, predicted bit by bit, so that others have their
 * turns meanwhile. All of them by one model. The answer is begun when the whole body has turned out
 * to be good; until then it waits in a spool, so that memory does not grow with the rows. */
#ifndef TRENDLINE_PREDICTION_BODY_H
#define TRENDLINE_PREDICTION_BODY_H

#include "binding.h"
#include "config.h"
#include "error.h"
#include "http.h"
#include "model.h"
#include "spool.h"

#include <stdbool.h>
#include <stdint.h>

enum { MODEL_HEADERS_MAX = 96 /* of the response, that tell the model */ };

struct prediction_body;

/* What all bodies share, and their answers, which it must outlive. */
struct prediction_room {
    struct binding binding; /* whoever predicts a row may use it */
    struct spool_file file; /* where long answers wait */
};

/* Takes the options from the query. The model is shared. NULL with `error` set. */
struct prediction_body *prediction_body_new(struct request *request, const struct config *config,
                                            struct model *model,
                                            const char headers[static MODEL_HEADERS_MAX],
                                            struct prediction_room *room, struct error *error);
void prediction_body_free(struct prediction_body *body);
struct request *prediction_body_request(const struct prediction_body *body);

/* Predicts until clock_us() is `until`, or a little longer. True: all of it; ERROR_LATER: not yet.
 */
bool prediction_body_go_on(struct prediction_body *body, int64_t until, struct error *error);

/* The answer, after all of it. A long one is in response->rest. */
bool prediction_body_answer(struct prediction_body *body, struct response *response,
                            struct error *error);

#endif
