/* Sums of moments as big integers: out, in, and compared. */
#include "moments_private.h"

#include <string.h>

long moments_sum(const struct moments *moments, size_t j, size_t k, mpz_t out)
{
    size_t limbs = moments->limbs;
    const mp_limb_t *sum = moments_entry(moments, j, k);
    bool negative = limbs_negative(sum, limbs);
    mp_limb_t *digits = mpz_limbs_write(out, limbs);
    if (negative)
        mpn_neg(digits, sum, limbs);
    else
        mpn_copyi(digits, sum, limbs);
    mpz_limbs_finish(out, negative ? -(long)limbs : (long)limbs);
    if (mpz_sgn(out) == 0)
        return 0;
    mp_bitcnt_t zeros = mpz_scan1(out, 0);
    mpz_tdiv_q_2exp(out, out, zeros);
    return moments->weight.unit + moments->columns[j].scale.unit + moments->columns[k].scale.unit +
           (long)zeros;
}

bool moments_equal(const struct moments *a, const struct moments *b)
{
    if (a->count != b->count || a->rows != b->rows)
        return false;
    mpz_t sum_a, sum_b;
    mpz_inits(sum_a, sum_b, NULL);
    bool equal = true;
    for (size_t j = 0; j < a->count && equal; j++)
        for (size_t k = j; k < a->count && equal; k++)
            equal = moments_sum(a, j, k, sum_a) == moments_sum(b, j, k, sum_b) &&
                    mpz_cmp(sum_a, sum_b) == 0;
    mpz_clears(sum_a, sum_b, NULL);
    return equal;
}

/* Lowers the unit to `unit`, but not below `least`. */
static void scale_lower(struct scale *scale, long unit, long least)
{
    if (unit < least)
        unit = least;
    if (unit >= scale->unit)
        return;
    if (scale->bits)
        scale->bits += scale->unit - unit;
    scale->unit = unit;
}

/* Lowers units until S_jk can be a whole multiple of 2^exponent: that of column k, or both where it
 * is on the diagonal; that of j and of the weights where columns would be finer than doubles. The
 * constant is always a whole number, so that for S_00, which comes first of all, it is the weights
 * that give way. Such units are found for all sums of rows, as theirs are among them. */
static bool want_unit(struct moments *moments, size_t j, size_t k, long exponent)
{
    struct scale *weight = &moments->weight_wanted;
    struct scale *row = &moments->columns[j].wanted, *scale = &moments->columns[k].wanted;
    long left = exponent - weight->unit;
    if (k > 0)
        scale_lower(scale, j == k ? left >> 1 : left - row->unit, DOUBLE_UNIT);
    if (j > 0)
        scale_lower(row, left - scale->unit, DOUBLE_UNIT);
    scale_lower(weight, exponent - row->unit - scale->unit, WEIGHT_UNIT_MIN);
    return weight->unit + row->unit + scale->unit <= exponent;
}

/* Wants of column k ≥ j a scale in which S_jk = value · 2^exponent can be held. On the diagonal it
 * follows from no value being larger than the root of the sum of squares; elsewhere only column k
 * gives way, because the diagonal of j came before. */
static bool want_sum(struct moments *moments, size_t j, size_t k, const mpz_t value, long exponent)
{
    const struct scale *row = &moments->columns[j].wanted, *weight = &moments->weight_wanted;
    struct scale *scale = &moments->columns[k].wanted;
    if (j == k ? mpz_sgn(value) < 0 : !row->bits)
        return false;
    if (!want_unit(moments, j, k, exponent))
        return false;
    /* a weight's bits but one are room in all sums */
    long top = exponent + (long)mpz_sizeinbase(value, 2) - weight->unit - (weight->bits - 1);
    long bits =
        j == k ? (top - 2 * scale->unit + 1) >> 1 : top - row->unit - scale->unit - row->bits;
    if (bits > scale->bits)
        scale->bits = bits;
    if (!scale->bits)
        scale->bits = 1;
    return scale->unit + scale->bits <= TOP_MAX;
}

static void write_sum(struct moments *moments, size_t j, size_t k, const mpz_t value, long exponent)
{
    mp_limb_t *sum = moments_entry(moments, j, k);
    memset(sum, 0, moments->limbs * sizeof *sum);
    memcpy(sum, mpz_limbs_read(value), mpz_size(value) * sizeof *sum);
    limbs_shift_left(sum, moments->limbs,
                     exponent - moments->weight.unit - moments->columns[j].scale.unit -
                         moments->columns[k].scale.unit);
    if (mpz_sgn(value) < 0)
        mpn_neg(sum, sum, moments->limbs);
}

bool moments_set_sum(struct moments *moments, size_t j, size_t k, const mpz_t value, long exponent)
{
    if (j > k)
        return moments_set_sum(moments, k, j, value, exponent);
    if (mpz_sgn(value) == 0) {
        memset(moments_entry(moments, j, k), 0, moments->limbs * sizeof(mp_limb_t));
        return true;
    }
    if (exponent < 2 * DOUBLE_UNIT + WEIGHT_UNIT_MIN || exponent > 2 * TOP_MAX + WEIGHT_TOP_MAX ||
        mpz_size(value) > LIMBS_MAX)
        return false;
    for (size_t i = 0; i < moments->count; i++)
        moments->columns[i].wanted = moments->columns[i].scale;
    moments->weight_wanted = moments->weight;
    if (!want_sum(moments, j, k, value, exponent) || moments_rescale(moments) != MOMENTS_OK)
        return false;
    write_sum(moments, j, k, value, exponent);
    return true;
}
