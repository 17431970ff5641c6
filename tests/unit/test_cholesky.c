#include "check.h"
#include "cholesky.h"

#include <math.h>
#include <stdint.h>

enum { SIZE_MAX_TESTED = 45 };

/* Entry (j, k), j ≤ k, of a matrix that is positive definite by its diagonal. */
static double entry(size_t j, size_t k)
{
    return j == k ? 50 + (double)j / 3 : sin((double)(7 * j + 3 * k));
}

/* Column by column, row by row, as the header has it. */
static void factorise_plainly(double *matrix, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        for (size_t k = 0; k < j; k++)
            for (size_t i = j; i < n; i++)
                matrix[j * n + i] -= matrix[k * n + j] * matrix[k * n + i];
        double root = sqrt(matrix[j * n + j]);
        for (size_t i = j; i < n; i++)
            matrix[j * n + i] /= root;
    }
}

static void fill(double *matrix, size_t n)
{
    for (size_t j = 0; j < n; j++)
        for (size_t k = 0; k < n; k++)
            matrix[j * n + k] = k < j ? NAN : entry(j, k);
}

/* However many rows and columns are taken at once. */
static void test_same_bits(void)
{
    static double plain[SIZE_MAX_TESTED * SIZE_MAX_TESTED], got[SIZE_MAX_TESTED * SIZE_MAX_TESTED];
    for (size_t n = 0; n <= SIZE_MAX_TESTED; n++) {
        size_t odd = 0;
        fill(plain, n);
        fill(got, n);
        factorise_plainly(plain, n);
        CHECK(cholesky_factorise(got, n), "size %zu", n);
        for (size_t j = 0; j < n; j++)
            for (size_t i = j; i < n; i++)
                odd += plain[j * n + i] != got[j * n + i];
        CHECK(odd == 0, "size %zu: %zu entries", n, odd);
    }
}

static void test_solution(void)
{
    double matrix[SIZE_MAX_TESTED * SIZE_MAX_TESTED], x[SIZE_MAX_TESTED] = {0};
    size_t n = SIZE_MAX_TESTED;
    fill(matrix, n);
    for (size_t j = 0; j < n; j++)
        for (size_t k = 0; k < n; k++)
            x[j] += (double)(k + 1) * (j < k ? entry(j, k) : entry(k, j));
    CHECK(cholesky_factorise(matrix, n), "positive definite");
    cholesky_substitute(matrix, n, x);
    for (size_t k = 0; k < n; k++)
        CHECK(fabs(x[k] - (double)(k + 1)) < 1e-12, "unknown %zu is %.17g", k, x[k]);
}

static void test_not_positive_definite(void)
{
    for (size_t bad = 0; bad < 9; bad++) {
        double matrix[81];
        fill(matrix, 9);
        matrix[bad * 9 + bad] = bad % 2 ? -1 : NAN;
        CHECK(!cholesky_factorise(matrix, 9), "column %zu", bad);
    }
}

int main(void)
{
    test_same_bits();
    test_solution();
    test_not_positive_definite();
    return check_report("test_cholesky");
}
