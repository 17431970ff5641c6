/* Levels: what an encoding has seen of a schema's features, for people and as JSON. */
#ifndef TRENDLINE_LEVELS_H
#define TRENDLINE_LEVELS_H

#include "buffer.h"
#include "encoding.h"
#include "json.h"
#include "schema.h"

/* Appends the name of column j, where the features have those names: "a", "colour=red",
 * "a is missing". */
void column_name(char *const *names, const struct encoding *encoding, size_t j, struct buffer *out);
/* The same as a JSON string. */
void column_write_name(char *const *names, const struct encoding *encoding, size_t j,
                       struct buffer *out);
/* Puts before the error's text which coefficient it is about: 0 is the intercept, then by column.
 */
void column_name_error(char *const *names, const struct encoding *encoding, size_t coefficient,
                       struct error *error);

/* Appends `,"levels": {"colour": ["blue", "red"]}, "missing": ["a"]`, as far as there are any, on
 * lines of their own where `indent` says so. A category's base comes first. */
void levels_write(const struct schema *schema, const struct encoding *encoding, const char *indent,
                  struct buffer *out);

/* The encoding of which `json` has those members. `with_bases`: the first level of each category is
 * its base. NULL with `error` set: they do not fit the schema, or there is no memory. */
struct encoding *levels_parse(const struct schema *schema, const struct json *json, bool with_bases,
                              struct error *error);

#endif
