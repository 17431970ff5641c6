#include "term_sums.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef __int128 int128;

enum {
    BLOCK_ROWS = 127, /* 2^46 each, below 2^53 together */
    TILE_ROWS = 4,
    TILE_COLUMNS = 8 /* what the registers hold */
};

struct term_sums {
    size_t count, stride; /* of terms; of a row in the block: a multiple of TILE_COLUMNS */
    int64_t rows;
    int128 *squares; /* the upper triangle of the terms' products, by rows */
    int128 *targets; /* target times term; the last: target squared */
    int128 *linear;  /* terms; the last: the target */
    double *block;   /* rows not yet in `squares` */
    size_t block_rows;
};

static size_t triangle(size_t count)
{
    return count * (count + 1) / 2;
}

static size_t row_start(size_t count, size_t row)
{
    return row * (2 * count - row + 1) / 2;
}

struct term_sums *term_sums_new(size_t terms)
{
    struct term_sums *sums = calloc(1, sizeof *sums);
    if (!sums)
        return NULL;
    sums->count = terms;
    sums->stride = (terms + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS;
    sums->squares = calloc(triangle(terms), sizeof *sums->squares);
    sums->targets = calloc(terms + 1, sizeof *sums->targets);
    sums->linear = calloc(terms + 1, sizeof *sums->linear);
    sums->block = calloc(BLOCK_ROWS * sums->stride, sizeof *sums->block);
    if (sums->squares && sums->targets && sums->linear && sums->block)
        return sums;
    term_sums_free(sums);
    return NULL;
}

void term_sums_free(struct term_sums *sums)
{
    if (!sums)
        return;
    free(sums->squares);
    free(sums->targets);
    free(sums->linear);
    free(sums->block);
    free(sums);
}

size_t term_sums_count(const struct term_sums *sums)
{
    return sums->count;
}

int64_t term_sums_rows(const struct term_sums *sums)
{
    return sums->rows;
}

int64_t term_sums_target(double target, struct place place)
{
    const double most = 1 << TARGET_CLIP_BITS;
    double t = ldexp(target - place.centre, -place.exponent);
    return llrint(ldexp(t > most ? most : t < -most ? -most : t, TARGET_BITS));
}

/* The products of TILE_ROWS by TILE_COLUMNS terms over the block's rows. */
#ifdef __x86_64__
__attribute__((target_clones("default", "avx2")))
#endif
static void
multiply_tile(const double *restrict block, size_t rows, size_t stride, size_t i, size_t j,
              double out[restrict TILE_ROWS][TILE_COLUMNS])
{
    double tile[TILE_ROWS][TILE_COLUMNS] = {{0}};
    for (size_t row = 0; row < rows; row++) {
        const double *values = block + row * stride;
        for (size_t a = 0; a < TILE_ROWS; a++)
            for (size_t b = 0; b < TILE_COLUMNS; b++)
                tile[a][b] += values[i + a] * values[j + b];
    }
    memcpy(out, tile, sizeof tile);
}

static void add_tile(struct term_sums *sums, size_t i, size_t j,
                     double tile[TILE_ROWS][TILE_COLUMNS])
{
    for (size_t a = 0; a < TILE_ROWS && i + a < sums->count; a++) {
        int128 *row = sums->squares + row_start(sums->count, i + a) - (i + a);
        for (size_t b = 0; b < TILE_COLUMNS && j + b < sums->count; b++)
            if (j + b >= i + a)
                row[j + b] += (int64_t)tile[a][b];
    }
}

void term_sums_flush(struct term_sums *sums)
{
    double tile[TILE_ROWS][TILE_COLUMNS];
    if (sums->block_rows == 0)
        return;
    for (size_t i = 0; i < sums->count; i += TILE_ROWS)
        for (size_t j = i / TILE_COLUMNS * TILE_COLUMNS; j < sums->count; j += TILE_COLUMNS) {
            multiply_tile(sums->block, sums->block_rows, sums->stride, i, j, tile);
            add_tile(sums, i, j, tile);
        }
    sums->block_rows = 0;
}

void term_sums_add(struct term_sums *sums, const double *values, int64_t target)
{
    if (sums->block_rows == BLOCK_ROWS)
        term_sums_flush(sums);
    memcpy(sums->block + sums->block_rows++ * sums->stride, values, sums->count * sizeof *values);
    for (size_t i = 0; i < sums->count; i++) {
        int64_t value = (int64_t)values[i];
        sums->linear[i] += value;
        sums->targets[i] += (int128)value * target;
    }
    sums->linear[sums->count] += target;
    sums->targets[sums->count] += (int128)target * target;
    sums->rows++;
}

/* to += sign · from. */
static void add_all(int128 *to, const int128 *from, size_t count, int sign)
{
    for (size_t i = 0; i < count; i++)
        to[i] += sign * from[i];
}

static void add_sums(struct term_sums *to, const struct term_sums *from, int sign)
{
    add_all(to->squares, from->squares, triangle(to->count), sign);
    add_all(to->targets, from->targets, to->count + 1, sign);
    add_all(to->linear, from->linear, to->count + 1, sign);
    to->rows += sign * from->rows;
}

void term_sums_merge(struct term_sums *into, struct term_sums *from)
{
    term_sums_flush(into);
    term_sums_flush(from);
    add_sums(into, from, 1);
}

void term_sums_subtract(struct term_sums *into, const struct term_sums *from)
{
    add_sums(into, from, -1);
}

double term_sums_mean(const struct term_sums *sums, size_t j)
{
    return (double)sums->linear[j] / (double)sums->rows;
}

static int128 product_sum(const struct term_sums *sums, size_t j, size_t k)
{
    if (k == sums->count)
        return sums->targets[j];
    return sums->squares[row_start(sums->count, j) + k - j];
}

double term_sums_covariance(const struct term_sums *sums, size_t j, size_t k)
{
    int128 rows = sums->rows, mean_j = sums->linear[j] / rows, mean_k = sums->linear[k] / rows;
    int128 rest_j = sums->linear[j] - mean_j * rows, rest_k = sums->linear[k] - mean_k * rows;
    /* about whole numbers near the means nothing cancels, and all of it is exact but the end */
    int128 about = product_sum(sums, j, k) - mean_j * sums->linear[k] - mean_k * rest_j;
    return ((double)about - (double)rest_j * (double)rest_k / (double)rows) / (double)rows;
}

size_t term_sums_numbers(const struct term_sums *sums)
{
    return 2 * (sums->count + 1) + triangle(sums->count);
}

/* In this order: linear, targets, squares. */
static int128 *number_at(struct term_sums *sums, size_t i)
{
    if (i <= sums->count)
        return &sums->linear[i];
    i -= sums->count + 1;
    return i <= sums->count ? &sums->targets[i] : &sums->squares[i - sums->count - 1];
}

struct term_number term_sums_number(struct term_sums *sums, size_t i)
{
    term_sums_flush(sums);
    int128 number = *number_at(sums, i);
    return (struct term_number){(int64_t)(number >> 64), (uint64_t)number};
}

void term_sums_set_number(struct term_sums *sums, size_t i, struct term_number number)
{
    *number_at(sums, i) = (int128)(((unsigned __int128)number.high << 64) | number.low);
}

void term_sums_set_rows(struct term_sums *sums, int64_t rows)
{
    sums->rows = rows;
    sums->block_rows = 0;
}
