#include "cells.h"

#include <string.h>

/* Semicolon before comma, so that decimal commas between semicolons give an error about a number,
 * not wrong columns. What stands in quotes does not count. */
char cells_delimiter(const char *line, size_t length)
{
    bool quoted = false, comma = false;
    if (memchr(line, '\t', length))
        return '\t';
    for (const char *at = line; at < line + length; at++) {
        quoted ^= *at == '"';
        if (*at == ';' && !quoted)
            return ';';
        comma |= *at == ',' && !quoted;
    }
    return comma ? ',' : ' ';
}

static bool is_delimiter(char c, char delimiter)
{
    return c == delimiter || (delimiter == ' ' && c == '\t');
}

static bool is_padding(char c, char delimiter)
{
    return cells_is_blank(c) && !is_delimiter(c, delimiter);
}

struct cells cells_of(const char *line, size_t length, char delimiter)
{
    const char *end = line + length;
    if (delimiter == ' ') { /* spaces before the first and after the last cell delimit nothing */
        while (line < end && cells_is_blank(*line))
            line++;
        while (line < end && cells_is_blank(end[-1]))
            end--;
    }
    return (struct cells){line, end, delimiter, true};
}

static void skip_padding(struct cells *cells)
{
    while (cells->at < cells->end && is_padding(*cells->at, cells->delimiter))
        cells->at++;
}

/* Goes on behind the delimiter, if there is one. */
static void skip_delimiter(struct cells *cells)
{
    cells->more = cells->at < cells->end;
    if (!cells->more)
        return;
    cells->at++;
    while (cells->delimiter == ' ' && cells_is_blank(*cells->at))
        cells->at++;
}

/* A cell that begins with a double quote (RFC 4180). False if it is not closed, or if anything but
 * blanks stands between its end and the delimiter. */
static bool quoted_cell(struct cells *cells, struct cell *cell)
{
    const char *at = cells->at + 1, *end = cells->end;
    cell->quoted = true;
    cell->text = at;
    while (at < end && (*at != '"' || (at + 1 < end && at[1] == '"')))
        at += *at == '"' ? 2 : 1;
    if (at >= end)
        return false;
    cell->length = (size_t)(at - cell->text);
    cells->at = at + 1;
    skip_padding(cells);
    return cells->at == end || is_delimiter(*cells->at, cells->delimiter);
}

static void plain_cell(struct cells *cells, struct cell *cell)
{
    cell->quoted = false;
    cell->text = cells->at;
    while (cells->at < cells->end && !is_delimiter(*cells->at, cells->delimiter))
        cells->at++;
    cell->length = (size_t)(cells->at - cell->text);
    while (cell->length && cells_is_blank(cell->text[cell->length - 1]))
        cell->length--;
}

bool cells_next(struct cells *cells, struct cell *cell)
{
    skip_padding(cells);
    if (cells->at == cells->end || *cells->at != '"')
        plain_cell(cells, cell);
    else if (!quoted_cell(cells, cell))
        return cells->more = false;
    skip_delimiter(cells);
    return true;
}
