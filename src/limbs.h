/* Adding to sums of a few limbs whose number the compiler knows, without a branch. */
#ifndef TRENDLINE_LIMBS_H
#define TRENDLINE_LIMBS_H

#include <gmp.h>
#include <stdbool.h>
#include <stddef.h>

/* sum += addend, both of `limbs` limbs, least significant first, in two's complement. */
static inline void limbs_add_portable(mp_limb_t *sum, const mp_limb_t *addend, size_t limbs)
{
    mp_limb_t carry = 0;
    for (size_t i = 0; i < limbs; i++) {
        unsigned __int128 total = (unsigned __int128)sum[i] + addend[i] + carry;
        sum[i] = total;
        carry = total >> 64;
    }
}

/* The same for 3 or 4 limbs. gcc makes no chain of carries from the above, which takes about half
 * as long again. */
static inline void limbs_add(mp_limb_t *sum, const mp_limb_t *addend, size_t limbs)
{
#ifdef __x86_64__
    if (limbs == 3)
        __asm__("addq %3, %0; adcq %4, %1; adcq %5, %2"
                : "+m"(sum[0]), "+m"(sum[1]), "+m"(sum[2])
                : "r"(addend[0]), "r"(addend[1]), "r"(addend[2])
                : "cc");
    else
        __asm__("addq %4, %0; adcq %5, %1; adcq %6, %2; adcq %7, %3"
                : "+m"(sum[0]), "+m"(sum[1]), "+m"(sum[2]), "+m"(sum[3])
                : "r"(addend[0]), "r"(addend[1]), "r"(addend[2]), "r"(addend[3])
                : "cc");
#else
    limbs_add_portable(sum, addend, limbs);
#endif
}

/* A factor from 0 to 1, as digits · 2^-shift. */
struct limbs_factor {
    mp_limb_t digits;
    size_t shift;
};
struct limbs_factor limbs_factor_of(double factor);

/* sum = sum · factor, rounded to the nearest; in two's complement, of at most LIMBS_SCALED_MAX. */
enum { LIMBS_SCALED_MAX = 192 };
void limbs_scale(mp_limb_t *sum, size_t limbs, struct limbs_factor factor);

#endif
