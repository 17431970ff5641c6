/* The quick way to solve normal equations against the long one, which normal_solve goes where there
 * are few columns. */
#include "check.h"
#include "normal.h"
#include "normal_digits.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

enum { COLUMNS_MAX = 320, GUARD_BITS = 64 };

static uint64_t random_state = 88172645463325252u;

/* In [-1, 1), by xorshift64. */
static double next_uniform(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (double)(int64_t)random_state * 0x1p-63;
}

static void add_row(struct moments *moments, const double *row)
{
    CHECK_INT(MOMENTS_OK, moments_reserve(moments, row, 1));
    moments_add(moments, row, 1);
}

/* A row of measurements with `digits` behind the point, whose last feature is that much away from
 * the one before it. */
static void make_row(double *row, size_t features, double distance, double offset, double digits)
{
    row[features] = next_uniform();
    for (size_t j = 0; j < features; j++) {
        row[j] = offset + rint(100 * digits * next_uniform()) / digits;
        if (j > 0 && j == features - 1)
            row[j] = row[j - 1] + distance * row[j];
        row[features] += (double)(j + 1) * row[j];
    }
}

static bool load(struct normal *normal, const struct moments *moments)
{
    struct error error;
    return CHECK(normal_load(normal, moments, &error), "memory");
}

/* Whether both solutions, of which the second has its guard bits, are within a unit. */
static bool solutions_agree(const struct normal *known, const struct normal *digits)
{
    bool agree = true;
    mpz_t wants, off;
    mpz_inits(wants, off, NULL);
    for (size_t j = 0; j < known->unknowns; j++) {
        mpz_mul_2exp(wants, known->solution[j], GUARD_BITS);
        mpz_sub(off, wants, digits->solution[j]);
        agree = agree && (mpz_sgn(off) == 0 || mpz_sizeinbase(off, 2) <= GUARD_BITS + 1);
    }
    mpz_clears(wants, off, NULL);
    return agree;
}

/* Solves them both ways. Returns whether there is a quick one. */
static bool check_both(const struct moments *moments, const char *about)
{
    struct normal known, digits;
    struct error error = {.text = ""};
    bool quick = false;
    if (load(&known, moments) && load(&digits, moments) &&
        CHECK(normal_solve(&known, &error), "%s: %s", about, error.text)) {
        quick = normal_digits(&digits, known.bits + GUARD_BITS);
        if (quick) {
            CHECK(solutions_agree(&known, &digits), "%s: %zu unknowns", about, known.unknowns);
            for (size_t j = 0; j < known.unknowns; j++)
                CHECK(!known.aliased[j], "%s: unknown %zu is aliased", about, j);
        }
    }
    normal_free(&known);
    normal_free(&digits);
    return quick;
}

/* Sums that grow row by row, of columns that are closer and closer to dependent: some thousand. */
static void test_as_the_long_way(void)
{
    int quick = 0, slow = 0;
    for (int system = 0; system < 300; system++) {
        double row[COLUMNS_MAX], distance = ldexp(1, -(system % 24));
        double offset = system % 3 == 0 ? 0 : ldexp(1, system % 17), digits = system % 2 ? 1e4 : 1;
        size_t features = 1 + (size_t)system % 13;
        struct moments *moments = moments_new(features);
        for (size_t i = 0; i < features + 14; i++) {
            make_row(row, features, distance, offset, digits);
            add_row(moments, row);
            *(check_both(moments, "random rows") ? &quick : &slow) += 1;
        }
        moments_free(moments);
    }
    CHECK(quick > 1000 && slow > 1000, "%d went the quick way, %d the long one", quick, slow);
}

static void test_nist(void)
{
    static const char *const names[] = {"Norris",   "Pontius",  "NoInt1",   "NoInt2",
                                        "Filip",    "Longley",  "Wampler1", "Wampler2",
                                        "Wampler3", "Wampler4", "Wampler5"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[64], line[1024];
        snprintf(path, sizeof path, "tests/data/nist/%s.train.tsv", names[i]);
        FILE *file = fopen(path, "r");
        struct moments *moments = NULL;
        while (CHECK(file, "%s", path) && fgets(line, sizeof line, file)) {
            double row[COLUMNS_MAX];
            size_t count = 0;
            for (char *at = line, *end; row[count] = strtod(at, &end), end != at; at = end)
                count++;
            moments = moments ? moments : moments_new(count - 1);
            add_row(moments, row);
        }
        bool quick = check_both(moments, names[i]);
        CHECK(!quick || strcmp(names[i], "Filip") != 0, "Filip is too nearly singular");
        moments_free(moments);
        fclose(file);
    }
}

/* A column that repeats another one, until a row comes in which it does not. */
static void test_alias_ends(void)
{
    double row[4] = {0};
    struct moments *moments = moments_new(3);
    for (int i = 0; i < 50; i++) {
        make_row(row, 3, 1, 0, 1e4);
        row[2] = row[0];
        add_row(moments, row);
        CHECK(!check_both(moments, "aliased"), "after %d rows", i + 1);
    }
    row[2] += 1;
    add_row(moments, row);
    CHECK(check_both(moments, "no longer aliased"), "one row tells them apart");
    row[2] = row[0] + 0x1p-20;
    moments_subtract(moments, (double[]){row[0], row[1], row[0] + 1, row[3]}, 1);
    add_row(moments, row);
    CHECK(!check_both(moments, "hardly apart"), "a difference of 2^-20");
    moments_free(moments);
}

static void test_exact_answers_and_zeros(void)
{
    double row[COLUMNS_MAX];
    struct moments *moments = moments_new(5);
    for (int i = 0; i < 40; i++) {
        make_row(row, 5, 1, 0, 1);
        row[5] = i < 20 ? 0 : 3 * row[1] - row[4] / 4;
        add_row(moments, row);
        if (i >= 10)
            CHECK(check_both(moments, i < 20 ? "zero" : "exact"), "%d rows", i + 1);
    }
    moments_free(moments);
}

/* Too many for the long way to be gone beside it: S x is S_y but for less than a unit of x. */
static void check_residual(const struct normal *normal)
{
    size_t n = normal->unknowns, off = 0;
    mpz_t residual;
    mpz_init(residual);
    for (size_t j = 0; j < n; j++) {
        mpz_mul_2exp(residual, normal_sum(normal, j, n), normal->bits);
        for (size_t k = 0; k < n; k++)
            mpz_submul(residual, normal_sum(normal, j, k), normal->solution[k]);
        off += (long)mpz_sizeinbase(residual, 2) > normal->depth + 10;
    }
    CHECK_INT(0, off);
    mpz_clear(residual);
}

static void test_many_columns(void)
{
    for (size_t features = 60; features <= 300; features += 120) {
        struct moments *moments = moments_new(features);
        struct normal normal;
        struct error error;
        double row[COLUMNS_MAX];
        for (size_t i = 0; i < 2 * features; i++) {
            make_row(row, features, 1, 1, 1e4);
            add_row(moments, row);
        }
        CHECK(load(&normal, moments) && normal_solve(&normal, &error), "%zu", features);
        check_residual(&normal);
        CHECK(normal_digits(&normal, normal.bits), "%zu features, the quick way", features);
        normal_free(&normal);
        moments_free(moments);
    }
}

/* Sums of more bits than the quick way has room for. */
static void test_wide_sums(void)
{
    struct moments *moments = moments_new(2);
    for (int i = 0; i < 8; i++)
        add_row(moments, (double[]){i % 2, i == 5 ? 0x1p-300 : i % 3, i});
    CHECK(!check_both(moments, "wide"), "sums of 600 bits");
    moments_free(moments);
}

int main(void)
{
    test_as_the_long_way();
    test_nist();
    test_alias_ends();
    test_exact_answers_and_zeros();
    test_many_columns();
    test_wide_sums();
    return check_report("test_normal");
}
