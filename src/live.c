#include "live.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Page's test in Hinkley's form (Page 1954, "Continuous inspection schemes"; Hinkley 1971,
 * "Inference about the change-point from cumulative sum tests"): the sum of what the absolute
 * errors are above their mean so far, in standard deviations, less a tolerance each, never below
 * zero. With these constants a shift by one deviation is seen after some 70 events, and without
 * one the sum reaches ALARM about once in 10^10 normal deviates. */
#define TOLERANCE    0.25
#define ALARM        50.0
#define EXCESS_MAX   100.0 /* so that it finds back when the errors do */
#define DEVIATES_MAX 10.0  /* what a single wild error counts as at most */
enum { FIRST_EVENTS = 100 /* before that many the deviation is not known well enough */ };

/* No more, so that the squares of a billion of them can be added up. */
#define ERROR_MAX 1e145

static void add(struct live_sums *sums, double error, double baseline)
{
    sums->events++;
    sums->absolute += error;
    sums->squares += error * error;
    sums->baseline_absolute += baseline;
    sums->baseline_squares += baseline * baseline;
}

static void inspect(struct live *live, double error)
{
    double count = (double)live->total.events, deviation = sqrt(live->spread / count);
    if (live->total.events >= FIRST_EVENTS && deviation > 0) {
        double above = fmax(fmin((error - live->mean) / deviation, DEVIATES_MAX), -DEVIATES_MAX);
        live->excess = fmin(fmax(live->excess + above - TOLERANCE, 0), EXCESS_MAX);
    }
    double step = error - live->mean; /* Welford 1962 */
    live->mean += step / (count + 1);
    live->spread += step * (error - live->mean);
}

void live_add(struct live *live, double target, double prediction, double mean)
{
    double error = fmin(fabs(target - prediction), ERROR_MAX);
    double baseline = fmin(fabs(target - mean), ERROR_MAX);
    if (live->blocks[live->block].events == LIVE_BLOCK) {
        live->block = (live->block + 1) % LIVE_BLOCKS;
        live->blocks[live->block] = (struct live_sums){0};
    }
    inspect(live, error);
    add(&live->blocks[live->block], error, baseline);
    add(&live->total, error, baseline);
}

struct live_sums live_window(const struct live *live)
{
    struct live_sums window = {0};
    for (size_t i = 0; i < LIVE_BLOCKS; i++) {
        window.events += live->blocks[i].events;
        window.absolute += live->blocks[i].absolute;
        window.squares += live->blocks[i].squares;
        window.baseline_absolute += live->blocks[i].baseline_absolute;
        window.baseline_squares += live->blocks[i].baseline_squares;
    }
    return window;
}

bool live_drifts(const struct live *live)
{
    return live->excess > ALARM;
}

/* ------------------------------------------------------------------ as JSON */

static void write_figure(struct buffer *out, const char *name, double value)
{
    buffer_printf(out, ", \"%s\": ", name);
    json_write_number(out, value);
}

static void write_sums(const struct live_sums *sums, struct buffer *out)
{
    double events = sums->events > 0 ? (double)sums->events : 1;
    buffer_printf(out, "\"events\": %lld", (long long)sums->events);
    write_figure(out, "mae", sums->absolute / events);
    write_figure(out, "rmse", sqrt(sums->squares / events));
    write_figure(out, "baseline_mae", sums->baseline_absolute / events);
    write_figure(out, "baseline_rmse", sqrt(sums->baseline_squares / events));
}

/* All that there is, in one order. */
enum { SUMS_NUMBERS = 5, NUMBERS = (LIVE_BLOCKS + 1) * SUMS_NUMBERS + 4 };

static double *numbers_of(const struct live_sums *sums, double *to)
{
    const double numbers[SUMS_NUMBERS] = {(double)sums->events, sums->absolute, sums->squares,
                                          sums->baseline_absolute, sums->baseline_squares};
    memcpy(to, numbers, sizeof numbers);
    return to + SUMS_NUMBERS;
}

static const double *sums_of(struct live_sums *sums, const double *numbers)
{
    *sums = (struct live_sums){(int64_t)numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]};
    return numbers + SUMS_NUMBERS;
}

void live_write_state(const struct live *live, struct buffer *out)
{
    double numbers[NUMBERS], *to = numbers_of(&live->total, numbers);
    for (size_t i = 0; i < LIVE_BLOCKS; i++)
        to = numbers_of(&live->blocks[i], to);
    const double rest[] = {(double)live->block, live->mean, live->spread, live->excess};
    memcpy(to, rest, sizeof rest);
    buffer_puts(out, "\"state\": [");
    for (size_t i = 0; i < NUMBERS; i++) {
        buffer_puts(out, i > 0 ? ", " : "");
        json_write_number(out, numbers[i]);
    }
    buffer_puts(out, "]");
}

void live_write(const struct live *live, struct buffer *out)
{
    struct live_sums window = live_window(live);
    buffer_puts(out, "{");
    write_sums(&live->total, out);
    buffer_puts(out, ",\n    \"window\": {");
    write_sums(&window, out);
    buffer_printf(out, "},\n    \"drift\": %s, ", live_drifts(live) ? "true" : "false");
    live_write_state(live, out);
    buffer_puts(out, "}");
}

static bool parse_numbers(const struct json *list, double numbers[static NUMBERS])
{
    const struct json *item = list ? json_first(list) : NULL;
    for (size_t i = 0; i < NUMBERS; i++, item = json_next(item)) {
        if (!item || json_kind(item) != JSON_NUMBER || !(json_number(item) >= 0))
            return false;
        numbers[i] = json_number(item);
    }
    return !item;
}

static bool is_count(double number, double most)
{
    return number <= most && number == floor(number);
}

bool live_parse(struct live *live, const struct json *json)
{
    double numbers[NUMBERS];
    const double *from = numbers;
    if (!parse_numbers(json_get_kind(json, "state", JSON_ARRAY), numbers))
        return false;
    const double *rest = numbers + (LIVE_BLOCKS + 1) * SUMS_NUMBERS;
    bool ok = is_count(numbers[0], 1e15) && is_count(rest[0], LIVE_BLOCKS - 1);
    for (size_t i = 1; ok && i <= LIVE_BLOCKS; i++)
        ok = is_count(numbers[i * SUMS_NUMBERS], LIVE_BLOCK);
    if (!ok)
        return false;
    from = sums_of(&live->total, from);
    for (size_t i = 0; i < LIVE_BLOCKS; i++)
        from = sums_of(&live->blocks[i], from);
    live->block = (int64_t)rest[0];
    live->mean = rest[1];
    live->spread = rest[2];
    live->excess = rest[3];
    return true;
}
