/* model, and the file that it is shared by. */
#include "check.h"
#include "json.h"
#include "model_file.h"
#include "scratch.h"
#include "seal.h"

#include <math.h>
#include <stdlib.h>
#include <sys/resource.h>

static struct error error;

enum { FEATURES = 3 };

/* y = 2a − b/3 + 0.1; c is twice a, and so aliased. */
static struct model *make_model(int rows)
{
    static const char *const names[FEATURES] = {"a", "\"b\"/ü", "c"};
    struct schema *schema = schema_new(names, NULL, FEATURES, &error);
    struct folds_set all = {1, {folds_new(NULL, FEATURES, 1)}, NULL};
    for (int i = 0; i < rows; i++) {
        double a = 0.1 * i, b = i * i % 7;
        double row[] = {a, b, 2 * a, 2 * a - b / 3 + 0.1};
        CHECK(folds_reserve_accepted(all.of[0], row, 1), "memory");
        folds_add(all.of[0], row, 1);
    }
    struct model *model = model_choose(schema, &all, &error);
    if (model) {
        model->version = 7;
        model->events = 1234567890123;
        model_time(model->created);
    }
    folds_free(all.of[0]);
    schema_free(schema);
    return model;
}

static struct buffer text_of(const struct model *model)
{
    struct buffer text = {0};
    model_write(model, &text);
    return text;
}

static bool same_text(const struct model *model, const struct buffer *wanted)
{
    struct buffer text = text_of(model);
    bool same = text.length == wanted->length && memcmp(text.data, wanted->data, text.length) == 0;
    buffer_free(&text);
    return same;
}

static void test_new(void)
{
    struct model *model = make_model(20);
    double prediction, row[] = {1, 3, 2};
    bool clipped;
    CHECK_INT(20, model->fit->rows);
    CHECK(model->fit->aliased[2] && !model->fit->aliased[0], "c follows from a");
    CHECK(model_predict(model, row, &prediction, &clipped, &error), "%s", error.text);
    CHECK(fabs(prediction - 1.1) < 1e-15, "%.17g", prediction);
    double huge[] = {1e308, -1e308, 0};
    CHECK(!model_predict(model, huge, &prediction, &clipped, &error), "%g", prediction);
    CHECK_INT(ERROR_UNUSABLE, error.kind);
    model_free(model);
    CHECK(!make_model(0), "nothing to learn from");
    CHECK_INT(ERROR_CONFLICT, error.kind);
    model_free(NULL);
}

/* The text is JSON for people, and brings back every bit. */
static void test_text(int rows)
{
    struct model *model = make_model(rows);
    struct buffer text = text_of(model);
    struct json *json = json_parse(text.data, text.length, &error);
    if (CHECK(json, "%s", error.text)) {
        double value = 0;
        const struct json *coefficients = json_get_kind(json, "coefficients", JSON_OBJECT);
        CHECK(json_get_number(json, "version", &value) && value == 7, "%g", value);
        CHECK(json_get_number(coefficients, "\"b\"/ü", &value), "by name");
        CHECK_DOUBLE(model->fit->coefficients[2].hi, value);
        CHECK(json_get_kind(json, "created", JSON_STRING), "created");
    }
    json_free(json);
    struct model *read = model_parse(text.data, text.length, &error);
    if (CHECK(read, "%s", error.text)) {
        CHECK(same_text(read, &text), "written again it is the same");
        CHECK(memcmp(read->fit->coefficients, model->fit->coefficients,
                     (FEATURES + 1) * sizeof *read->fit->coefficients) == 0,
              "the coefficients");
        double row[] = {1.0 / 3, 1e-9, 1e9}, a, b;
        bool clipped;
        CHECK(model_predict(model, row, &a, &clipped, &error) &&
                  model_predict(read, row, &b, &clipped, &error),
              "-");
        CHECK_DOUBLE(a, b);
    }
    model_free(read);
    model_free(model);
    buffer_free(&text);
}

/* As it was written before there were means, intervals and kinds. */
static const char old_text[] =
    "{\n"
    "  \"version\": 2,\n"
    "  \"created\": \"2026-11-21T09:55:49Z\",\n"
    "  \"model\": \"linear\",\n"
    "  \"features\": [\"a\", \"b\"],\n"
    "  \"target\": \"target\",\n"
    "  \"rows\": 4,\n"
    "  \"events\": 0,\n"
    "  \"rank\": 3,\n"
    "  \"aliased\": [],\n"
    "  \"intercept\": -0.2,\n"
    "  \"coefficients\": {\n"
    "    \"a\": 0.13333333333333333,\n"
    "    \"b\": 2.3333333333333335\n"
    "  },\n"
    "  \"mse\": 1.6,\n"
    "  \"r2\": 0.691566265060241,\n"
    "  \"formula\": \"intercept + sum over the features of coefficient * value; remainder, added "
    "to the same names, continues the digits of each\",\n"
    "  \"remainder\": {\n"
    "    \"intercept\": 1.1102230246251566e-17,\n"
    "    \"coefficients\": {\n"
    "      \"a\": 1.8503717077085942e-18,\n"
    "      \"b\": -1.4802973661668753e-16\n"
    "    }\n"
    "  },\n"
    "  \"crc\": \"71634b53\"\n"
    "}\n";

static void test_old_text(void)
{
    double prediction, row[] = {1, 1};
    bool clipped;
    struct model *model = model_parse(old_text, sizeof old_text - 1, &error);
    if (!CHECK(model, "%s", error.text))
        return;
    CHECK(model_predict(model, row, &prediction, &clipped, &error), "%s", error.text);
    CHECK(fabs(prediction - 34.0 / 15) < 1e-15, "%.17g", prediction);
    CHECK(!model_has_means(model) && !model->fit->inverse, "there are no figures");
    struct buffer text = text_of(model);
    struct model *again = model_parse(text.data, text.length, &error);
    CHECK(again && !model_has_means(again), "written again: %s", error.text);
    model_free(again);
    model_free(model);
    buffer_free(&text);
}

enum { CURVED_ROWS = 200 };

/* y = a² − 3 b, a little off. */
static struct model *make_curved(void)
{
    static const char *const names[] = {"a", "b"};
    struct schema *schema = schema_new(names, NULL, 2, &error);
    struct folds_set all = {1, {folds_new(NULL, 2, FOLDS)}, NULL};
    double rows[CURVED_ROWS][3];
    srand48(5);
    for (int i = 0; i < CURVED_ROWS; i++) {
        double *row = rows[i];
        row[0] = 10 * drand48();
        row[1] = drand48();
        row[2] = row[0] * row[0] - 3 * row[1] + 0.1 * drand48();
        CHECK(folds_reserve_accepted(all.of[0], row, 1), "memory");
        folds_add(all.of[0], row, 1);
    }
    struct term_maps *maps = folds_set_maps(&all);
    CHECK(folds_begin_terms(all.of[0], maps), "memory");
    for (int i = 0; i < CURVED_ROWS; i++)
        folds_add_terms(all.of[0], rows[i], 1);
    struct model *model = model_choose(schema, &all, &error);
    model_time(model->created);
    term_maps_free(maps);
    folds_free(all.of[0]);
    schema_free(schema);
    return model;
}

/* The line that begins with `from` up to its end becomes `to`. */
static void replace_line(char *text, const char *from, const char *to)
{
    char rest[1 << 16], *at = strstr(text, from);
    if (!CHECK(at, "%s", from))
        return;
    snprintf(rest, sizeof rest, "%s", strchr(at, '\n'));
    sprintf(at, "%s%s", to, rest);
}

/* The figures go by as many parameters as were fitted, or are none in a model from before. */
static void test_penalised(void)
{
    struct model *model = make_curved();
    struct buffer text = text_of(model);
    CHECK_INT(QUADRATIC, model->predictor->candidate);
    CHECK_INT(6, model->fit->rank);
    CHECK(fabs(model->fit->parameters - 6) < 0.01, "%g", model->fit->parameters);
    CHECK(fabs(model->fit->means[0] - 5) < 1, "%g", model->fit->means[0]);
    struct model *read = model_parse(text.data, text.length, &error);
    if (CHECK(read, "%s", error.text)) {
        CHECK_DOUBLE(model->fit->parameters, read->fit->parameters);
        CHECK(same_text(read, &text), "written again");
        CHECK(!model_is_outdated(read), "of today");
    }
    model_free(read);
    model_free(model);

    char old[1 << 16];
    struct buffer sealed = {0};
    snprintf(old, sizeof old, "%.*s", (int)text.length, text.data);
    replace_line(old, "  \"rank\"", "  \"rank\": 3,");
    replace_line(old, "  \"effective_parameters\"", "");
    replace_line(old, "  \"degrees_of_freedom\"", "  \"degrees_of_freedom\": 197,");
    replace_line(old, "  \"means\"", "  \"means\": [0, 0],");
    *strstr(old, ",\n  \"crc\"") = '\0';
    buffer_puts(&sealed, old);
    seal(&sealed, 0);
    read = model_parse(sealed.data, sealed.length, &error);
    buffer_clear(&text);
    if (CHECK(read, "%s", error.text)) {
        CHECK(model_is_outdated(read), "of before");
        CHECK_INT(6, read->fit->rank);
        model_write(read, &text);
        buffer_append(&text, "", 1);
        CHECK(strstr(text.data, "\"degrees_of_freedom\": null"), "%s", text.data);
        CHECK(strstr(text.data, "\"residual_deviation\": null"), "%s", text.data);
        CHECK(strstr(text.data, "\"means\": [null, null]"), "%s", text.data);
        struct model *again = model_parse(text.data, text.length - 1, &error);
        CHECK(again && model_is_outdated(again), "written again: %s", error.text);
        model_free(again);
    }
    model_free(read);
    buffer_free(&sealed);
    buffer_free(&text);
}

static void test_damaged_text(void)
{
    struct model *model = make_model(9);
    struct buffer text = text_of(model);
    for (size_t at = 0; at < text.length; at++)
        for (int bit = 0; bit < 8; bit++) {
            text.data[at] ^= (char)(1 << bit);
            struct model *read = model_parse(text.data, text.length, &error);
            CHECK(!read && error.kind == ERROR_DAMAGED, "bit %d of byte %zu", bit, at);
            model_free(read);
            text.data[at] ^= (char)(1 << bit);
        }
    for (size_t length = 0; length < text.length; length++) {
        struct model *read = model_parse(text.data, length, &error);
        CHECK(!read && error.kind == ERROR_DAMAGED, "cut at %zu", length);
        model_free(read);
    }
    model_free(model);
    buffer_free(&text);
}

static void test_file(void)
{
    struct model_file writer, reader;
    scratch_empty();
    CHECK(model_file_init(&writer, ".", &error) && model_file_init(&reader, ".", &error), "-");
    CHECK(!model_file_refresh(&reader, &error), "there is none yet");
    CHECK_INT(ERROR_NOT_READY, error.kind);
    for (int i = 1; i <= 3; i++) {
        struct model *model = make_model(10 * i);
        CHECK(model_file_publish(&writer, model, i % 2, &error), "%s", error.text);
        CHECK(writer.model == model, "the writer has it without reading");
        CHECK(model_file_refresh(&writer, &error) && writer.model == model, "it is its own");
        CHECK(model_file_refresh(&reader, &error), "%s", error.text);
        struct model *seen = reader.model;
        struct buffer text = text_of(model);
        CHECK(same_text(seen, &text), "the reader has read it");
        CHECK(model_file_refresh(&reader, &error) && reader.model == seen, "and only once");
        buffer_free(&text);
    }
    remove(MODEL_NAME);
    CHECK(!model_file_refresh(&reader, &error) && error.kind == ERROR_NOT_READY, "it is gone");
    CHECK(!reader.model, "nothing is predicted from a removed model");
    model_file_free(&writer);
    model_file_free(&reader);
}

static void test_damaged_file(void)
{
    struct model_file writer, reader;
    scratch_empty();
    CHECK(model_file_init(&writer, ".", &error) && model_file_init(&reader, ".", &error), "-");
    CHECK(model_file_publish(&writer, make_model(5), false, &error), "%s", error.text);
    CHECK(model_file_refresh(&reader, &error), "%s", error.text);
    CHECK(file_replace(MODEL_NAME, "{}", 2, false, &error), "%s", error.text);
    for (int i = 0; i < 2; i++) {
        CHECK(!model_file_refresh(&reader, &error), "a damaged model");
        CHECK_INT(ERROR_DAMAGED, error.kind);
        CHECK(strncmp(error.text, MODEL_NAME, strlen(MODEL_NAME)) == 0, "%s", error.text);
    }
    CHECK(model_file_publish(&writer, make_model(6), false, &error), "%s", error.text);
    CHECK(model_file_refresh(&reader, &error), "the next model cures it: %s", error.text);
    model_file_free(&writer);
    model_file_free(&reader);
}

/* Out of descriptors: the model last read is still good. */
static void test_without_descriptors(void)
{
    struct model_file writer, reader;
    struct rlimit limit, none;
    scratch_empty();
    CHECK(model_file_init(&writer, ".", &error) && model_file_init(&reader, ".", &error), "-");
    CHECK(model_file_publish(&writer, make_model(5), false, &error), "%s", error.text);
    CHECK(model_file_refresh(&reader, &error), "%s", error.text);
    CHECK(model_file_publish(&writer, make_model(6), false, &error), "%s", error.text);
    getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
    CHECK(model_file_refresh(&reader, &error) && reader.model->fit->rows == 5, "the old one");
    setrlimit(RLIMIT_NOFILE, &limit);
    CHECK(model_file_refresh(&reader, &error) && reader.model->fit->rows == 6, "the new one");
    model_file_free(&writer);
    model_file_free(&reader);
}

int main(void)
{
    scratch_make();
    test_new();
    test_text(1);
    test_text(2);
    test_text(50);
    test_old_text();
    test_penalised();
    test_damaged_text();
    test_file();
    test_damaged_file();
    test_without_descriptors();
    scratch_end();
    return check_report("model");
}
