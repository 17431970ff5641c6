/* Encoding and symbols: the columns of a row, in an order that does not depend on which rows came
 * first; sums of rows that came before a level are as if it had always been there. */
#include "check.h"
#include "encoding.h"
#include "folds.h"
#include "levels.h"
#include "symbols.h"

#include <math.h>
#include <stdlib.h>

static struct error error;

enum { FEATURES = 3, ROWS = 200 };

static const enum cell_kind kinds[FEATURES] = {CELL_NUMBER, CELL_CATEGORY, CELL_NUMBER};

static double code_of(const char *text)
{
    double code = 0;
    CHECK(symbol_keep(text, strlen(text), &code, &error), "%s: %s", text, error.text);
    return code;
}

static void test_symbols(void)
{
    enum { MANY = 5000 };
    char text[32];
    for (int i = 0; i < MANY; i++) {
        snprintf(text, sizeof text, "level %d", i);
        double code = code_of(text);
        CHECK(code >= 1 && code < 2, "%s: %g", text, code);
        CHECK_DOUBLE(code, symbol_code(text, strlen(text)));
    }
    for (int i = 0; i < MANY; i++) {
        snprintf(text, sizeof text, "level %d", i);
        const char *kept = symbol_text(symbol_code(text, strlen(text)));
        CHECK(kept && strcmp(kept, text) == 0, "%s: %s", text, kept ? kept : "is not kept");
    }
    CHECK(!symbol_text(symbol_code("never kept", 10)), "what was not kept");
}

static bool is_red(void *context, double code)
{
    (void)context;
    return code == symbol_code("red", 3);
}

static void test_forgotten_symbols(void)
{
    code_of("red");
    code_of("green");
    symbols_forget(is_red, NULL);
    CHECK_INT(1, symbols_count());
    CHECK(symbol_text(symbol_code("red", 3)), "what is used is kept");
    CHECK(!symbol_text(symbol_code("green", 5)), "what is not is forgotten");
    code_of("green");
    CHECK_INT(2, symbols_count());
}

static void test_bad_symbols(void)
{
    char long_text[SYMBOL_LENGTH_MAX + 2];
    double code;
    memset(long_text, 'x', sizeof long_text);
    CHECK(!symbol_keep("", 0, &code, &error), "empty");
    CHECK(!symbol_keep(long_text, SYMBOL_LENGTH_MAX + 1, &code, &error), "too long");
    CHECK(symbol_keep(long_text, SYMBOL_LENGTH_MAX, &code, &error), "as long as may be");
    CHECK(!symbol_keep("a\tb", 3, &code, &error), "a control character");
    CHECK(!symbol_keep("\xff", 1, &code, &error), "not UTF-8");
    CHECK_INT(ERROR_UNUSABLE, error.kind);
}

static void make_row(double row[static FEATURES + 1])
{
    static const char *const levels[] = {"red", "green", "blue", "amber", "Zinc"};
    row[0] = rand() % 7 == 0 ? NAN : rand() % 100 / 8.0;
    row[1] = rand() % 9 == 0 ? NAN : code_of(levels[rand() % 5]);
    row[2] = rand() % 50 / 4.0;
    row[3] = rand() % 1000 / 16.0;
}

static void names_of(const struct encoding *encoding, struct buffer *out)
{
    static char a[] = "a", b[] = "b", c[] = "c", *const names[] = {a, c, b};
    buffer_clear(out);
    for (size_t j = 0; j < encoding->columns; j++) {
        column_name(names, encoding, j, out);
        buffer_puts(out, ";");
    }
    buffer_append(out, "", 1);
}

static void test_columns(void)
{
    struct encoding *encoding = encoding_new(kinds, FEATURES);
    struct buffer names = {0};
    size_t feature;
    double room[ENCODING_ROOM], row[] = {1.5, code_of("red"), 2, 9};
    CHECK_INT(2, encoding->columns);
    CHECK(!encoding_knows(encoding, row), "red is new");
    CHECK_INT(ENCODING_OK, encoding_extend(encoding, row, true, &feature));
    row[1] = code_of("blue");
    row[2] = NAN;
    CHECK_INT(ENCODING_OK, encoding_extend(encoding, row, true, &feature));
    names_of(encoding, &names);
    CHECK(strcmp(names.data, "a;c=blue;c=red;b;b is missing;") == 0, "%s", names.data);
    const double *columns = encoding_row(encoding, row, NULL, room);
    const double wanted[] = {1.5, 1, 0, 0, 1, 9};
    CHECK(memcmp(columns, wanted, sizeof wanted) == 0, "the columns");
    encoding_set_bases(encoding, NULL);
    names_of(encoding, &names);
    CHECK(strcmp(names.data, "a;c=red;b;b is missing;") == 0, "%s", names.data);
    row[1] = code_of("mauve");
    columns = encoding_row(encoding, row, NULL, room);
    CHECK(columns[1] == 0, "an unknown level is the base");
    buffer_free(&names);
    encoding_free(encoding);
}

static void test_limits(void)
{
    struct encoding *encoding = encoding_new(kinds, FEATURES);
    size_t feature;
    double row[] = {0, 0, 0, 0};
    char text[32];
    for (int i = 0; i < ENCODING_LEVELS_MAX; i++) {
        snprintf(text, sizeof text, "level %d", i);
        row[1] = code_of(text);
        CHECK_INT(ENCODING_OK, encoding_extend(encoding, row, true, &feature));
    }
    row[1] = code_of("one more");
    CHECK_INT(ENCODING_LEVELS, encoding_extend(encoding, row, true, &feature));
    CHECK_INT(1, feature);
    CHECK_INT(ENCODING_OK, encoding_extend(encoding, row, false, &feature));
    encoding_free(encoding);
}

static struct folds *learn(double (*rows)[FEATURES + 1], int from, int to, int step)
{
    struct folds *folds = folds_new(kinds, FEATURES, FOLDS);
    size_t feature;
    for (int i = from; i != to; i += step) {
        CHECK(folds_reserve(folds, rows[i], 1, &feature, &error), "%s", error.text);
        folds_add(folds, rows[i], 1);
    }
    return folds;
}

static bool same(const struct folds *a, const struct folds *b)
{
    bool equal = encoding_equal(a->encoding, b->encoding);
    for (size_t k = 0; equal && k < FOLDS; k++)
        equal = moments_equal(a->moments[k], b->moments[k]);
    return equal;
}

/* Of any order, in two parts, with the features in another order and back. */
static void test_sums(void)
{
    static double rows[ROWS][FEATURES + 1];
    srand(3);
    for (int i = 0; i < ROWS; i++)
        make_row(rows[i]);
    struct folds *all = learn(rows, 0, ROWS, 1), *backwards = learn(rows, ROWS - 1, -1, -1);
    struct folds *first = learn(rows, 0, 3, 1), *rest = learn(rows, 3, ROWS, 1);
    CHECK(same(all, backwards), "backwards");
    CHECK(folds_merge(first, rest) && same(all, first), "a few rows and the rest");
    folds_free(first);
    first = learn(rows, 0, 3, 1);
    CHECK(folds_merge(rest, first) && same(all, rest), "the rest and a few rows");
    struct folds_set set = {2, {first, rest}, NULL};
    struct encoding *encoding = folds_set_encoding(&set, NULL);
    set.encoding = encoding;
    struct moments *sum = folds_set_moments(&set);
    CHECK_INT(encoding->columns, moments_features(sum));
    CHECK_INT(ROWS + 3, moments_rows(sum));
    CHECK_INT(all->encoding->columns - 1, encoding->columns);
    moments_free(sum);
    encoding_free(encoding);
    folds_free(all);
    folds_free(backwards);
    folds_free(first);
    folds_free(rest);
}

/* A level and a gap that were reserved, but no row has. */
static void test_unused(void)
{
    struct folds *folds = folds_new(kinds, FEATURES, 1);
    double known[FEATURES + 1] = {1, code_of("red"), 2, 3};
    double new[FEATURES + 1] = {NAN, code_of("mauve"), 2, 3};
    size_t feature;
    CHECK(folds_reserve(folds, known, 1, &feature, &error), "%s", error.text);
    folds_add(folds, known, 1);
    struct encoding *before = encoding_copy(folds->encoding);
    CHECK(folds_reserve(folds, new, 1, &feature, &error), "%s", error.text);
    struct encoding *after = encoding_copy(folds->encoding);
    CHECK(folds_forget_unused(folds, after), "out of memory");
    CHECK(encoding_equal(after, folds->encoding), "what others have stays");
    CHECK(folds_forget_unused(folds, NULL), "out of memory");
    CHECK(encoding_equal(before, folds->encoding), "else all is as before");
    encoding_free(before);
    encoding_free(after);
    folds_free(folds);
}

static void test_reorder(void)
{
    static const size_t from[] = {1, 2, 0}, back[] = {2, 0, 1};
    static double rows[ROWS][FEATURES + 1];
    for (int i = 0; i < ROWS; i++)
        make_row(rows[i]);
    struct folds *one = folds_new(kinds, FEATURES, 1), *two = folds_new(kinds, FEATURES, 1);
    for (int i = 0; i < ROWS; i++) {
        CHECK(folds_reserve_accepted(one, rows[i], 1) && folds_reserve_accepted(two, rows[i], 1),
              "memory");
        folds_add(one, rows[i], 1);
        folds_add(two, rows[i], 1);
    }
    CHECK(folds_reorder(two, from), "memory");
    CHECK(two->encoding->of[0].kind == CELL_CATEGORY, "the category comes first");
    CHECK(!encoding_equal(one->encoding, two->encoding), "the order has changed");
    CHECK(folds_reorder(two, back), "memory");
    CHECK(encoding_equal(one->encoding, two->encoding), "and back");
    CHECK(moments_equal(one->moments[0], two->moments[0]), "the sums too");
    folds_free(one);
    folds_free(two);
}

static void test_json(void)
{
    static const char *const names[] = {"a", "c", "b"};
    struct schema *schema = schema_new(names, kinds, FEATURES, &error);
    struct encoding *encoding = encoding_new(kinds, FEATURES);
    double row[FEATURES + 1];
    size_t feature;
    for (int i = 0; i < ROWS; i++) {
        make_row(row);
        CHECK_INT(ENCODING_OK, encoding_extend(encoding, row, true, &feature));
    }
    for (int with_bases = 0; with_bases < 2; with_bases++) {
        struct buffer text = {0};
        if (with_bases)
            encoding_set_base(encoding, 1, code_of("red"));
        buffer_puts(&text, "{\"x\": 1");
        levels_write(schema, encoding, "\n", &text);
        buffer_puts(&text, "}");
        struct json *json = json_parse(text.data, text.length, &error);
        struct encoding *read = levels_parse(schema, json, with_bases, &error);
        CHECK(read && encoding_equal(encoding, read), "%.*s", (int)text.length, text.data);
        encoding_free(read);
        json_free(json);
        buffer_free(&text);
    }
    static const char *const bad[] = {
        "{\"levels\": {\"a\": [\"x\"]}}", "{\"levels\": {\"z\": [\"x\"]}}",
        "{\"levels\": {\"c\": [1]}}",     "{\"levels\": {\"c\": [\"\"]}}",
        "{\"missing\": [\"z\"]}",         "{\"missing\": [7]}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct json *json = json_parse(bad[i], strlen(bad[i]), &error);
        CHECK(!levels_parse(schema, json, false, &error), "%s", bad[i]);
        CHECK_INT(ERROR_DAMAGED, error.kind);
        json_free(json);
    }
    schema_free(schema);
    encoding_free(encoding);
}

int main(void)
{
    test_symbols();
    test_forgotten_symbols();
    test_bad_symbols();
    test_columns();
    test_limits();
    test_sums();
    test_unused();
    test_reorder();
    test_json();
    return check_report("encoding");
}
