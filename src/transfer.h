/* Moving events from one store to another, as NDJSON on standard output and input.
 *
 * Each line is an event as /action takes it, with `_time` and `_id`. An event that was stored
 * without an id gets one here, made of the store's identity, the event's number and a digest of its
 * content: so it counts once, however often and from wherever the stream is sent, and in the store
 * that it came from, or an older copy of that, it is known when it is there and stored when not. */
#ifndef TRENDLINE_TRANSFER_H
#define TRENDLINE_TRANSFER_H

#include "config.h"
#include "error.h"

#include <stdbool.h>

/* Writes all events that are stored when it begins; a service may go on meanwhile. */
bool export_run(const struct config *config, struct error *error);

/* Stores the events that are not stored yet, in batches; each is durable before the next is read,
 * so that an import that was ended can just be started again. Stops at the first line that cannot
 * be stored, which `error` names. */
bool import_run(const struct config *config, struct error *error);

#endif
