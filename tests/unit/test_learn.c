/* The train file, and what a start makes of it: train, learn, prepare. */
#include "learn.h"
#include "model_file.h"
#include "prepare.h"
#include "store_fixture.h"
#include "train.h"

/* Without a choice of models. */
static const struct train_wish plain = {.may_choose = false};

static bool prepare(void)
{
    store_error.text[0] = '\0';
    return prepare_run(&fixture_config, &store_error);
}

/* The current model's coefficients and rows, as a line. */
static const char *model_line(void)
{
    static char line[200];
    struct model_file file;
    size_t used = 0;
    snprintf(line, sizeof line, "none");
    CHECK(model_file_init(&file, ".", &store_error), "%s", store_error.text);
    if (model_file_refresh(&file, &store_error)) {
        const struct model *model = file.model;
        used += (size_t)snprintf(line, sizeof line, "v%d of %d rows: %g", (int)model->version,
                                 (int)model->fit->rows, model->fit->coefficients[0].hi);
        for (size_t i = 0; i < model->schema->count; i++)
            used += (size_t)snprintf(line + used, sizeof line - used, " %+g%s",
                                     model->fit->coefficients[i + 1].hi, model->schema->names[i]);
    }
    model_file_free(&file);
    return line;
}

static void test_train_read(void)
{
    static const struct {
        const char *text, *wants; /* "": it is read */
    } cases[] = {
        {"1\t2\t3\n4\t5\t6\n", ""},
        {"x,y,price\r\n1,2,3\r\n", ""},
        {"1 2 3", ""},
        {"", "train.txt is empty"},
        {"x\ty\n", "train.txt: there is no row of numbers"},
        {"1\n2\n", "train.txt:1: one column is not enough"},
        {"1\t2\n3\tx\n", "train.txt:2: column "},
        {"1\t2\n3\n", "train.txt:2: "},
        {"target\ty\n1\t2\n", "train.txt:1: \"target\" cannot be"},
        {"_x\ty\n1\t2\n", "train.txt:1: column _x: "},
        {"x\tx\ty\n1\t2\t3\n", "train.txt:1: "},
    };
    scratch_empty();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct snapshot train;
        put_text("train.txt", cases[i].text);
        bool ok = train_read("./train.txt", &plain, &train, &store_error);
        CHECK(ok == !*cases[i].wants, "%s: %s", cases[i].text, store_error.text);
        if (ok)
            snapshot_free(&train);
        else
            CHECK(strncmp(store_error.text, cases[i].wants, strlen(cases[i].wants)) == 0, "%s: %s",
                  cases[i].text, store_error.text);
    }
    struct snapshot train;
    CHECK(!train_read("./nothing", &plain, &train, &store_error), "no file");
    CHECK_INT(ERROR_ABSENT, store_error.kind);
}

/* The sums in another order of the columns are those of the rows in that order, columns that sum up
 * to 0 included. */
static void test_reorder(void)
{
    static const char *const names[] = {"c", "a", "b"};
    struct snapshot train, wanted;
    struct schema *schema = schema_new(names, NULL, 3, &store_error);
    scratch_empty();
    put_text("train.txt", "a\tb\tc\ty\n1\t-2\t0\t3\n-1\t2\t0\t1e-20\n0\t0\t1e300\t7\n");
    put_text("other.txt", "c\ta\tb\ty\n0\t1\t-2\t3\n0\t-1\t2\t1e-20\n1e300\t0\t0\t7\n");
    CHECK(train_read("train.txt", &plain, &train, &store_error), "%s", store_error.text);
    CHECK(train_read("other.txt", &plain, &wanted, &store_error), "%s", store_error.text);
    CHECK(train_reorder(&train, schema, "train.txt", &store_error), "%s", store_error.text);
    CHECK(schema_equal(train.schema, schema), "its schema");
    CHECK(moments_equal(train.folds->moments[0], wanted.folds->moments[0]), "its sums");
    CHECK(train_reorder(&train, schema, "train.txt", &store_error), "once more: nothing to do");
    schema_free(schema);
    schema = schema_new((const char *const[]){"a", "b", "d"}, NULL, 3, &store_error);
    CHECK(!train_reorder(&train, schema, "x/train.txt", &store_error), "other features");
    CHECK_INT(ERROR_CONFLICT, store_error.kind);
    CHECK(strstr(store_error.text, "train.txt has other features"), "%s", store_error.text);
    schema_free(schema);
    snapshot_free(&train);
    snapshot_free(&wanted);
}

static void test_start_without_anything(void)
{
    scratch_empty();
    CHECK(prepare(), "%s", store_error.text);
    CHECK_STRING("none", model_line());
}

/* A train file is learnt at the start, once, and replaced when it changes. */
static void test_start_with_train_file(void)
{
    scratch_empty();
    put_text("train.txt", "x\ty\n1\t3\n2\t5\n");
    CHECK(prepare(), "%s", store_error.text);
    CHECK_STRING("v1 of 2 rows: 1 +2x", model_line());
    CHECK(prepare(), "%s", store_error.text);
    CHECK_STRING("v1 of 2 rows: 1 +2x", model_line());
    put_text("other", "x\ty\n1\t3\n2\t5\n"); /* the same content in a new file */
    rename("other", "train.txt");
    CHECK(prepare(), "%s", store_error.text);
    CHECK_STRING("v1 of 2 rows: 1 +2x", model_line());
    put_text("train.txt", "x\ty\n1\t3\n2\t6\n");
    CHECK(prepare(), "%s", store_error.text);
    CHECK_STRING("v2 of 2 rows: 0 +3x", model_line());
    remove(MODEL_NAME); /* a container made anew */
    CHECK(prepare(), "%s", store_error.text);
    CHECK_STRING("v2 of 2 rows: 0 +3x", model_line());
    put_text("train.txt", "z\ty\n1\t3\n2\t6\n"); /* without events the schema is free */
    CHECK(prepare(), "%s", store_error.text);
    CHECK_STRING("v3 of 2 rows: 0 +3z", model_line());
}

static void add_events(void)
{
    int64_t seq;
    struct store *store = begin_store();
    add_event(store, 3, 0, 8, NULL, &seq);
    add_event(store, 0, 3, -2, NULL, &seq);
    CHECK(store_commit(store, &store_error), "%s", store_error.text);
    end_store(store);
}

static bool build(void)
{
    struct snapshot train;
    enum train_news news;
    struct store *store = begin_store();
    bool ok = learn_read_train(store, &fixture_config, &train, &news, &store_error) &&
              learn_take_train(store, &fixture_config, &train, news, &store_error) &&
              learn_build(store, &store_error);
    end_store(store);
    return ok;
}

/* y = 2 + 2a − (4/3)b: rows and events together, whatever the order of the file's columns. */
static void test_train_file_and_events(void)
{
    scratch_empty();
    add_events();
    CHECK(prepare(), "%s", store_error.text);
    CHECK_STRING("none", model_line());
    put_text("train.txt", "b\ta\ty\n0\t0\t2\n");
    CHECK(build(), "%s", store_error.text);
    CHECK_STRING("v1 of 3 rows: 2 +2a -1.33333b", model_line());
    put_text("train.txt", "b\ta\ty\n0\t0\t5\n");
    CHECK(build(), "%s", store_error.text);
    CHECK_STRING("v2 of 3 rows: 5 +1a -2.33333b", model_line());
    put_text("train.txt", "b\tq\ty\n0\t0\t5\n");
    CHECK(!build() && store_error.kind == ERROR_CONFLICT, "other features");
    CHECK_STRING("train.txt has other features than the stored events: missing a; added q",
                 store_error.text);
    CHECK(!prepare() && store_error.kind == ERROR_CONFLICT, "nor does it start");
    CHECK_STRING("v2 of 3 rows: 5 +1a -2.33333b", model_line());
    remove("train.txt");
    CHECK(build(), "%s", store_error.text);
    CHECK(strncmp(model_line(), "v3 of 2 rows: ", 14) == 0, "without the file: %s", model_line());
}

/* A model that was published before the last events were learnt is brought up to date. */
static void test_start_behind_the_journal(void)
{
    scratch_empty();
    put_text("train.txt", "a\tb\ty\n0\t0\t2\n");
    CHECK(prepare(), "%s", store_error.text);
    add_events(); /* and killed before the model was published */
    CHECK_STRING("v1 of 1 rows: 2 +0a +0b", model_line());
    fixture_config.learn_online = false;
    CHECK(prepare(), "%s", store_error.text);
    CHECK_STRING("v1 of 1 rows: 2 +0a +0b", model_line());
    fixture_config.learn_online = true;
    CHECK(prepare(), "%s", store_error.text);
    CHECK_STRING("v1 of 3 rows: 2 +2a -1.33333b", model_line());
}

static void test_missing_named_file(void)
{
    scratch_empty();
    fixture_config.train_path_set = true;
    CHECK(!prepare(), "it was asked for");
    CHECK(strstr(store_error.text, "TRAIN_FILE_PATH=./train.txt"), "%s", store_error.text);
    fixture_config.train_path_set = false;
    put_text("train.txt", "x\ty\n1\tabc\n");
    CHECK(!prepare(), "a bad cell");
    CHECK(strncmp(store_error.text, "train.txt:2: ", 13) == 0, "%s", store_error.text);
}

static void test_damaged_train_sums(void)
{
    scratch_empty();
    put_text("train.txt", "x\ty\n1\t3\n2\t5\n");
    CHECK(prepare(), "%s", store_error.text);
    put_text(SNAPSHOT_TRAIN, "nonsense");
    CHECK(prepare(), "%s", store_error.text);
    CHECK_STRING("v2 of 2 rows: 1 +2x", model_line());
}

static void test_damaged_journal(void)
{
    scratch_empty();
    add_events();
    struct buffer journal = get_file(JOURNAL_NAME);
    journal.data[journal.length / 2] ^= 1;
    put_file(JOURNAL_NAME, journal.data, journal.length);
    CHECK(!prepare() && store_error.kind == ERROR_DAMAGED, "%s", store_error.text);
    buffer_free(&journal);
}

int main(void)
{
    scratch_make();
    test_train_read();
    test_reorder();
    test_start_without_anything();
    test_start_with_train_file();
    test_train_file_and_events();
    test_start_behind_the_journal();
    test_missing_named_file();
    test_damaged_train_sums();
    test_damaged_journal();
    scratch_end();
    return check_report("learn");
}
