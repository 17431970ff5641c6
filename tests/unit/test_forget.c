/* Forgetting by and by: against least squares computed directly, with each row's weight. */
#include "fit.h"
#include "limbs.h"
#include "ridge.h"
#include "store_fixture.h"

#include <gmp.h>
#include <math.h>
#include <stdlib.h>

/* ------------------------------------------------------------------ limbs */

static void test_scale(void)
{
    enum { LIMBS = 4 };
    mpz_t number, wanted, half;
    mpz_inits(number, wanted, half, NULL);
    gmp_randstate_t random;
    gmp_randinit_default(random);
    for (int i = 0; i < 20000; i++) {
        double factor = ldexp(drand48(), -(i % 300) * (i % 2));
        struct limbs_factor scaled = limbs_factor_of(factor);
        mp_limb_t limbs[LIMBS] = {0};
        mpz_rrandomb(number, random, 1 + (mp_bitcnt_t)i % (64 * LIMBS - 1));
        memcpy(limbs, mpz_limbs_read(number), mpz_size(number) * sizeof *limbs);
        if (i % 3 == 0)
            mpn_neg(limbs, limbs, LIMBS);
        limbs_scale(limbs, LIMBS, scaled);
        if (i % 3 == 0)
            mpn_neg(limbs, limbs, LIMBS);
        mpz_set_d(wanted, ldexp(frexp(factor, &(int){0}), 53));
        CHECK_DOUBLE(factor, ldexp((double)scaled.digits, -(int)scaled.shift));
        mpz_mul(wanted, wanted, number);
        mpz_ui_pow_ui(half, 2, scaled.shift - 1);
        mpz_add(wanted, wanted, half);
        mpz_fdiv_q_2exp(wanted, wanted, scaled.shift);
        mpz_import(number, LIMBS, -1, sizeof *limbs, 0, 0, limbs);
        CHECK(mpz_cmp(wanted, number) == 0, "%d: times %g", i, factor);
    }
    mpz_clears(number, wanted, half, NULL);
    gmp_randclear(random);
}

/* Each number as limbs_scale has it. */
static void test_term_sums(double factor)
{
    enum { TERMS = 9, MOST = 200 };
    struct term_sums *sums = term_sums_new(TERMS);
    struct term_number before[MOST];
    double values[TERMS];
    for (int i = 0; i < 400; i++) {
        for (int j = 0; j < TERMS; j++)
            values[j] = (double)((i * 7919 + j * 104729) % 16000001 - 8000000);
        term_sums_add(sums, values, (i - 150) * INT64_C(10000019), i % 3 ? 1 : 0.7);
    }
    for (size_t i = 0; i < term_sums_numbers(sums); i++)
        before[i] = term_sums_number(sums, i);
    term_sums_scale(sums, factor, 123);
    for (size_t i = 0; i < term_sums_numbers(sums); i++) {
        struct term_number after = term_sums_number(sums, i);
        mp_limb_t limbs[3];
        memcpy(limbs, before[i].limbs, sizeof limbs);
        limbs_scale(limbs, 3, limbs_factor_of(factor));
        CHECK(memcmp(after.limbs, limbs, sizeof limbs) == 0, "number %zu times %g", i, factor);
    }
    CHECK_INT(123, term_sums_rows(sums));
    term_sums_free(sums);
}

/* ------------------------------------------------------------------ folds */

enum { ROWS = 3000, FEATURES = 4, CELLS = FEATURES + 2 };

static double rows[ROWS][CELLS];

/* a, b, one that is constant, one that is twice another; a target whose slopes change. */
static void make_rows(void)
{
    srand48(7);
    for (int i = 0; i < ROWS; i++) {
        double a = drand48() * 10, b = lrint(drand48() * 100), noise = drand48() - 0.5;
        double slope = i < ROWS / 2 ? 2 : -1;
        const double row[CELLS] = {
            a, b, 7, 2 * b, slope * a + 0.5 * b + 3 + noise, i % 5 ? 1 : 0.3};
        memcpy(rows[i], row, sizeof row);
    }
}

/* Of the first `count` rows, on a and b, in long doubles about the means. */
struct direct {
    long double weight, mean[3], products[3][3], effective;
    double a, b, intercept, mse;
};

static struct direct compute(int count, double factor)
{
    static const size_t cells[] = {0, 1, FEATURES};
    struct direct direct = {0};
    long double(*s)[3] = direct.products, age = 1;
    for (int turn = 0; turn < 2; turn++, age = 1)
        for (int i = count; i-- > 0; age *= factor) {
            long double weight = age * rows[i][CELLS - 1];
            direct.weight += turn ? 0 : weight;
            direct.effective += turn ? 0 : age;
            for (int j = 0; j < 3; j++) {
                if (turn == 0)
                    direct.mean[j] += weight * rows[i][cells[j]];
                for (int k = 0; turn && k < 3; k++)
                    s[j][k] += weight * (rows[i][cells[j]] - direct.mean[j] / direct.weight) *
                               (rows[i][cells[k]] - direct.mean[k] / direct.weight);
            }
        }
    for (int j = 0; j < 3; j++)
        direct.mean[j] /= direct.weight;
    long double determinant = s[0][0] * s[1][1] - s[0][1] * s[0][1];
    long double a = (s[0][2] * s[1][1] - s[1][2] * s[0][1]) / determinant;
    long double b = (s[1][2] * s[0][0] - s[0][2] * s[0][1]) / determinant;
    direct.a = (double)a;
    direct.b = (double)b;
    direct.intercept = (double)(direct.mean[2] - a * direct.mean[0] - b * direct.mean[1]);
    direct.mse = (double)((s[2][2] - a * s[0][2] - b * s[1][2]) / direct.weight);
    return direct;
}

static bool close_to(double wanted, double got, double error)
{
    return fabs(wanted - got) <= error * fmax(fabs(wanted), 1e-3);
}

static struct folds *folds_of_rows(int count, double factor, size_t parts)
{
    struct error error;
    size_t feature;
    struct folds *folds = folds_new(NULL, FEATURES, parts);
    folds_begin_forgetting(folds, factor);
    for (int i = 0; i < count; i++) {
        double weight = rows[i][CELLS - 1];
        CHECK(folds_reserve(folds, rows[i], weight, &feature, &error), "%s", error.text);
        folds_forget(folds);
        folds_add(folds, rows[i], weight);
    }
    return folds;
}

static void test_folds(double factor, size_t parts)
{
    struct error error;
    size_t column;
    for (int count = 5; count <= ROWS; count = count * 3 / 2) {
        struct folds *folds = folds_of_rows(count, factor, parts);
        struct folds_set set = {1, {folds}, NULL};
        struct moments *moments = folds_set_moments(&set);
        struct fit *fit = fit_new(moments, &column, &error);
        struct direct direct = compute(count, factor);
        CHECK(fit && fit->aliased[2] && fit->aliased[3], "the constant, and what is twice b");
        CHECK_INT(3, fit->rank);
        CHECK_INT(llroundl(direct.effective), fit->rows);
        CHECK(close_to((double)direct.weight, fit->weight, 1e-14), "%.17g", fit->weight);
        CHECK(close_to(direct.a, fit->coefficients[1].hi, 1e-12), "%g, %d rows: a %.17g, not %.17g",
              factor, count, fit->coefficients[1].hi, direct.a);
        CHECK(close_to(direct.b, fit->coefficients[2].hi, 1e-12), "b %.17g, not %.17g",
              fit->coefficients[2].hi, direct.b);
        CHECK(close_to(direct.intercept, fit->coefficients[0].hi, 1e-12), "%.17g, not %.17g",
              fit->coefficients[0].hi, direct.intercept);
        CHECK(close_to(direct.mse, fit->mse, 1e-11), "mse %.17g, not %.17g", fit->mse, direct.mse);
        fit_free(fit);
        moments_free(moments);
        folds_free(folds);
    }
}

/* A line without noise stays one, its errors are none, and a constant does not vary. */
static void check_line(const struct folds *folds)
{
    struct error error;
    size_t column;
    struct gram gram;
    struct folds_set set = {1, {(struct folds *)folds}, NULL};
    struct moments *moments = folds_set_moments(&set);
    struct fit *fit = fit_new(moments, &column, &error);
    CHECK(fabs(fit->coefficients[1].hi - 3) < 1e-15, "%.17g", fit->coefficients[1].hi);
    CHECK(fabs(fit->coefficients[0].hi - 1) < 1e-15, "%.17g", fit->coefficients[0].hi);
    CHECK(fit->mse >= 0 && fit->mse < 1e-30, "%g", fit->mse);
    CHECK(gram_of_moments(&gram, moments), "memory");
    CHECK_DOUBLE(0, gram.covariance[4]);
    gram_free(&gram);
    fit_free(fit);
    moments_free(moments);
}

static void test_no_noise(double factor)
{
    struct error error;
    size_t feature;
    struct folds *folds = folds_new(NULL, 2, 1);
    folds_begin_forgetting(folds, factor);
    for (int i = 0; i < ROWS; i++) {
        double row[] = {i % 10, 7, 3 * (i % 10) + 1, 1};
        CHECK(folds_reserve(folds, row, 1, &feature, &error), "%s", error.text);
        folds_forget(folds);
        folds_add(folds, row, 1);
        if (i > 20 && i % 7 == 0)
            check_line(folds);
    }
    folds_free(folds);
}

/* A snapshot goes on like what it is of, also when much has been forgotten. */
static void test_snapshot(double factor)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    struct error error;
    struct schema *schema = schema_new(names, NULL, FEATURES, &error);
    struct folds *folds = folds_of_rows(500, factor, FOLDS);
    struct snapshot snapshot = {.schema = schema, .folds = folds}, read;
    struct term_maps *maps = folds_set_maps(&(struct folds_set){1, {folds}, NULL});
    CHECK(folds_begin_terms(folds, maps), "memory");
    for (int i = 500; i < 1000; i++) {
        folds_forget(folds);
        CHECK(folds_reserve_accepted(folds, rows[i], 1), "memory");
        folds_add(folds, rows[i], 1);
        folds_add_terms(folds, rows[i], 1);
        if (i % 50 > 0)
            continue;
        CHECK(snapshot_write(&snapshot, "sums", &error), "%s", error.text);
        if (!CHECK(snapshot_read(&read, "sums", &error), "%s", error.text))
            break;
        CHECK_DOUBLE(factor, read.folds->forget);
        CHECK_DOUBLE(folds->unit, read.folds->unit);
        for (size_t k = 0; k < FOLDS; k++) {
            CHECK_DOUBLE(folds->effective[k], read.folds->effective[k]);
            CHECK(moments_equal(folds->moments[k], read.folds->moments[k]), "part %zu", k);
        }
        folds_free(folds); /* it goes on with what was read */
        snapshot.folds = folds = read.folds;
        schema_free(read.schema);
    }
    term_maps_free(maps);
    folds_free(folds);
    schema_free(schema);
}

/* A feature that has become 0 is so at last, with all its products, and can be read back meanwhile.
 */
static void test_vanished(void)
{
    static const char *const names[] = {"a", "b"};
    struct error error;
    struct schema *schema = schema_new(names, NULL, 2, &error);
    struct folds *folds = folds_new(NULL, 2, 1);
    folds_begin_forgetting(folds, 0.9);
    for (int i = 0; i < 1200; i++) {
        double row[] = {i < 5, 1000 + i % 7, i % 11, 1};
        CHECK(folds_reserve_accepted(folds, row, 1), "memory");
        folds_forget(folds);
        folds_add(folds, row, 1);
        struct snapshot snapshot = {.schema = schema, .folds = folds}, read;
        if (i % 10 == 0) {
            CHECK(snapshot_write(&snapshot, "sums", &error), "%s", error.text);
            CHECK(snapshot_read(&read, "sums", &error), "after %d rows: %s", i, error.text);
            snapshot_free(&read);
        }
    }
    CHECK(!moments_has_positive(folds->moments[0], 0), "a");
    CHECK(moments_has_positive(folds->moments[0], 1), "b");
    folds_free(folds);
    schema_free(schema);
}

/* ------------------------------------------------------------------ the store */

static void add_some(struct store *store, int from, int count)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    int64_t seq;
    if (!store_schema(store)) {
        struct schema *schema = schema_new(names, NULL, FEATURES, &store_error);
        CHECK(store_set_schema(store, schema, &store_error), "%s", store_error.text);
        schema_free(schema);
    }
    for (int i = from; i < from + count; i++)
        CHECK_INT(STORE_ADDED, add_row(store, rows[i], NULL, 0, &seq, &store_error));
    CHECK(store_commit(store, &store_error), "%s", store_error.text);
}

/* The terms' mean and covariance, as the sums have them and from each row. */
static void check_terms(struct store *store, int count, double factor)
{
    struct folds_set set;
    double values[TERMS_MAX], room[FOLDS_FEATURES_MAX];
    CHECK(store_rows(store, &set, &store_error), "%s", store_error.text);
    CHECK(folds_set_has_terms(&set), "of all rows");
    struct term_sums *sums = folds_set_sums(&set, TERMS_POLYNOMIAL);
    const struct term_maps *maps = set.of[0]->maps;
    long double weight = 0, mean[2] = {0}, product = 0, age = 1;
    for (int i = count; i-- > 0; age *= factor) {
        long double own = age * rows[i][CELLS - 1];
        terms_values(maps->kinds[TERMS_POLYNOMIAL],
                     term_maps_row(maps, set.of[0]->encoding, rows[i], room), values);
        weight += own;
        mean[0] += own * values[0];
        mean[1] += own * values[1];
        product += own * values[0] * values[1];
    }
    double covariance = (double)(product / weight - mean[0] * mean[1] / weight / weight);
    CHECK_INT(llround((1 - pow(factor, count)) / (1 - factor)), term_sums_rows(sums));
    CHECK(close_to((double)weight, term_sums_weight(sums), 1e-5), "%g", term_sums_weight(sums));
    double deviation = sqrt(term_sums_covariance(sums, 1, 1));
    CHECK(fabs((double)(mean[1] / weight) - term_sums_mean(sums, 1)) < 1e-5 * deviation,
          "%g, not %Lg", term_sums_mean(sums, 1), mean[1] / weight);
    CHECK(close_to(covariance, term_sums_covariance(sums, 0, 1), 1e-3), "%g, not %g",
          term_sums_covariance(sums, 0, 1), covariance);
    term_sums_free(sums);
}

static void check_model(struct store *store, int count, double factor)
{
    struct folds_set set;
    size_t column;
    CHECK(store_rows(store, &set, &store_error), "%s", store_error.text);
    struct moments *moments = folds_set_moments(&set);
    struct fit *fit = fit_new(moments, &column, &store_error);
    struct direct direct = compute(count, factor);
    CHECK(close_to(direct.a, fit->coefficients[1].hi, 1e-11), "%d rows: %.17g, not %.17g", count,
          fit->coefficients[1].hi, direct.a);
    CHECK_INT(llroundl(direct.effective), fit->rows);
    fit_free(fit);
    moments_free(moments);
}

static void test_store(bool may_choose)
{
    const double factor = 0.97;
    scratch_empty();
    fixture_config.forget = factor;
    fixture_config.may_choose = fixture_config.has_terms = may_choose;
    struct store *store = begin_store();
    for (int count = 0, turn = 0; count < ROWS - 150; turn++) {
        add_some(store, count, 100 + turn);
        count += 100 + turn;
        check_model(store, count, factor);
        if (turn == 3 && may_choose)
            CHECK(store_begin_terms(store, &store_error), "%s", store_error.text);
        if (turn >= 3 && may_choose)
            check_terms(store, count, factor);
        if (turn % 4 == 2)
            CHECK(store_snapshot(store, &store_error), "%s", store_error.text);
        if (turn % 2) {
            end_store(store);
            if (turn % 3 == 0)
                remove(SNAPSHOT_EVENTS);
            store = begin_store();
            check_model(store, count, factor);
        }
    }
    end_store(store);
}

int main(void)
{
    scratch_make();
    make_rows();
    test_scale();
    test_term_sums(0.999);
    test_term_sums(1);
    test_term_sums(0.3);
    test_term_sums(1e-3);
    test_term_sums(1e-9);
    test_folds(0.999, 1);
    test_folds(0.97, FOLDS);
    test_folds(0.8, 1);
    test_no_noise(0.99);
    test_no_noise(0.7);
    test_snapshot(0.99);
    test_snapshot(0.3);
    test_vanished();
    test_store(false);
    test_store(true);
    scratch_end();
    return check_report("forget");
}
