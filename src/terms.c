#include "terms.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLIP_BITS = 3,        /* t is in ±2^3 */
    SOFT_BITS = 2,        /* softened values are in ±2^2 */
    COSINES_MIN = 64,     /* fewer are not worth their while */
    COSINES_WANTED = 128, /* there are no products rather than fewer than that */
    SCALES = 4,           /* of lengths, from wide waves to narrow ones */
    UNIFORMS = 12,        /* whose sum, less 6, is as good as normal */
    SERIES = 7            /* terms of the sine's series: right to 1e-9 */
};

#define SEED UINT64_C(0x7472656e646c696e)
/* Of products and of waves: chosen, as the scales, on the sets of `make bench-accuracy`. */
#define PRODUCT_SOFTNESS 0.6
#define WAVE_SOFTNESS    0.3

struct terms {
    size_t features, count, cosines;
    size_t plain; /* so many features as they are, before the products: Fourier terms alone */
    int degree;   /* of the products */
    size_t up_to[TERMS_DEGREE_MAX + 1];
    struct place *places;
    uint16_t (*factors)[TERMS_DEGREE_MAX]; /* of the polynomial terms */
    double *directions; /* features by cosines, in turns: for each feature a row */
    double *phases;     /* in turns */
};

struct place place_of(double mean, double deviation)
{
    int exponent = 0;
    if (deviation > 0 && isfinite(deviation))
        exponent = (int)lrint(log2(deviation));
    if (exponent > PLACE_EXPONENT_MAX)
        exponent = PLACE_EXPONENT_MAX;
    if (exponent < -PLACE_EXPONENT_MAX)
        exponent = -PLACE_EXPONENT_MAX;
    return (struct place){isfinite(mean) ? mean : 0, exponent};
}

/* Of so many features, the products of exactly `degree` of them. */
static size_t products(size_t features, int degree)
{
    size_t count = 1;
    for (int d = 0; d < degree; d++)
        count = count * (features + d) / (d + 1);
    return count;
}

/* Appends the products of `degree` features. */
static void add_products(struct terms *terms, int degree)
{
    size_t n = terms->features;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i; j < (degree > 1 ? n : i + 1); j++)
            for (size_t k = j; k < (degree > 2 ? n : j + 1); k++) {
                uint16_t *factors = terms->factors[terms->up_to[degree]++];
                factors[0] = (uint16_t)i;
                factors[1] = (uint16_t)j;
                factors[2] = (uint16_t)k;
            }
}

static void make_products(struct terms *terms)
{
    for (int degree = 1; degree <= TERMS_DEGREE_MAX; degree++) {
        terms->up_to[degree] = terms->up_to[degree - 1];
        if (degree <= terms->degree)
            add_products(terms, degree);
    }
}

/* Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators". */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static double next_uniform(uint64_t *state)
{
    return (double)(next_random(state) >> 11) * 0x1p-53;
}

/* Nothing but additions, so that it is the same on every machine. */
static double next_normal(uint64_t *state)
{
    double sum = -UNIFORMS / 2;
    for (int i = 0; i < UNIFORMS; i++)
        sum += next_uniform(state);
    return sum;
}

static double dot(const double *a, const double *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

/* A direction that is orthogonal to those before it in its group, so that they do not repeat each
 * other (Yu et al. 2016, "Orthogonal random features"); of length 1. */
static void make_direction(double *group, size_t index, size_t features, uint64_t *state)
{
    double *direction = group + index * features, squares;
    do {
        for (size_t i = 0; i < features; i++)
            direction[i] = next_normal(state);
        for (size_t k = 0; k < index; k++) {
            double along = dot(direction, group + k * features, features);
            for (size_t i = 0; i < features; i++)
                direction[i] -= along * group[k * features + i];
        }
        squares = dot(direction, direction, features);
    } while (squares < 1e-6);
    for (size_t i = 0; i < features; i++)
        direction[i] /= sqrt(squares);
}

/* As long as a vector of so many normal numbers. */
static double next_length(size_t features, uint64_t *state)
{
    double squares = 0;
    for (size_t i = 0; i < features; i++) {
        double normal = next_normal(state);
        squares += normal * normal;
    }
    return sqrt(squares);
}

/* By Newton's steps, from above: divisions have the same bits everywhere, libraries' roots not. */
static double cube_root(double value)
{
    double root = value, next;
    while ((next = (2 * root + value / (root * root)) / 3) < root)
        root = next;
    return root;
}

/* Frequencies in radians for each unit of s: the more features, the wider the waves. Chosen on the
 * sets of `make bench-accuracy` and on sines of one and two features. */
static double scale_of(size_t cosine, size_t features)
{
    double p = (double)features, widest = 0.4 / sqrt(p), narrowest = fmax(3 / p, 2 * widest);
    double step = cube_root(narrowest / widest); /* SCALES - 1 steps */
    double scale = widest;
    for (size_t i = 0; i < cosine % SCALES; i++)
        scale *= step;
    return scale;
}

static bool make_cosines(struct terms *terms)
{
    uint64_t state = SEED;
    size_t n = terms->features;
    double *group = malloc(n * n * sizeof *group);
    for (size_t c = 0; group && c < terms->cosines; c++) {
        make_direction(group, c % n, n, &state);
        double turns = next_length(n, &state) * scale_of(c, n) / (2 * M_PI);
        for (size_t i = 0; i < n; i++)
            terms->directions[i * terms->cosines + c] = group[c % n * n + i] * turns;
        terms->phases[c] = next_uniform(&state);
    }
    free(group);
    return group != NULL;
}

/* As many degrees of products as leave the room that is wanted for cosines. */
static int degree_for(size_t features, size_t count, size_t room)
{
    int degree = 0;
    while (degree < TERMS_DEGREE_MAX && (count += products(features, degree + 1)) <= room)
        degree++;
    return degree;
}

static bool allocate(struct terms *terms, const struct place *places)
{
    size_t n = terms->features;
    terms->places = malloc(n * sizeof *places);
    terms->factors = calloc(terms->count, sizeof *terms->factors);
    terms->directions = calloc(n * terms->cosines + 1, sizeof *terms->directions);
    terms->phases = calloc(terms->cosines + 1, sizeof *terms->phases);
    if (!terms->places || !terms->factors || !terms->directions || !terms->phases)
        return false;
    memcpy(terms->places, places, n * sizeof *places);
    return true;
}

struct terms *terms_new(enum terms_kind kind, const struct place *places, size_t features,
                        bool *no_memory)
{
    *no_memory = false;
    if (features == 0 || features > TERMS_MAX - COSINES_MIN)
        return NULL;
    struct terms *terms = calloc(1, sizeof *terms);
    if (!terms)
        return *no_memory = true, NULL;
    terms->features = features;
    terms->plain = kind == TERMS_FOURIER ? features : 0;
    terms->degree = degree_for(features, terms->plain,
                               TERMS_MAX - (kind == TERMS_FOURIER ? COSINES_WANTED : 0));
    terms->count = terms->plain;
    for (int degree = 1; degree <= terms->degree; degree++)
        terms->count += products(features, degree);
    if (kind == TERMS_FOURIER) {
        size_t room = TERMS_MAX - terms->count;
        terms->cosines = room < TERMS_COSINES_MAX ? room : TERMS_COSINES_MAX;
        terms->count += terms->cosines;
    }
    if (allocate(terms, places)) {
        make_products(terms);
        if (make_cosines(terms))
            return terms;
    }
    terms_free(terms);
    return *no_memory = true, NULL;
}

void terms_free(struct terms *terms)
{
    if (!terms)
        return;
    free(terms->places);
    free(terms->factors);
    free(terms->directions);
    free(terms->phases);
    free(terms);
}

size_t terms_features(const struct terms *terms)
{
    return terms->features;
}

size_t terms_count(const struct terms *terms)
{
    return terms->count;
}

int terms_degree(const struct terms *terms)
{
    return terms->degree;
}

size_t terms_up_to(const struct terms *terms, int degree)
{
    return terms->up_to[degree];
}

/* Of products: the place of term i among them. */
static int degree_of(const struct terms *terms, size_t i)
{
    int degree = 1;
    while (degree <= terms->degree && i >= terms->up_to[degree])
        degree++;
    return degree;
}

int terms_factors(const struct terms *terms, size_t i, size_t factors[static TERMS_DEGREE_MAX])
{
    if (i < terms->plain)
        return factors[0] = i, 1;
    int degree = degree_of(terms, i);
    if (terms->plain > 0 || degree > terms->degree)
        return 0;
    for (int d = 0; d < degree; d++)
        factors[d] = terms->factors[i][d];
    return degree;
}

int terms_unit(const struct terms *terms, size_t i)
{
    if (i < terms->plain)
        return TERMS_BITS - CLIP_BITS;
    int degree = degree_of(terms, i - terms->plain);
    if (degree > terms->degree)
        return TERMS_BITS;
    return TERMS_BITS - (terms->plain > 0 ? SOFT_BITS : CLIP_BITS) * degree;
}

/* The nearest whole number, for magnitudes below 2^51. */
static inline double whole(double value)
{
    return value + 0x1.8p52 - 0x1.8p52;
}

static double placed(double x, struct place place)
{
    double t = ldexp(x - place.centre, -place.exponent), most = 1 << CLIP_BITS;
    return t > most ? most : t < -most ? -most : t;
}

/* sin(2 π turns) for a quarter of a turn to either side, by Taylor's series. */
static inline double sine(double turns)
{
    static const double series[SERIES] = {
        1, -1.0 / 6, 1.0 / 120, -1.0 / 5040, 1.0 / 362880, -1.0 / 39916800, 1.0 / 6227020800};
    double x = 2 * M_PI * turns, square = x * x, sum = series[SERIES - 1];
    for (int i = SERIES - 2; i >= 0; i--)
        sum = sum * square + series[i];
    return sum * x;
}

/* cos(2 π turns), of our own so that it has the same bits everywhere. */
static inline double cosine(double turns)
{
    double part = fabs(turns - whole(turns)); /* in [0, 1/2] */
    return sine(0.25 - part);
}

static void add_wave(double *turns, const double *directions, double value, size_t count)
{
    for (size_t c = 0; c < count; c++)
        turns[c] += directions[c] * value;
}

static inline double softened(double t, double softness)
{
    return t * (1 + softness) / (1 + softness * fabs(t));
}

static void cosine_values(const struct terms *terms, const double *t, double *values)
{
    memcpy(values, terms->phases, terms->cosines * sizeof *values);
    for (size_t i = 0; i < terms->features; i++)
        add_wave(values, terms->directions + i * terms->cosines, softened(t[i], WAVE_SOFTNESS),
                 terms->cosines);
    for (size_t c = 0; c < terms->cosines; c++)
        values[c] = whole(cosine(values[c]) * (1 << TERMS_BITS));
}

/* `bits`: how many of them a factor has before its point. */
static void product_values(const struct terms *terms, int degree, int bits, const double *factors,
                           double *values)
{
    double unit = ldexp(1, TERMS_BITS - bits * degree);
    for (size_t i = terms->up_to[degree - 1]; i < terms->up_to[degree]; i++) {
        const uint16_t *places = terms->factors[i];
        double product = factors[places[0]];
        for (int d = 1; d < degree; d++)
            product *= factors[places[d]];
        values[i] = whole(product * unit);
    }
}

static void polynomial_values(const struct terms *terms, const double *t, double *values)
{
    for (int degree = 1; degree <= terms->degree; degree++)
        product_values(terms, degree, CLIP_BITS, t, values);
}

static void fourier_values(const struct terms *terms, const double *t, double *values)
{
    double soft[TERMS_MAX];
    for (size_t i = 0; i < terms->features; i++) {
        soft[i] = softened(t[i], PRODUCT_SOFTNESS);
        values[i] = whole(t[i] * (1 << (TERMS_BITS - CLIP_BITS)));
    }
    values += terms->plain;
    for (int degree = 1; degree <= terms->degree; degree++)
        product_values(terms, degree, SOFT_BITS, soft, values);
    cosine_values(terms, t, values + terms->up_to[terms->degree]);
}

void terms_values(const struct terms *terms, const double *row, double *values)
{
    double t[TERMS_MAX];
    for (size_t i = 0; i < terms->features; i++)
        t[i] = placed(row[i], terms->places[i]);
    if (terms->plain > 0)
        fourier_values(terms, t, values);
    else
        polynomial_values(terms, t, values);
}
