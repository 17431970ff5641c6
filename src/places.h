/* Where the columns of terms lie, as JSON: [[centre, exponent], …], the target's last; the metric
 * of their distances; and how far rows reach, all or the recent ones. */
#ifndef TRENDLINE_PLACES_H
#define TRENDLINE_PLACES_H

#include "buffer.h"
#include "folds.h"
#include "json.h"
#include "recent.h"

void places_write(const struct term_maps *maps, struct buffer *out);

/* NULL with ERROR_DAMAGED when it is not that for so many features, or without memory. `list` may
 * be NULL. */
struct term_maps *places_parse(const struct json *list, size_t features, struct error *error);

/* Appends `,"metric": […]`, where there is one. False with ERROR_DAMAGED: `list`, which may be
 * NULL, is not one; or without memory. */
void metric_write(const struct term_maps *maps, const char *indent, struct buffer *out);
bool metric_parse(struct term_maps *maps, const struct json *list, struct error *error);

/* Appends `,"reach": [[least, greatest], …],"distance": x`: by number. Parsing what is not there
 * makes it unknown; NULL without memory. */
void reach_write(const struct reach *reach, const char *indent, struct buffer *out);
struct reach *reach_parse(const struct json *json, size_t numbers);

/* An array, a member for each block. NULL with ERROR_DAMAGED: it is not that; or without memory. */
void recent_write(const struct recent *recent, struct buffer *out);
struct recent *recent_parse(const struct json *list, double factor, size_t numbers,
                            struct error *error);

#endif
