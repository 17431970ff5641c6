#include "line_reader.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 256 << 10 };

bool line_reader_begin(struct line_reader *reader, table_source *source, void *context,
                       const char *name, struct error *error)
{
    *reader = (struct line_reader){.source = source,
                                   .context = context,
                                   .name = name,
                                   .capacity = FIRST_CAPACITY,
                                   .data = malloc(FIRST_CAPACITY),
                                   .hash = XXH3_createState()};
    if (!reader->data || !reader->hash)
        return error_memory(error);
    XXH3_128bits_reset(reader->hash);
    return true;
}

void line_reader_free(struct line_reader *reader)
{
    XXH3_freeState(reader->hash);
    free(reader->data);
}

/* Room behind `end`: by moving what is left to the front, or else by doubling. */
static bool make_room(struct line_reader *reader, struct error *error)
{
    if (reader->start > 0) {
        memmove(reader->data, reader->data + reader->start, reader->end - reader->start);
        reader->end -= reader->start;
        reader->start = 0;
    }
    if (reader->end < reader->capacity)
        return true;
    char *data = realloc(reader->data, reader->capacity * 2);
    if (!data)
        return error_memory(error);
    reader->data = data;
    reader->capacity *= 2;
    return true;
}

static bool fill(struct line_reader *reader, struct error *error)
{
    if (!make_room(reader, error))
        return false;
    char *room = reader->data + reader->end;
    long got = reader->source(reader->context, room, reader->capacity - reader->end, error);
    if (got < 0)
        return false;
    XXH3_128bits_update(reader->hash, room, (size_t)got);
    reader->end += (size_t)got;
    reader->bytes += (uint64_t)got;
    reader->exhausted = got == 0;
    return true;
}

static enum table_result too_long(const struct line_reader *reader, struct error *error)
{
    error_set(error, ERROR_TOO_LARGE, "%s:%llu: the line is longer than %d bytes", reader->name,
              (unsigned long long)reader->line + 1, TABLE_LINE_MAX);
    return TABLE_ERROR;
}

static void skip_byte_order_mark(const char **line, size_t *length)
{
    static const char mark[] = {'\xEF', '\xBB', '\xBF'};
    if (*length < sizeof mark || memcmp(*line, mark, sizeof mark) != 0)
        return;
    *line += sizeof mark;
    *length -= sizeof mark;
}

/* Passes on the next `length` bytes as a line, and drops those and the `newline` (0 or 1) behind
 * them. */
static enum table_result take(struct line_reader *reader, size_t length, size_t newline,
                              const char **line, size_t *line_length)
{
    *line = reader->data + reader->start;
    reader->line_start = reader->start;
    reader->start += length + newline;
    reader->line++;
    if (length && (*line)[length - 1] == '\r')
        length--;
    *line_length = length;
    if (reader->line == 1)
        skip_byte_order_mark(line, line_length);
    return TABLE_ROW;
}

enum table_result line_reader_next(struct line_reader *reader, const char **line, size_t *length,
                                   struct error *error)
{
    for (size_t searched = 0;;) {
        const char *from = reader->data + reader->start;
        size_t available = reader->end - reader->start;
        const char *newline = memchr(from + searched, '\n', available - searched);
        size_t found = newline ? (size_t)(newline - from) : available;
        if (found > TABLE_LINE_MAX)
            return too_long(reader, error);
        if (newline)
            return take(reader, found, 1, line, length);
        if (reader->exhausted)
            return available ? take(reader, available, 0, line, length) : TABLE_END;
        searched = available;
        if (!fill(reader, error))
            return TABLE_ERROR;
    }
}

void line_reader_back(struct line_reader *reader)
{
    reader->start = reader->line_start;
    reader->line--;
}
