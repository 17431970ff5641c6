/* generate ROWS FEATURES ndjson|curved|ids|json|tsv|test [FIRST]: made-up rows on standard output,
 * the same each time.
 *
 * ids is ndjson with an _id, a number from FIRST (1) on; curved is ndjson whose target has
 * x_j²·x_k / 10^4 of neighbouring features as well. tsv has the target as its last column;
 * json (one array) and test (a table) have no target. The values have the digits that measurements
 * have: x uniform in ±100 with 4 decimals, and the target Σ j·x_j plus noise. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double uniform(void) /* in [-1, 1) */
{
    static uint64_t state = 88172645463325252ULL; /* xorshift64, Marsaglia 2003 */
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(int64_t)state * 0x1p-63;
}

static double make_row(double *row, int features)
{
    double target = uniform();
    for (int j = 0; j < features; j++)
        target += (j + 1) * (row[j] = 100 * uniform());
    return target;
}

static double curve(const double *row, int features)
{
    double sum = 0;
    for (int j = 0; j < features; j++)
        sum += 1e-4 * row[j] * row[j] * row[(j + 1) % features];
    return sum;
}

static void print_object(const double *row, int features)
{
    for (int j = 0; j < features; j++)
        printf("%s\"x%d\":%.4f", j ? "," : "", j + 1, row[j]);
}

static void print_cells(const double *row, int features)
{
    for (int j = 0; j < features; j++)
        printf("%s%.4f", j ? "\t" : "", row[j]);
}

static void print_header(int features, bool with_target)
{
    for (int j = 0; j < features; j++)
        printf("%sx%d", j ? "\t" : "", j + 1);
    puts(with_target ? "\ttarget" : "");
}

enum kind { NDJSON, CURVED, IDS, JSON, TSV, TEST, UNKNOWN };

static enum kind kind_of(const char *name)
{
    static const char *const names[] = {"ndjson", "curved", "ids", "json", "tsv", "test"};
    int kind = 0;
    while (kind < UNKNOWN && strcmp(names[kind], name) != 0)
        kind++;
    return (enum kind)kind;
}

static void print_row(enum kind kind, const double *row, int features, double target, long number)
{
    if (kind == TSV || kind == TEST)
        print_cells(row, features);
    if (kind == IDS)
        printf("{\"_id\":%ld,", number);
    else if (kind == NDJSON || kind == CURVED || kind == JSON)
        putchar('{');
    if (kind == NDJSON || kind == CURVED || kind == IDS || kind == JSON)
        print_object(row, features);
    if (kind == NDJSON || kind == CURVED || kind == IDS)
        printf(",\"target\":%.4f}\n", target);
    else if (kind == TSV)
        printf("\t%.4f\n", target);
    else
        puts(kind == JSON ? "}" : "");
}

int main(int argc, char **argv)
{
    long rows = argc >= 4 ? atol(argv[1]) : 0, first = argc > 4 ? atol(argv[4]) : 1;
    int features = argc >= 4 ? atoi(argv[2]) : 0;
    enum kind kind = argc >= 4 ? kind_of(argv[3]) : UNKNOWN;
    double *row = calloc(features > 0 ? (size_t)features : 1, sizeof *row);
    if (rows <= 0 || features <= 0 || kind == UNKNOWN || !row) {
        fprintf(stderr, "usage: generate ROWS FEATURES ndjson|curved|ids|json|tsv|test [FIRST]\n");
        return EXIT_FAILURE;
    }
    if (kind == TSV || kind == TEST)
        print_header(features, kind == TSV);
    for (long i = 0; i < rows; i++) {
        double target = make_row(row, features);
        if (kind == CURVED)
            target += curve(row, features);
        if (kind == JSON)
            putchar(i ? ',' : '[');
        print_row(kind, row, features, target, first + i);
    }
    if (kind == JSON)
        puts("]");
    free(row);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
