#include "normal_digits.h"

#include "cholesky.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

enum {
    UNKNOWNS_MAX = 1024, /* so that a row's products have room in 128 bits, */
    DIGIT_BITS = 51,     /* as digits of so many bits and a sign go into a step */
    LIMBS_MAX = 8,       /* of a sum: more are rare, and as slow as many bits are */
    LEFT_BITS_MAX = 32   /* what a step may leave of them: each finds at least 19 more */
};

/* All numbers are made positive, since products of limbs are: sums by 2^depth, digits by this. */
static const int64_t offset = INT64_C(1) << DIGIT_BITS;

struct steps {
    size_t unknowns, limbs;
    mp_limb_t *sums;    /* S_jk + 2^depth: for each limb, lowest first, a matrix by rows */
    double *factor;     /* unknowns by unknowns */
    double *correction; /* what is left of the solution, in units of the last digits */
    uint64_t *digits;
    mpz_t *residual; /* what is left of the right side, in units of 2^-depth of those */
    mpz_t *row_sums; /* Σ_k S_jk */
    mpz_t product, bias;
};

static mpz_t *numbers_new(size_t count)
{
    mpz_t *numbers = malloc(count * sizeof *numbers);
    for (size_t i = 0; numbers && i < count; i++)
        mpz_init(numbers[i]);
    return numbers;
}

static void numbers_free(mpz_t *numbers, size_t count)
{
    for (size_t i = 0; numbers && i < count; i++)
        mpz_clear(numbers[i]);
    free(numbers);
}

static bool steps_init(struct steps *steps, const struct normal *normal)
{
    size_t n = normal->unknowns, limbs = (size_t)normal->depth / GMP_NUMB_BITS + 1;
    *steps = (struct steps){.unknowns = n, .limbs = limbs};
    mpz_inits(steps->product, steps->bias, NULL);
    steps->sums = calloc(limbs * n * n, sizeof *steps->sums);
    steps->factor = malloc(n * n * sizeof *steps->factor);
    steps->correction = malloc(n * sizeof *steps->correction);
    steps->digits = malloc(n * sizeof *steps->digits);
    steps->residual = numbers_new(n);
    steps->row_sums = numbers_new(n);
    return steps->sums && steps->factor && steps->correction && steps->digits && steps->residual &&
           steps->row_sums;
}

static void steps_free(struct steps *steps)
{
    mpz_clears(steps->product, steps->bias, NULL);
    free(steps->sums);
    free(steps->factor);
    free(steps->correction);
    free(steps->digits);
    numbers_free(steps->residual, steps->unknowns);
    numbers_free(steps->row_sums, steps->unknowns);
}

/* The sums less `shift` on the diagonal, factorised. */
static bool factorise(struct steps *steps, const struct normal *normal, double shift)
{
    size_t n = steps->unknowns;
    double unit = ldexp(1, (int)-normal->depth);
    for (size_t j = 0; j < n; j++) {
        double *column = steps->factor + j * n;
        for (size_t k = j; k < n; k++)
            column[k] = mpz_get_d(normal_sum(normal, j, k)) * unit;
        column[j] -= shift;
    }
    return cholesky_factorise(steps->factor, n);
}

/* A bound of the norm of what a double factor and solving by it do to the sums, whose trace is
 * below n: γ_(3n+1) n (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., theorem
 * 10.4), and n 2^-52 for making doubles of them. */
static double backward_error(size_t unknowns)
{
    double n = (double)unknowns;
    return n * (2 * n + 4) * 0x1p-52;
}

/* Proves that the least eigenvalue of the sums is at least four times what doubles do to them
 * (Rump 2006, "Verification of positive definiteness"), and leaves a factor. So no pivot comes near
 * to what is rounding noise, and what is left is known from a correction: ‖left‖ ≤ 3/2
 * ‖correction‖. */
static bool is_far_from_singular(struct steps *steps, const struct normal *normal)
{
    return factorise(steps, normal, 6 * backward_error(steps->unknowns)) &&
           factorise(steps, normal, 0);
}

static void set_sum(struct steps *steps, size_t j, size_t k, mpz_srcptr sum)
{
    size_t n = steps->unknowns;
    for (size_t limb = 0; limb < steps->limbs; limb++) {
        mp_limb_t *matrix = steps->sums + limb * n * n;
        matrix[j * n + k] = matrix[k * n + j] = mpz_getlimbn(sum, (mp_size_t)limb);
    }
}

static unsigned __int128 dot(const mp_limb_t *a, const uint64_t *b, size_t count)
{
    unsigned __int128 sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (unsigned __int128)a[i] * b[i];
    return sum;
}

/* steps->product = Σ_k S_jk · digits of k, both with their offsets. */
static void multiply_row(struct steps *steps, size_t j)
{
    size_t n = steps->unknowns;
    mp_limb_t *to = mpz_limbs_write(steps->product, (mp_size_t)steps->limbs + 2);
    unsigned __int128 carry = 0;
    for (size_t limb = 0; limb < steps->limbs; limb++) {
        carry += dot(steps->sums + (limb * n + j) * n, steps->digits, n);
        to[limb] = (mp_limb_t)carry;
        carry >>= 64;
    }
    to[steps->limbs] = (mp_limb_t)carry;
    to[steps->limbs + 1] = (mp_limb_t)(carry >> 64);
    mpz_limbs_finish(steps->product, (mp_size_t)steps->limbs + 2);
}

static void take_sums(struct steps *steps, const struct normal *normal)
{
    size_t n = steps->unknowns;
    mpz_set_ui(steps->bias, 1);
    mpz_mul_2exp(steps->bias, steps->bias, (mp_bitcnt_t)normal->depth);
    for (size_t j = 0; j < n; j++) {
        mpz_set(steps->residual[j], normal_sum(normal, j, n));
        mpz_set_ui(normal->solution[j], 0);
        steps->digits[j] = 1;
        for (size_t k = j; k < n; k++) {
            mpz_add(steps->product, normal_sum(normal, j, k), steps->bias);
            set_sum(steps, j, k, steps->product);
        }
    }
    for (size_t j = 0; j < n; j++) {
        multiply_row(steps, j);
        mpz_set(steps->row_sums[j], steps->product);
        mpz_submul_ui(steps->row_sums[j], steps->bias, n);
    }
}

/* Returns how many bits the correction has before the point, at most. */
static int find_correction(struct steps *steps, long depth)
{
    double most = 0;
    int bits;
    for (size_t j = 0; j < steps->unknowns; j++)
        steps->correction[j] = ldexp(mpz_get_d(steps->residual[j]), (int)-depth);
    cholesky_substitute(steps->factor, steps->unknowns, steps->correction);
    for (size_t j = 0; j < steps->unknowns; j++)
        most = fmax(most, fabs(steps->correction[j]));
    frexp(most, &bits);
    return bits;
}

/* `gain` digits more, and the nearest whole number of the correction in them. Returns the sum of
 * all digits with their offset. */
static uint64_t take_digits(struct steps *steps, struct normal *normal, long gain)
{
    uint64_t sum = 0;
    for (size_t j = 0; j < steps->unknowns; j++) {
        long digits = lrint(ldexp(steps->correction[j], (int)gain));
        mpz_ptr value = normal->solution[j];
        mpz_mul_2exp(value, value, (mp_bitcnt_t)gain);
        if (digits >= 0)
            mpz_add_ui(value, value, (unsigned long)digits);
        else
            mpz_sub_ui(value, value, (unsigned long)-digits);
        steps->digits[j] = (uint64_t)(digits + offset);
        sum += steps->digits[j];
    }
    return sum;
}

/* residual = residual · 2^gain - S · digits. */
static void leave(struct steps *steps, long depth, long gain, uint64_t digits)
{
    mpz_set_ui(steps->bias, digits);
    mpz_mul_2exp(steps->bias, steps->bias, (mp_bitcnt_t)depth);
    for (size_t j = 0; j < steps->unknowns; j++) {
        mpz_ptr residual = steps->residual[j];
        mpz_mul_2exp(residual, residual, (mp_bitcnt_t)gain);
        multiply_row(steps, j);
        mpz_sub(residual, residual, steps->product);
        mpz_addmul_ui(residual, steps->row_sums[j], (unsigned long)offset);
        mpz_add(residual, residual, steps->bias);
    }
}

static bool step_until(struct steps *steps, struct normal *normal, long bits)
{
    for (long known = 0;;) {
        int left = find_correction(steps, normal->depth);
        if (left > LEFT_BITS_MAX)
            return false;
        if (known == bits)
            return true;
        long gain = DIGIT_BITS - left < bits - known ? DIGIT_BITS - left : bits - known;
        leave(steps, normal->depth, gain, take_digits(steps, normal, gain));
        known += gain;
    }
}

bool normal_digits(struct normal *normal, long bits)
{
    struct steps steps;
    if (normal->unknowns > UNKNOWNS_MAX || normal->depth >= LIMBS_MAX * GMP_NUMB_BITS)
        return false;
    bool ok = steps_init(&steps, normal) && is_far_from_singular(&steps, normal);
    if (ok) {
        take_sums(&steps, normal);
        ok = step_until(&steps, normal, bits);
    }
    steps_free(&steps);
    return ok;
}
