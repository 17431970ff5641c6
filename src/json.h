/* JSON in and out. The one place that knows cJSON; it adds the checks that cJSON leaves out. */
#ifndef TRENDLINE_JSON_H
#define TRENDLINE_JSON_H

#include "buffer.h"
#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A parsed value; a container's members hang below it. Owned by whoever called json_parse. */
struct json;

enum json_kind { JSON_NULL, JSON_BOOLEAN, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* Parses `length` bytes that must hold exactly one value (RFC 8259). Refused as ERROR_SYNTAX beyond
 * what cJSON refuses: invalid UTF-8, raw control characters, \u0000 and \u without four digits in
 * strings, other white space than JSON's, a byte-order mark, numbers outside of the grammar (01,
 * 1., +1) or of more than 63 characters. Duplicate names are kept: the caller judges. */
struct json *json_parse(const char *text, size_t length, struct error *error);
void json_free(struct json *json);

enum json_kind json_kind(const struct json *json);
const struct json *json_first(const struct json *container); /* NULL: empty */
const struct json *json_next(const struct json *member);     /* NULL: the last */
const char *json_name(const struct json *member);            /* of an object's member */
double json_number(const struct json *number);               /* infinite when out of range */
const char *json_string(const struct json *string);
bool json_truth(const struct json *boolean);

/* The first member called `name` (case matters), or NULL. */
const struct json *json_get(const struct json *object, const char *name);

/* A member that must be there and be of the right kind, so that a file's reader is a list of these.
 * A count is a whole number from 0 to 2^53; a number is finite; `text` is cut never: too long
 * fails. */
bool json_get_number(const struct json *object, const char *name, double *value);
bool json_get_count(const struct json *object, const char *name, int64_t *value);
bool json_get_text(const struct json *object, const char *name, char *text, size_t size);
/* The first member called `name` if it is of that kind, or NULL. */
const struct json *json_get_kind(const struct json *object, const char *name, enum json_kind kind);

/* Appends `text` as a JSON string, quotes included. What is not valid UTF-8 becomes U+FFFD, so that
 * our output is always valid. */
void json_write_string(struct buffer *out, const char *text, size_t length);
/* Appends a number in number_format's form; `value` must be finite. */
void json_write_number(struct buffer *out, double value);
/* The same, or null for what is no finite number, such as R² of a constant target. */
void json_write_figure(struct buffer *out, double value);

#endif
