/* http, and what a body is taken for. */
#include "body.h"
#include "check.h"
#include "fake_request.h"
#include "http.h"

static struct error error;
static char pairs[20000];

static void note_pair(void *context, const char *name, const char *value)
{
    (void)context;
    size_t used = strlen(pairs);
    snprintf(pairs + used, sizeof pairs - used, "<%s|%s>", name, value);
}

static void check_query(const char *query, const char *wants)
{
    pairs[0] = '\0';
    bool ok = http_query(query, note_pair, NULL, &error);
    CHECK_STRING(wants, ok ? pairs : "refused");
    CHECK(ok || error.kind == ERROR_SYNTAX, "kind %d", error.kind);
}

static void test_query(void)
{
    check_query("", "");
    check_query("a=1", "<a|1>");
    check_query("a=1&b=2&a=3", "<a|1><b|2><a|3>");
    check_query("&&a=1&&", "<a|1>");
    check_query("a", "<a|>");
    check_query("a=", "<a|>");
    check_query("=1", "<|1>");
    check_query("=", "<|>");
    check_query("a=b=c", "<a|b=c>");
    check_query("a=1e+16", "<a|1e+16>");
    check_query("a+b=1", "<a+b|1>");
    check_query("a%20b=%2B1", "<a b|+1>");
    check_query("%61=%3d%26%25", "<a|=&%>");
    check_query("a=%2541", "<a|%41>"); /* decoded once */
    check_query("gr%C3%B6%c3%9fe=1", "<größe|1>");
    check_query("a;b=1", "<a;b|1>");
    check_query("a=%", "refused");
    check_query("a=%4", "refused");
    check_query("a=%4&b=1", "refused");
    check_query("%=1", "refused");
    check_query("a=%g1", "refused");
    check_query("a=%1g", "refused");
    check_query("a=%00", "refused");
    check_query("a%00=1", "refused");
    check_query("a=1&b=%%31", "refused");
}

static void test_long_query(void)
{
    struct buffer query = {0};
    for (int i = 0; i < 1000; i++)
        buffer_printf(&query, "%sf%d=%%3%d", i ? "&" : "", i, i % 10);
    buffer_append(&query, "", 1);
    pairs[0] = '\0';
    CHECK(http_query(query.data, note_pair, NULL, &error), "%s", error.text);
    CHECK(strncmp(pairs, "<f0|0><f1|1>", 12) == 0 && strstr(pairs, "<f999|9>"), "%.50s", pairs);
    for (size_t length = 4090; length < 4100; length++) { /* around the room on the stack */
        char text[5000] = "a=";
        memset(text + 2, 'x', length - 2);
        text[length] = '\0';
        pairs[0] = '\0';
        CHECK(http_query(text, note_pair, NULL, &error), "%s", error.text);
        CHECK_INT(length + 2, strlen(pairs));
    }
    buffer_free(&query);
}

static void check_method(const char *method, const char *allowed, int status)
{
    struct response response = {0};
    struct request request = {.method = method, .path = "/x"};
    bool ok = http_method_allowed(&request, allowed, &response);
    CHECK_INT(status, ok ? 200 : response.status);
    if (!ok) {
        char wants[100];
        snprintf(wants, sizeof wants, "Allow: %s, OPTIONS\r\n", allowed);
        CHECK_STRING(wants, response.headers);
        CHECK(status != 204 || (!response.content_type && response.body.length == 0), "no body");
    }
    buffer_free(&response.body);
}

static void test_methods(void)
{
    check_method("GET", "GET, HEAD, POST", 200);
    check_method("HEAD", "GET, HEAD, POST", 200);
    check_method("POST", "GET, HEAD, POST", 200);
    check_method("POST", "POST", 200);
    check_method("OPTIONS", "POST", 204);
    check_method("OPTIONS", "GET, HEAD", 204);
    check_method("GET", "POST", 405);
    check_method("get", "GET", 405);
    check_method("HEA", "GET, HEAD", 405);
    check_method("EAD", "GET, HEAD", 405);
    check_method("GETX", "GET, HEAD", 405);
    check_method("DELETE", "GET, HEAD, POST", 405);
    check_method("", "GET, HEAD", 405);
}

static void test_statuses(void)
{
    static const struct {
        enum error_kind kind;
        int status;
    } cases[] = {{ERROR_SYNTAX, 400}, {ERROR_UNUSABLE, 422},  {ERROR_CONFLICT, 409},
                 {ERROR_ABSENT, 404}, {ERROR_METHOD, 405},    {ERROR_MEDIA_TYPE, 415},
                 {ERROR_LENGTH, 411}, {ERROR_TOO_LARGE, 413}, {ERROR_NOT_READY, 503},
                 {ERROR_BUSY, 503},   {ERROR_FULL, 507},      {ERROR_DAMAGED, 503},
                 {ERROR_SYSTEM, 503}, {ERROR_TOKEN, 401},     {ERROR_FORBIDDEN, 403}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct response response = {0};
        error_set(&error, cases[i].kind, "what \"is\" wrong\n");
        response_error(&response, &error);
        CHECK_INT(cases[i].status, response.status);
        CHECK(strcmp(http_reason(response.status), "Unknown") != 0, "%d", response.status);
        CHECK_STRING(cases[i].status == 503   ? "Retry-After: 1\r\n"
                     : cases[i].status == 401 ? "WWW-Authenticate: Bearer\r\n"
                                              : "",
                     response.headers);
        buffer_append(&response.body, "", 1);
        CHECK_STRING("{\"error\": \"what \\\"is\\\" wrong\\u000a\"}\n", response.body.data);
        buffer_free(&response.body);
    }
}

static void test_headers(void)
{
    struct response response = {0};
    response_clear(&response);
    response_header(&response, "A: %d", 1);
    response_header(&response, "B: %s", "2");
    CHECK_STRING("A: 1\r\nB: 2\r\n", response.headers);
    CHECK_INT(200, response.status);
    CHECK_STRING("application/json", response.content_type);
    response_clear(&response);
    CHECK_STRING("", response.headers);
}

static void test_types(void)
{
    static const struct {
        const char *text;
        enum http_body type;
    } cases[] = {{"application/json", HTTP_BODY_JSON},
                 {"application/json; charset=utf-8", HTTP_BODY_JSON},
                 {"application/json;charset=utf-8", HTTP_BODY_JSON},
                 {"Application/JSON", HTTP_BODY_JSON},
                 {"text/json", HTTP_BODY_JSON},
                 {"application/x-ndjson", HTTP_BODY_NDJSON},
                 {"application/ndjson", HTTP_BODY_NDJSON},
                 {"application/jsonl", HTTP_BODY_NDJSON},
                 {"text/tab-separated-values", HTTP_BODY_TABLE},
                 {"text/csv; header=present", HTTP_BODY_TABLE},
                 {"", HTTP_BODY_UNKNOWN},
                 {"application/x-www-form-urlencoded", HTTP_BODY_UNKNOWN},
                 {"application/jsonp", HTTP_BODY_UNKNOWN},
                 {"application/jso", HTTP_BODY_UNKNOWN},
                 {"text/plain", HTTP_BODY_UNKNOWN}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct request request = {.content_type = cases[i].text};
        CHECK(http_body_type(&request) == cases[i].type, "%s", cases[i].text);
    }
}

enum { TABLE = -1, OBJECTS = -2, LINES = -3 };

/* Opens a body; an error's kind, or what it was taken for. */
static int open_body(const char *type, const char *text, size_t step)
{
    struct fake_request fake;
    struct body body;
    fake_begin(&fake, "POST", "/", "", type, text);
    fake.step = step;
    fake.halting = step % 2 == 1;
    body_begin(&body, &fake.request);
    bool ok;
    do
        ok = body_open(&body, &error);
    while (!ok && error.kind == ERROR_LATER);
    int result = !ok ? (int)error.kind : body.is_table ? TABLE : body.is_bulk ? LINES : OBJECTS;
    body_close(&body);
    return result;
}

static void test_bodies(void)
{
    static const char form[] = "application/x-www-form-urlencoded", csv[] = "text/csv";
    for (size_t step = 0; step <= 3; step++) {
        CHECK_INT(OBJECTS, open_body(form, "{\"a\":1}", step));
        CHECK_INT(OBJECTS, open_body(form, " \r\n\t[{}]", step));
        CHECK_INT(OBJECTS, open_body("", "{", step));
        CHECK_INT(OBJECTS, open_body("application/json", "1", step));
        CHECK_INT(LINES, open_body("application/x-ndjson", "{}", step));
        CHECK_INT(TABLE, open_body(csv, "a,b\n1,2\n", step));
        CHECK_INT(ERROR_UNUSABLE, open_body(csv, "1,2\n3,4\n", step));
        CHECK_INT(ERROR_MEDIA_TYPE, open_body(form, "a=1&b=2", step));
        CHECK_INT(ERROR_MEDIA_TYPE, open_body("text/plain", "1", step));
        CHECK_INT(ERROR_MEDIA_TYPE, open_body("", "\"a\"", step));
        CHECK_INT(ERROR_SYNTAX, open_body("application/json", "", step));
        CHECK_INT(ERROR_SYNTAX, open_body("application/json", " \n\t ", step));
        CHECK_INT(ERROR_SYNTAX, open_body(csv, "", step));
    }
    CHECK_INT(ERROR_LENGTH, open_body("application/json", NULL, 0));
    char blank[1000];
    memset(blank, ' ', sizeof blank);
    strcpy(blank + sizeof blank - 4, "{}\n");
    CHECK_INT(OBJECTS, open_body("", blank, 0));
}

int main(void)
{
    test_query();
    test_long_query();
    test_methods();
    test_statuses();
    test_headers();
    test_types();
    test_bodies();
    return check_report("http");
}
