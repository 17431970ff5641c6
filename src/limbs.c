#include "limbs.h"

#include <math.h>
#include <string.h>

struct limbs_factor limbs_factor_of(double factor)
{
    enum { DIGITS = 53 };
    int exponent;
    double digits = ldexp(frexp(factor, &exponent), DIGITS);
    return (struct limbs_factor){(mp_limb_t)digits, (size_t)(DIGITS - exponent)};
}

/* number >>= shift, rounded to the nearest. It has a limb of room at its end. */
static void shift_right(mp_limb_t *number, size_t limbs, size_t shift)
{
    size_t words = shift / 64, bits = shift % 64;
    if (words >= limbs) {
        memset(number, 0, limbs * sizeof *number);
        return;
    }
    size_t half = shift - 1;
    mpn_add_1(number + half / 64, number + half / 64, limbs - half / 64, (mp_limb_t)1 << half % 64);
    memmove(number, number + words, (limbs - words) * sizeof *number);
    memset(number + limbs - words, 0, words * sizeof *number);
    if (bits > 0)
        mpn_rshift(number, number, limbs, (unsigned)bits);
}

void limbs_scale(mp_limb_t *sum, size_t limbs, struct limbs_factor factor)
{
    mp_limb_t product[LIMBS_SCALED_MAX + 1];
    bool negative = sum[limbs - 1] >> 63;
    if (negative)
        mpn_neg(sum, sum, limbs);
    product[limbs] = mpn_mul_1(product, sum, limbs, factor.digits);
    shift_right(product, limbs + 1, factor.shift);
    memcpy(sum, product, limbs * sizeof *sum);
    if (negative)
        mpn_neg(sum, sum, limbs);
}
