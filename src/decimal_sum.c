#include "decimal_sum.h"

#include <stdint.h>

__extension__ typedef __int128 int128;

enum { PIECE_DIGITS = 19 };

void decimal_sum_begin(struct decimal_sum *sum)
{
    *sum = (struct decimal_sum){.whole = true};
}

/* Whether digits · 10^-places is a whole number, for 0 < digits < 2^64. */
static bool is_whole(uint64_t digits, int64_t places)
{
    while (places > 0 && digits % 10 == 0) {
        digits /= 10;
        places--;
    }
    return places <= 0;
}

static bool add_piece(struct decimal_sum *sum, bool negative, uint64_t digits, int64_t exponent)
{
    if (digits == 0)
        return true;
    for (; exponent < DECIMAL_SUM_MIN; exponent++) {
        if (digits % 10 != 0)
            return false;
        digits /= 10;
    }
    if (sum->whole)
        sum->whole = is_whole(digits, -exponent);
    int128 *part = &sum->parts[exponent - DECIMAL_SUM_MIN];
    *part += negative ? -(int128)digits : (int128)digits;
    return true;
}

static bool add_in_pieces(struct decimal_sum *sum, const struct decimal *number)
{
    size_t following = number->digits;
    uint64_t piece = 0;
    bool held = true;
    for (const char *at = number->first; held && at < number->end; at++) {
        if (*at == '.')
            continue;
        piece = piece * 10 + (uint64_t)(*at - '0');
        if (--following % PIECE_DIGITS == 0) {
            int64_t exponent = number->exponent + (int64_t)following;
            held = add_piece(sum, number->negative, piece, exponent);
            piece = 0;
        }
    }
    return held;
}

bool decimal_sum_add(struct decimal_sum *sum, const struct decimal *number)
{
    if (number->digits <= PIECE_DIGITS)
        return add_piece(sum, number->negative, number->mantissa, number->exponent);
    return add_in_pieces(sum, number);
}

/* total += value */
static void add_int128(mpz_t total, int128 value, mpz_t scratch)
{
    uint64_t high = (uint64_t)(value >> 64), low = (uint64_t)value;
    mpz_set_si(scratch, (int64_t)high); /* rounded down, so that `low` is never negative */
    mpz_mul_2exp(scratch, scratch, 64);
    mpz_add_ui(scratch, scratch, low);
    mpz_add(total, total, scratch);
}

void decimal_sum_total(const struct decimal_sum *sum, mpz_t total)
{
    mpz_t scratch;
    mpz_init(scratch);
    mpz_set_ui(total, 0);
    for (size_t i = sizeof sum->parts / sizeof *sum->parts; i-- > 0;) {
        mpz_mul_ui(total, total, 10);
        add_int128(total, sum->parts[i], scratch);
    }
    mpz_clear(scratch);
}
