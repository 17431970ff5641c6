/* Live quality: the figures are those of the events, whatever was written and read on the way; a
 * change for the worse is seen, and nothing else is taken for one. */
#include "check.h"
#include "live.h"

#include <math.h>
#include <stdlib.h>

static struct error error;

/* As exact as doubles add: the same numbers in the same order. */
static void test_figures(void)
{
    enum { EVENTS = 1234 };
    struct live live = {0};
    struct live_sums wanted = {0}, window = {0};
    for (int i = 0; i < EVENTS; i++) {
        double target = i % 17, prediction = i % 13, mean = 7.5;
        live_add(&live, target, prediction, mean);
        wanted.absolute += fabs(target - prediction);
        wanted.squares += (target - prediction) * (target - prediction);
        wanted.baseline_absolute += fabs(target - mean);
        wanted.baseline_squares += (target - mean) * (target - mean);
        if (i < EVENTS - EVENTS % LIVE_BLOCK - (LIVE_BLOCKS - 1) * LIVE_BLOCK)
            continue;
        window.absolute += fabs(target - prediction);
        window.squares += (target - prediction) * (target - prediction);
    }
    CHECK_INT(EVENTS, live.total.events);
    CHECK_DOUBLE(wanted.absolute, live.total.absolute);
    CHECK_DOUBLE(wanted.squares, live.total.squares);
    CHECK_DOUBLE(wanted.baseline_absolute, live.total.baseline_absolute);
    CHECK_DOUBLE(wanted.baseline_squares, live.total.baseline_squares);
    struct live_sums seen = live_window(&live);
    CHECK_INT((LIVE_BLOCKS - 1) * LIVE_BLOCK + EVENTS % LIVE_BLOCK, seen.events);
    CHECK_DOUBLE(window.absolute, seen.absolute);
    CHECK_DOUBLE(window.squares, seen.squares);
}

/* What is written and read in between changes nothing. */
static void test_text(void)
{
    struct live live = {0}, other = {0};
    srand(5);
    for (int i = 0; i < 3000; i++) {
        struct buffer text = {0};
        double target = rand() / 1e9, prediction = rand() / 1e9;
        live_add(&live, target, prediction, 1);
        live_add(&other, target, prediction, 1);
        live_write(&other, &text);
        struct json *json = json_parse(text.data, text.length, &error);
        other = (struct live){0};
        CHECK(json && live_parse(&other, json), "event %d: %s", i, text.data);
        json_free(json);
        buffer_free(&text);
    }
    CHECK_DOUBLE(live.total.squares, other.total.squares);
    CHECK_DOUBLE(live.excess, other.excess);
    CHECK_DOUBLE(live.spread, other.spread);
    CHECK_DOUBLE(live_window(&live).absolute, live_window(&other).absolute);
}

static void test_bad_text(void)
{
    static const char *const bad[] = {"{}", "{\"state\": []}", "{\"state\": [1, 2]}",
                                      "{\"state\": \"x\"}"};
    struct live live = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct json *json = json_parse(bad[i], strlen(bad[i]), &error);
        CHECK(!live_parse(&live, json), "%s", bad[i]);
        json_free(json);
    }
    for (size_t place = 0; place < 34; place++) {
        struct buffer text = {0};
        buffer_puts(&text, "{\"state\": [");
        for (size_t i = 0; i < 34; i++)
            buffer_printf(&text, "%s%s", i ? "," : "", i == place ? "-1" : "0");
        buffer_puts(&text, "]}");
        struct json *json = json_parse(text.data, text.length, &error);
        CHECK(json && !live_parse(&live, json), "number %zu below zero", place);
        json_free(json);
        buffer_free(&text);
    }
    /* a block or a ring that would be written beyond its end */
    for (int block = 0; block < 2; block++) {
        struct buffer text = {0};
        buffer_puts(&text, "{\"state\": [");
        for (size_t i = 0; i < 34; i++)
            buffer_printf(&text, "%s%s", i ? "," : "",
                          i == 30 && block ? "5" : (i == 5 && !block ? "201" : "0"));
        buffer_puts(&text, "]}");
        struct json *json = json_parse(text.data, text.length, &error);
        CHECK(json && !live_parse(&live, json), "%s", text.data);
        json_free(json);
        buffer_free(&text);
    }
}

static double deviate(void)
{
    double sum = 0;
    for (int i = 0; i < 12; i++)
        sum += (double)rand() / RAND_MAX;
    return sum - 6;
}

static void test_drift(void)
{
    struct live live = {0};
    int alarms = 0, events = 0;
    srand(7);
    for (int i = 0; i < 200000; i++) {
        live_add(&live, deviate(), 0, 0);
        alarms += live_drifts(&live);
    }
    CHECK_INT(0, alarms);
    while (!live_drifts(&live) && events++ < 1000)
        live_add(&live, 3 * deviate(), 0, 0);
    CHECK(events > 10 && events < 100, "seen after %d events of three times the error", events);
    for (events = 0; live_drifts(&live) && events < 10000; events++)
        live_add(&live, deviate(), 0, 0);
    CHECK(events < 1000, "over after %d events of the old kind", events);
}

static void test_better_is_no_drift(void)
{
    struct live live = {0};
    srand(8);
    for (int i = 0; i < 5000; i++)
        live_add(&live, deviate() / (1 + i * 0.01), 0, 0);
    CHECK(!live_drifts(&live), "learning is no drift");
}

static void test_wild(void)
{
    struct live live = {0};
    live_add(&live, 1e308, -1e308, -1e308);
    live_add(&live, 0, HUGE_VAL, 0);
    for (int i = 0; i < 300; i++)
        live_add(&live, i % 2, 0, 0);
    struct buffer text = {0};
    live_write(&live, &text);
    struct json *json = json_parse(text.data, text.length, &error);
    CHECK(json && live_parse(&live, json), "%s", text.data);
    CHECK(!live_drifts(&live), "two wild errors are no drift");
    json_free(json);
    buffer_free(&text);
}

int main(void)
{
    test_figures();
    test_text();
    test_bad_text();
    test_drift();
    test_better_is_no_drift();
    test_wild();
    return check_report("live");
}
