#include "limbs.h"
#include "moments_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A double taken apart: ±magnitude · 2^exponent. */
struct value {
    uint64_t magnitude; /* odd, or 0 */
    int exponent;
    bool negative;
};

static inline struct value value_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint64_t magnitude = bits & (UINT64_MAX >> 12);
    int biased = bits >> 52 & 0x7ff;
    if (biased)
        magnitude |= UINT64_C(1) << 52;
    else
        biased = 1;
    if (!magnitude)
        return (struct value){0, UNIT_NONE, false};
    int zeros = __builtin_ctzll(magnitude);
    return (struct value){magnitude >> zeros, biased - 1075 + zeros, bits >> 63};
}

static inline int value_top(struct value value)
{
    return value.exponent + 64 - __builtin_clzll(value.magnitude);
}

/* The value of column `j` in a row that holds the features and the target. */
static inline double row_value(const double *row, size_t j)
{
    return j ? row[j - 1] : 1.0;
}

static size_t entry_count(size_t columns)
{
    return columns * (columns + 1) / 2;
}

mp_limb_t *moments_entry(const struct moments *moments, size_t j, size_t k)
{
    size_t row = j < k ? j : k, column = j < k ? k : j;
    size_t index = row * (2 * moments->count - row - 1) / 2 + column;
    return moments->sums + index * moments->limbs;
}

bool limbs_negative(const mp_limb_t *sum, size_t limbs)
{
    return sum[limbs - 1] >> 63;
}

static void extend(mp_limb_t *to, size_t to_limbs, const mp_limb_t *from, size_t from_limbs)
{
    memcpy(to, from, from_limbs * sizeof *to);
    memset(to + from_limbs, limbs_negative(from, from_limbs) ? 0xff : 0,
           (to_limbs - from_limbs) * sizeof *to);
}

void limbs_shift_left(mp_limb_t *sum, size_t limbs, size_t count)
{
    size_t words = count / 64;
    if (words > limbs)
        words = limbs;
    memmove(sum + words, sum, (limbs - words) * sizeof *sum);
    memset(sum, 0, words * sizeof *sum);
    if (count % 64)
        mpn_lshift(sum, sum, limbs, count % 64);
}

struct moments *moments_new(size_t features)
{
    size_t count = features + 2, limbs = LIMBS_MIN;
    if (entry_count(count) > MOMENTS_MAX_BYTES / (limbs * sizeof(mp_limb_t)))
        return NULL;
    struct moments *moments = calloc(1, sizeof *moments + count * sizeof moments->columns[0]);
    mp_limb_t *sums = calloc(entry_count(count), limbs * sizeof *sums);
    if (!moments || !sums) {
        free(moments);
        free(sums);
        return NULL;
    }
    moments->count = count;
    moments->limbs = limbs;
    moments->sums = sums;
    moments->weight = (struct scale){.unit = 0, .bits = 1};
    moments->columns[0].scale = (struct scale){.unit = 0, .bits = 1};
    for (size_t j = 1; j < count; j++)
        moments->columns[j].scale = (struct scale){.unit = UNIT_NONE, .bits = 0};
    return moments;
}

struct moments *moments_copy(const struct moments *moments)
{
    size_t size = sizeof *moments + moments->count * sizeof moments->columns[0];
    size_t bytes = entry_count(moments->count) * moments->limbs * sizeof(mp_limb_t);
    struct moments *copy = malloc(size);
    mp_limb_t *sums = malloc(bytes);
    if (!copy || !sums) {
        free(copy);
        free(sums);
        return NULL;
    }
    memcpy(copy, moments, size);
    memcpy(sums, moments->sums, bytes);
    copy->sums = sums;
    return copy;
}

void moments_free(struct moments *moments)
{
    if (!moments)
        return;
    free(moments->sums);
    free(moments);
}

/* The limbs of a sum of products of values of so many bits, and weights. */
static size_t limbs_for(int bits, int weight_bits)
{
    return (2 * bits + weight_bits + GUARD_BITS + 63) / 64;
}

size_t moments_bytes_max(size_t features, bool weighted)
{
    int bits = DOUBLE_TOP - DOUBLE_UNIT;
    size_t limbs = limbs_for(bits, weighted ? bits : 1);
    return entry_count(features + 2) * limbs * sizeof(mp_limb_t);
}

size_t moments_features(const struct moments *moments)
{
    return moments->count - 2;
}

bool moments_has_positive(const struct moments *moments, size_t j)
{
    return !mpn_zero_p(moments_entry(moments, 0, j + 1), (mp_size_t)moments->limbs);
}

void moments_begin_fading(struct moments *moments)
{
    moments->fading = true;
}

bool moments_fading(const struct moments *moments)
{
    return moments->fading;
}

int64_t moments_rows(const struct moments *moments)
{
    return moments->rows;
}

/* The scale that holds all that `a` and `b` hold. */
static struct scale scale_union(struct scale a, struct scale b)
{
    if (!a.bits || !b.bits)
        return a.bits ? a : b;
    int top_a = a.unit + a.bits, top_b = b.unit + b.bits;
    int unit = a.unit < b.unit ? a.unit : b.unit;
    return (struct scale){unit, (top_a > top_b ? top_a : top_b) - unit};
}

static struct scale scale_of(struct value value)
{
    if (!value.magnitude)
        return (struct scale){UNIT_NONE, 0};
    return (struct scale){value.exponent, value_top(value) - value.exponent};
}

/* What the weights must hold for a row of that weight. */
static struct scale weight_scale(const struct moments *moments, double weight)
{
    struct scale scale = scale_of(value_of(weight));
    if (!moments->fading)
        return scale;
    int top = scale.unit + scale.bits;
    return (struct scale){top - 1 - MOMENTS_FADING_BITS, MOMENTS_FADING_BITS + 2};
}

static size_t limbs_wanted(const struct moments *moments)
{
    int bits = 0;
    for (size_t j = 0; j < moments->count; j++)
        if (moments->columns[j].wanted.bits > bits)
            bits = moments->columns[j].wanted.bits;
    size_t limbs = limbs_for(bits, moments->weight_wanted.bits);
    return limbs > moments->limbs ? limbs : moments->limbs;
}

bool moments_widen(struct moments *moments, size_t limbs)
{
    size_t count = entry_count(moments->count), old_limbs = moments->limbs;
    if (limbs == old_limbs)
        return true;
    mp_limb_t *sums = malloc(count * limbs * sizeof *sums);
    if (!sums)
        return false;
    for (size_t i = 0; i < count; i++)
        extend(sums + i * limbs, limbs, moments->sums + i * old_limbs, old_limbs);
    free(moments->sums);
    moments->sums = sums;
    moments->limbs = limbs;
    return true;
}

/* Gives column `j` its wanted scale; the limbs are enough for it. */
static void rescale_column(struct moments *moments, size_t j)
{
    struct column *column = &moments->columns[j];
    int lowered = column->scale.unit - column->wanted.unit;
    if (lowered && column->scale.bits)
        for (size_t k = 0; k < moments->count; k++)
            limbs_shift_left(moments_entry(moments, j, k), moments->limbs,
                             k == j ? 2 * lowered : lowered);
    column->scale = column->wanted;
}

/* The same for the weights. */
static void rescale_weight(struct moments *moments)
{
    int lowered = moments->weight.unit - moments->weight_wanted.unit;
    for (size_t i = 0; lowered && i < entry_count(moments->count); i++)
        limbs_shift_left(moments->sums + i * moments->limbs, moments->limbs, lowered);
    moments->weight = moments->weight_wanted;
}

enum moments_result moments_rescale(struct moments *moments)
{
    if (!moments_widen(moments, limbs_wanted(moments)))
        return MOMENTS_NO_MEMORY;
    for (size_t j = 0; j < moments->count; j++)
        rescale_column(moments, j);
    rescale_weight(moments);
    return MOMENTS_OK;
}

static bool scale_holds(struct scale scale, struct value value)
{
    return !value.magnitude ||
           (value.exponent >= scale.unit && value_top(value) <= scale.unit + scale.bits);
}

static bool holds_weight(const struct moments *moments, double weight)
{
    struct scale held = moments->weight, wanted;
    if (weight == 1 && !moments->fading)
        return true;
    wanted = weight_scale(moments, weight);
    return wanted.unit >= held.unit && wanted.unit + wanted.bits <= held.unit + held.bits;
}

static bool holds_row(const struct moments *moments, const double *row)
{
    size_t j = 1;
    while (j < moments->count && scale_holds(moments->columns[j].scale, value_of(row[j - 1])))
        j++;
    return j == moments->count;
}

static void want_row(struct moments *moments, const double *row, double weight)
{
    moments->weight_wanted = scale_union(moments->weight, weight_scale(moments, weight));
    for (size_t j = 0; j < moments->count; j++) {
        struct column *column = &moments->columns[j];
        column->wanted = scale_union(column->scale, scale_of(value_of(row_value(row, j))));
    }
}

enum moments_result moments_reserve(struct moments *moments, const double *row, double weight)
{
    if (holds_weight(moments, weight) && holds_row(moments, row))
        return MOMENTS_OK;
    want_row(moments, row, weight);
    if (entry_count(moments->count) * limbs_wanted(moments) > MOMENTS_MAX_BYTES / sizeof(mp_limb_t))
        return MOMENTS_TOO_WIDE;
    return moments_rescale(moments);
}

enum moments_result moments_reserve_accepted(struct moments *moments, const double *row,
                                             double weight)
{
    if (holds_weight(moments, weight) && holds_row(moments, row))
        return MOMENTS_OK;
    want_row(moments, row, weight);
    return moments_rescale(moments);
}

/* *limb += addend + carry; returns the carry. */
static inline mp_limb_t add_limb(mp_limb_t *limb, mp_limb_t addend, mp_limb_t carry)
{
    unsigned __int128 sum = (unsigned __int128)*limb + addend + carry;
    *limb = sum;
    return sum >> 64;
}

/* *pair (two limbs) += addend; returns the carry. Faster than add_limb twice. */
static inline mp_limb_t add_pair(mp_limb_t *pair, unsigned __int128 addend)
{
    unsigned __int128 sum = ((unsigned __int128)pair[1] << 64 | pair[0]) + addend;
    pair[0] = sum;
    pair[1] = sum >> 64;
    return sum < addend;
}

/* sum += product · 2^shift. The shifted product takes three limbs; above them only its sign and a
 * carry remain to be passed on, so that the cost does not grow with the limbs. */
static inline void accumulate(mp_limb_t *sum, size_t limbs, __int128 product, unsigned shift)
{
    unsigned bits = shift % 64;
    size_t i = shift / 64;
    int64_t high = product >> 64;
    unsigned __int128 low = (unsigned __int128)product << bits;
    mp_limb_t top = high >> 1 >> (63 - bits), carry;
    mp_limb_t sign = high < 0 ? ~(mp_limb_t)0 : 0;
    if (i + 3 <= limbs) {
        carry = add_pair(&sum[i], low);
        carry = add_limb(&sum[i + 2], top, carry);
    } else { /* what lies beyond the last limb is only sign */
        carry = add_limb(&sum[i], low, 0);
        if (i + 1 < limbs)
            add_limb(&sum[i + 1], low >> 64, carry);
    }
    for (i += 3; i < limbs && sign + carry; i++)
        carry = add_limb(&sum[i], sign, carry);
}

/* The terms of the row, and those times `sign` (1 or -1) and a weight of 1. Returns the greatest
 * shift. */
static inline unsigned set_terms(struct moments *moments, const double *row, int sign)
{
    unsigned greatest = 0;
    for (size_t j = 0; j < moments->count; j++) {
        struct value value = value_of(row_value(row, j));
        struct column *column = &moments->columns[j];
        int64_t digits = value.magnitude;
        column->term.digits = value.negative ? -digits : digits;
        column->term.shift = digits ? value.exponent - column->scale.unit : 0;
        column->weighted.digits = sign * column->term.digits;
        column->weighted.shift = column->term.shift - moments->weight.unit;
        if (column->term.shift > greatest)
            greatest = column->term.shift;
    }
    return greatest;
}

/* Times factor · 2^shift. */
static void weigh_terms(struct moments *moments, int64_t factor, unsigned shift)
{
    for (struct column *a = moments->columns; a < moments->columns + moments->count; a++)
        a->weighted = (struct term){factor * a->term.digits, shift + a->term.shift};
}

/* As accumulate, for a shift below 64 and a number of limbs (3 or 4) that the compiler knows:
 * without branches, which could only guess at the products' signs. */
static inline void accumulate_near(mp_limb_t *sum, size_t limbs, __int128 product, unsigned shift)
{
    int64_t high = product >> 64;
    unsigned __int128 low = (unsigned __int128)product << shift;
    const mp_limb_t addend[4] = {low, low >> 64, high >> 1 >> (63 - shift), high >> 63};
    limbs_add(sum, addend, limbs);
}

/* The same for all products of the row whose terms have been set. */
static inline void add_products_near(struct moments *moments, size_t limbs)
{
    mp_limb_t *sum = moments->sums;
    const struct column *columns = moments->columns, *end = columns + moments->count;
    for (const struct column *a = columns; a < end; a++) {
        int64_t digits = a->weighted.digits;
        unsigned shift = a->weighted.shift;
        for (const struct column *b = a; b < end; b++, sum += limbs)
            accumulate_near(sum, limbs, (__int128)digits * b->term.digits, shift + b->term.shift);
    }
}

/* `greatest`: of all shifts. A row that was not reserved has a greater one than the sums have bits,
 * be it because it is negative: that stays a check in release builds, as writing outside of the
 * sums is worse than an end. */
static void add_products_any(struct moments *moments, size_t greatest)
{
    size_t limbs = moments->limbs;
    mp_limb_t *sum = moments->sums;
    if (greatest / 64 >= limbs)
        abort();
    const struct column *columns = moments->columns, *end = columns + moments->count;
    for (const struct column *a = columns; a < end; a++) {
        int64_t digits = a->weighted.digits;
        unsigned shift = a->weighted.shift;
        if (digits == 0) {
            sum += (size_t)(end - a) * limbs;
            continue;
        }
        for (const struct column *b = a; b < end; b++, sum += limbs)
            accumulate(sum, limbs, (__int128)digits * b->term.digits, shift + b->term.shift);
    }
}

/* Adds the products of weighted terms and terms. Sums of ordinary data have 3 or 4 limbs, and
 * shifts, of which `greatest` is the greatest, less than 64. */
static void add_products(struct moments *moments, size_t greatest)
{
    bool near = greatest < 64;
    if (near && moments->limbs == 3)
        add_products_near(moments, 3);
    else if (near && moments->limbs == 4)
        add_products_near(moments, 4);
    else
        add_products_any(moments, greatest);
}

/* The weight goes in by slices, each of which leaves room for 53 bits of a value in a whole number
 * of 64. */
static void add_slices(struct moments *moments, struct value weight, int sign, size_t greatest)
{
    enum { SLICE_BITS = 10, SLICE_MASK = (1 << SLICE_BITS) - 1 };
    unsigned shift = weight.exponent - moments->weight.unit;
    while (weight.magnitude) {
        int zeros = __builtin_ctzll(weight.magnitude);
        weight.magnitude >>= zeros;
        shift += zeros;
        weigh_terms(moments, sign * (int64_t)(weight.magnitude & SLICE_MASK), shift);
        add_products(moments, shift + 2 * greatest);
        weight.magnitude >>= SLICE_BITS;
        shift += SLICE_BITS;
    }
}

/* Adds `sign` (1 or -1) times the weighted products. Most weights are 1, whose terms are ready. */
static void add_row(struct moments *moments, const double *row, double weight, int sign)
{
    size_t greatest = set_terms(moments, row, sign);
    if (weight == 1)
        add_products(moments, 2 * greatest + (size_t)-moments->weight.unit);
    else
        add_slices(moments, value_of(weight), sign, greatest);
}

void moments_add(struct moments *moments, const double *row, double weight)
{
    add_row(moments, row, weight, 1);
    moments->rows++;
}

void moments_subtract(struct moments *moments, const double *row, double weight)
{
    add_row(moments, row, weight, -1);
    moments->rows--;
}

/* The product, rounded to 53 bits; it may be outside of the range of doubles. */
static struct value value_times(double weight, double factor)
{
    int exponent;
    struct value value = value_of(frexp(weight, &exponent) * factor);
    value.exponent += exponent;
    return value;
}

void moments_add_times(struct moments *moments, const double *row, double weight, double factor)
{
    size_t greatest = set_terms(moments, row, 1);
    add_slices(moments, value_times(weight, factor), 1, greatest);
    moments->rows++;
}

/* What has no squares any more has no products. */
static void forget_column(struct moments *moments, size_t j)
{
    for (size_t k = 0; k < moments->count; k++)
        memset(moments_entry(moments, j, k), 0, moments->limbs * sizeof(mp_limb_t));
}

void moments_scale(struct moments *moments, double factor)
{
    _Static_assert((int)LIMBS_MAX <= (int)LIMBS_SCALED_MAX, "any sum can be scaled");
    struct limbs_factor scaled = limbs_factor_of(factor);
    mp_limb_t *end = moments->sums + entry_count(moments->count) * moments->limbs;
    for (mp_limb_t *sum = moments->sums; sum < end; sum += moments->limbs)
        limbs_scale(sum, moments->limbs, scaled);
    for (size_t j = 0; j < moments->count; j++)
        if (mpn_zero_p(moments_entry(moments, j, j), (mp_size_t)moments->limbs))
            forget_column(moments, j);
}

/* What of `from` is in the entry `sum`, in units 2^shift times those of `into`. */
static void add_shifted(mp_limb_t *into, size_t limbs, const mp_limb_t *sum, size_t sum_limbs,
                        size_t shift)
{
    mp_limb_t wide[LIMBS_MAX];
    extend(wide, limbs, sum, sum_limbs);
    limbs_shift_left(wide, limbs, shift);
    mpn_add_n(into, into, wide, limbs);
}

enum moments_result moments_merge(struct moments *into, const struct moments *from)
{
    size_t count = into->count;
    for (size_t j = 0; j < count; j++)
        into->columns[j].wanted = scale_union(into->columns[j].scale, from->columns[j].scale);
    into->weight_wanted = scale_union(into->weight, from->weight);
    enum moments_result result = moments_rescale(into);
    if (result != MOMENTS_OK)
        return result;
    into->fading |= from->fading;
    int shift = from->weight.unit - into->weight.unit;
    for (size_t j = 0; j < count; j++) {
        int shift_j = shift + from->columns[j].scale.unit - into->columns[j].scale.unit;
        for (size_t k = j; k < count; k++) {
            int shift_k = from->columns[k].scale.unit - into->columns[k].scale.unit;
            add_shifted(moments_entry(into, j, k), into->limbs, moments_entry(from, j, k),
                        from->limbs, shift_j + shift_k);
        }
    }
    into->rows += from->rows;
    return MOMENTS_OK;
}

void moments_set_rows(struct moments *moments, int64_t rows)
{
    moments->rows = rows;
}
