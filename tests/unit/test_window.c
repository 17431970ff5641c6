/* The window: its sums are those of the last events, to the last bit, whatever came before and
 * however often the store was opened anew. */
#include "store_fixture.h"
#include "symbols.h"
#include "window.h"

#include <math.h>
#include <stdlib.h>

static void test_ring(void)
{
    double row[2], least, greatest;
    struct window *window = window_new(3, 2);
    window_range(window, 0, &least, &greatest);
    CHECK(least == INFINITY && greatest == -INFINITY, "of no rows");
    for (int i = 0; i < 10; i++) {
        const double *oldest = window_oldest(window);
        if (i < 3)
            CHECK(!oldest, "there is room for row %d", i);
        else
            CHECK_DOUBLE(i - 3, oldest[0]);
        row[0] = i;
        row[1] = -i;
        window_add(window, i, row);
    }
    window_range(window, 0, &least, &greatest);
    CHECK_DOUBLE(7, least);
    CHECK_DOUBLE(9, greatest);
    window_range(window, 1, &least, &greatest);
    CHECK_DOUBLE(-9, least);
    window_free(window);
    window_free(NULL);
}

/* ------------------------------------------------------------------ order */

enum { ROWS = 50, NUMBERS = 1000 };

static void shuffle(int64_t *numbers, size_t count)
{
    for (size_t i = count - 1; i > 0; i--) {
        size_t j = (size_t)rand() % (i + 1);
        int64_t other = numbers[i];
        numbers[i] = numbers[j];
        numbers[j] = other;
    }
}

static void add_number(struct window *window, int64_t seq)
{
    double row[] = {(double)seq, -(double)seq};
    if (!window_takes(window, seq))
        return;
    const double *oldest = window_oldest(window);
    CHECK(!oldest || oldest[0] < row[0], "%g makes room for %g", oldest[0], row[0]);
    window_add(window, seq, row);
}

/* The order of `step` events at a time is random. */
static void test_order(size_t step)
{
    int64_t numbers[NUMBERS];
    struct window *window = window_new(ROWS, 2);
    bool seen[NUMBERS] = {false};
    double least, greatest;
    for (size_t i = 0; i < NUMBERS; i++)
        numbers[i] = (int64_t)i;
    for (size_t i = 0; i < NUMBERS; i += step)
        shuffle(numbers + i, step);
    for (size_t i = 0; i < NUMBERS; i++) {
        add_number(window, numbers[i]);
        CHECK_INT(i + 1 < ROWS ? i + 1 : ROWS, window_count(window));
    }
    for (size_t i = 0; i < ROWS; i++) {
        const double *row = window_row(window, i);
        CHECK(row[0] >= NUMBERS - ROWS && row[1] == -row[0], "%g %g", row[0], row[1]);
        seen[(size_t)row[0]] = true;
    }
    for (size_t i = NUMBERS - ROWS; i < NUMBERS; i++)
        CHECK(seen[i], "%zu is there", i);
    window_range(window, 0, &least, &greatest);
    CHECK_DOUBLE(NUMBERS - ROWS, least);
    CHECK_DOUBLE(NUMBERS - 1, greatest);
    CHECK_DOUBLE(NUMBERS - ROWS, window_oldest(window)[0]);
    window_free(window);
}

/* ------------------------------------------------------------------ sums */

enum { FEATURES = 3, CELLS = FEATURES + 2, EVENTS = 600 };

static double level(int i)
{
    char text[16];
    double code = 0;
    int length = snprintf(text, sizeof text, "level %d", i);
    CHECK(symbol_keep(text, (size_t)length, &code, &store_error), "%s", store_error.text);
    return code;
}

/* Event i: awkward to sum, of a weight, of a level that only its neighbours have, and now and then
 * missing. */
static const double *numbered_row(int i)
{
    static double row[CELLS];
    row[0] = i % 7 ? 0.1 * i : 1e20;
    row[1] = level(i / 40);
    row[2] = i % 90 == 5 ? NAN : -i / 3.0;
    row[3] = i % 3 ? i : 1e9;
    row[4] = i % 4 ? 1 : 0.1 * (i % 11 + 1);
    return row;
}

static bool add(struct store *store, int from, int count)
{
    static const char *const names[] = {"a", "c", "b"};
    static const enum cell_kind kinds[] = {CELL_NUMBER, CELL_CATEGORY, CELL_NUMBER};
    int64_t seq;
    if (!store_schema(store)) {
        struct schema *schema = schema_new(names, kinds, FEATURES, &store_error);
        CHECK(store_set_schema(store, schema, &store_error), "%s", store_error.text);
        schema_free(schema);
    }
    for (int i = from; i < from + count; i++) {
        char id[16];
        int length = snprintf(id, sizeof id, "id %d", i);
        CHECK_INT(STORE_ADDED,
                  add_row(store, numbered_row(i), id, (size_t)length, &seq, &store_error));
    }
    return CHECK(store_commit(store, &store_error), "%s", store_error.text);
}

/* Whether the store's sums are those of these rows alone. */
static bool sums_are_of(struct store *store, int from, int count)
{
    static const enum cell_kind kinds[] = {CELL_NUMBER, CELL_CATEGORY, CELL_NUMBER};
    struct folds_set rows;
    struct folds *wanted =
        folds_new(kinds, FEATURES, folds_parts(FEATURES, fixture_config.may_choose));
    bool same = CHECK(store_rows(store, &rows, &store_error), "%s", store_error.text);
    const struct folds *got = rows.of[0];
    if (got->maps)
        folds_begin_terms(wanted, got->maps);
    for (int i = from; i < from + count; i++) {
        const double *row = numbered_row(i);
        CHECK(folds_reserve_accepted(wanted, row, row[CELLS - 1]), "memory");
        folds_add(wanted, row, row[CELLS - 1]);
        if (got->maps)
            folds_add_terms(wanted, row, row[CELLS - 1]);
    }
    same = same && encoding_equal(wanted->encoding, got->encoding);
    for (size_t k = 0; same && k < wanted->parts; k++) {
        same = moments_equal(wanted->moments[k], got->moments[k]);
        for (size_t kind = 0; same && kind < TERMS_KINDS && got->sums[kind][k]; kind++)
            for (size_t i = 0; same && i < term_sums_numbers(got->sums[kind][k]); i++) {
                struct term_number a = term_sums_number(wanted->sums[kind][k], i);
                struct term_number b = term_sums_number(got->sums[kind][k], i);
                same = memcmp(&a, &b, sizeof a) == 0;
            }
    }
    same = same && wanted->term_rows == got->term_rows &&
           (!got->maps || (wanted->least == got->least && wanted->greatest == got->greatest));
    folds_free(wanted);
    return same;
}

static void test_sums(uint64_t window, bool may_choose)
{
    scratch_empty();
    fixture_config.window = window;
    fixture_config.may_choose = fixture_config.has_terms = may_choose;
    struct store *store = begin_store(), *other = open_store();
    unsigned batch = 1, turn = 0;
    for (int i = 0; i < EVENTS; i += (int)batch, turn++) {
        batch = batch * 1103515245 % 65521 % 97 + 1;
        add(store, i, (int)batch);
        int known = i + (int)batch, first = known > (int)window ? known - (int)window : 0;
        CHECK(sums_are_of(store, first, known - first), "after %d events of %d", known,
              (int)window);
        if (turn == 2 && may_choose)
            CHECK(store_begin_terms(store, &store_error), "%s", store_error.text);
        if (turn % 3 == 1)
            CHECK(store_snapshot(store, &store_error), "%s", store_error.text);
        if (turn % 4 == 2)
            remove("ids.mdb");
        if (turn % 2) {
            end_store(store);
            CHECK(begin_work(other), "%s", store_error.text);
            CHECK(sums_are_of(other, first, known - first), "elsewhere, after %d", known);
            store_unlock(other);
            store = begin_store();
            CHECK_INT(known, store_events(store));
            CHECK(sums_are_of(store, first, known - first), "anew, after %d", known);
        }
    }
    CHECK(access(SNAPSHOT_EVENTS, F_OK) != 0, "no sums are kept that are of some events");
    store_close(other);
    end_store(store);
}

/* What was kept before there was a window is of all events, and so is what comes after it. */
static void test_change(void)
{
    scratch_empty();
    fixture_config.may_choose = fixture_config.has_terms = false;
    for (int i = 0; i < 6; i++) {
        fixture_config.window = i % 2 ? 20 + (unsigned)i : 0;
        int known = 30 * (i + 1), count = i % 2 ? 20 + i : known;
        struct store *store = begin_store();
        add(store, known - 30, 30);
        CHECK(sums_are_of(store, known - count, count), "of %d", count);
        CHECK(store_snapshot(store, &store_error), "%s", store_error.text);
        end_store(store);
    }
}

/* More levels come and go than sums could have columns for, also where all events are read again.
 */
static void test_many_levels(void)
{
    enum { LEVELS = 1500 };
    static const char *const names[] = {"c"};
    static const enum cell_kind kinds[] = {CELL_CATEGORY};
    int64_t seq;
    scratch_empty();
    fixture_config.may_choose = fixture_config.has_terms = false;
    struct store *store = begin_store();
    struct schema *schema = schema_new(names, kinds, 1, &store_error);
    CHECK(store_set_schema(store, schema, &store_error), "%s", store_error.text);
    for (int i = 0; i < LEVELS; i++) {
        double row[] = {level(i), i, 1};
        CHECK_INT(STORE_ADDED, add_row(store, row, NULL, 0, &seq, &store_error));
        if (i % 10 == 9)
            CHECK(store_commit(store, &store_error), "%s", store_error.text);
    }
    end_store(store);
    schema_free(schema);
    for (int round = 0; round < 2; round++) {
        store = begin_store();
        struct folds_set rows;
        CHECK(store_rows(store, &rows, &store_error), "%s", store_error.text);
        if (fixture_config.window > 0)
            CHECK_INT((long long)fixture_config.window, rows.of[0]->encoding->columns);
        CHECK(store_snapshot(store, &store_error), "%s", store_error.text);
        end_store(store);
        if (round == 0)
            remove("ids.mdb");
    }
}

static void test_too_large(void)
{
    scratch_empty();
    fixture_config.window = CONFIG_WINDOW_MAX;
    struct store *store = begin_store();
    static const char *const names[] = {"a", "b", "c", "d"};
    struct schema *schema = schema_new(names, NULL, 4, &store_error);
    CHECK(store_set_schema(store, schema, &store_error), "%s", store_error.text);
    int64_t seq;
    double row[6] = {1, 2, 3, 4, 5, 1};
    CHECK_INT(STORE_REFUSED, add_row(store, row, NULL, 0, &seq, &store_error));
    CHECK_STRING("WINDOW=2000000 cannot be used: with 4 features it must be at most 1398101, whose "
                 "rows take 64 MB",
                 store_error.text);
    CHECK_INT(ERROR_UNUSABLE, store_error.kind);
    schema_free(schema);
    end_store(store);
}

int main(void)
{
    scratch_make();
    test_ring();
    srand(12);
    test_order(1);
    test_order(5);
    test_order(NUMBERS);
    test_sums(25, false);
    test_sums(70, true);
    test_sums(500, false);
    test_change();
    fixture_config.window = 25;
    test_many_levels();
    fixture_config.window = 0;
    fixture_config.forget = 0.3;
    test_many_levels();
    fixture_config.forget = 0;
    test_too_large();
    scratch_end();
    return check_report("window");
}
