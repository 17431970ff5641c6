/* The three handlers, driven by requests made by hand. */
#include "fake_request.h"
#include "scratch.h"
#include "unready.h"

#include <fcntl.h>
#include <sys/file.h>

static struct config config = {
    .data_dir = ".", .train_path = "./train.txt", .learn_online = true, .id_window = UINT64_MAX};
static struct handler action, build, predict;
static struct fake_request fake;
static struct error error;

static const char json[] = "application/json", form[] = "application/x-www-form-urlencoded";

static void open_handlers(void)
{
    CHECK(action_handler(&action, &config, &error) && build_handler(&build, &config, &error) &&
              predict_handler(&predict, &config, &error),
          "%s", error.text);
}

static void close_handlers(void)
{
    action.close(action.context);
    build.close(build.context);
    predict.close(predict.context);
}

static void check(const struct handler *handler, int status, const char *body)
{
    CHECK_INT(status, fake_serve(handler, &fake));
    CHECK_STRING(body, fake_body(&fake));
}

static void post_as(const char *type, const char *body, int status, const char *wants)
{
    fake_begin(&fake, "POST", "/action", "", type, body);
    check(&action, status, wants);
}

static void post(const char *body, int status, const char *wants)
{
    post_as(json, body, status, wants);
}

/* An error that begins with these words. */
static void post_refused(const char *body, int status, const char *begins)
{
    char wants[100];
    fake_begin(&fake, "POST", "/action", "", json, body);
    CHECK_INT(status, fake_serve(&action, &fake));
    snprintf(wants, sizeof wants, "{\"error\": \"%s", begins);
    CHECK(strncmp(fake_body(&fake), wants, strlen(wants)) == 0, "%s: %s", body, fake_body(&fake));
}

static int build_model(void)
{
    fake_begin(&fake, "POST", "/build", "", "", NULL);
    return fake_serve(&build, &fake);
}

static void get(const char *query, int status, const char *wants)
{
    fake_begin(&fake, "GET", "/predict", query, "", NULL);
    check(&predict, status, wants);
}

static void test_single_events(void)
{
    scratch_empty();
    open_handlers();
    post("{\"a\": 1, \"target\": 3}", 201, "{\"seq\": 1}\n");
    post("{\"target\": 5, \"a\": 2}", 201, "{\"seq\": 2}\n");
    post("{\"a\": 3, \"target\": 7, \"_id\": \"x\"}", 201, "{\"seq\": 3}\n");
    post("{\"a\": 3, \"target\": 7, \"_id\": \"x\"}", 200, "{\"seq\": 3, \"duplicate\": true}\n");
    post("{\"_id\":\"x\",\"a\":3.0,\"target\":70e-1}", 200, "{\"seq\": 3, \"duplicate\": true}\n");
    post_refused("{\"a\": 4, \"target\": 7, \"_id\": \"x\"}", 409,
                 "_id \\\"x\\\" is already stored");
    post("{\"a\": 4, \"target\": 9, \"_id\": 12}", 201, "{\"seq\": 4}\n");
    post("{\"a\": 4, \"target\": 9, \"_id\": \"12\"}", 200, "{\"seq\": 4, \"duplicate\": true}\n");
    post_as(form, " {\"a\": 5, \"target\": 11}", 201, "{\"seq\": 5}\n");
    close_handlers();
}

static void test_refused_events(void)
{
    scratch_empty();
    open_handlers();
    post_refused("{\"a\": 1}", 422, "missing \\\"target\\\"");
    post_refused("{\"target\": 1}", 422, "there must be at least one feature");
    post_refused("{\"a\": 1, \"a\": 2, \"target\": 1}", 422, "feature \\\"a\\\" is repeated");
    post("{\"b\": 1, \"target\": 3}", 201, "{\"seq\": 1}\n"); /* none of those fixed the schema */
    post_refused("{\"a\": 1, \"target\": 1}", 422, "unknown feature \\\"a\\\"; missing");
    post_refused("{\"b\": \"1\", \"target\": 1}", 422, "\\\"b\\\" is not a number");
    post_refused("{\"b\": null, \"target\": 1}", 422, "\\\"b\\\" is missing");
    post_refused("{\"b\": 1e999, \"target\": 1}", 422, "\\\"b\\\" is beyond");
    post_refused("{\"b\": 1, \"b\": 1, \"target\": 1}", 422, "\\\"b\\\" is repeated");
    post_refused("{\"b\": 1, \"target\": 1, \"target\": 1}", 422, "\\\"target\\\" is repeated");
    post_refused("{\"b\": 1, \"target\": 1, \"_x\": 1}", 422, "unknown option \\\"_x\\\"");
    post_refused("{\"b\": 1, \"target\": 1, \"_id\": \"\"}", 422, "_id must have 1 to 255");
    post_refused("{\"b\": 1, \"target\": 1, \"_id\": 1.5}", 422, "_id must be a string, or");
    post_refused("{\"b\": 1, \"target\": 1, \"_id\": \"a\\n\"}", 422, "_id has a control");
    post_refused("{\"b\":1,\"target\":1,\"_id\":\"a\",\"_id\":\"a\"}", 422, "\\\"_id\\\" is rep");
    post_refused("7", 422, "an event must be a JSON object");
    post_refused("{\"b\": 1, \"target\": 1", 400, "the JSON");
    post_refused("{\"b\": NaN, \"target\": 1}", 400, "the JSON");
    post_refused("{\"b\": 01, \"target\": 1}", 400, "the JSON");
    post_refused("", 400, "the body is empty");
    post_refused(NULL, 411, "the request has no body");
    fake_begin(&fake, "POST", "/action", "", "text/plain", "b=1&target=2");
    CHECK_INT(415, fake_serve(&action, &fake));
    fake_begin(&fake, "GET", "/action", "", "", NULL);
    CHECK_INT(405, fake_serve(&action, &fake));
    CHECK(strstr(fake.headers, "Allow: POST, OPTIONS\r\n"), "%s", fake.headers);
    post("{\"b\": 1, \"target\": 3}", 201, "{\"seq\": 2}\n"); /* nothing else was stored */
    close_handlers();
}

static void test_bulk(void)
{
    scratch_empty();
    open_handlers();
    post("[]", 200,
         "{\"accepted\": 0, \"duplicates\": 0, \"rejected\": 0, \"first_seq\": null, "
         "\"last_seq\": null, \"errors\": []}\n");
    post("[{\"a\":1,\"target\":1},{\"a\":2},{\"a\":2,\"target\":2,\"_id\":\"x\"},7,"
         "{\"a\":2,\"target\":2,\"_id\":\"x\"}]",
         200,
         "{\"accepted\": 2, \"duplicates\": 1, \"rejected\": 2, \"first_seq\": 1, \"last_seq\": 2, "
         "\"errors\": [{\"index\": 1, \"error\": \"missing \\\"target\\\"\"}, {\"index\": 3, "
         "\"error\": \"an event must be a JSON object of named values\"}]}\n");
    post_as("application/x-ndjson", "{\"a\":3,\"target\":3}\n", 200,
            "{\"accepted\": 1, \"duplicates\": 0, \"rejected\": 0, \"first_seq\": 3, "
            "\"last_seq\": 3, \"errors\": []}\n");
    post_as(form, "{\"a\":4,\"target\":3}{\"a\":5,\"target\":3}", 200,
            "{\"accepted\": 2, \"duplicates\": 0, \"rejected\": 0, \"first_seq\": 4, "
            "\"last_seq\": 5, \"errors\": []}\n");
    post_as("text/csv", "target,a\r\n1,2\r\nx,3\r\n5,6\r\n", 200,
            "{\"accepted\": 2, \"duplicates\": 0, \"rejected\": 1, \"first_seq\": 6, "
            "\"last_seq\": 7, \"errors\": [{\"index\": 1, \"error\": \"body:3: column target: "
            "\\\"x\\\" is not a number\"}]}\n");
    /* of a short body with a fault nothing is stored */
    post_refused("[{\"a\":1,\"target\":1},{\"a\":]", 400, "the JSON");
    post("{\"a\":9,\"target\":1}", 201, "{\"seq\": 8}\n");
    close_handlers();
}

/* A body of more events than one turn takes, which comes in pieces and then breaks off: what was
 * stored is told. */
static void test_long_bulk(void)
{
    enum { COUNT = 20000 };
    struct buffer body = {0};
    for (int i = 0; i < COUNT; i++)
        buffer_printf(&body, "{\"a\":%d,\"target\":%d%s}\n", i, 2 * i, i % 200 ? "" : ",\"x\":1");
    buffer_append(&body, "", 1);
    for (int broken = 0; broken < 2; broken++) {
        scratch_empty();
        open_handlers();
        post("{\"a\":1,\"target\":2}", 201, "{\"seq\": 1}\n");
        fake_begin(&fake, "POST", "/action", "", "application/x-ndjson", body.data);
        fake.step = 1000;
        fake.cut_short = broken;
        CHECK_INT(broken ? 400 : 200, fake_serve(&action, &fake));
        CHECK(strstr(fake_body(&fake), "\"accepted\": 19900, \"duplicates\": 0, \"rejected\": 100, "
                                       "\"first_seq\": 2, \"last_seq\": 19901"),
              "%.200s", fake_body(&fake));
        CHECK(strstr(fake_body(&fake), "{\"index\": 19800, ") &&
                  !strstr(fake_body(&fake), "{\"index\": 20000, "),
              "the first 100 errors");
        close_handlers();
    }
    buffer_free(&body);
}

/* Many requests of one turn: one batch, each with its own answer. */
static void test_group(void)
{
    enum { COUNT = 50 };
    static struct fake_request fakes[COUNT];
    static char bodies[COUNT][64];
    char wants[64];
    scratch_empty();
    open_handlers();
    for (int i = 0; i < COUNT; i++) {
        snprintf(bodies[i], sizeof bodies[i], "{\"%s\": %d, \"target\": 1, \"_id\": %d}",
                 i % 10 == 9 ? "b" : "a", i / 2, i / 2);
        fake_begin(&fakes[i], "POST", "/action", "", json, bodies[i]);
        action.request(action.context, &fakes[i].request);
        CHECK(!fakes[i].answered, "nothing is answered before it is durable");
    }
    CHECK(access("actions.jsonl", F_OK) != 0, "nothing is written before the turn");
    fake_turns(&action);
    int64_t seq = 0;
    for (int i = 0; i < COUNT; i++) {
        bool second = i % 2 && i % 10 != 9;
        seq += !second && i % 10 != 9;
        CHECK_INT(i % 10 == 9 ? 422 : second ? 200 : 201, fakes[i].status);
        snprintf(wants, sizeof wants, "{\"seq\": %d%s}\n", (int)seq,
                 second ? ", \"duplicate\": true" : "");
        if (i % 10 != 9)
            CHECK_STRING(wants, fake_body(&fakes[i]));
    }
    close_handlers();
}

/* An event that cannot be stored after it made the schema does not keep it. */
static void test_first_event_of_a_full_volume(void)
{
    scratch_empty();
    open_handlers();
    config.min_free = UINT64_MAX / 2;
    post_refused("{\"a\": 1, \"target\": 3}", 507, "the volume has");
    config.min_free = 0;
    post("{\"b\": 1, \"target\": 3}", 201, "{\"seq\": 1}\n");
    close_handlers();
}

/* Why there is no model is told by who should bring it, and no longer than that is so. */
static void test_unready(void)
{
    static const char *const paths[] = {"/predict", "/readyz", "/model"};
    scratch_empty();
    open_handlers();
    unready_tell(".", "the \"database\" is away");
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        fake_begin(&fake, "GET", paths[i], "", "", NULL);
        check(&predict, 503,
              "{\"error\": \"there is no model here yet: the \\\"database\\\" is away\"}\n");
    }
    unready_tell(".", NULL);
    fake_begin(&fake, "GET", "/model", "", "", NULL);
    CHECK_INT(404, fake_serve(&predict, &fake));
    post("{\"a\": 1, \"target\": 3}", 201, "{\"seq\": 1}\n");
    CHECK_INT(200, build_model());
    unready_tell(".", "the database is away");
    fake_begin(&fake, "GET", "/readyz", "", "", NULL);
    CHECK_INT(200, fake_serve(&predict, &fake));
    close_handlers();
}

static void test_build_and_predict(void)
{
    scratch_empty();
    open_handlers();
    get("a=1&b=2", 503,
        "{\"error\": \"no model has been built yet: POST events to /action, then POST "
        "/build\"}\n");
    fake_begin(&fake, "GET", "/readyz", "", "", NULL);
    CHECK_INT(503, fake_serve(&predict, &fake));
    fake_begin(&fake, "GET", "/model", "", "", NULL);
    CHECK_INT(404, fake_serve(&predict, &fake));
    CHECK_INT(409, build_model());
    for (int i = 0; i < 5; i++) { /* 1 + 2a − b */
        char body[64];
        snprintf(body, sizeof body, "{\"a\":%d,\"b\":%d,\"target\":%d}", i, i * i,
                 1 + 2 * i - i * i);
        fake_begin(&fake, "POST", "/action", "", json, body);
        CHECK_INT(201, fake_serve(&action, &fake));
    }
    CHECK_INT(200, build_model());
    struct buffer built = {0};
    buffer_puts(&built, fake_body(&fake));
    buffer_append(&built, "", 1);
    fake_begin(&fake, "GET", "/model", "", "", NULL);
    check(&predict, 200, built.data);
    buffer_free(&built);
    get("a=1&b=2", 200, "{\"prediction\": 1}\n");
    CHECK(strstr(fake.headers, "X-Model-Version: 1\r\nX-Model-Events: 5\r\n"), "%s", fake.headers);
    get("b=2&a=1e+3", 200, "{\"prediction\": 1999}\n");
    get("%61=0.1&b=0", 200, "{\"prediction\": 1.2}\n");
    get("a=1", 422, "{\"error\": \"missing feature \\\"b\\\"\"}\n");
    get("a=1&b=2&c=3&a=1", 422,
        "{\"error\": \"unknown feature \\\"c\\\"; \\\"a\\\" is repeated\"}\n");
    get("a=&b=0x10", 422,
        "{\"error\": \"\\\"a\\\" is missing, which MISSING=allow would allow; \\\"b\\\" is not a "
        "number\"}\n");
    get("a=nan&b=1e999", 422,
        "{\"error\": \"\\\"a\\\" is not a number; \\\"b\\\" is beyond the range of a double\"}\n");
    get("a=1&b=2&target=1", 422, "{\"error\": \"unknown feature \\\"target\\\"\"}\n");
    get("a=1%", 400,
        "{\"error\": \"the query has a % that is not followed by two hexadecimal digits\"}\n");
    get("a=1e308&b=-1e308", 422,
        "{\"error\": \"the prediction is beyond the range of a double\"}\n");
    fake_begin(&fake, "GET", "/readyz", "", "", NULL);
    check(&predict, 200, "{\"status\": \"ready\"}\n");
    fake_begin(&fake, "GET", "/nothing", "", "", NULL);
    CHECK_INT(404, fake_serve(&predict, &fake));
    /* LEARN=online: the next event is learnt at once, under the same version */
    post("{\"a\":7,\"b\":0,\"target\":15}", 201, "{\"seq\": 6}\n");
    get("a=0&b=0", 200, "{\"prediction\": 1}\n");
    CHECK(strstr(fake.headers, "X-Model-Version: 1\r\nX-Model-Events: 6\r\n"), "%s", fake.headers);
    CHECK_INT(200, build_model());
    CHECK(strstr(fake_body(&fake), "\"version\": 2,"), "%s", fake_body(&fake));
    close_handlers();
}

static void predict_many(const char *type, const char *body, int status, const char *wants)
{
    for (size_t step = 0; step < 8; step++) {
        fake_begin(&fake, "POST", "/predict", "", type, body);
        fake.step = step / 2;
        fake.halting = step % 2 == 1;
        check(&predict, status, wants);
    }
}

static void test_predict_bodies(void)
{
    scratch_empty();
    open_handlers();
    post("[{\"a\":0,\"target\":1},{\"a\":2,\"target\":5}]", 200,
         "{\"accepted\": 2, \"duplicates\": 0, \"rejected\": 0, \"first_seq\": 1, "
         "\"last_seq\": 2, \"errors\": []}\n");
    CHECK_INT(200, build_model());
    predict_many(json, "{\"a\": 2}", 200, "{\"prediction\": 5}\n");
    predict_many(form, "{\"a\": 2}", 200, "{\"prediction\": 5}\n");
    predict_many(json, "[{\"a\": 2}]", 200, "{\"predictions\": [5]}\n");
    predict_many(json, "[{\"a\": 2}, {\"a\": 0.5}]", 200, "{\"predictions\": [5, 2]}\n");
    predict_many(json, "[{\"a\": 3}, {\"a\": 2}, {\"a\": -1}]", 200,
                 "{\"predictions\": [7, 5, -1]}\n");
    predict_many(json, "[]", 200, "{\"predictions\": []}\n");
    predict_many("text/csv", "a\n1\n2\n", 200, "3\n5\n");
    predict_many("text/tab-separated-values", "a\r\n1", 200, "3\n");
    predict_many(json, "{\"b\": 2}", 422,
                 "{\"error\": \"unknown feature \\\"b\\\"; missing feature \\\"a\\\"\"}\n");
    predict_many(
        json, "[{\"a\": 2}, {\"a\": null}]", 422,
        "{\"error\": \"at index 1: \\\"a\\\" is missing, which MISSING=allow would allow\"}\n");
    predict_many("text/csv", "a,b\n1,2\n", 422, "{\"error\": \"unknown feature \\\"b\\\"\"}\n");
    predict_many("text/csv", "a\n1\nx\n", 422,
                 "{\"error\": \"body:3: column a: \\\"x\\\" is not a number\"}\n");
    predict_many("text/csv", "1\n2\n", 422,
                 "{\"error\": \"body:1: the table needs a first line with the names of its "
                 "columns\"}\n");
    predict_many(json, "[{\"a\": 2}, {\"a\": 3]", 400,
                 "{\"error\": \"at index 1: the JSON cannot be parsed (near byte 8)\"}\n");
    predict_many("text/plain", "a=1", 415,
                 "{\"error\": \"cannot tell what the body is: send JSON, or a Content-Type of "
                 "application/json, application/x-ndjson, text/tab-separated-values or "
                 "text/csv (curl -H 'Content-Type: text/csv' --data-binary @FILE)\"}\n");
    predict_many("text/csv", "a1237", 422,
                 "{\"error\": \"unknown feature \\\"a1237\\\"; missing feature \\\"a\\\"\"}\n");
    predict_many("text/csv", "a\n\n", 422,
                 "{\"error\": \"the table has a header and no rows (curl -d removes line ends: use "
                 "--data-binary @FILE)\"}\n");
    close_handlers();
}

/* Rows that say who is `a`, as JSON: so many. */
static char *many_rows(size_t count)
{
    struct buffer rows = {0};
    for (size_t i = 0; i < count; i++)
        buffer_printf(&rows, "{\"a\": %zu}\n", i % 10);
    buffer_append(&rows, "", 1);
    return rows.data;
}

/* A long answer is the same as many short ones, and its file is empty again. */
static void test_long_answer(void)
{
    enum { ROWS = 40000 };
    char *rows = many_rows(ROWS);
    scratch_empty();
    open_handlers();
    post("[{\"a\":0,\"target\":1},{\"a\":9,\"target\":19}]", 200,
         "{\"accepted\": 2, \"duplicates\": 0, \"rejected\": 0, \"first_seq\": 1, "
         "\"last_seq\": 2, \"errors\": []}\n");
    CHECK_INT(200, build_model());
    for (int halting = 0; halting < 2; halting++) {
        fake_begin(&fake, "POST", "/predict", "", "application/x-ndjson", rows);
        fake.halting = halting;
        CHECK_INT(200, fake_serve(&predict, &fake));
        static const char ten[] = "1, 3, 5, 7, 9, 11, 13, 15, 17, 19, ";
        size_t begins = strlen("{\"predictions\": [");
        CHECK_INT(begins + ROWS / 10 * strlen(ten) - strlen(", ") + strlen("]}\n"),
                  fake.length_answered);
        for (size_t at = begins; at + strlen(ten) < sizeof fake.body; at += strlen(ten))
            if (!CHECK(strncmp(fake.body + at, ten, strlen(ten)) == 0, "%.60s", fake.body + at))
                break;
    }
    free(rows);
    close_handlers();
}

/* While a body of many rows is predicted others are answered, a short body too. */
static void test_turns(void)
{
    enum { ROWS = 300000 };
    char *rows = many_rows(ROWS);
    struct fake_request lengthy;
    scratch_empty();
    open_handlers();
    post("[{\"a\":0,\"target\":1},{\"a\":9,\"target\":19}]", 200,
         "{\"accepted\": 2, \"duplicates\": 0, \"rejected\": 0, \"first_seq\": 1, "
         "\"last_seq\": 2, \"errors\": []}\n");
    CHECK_INT(200, build_model());
    fake_begin(&lengthy, "POST", "/predict", "", "application/x-ndjson", rows);
    predict.request(predict.context, &lengthy.request);
    int turns = 0, answered = 0;
    while (!lengthy.answered && turns++ < 100000) {
        predict.turn(predict.context);
        if (lengthy.answered)
            break;
        fake_begin(&fake, "GET", "/predict", "a=2", "", NULL);
        predict.request(predict.context, &fake.request);
        CHECK_STRING("{\"prediction\": 5}\n", fake_body(&fake));
        fake_begin(&fake, "POST", "/predict", "", json, "{\"a\": 2}");
        predict.request(predict.context, &fake.request);
        predict.turn(predict.context);
        answered += fake.answered;
        CHECK_STRING("{\"prediction\": 5}\n", fake_body(&fake));
    }
    CHECK(answered > 2, "%d answers beside a body in %d turns", answered, turns);
    CHECK_INT(200, lengthy.status);
    free(rows);
    close_handlers();
}

/* Another process holds the lock: 503 in time, predictions go on, and all is well afterwards. */
static void test_held_lock(void)
{
    scratch_empty();
    open_handlers();
    post("[{\"a\":0,\"target\":1},{\"a\":1,\"target\":3}]", 200,
         "{\"accepted\": 2, \"duplicates\": 0, \"rejected\": 0, \"first_seq\": 1, "
         "\"last_seq\": 2, \"errors\": []}\n");
    CHECK_INT(200, build_model());
    int fd = open("lock", O_RDWR | O_CLOEXEC);
    CHECK(flock(fd, LOCK_EX) == 0, "the lock");
    struct fake_request waiting;
    fake_begin(&waiting, "POST", "/build", "", "", NULL);
    build.request(build.context, &waiting.request);
    fake_begin(&fake, "POST", "/action", "", json, "{\"a\":5,\"target\":11}");
    action.request(action.context, &fake.request);
    for (int i = 0; i < 3000 && !(fake.answered && waiting.answered); i++) {
        int wait = action.turn(action.context), other = build.turn(build.context);
        CHECK(wait > 0 || fake.answered, "it waits for a timer");
        CHECK(other > 0 || waiting.answered, "it waits for a timer");
        usleep(2000);
    }
    static const char busy[] =
        "{\"error\": \"another process holds the lock of the data directory; try again\"}\n";
    CHECK_INT(503, fake.status);
    CHECK_STRING(busy, fake_body(&fake));
    CHECK(strstr(fake.headers, "Retry-After"), "%s", fake.headers);
    CHECK_INT(503, waiting.status);
    CHECK_STRING(busy, fake_body(&waiting));
    get("a=5", 200, "{\"prediction\": 11}\n");
    close(fd);
    post("{\"a\":5,\"target\":11}", 201, "{\"seq\": 3}\n");
    CHECK_INT(200, build_model());
    close_handlers();
}

int main(void)
{
    scratch_make();
    test_single_events();
    test_refused_events();
    test_bulk();
    test_long_bulk();
    test_group();
    test_first_event_of_a_full_volume();
    test_unready();
    test_build_and_predict();
    test_predict_bodies();
    test_long_answer();
    test_turns();
    test_held_lock();
    scratch_end();
    return check_report("handlers");
}
