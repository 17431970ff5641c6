/* The lower half of a table: its bytes as lines, counted and fingerprinted on the way. */
#ifndef TRENDLINE_LINE_READER_H
#define TRENDLINE_LINE_READER_H

#include "error.h"
#include "table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xxhash.h>

struct line_reader {
    table_source *source;
    void *context;
    const char *name; /* what errors call the table; not owned */
    char *data;       /* owned; what has been read and not yet passed on is [start, end) */
    size_t capacity, start, end;
    size_t line_start; /* of the line last passed on */
    uint64_t line;     /* its number, from 1; 0 before the first */
    uint64_t bytes;    /* taken from the source */
    bool exhausted;    /* the source has no more */
    XXH3_state_t *hash;
};

bool line_reader_begin(struct line_reader *reader, table_source *source, void *context,
                       const char *name, struct error *error);
void line_reader_free(struct line_reader *reader);

/* TABLE_ROW: `*line` has `*length` bytes without LF, CRLF, or the byte-order mark before the first
 * line; it lasts until the next call. */
enum table_result line_reader_next(struct line_reader *reader, const char **line, size_t *length,
                                   struct error *error);

/* The line last passed on will be the next one too. Only once, and only after TABLE_ROW. */
void line_reader_back(struct line_reader *reader);

#endif
