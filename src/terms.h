/* Terms: what a model that is not linear in the features is linear in.
 *
 * A feature x becomes t = (x − centre) 2^−exponent, in ±8; centre and exponent, about mean and
 * standard deviation, are fixed when the terms are made, and so is everything else here: the same
 * rows have the same terms wherever and whenever they are made. Polynomial terms are t, the
 * products of two, the products of three. Fourier terms are t; softened values and their products,
 * u = 1.6 t / (1 + 0.6 |t|), which outliers do not carry far; and cosines of random directions
 * (Rahimi & Recht 2007, "Random features for large-scale kernel machines") of softened values,
 * where the 0.6 is 0.3.
 *
 * Each value is rounded to a whole number of at most 24 bits, so that sums of products of some
 * hundred rows are exact in plain doubles, in any order (term_sums.h). */
#ifndef TRENDLINE_TERMS_H
#define TRENDLINE_TERMS_H

#include <stdbool.h>
#include <stddef.h>

enum {
    TERMS_MAX = 320,         /* of one kind: more are not made, see terms_new */
    TERMS_COSINES_MAX = 250, /* of them */
    TERMS_BITS = 23          /* no value is beyond ±2^23 */
};

/* Where a column lies: x is (x − centre) 2^−exponent there. */
struct place {
    double centre;
    int exponent;
};

enum { PLACE_EXPONENT_MAX = 1000 };

/* For a column with that mean and standard deviation (0: constant). */
struct place place_of(double mean, double deviation);

enum terms_kind { TERMS_POLYNOMIAL, TERMS_FOURIER };

struct terms;

/* Polynomial terms up to the third degree, or as many degrees as TERMS_MAX allows; Fourier terms,
 * with products of as many degrees as leave room for 128 cosines. NULL with more features than
 * leave room for cosines, or without memory (*no_memory). `places` is copied. */
struct terms *terms_new(enum terms_kind kind, const struct place *places, size_t features,
                        bool *no_memory);
void terms_free(struct terms *terms); /* NULL is fine */

size_t terms_features(const struct terms *terms);
size_t terms_count(const struct terms *terms);
int terms_degree(const struct terms *terms); /* the highest there is */
/* How many polynomial terms are of that degree or less: they come first. */
size_t terms_up_to(const struct terms *terms, int degree);

/* The terms of a row, as whole numbers; the unit of term i is 2^-terms_unit(terms, i). */
void terms_values(const struct terms *terms, const double *row, double *values);
int terms_unit(const struct terms *terms, size_t i);

/* Which features a term is a product of as they are, in order: how many, up to 3; 0: it is another
 * function of them. */
enum { TERMS_DEGREE_MAX = 3 };
int terms_factors(const struct terms *terms, size_t i, size_t factors[static TERMS_DEGREE_MAX]);

#endif
