#include "normal.h"

#include "normal_digits.h"

#include <limits.h>
#include <stdlib.h>

enum {
    ALIAS_BITS = 106,             /* twice the bits of a double */
    FACTOR_BITS = 256,            /* the first try */
    FACTOR_BITS_MAX = 8192,       /* the last one */
    FACTOR_WORK_MAX = 1500000000, /* word products of one try: a second or two */
    SPREAD_WORK_MAX = 200000000,  /* the same where it is only for the lightest rows */
    CERTAIN_BITS = 22, /* by so many a pivot must be known better than alias_bits asks for */
    RANDOM_BITS = 32,
    CONTRACTION_BITS = 128, /* what a correction must gain */
    SOLUTION_BITS = 256,    /* of the answer beyond the depth of the sums */
    GUARD_BITS = 64,        /* carried while refining, then rounded away */
    CONVERGED_BITS = 32     /* a correction this small is the last: half of the guard bits */
};

/* S ≈ L D Lᵀ over the columns that are not aliased, in units of 2^-bits. */
struct factor {
    long bits;
    size_t rank;
    size_t *columns; /* rank of them: which column each row belongs to */
    mpz_t *lower;    /* the rows of L, left of the diagonal (which is 1) */
    mpz_t *pivots;   /* D */
    mpz_t *row;      /* of L D, while it is being made */
};

static mpz_t *array_new(size_t count)
{
    mpz_t *array = calloc(count ? count : 1, sizeof *array);
    for (size_t i = 0; array && i < count; i++)
        mpz_init(array[i]);
    return array;
}

static void array_free(mpz_t *array, size_t count)
{
    for (size_t i = 0; array && i < count; i++)
        mpz_clear(array[i]);
    free(array);
}

/* to = from · 2^shift, rounded down. */
static void scale_by(mpz_t to, const mpz_t from, long shift)
{
    if (shift >= 0)
        mpz_mul_2exp(to, from, shift);
    else
        mpz_fdiv_q_2exp(to, from, -shift);
}

static size_t triangle(size_t columns)
{
    return columns * (columns + 1) / 2;
}

static size_t sum_index(const struct normal *normal, size_t j, size_t k)
{
    size_t row = j < k ? j : k, column = j < k ? k : j;
    return row * (2 * normal->unknowns + 1 - row) / 2 + column;
}

mpz_srcptr normal_sum(const struct normal *normal, size_t j, size_t k)
{
    return normal->sums[sum_index(normal, j, k)];
}

/* Fills `sums` and their `exponents`, then the scales, which follow from the diagonal. */
static void take_sums(struct normal *normal, const struct moments *moments, long *exponents)
{
    size_t columns = normal->unknowns + 1;
    for (size_t j = 0; j < columns; j++)
        for (size_t k = j; k < columns; k++) {
            size_t i = sum_index(normal, j, k);
            exponents[i] = moments_sum(moments, j, k, normal->sums[i]);
        }
    for (size_t j = 0; j < columns; j++) {
        size_t i = sum_index(normal, j, j);
        if (mpz_sgn(normal->sums[i]) != 0)
            normal->scale[j] = (exponents[i] + (long)mpz_sizeinbase(normal->sums[i], 2) + 1) >> 1;
    }
}

/* Scales the sums and brings them to one unit, that of the finest. */
static void align_sums(struct normal *normal, long *exponents)
{
    size_t columns = normal->unknowns + 1;
    for (size_t j = 0; j < columns; j++)
        for (size_t k = j; k < columns; k++) {
            size_t i = sum_index(normal, j, k);
            exponents[i] -= normal->scale[j] + normal->scale[k];
            if (mpz_sgn(normal->sums[i]) != 0 && -exponents[i] > normal->depth)
                normal->depth = -exponents[i];
        }
    for (size_t i = 0; i < triangle(columns); i++)
        if (mpz_sgn(normal->sums[i]) != 0)
            mpz_mul_2exp(normal->sums[i], normal->sums[i], normal->depth + exponents[i]);
}

/* A pivot below 2^-106 of S_jj is what rounding of the column's values leaves (fit.h), unless rows
 * weigh so little that what only they tell is no more. Then Σ w has more than 106 bits: of doubles
 * that are 2^53 or more apart. None weighs less than its last bit, so that a pivot as much smaller
 * is told from nothing, too. Where rows fade that is 2^-128 of what the lightest weighed, and a
 * rounded one. */
static long alias_bits(const struct normal *normal, bool fading)
{
    mpz_srcptr weight = normal_sum(normal, 0, 0);
    if (mpz_sgn(weight) == 0)
        return ALIAS_BITS;
    long spread = (long)mpz_sizeinbase(weight, 2) - (long)mpz_scan1(weight, 0);
    if (fading)
        spread -= MOMENTS_FADING_BITS + 2;
    return spread > ALIAS_BITS ? ALIAS_BITS + spread : ALIAS_BITS;
}

static size_t inverse_index(const struct normal *normal, size_t j, size_t k)
{
    size_t row = j < k ? j : k, column = j < k ? k : j;
    return row * (2 * normal->unknowns - 1 - row) / 2 + column;
}

mpz_srcptr normal_inverse(const struct normal *normal, size_t j, size_t k)
{
    return normal->inverse[inverse_index(normal, j, k)];
}

bool normal_load(struct normal *normal, const struct moments *moments, struct error *error)
{
    size_t columns = moments_features(moments) + 2;
    *normal = (struct normal){.unknowns = columns - 1};
    normal->scale = calloc(columns, sizeof *normal->scale);
    normal->sums = array_new(triangle(columns));
    normal->aliased = calloc(columns, sizeof *normal->aliased);
    normal->solution = array_new(normal->unknowns);
    long *exponents = calloc(triangle(columns), sizeof *exponents);
    bool ok = normal->scale && normal->sums && normal->aliased && normal->solution && exponents;
    if (ok) {
        take_sums(normal, moments, exponents);
        align_sums(normal, exponents);
        normal->alias_bits = alias_bits(normal, moments_fading(moments));
    }
    free(exponents);
    return ok || error_memory(error);
}

void normal_free(struct normal *normal)
{
    free(normal->scale);
    array_free(normal->sums, triangle(normal->unknowns + 1));
    free(normal->aliased);
    array_free(normal->solution, normal->unknowns);
    array_free(normal->inverse, triangle(normal->unknowns));
}

static bool factor_init(struct factor *factor, size_t unknowns, long bits, struct error *error)
{
    factor->bits = bits;
    factor->rank = 0;
    factor->columns = calloc(unknowns, sizeof *factor->columns);
    factor->lower = array_new(triangle(unknowns));
    factor->pivots = array_new(unknowns);
    factor->row = array_new(unknowns);
    return (factor->columns && factor->lower && factor->pivots && factor->row) ||
           error_memory(error);
}

static void factor_clear(struct factor *factor, size_t unknowns)
{
    free(factor->columns);
    array_free(factor->lower, triangle(unknowns));
    array_free(factor->pivots, unknowns);
    array_free(factor->row, unknowns);
}

static mpz_t *lower_row(const struct factor *factor, size_t row)
{
    return factor->lower + row * (row - 1) / 2;
}

/* The rows above have been kept: eliminates `column` by them into row, a row of L and its pivot. */
static void eliminate(const struct normal *normal, struct factor *factor, size_t column)
{
    mpz_t *row = factor->row, *lower = lower_row(factor, factor->rank);
    mpz_ptr pivot = factor->pivots[factor->rank];
    scale_by(pivot, normal_sum(normal, column, column), 2 * factor->bits - normal->depth);
    for (size_t k = 0; k < factor->rank; k++) {
        mpz_t *other = lower_row(factor, k);
        scale_by(row[k], normal_sum(normal, factor->columns[k], column),
                 2 * factor->bits - normal->depth);
        for (size_t i = 0; i < k; i++)
            mpz_submul(row[k], row[i], other[i]);
        mpz_tdiv_q(lower[k], row[k], factor->pivots[k]);
        scale_by(row[k], row[k], -factor->bits);
        mpz_submul(pivot, row[k], lower[k]);
    }
    scale_by(pivot, pivot, -factor->bits);
}

/* Whether the pivot just made is no more than rounding of the column's doubles would leave. */
static bool is_dependent(const struct normal *normal, const struct factor *factor, size_t column)
{
    mpz_t threshold;
    mpz_init(threshold);
    scale_by(threshold, normal_sum(normal, column, column),
             factor->bits - normal->depth - normal->alias_bits);
    bool dependent = mpz_cmp(factor->pivots[factor->rank], threshold) <= 0;
    mpz_clear(threshold);
    return dependent;
}

static void factorise(struct normal *normal, struct factor *factor)
{
    for (size_t column = 0; column < normal->unknowns; column++) {
        eliminate(normal, factor, column);
        normal->aliased[column] = is_dependent(normal, factor, column);
        if (!normal->aliased[column])
            factor->columns[factor->rank++] = column;
    }
}

/* x = (L D Lᵀ)⁻¹ x, x in units of 2^-bits. */
static void substitute(const struct factor *factor, mpz_t *x)
{
    for (size_t i = 0; i < factor->rank; i++) {
        mpz_t *lower = lower_row(factor, i);
        scale_by(x[i], x[i], factor->bits);
        for (size_t k = 0; k < i; k++)
            mpz_submul(x[i], lower[k], x[k]);
        scale_by(x[i], x[i], -factor->bits);
    }
    for (size_t i = 0; i < factor->rank; i++) {
        scale_by(x[i], x[i], 2 * factor->bits);
        mpz_tdiv_q(x[i], x[i], factor->pivots[i]);
    }
    for (size_t i = factor->rank; i-- > 0;) {
        mpz_t *lower = lower_row(factor, i);
        scale_by(x[i], x[i], -factor->bits);
        for (size_t k = 0; k < i; k++)
            mpz_submul(x[k], lower[k], x[i]);
    }
}

/* Numbers of RANDOM_BITS and a sign, as good as random (splitmix64; Steele, Lea & Flood 2014). */
static long random_number(uint64_t i)
{
    uint64_t z = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (long)(int64_t)(z ^ z >> 31) >> (63 - RANDOM_BITS);
}

/* The most bits of any of the numbers; 0 if all are 0. */
static long width(mpz_t *numbers, size_t count)
{
    long most = 0;
    for (size_t i = 0; i < count; i++)
        if (mpz_sgn(numbers[i]) != 0 && (long)mpz_sizeinbase(numbers[i], 2) > most)
            most = mpz_sizeinbase(numbers[i], 2);
    return most;
}

/* S_y - S β for the solution so far, exactly, in units of 2^-(depth + bits). */
static void residual(const struct normal *normal, const struct factor *factor, mpz_t *out)
{
    for (size_t i = 0; i < factor->rank; i++) {
        size_t row = factor->columns[i];
        scale_by(out[i], normal_sum(normal, row, normal->unknowns), normal->bits);
        for (size_t k = 0; k < factor->rank; k++)
            mpz_submul(out[i], normal_sum(normal, row, factor->columns[k]),
                       normal->solution[factor->columns[k]]);
    }
}

/* About how many bits the norm of F⁻¹ has before the point: seen on a right side that nobody has
 * chosen. */
static long inverse_width(const struct factor *factor)
{
    mpz_t *x = factor->row;
    for (size_t i = 0; i < factor->rank; i++) {
        mpz_set_si(x[i], random_number(i));
        scale_by(x[i], x[i], factor->bits - RANDOM_BITS);
    }
    substitute(factor, x);
    return width(x, factor->rank) - factor->bits;
}

/* Whether the factor tells small pivots from noise. It is the exact one of F = S + E over the
 * columns that were kept, where each number is cut to 2^-bits, so that E is up to 2^(1-bits) times
 * the rank and the greatest of L. A pivot is S_jj - sᵀF⁻¹s, and as sᵀS⁻¹s is at most S_jj < 1, it
 * is off by less than twice the norms of E and F⁻¹ (compare Higham, 10.1). */
static bool is_certain(const struct normal *normal, const struct factor *factor)
{
    long rank_bits = 0;
    while (factor->rank >> rank_bits)
        rank_bits++;
    long lower = width(factor->lower, factor->rank * (factor->rank - 1) / 2) - factor->bits;
    long error = 2 + 2 * rank_bits + (lower > 0 ? lower : 0) + inverse_width(factor);
    return factor->bits - error >= normal->alias_bits + CERTAIN_BITS;
}

/* One correction of the solution; returns its width, 0 when the solution is exact. */
static long correct(struct normal *normal, const struct factor *factor, mpz_t *correction)
{
    residual(normal, factor, correction);
    long residual_width = width(correction, factor->rank);
    if (residual_width == 0)
        return 0;
    for (size_t i = 0; i < factor->rank; i++)
        scale_by(correction[i], correction[i], factor->bits - residual_width);
    substitute(factor, correction);
    for (size_t i = 0; i < factor->rank; i++) {
        scale_by(correction[i], correction[i], residual_width - factor->bits - normal->depth);
        mpz_ptr value = normal->solution[factor->columns[i]];
        mpz_add(value, value, correction[i]);
    }
    return width(correction, factor->rank);
}

/* Corrects the solution until it stands; false if the factor is too coarse for that. */
static bool refine(struct normal *normal, const struct factor *factor)
{
    mpz_t *correction = factor->row;
    long previous = LONG_MAX, now = correct(normal, factor, correction);
    while (now > CONVERGED_BITS && now <= previous - CONTRACTION_BITS) {
        previous = now;
        now = correct(normal, factor, correction);
    }
    return now <= CONVERGED_BITS;
}

/* Rounds the guard bits away, so that what is exact in fewer bits (0, above all) becomes exact. */
static void round_solution(struct normal *normal)
{
    mpz_t half;
    mpz_init_set_ui(half, 1);
    mpz_mul_2exp(half, half, GUARD_BITS - 1);
    for (size_t j = 0; j < normal->unknowns; j++) {
        mpz_add(normal->solution[j], normal->solution[j], half);
        mpz_fdiv_q_2exp(normal->solution[j], normal->solution[j], GUARD_BITS);
    }
    normal->bits -= GUARD_BITS;
    mpz_clear(half);
}

/* L becomes L⁻¹, row by row from above. */
static void invert_lower(const struct factor *factor)
{
    mpz_t sum;
    mpz_init(sum);
    for (size_t i = 0; i < factor->rank; i++) {
        mpz_t *row = lower_row(factor, i);
        for (size_t j = 0; j < i; j++) {
            scale_by(sum, row[j], factor->bits); /* times the 1 of row j's diagonal */
            for (size_t k = j + 1; k < i; k++)
                mpz_addmul(sum, row[k], lower_row(factor, k)[j]);
            mpz_neg(sum, sum);
            scale_by(factor->row[j], sum, -factor->bits);
        }
        for (size_t j = 0; j < i; j++)
            mpz_swap(row[j], factor->row[j]);
    }
    mpz_clear(sum);
}

/* Entry (i, j), j ≤ i, of L⁻¹. */
static void lower_entry(const struct factor *factor, size_t i, size_t j, mpz_t out)
{
    if (i > j)
        mpz_set(out, lower_row(factor, i)[j]);
    else {
        mpz_set_ui(out, 1);
        mpz_mul_2exp(out, out, factor->bits);
    }
}

/* S⁻¹ = L⁻ᵀ D⁻¹ L⁻¹; the factor is of no use afterwards. */
static bool invert(struct normal *normal, struct factor *factor, struct error *error)
{
    mpz_t a, b;
    if (normal->unknowns > NORMAL_INVERSE_MAX)
        return true;
    normal->inverse = array_new(triangle(normal->unknowns));
    if (!normal->inverse)
        return error_memory(error);
    normal->inverse_bits = factor->bits;
    invert_lower(factor);
    mpz_inits(a, b, NULL);
    for (size_t i = 0; i < factor->rank; i++)
        for (size_t j = 0; j <= i; j++) {
            size_t to = inverse_index(normal, factor->columns[i], factor->columns[j]);
            for (size_t k = i; k < factor->rank; k++) {
                lower_entry(factor, k, i, a);
                lower_entry(factor, k, j, b);
                mpz_mul(a, a, b);
                mpz_tdiv_q(a, a, factor->pivots[k]);
                mpz_add(normal->inverse[to], normal->inverse[to], a);
            }
        }
    mpz_clears(a, b, NULL);
    return true;
}

static bool solve_with(struct normal *normal, long factor_bits, bool *solved, struct error *error)
{
    struct factor factor;
    bool ok = factor_init(&factor, normal->unknowns, factor_bits, error);
    if (ok) {
        factorise(normal, &factor);
        for (size_t j = 0; j < normal->unknowns; j++)
            mpz_set_ui(normal->solution[j], 0);
        *solved = is_certain(normal, &factor) && refine(normal, &factor);
        ok = !*solved || invert(normal, &factor, error);
    }
    factor_clear(&factor, normal->unknowns);
    return ok;
}

/* The cost of a factor: unknowns³ / 6 products of `bits` bits each. Counted, not timed, so that the
 * same sums have the same answer on every machine; the first try is always made. */
static bool is_affordable(const struct normal *normal, long bits)
{
    double unknowns = (double)normal->unknowns, limbs = (double)bits / 64;
    double most = normal->alias_bits > ALIAS_BITS ? SPREAD_WORK_MAX : FACTOR_WORK_MAX;
    return bits == FACTOR_BITS ||
           (bits <= FACTOR_BITS_MAX && unknowns * unknowns * unknowns / 6 * limbs * limbs <= most);
}

/* Tries factors of more and more bits, from what can be certain on. */
static bool solve_by_factors(struct normal *normal, bool *solved, struct error *error)
{
    long bits = FACTOR_BITS;
    while (bits < normal->alias_bits + CERTAIN_BITS)
        bits *= 2;
    for (; !*solved && is_affordable(normal, bits); bits *= 2)
        if (!solve_with(normal, bits, solved, error))
            return false;
    return true;
}

bool normal_solve(struct normal *normal, struct error *error)
{
    normal->bits = normal->depth + SOLUTION_BITS + GUARD_BITS;
    /* an inverse wants the factor of many bits */
    bool solved = normal->unknowns > NORMAL_INVERSE_MAX && normal_digits(normal, normal->bits);
    if (!solved && !solve_by_factors(normal, &solved, error))
        return false;
    if (!solved && normal->alias_bits > ALIAS_BITS) { /* what the lightest rows tell is too dear */
        normal->alias_bits = ALIAS_BITS;
        if (!solve_by_factors(normal, &solved, error))
            return false;
    }
    if (!solved)
        return error_set(error, ERROR_UNUSABLE,
                         "the features are too nearly dependent on each other to be told apart "
                         "(%zu of them)",
                         normal->unknowns - 1);
    round_solution(normal);
    return true;
}
