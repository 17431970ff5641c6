#include "cholesky.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    PANEL = 4, /* columns that are subtracted at once: a quarter of the way to memory */
    LANES = 4  /* rows at once, told because gcc -O2 leaves loops of any length as they are */
};

typedef double lanes
    __attribute__((vector_size(LANES * sizeof(double)), aligned(sizeof(double)), may_alias));

#ifdef __x86_64__
__attribute__((target_clones("default", "avx2")))
#endif
static void
subtract_column(double *restrict to, const double *restrict from, double factor, size_t count)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        *(lanes *)(to + i) -= factor * *(const lanes *)(from + i);
    for (; i < count; i++)
        to[i] -= factor * from[i];
}

/* The columns of a panel, which are n apart, each times what it has in the first of the rows, which
 * are those of `to`. */
#ifdef __x86_64__
__attribute__((target_clones("default", "avx2")))
#endif
static void
subtract_panel(double *restrict to, const double *restrict panel, size_t n, size_t count)
{
    const double *a = panel, *b = a + n, *c = b + n, *d = c + n;
    double at_a = *a, at_b = *b, at_c = *c, at_d = *d;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        *(lanes *)(to + i) = *(lanes *)(to + i) - at_a * *(const lanes *)(a + i) -
                             at_b * *(const lanes *)(b + i) - at_c * *(const lanes *)(c + i) -
                             at_d * *(const lanes *)(d + i);
    for (; i < count; i++)
        to[i] = to[i] - at_a * a[i] - at_b * b[i] - at_c * c[i] - at_d * d[i];
}

/* Columns `first` to `last` of the factor, of which those before `first` have been subtracted. */
static bool finish_columns(double *matrix, size_t n, size_t first, size_t last)
{
    for (size_t j = first; j < last; j++) {
        double *column = matrix + j * n;
        for (size_t k = first; k < j; k++)
            subtract_column(column + j, matrix + k * n + j, matrix[k * n + j], n - j);
        if (!(column[j] > 0))
            return false;
        double root = sqrt(column[j]);
        for (size_t i = j; i < n; i++)
            column[i] /= root;
    }
    return true;
}

bool cholesky_factorise(double *matrix, size_t n)
{
    size_t first = 0;
    for (; first + PANEL <= n; first += PANEL) {
        if (!finish_columns(matrix, n, first, first + PANEL))
            return false;
        for (size_t k = first + PANEL; k < n; k++)
            subtract_panel(matrix + k * n + k, matrix + first * n + k, n, n - k);
    }
    return finish_columns(matrix, n, first, n);
}

void cholesky_substitute(const double *factor, size_t n, double *x)
{
    for (size_t j = 0; j < n; j++) {
        const double *column = factor + j * n;
        x[j] /= column[j];
        subtract_column(x + j + 1, column + j + 1, x[j], n - j - 1);
    }
    for (size_t j = n; j-- > 0;) {
        const double *column = factor + j * n;
        for (size_t i = j + 1; i < n; i++)
            x[j] -= column[i] * x[i];
        x[j] /= column[j];
    }
}

/* Columns of an inverse that are made at once: two times LANES, as gcc keeps no more in a register.
 */
struct side {
    lanes low, high;
};

enum { SIDE = 2 * LANES };

static void begin_columns(struct side *inverse, size_t first, size_t n)
{
    memset(inverse + first, 0, (n - first) * sizeof *inverse);
    for (size_t lane = 0; lane < SIDE && first + lane < n; lane++)
        (lane < LANES ? &inverse[first + lane].low : &inverse[first + lane].high)[0][lane % LANES] =
            1;
}

static inline void divide(struct side *row, double by)
{
    row->low /= by;
    row->high /= by;
}

/* Columns `first` and on of the inverse of L, a row of `inverse` for each of theirs: two columns of
 * L at a time, which halves the way to memory. */
#ifdef __x86_64__
__attribute__((target_clones("default", "avx2")))
#endif
static void
invert_columns(const double *factor, size_t n, size_t first, struct side *restrict inverse)
{
    begin_columns(inverse, first, n);
    for (size_t k = first; k < n; k += 2) {
        const double *one = factor + k * n, *two = one + n;
        divide(&inverse[k], one[k]);
        if (k + 1 == n)
            return;
        struct side a = inverse[k], b = inverse[k + 1];
        b.low -= one[k + 1] * a.low;
        b.high -= one[k + 1] * a.high;
        divide(&b, two[k + 1]);
        inverse[k + 1] = b;
        for (size_t i = k + 2; i < n; i++) {
            inverse[i].low = inverse[i].low - one[i] * a.low - two[i] * b.low;
            inverse[i].high = inverse[i].high - one[i] * a.high - two[i] * b.high;
        }
    }
}

bool cholesky_inverse_diagonal(const double *factor, size_t n, double *diagonal)
{
    struct side *inverse = malloc((n + 1) * sizeof *inverse);
    for (size_t first = 0; inverse && first < n; first += SIDE) {
        struct side squares = {0};
        invert_columns(factor, n, first, inverse);
        for (size_t i = first; i < n; i++) {
            squares.low += inverse[i].low * inverse[i].low;
            squares.high += inverse[i].high * inverse[i].high;
        }
        for (size_t lane = 0; lane < SIDE && first + lane < n; lane++)
            diagonal[first + lane] = (lane < LANES ? squares.low : squares.high)[lane % LANES];
    }
    free(inverse);
    return inverse != NULL;
}
