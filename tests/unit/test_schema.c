/* schema, and the binding of named values to it. */
#include "binding.h"
#include "check.h"

#include <stdlib.h>

static struct error error;

static struct schema *make(const char *const *names, size_t count)
{
    error.kind = ERROR_NONE;
    return schema_new(names, NULL, count, &error);
}

static void check_name(const char *name, const char *wants)
{
    struct schema *schema = make(&name, 1);
    CHECK(!schema == (wants != NULL), "%s: %s", name, error.text);
    if (wants) {
        CHECK_INT(ERROR_UNUSABLE, error.kind);
        CHECK(strstr(error.text, wants), "%s", error.text);
    }
    schema_free(schema);
}

static void test_names(void)
{
    char longest[SCHEMA_NAME_MAX + 2];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    check_name(longest, "longer than 256");
    longest[SCHEMA_NAME_MAX] = '\0';
    check_name(longest, NULL);
    check_name("a", NULL);
    check_name("größe €😀", NULL);
    check_name("a b=\"c\",{}&%", NULL);
    check_name("a_", NULL);
    check_name("Target", NULL);
    check_name("", "empty");
    check_name("_a", "begin with _");
    check_name("_", "begin with _");
    check_name("target", "\"target\" cannot be");
    check_name("a\tb", "control");
    check_name("a\x7f", "control");
    check_name("\xff", "UTF-8");
    check_name("a\xc3", "UTF-8");
}

static void test_counts(void)
{
    enum { MANY = SCHEMA_FEATURES_MAX + 1 };
    static char text[MANY][8];
    const char *names[MANY];
    for (int i = 0; i < MANY; i++) {
        snprintf(text[i], sizeof text[i], "f%d", i * 263 % MANY);
        names[i] = text[i];
    }
    CHECK(!make(names, 0) && error.kind == ERROR_UNUSABLE, "no features");
    CHECK(!make(names, MANY) && error.kind == ERROR_UNUSABLE, "too many features");
    struct schema *schema = make(names, SCHEMA_FEATURES_MAX);
    if (CHECK(schema, "%s", error.text))
        for (int i = 0; i < SCHEMA_FEATURES_MAX; i++)
            CHECK_INT(i, schema_find(schema, names[i]));
    CHECK_INT(-1, schema_find(schema, names[MANY - 1]));
    CHECK_INT(-1, schema_find(schema, ""));
    schema_free(schema);
    names[77] = names[5];
    CHECK(!make(names, 100) && strstr(error.text, "is repeated"), "%s", error.text);
    schema_free(NULL);
}

static void test_comparing(void)
{
    static const char *const abc[] = {"a", "b", "c"}, *const cab[] = {"c", "a", "b"},
                             *const abd[] = {"a", "b", "d"};
    struct schema *first = make(abc, 3), *same = schema_copy(first), *other_order = make(cab, 3),
                  *other = make(abd, 3), *fewer = make(abc, 2);
    CHECK(schema_equal(first, same) && schema_same_names(first, same), "a copy");
    CHECK(!schema_equal(first, other_order) && schema_same_names(first, other_order), "order");
    CHECK(!schema_equal(first, other) && !schema_same_names(first, other), "names");
    CHECK(!schema_equal(first, fewer) && !schema_same_names(first, fewer), "fewer");
    CHECK(!schema_equal(fewer, first) && !schema_same_names(fewer, first), "more");
    CHECK(!schema_difference(first, other, "train.txt", &error), "-");
    CHECK_INT(ERROR_CONFLICT, error.kind);
    CHECK_STRING("train.txt has other features than the stored events: missing c; added d",
                 error.text);
    schema_difference(first, fewer, "train.txt", &error);
    CHECK_STRING("train.txt has other features than the stored events: missing c; added none",
                 error.text);
    schema_free(first);
    schema_free(same);
    schema_free(other_order);
    schema_free(other);
    schema_free(fewer);
}

static void test_as_json(void)
{
    static const char *const names[] = {"z", "a \"quoted\" \\ name", "ü"};
    struct schema *schema = make(names, 3);
    struct buffer text = {0};
    schema_write(schema, &text);
    struct json *json = json_parse(text.data, text.length, &error);
    struct schema *read = json ? schema_parse(json, &error) : NULL;
    CHECK(read && schema_equal(schema, read), "%s", error.text);
    json_free(json);
    schema_free(read);
    schema_free(schema);
    buffer_free(&text);
}

/* A name and a number, or a name and what else stands there. */
struct pair {
    const char *name;
    enum binding_value kind;
    double value;
};

static bool bind(struct binding *binding, const struct schema *schema, bool with_target,
                 const struct pair *pairs)
{
    CHECK(binding_begin(binding, schema, with_target, &error), "%s", error.text);
    for (; pairs->name; pairs++)
        binding_value(binding, pairs->name, pairs->kind, pairs->value);
    error.text[0] = '\0';
    return binding_end(binding, &error);
}

static void test_binding(void)
{
    static const char *const names[] = {"b", "a"};
    struct schema *schema = make(names, 2);
    struct binding binding = {0};
    static const struct {
        const char *wants; /* "": it is bound */
        struct pair pairs[5];
        bool with_target;
    } cases[] = {
        {"", {{"a", 0, 1}, {"b", 0, 2}, {"target", 0, 3}}, true},
        {"", {{"b", 0, 2}, {"a", 0, 1}}, false},
        {"missing feature \"b\"; missing feature \"a\"", {{0}}, false},
        {"missing \"target\"", {{"a", 0, 1}, {"b", 0, 2}}, true},
        {"unknown feature \"target\"", {{"a", 0, 1}, {"b", 0, 2}, {"target", 0, 3}}, false},
        {"unknown feature \"A\"; missing feature \"a\"", {{"A", 0, 1}, {"b", 0, 2}}, false},
        {"unknown option \"_x\"", {{"a", 0, 1}, {"_x", 0, 1}, {"b", 0, 2}}, false},
        {"\"a\" is repeated", {{"a", 0, 1}, {"a", 0, 1}, {"b", 0, 2}}, false},
        {"\"target\" is repeated",
         {{"a", 0, 1}, {"b", 0, 2}, {"target", 0, 1}, {"target", 0, 1}},
         true},
        {"\"a\" is not a number; \"b\" is beyond the range of a double",
         {{"a", BINDING_NOT_A_NUMBER, 0}, {"b", BINDING_TOO_LARGE, 0}},
         false},
        {"unknown feature \"\"", {{"", 0, 1}, {"a", 0, 1}, {"b", 0, 2}}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool ok = bind(&binding, schema, cases[i].with_target, cases[i].pairs);
        CHECK_STRING(cases[i].wants, ok ? "" : error.text);
        CHECK(ok || error.kind == ERROR_UNUSABLE, "kind %d", error.kind);
        if (ok) {
            CHECK_DOUBLE(2, binding.row[0]);
            CHECK_DOUBLE(1, binding.row[1]);
        }
        if (ok && cases[i].with_target)
            CHECK_DOUBLE(3, binding.row[2]);
    }
    binding_free(&binding);
    schema_free(schema);
}

/* However much is wrong, the sentence stays within its bounds; and one binding serves schemas of
 * any size. */
static void test_many_problems(void)
{
    enum { MANY = 400 };
    static char text[MANY][100];
    const char *names[MANY];
    for (int i = 0; i < MANY; i++) {
        snprintf(text[i], sizeof text[i], "%090d", i);
        names[i] = text[i];
    }
    struct binding binding = {0};
    for (size_t count = 1; count < MANY; count += 57) {
        struct schema *schema = make(names, count);
        CHECK(!bind(&binding, schema, true, (struct pair[]){{0}}), "all is missing");
        CHECK(strlen(error.text) < 512 && strstr(error.text, "missing"), "%s", error.text);
        CHECK(binding_begin(&binding, schema, false, &error), "%s", error.text);
        for (int i = 0; i < MANY; i++)
            binding_value(&binding, names[i], BINDING_NUMBER, i);
        CHECK(!binding_end(&binding, &error), "unknown ones");
        schema_free(schema);
    }
    binding_free(&binding);
}

int main(void)
{
    test_names();
    test_counts();
    test_comparing();
    test_as_json();
    test_binding();
    test_many_problems();
    return check_report("schema");
}
