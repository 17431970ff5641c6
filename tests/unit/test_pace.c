#include "pace.h"

#include "check.h"

static struct pace pace;

/* How many events a turn takes, of which taking one costs nothing. */
static int64_t events_a_turn(void)
{
    return pace_budget(&pace) / pace_of(&pace, 1);
}

static void test_events(void)
{
    pace_begin(&pace);
    CHECK(events_a_turn() <= 100, "nothing is known: %lld", (long long)events_a_turn());
    for (int turn = 0; turn < 30; turn++)
        pace_note(&pace, 1000, 5000, 200);
    CHECK_INT(2000, events_a_turn());
    pace_note(&pace, 2000, 700000, 200);
    CHECK_INT(2000, events_a_turn()); /* it may be odd */
    pace_note(&pace, 2000, 10000, 200);
    CHECK_INT(2000, events_a_turn());
    pace_note(&pace, 2000, 700000, 200);
    pace_note(&pace, 2000, 700000, 200);
    CHECK_INT(28, events_a_turn()); /* twice is no accident */
}

static void test_single_event(void)
{
    pace_begin(&pace);
    for (int turn = 0; turn < 30; turn++)
        pace_note(&pace, 1000, 3000, 200);
    pace_note(&pace, 1, 400, 200); /* what a batch takes anyway */
    CHECK_INT(3333, events_a_turn());
    pace_note(&pace, 0, 400, 200);
    CHECK_INT(3333, events_a_turn());
}

static void test_rest(void)
{
    pace_begin(&pace);
    CHECK_INT(PACE_US, pace_budget(&pace));
    pace_note(&pace, 100, 300, 20000);
    CHECK_INT(20000, pace_budget(&pace));
    pace_note(&pace, 100, 300, 2000000);
    CHECK_INT(PACE_MAX_US, pace_budget(&pace));
    for (int turn = 0; turn < 40; turn++)
        pace_note(&pace, 100, 300, 100);
    CHECK_INT(PACE_US, pace_budget(&pace));
}

int main(void)
{
    test_events();
    test_single_event();
    test_rest();
    return check_report("pace");
}
