/* Tables: delimited text, read as a stream of rows of numbers.
 *
 * Tab-separated; semicolons, commas or runs of spaces are recognised, in this order, when the first
 * line has no tab. Cells may stand in double quotes, a quote inside doubled, but not hold a line's
 * end. CRLF, a UTF-8 byte-order mark, a missing last newline and blank lines at the end are fine. A
 * first row with any cell that is not a number is a header: its names must be unique UTF-8 without
 * control characters. Cells are numbers, unless a column is said to be something else. Memory does
 * not grow with the rows.
 *
 * All errors begin with "NAME:LINE: ", except that there is no line to tell for an empty table, or
 * when the bytes cannot be had. */
#ifndef TRENDLINE_TABLE_H
#define TRENDLINE_TABLE_H

#include "buffer.h"
#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TABLE_COLUMNS_MAX = 1024,
    TABLE_NAME_MAX = 256,     /* bytes of a column's name in a header */
    TABLE_LINE_MAX = 1 << 20, /* bytes; a longer line is an error */
    TABLE_BLOCK_SIZE = 64 << 10
};

/* Where the bytes come from: fills up to `size` bytes, returns how many (0 at the end), or -1 with
 * `error` set: ERROR_LATER where they have not come yet, which no file says. */
typedef long table_source(void *context, char *data, size_t size, struct error *error);

struct table;

/* Reads the first line; NULL with `error` set if there is none or it will not do. `name` (copied)
 * is what errors call the table: "train.tsv:3: column b: …"; for table_open the last part of
 * `path`. A missing file is ERROR_ABSENT. */
struct table *table_open(const char *path, struct error *error);
/* The same for a service, which must not wait for whoever may write to a pipe: only of a file. */
struct table *table_open_regular(const char *path, struct error *error);
struct table *table_new(table_source *source, void *context, const char *name, struct error *error);
void table_free(struct table *table); /* NULL is fine */

size_t table_columns(const struct table *table);
bool table_has_header(const struct table *table);
/* The header's cell; without a header a, b, …, z, aa, ab, …. Lives as long as the table. */
const char *table_column_name(const struct table *table, size_t column);
char *const *table_column_names(const struct table *table); /* all of them */

enum table_result { TABLE_ROW, TABLE_END, TABLE_ERROR };

/* The next row into `row` (table_columns() doubles). On TABLE_ERROR with ERROR_UNUSABLE it is only
 * this row that will not do (a cell that is no number, too many cells or too few), and the next can
 * be read; with ERROR_LATER it can be asked for again. */
enum table_result table_next(struct table *table, double *row, struct error *error);

/* Whole lines of a table, whose rows can be read apart from it. All zero is an empty one. */
struct table_block {
    struct buffer text; /* the lines, without blank ones, each with an LF */
    size_t start;       /* of the next line in it */
    uint64_t line;      /* the number of the line last read */
};

/* Takes the next lines into the block, in place of what it holds: TABLE_BLOCK_SIZE bytes and what
 * is left of the last line. On TABLE_END and TABLE_ERROR it has what lines there are before. */
enum table_result table_take(struct table *table, struct table_block *block, struct error *error);

/* As table_next, for a block of this table; other threads may do so with other blocks, and take
 * more. Not with a text column. */
enum table_result table_block_next(const struct table *table, struct table_block *block,
                                   double *row, struct error *error);
void table_block_free(struct table_block *block);

/* One column may hold text instead of numbers: of its cell the row has 0, and table_text appends
 * what it says, without quotes, until the next row is read. */
void table_set_text_column(struct table *table, size_t column);
void table_text(const struct table *table, struct buffer *out);

/* Of a category's cell the row has the code of its text (symbols.h), which is kept unless the table
 * was told to forget texts. */
void table_set_category(struct table *table, size_t column);
bool table_is_category(const struct table *table, size_t column);
void table_forget_texts(struct table *table);
/* A column that is always a number, and never empty. */
void table_set_target(struct table *table, size_t column);
/* Makes those other columns categories whose cell in the next row is text. */
bool table_guess_categories(struct table *table, struct error *error);
/* Lets cells be empty: the row has NaN then. */
void table_allow_missing(struct table *table);

uint64_t table_line(const struct table *table); /* line number of the row last read, from 1 */
uint64_t
table_bytes(const struct table *table); /* how many bytes have been taken from the source */

/* A fingerprint of all bytes taken from the source so far (XXH3, 128 bits, hexadecimal): after the
 * last row, of the whole content. */
void table_fingerprint(const struct table *table, char hex[static 33]);

#endif
