/* What the fuzzers share.
 *
 * A fuzzer is a file fuzz_NAME.c around LLVMFuzzerTestOneInput, which reads the input the way the
 * service would and aborts when something is not as it should be. It becomes two programs: with
 * libFuzzer for `make fuzz`, and with replay.c for `make test`, where it runs over the inputs in
 * corpus/NAME: examples of what there is to read, and whatever once went wrong. */
#ifndef TRENDLINE_TESTS_FUZZ_H
#define TRENDLINE_TESTS_FUZZ_H

#include "buffer.h"
#include "error.h"
#include "file.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not by assert, which NDEBUG would take away; past `stderr`, which a fuzzer may have silenced. */
#define WANT(condition)                                                                            \
    ((condition) ? (void)0                                                                         \
                 : (dprintf(2, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition), abort()))

static inline bool same_bytes(const struct buffer *a, const struct buffer *b)
{
    return a->length == b->length && (a->length == 0 || memcmp(a->data, b->data, a->length) == 0);
}

static inline bool same_double(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* Whoever fails must have said why, in one line. */
static inline bool is_told(const struct error *error)
{
    return error->kind != ERROR_NONE && error->text[0] != '\0' && !strchr(error->text, '\n');
}

/* A source for tables and JSON streams: the input in one piece, or in pieces of 1 to 5 bytes. */
struct pieces {
    const char *data;
    size_t length, at;
    bool small;
};

static inline long pieces_read(void *context, char *data, size_t size, struct error *error)
{
    struct pieces *pieces = context;
    size_t left = pieces->length - pieces->at, step = pieces->small ? 1 + pieces->at * 7 % 5 : left;
    (void)error;
    if (step > left)
        step = left;
    if (step > size)
        step = size;
    memcpy(data, pieces->data + pieces->at, step);
    pieces->at += step;
    return (long)step;
}

/* Rows of doubles out of bytes. The first byte says how many columns (2 to 5), whether a cell is
 * one byte, a small whole number or one from the ends and the middle of the range, or the eight
 * bytes of any finite double, and whether each row has weight 1, one that follows from its first
 * cell, or a cell of its own for that. */
enum { ROWS_MAX = 64, COLUMNS_MAX = 5 };

struct rows {
    size_t columns, count;
    bool whole, ends, weighted, weight_cells;
    double values[ROWS_MAX][COLUMNS_MAX];
    double weights[ROWS_MAX];
};

/* Where something begins or ends: doubles, their squares, the bits of one, what forgetting leaves.
 */
static inline double take_end(uint8_t byte)
{
    static const int exponents[] = {-1074, -1073, -1050, -1023, -1022, -1021, -970, -960,
                                    -947,  -946,  -945,  -800,  -537,  -300,  -120, -64,
                                    -53,   -10,   -1,    0,     1,     2,     10,   53,
                                    64,    120,   300,   500,   800,   970,   1022, 1023};
    static const double digits[] = {1, 1.5, 1 + 0x1p-52, 2 - 0x1p-52};
    double value = ldexp(digits[byte >> 5 & 3], exponents[byte & 31]);
    return byte & 128 ? -value : value;
}

static inline double take_cell(const uint8_t *data, const struct rows *rows)
{
    double value;
    if (rows->ends)
        return data[0] == 255 ? 0 : take_end(data[0]);
    if (rows->whole)
        return (int8_t)data[0];
    memcpy(&value, data, sizeof value);
    return isfinite(value) ? value : (double)(int8_t)data[0] * 0x1p-1074;
}

static inline void rows_take(struct rows *rows, const uint8_t *data, size_t size)
{
    *rows = (struct rows){.columns = 2};
    if (size == 0)
        return;
    rows->columns = 2 + data[0] % 4;
    rows->whole = data[0] & 4;
    rows->weighted = data[0] & 16;
    rows->ends = data[0] & 64;
    rows->weight_cells = data[0] & 128;
    size_t cell = rows->whole || rows->ends ? 1 : sizeof(double);
    size_t row = (rows->columns + rows->weight_cells) * cell;
    for (size_t at = 1; rows->count < ROWS_MAX && at + row <= size; at += row, rows->count++) {
        double *values = rows->values[rows->count], weight;
        for (size_t i = 0; i < rows->columns; i++)
            values[i] = take_cell(data + at + i * cell, rows);
        weight = rows->weight_cells ? take_cell(data + at + row - cell, rows) : values[0];
        bool weighs = (rows->weighted || rows->weight_cells) && weight != 0;
        rows->weights[rows->count] = weighs ? fabs(weight) : 1;
    }
}

/* The path of a file in a directory of the fuzzer's own, in memory where that can be had. */
static char scratch_directory[128];

static inline void scratch_end(void)
{
    char command[sizeof scratch_directory + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", scratch_directory);
    if (system(command) != 0)
        dprintf(2, "cannot remove %s\n", scratch_directory);
}

static inline const char *scratch(const char *name, char path[static PATH_MAX])
{
    if (scratch_directory[0] == '\0') {
        const char *parent = getenv("FUZZ_SCRATCH");
        parent = parent ? parent : access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        snprintf(scratch_directory, sizeof scratch_directory, "%s/trendline-fuzz-XXXXXX", parent);
        WANT(mkdtemp(scratch_directory));
        atexit(scratch_end);
    }
    snprintf(path, PATH_MAX, "%s%s%s", scratch_directory, name ? "/" : "", name ? name : "");
    return path;
}

static inline void put_file(const char *path, const struct buffer *content)
{
    FILE *file = fopen(path, "we");
    WANT(file && fwrite(content->data, 1, content->length, file) == content->length);
    WANT(fclose(file) == 0);
}

static inline struct buffer get_file(const char *path)
{
    struct buffer content = {0};
    struct error error;
    WANT(file_read(path, SIZE_MAX / 2, &content, &error));
    return content;
}

#endif
