#include "snapshot.h"

#include "file.h"
#include "json.h"

#include <gmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { SNAPSHOT_BYTES_MAX = 512 << 20, FORMAT = 1 };

static const char crc_line[] = "crc ";

/* ------------------------------------------------------------------ writing */

static void write_header(const struct snapshot *snapshot, struct buffer *out)
{
    buffer_printf(out, "{\"trendline_moments\":%d,\"rows\":%lld,\"offset\":%llu,\"seq\":%lld",
                  FORMAT, (long long)moments_rows(snapshot->moments),
                  (unsigned long long)snapshot->position.offset, (long long)snapshot->position.seq);
    buffer_puts(out, ",\"fingerprint\":");
    json_write_string(out, snapshot->fingerprint, strlen(snapshot->fingerprint));
    buffer_puts(out, ",\"source\":");
    json_write_string(out, snapshot->source, strlen(snapshot->source));
    buffer_puts(out, ",\"features\":");
    schema_write(snapshot->schema, out);
    buffer_puts(out, "}\n");
}

static void write_sum(struct buffer *out, size_t j, size_t k, const mpz_t value, long exponent)
{
    buffer_printf(out, "%zu %zu ", j, k);
    char *digits = buffer_reserve(out, mpz_sizeinbase(value, 16) + 2);
    if (!digits)
        return;
    mpz_get_str(digits, 16, value);
    out->length += strlen(digits);
    buffer_printf(out, " %ld\n", exponent);
}

static void write_sums(const struct moments *moments, struct buffer *out)
{
    size_t columns = moments_features(moments) + 2;
    mpz_t value;
    mpz_init(value);
    for (size_t j = 0; j < columns; j++)
        for (size_t k = j; k < columns; k++) {
            long exponent = moments_sum(moments, j, k, value);
            write_sum(out, j, k, value, exponent);
        }
    mpz_clear(value);
}

static uint32_t checksum(const char *text, size_t length)
{
    return (uint32_t)crc32_z(0, (const unsigned char *)text, length);
}

void snapshot_format(const struct snapshot *snapshot, struct buffer *out)
{
    write_header(snapshot, out);
    write_sums(snapshot->moments, out);
    if (!out->failed)
        buffer_printf(out, "%s%08x\n", crc_line, checksum(out->data, out->length));
}

bool snapshot_write(const struct snapshot *snapshot, const char *path, struct error *error)
{
    struct buffer out = {0};
    snapshot_format(snapshot, &out);
    bool ok =
        out.failed ? error_memory(error) : file_replace(path, out.data, out.length, true, error);
    buffer_free(&out);
    return ok;
}

/* ------------------------------------------------------------------ reading */

/* The text without its last line, which must be the right checksum. */
static bool check_crc(const struct buffer *text, size_t *length)
{
    size_t tail = sizeof crc_line - 1 + 8 + 1;
    if (text->length < tail)
        return false;
    *length = text->length - tail;
    char wanted[16];
    snprintf(wanted, sizeof wanted, "%s%08x\n", crc_line, checksum(text->data, *length));
    return memcmp(text->data + *length, wanted, tail) == 0;
}

static bool read_header(struct snapshot *snapshot, const struct json *header, struct error *error)
{
    int64_t format, rows, offset, seq;
    const struct json *features = json_get_kind(header, "features", JSON_ARRAY);
    if (!json_get_count(header, "trendline_moments", &format) || format != FORMAT ||
        !json_get_count(header, "rows", &rows) || !json_get_count(header, "offset", &offset) ||
        !json_get_count(header, "seq", &seq) || !features ||
        !json_get_text(header, "fingerprint", snapshot->fingerprint,
                       sizeof snapshot->fingerprint) ||
        !json_get_text(header, "source", snapshot->source, sizeof snapshot->source))
        return error_set(error, ERROR_DAMAGED, "the header is not one of moments");
    snapshot->position = (struct journal_position){.offset = (uint64_t)offset, .seq = seq};
    snapshot->schema = schema_parse(features, error);
    if (!snapshot->schema)
        return false;
    snapshot->moments = moments_new(snapshot->schema->count);
    if (!snapshot->moments)
        return error_memory(error);
    moments_set_rows(snapshot->moments, rows);
    return true;
}

/* The line `j k HEX EXPONENT` of S_jk; it is terminated by a newline, which the caller made a NUL.
 */
static bool read_sum(struct moments *moments, size_t j, size_t k, char *line, mpz_t value)
{
    char *at = line;
    if (strtoul(at, &at, 10) != j || strtoul(at, &at, 10) != k || *at != ' ')
        return false;
    char *digits = at + 1;
    at = strchr(digits, ' ');
    if (!at)
        return false;
    *at = '\0';
    long exponent = strtol(at + 1, &at, 10);
    return *at == '\0' && mpz_set_str(value, digits, 16) == 0 &&
           moments_set_sum(moments, j, k, value, exponent);
}

/* All sums, in their order, and nothing else. */
static bool read_sums(struct moments *moments, char *at, char *end)
{
    size_t columns = moments_features(moments) + 2;
    mpz_t value;
    mpz_init(value);
    bool ok = true;
    for (size_t j = 0; j < columns; j++)
        for (size_t k = j; k < columns && ok; k++) {
            char *newline = memchr(at, '\n', (size_t)(end - at));
            ok = newline != NULL;
            if (ok) {
                *newline = '\0';
                ok = read_sum(moments, j, k, at, value);
                at = newline + 1;
            }
        }
    mpz_clear(value);
    return ok && at == end;
}

static bool read_text(struct snapshot *snapshot, struct buffer *text, struct error *error)
{
    size_t length;
    if (!check_crc(text, &length))
        return error_set(error, ERROR_DAMAGED, "the checksum does not match");
    char *newline = memchr(text->data, '\n', length);
    struct json *header =
        newline ? json_parse(text->data, (size_t)(newline - text->data), error) : NULL;
    if (!header)
        return error_set(error, ERROR_DAMAGED, "there is no header");
    bool ok = read_header(snapshot, header, error);
    json_free(header);
    if (ok && !read_sums(snapshot->moments, newline + 1, text->data + length))
        return error_set(error, ERROR_DAMAGED, "a sum cannot be read");
    return ok;
}

bool snapshot_parse(struct snapshot *snapshot, struct buffer *text, struct error *error)
{
    *snapshot = (struct snapshot){0};
    bool ok = read_text(snapshot, text, error);
    if (!ok)
        snapshot_free(snapshot);
    return ok;
}

bool snapshot_read(struct snapshot *snapshot, const char *path, struct error *error)
{
    struct buffer text = {0};
    *snapshot = (struct snapshot){0};
    bool ok =
        file_read(path, SNAPSHOT_BYTES_MAX, &text, error) && snapshot_parse(snapshot, &text, error);
    buffer_free(&text);
    return ok;
}

void snapshot_free(struct snapshot *snapshot)
{
    schema_free(snapshot->schema);
    moments_free(snapshot->moments);
    *snapshot = (struct snapshot){0};
}
