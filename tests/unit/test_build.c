/* Builds beside other builds and beside writing, driven turn by turn. */
#include "fake_request.h"
#include "scratch.h"

#include <stdio.h>

static struct config config = {.data_dir = ".",
                               .keep_versions = 50,
                               .train_path = "./train.txt",
                               .learn_online = true,
                               .may_choose = true,
                               .id_window = UINT64_MAX};
static struct handler action, build;
static struct fake_request event;
static struct error error;

static void open_handlers(void)
{
    scratch_empty();
    CHECK(action_handler(&action, &config, &error) && build_handler(&build, &config, &error), "%s",
          error.text);
}

static void close_handlers(void)
{
    action.close(action.context);
    build.close(build.context);
}

/* Event `number` of a parabola, or of a straight line. True if it was stored without waiting. */
static bool post(int number)
{
    char text[100];
    double a = number % 37, target = config.may_choose ? (a - 9) * (a - 9) : 3 * a + 1;
    snprintf(text, sizeof text, "{\"a\": %g, \"b\": %d, \"target\": %g}", a, number % 5, target);
    fake_begin(&event, "POST", "/action", "", "application/json", text);
    return fake_serve(&action, &event) == 201;
}

static void post_events(int count)
{
    for (int i = 0; i < count; i++)
        CHECK(post(i), "event %d: %s", i, fake_body(&event));
}

static void ask(struct fake_request *request)
{
    fake_begin(request, "POST", "/build", "?_ignored=1", "", NULL);
    build.request(build.context, &request->request);
}

static void turn_until_answered(struct fake_request *request)
{
    for (int i = 0; i < 1000 && !request->answered; i++)
        if (build.turn(build.context) > 0)
            usleep(1000);
    CHECK(request->answered, "it is answered");
}

/* The version that was answered; 0: none. */
static int version_of(const struct fake_request *request)
{
    int version = 0;
    const char *at = strstr(fake_body(request), "\"version\": ");
    return at && sscanf(at, "\"version\": %d", &version) == 1 ? version : 0;
}

static int versions_there(void)
{
    char path[32];
    int count = 0;
    do
        snprintf(path, sizeof path, "models/%06d.json", count + 1);
    while (access(path, F_OK) == 0 && ++count);
    return count;
}

/* All that wait when a build begins are answered by it; who comes later has the next one. */
static void test_one_for_all(void)
{
    enum { WAITING = 5 };
    static struct fake_request waiting[WAITING], late[2];
    open_handlers();
    post_events(40);
    for (size_t i = 0; i < WAITING; i++)
        ask(&waiting[i]);
    build.turn(build.context);
    ask(&late[0]);
    ask(&late[1]);
    turn_until_answered(&waiting[0]);
    for (size_t i = 0; i < WAITING; i++)
        CHECK_INT(1, version_of(&waiting[i]));
    CHECK(!late[0].answered && !late[1].answered,
          "a build that began before they came is no answer");
    turn_until_answered(&late[0]);
    CHECK_INT(2, version_of(&late[0]));
    CHECK_INT(2, version_of(&late[1]));
    CHECK_INT(2, versions_there());
    close_handlers();
}

/* Nobody waits for a client that has hung up, whenever it did. */
static void test_hung_up(void)
{
    static struct fake_request gone[4], alive;
    open_handlers();
    post_events(40);
    for (size_t i = 0; i < 3; i++) {
        ask(&gone[i]);
        gone[i].request.gone = true;
    }
    turn_until_answered(&gone[0]);
    ask(&gone[3]);
    build.turn(build.context);
    gone[3].request.gone = true;
    turn_until_answered(&gone[3]);
    for (size_t i = 0; i < 4; i++)
        CHECK(gone[i].answered, "its connection is free again");
    CHECK_INT(0, versions_there());
    CHECK(post(40), "writing goes on: %s", fake_body(&event));
    ask(&gone[0]);
    ask(&alive);
    gone[0].request.gone = true;
    turn_until_answered(&alive);
    CHECK_INT(1, version_of(&alive));
    CHECK_INT(1, versions_there());
    close_handlers();
}

/* What a model predicts by: not its number, nor what was tried, nor how well it did on the way. */
static const char *essence(const char *text, char *copy, size_t size)
{
    const char *from = strstr(text, "\"features\""), *to = strstr(text, ",\n  \"live\"");
    snprintf(copy, size, "%.*s", from && to ? (int)(to - from) : 0, from ? from : "");
    return copy;
}

enum { ROWS = 60, ESSENCE_MAX = 1 << 16 };

/* A model built of ROWS events, and moved by another one, or built of all. */
static void expect(bool moved, char *wants)
{
    static struct fake_request built;
    struct buffer text = {0};
    open_handlers();
    post_events(moved ? ROWS : ROWS + 1);
    ask(&built);
    turn_until_answered(&built);
    CHECK(!moved || post(ROWS), "%s", fake_body(&event));
    CHECK(file_read("model.json", 1 << 20, &text, &error), "%s", error.text);
    buffer_append(&text, "", 1);
    essence(text.data, wants, ESSENCE_MAX);
    buffer_free(&text);
    close_handlers();
}

/* An event may come after any step: it is stored at once, and in the model, which is the one that
 * an online update or a build would have made of it. */
static void test_writing_goes_on(void)
{
    static struct fake_request built;
    static char moved[ESSENCE_MAX], whole[ESSENCE_MAX], got[ESSENCE_MAX];
    int steps = 0, moves = 0;
    expect(true, moved);
    expect(false, whole);
    for (bool done = false; !done; steps++) {
        open_handlers();
        post_events(ROWS);
        ask(&built);
        for (int i = 0; i < steps && !built.answered; i++)
            build.turn(build.context);
        done = built.answered;
        CHECK(post(ROWS), "after step %d: %s", steps, fake_body(&event));
        turn_until_answered(&built);
        essence(fake_body(&built), got, sizeof got);
        moves += strcmp(got, moved) == 0;
        CHECK(done || strcmp(got, moved) == 0 || strcmp(got, whole) == 0, "after step %d: %s",
              steps, fake_body(&built));
        CHECK(done || strstr(got, "\"rows\": 61"), "after step %d: %s", steps, fake_body(&built));
        close_handlers();
    }
    CHECK(steps > 4, "writing goes on between its steps: %d", steps);
    CHECK(moves > 0, "also behind the choice");
}

int main(void)
{
    scratch_make();
    test_one_for_all();
    test_hung_up();
    test_writing_goes_on();
    config.may_choose = false;
    test_writing_goes_on();
    scratch_end();
    return check_report("build");
}
