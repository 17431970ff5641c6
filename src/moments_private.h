/* The representation of moments, for the files that implement moments.h. */
#ifndef TRENDLINE_MOMENTS_PRIVATE_H
#define TRENDLINE_MOMENTS_PRIVATE_H

#include "moments.h"

enum {
    LIMBS_MIN = 3,       /* what ordinary data need */
    GUARD_BITS = 62,     /* room for 2^61 rows added or taken away before a sum could overflow */
    UNIT_NONE = 1024,    /* the unit of a column of zeros: above the last bit of every double */
    DOUBLE_UNIT = -1074, /* every double is a multiple of 2^-1074 */
    DOUBLE_TOP = 1024,   /* and smaller than 2^1024 */
    WEIGHT_UNIT_MIN = DOUBLE_UNIT - MOMENTS_FADING_BITS, /* where rows fade they weigh up to so */
    WEIGHT_TOP_MAX = DOUBLE_TOP + 1,                     /* much less, and twice as much */
    TOP_MAX = 1800, /* what is concluded of a column from the sums of a snapshot may go beyond */
    LIMBS_MAX =
        (2 * (TOP_MAX - DOUBLE_UNIT) + WEIGHT_TOP_MAX - WEIGHT_UNIT_MIN + GUARD_BITS + 63) / 64
};

/* Every value of a column so far is a whole multiple of 2^unit, and smaller than 2^(unit + bits).
 * No bits: all of them were 0. */
struct scale {
    int unit, bits;
};

/* A value ready to be multiplied: digits · 2^shift units. */
struct term {
    int64_t digits; /* odd, or 0 */
    unsigned shift;
};

struct column {
    struct scale scale;
    struct scale wanted;  /* while the representation is being changed */
    struct term term;     /* of the row being added, */
    struct term weighted; /* and that times its weight, or a slice of it */
};

struct moments {
    size_t count; /* of columns: the constant, the features, the target */
    int64_t rows;
    bool fading;                /* moments_begin_fading */
    struct scale weight;        /* of the rows' weights: never less than what holds 1 */
    struct scale weight_wanted; /* while the representation is being changed */
    size_t limbs;               /* of each sum */
    mp_limb_t *sums;            /* the upper triangle by rows, least significant limb first */
    struct column columns[];
};

/* The limbs of S_jk. */
mp_limb_t *moments_entry(const struct moments *moments, size_t j, size_t k);

/* Gives every column, and the weights, the wanted scale, which must hold what the present one
 * holds, and all sums the limbs for that, without changing a sum's value. On failure nothing has
 * changed. */
enum moments_result moments_rescale(struct moments *moments);

/* Gives all sums so many limbs, at least those they have. False without memory. */
bool moments_widen(struct moments *moments, size_t limbs);

/* A sum in two's complement, times 2^count; what goes beyond the last limb is lost. */
void limbs_shift_left(mp_limb_t *sum, size_t limbs, size_t count);
bool limbs_negative(const mp_limb_t *sum, size_t limbs);

#endif
