/* A table's line as cells, whichever way they are delimited and quoted. */
#ifndef TRENDLINE_CELLS_H
#define TRENDLINE_CELLS_H

#include <stdbool.h>
#include <stddef.h>

/* '\t', ';', ',' or ' ': how the cells of `line`, a table's first, are delimited. */
char cells_delimiter(const char *line, size_t length);

/* A line on its way through cells_next. */
struct cells {
    const char *at, *end;
    char delimiter;
    bool more; /* a cell, perhaps an empty one, begins at `at` */
};

struct cells cells_of(const char *line, size_t length, char delimiter);

/* Points into the line, whose bytes stay as they are. */
struct cell {
    const char *text; /* without blanks and quotes around it */
    size_t length;
    bool quoted; /* quotes inside are still doubled */
};

/* Takes the next cell while `more`. If its quotes are wrong it is the last one, and false. */
bool cells_next(struct cells *cells, struct cell *cell);

static inline bool cells_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Takes the next cell, which whoever read it from `at` on says to end at `end`. False, and nothing
 * taken, if no delimiter stands there. */
static inline bool cells_take(struct cells *cells, const char *end)
{
    if (end == cells->end) {
        cells->more = false;
        return true;
    }
    if (*end != cells->delimiter)
        return false;
    cells->at = end + 1;
    while (cells->delimiter == ' ' && cells_is_blank(*cells->at))
        cells->at++;
    return true;
}

#endif
