/* What terms are made from, as text: whatever is damaged in it is found. */
#include "check.h"
#include "maps_text.h"

#include <stdlib.h>

enum { FEATURES = 3 };

static struct error error;

static struct schema *new_schema(void)
{
    static const char *const names[FEATURES] = {"a", "b", "c"};
    return schema_new(names, NULL, FEATURES, &error);
}

static struct term_maps *new_maps(void)
{
    static const struct place places[FEATURES + 1] = {{12.5, 3}, {-1e9, -20}, {0, 0}, {1.0 / 3, 1}};
    static const double metric[] = {1, 0.25, 1.5, 1e-3, -2.25, 1.125};
    struct term_maps *maps = term_maps_of(places, FEATURES);
    CHECK(maps && term_maps_set_metric(maps, metric), "memory");
    return maps;
}

static bool reads(const char *text, size_t length)
{
    struct schema *schema;
    struct term_maps *maps;
    bool ok = maps_parse(text, length, &schema, &maps, &error);
    schema_free(schema);
    term_maps_free(maps);
    return ok;
}

static void check_same(const char *text, size_t length)
{
    struct schema *schema, *wanted = new_schema();
    struct term_maps *maps, *others = new_maps();
    if (!CHECK(maps_parse(text, length, &schema, &maps, &error), "%s", error.text))
        return;
    CHECK(schema_equal(schema, wanted), "features");
    CHECK(term_maps_equal(maps, others), "places");
    for (int i = 0; i < FEATURES * (FEATURES + 1) / 2; i++)
        CHECK_DOUBLE(others->metric[i], maps->metric[i]);
    term_maps_free(maps);
    term_maps_free(others);
    schema_free(schema);
    schema_free(wanted);
}

static struct buffer written(void)
{
    struct buffer text = {0};
    struct schema *schema = new_schema();
    struct term_maps *maps = new_maps();
    maps_write(schema, maps, &text);
    term_maps_free(maps);
    schema_free(schema);
    return text;
}

static void test_damage(void)
{
    struct buffer text = written();
    check_same(text.data, text.length);
    for (size_t i = 0; i < text.length; i++)
        for (int bit = 0; bit < 8; bit++) {
            text.data[i] ^= (char)(1 << bit);
            CHECK(!reads(text.data, text.length), "byte %zu, bit %d", i, bit);
            CHECK_INT(ERROR_DAMAGED, error.kind);
            text.data[i] ^= (char)(1 << bit);
        }
    for (size_t length = 0; length < text.length; length++)
        CHECK(!reads(text.data, length), "cut at %zu", length);
    buffer_append(&text, "\n", 1);
    CHECK(!reads(text.data, text.length), "something behind its end");
    buffer_free(&text);
}

/* Those of before there were checksums have the members that there were, and no others. */
static void test_of_before(void)
{
    static const char old[] =
        "{\"features\": [\"a\",\"b\",\"c\"], \"places\": [[12.5, 3], [-1e9, -20], [0, 0], "
        "[0.3333333333333333, 1]],\n\"metric\": [1, 0.25, 1.5, 0.001, -2.25, 1.125]}\n";
    static const char *const refused[] = {
        "",
        "{}",
        "[]",
        "7",
        "{\"features\": [\"a\"], \"places\": [[1, 2]]}",
        "{\"features\": [\"a\"], \"places\": [[1, 2], [3, 4]], \"cRc\": \"00000000\"}",
        "{\"features\": [\"a\"], \"places\": [[1, 2], [3, 4]], \"crc\": \"00000000\"}",
        "{\"features\": [\"a\"], \"places\": [[1, 2], [3, 4]], \"metric\": [1, 2]}",
        "{\"features\": [\"a\"], \"places\": [[1, 2], [3, 4444]]}",
        "{\"features\": [\"a\", \"a\"], \"places\": [[1, 2], [3, 4], [5, 6]]}",
        "{\"places\": [[1, 2], [3, 4]]}",
    };
    check_same(old, sizeof old - 1);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        CHECK(!reads(refused[i], strlen(refused[i])), "%s", refused[i]);
        CHECK_INT(ERROR_DAMAGED, error.kind);
    }
    static const char without_metric[] = "{\"features\": [\"a\"], \"places\": [[1, 2], [3, 4]]}";
    CHECK(reads(without_metric, sizeof without_metric - 1), "without a metric");
}

int main(void)
{
    test_damage();
    test_of_before();
    return check_report("maps_text");
}
