#include "check.h"
#include "json.h"
#include "json_stream.h"

#include <stdlib.h>

/* A body that arrives in pieces of `step` bytes, and may break off with an error. */
struct source {
    const char *text;
    size_t length, at, step;
    bool breaks;
    bool halts, halted; /* every other time nothing has come */
};

static long feed(void *context, char *data, size_t size, struct error *error)
{
    struct source *source = context;
    size_t left = source->length - source->at;
    source->halted = source->halts && !source->halted;
    if (source->halted)
        return error_later(error), -1;
    if (left == 0 && source->breaks)
        return error_set(error, ERROR_SYNTAX, "broken off"), -1;
    size_t length = source->step < size ? source->step : size;
    length = length < left ? length : left;
    memcpy(data, source->text + source->at, length);
    source->at += length;
    return (long)length;
}

/* All values in a row, each in <>, then how it ended: "." or "!" and the error's kind. */
static const char *cut_pieces(struct source source, size_t step)
{
    static char out[512];
    struct json_stream stream;
    struct error error;
    const char *text;
    size_t length, used = 0;
    enum json_stream_result result;
    source.step = step;
    json_stream_init(&stream, feed, &source);
    while ((result = json_stream_next(&stream, &text, &length, &error)) == JSON_STREAM_VALUE ||
           (result == JSON_STREAM_ERROR && error.kind == ERROR_LATER))
        used += result != JSON_STREAM_VALUE
                    ? 0
                    : (size_t)snprintf(out + used, sizeof out - used, "<%.*s>", (int)length, text);
    if (result == JSON_STREAM_END)
        snprintf(out + used, sizeof out - used, "%s.", stream.any_array ? "[]" : "");
    else
        snprintf(out + used, sizeof out - used, "!%d", error.kind);
    json_stream_free(&stream);
    return out;
}

static const char *cut(const char *text, size_t step, bool halts)
{
    return cut_pieces((struct source){.text = text, .length = strlen(text), .halts = halts}, step);
}

static void test_cutting(void)
{
    static const struct {
        const char *text, *wants;
    } cases[] = {
        {"", "."},
        {" \r\n\t ", "."},
        {"{\"a\":1}", "<{\"a\":1}>."},
        {" {\"a\" : 1} \n", "<{\"a\" : 1}>."},
        {"{}{}\n{}  {}", "<{}><{}><{}><{}>."},
        {"{\"a\":\"}{][,\\\"\"}{}", "<{\"a\":\"}{][,\\\"\"}><{}>."},
        {"[]", "[]."},
        {"[ ]", "[]."},
        {"[{},{} , {}]", "<{}><{}><{}>[]."},
        {"[[1,2],[3]]", "<[1,2]><[3]>[]."},
        {"[1,2][3]4", "<1><2><3><4>[]."},
        {"1 2\n\"a\"\"b\"true", "<1><2><\"a\"><\"b\"><true>."},
        {"1\"a\"2{}3", "<1><\"a\"><2><{}><3>."},
        {"12345", "<12345>."},
        {"[12345", "<12345>!1"},
        {"[{}", "<{}>!1"},
        {"[", "!1"},
        {"[1,", "<1>!1"},
        {"[1,]", "<1>!1"},
        {"[1 2]", "<1>!1"},
        {"[{}{}]", "<{}>!1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t step = 1; step <= strlen(cases[i].text) + 1; step++)
            for (size_t halts = 0; halts < 2; halts++)
                CHECK_STRING(cases[i].wants, cut(cases[i].text, step, halts));
}

/* What the cutter passes on broken, the parser refuses: never is a broken text taken for values. */
static void test_broken_values(void)
{
    static const char *const texts[] = {"]",       "}",          "[1]]",      ",",    "[,1]",
                                        "[1,,2]",  "{\"a\":1",   "{\"a\":1]", "\"a",  "{} }",
                                        "{}x",     "{\"a\":[1}", "[{]",       "1,2",  ":1",
                                        "\"a\\\"", "tru",        "[1;2]",     "\v{}", "{}\x01"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct source source = {.text = texts[i], .length = strlen(texts[i]), .step = 1};
        struct json_stream stream;
        struct error error = {0};
        const char *text;
        size_t length;
        enum json_stream_result result;
        bool refused = false;
        json_stream_init(&stream, feed, &source);
        while ((result = json_stream_next(&stream, &text, &length, &error)) == JSON_STREAM_VALUE) {
            struct json *json = json_parse(text, length, &error);
            refused = refused || !json;
            json_free(json);
        }
        CHECK(refused || result == JSON_STREAM_ERROR, "%s is accepted", texts[i]);
        json_stream_free(&stream);
    }
}

static void test_nul_is_no_end(void)
{
    CHECK_STRING("<{}><><{}>.", /* the NUL is a value of its own, which no parser takes */
                 cut_pieces((struct source){.text = "{}\0{}", .length = 5}, 5));
}

static void test_source_fails(void)
{
    struct source source = {.text = "{}{\"a\"", .length = 6, .breaks = true};
    CHECK_STRING("<{}>!1", cut_pieces(source, 1));
    CHECK_STRING("<{}>!1", cut_pieces(source, 9));
}

/* An endless source of one byte, after a beginning. */
struct endless {
    const char *start;
    char byte;
    size_t given;
};

static long feed_endless(void *context, char *data, size_t size, struct error *error)
{
    struct endless *endless = context;
    size_t length = strlen(endless->start);
    (void)error;
    memset(data, endless->byte, size);
    if (endless->given == 0)
        memcpy(data, endless->start, length);
    endless->given += size;
    return (long)size;
}

static void test_size_limit(void)
{
    struct endless open = {.start = "{\"a\":\"", .byte = 'x'}, deep = {.start = "{", .byte = '{'};
    struct endless *cases[] = {&open, &deep};
    for (int i = 0; i < 2; i++) {
        struct json_stream stream;
        struct error error;
        const char *text;
        size_t length;
        json_stream_init(&stream, feed_endless, cases[i]);
        CHECK_INT(JSON_STREAM_ERROR, json_stream_next(&stream, &text, &length, &error));
        CHECK_INT(ERROR_TOO_LARGE, error.kind);
        CHECK(cases[i]->given < 2 * JSON_VALUE_MAX, "%zu bytes taken", cases[i]->given);
        json_stream_free(&stream);
    }
}

static void check_size(size_t size, bool fits)
{
    char *text = malloc(size);
    memset(text, ' ', size);
    text[0] = '{';
    text[size - 1] = '}';
    struct source source = {.text = text, .length = size, .step = 1 << 20};
    struct json_stream stream;
    struct error error;
    const char *value;
    size_t length = 0;
    json_stream_init(&stream, feed, &source);
    enum json_stream_result result = json_stream_next(&stream, &value, &length, &error);
    CHECK_INT(fits ? JSON_STREAM_VALUE : JSON_STREAM_ERROR, result);
    CHECK(!fits || length == size, "%zu of %zu bytes", length, size);
    json_stream_free(&stream);
    free(text);
}

/* Memory does not grow with the stream. */
static void test_long_stream(void)
{
    enum { COUNT = 200000 };
    struct buffer all = {0};
    for (int i = 0; i < COUNT; i++)
        buffer_puts(&all, i % 3 ? "{\"a\": 1, \"b\": 2}\n" : "{\"a\":1}    ");
    struct source source = {.text = all.data, .length = all.length, .step = 1000};
    struct json_stream stream;
    struct error error;
    const char *text;
    size_t length;
    int count = 0;
    json_stream_init(&stream, feed, &source);
    while (json_stream_next(&stream, &text, &length, &error) == JSON_STREAM_VALUE)
        count++;
    CHECK_INT(COUNT, count);
    CHECK(stream.text.capacity <= 256 << 10, "%zu bytes", stream.text.capacity);
    json_stream_free(&stream);
    buffer_free(&all);
}

int main(void)
{
    test_cutting();
    test_broken_values();
    test_nul_is_no_end();
    test_source_fails();
    test_size_limit();
    check_size(JSON_VALUE_MAX, true);
    check_size(JSON_VALUE_MAX + 1, false);
    test_long_stream();
    return check_report("json_stream");
}
