/* The window has the events with the greatest numbers, in whatever order they come. */
#include "check.h"
#include "window.h"

#include <stdlib.h>

enum { ROWS = 50, EVENTS = 1000 };

static void shuffle(int64_t *numbers, size_t count)
{
    for (size_t i = count - 1; i > 0; i--) {
        size_t j = (size_t)rand() % (i + 1);
        int64_t other = numbers[i];
        numbers[i] = numbers[j];
        numbers[j] = other;
    }
}

static void add(struct window *window, int64_t seq)
{
    double row[] = {(double)seq, -(double)seq};
    if (!window_takes(window, seq))
        return;
    const double *oldest = window_oldest(window);
    CHECK(!oldest || oldest[0] < row[0], "%g makes room for %g", oldest[0], row[0]);
    window_add(window, seq, row);
}

/* The order of `step` events at a time is random. */
static void test_order(size_t step)
{
    int64_t numbers[EVENTS];
    struct window *window = window_new(ROWS, 2);
    bool seen[EVENTS] = {false};
    double least, greatest;
    for (size_t i = 0; i < EVENTS; i++)
        numbers[i] = (int64_t)i;
    for (size_t i = 0; i < EVENTS; i += step)
        shuffle(numbers + i, step);
    for (size_t i = 0; i < EVENTS; i++) {
        add(window, numbers[i]);
        CHECK_INT(i + 1 < ROWS ? i + 1 : ROWS, window_count(window));
    }
    for (size_t i = 0; i < ROWS; i++) {
        const double *row = window_row(window, i);
        CHECK(row[0] >= EVENTS - ROWS && row[1] == -row[0], "%g %g", row[0], row[1]);
        seen[(size_t)row[0]] = true;
    }
    for (size_t i = EVENTS - ROWS; i < EVENTS; i++)
        CHECK(seen[i], "%zu is there", i);
    window_range(window, 0, &least, &greatest);
    CHECK_DOUBLE(EVENTS - ROWS, least);
    CHECK_DOUBLE(EVENTS - 1, greatest);
    CHECK_DOUBLE(EVENTS - ROWS, window_oldest(window)[0]);
    window_free(window);
}

int main(void)
{
    srand(12);
    test_order(1);
    test_order(5);
    test_order(EVENTS);
    return check_report("window");
}
