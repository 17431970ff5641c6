#include "ridge.h"

#include "cholesky.h"
#include "encoding.h"

#include <math.h>
#include <mpfr.h>
#include <stdlib.h>

static bool gram_init(struct gram *gram, size_t count, int64_t rows)
{
    *gram = (struct gram){.count = count, .rows = rows};
    gram->mean = calloc(count + 1, sizeof *gram->mean);
    gram->covariance = calloc((count + 1) * (count + 1), sizeof *gram->covariance);
    gram->exponent = calloc(count + 1, sizeof *gram->exponent);
    return gram->mean && gram->covariance && gram->exponent;
}

void gram_free(struct gram *gram)
{
    free(gram->mean);
    free(gram->covariance);
    free(gram->exponent);
    *gram = (struct gram){0};
}

static double *covariance_row(const struct gram *gram, size_t row)
{
    return gram->covariance + row * (gram->count + 1);
}

double gram_variance(const struct gram *gram, size_t j)
{
    return ldexp(covariance_row(gram, j)[j], 2 * gram->exponent[j]);
}

bool gram_of_terms(struct gram *gram, const struct term_sums *sums, size_t count)
{
    size_t target = term_sums_count(sums);
    if (!gram_init(gram, count, term_sums_rows(sums)))
        return false;
    gram->weight = term_sums_weight(sums);
    for (size_t j = 0; j <= count; j++)
        gram->mean[j] = term_sums_mean(sums, j < count ? j : target);
    term_sums_covariances(sums, count, gram->covariance);
    return true;
}

/* (S_jk - S_0j S_0k / S_00) / S_00, whose products do not round: what is returned times
 * 2^*exponent. */
static double covariance_of(const struct moments *moments, size_t j, size_t k, mpz_t numbers[3],
                            long *exponent)
{
    long mean_unit = moments_sum(moments, 0, j, numbers[1]);
    mean_unit += moments_sum(moments, 0, k, numbers[2]);
    mpz_mul(numbers[1], numbers[1], numbers[2]);
    long weight_exponent, weight_unit = moments_sum(moments, 0, 0, numbers[2]);
    double weight = mpz_get_d_2exp(&weight_exponent, numbers[2]);
    long product_unit = moments_sum(moments, j, k, numbers[0]) + weight_unit;
    mpz_mul(numbers[0], numbers[0], numbers[2]);
    if (mpz_sgn(numbers[0]) == 0)
        product_unit = mean_unit;
    if (mpz_sgn(numbers[1]) == 0)
        mean_unit = product_unit;
    long unit = product_unit < mean_unit ? product_unit : mean_unit;
    mpz_mul_2exp(numbers[0], numbers[0], product_unit - unit);
    mpz_mul_2exp(numbers[1], numbers[1], mean_unit - unit);
    mpz_sub(numbers[0], numbers[0], numbers[1]);
    double digits = mpz_get_d_2exp(exponent, numbers[0]);
    *exponent += unit - 2 * (weight_exponent + weight_unit);
    return digits / weight / weight;
}

/* S_0j / S_00, also where the weights are beyond the doubles. */
static double mean_of(const struct moments *moments, size_t j, mpz_t number)
{
    long weight_exponent, exponent, weight_unit = moments_sum(moments, 0, 0, number);
    double weight = mpz_get_d_2exp(&weight_exponent, number);
    long unit = moments_sum(moments, 0, j, number) - weight_unit - weight_exponent;
    double digits = mpz_get_d_2exp(&exponent, number);
    return ldexp(digits / weight, (int)(exponent + unit));
}

/* None, where there is less than what is left of a constant by rounding, of its values to doubles
 * or in forgetting. */
static void set_variance(struct gram *gram, size_t j, double digits, long exponent)
{
    enum { NOISE_BITS = 106, EXPONENT_MOST = 900 /* of products of two columns, too */ };
    if (labs(exponent) > EXPONENT_MOST)
        gram->exponent[j] = (int)(exponent / 2);
    double variance = ldexp(digits, (int)(exponent - 2 * gram->exponent[j]));
    double mean = ldexp(gram->mean[j], -gram->exponent[j]);
    covariance_row(gram, j)[j] = variance > ldexp(mean * mean, -NOISE_BITS) ? variance : 0;
}

static void set_covariances(struct gram *gram, const struct moments *moments, mpz_t numbers[3])
{
    long exponent;
    for (size_t j = 0; j <= gram->count; j++) {
        double digits = covariance_of(moments, j + 1, j + 1, numbers, &exponent);
        set_variance(gram, j, digits, exponent);
    }
    for (size_t j = 0; j <= gram->count; j++)
        for (size_t k = j + 1; k <= gram->count; k++) {
            double digits = covariance_of(moments, j + 1, k + 1, numbers, &exponent);
            exponent -= gram->exponent[j] + gram->exponent[k];
            covariance_row(gram, j)[k] = ldexp(digits, (int)exponent);
        }
}

bool gram_of_moments(struct gram *gram, const struct moments *moments)
{
    size_t count = moments_features(moments);
    mpz_t numbers[3];
    if (!gram_init(gram, count, moments_rows(moments)))
        return false;
    mpz_inits(numbers[0], numbers[1], numbers[2], NULL);
    long exponent, unit = moments_sum(moments, 0, 0, numbers[0]);
    double digits = mpz_get_d_2exp(&exponent, numbers[0]);
    gram->weight = ldexp(digits, (int)(exponent + unit));
    for (size_t j = 0; j <= count; j++)
        gram->mean[j] = mean_of(moments, j + 1, numbers[0]);
    set_covariances(gram, moments, numbers);
    mpz_clears(numbers[0], numbers[1], numbers[2], NULL);
    return true;
}

void gram_of_column(const struct moments *moments, size_t column, double *mean, double *variance)
{
    mpz_t numbers[3];
    mpz_inits(numbers[0], numbers[1], numbers[2], NULL);
    *mean = mean_of(moments, column + 1, numbers[0]);
    long exponent;
    double digits = covariance_of(moments, column + 1, column + 1, numbers, &exponent);
    *variance = ldexp(digits, (int)exponent);
    mpz_clears(numbers[0], numbers[1], numbers[2], NULL);
}

bool ridge_init(struct ridge *ridge, size_t count)
{
    double *room = malloc((count * (count + 3) + 1) * sizeof *room);
    *ridge = (struct ridge){.count = count, .factor = room};
    if (!room)
        return false;
    ridge->deviation = room + count * count;
    ridge->penalties = ridge->deviation + count;
    ridge->weights = ridge->penalties + count;
    return true;
}

void ridge_free(struct ridge *ridge)
{
    free(ridge->factor);
    *ridge = (struct ridge){0};
}

/* The correlations plus the penalties, as columns below the diagonal; a constant column correlates
 * with nothing. `doubt`: by how much of its mean square for each of its variance a column is
 * penalised beyond `penalty`. */
static void load(struct ridge *ridge, const struct gram *gram, double penalty, double doubt)
{
    size_t n = ridge->count;
    for (size_t j = 0; j < n; j++) {
        double variance = covariance_row(gram, j)[j];
        double share = ldexp(gram->mean[j], -gram->exponent[j]) / sqrt(variance);
        ridge->deviation[j] = variance > 0 ? sqrt(variance) : 0;
        ridge->penalties[j] = penalty + (variance > 0 ? doubt * (1 + share * share) : 0);
    }
    for (size_t j = 0; j < n; j++) {
        double *column = ridge->factor + j * n, own = ridge->deviation[j];
        column[j] = 1 + ridge->penalties[j];
        for (size_t k = j + 1; k < n; k++) {
            double both = own * ridge->deviation[k];
            column[k] = both > 0 ? covariance_row(gram, j)[k] / both : 0;
        }
        ridge->weights[j] = own > 0 ? covariance_row(gram, j)[n] / own : 0;
    }
}

/* Half of the penalty is left to rounding. */
static bool factor_holds(const struct ridge *ridge, double penalty)
{
    for (size_t j = 0; j < ridge->count; j++) {
        double root = ridge->factor[j * ridge->count + j];
        if (!(root * root >= penalty / 2))
            return false;
    }
    return true;
}

static bool try_factor(struct ridge *ridge, const struct gram *gram, double penalty, double doubt)
{
    load(ridge, gram, penalty, doubt);
    return cholesky_factorise(ridge->factor, ridge->count) && factor_holds(ridge, penalty);
}

static bool factorise(struct ridge *ridge, const struct gram *gram, double penalty)
{
    bool ok = try_factor(ridge, gram, penalty, 0);
    for (double doubt = RIDGE_DOUBT_MIN; !ok && doubt <= RIDGE_DOUBT_MAX; doubt *= RIDGE_DOUBT_STEP)
        ok = try_factor(ridge, gram, penalty, doubt);
    return ok;
}

bool ridge_fit(struct ridge *ridge, const struct gram *gram, double penalty)
{
    size_t n = ridge->count;
    if (!factorise(ridge, gram, penalty))
        return false;
    cholesky_substitute(ridge->factor, n, ridge->weights);
    ridge->intercept = gram->mean[n];
    for (size_t j = 0; j < n; j++) {
        int unit = gram->exponent[n] - gram->exponent[j];
        double weight = ridge->weights[j] / ridge->deviation[j];
        ridge->weights[j] = ridge->deviation[j] > 0 ? ldexp(weight, unit) : 0;
        ridge->intercept -= ridge->weights[j] * gram->mean[j];
    }
    return isfinite(ridge->intercept);
}

size_t ridge_columns(const struct ridge *ridge)
{
    size_t columns = 1;
    for (size_t j = 0; j < ridge->count; j++)
        columns += ridge->deviation[j] > 0;
    return columns;
}

/* As R = (R + P) - P, each column's share of the trace is 1 less its penalty times its entry in the
 * diagonal of (R + P)⁻¹: 0 to 1, but for rounding. */
double ridge_parameters(const struct ridge *ridge)
{
    size_t n = ridge->count;
    double sum = 1, *diagonal = malloc((n + 1) * sizeof *diagonal);
    bool ok = diagonal && cholesky_inverse_diagonal(ridge->factor, n, diagonal);
    for (size_t j = 0; ok && j < n; j++)
        if (ridge->deviation[j] > 0)
            sum += 1 - fmin(fmax(ridge->penalties[j] * diagonal[j], 0), 1);
    free(diagonal);
    return ok ? sum : NAN;
}

/* In the units of the columns, whose squares are doubles. */
static void scale_weights(const struct ridge *ridge, const struct gram *gram, double *weights)
{
    for (size_t j = 0; j < ridge->count; j++)
        weights[j] = ldexp(ridge->weights[j], gram->exponent[j] - gram->exponent[ridge->count]);
}

double ridge_error(const struct ridge *ridge, const struct gram *gram)
{
    size_t n = ridge->count;
    double weights[ENCODING_ROOM], squares = covariance_row(gram, n)[n];
    double bias = ridge->intercept - gram->mean[n];
    scale_weights(ridge, gram, weights);
    for (size_t j = 0; j < n; j++) {
        const double *row = covariance_row(gram, j);
        double products = weights[j] * row[j] / 2 - row[n];
        for (size_t k = j + 1; k < n; k++)
            products += weights[k] * row[k];
        squares += 2 * weights[j] * products;
        bias += ridge->weights[j] * gram->mean[j];
    }
    bias = ldexp(bias, -gram->exponent[n]);
    return ldexp(bias * bias + (squares > 0 ? squares : 0), 2 * gram->exponent[n]);
}
