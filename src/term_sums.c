#include "term_sums.h"

#include "limbs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef __int128 int128;

enum {
    BLOCK_ROWS = 127, /* 2^46 each, below 2^53 together */
    TILE_ROWS = 4,
    TILE_COLUMNS = 8 /* what the registers hold */
};

/* What a weight of 1 is in units. */
static const int64_t one = 1 << TERM_WEIGHT_BITS;

/* In two's complement, least significant limb first. */
struct wide {
    mp_limb_t limbs[3];
};

/* Rows of weight 1 that are not yet in the sums, and sums in units of 1. */
struct block {
    double *values;
    size_t rows;
    int128 *targets;
    int64_t *linear;
};

struct term_sums {
    size_t count, stride; /* of terms; of a row in a block: a multiple of TILE_COLUMNS */
    int64_t rows;
    int128 weight;
    int128 *squares;             /* the upper triangle of the terms' products, by rows */
    struct wide *targets;        /* target times term; the last: target squared */
    int128 *linear;              /* terms; the last: the target */
    struct block added, removed; /* to be added to the three above, and subtracted */
};

static size_t triangle(size_t count)
{
    return count * (count + 1) / 2;
}

static size_t row_start(size_t count, size_t row)
{
    return row * (2 * count - row + 1) / 2;
}

/* What is never used takes no memory: the pages of large blocks are not touched. */
static bool block_init(struct block *block, size_t terms, size_t stride)
{
    block->values = calloc(BLOCK_ROWS * stride, sizeof *block->values);
    block->targets = calloc(terms + 1, sizeof *block->targets);
    block->linear = calloc(terms + 1, sizeof *block->linear);
    return block->values && block->targets && block->linear;
}

static void block_free(struct block *block)
{
    free(block->values);
    free(block->targets);
    free(block->linear);
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
    bool ok = block_init(&sums->added, terms, sums->stride);
    ok = block_init(&sums->removed, terms, sums->stride) && ok;
    if (ok && sums->squares && sums->targets && sums->linear)
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
    block_free(&sums->added);
    block_free(&sums->removed);
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

double term_sums_weight(const struct term_sums *sums)
{
    return (double)sums->weight / (double)one;
}

int64_t term_sums_target(double target, struct place place)
{
    const double most = 1 << TARGET_CLIP_BITS;
    double t = ldexp(target - place.centre, -place.exponent);
    return llrint(ldexp(t > most ? most : t < -most ? -most : t, TARGET_BITS));
}

/* The products of TILE_ROWS by TILE_COLUMNS terms over the block's rows: unrolled, since a tile
 * that is indexed stays in memory. */
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
#pragma GCC unroll 4
        for (size_t a = 0; a < TILE_ROWS; a++)
#pragma GCC unroll 8
            for (size_t b = 0; b < TILE_COLUMNS; b++)
                tile[a][b] += values[i + a] * values[j + b];
    }
    memcpy(out, tile, sizeof tile);
}

static void add_tile(struct term_sums *sums, size_t i, size_t j,
                     double tile[TILE_ROWS][TILE_COLUMNS], int64_t unit)
{
    for (size_t a = 0; a < TILE_ROWS && i + a < sums->count; a++) {
        int128 *row = sums->squares + row_start(sums->count, i + a) - (i + a);
        for (size_t b = 0; b < TILE_COLUMNS && j + b < sums->count; b++)
            if (j + b >= i + a)
                row[j + b] += (int128)(int64_t)tile[a][b] * unit;
    }
}

/* sum += number · factor. */
static void add_wide(struct wide *sum, int128 number, int64_t factor)
{
    if (factor < 0) {
        number = -number;
        factor = -factor;
    }
    unsigned __int128 low = (unsigned __int128)(uint64_t)number * (uint64_t)factor;
    int128 high = (int128)(int64_t)(number >> 64) * factor + (int64_t)(low >> 64);
    const mp_limb_t addend[] = {(mp_limb_t)low, (mp_limb_t)high, (mp_limb_t)(high >> 64)};
    limbs_add(sum->limbs, addend, 3);
}

/* The nearest double. */
static double wide_double(struct wide number)
{
    uint64_t low = number.limbs[0];
    int128 high = (int128)((unsigned __int128)number.limbs[2] << 64 | number.limbs[1]);
    if (high == (int64_t)high)
        return (double)(int128)((unsigned __int128)high << 64 | low);
    return ldexp((double)(high | (low != 0)), 64); /* a bit that decides ties, far below the last */
}

static void flush_targets(struct term_sums *sums, struct block *block, int64_t unit)
{
    for (size_t i = 0; i <= sums->count; i++) {
        add_wide(&sums->targets[i], block->targets[i], unit);
        sums->linear[i] += (int128)block->linear[i] * unit;
        block->targets[i] = 0;
        block->linear[i] = 0;
    }
}

/* `unit`: what a weight of 1 is; below 0 to subtract. */
static void flush_block(struct term_sums *sums, struct block *block, int64_t unit)
{
    double tile[TILE_ROWS][TILE_COLUMNS];
    if (block->rows == 0)
        return;
    for (size_t i = 0; i < sums->count; i += TILE_ROWS)
        for (size_t j = i / TILE_COLUMNS * TILE_COLUMNS; j < sums->count; j += TILE_COLUMNS) {
            multiply_tile(block->values, block->rows, sums->stride, i, j, tile);
            add_tile(sums, i, j, tile, unit);
        }
    flush_targets(sums, block, unit);
    block->rows = 0;
}

void term_sums_flush(struct term_sums *sums)
{
    flush_block(sums, &sums->added, one);
    flush_block(sums, &sums->removed, -one);
}

static void add_to_block(struct term_sums *sums, struct block *block, const double *values,
                         int64_t target)
{
    if (block->rows == BLOCK_ROWS)
        term_sums_flush(sums);
    memcpy(block->values + block->rows++ * sums->stride, values, sums->count * sizeof *values);
    for (size_t i = 0; i < sums->count; i++) {
        int64_t value = (int64_t)values[i];
        block->linear[i] += value;
        block->targets[i] += (int128)value * target;
    }
    block->linear[sums->count] += target;
    block->targets[sums->count] += (int128)target * target;
}

static void add_weighted(struct term_sums *sums, const double *values, int64_t target,
                         int64_t weight)
{
    int128 *square = sums->squares;
    for (size_t i = 0; i < sums->count; i++) {
        int64_t value = (int64_t)values[i];
        for (size_t k = i; k < sums->count; k++)
            *square++ += (int128)(int64_t)(values[i] * values[k]) * weight;
        sums->linear[i] += (int128)value * weight;
        add_wide(&sums->targets[i], (int128)value * target, weight);
    }
    sums->linear[sums->count] += (int128)target * weight;
    add_wide(&sums->targets[sums->count], (int128)target * target, weight);
}

/* In units. */
static int64_t round_weight(double weight, double factor)
{
    const double most = (double)one;
    return llrint(fmin(fmax(weight, 1 / most), most) * factor * most);
}

void term_sums_add(struct term_sums *sums, const double *values, int64_t target, double weight,
                   double factor)
{
    int64_t units = weight == 1 && factor == 1 ? one : round_weight(weight, factor);
    sums->rows++;
    sums->weight += units;
    if (units == one)
        add_to_block(sums, &sums->added, values, target);
    else
        add_weighted(sums, values, target, units);
}

void term_sums_remove(struct term_sums *sums, const double *values, int64_t target, double weight)
{
    int64_t units = round_weight(weight, 1);
    sums->rows--;
    sums->weight -= units;
    if (units == one)
        add_to_block(sums, &sums->removed, values, target);
    else
        add_weighted(sums, values, target, -units);
}

/* As limbs_scale, in a tenth of the time, where the shift is below 64: that of a factor above
 * 2^-11. */
static int128 scale_near(int128 number, struct limbs_factor factor)
{
    unsigned __int128 size = number < 0 ? -(unsigned __int128)number : (unsigned __int128)number;
    unsigned __int128 low = (unsigned __int128)(uint64_t)size * factor.digits;
    unsigned __int128 high = (size >> 64) * factor.digits + (low >> 64);
    uint64_t last = (uint64_t)low, rounded = last + ((uint64_t)1 << (factor.shift - 1));
    high += rounded < last;
    size = high << (64 - factor.shift) | rounded >> factor.shift;
    return number < 0 ? -(int128)size : (int128)size;
}

static int128 scale_far(int128 number, struct limbs_factor factor)
{
    mp_limb_t limbs[] = {(mp_limb_t)number, (mp_limb_t)(number >> 64)};
    limbs_scale(limbs, 2, factor);
    return (int128)((unsigned __int128)limbs[1] << 64 | limbs[0]);
}

static void scale_all(int128 *numbers, size_t count, struct limbs_factor factor)
{
    for (size_t i = 0; i < count; i++)
        numbers[i] =
            factor.shift < 64 ? scale_near(numbers[i], factor) : scale_far(numbers[i], factor);
}

/* What weighs nothing has no sums. */
static void forget_all(struct term_sums *sums)
{
    memset(sums->squares, 0, triangle(sums->count) * sizeof *sums->squares);
    memset(sums->linear, 0, (sums->count + 1) * sizeof *sums->linear);
    memset(sums->targets, 0, (sums->count + 1) * sizeof *sums->targets);
}

/* Of all the sums the weight is rounded most coarsely. The others are scaled by what has become of
 * it: where a term's mean is a thousand deviations away, the difference would drown its variance.
 */
void term_sums_scale(struct term_sums *sums, double factor, int64_t rows)
{
    double before = (double)sums->weight;
    term_sums_flush(sums);
    sums->rows = rows;
    scale_all(&sums->weight, 1, limbs_factor_of(factor));
    if (sums->weight == 0) {
        forget_all(sums);
        return;
    }
    struct limbs_factor scaled = limbs_factor_of((double)sums->weight / before);
    scale_all(sums->squares, triangle(sums->count), scaled);
    scale_all(sums->linear, sums->count + 1, scaled);
    for (size_t i = 0; i <= sums->count; i++)
        limbs_scale(sums->targets[i].limbs, 3, scaled);
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
    add_all(to->linear, from->linear, to->count + 1, sign);
    for (size_t i = 0; i <= to->count; i++) {
        mp_limb_t *limbs = to->targets[i].limbs;
        (sign > 0 ? mpn_add_n : mpn_sub_n)(limbs, limbs, from->targets[i].limbs, 3);
    }
    to->weight += sign * from->weight;
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

/* What means are divided by: where all has been forgotten they are 0. */
static int128 divisor(const struct term_sums *sums)
{
    return sums->weight > 0 ? sums->weight : 1;
}

double term_sums_mean(const struct term_sums *sums, size_t j)
{
    return (double)sums->linear[j] / (double)divisor(sums);
}

/* Something about which there is a sum: a mean, cut off to a whole number, and what is left of the
 * sum of all rows. */
struct middle {
    int128 mean, rest;
};

static struct middle middle_of(const struct term_sums *sums, size_t j)
{
    int128 mean = sums->linear[j] / divisor(sums);
    return (struct middle){mean, sums->linear[j] - mean * sums->weight};
}

/* The sum of products of values j and k about their middles. */
static double products_about(const struct term_sums *sums, size_t j, size_t k, struct middle at_j,
                             struct middle at_k)
{
    if (k < sums->count)
        return (double)(sums->squares[row_start(sums->count, j) + k - j] -
                        at_j.mean * sums->linear[k] - at_k.mean * at_j.rest);
    struct wide about = sums->targets[j];
    add_wide(&about, -sums->linear[k], (int64_t)at_j.mean);
    add_wide(&about, -at_j.rest, (int64_t)at_k.mean);
    return wide_double(about);
}

static double covariance_about(const struct term_sums *sums, size_t j, size_t k, struct middle at_j,
                               struct middle at_k)
{
    double weight = (double)divisor(sums);
    /* about whole numbers near the means nothing cancels, and all of it is exact but the end */
    double about = products_about(sums, j, k, at_j, at_k);
    return (about - (double)at_j.rest * (double)at_k.rest / weight) / weight;
}

double term_sums_covariance(const struct term_sums *sums, size_t j, size_t k)
{
    return covariance_about(sums, j, k, middle_of(sums, j), middle_of(sums, k));
}

void term_sums_covariances(const struct term_sums *sums, size_t count, double *square)
{
    struct middle middles[TERMS_MAX], target = middle_of(sums, sums->count);
    for (size_t j = 0; j < count; j++)
        middles[j] = middle_of(sums, j);
    for (size_t j = 0; j < count; j++) {
        double *row = square + j * (count + 1);
        for (size_t k = j; k < count; k++)
            row[k] = covariance_about(sums, j, k, middles[j], middles[k]);
        row[count] = covariance_about(sums, j, sums->count, middles[j], target);
    }
    square[count * (count + 1) + count] =
        covariance_about(sums, sums->count, sums->count, target, target);
}

/* ------------------------------------------------------------------ numbers */

size_t term_sums_numbers(const struct term_sums *sums)
{
    return 1 + 2 * (sums->count + 1) + triangle(sums->count);
}

/* In this order: the weight, linear, targets, squares; one of the two is NULL. */
struct place_of_number {
    int128 *narrow;
    struct wide *wide;
};

static struct place_of_number number_at(struct term_sums *sums, size_t i)
{
    size_t values = sums->count + 1;
    if (i == 0)
        return (struct place_of_number){.narrow = &sums->weight};
    if (i <= values)
        return (struct place_of_number){.narrow = &sums->linear[i - 1]};
    if (i <= 2 * values)
        return (struct place_of_number){.wide = &sums->targets[i - values - 1]};
    return (struct place_of_number){.narrow = &sums->squares[i - 2 * values - 1]};
}

struct term_number term_sums_number(struct term_sums *sums, size_t i)
{
    struct term_number number;
    term_sums_flush(sums);
    struct place_of_number at = number_at(sums, i);
    if (at.wide) {
        memcpy(number.limbs, at.wide->limbs, sizeof number.limbs);
    } else {
        number.limbs[0] = (uint64_t)*at.narrow;
        number.limbs[1] = (uint64_t)(*at.narrow >> 64);
        number.limbs[2] = *at.narrow < 0 ? UINT64_MAX : 0;
    }
    return number;
}

bool term_sums_whole(struct term_sums *sums)
{
    bool whole = sums->weight == (int128)sums->rows * one;
    for (size_t i = 0; whole && i < term_sums_numbers(sums); i++)
        whole = term_sums_number(sums, i).limbs[0] % (uint64_t)one == 0;
    return whole;
}

bool term_sums_set_number(struct term_sums *sums, size_t i, struct term_number number)
{
    struct place_of_number at = number_at(sums, i);
    if (at.wide) {
        memcpy(at.wide->limbs, number.limbs, sizeof number.limbs);
        return true;
    }
    *at.narrow = (int128)((unsigned __int128)number.limbs[1] << 64 | number.limbs[0]);
    return number.limbs[2] == (*at.narrow < 0 ? UINT64_MAX : 0);
}

static void empty_block(struct block *block, size_t terms)
{
    block->rows = 0;
    memset(block->targets, 0, (terms + 1) * sizeof *block->targets);
    memset(block->linear, 0, (terms + 1) * sizeof *block->linear);
}

bool term_sums_set_rows(struct term_sums *sums, int64_t rows)
{
    sums->rows = rows;
    empty_block(&sums->added, sums->count);
    empty_block(&sums->removed, sums->count);
    /* less than their least weight, where rows have been forgotten by and by */
    return sums->weight >= 0 && sums->weight <= 2 * (int128)rows * one * one;
}
