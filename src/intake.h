/* Intake: the events of a body as rows of the store. */
#ifndef TRENDLINE_INTAKE_H
#define TRENDLINE_INTAKE_H

#include "error.h"
#include "event_reader.h"
#include "store.h"

/* Reads the next event and binds it to the store's features, which the very first event fixes, if
 * it is good itself. Wants the store's lock, caught up. What *event points to lives until the next
 * call. EVENT_REFUSED: the next can be read; `error` says why this one will not do. */
enum event_result intake_next(struct store *store, struct event_reader *reader, struct event *event,
                              struct error *error);

#endif
