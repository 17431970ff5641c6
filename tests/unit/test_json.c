#include "check.h"
#include "json.h"

#include <math.h>
#include <stdlib.h>

static struct error error;

/* The text stands in memory of exactly its size, so that a sanitizer sees a step beyond it. */
static struct json *parse_bytes(const char *text, size_t length)
{
    char *exact = malloc(length ? length : 1);
    memcpy(exact, text, length);
    error.kind = ERROR_NONE;
    struct json *json = json_parse(exact, length, &error);
    free(exact);
    return json;
}

static struct json *parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

static void check_refused(const char *text, size_t length)
{
    struct json *json = parse_bytes(text, length);
    CHECK(!json, "%s is accepted", text);
    CHECK(json || error.kind == ERROR_SYNTAX, "%s: kind %d", text, error.kind);
    json_free(json);
}

static void test_values(void)
{
    static const struct {
        const char *text;
        enum json_kind kind;
    } cases[] = {{"null", JSON_NULL},
                 {"true", JSON_BOOLEAN},
                 {"false", JSON_BOOLEAN},
                 {"0", JSON_NUMBER},
                 {"-0", JSON_NUMBER},
                 {"\"\"", JSON_STRING},
                 {"[]", JSON_ARRAY},
                 {"{}", JSON_OBJECT},
                 {" \t\r\n{ \"a\" : [ 1 , 2 ] } \n", JSON_OBJECT},
                 {"{\"a\":{\"b\":[[],{}]}}", JSON_OBJECT}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json *json = parse(cases[i].text);
        if (CHECK(json, "%s: %s", cases[i].text, error.text))
            CHECK_INT(cases[i].kind, json_kind(json));
        json_free(json);
    }
}

/* What RFC 8259 forbids. The second half of the list is what cJSON would let pass. */
static void test_refused(void)
{
    static const char *const texts[] = {
        "", " ", "{", "}", "[1,2", "[1,]", "[,1]", "[1 2]", "{\"a\":1,}", "{,}", "{\"a\"}",
        "{\"a\":}", "{\"a\" 1}", "{a:1}", "{'a':1}", "{1:1}", "[1}", "{\"a\":1]", "\"a", "\"\\",
        "\"\\\"", "\"\\u", "\"\\u1", "\"\\u12\"", "\"\\x41\"", "\"\\'\"", "\"\\ud800\"",
        "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\\ud800x\"", "nul", "nulls", "True", "NaN", "nan",
        "Infinity", "-Infinity", "inf", "undefined", "//\n1", "/**/1", "+1", "-", ".5", "1.",
        "1.e3", "1e", "1e+", "0x10", "1_000", "1,5",
        /* from here on: cJSON's own leniencies */
        "01", "-01", "00", "[1.]", "[-]", "1 2", "{} {}", "{}x", "1e5.5", "1-2", "1\v", "[\f1]",
        "{\"a\":\001"
        "1}",
        "\"a\nb\"", "\"a\tb\"", "\"\\u0000\"", "{\"a\\u0000b\":1}", "\"\\u00zz\"", "\"\\uZZZZ\"",
        "\"\\u-123\"", "\"\\u 123\"", "\"\xff\"", "\"\xc3\"", "\"\xc0\xaf\"", "\"\xe0\x80\xaf\"",
        "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "{\"\xe2\x82\":1}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_refused(texts[i], strlen(texts[i]));
    check_refused("1\0", 2);
    check_refused("\0"
                  "1",
                  2);
    check_refused("{\"a\0\":1}", 8);
    check_refused("{}\0{}", 5);
    check_refused("[1\0,2]", 6);
}

static void test_numbers(void)
{
    static const struct {
        const char *text;
        double value;
    } cases[] = {{"0", 0},
                 {"-0", -0.0},
                 {"1e400", INFINITY},
                 {"-1e400", -INFINITY},
                 {"1e-400", 0},
                 {"5e-324", 5e-324},
                 {"1.7976931348623157e308", 1.7976931348623157e308},
                 {"0.1", 0.1},
                 {"1E+2", 100},
                 {"9007199254740993", 9007199254740992},
                 {"123456789012345678901234567890", 123456789012345678901234567890.0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json *json = parse(cases[i].text);
        if (CHECK(json, "%s: %s", cases[i].text, error.text))
            CHECK_DOUBLE(cases[i].value, json_number(json));
        json_free(json);
    }
    char digits[70];
    memset(digits, '1', sizeof digits);
    struct json *longest = parse_bytes(digits, 63);
    CHECK(longest && json_number(longest) == 1.1111111111111111e62, "63 digits");
    json_free(longest);
    check_refused(digits, 64); /* cJSON would cut it */
}

static void test_strings(void)
{
    static const struct {
        const char *text, *value;
    } cases[] = {{"\"\"", ""},
                 {"\"a\\\"\\\\\\/\\b\\f\\n\\r\\tz\"", "a\"\\/\b\f\n\r\tz"},
                 {"\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"", "A\u00e9\u20ac\U0001F600"},
                 {"\"\u00e9\u20ac\U0001F600\x7f\"", "\u00e9\u20ac\U0001F600\x7f"},
                 {"\"\\\\u0000\"", "\\u0000"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json *json = parse(cases[i].text);
        if (CHECK(json, "%s: %s", cases[i].text, error.text))
            CHECK_STRING(cases[i].value, json_string(json));
        json_free(json);
    }
}

/* Deep nesting is refused, however deep: the stack does not grow with it. */
static void test_depth(void)
{
    enum { DEEP = 100000 };
    char *text = malloc(DEEP);
    memset(text, '[', DEEP);
    check_refused(text, DEEP);
    for (int i = 0; i < DEEP / 5; i++)
        memcpy(text + 5 * i, "{\"a\":", 5);
    check_refused(text, DEEP);
    memset(text, '[', 500);
    memset(text + 500, ']', 500);
    struct json *json = parse_bytes(text, 1000);
    CHECK(json, "500 levels: %s", error.text);
    json_free(json);
    free(text);
}

static void test_members(void)
{
    struct json *json =
        parse("{\"a\":1,\"A\":2,\"a\":3,\"t\":\"xyz\",\"n\":null,\"h\":1.5,\"m\":-1,"
              "\"i\":1e999,\"big\":9007199254740993}");
    double number = 7;
    int64_t count = 7;
    char text[4];
    CHECK_STRING("a", json_name(json_first(json)));
    CHECK_STRING("A", json_name(json_next(json_first(json))));
    CHECK_DOUBLE(1, json_number(json_get(json, "a")));
    CHECK_DOUBLE(2, json_number(json_get(json, "A")));
    CHECK(!json_get(json, "T"), "names differ by case");
    CHECK(json_get_number(json, "h", &number) && number == 1.5, "%g", number);
    CHECK(!json_get_number(json, "i", &number), "infinity is no number");
    CHECK(!json_get_number(json, "t", &number) && !json_get_number(json, "n", &number), "kinds");
    CHECK(json_get_count(json, "a", &count) && count == 1, "%" PRId64, count);
    CHECK(!json_get_count(json, "h", &count), "half a count");
    CHECK(!json_get_count(json, "m", &count), "a negative count");
    CHECK(json_get_count(json, "big", &count) && count == INT64_C(1) << 53, "%" PRId64, count);
    CHECK(json_get_text(json, "t", text, sizeof text) && strcmp(text, "xyz") == 0, "a text fits");
    CHECK(!json_get_text(json, "t", text, 3), "a text is never cut");
    CHECK(!json_get_kind(json, "t", JSON_NUMBER) && json_get_kind(json, "n", JSON_NULL), "kinds");
    json_free(json);
    json_free(NULL);
}

static void check_written(const char *text, size_t length, const char *wants)
{
    struct buffer out = {0};
    json_write_string(&out, text, length);
    buffer_append(&out, "", 1);
    CHECK_STRING(wants, out.data);
    buffer_free(&out);
}

static void test_writing(void)
{
    check_written("", 0, "\"\"");
    check_written("a\"b\\c\n\x01\x7f", 8, "\"a\\\"b\\\\c\\u000a\\u0001\\u007f\"");
    check_written("a\0b", 3, "\"a\\u0000b\"");
    check_written("\u00e9\xff\U0001F600\xc3", 8, "\"\u00e9\uFFFD\U0001F600\uFFFD\"");
    struct buffer out = {0};
    json_write_number(&out, 0.1);
    json_write_number(&out, -5e-324);
    buffer_append(&out, "", 1);
    CHECK_STRING("0.1-5e-324", out.data);
    buffer_free(&out);
}

int main(void)
{
    test_values();
    test_refused();
    test_numbers();
    test_strings();
    test_depth();
    test_members();
    test_writing();
    return check_report("json");
}
