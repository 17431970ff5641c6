/* What the fast reader takes, the slow one must take as the very same event. */
#include "event_reader.h"
#include "fake_request.h"
#include "flat_object.h"

#include <stdlib.h>

static const char *const NAMES[] = {"a", "b",
                                    "gr\xC3\xB6\xC3\x9F"
                                    "e"};
enum { FIELDS = sizeof NAMES / sizeof *NAMES + 1 };

static struct schema *schema;

/* Reads `text` through json_parse and struct binding. */
static bool agrees(const struct flat_object *flat, const char *text)
{
    struct fake_request fake;
    struct event_reader reader;
    struct event event;
    struct error error;
    fake_begin(&fake, "POST", "/action", NULL, "application/json", text);
    event_reader_begin(&reader, &fake.request);
    bool same = event_reader_open(&reader, &error) &&
                event_reader_fetch(&reader, &error) == EVENT_FETCHED &&
                event_reader_bind(&reader, schema, &event, &error) &&
                memcmp(event.row, flat->row, FIELDS * sizeof *event.row) == 0 &&
                (event.id == NULL) == (flat->event.id == NULL) &&
                (!event.id || (event.id_length == flat->event.id_length &&
                               memcmp(event.id, flat->event.id, event.id_length) == 0)) &&
                (event.time == NULL) == (flat->event.time == NULL) &&
                (!event.time || strcmp(event.time, flat->event.time) == 0);
    event_reader_close(&reader);
    return same;
}

/* Whether the fast reader takes the object that `text` begins with; if so, it must agree. */
static bool takes(struct flat_object *flat, const char *text)
{
    char object[4096];
    size_t used = flat_object_read(flat, text, strlen(text));
    if (used == 0)
        return false;
    snprintf(object, sizeof object, "%.*s", (int)used, text);
    CHECK(agrees(flat, object), "%s", object);
    return true;
}

static void test_taken(struct flat_object *flat)
{
    static const char *const texts[] = {
        "{\"a\":1,\"b\":2,\"gr\xC3\xB6\xC3\x9F"
        "e\":3,\"target\":4}",
        "{ \"target\" : -0.5e-3 ,\n\t\"gr\xC3\xB6\xC3\x9F"
        "e\" : 1E+2 , \"b\":0 ,\"a\": -0 } {",
        "{\"_id\":\"x-1\",\"_time\":\"2026-11-20T22:00:00Z\",\"a\":1.5,\"b\":2,\"gr\xC3\xB6\xC3\x9F"
        "e\":3,\"target\":4},",
        "{\"a\":1,\"b\":2,\"gr\xC3\xB6\xC3\x9F"
        "e\":3,\"target\":4,\"_id\":123456789012345}",
        "{\"a\":123456789012345678901234567890,\"b\":5e-324,\"gr\xC3\xB6\xC3\x9F"
        "e\":1.7976931348623157e308,\"target\":0.1}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CHECK(takes(flat, texts[i]), "%s", texts[i]);
}

static void test_left_alone(struct flat_object *flat)
{
    static const char *const values[] = {
        "01",    "+1",
        ".5",    "1.",
        "1e",    "1e999",
        "nan",   "0x1",
        "\"1\"", "null",
        "true",  "[1]",
        "{}",    "1 2",
        "--1",   "1.e5",
        "-",     "- 1",
        "",      "1e+-2",
        "\x80",  "1000000000000000000000000000000000000000000000000000000000000000"};
    static const char *const ids[] = {
        "\"\"", "1.5",     "-1",       "01",           "1e3", "1234567890123456",
        "null", "\"\\n\"", "\"\x7F\"", "\"\xC3\xB6\"", "{}",  ""};
    static const char *const texts[] = {"",
                                        "{",
                                        "{}",
                                        "[]",
                                        "{\"a\":1}",
                                        "{\"a\":1,\"b\":2,\"gr\xC3\xB6\xC3\x9F"
                                        "e\":3}",
                                        "{\"a\":1,\"a\":1,\"b\":2,\"gr\xC3\xB6\xC3\x9F"
                                        "e\":3,\"target\":4}",
                                        "{\"a\":1,\"b\":2,\"gr\xC3\xB6\xC3\x9F"
                                        "e\":3,\"target\":4,}",
                                        "{\"a\":1,\"b\":2,\"gr\xC3\xB6\xC3\x9F"
                                        "e\":3,\"target\":4,\"c\":5}",
                                        "{\"A\":1,\"b\":2,\"gr\xC3\xB6\xC3\x9F"
                                        "e\":3,\"target\":4}",
                                        "{\"\\u0061\":1,\"b\":2,\"gr\xC3\xB6\xC3\x9F"
                                        "e\":3,\"target\":4}",
                                        "{\"a\" 1,\"b\":2,\"gr\xC3\xB6\xC3\x9F"
                                        "e\":3,\"target\":4}",
                                        "{\"_time\":\"22:00\",\"a\":1,\"b\":2,\"gr\xC3\xB6\xC3\x9F"
                                        "e\":3,\"target\":4}",
                                        "{\"_time\":1,\"a\":1,\"b\":2,\"gr\xC3\xB6\xC3\x9F"
                                        "e\":3,\"target\":4}",
                                        "{\"_id\":1,\"_id\":1,\"a\":1,\"b\":2,\"gr\xC3\xB6\xC3\x9F"
                                        "e\":3,\"target\":4}",
                                        "{\"_weight\":1,\"_weight\":2,"
                                        "\"a\":1,\"b\":2,\"gr\xC3\xB6\xC3\x9F"
                                        "e\":3,\"target\":4}",
                                        "{\"a\":1,\"b\":2,\"gr\xC3\xB6\xC3\x9F"
                                        "e\":3,\"target\":4"};
    char text[512];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CHECK(!takes(flat, texts[i]), "%s", texts[i]);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        snprintf(text, sizeof text, "{\"a\":%s,\"b\":2,\"%s\":3,\"target\":4}", values[i],
                 NAMES[2]);
        CHECK(!takes(flat, text), "%s", text);
    }
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        snprintf(text, sizeof text, "{\"_id\":%s,\"a\":1,\"b\":2,\"%s\":3,\"target\":4}", ids[i],
                 NAMES[2]);
        CHECK(!takes(flat, text), "%s", text);
    }
}

static void test_without_target(void)
{
    struct flat_object flat = {0};
    char text[128];
    CHECK(flat_object_begin(&flat, schema, false), "no memory");
    snprintf(text, sizeof text, "{\"b\":2,\"a\":1,\"%s\":3}", NAMES[2]);
    CHECK_INT((long long)strlen(text), (long long)flat_object_read(&flat, text, strlen(text)));
    CHECK_DOUBLE(1, flat.row[0]);
    CHECK_DOUBLE(2, flat.row[1]);
    CHECK_DOUBLE(3, flat.row[2]);
    snprintf(text, sizeof text, "{\"b\":2,\"a\":1,\"%s\":3,\"target\":4}", NAMES[2]);
    CHECK_INT(0, (long long)flat_object_read(&flat, text, strlen(text)));
    snprintf(text, sizeof text, "{\"b\":2,\"a\":1,\"%s\":3,\"_id\":4}", NAMES[2]);
    CHECK_INT(0, (long long)flat_object_read(&flat, text, strlen(text)));
    flat_object_free(&flat);
}

static void append(char *text, size_t size, const char *piece)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s", piece);
}

/* An object of pieces that are mostly as they should be. */
static void make_object(char *text, size_t size)
{
    static const char *const blanks[] = {"", "", "", "", " ", "\n", "\t\r"};
    static const char *const numbers[] = {"0",       "-0",     "7",     "-12.5",
                                          "1e3",     "2.5E-7", "0.1",   "1e400",
                                          "00",      "+1",     "1.",    "12345678901234567890",
                                          "-1e-400", "nul",    "\"7\"", "9007199254740993"};
    static const char *const names[] = {"a",
                                        "b",
                                        "gr\xC3\xB6\xC3\x9F"
                                        "e",
                                        "target",
                                        "_id",
                                        "c",
                                        "\\u0061",
                                        ""};
    size_t first = (size_t)rand() % 4;
    strcpy(text, "{");
    for (size_t i = 0; i < 4 + (rand() % 4 == 0); i++) {
        size_t name =
            rand() % 12 ? (first + i) % 4 : (size_t)rand() % (sizeof names / sizeof *names);
        append(text, size, i ? "," : "");
        append(text, size, blanks[rand() % 7]);
        append(text, size, "\"");
        append(text, size, i == 4 && rand() % 2 ? "_id" : names[name]);
        append(text, size, "\"");
        append(text, size, blanks[rand() % 7]);
        append(text, size, ":");
        append(text, size, blanks[rand() % 7]);
        append(text, size, numbers[rand() % (rand() % 3 ? 7 : 16)]);
        append(text, size, blanks[rand() % 7]);
    }
    append(text, size, "}");
}

static void test_random(struct flat_object *flat)
{
    enum { TRIES = 50000 };
    char text[512];
    int taken = 0;
    srand(1);
    for (int i = 0; i < TRIES; i++) {
        make_object(text, sizeof text);
        if (rand() % 3 == 0)
            text[(size_t)rand() % strlen(text)] = (char)(1 + rand() % 255);
        taken += takes(flat, text);
    }
    CHECK(taken > TRIES / 10, "only %d of %d were taken", taken, TRIES);
}

int main(void)
{
    struct flat_object flat = {0};
    struct error error;
    schema = schema_new(NAMES, NULL, FIELDS - 1, &error);
    CHECK(schema && flat_object_begin(&flat, schema, true), "no memory");
    test_taken(&flat);
    test_left_alone(&flat);
    test_random(&flat);
    test_without_target();
    flat_object_free(&flat);
    schema_free(schema);
    return check_report("flat_object");
}
