/* Moments: the input is rows of doubles (see fuzz.h), added up in several ways. */
#include "fuzz.h"
#include "moments.h"

enum {
    SCALE = 1074,      /* any double is a whole multiple of 2^-SCALE, */
    FADING_SCALE = 64, /* and its product with another one, rounded to 53 bits, of so much less */
};

static void add(struct moments *moments, const struct rows *rows, size_t i)
{
    WANT(moments_reserve(moments, rows->values[i], rows->weights[i]) == MOMENTS_OK);
    moments_add(moments, rows->values[i], rows->weights[i]);
}

static struct moments *sum_of(const struct rows *rows, size_t from, size_t to)
{
    struct moments *moments = moments_new(rows->columns - 1);
    for (size_t i = from; i < to; i++)
        add(moments, rows, i);
    return moments;
}

static struct moments *sum_backwards(const struct rows *rows)
{
    struct moments *moments = moments_new(rows->columns - 1);
    for (size_t i = rows->count; i-- > 0;)
        add(moments, rows, i);
    return moments;
}

/* digits · 2^exponent in units of 2^-scale. */
static void set_whole(mpz_t out, double digits, int exponent, int scale)
{
    mpz_set_d(out, ldexp(digits, 53));
    exponent += scale - 53;
    if (exponent >= 0)
        mpz_mul_2exp(out, out, (unsigned)exponent);
    else
        mpz_tdiv_q_2exp(out, out, (unsigned)-exponent);
}

static void set_double(mpz_t out, double value)
{
    int exponent;
    double digits = frexp(value, &exponent);
    set_whole(out, digits, exponent, SCALE);
}

/* How many times its weight a row counts where rows fade. */
static double growth(size_t i)
{
    return 1 + (double)(i * 37 % 64) / 64 + (i % 3 ? 0 : 0x1p-52);
}

/* S_jk as whole numbers of 2^-(3 SCALE + FADING_SCALE), multiplied out in the plainest way. */
static void check_sum(const struct moments *moments, const struct rows *rows, size_t j, size_t k)
{
    bool fading = moments_fading(moments);
    mpz_t wanted, got, a, b;
    mpz_inits(wanted, got, a, b, NULL);
    for (size_t i = 0; i < rows->count; i++) {
        int exponent;
        double weight = frexp(rows->weights[i], &exponent);
        set_double(a, j ? rows->values[i][j - 1] : 1);
        set_double(b, k ? rows->values[i][k - 1] : 1);
        mpz_mul(a, a, b);
        set_whole(b, fading ? weight * growth(i) : weight, exponent, SCALE + FADING_SCALE);
        mpz_addmul(wanted, a, b);
    }
    long exponent = moments_sum(moments, j, k, got);
    WANT(mpz_sgn(got) == 0 ? exponent == 0 : mpz_odd_p(got) != 0);
    mpz_mul_2exp(got, got, (mp_bitcnt_t)(exponent + 3 * SCALE + FADING_SCALE));
    WANT(mpz_cmp(wanted, got) == 0);
    mpz_clears(wanted, got, a, b, NULL);
}

/* Taken out and put back as a snapshot does. */
static struct moments *rebuild(const struct moments *moments)
{
    struct moments *copy = moments_new(moments_features(moments));
    size_t columns = moments_features(moments) + 2;
    mpz_t sum;
    mpz_init(sum);
    for (size_t j = 0; j < columns; j++)
        for (size_t k = j; k < columns; k++) {
            long exponent = moments_sum(moments, j, k, sum);
            WANT(moments_set_sum(copy, j, k, sum, exponent));
        }
    moments_set_rows(copy, moments_rows(moments));
    mpz_clear(sum);
    return copy;
}

static void check_sums(const struct moments *moments, const struct rows *rows)
{
    for (size_t j = 0; j <= rows->columns; j++)
        for (size_t k = j; k <= rows->columns; k++)
            check_sum(moments, rows, j, k);
}

/* Rows that fade: exact until they are scaled, and then still what a snapshot can hold. */
static void check_fading(const struct rows *rows)
{
    struct moments *moments = moments_new(rows->columns - 1), *sum;
    moments_begin_fading(moments);
    for (size_t i = 0; i < rows->count; i++) {
        WANT(moments_reserve(moments, rows->values[i], rows->weights[i]) == MOMENTS_OK);
        moments_add_times(moments, rows->values[i], rows->weights[i], growth(i));
    }
    check_sums(moments, rows);
    for (size_t i = 0; i < rows->count; i++) {
        moments_scale(moments, i % 4 ? 1 / growth(i) : ldexp(growth(i), -(int)(i * i)));
        moments_add_times(moments, rows->values[i], rows->weights[i], growth(i));
    }
    struct moments *copy = rebuild(moments);
    WANT(moments_equal(moments, copy));
    sum = sum_of(rows, 0, rows->count);
    WANT(moments_merge(sum, moments) == MOMENTS_OK && moments_fading(sum));
    moments_free(moments);
    moments_free(copy);
    moments_free(sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rows rows;
    rows_take(&rows, data, size);
    size_t middle = rows.count / 2;
    struct moments *all = sum_of(&rows, 0, rows.count), *backwards = sum_backwards(&rows);
    struct moments *first = sum_of(&rows, 0, middle), *last = sum_of(&rows, middle, rows.count);
    struct moments *rebuilt = rebuild(all), *none = moments_new(rows.columns - 1);
    struct moments *merged = moments_copy(last);
    WANT(moments_merge(merged, first) == MOMENTS_OK && moments_merge(first, last) == MOMENTS_OK);
    WANT(moments_equal(all, backwards) && moments_equal(all, merged) && moments_equal(all, first));
    WANT(moments_equal(all, rebuilt));
    check_sums(all, &rows);
    check_fading(&rows);
    for (size_t i = 0; i < rows.count; i++) {
        moments_subtract(backwards, rows.values[i], rows.weights[i]);
        WANT(moments_reserve(rebuilt, rows.values[i], rows.weights[i]) == MOMENTS_OK);
        moments_subtract(rebuilt, rows.values[i], rows.weights[i]);
    }
    WANT(moments_equal(backwards, none) && moments_equal(rebuilt, none));
    struct moments *used[] = {all, backwards, first, last, rebuilt, none, merged};
    for (size_t i = 0; i < sizeof used / sizeof *used; i++)
        moments_free(used[i]);
    return 0;
}
