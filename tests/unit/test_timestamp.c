#include "check.h"
#include "timestamp.h"

#include <stdint.h>
#include <string.h>

static void test_taken(void)
{
    static const char *const pairs[][2] = {
        {"2026-11-20T22:00:00.123Z", "2026-11-20T22:00:00.123Z"},
        {"2026-11-20T22:00:00Z", "2026-11-20T22:00:00.000Z"},
        {"2026-11-20T22:00:00.5Z", "2026-11-20T22:00:00.500Z"},
        {"2026-11-20T22:00:00.1239999Z", "2026-11-20T22:00:00.123Z"},
        {"0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"},
        {"9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"},
        {"2024-02-29T12:00:00Z", "2024-02-29T12:00:00.000Z"},
        {"2000-02-29T12:00:00Z", "2000-02-29T12:00:00.000Z"},
    };
    char text[TIMESTAMP_MAX];
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (CHECK(timestamp_parse(pairs[i][0], strlen(pairs[i][0]), text), "%s", pairs[i][0]))
            CHECK_STRING(pairs[i][1], text);
}

/* What a clock says must be readable as an event's time, whatever it is. */
static void test_formatted(void)
{
    static const struct {
        struct timespec moment;
        const char *text;
    } cases[] = {{{0, 0}, "1970-01-01T00:00:00.000Z"},
                 {{1795800000, 123999999}, "2026-11-27T17:20:00.123Z"},
                 {{-1, 999999999}, "1969-12-31T23:59:59.999Z"},
                 {{253402300799, 999999999}, "9999-12-31T23:59:59.999Z"},
                 {{253402300800, 0}, "9999-12-31T23:59:59.999Z"},
                 {{INT64_MAX, 0}, "9999-12-31T23:59:59.999Z"},
                 {{-62135596800, 0}, "0001-01-01T00:00:00.000Z"},
                 {{-62135596801, 0}, "0001-01-01T00:00:00.000Z"},
                 {{INT64_MIN, 0}, "0001-01-01T00:00:00.000Z"}};
    char text[TIMESTAMP_MAX], again[TIMESTAMP_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        timestamp_format(cases[i].moment, text);
        CHECK_STRING(cases[i].text, text);
        CHECK(timestamp_parse(text, strlen(text), again), "%s", text);
    }
}

static void test_refused(void)
{
    static const char *const texts[] = {
        "",
        "Z",
        "2026-11-20",
        "2026-11-20T22:00Z",
        "2026-11-20T22:00:00",
        "2026-11-20 22:00:00Z",
        "2026-11-20T22:00:00.Z",
        "2026-11-20T22:00:00+01:00",
        "2026-11-20T22:00:00Zulu",
        "2026-11-20T22:00:00.12x",
        "2026-13-20T22:00:00Z",
        "2026-00-20T22:00:00Z",
        "2026-11-31T22:00:00Z",
        "2026-11-00T22:00:00Z",
        "2026-02-29T22:00:00Z",
        "1900-02-29T22:00:00Z",
        "0000-01-01T00:00:00Z",
        "2026-11-20T24:00:00Z",
        "2026-11-20T22:60:00Z",
        "2026-11-20T22:00:60Z",
        "202x-11-20T22:00:00Z",
        "-026-11-20T22:00:00Z",
    };
    char text[TIMESTAMP_MAX];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CHECK(!timestamp_parse(texts[i], strlen(texts[i]), text), "%s", texts[i]);
}

static void test_now(void)
{
    char now[TIMESTAMP_MAX], text[TIMESTAMP_MAX];
    timestamp_now(now);
    CHECK_INT(TIMESTAMP_LENGTH, strlen(now));
    CHECK(timestamp_parse(now, strlen(now), text) && strcmp(now, text) == 0, "%s", now);
}

int main(void)
{
    test_taken();
    test_formatted();
    test_refused();
    test_now();
    return check_report("test_timestamp");
}
