#include "limbs.h"
#include "moments_fixture.h"

#include <stdlib.h>

static void test_sums_are_exact(void)
{
    for (int kind = 0; kind <= 4; kind++) {
        rows_of rows[ROWS];
        random_rows(rows, ROWS, kind, 7 + kind);
        struct moments *moments = moments_of(rows, ROWS);
        check_sums(moments, rows, ROWS);
        subtract_all(moments, rows + 20, ROWS - 20);
        check_sums(moments, rows, 20);
        moments_free(moments);
    }
}

/* A value narrow and high in a wide column, whose product ends in the last limb. */
static void test_products_at_the_top(void)
{
    static const rows_of rows[] = {
        {0x1p60, -0x1p60, 1, 3, 0x1p60},
        {1, 1, 0x1p31, 0x1p32 - 1, -1},
        {-0x1p60, 0x1p60, -0x1p31, -0x1p32, 0x1.fffffffffffffp60},
        {0x1p30, -0x1p33, 0x1p20, 0, -0x1p60},
    };
    struct moments *moments = moments_of(rows, 4);
    check_sums(moments, rows, 4);
    subtract_all(moments, rows + 1, 3);
    check_sums(moments, rows, 1);
    moments_free(moments);
}

/* Both ways of adding limbs, with carries through all of them. */
static void test_limbs_add(void)
{
    static const mp_limb_t limbs[] = {0,         1, INT64_MAX, (mp_limb_t)1 << 63, UINT64_MAX - 1,
                                      UINT64_MAX};
    enum { KINDS = sizeof limbs / sizeof *limbs, CASES = KINDS * KINDS * KINDS * KINDS };
    for (size_t count = 3; count <= 4; count++)
        for (size_t i = 0; i < (size_t)CASES * CASES; i += 7) {
            mp_limb_t sum[4], addend[4], wants[4], portable[4];
            for (size_t j = 0, rest = i; j < 4; j++, rest /= KINDS * KINDS) {
                sum[j] = portable[j] = limbs[rest % KINDS];
                addend[j] = limbs[rest / KINDS % KINDS];
            }
            mpn_add_n(wants, sum, addend, count);
            limbs_add(sum, addend, count);
            limbs_add_portable(portable, addend, count);
            size_t bytes = count * sizeof *wants;
            if (memcmp(sum, wants, bytes) != 0 || memcmp(portable, wants, bytes) != 0)
                CHECK(false, "%zu limbs, case %zu", count, i);
        }
    CHECK(true, "all sums are those of mpn_add_n");
}

/* Shifts on both sides of where the fast way ends, and numbers of limbs likewise: the units are 1,
 * the exponents of the values up to 70, their digits few or as many as there are. */
static void test_shifts(void)
{
    for (int most = 0; most <= 70; most++)
        for (int digits = 1; digits <= 53; digits += 13) {
            uint64_t state = (uint64_t)(most * 100 + digits);
            rows_of rows[12];
            for (size_t i = 0; i < 12; i++)
                for (size_t j = 0; j < WIDTH; j++) {
                    uint64_t bits = next_random(&state);
                    double value =
                        ldexp((double)(bits >> (64 - digits) | 1), (int)(i % 3 * most / 2));
                    rows[i][j] = i == 0 ? 1 : bits & 1 << 3 ? -value : value;
                }
            struct moments *moments = moments_of(rows, 12);
            check_sums(moments, rows, 12);
            subtract_all(moments, rows + 5, 7);
            check_sums(moments, rows, 5);
            moments_free(moments);
        }
}

static void test_empty(void)
{
    struct moments *moments = moments_new(FEATURES);
    CHECK_INT(FEATURES, moments_features(moments));
    check_sums(moments, NULL, 0);
    moments_free(moments);
    moments_free(NULL);
    CHECK(!moments_new(1 << 20), "too many features for any memory");
}

static void test_order_does_not_matter(void)
{
    for (int kind = 0; kind <= 4; kind++) {
        rows_of rows[ROWS], shuffled[ROWS];
        random_rows(rows, ROWS, kind, 11 + kind);
        for (size_t i = 0; i < ROWS; i++)
            memcpy(shuffled[i * 37 % ROWS], rows[i], sizeof rows[i]);
        struct moments *a = moments_of(rows, ROWS), *b = moments_of(shuffled, ROWS);
        CHECK(moments_equal(a, b), "kind %d", kind);
        moments_free(a);
        moments_free(b);
    }
}

static void test_merge(void)
{
    for (int kind = 0; kind <= 4; kind++) {
        rows_of rows[ROWS];
        random_rows(rows, ROWS, kind, 23 + kind);
        for (size_t split = 0; split <= ROWS; split += 12) {
            struct moments *into = moments_of(rows, split);
            struct moments *from = moments_of(rows + split, ROWS - split);
            CHECK_INT(MOMENTS_OK, moments_merge(into, from));
            check_sums(into, rows, ROWS);
            check_sums(from, rows + split, ROWS - split);
            moments_free(into);
            moments_free(from);
        }
    }
}

/* Rows far out of the ordinary come and go without a trace. */
static void test_extremes_come_and_go(void)
{
    static const rows_of extremes[] = {
        {1e150, -1e150, 1e-150, 1e20, 1e150},
        {-1e308, 1e308, 5e-324, -5e-324, DBL_MAX},
        {0, 0x1p-1022, 1e-300, 1e300, -5e-324},
        {1, 0, 0, 0, 1e20},
    };
    rows_of rows[ROWS];
    random_rows(rows, ROWS, 1, 5);
    struct moments *moments = moments_of(rows, ROWS), *plain = moments_copy(moments);
    add_all(moments, extremes, 4);
    CHECK(!moments_equal(moments, plain), "the extremes are in");
    subtract_all(moments, extremes, 4);
    CHECK(moments_equal(moments, plain), "the extremes are out again");
    check_sums(moments, rows, ROWS);
    moments_free(moments);
    moments_free(plain);
}

static void test_equal_sees_every_difference(void)
{
    rows_of rows[3];
    random_rows(rows, 3, 2, 3);
    struct moments *a = moments_of(rows, 3);
    struct moments *fewer = moments_of(rows, 2), *other = moments_new(FEATURES + 1);
    CHECK(!moments_equal(a, fewer) && !moments_equal(a, other), "other shapes");
    for (size_t j = 0; j < WIDTH; j++) {
        rows_of changed[3];
        memcpy(changed, rows, sizeof rows);
        changed[1][j] = nextafter(changed[1][j], INFINITY);
        struct moments *b = moments_of(changed, 3);
        CHECK(!moments_equal(a, b), "one unit in the last place of column %zu", j);
        moments_free(b);
    }
    moments_free(a);
    moments_free(fewer);
    moments_free(other);
}

/* Whether moments that differ only in S_11 and the number of rows are equal. */
static bool equal_with(long value_a, long exponent_a, int64_t rows_a, long value_b, long exponent_b,
                       int64_t rows_b)
{
    struct moments *a = moments_new(FEATURES), *b = moments_new(FEATURES);
    mpz_t sum;
    mpz_init_set_si(sum, value_a);
    CHECK(moments_set_sum(a, 1, 1, sum, exponent_a), "%ld", value_a);
    mpz_set_si(sum, value_b);
    CHECK(moments_set_sum(b, 1, 1, sum, exponent_b), "%ld", value_b);
    moments_set_rows(a, rows_a);
    moments_set_rows(b, rows_b);
    bool equal = moments_equal(a, b);
    mpz_clear(sum);
    moments_free(a);
    moments_free(b);
    return equal;
}

static void test_equal_looks_at_each_part(void)
{
    CHECK(equal_with(3, 4, 2, 12, 2, 2), "values, not representations");
    CHECK(!equal_with(3, 4, 2, 5, 4, 2), "digits");
    CHECK(!equal_with(3, 4, 2, 3, 5, 2), "exponents");
    CHECK(!equal_with(3, 4, 2, 3, 4, 1), "rows");
}

static void test_negative_zero(void)
{
    static const rows_of minus[] = {{-0.0, 1, 2, -0.0, -0.0}}, plus[] = {{0, 1, 2, 0, 0}};
    struct moments *a = moments_of(minus, 1), *b = moments_of(plus, 1);
    CHECK(moments_equal(a, b), "-0 is 0");
    moments_free(a);
    moments_free(b);
}

static void test_copy_is_independent(void)
{
    rows_of rows[3];
    random_rows(rows, 3, 3, 9);
    struct moments *moments = moments_of(rows, 2), *copy = moments_copy(moments);
    add_all(copy, rows + 2, 1);
    check_sums(moments, rows, 2);
    check_sums(copy, rows, 3);
    moments_free(moments);
    moments_free(copy);
}

static void test_rebuilt_from_its_sums(void)
{
    for (int kind = 0; kind <= 4; kind++) {
        rows_of rows[ROWS];
        random_rows(rows, ROWS, kind, 31 + kind);
        struct moments *moments = moments_of(rows, 40), *copy = rebuilt(moments);
        CHECK(moments_equal(moments, copy), "kind %d", kind);
        add_all(copy, rows + 40, ROWS - 40);
        check_sums(copy, rows, ROWS);
        subtract_all(copy, rows, ROWS);
        check_sums(copy, NULL, 0);
        moments_free(moments);
        moments_free(copy);
    }
}

/* Columns whose mean is 0 have no sum in the first row of S to take their unit from. */
static void test_rebuilt_with_zero_means(void)
{
    static const rows_of rows[] = {{1, -3, 0.1, 0, 7}, {-1, 3, -0.1, 0, -7}, {0, 0, 0, 0, 0}};
    struct moments *moments = moments_of(rows, 3), *copy = rebuilt(moments);
    check_sums(copy, rows, 3);
    moments_free(moments);
    moments_free(copy);
}

static bool can_set(size_t j, size_t k, long value, long exponent)
{
    struct moments *moments = moments_new(FEATURES);
    mpz_t sum;
    mpz_init_set_si(sum, value);
    bool can = moments_set_sum(moments, j, k, sum, exponent);
    mpz_clear(sum);
    moments_free(moments);
    return can;
}

static void test_sums_that_cannot_be(void)
{
    CHECK(can_set(0, 0, 3, 0) && can_set(1, 1, 3, -2148) && can_set(1, 1, 3, 2100), "fine");
    CHECK(can_set(1, 0, 3, -7), "the lower triangle is the upper one");
    CHECK(can_set(0, 0, 1, -1074) && can_set(0, 0, 3, 1023), "the least weight, and great ones");
    CHECK(can_set(0, 0, 1, -1202) && !can_set(0, 0, 1, -1203), "what has faded from there");
    CHECK(!can_set(0, 0, -1, 0), "no sum of weights");
    CHECK(!can_set(1, 1, -1, 0), "a negative sum of squares");
    CHECK(!can_set(1, 2, 1, 0), "products of a column of zeros");
    CHECK(!can_set(1, 1, 1, -100000) && !can_set(1, 1, 1, 100000), "out of range");
    CHECK(can_set(0, 1, 1, -2276) && !can_set(0, 1, 1, -2277), "below every value");
    CHECK(can_set(1, 1, 1, -3350) && !can_set(1, 1, 1, -3351), "below every product");
    CHECK(!can_set(1, 1, 3, 3599) && can_set(1, 1, 3, 3598), "above every product");
}

int main(void)
{
    test_empty();
    test_sums_are_exact();
    test_products_at_the_top();
    test_limbs_add();
    test_shifts();
    test_order_does_not_matter();
    test_merge();
    test_extremes_come_and_go();
    test_equal_sees_every_difference();
    test_equal_looks_at_each_part();
    test_negative_zero();
    test_copy_is_independent();
    test_rebuilt_from_its_sums();
    test_rebuilt_with_zero_means();
    test_sums_that_cannot_be();
    return check_report("test_moments");
}
