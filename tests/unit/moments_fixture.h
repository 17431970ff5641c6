/* Rows of all kinds for tests of moments, and their sums in rational arithmetic. */
#ifndef TRENDLINE_TESTS_MOMENTS_FIXTURE_H
#define TRENDLINE_TESTS_MOMENTS_FIXTURE_H

#include "check.h"
#include "moments.h"

#include <float.h>
#include <math.h>
#include <stdint.h>

enum { FEATURES = 4, WIDTH = FEATURES + 1, ROWS = 60 };

typedef double rows_of[WIDTH];

static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Kinds of columns, from tame to hostile. */
static inline double random_value(uint64_t *state, int kind)
{
    uint64_t bits = next_random(state);
    double value = (double)(bits >> 40) - 0x1p23;
    switch (kind) {
    case 0: /* whole numbers, zeros among them */
        return (double)(bits >> 60) - 8;
    case 1: /* decimals */
        return value / 100;
    case 2: /* many magnitudes */
        return ldexp(value, (int)(bits & 63) - 32);
    default: /* any finite double */
        memcpy(&value, &bits, sizeof value);
        return isfinite(value) ? value : DBL_MAX;
    }
}

static inline void random_rows(rows_of *rows, size_t count, int kind, uint64_t seed)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < WIDTH; j++)
            rows[i][j] = random_value(&seed, kind == 4 ? (int)j % 4 : kind);
}

static inline void add_all(struct moments *moments, const rows_of *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CHECK_INT(MOMENTS_OK, moments_reserve(moments, rows[i], 1));
        moments_add(moments, rows[i], 1);
    }
}

static inline void subtract_all(struct moments *moments, const rows_of *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CHECK_INT(MOMENTS_OK, moments_reserve(moments, rows[i], 1));
        moments_subtract(moments, rows[i], 1);
    }
}

static inline struct moments *moments_of(const rows_of *rows, size_t count)
{
    struct moments *moments = moments_new(FEATURES);
    add_all(moments, rows, count);
    return moments;
}

/* Σ z_j z_k in rational arithmetic. */
static inline void rational_sum(const rows_of *rows, size_t count, size_t j, size_t k, mpq_t sum)
{
    mpq_t a, b;
    mpq_inits(a, b, NULL);
    mpq_set_ui(sum, 0, 1);
    for (size_t i = 0; i < count; i++) {
        mpq_set_d(a, j ? rows[i][j - 1] : 1);
        mpq_set_d(b, k ? rows[i][k - 1] : 1);
        mpq_mul(a, a, b);
        mpq_add(sum, sum, a);
    }
    mpq_clears(a, b, NULL);
}

static inline bool sum_is(const struct moments *moments, size_t j, size_t k, const mpq_t wants)
{
    mpq_t got;
    mpq_init(got);
    long exponent = moments_sum(moments, j, k, mpq_numref(got));
    bool canonical = mpz_sgn(mpq_numref(got)) ? mpz_odd_p(mpq_numref(got)) : exponent == 0;
    if (exponent >= 0)
        mpq_mul_2exp(got, got, exponent);
    else
        mpq_div_2exp(got, got, -exponent);
    bool equal = mpq_equal(got, wants);
    mpq_clear(got);
    return equal && canonical;
}

static inline void check_sums(const struct moments *moments, const rows_of *rows, size_t count)
{
    mpq_t wants;
    mpq_init(wants);
    for (size_t j = 0; j <= WIDTH; j++)
        for (size_t k = 0; k <= WIDTH; k++) {
            rational_sum(rows, count, j, k, wants);
            CHECK(sum_is(moments, j, k, wants), "sum %zu, %zu of %zu rows", j, k, count);
        }
    mpq_clear(wants);
    CHECK_INT((long long)count, moments_rows(moments));
}

/* Reads `from` back as a snapshot is. */
static inline struct moments *rebuilt(const struct moments *from)
{
    struct moments *moments = moments_new(moments_features(from));
    mpz_t sum;
    mpz_init(sum);
    for (size_t j = 0; j <= WIDTH; j++)
        for (size_t k = j; k <= WIDTH; k++) {
            long exponent = moments_sum(from, j, k, sum);
            CHECK(moments_set_sum(moments, j, k, sum, exponent), "sum %zu, %zu", j, k);
        }
    moments_set_rows(moments, moments_rows(from));
    mpz_clear(sum);
    return moments;
}

#endif
