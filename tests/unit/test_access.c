/* access and secret: what is taken for a token, and what each token allows. */
#include "access.h"
#include "check.h"
#include "fake_request.h"
#include "scratch.h"

static struct error error;

static void forget_all(void)
{
    unsetenv("API_TOKEN");
    unsetenv("API_TOKEN_FILE");
    unsetenv("READ_TOKEN");
    unsetenv("READ_TOKEN_FILE");
}

/* ------------------------------------------------------------------ secret */

/* What secret_read makes of the variable: the secret, or "refused". */
static const char *read_as(const char *variable, const char *value)
{
    static struct secret secret;
    forget_all();
    setenv(variable, value, 1);
    if (secret_read(&secret, "API_TOKEN", &error)) {
        CHECK_INT(strlen(secret.text), secret.length);
        return secret.text;
    }
    CHECK(strncmp(error.text, variable, strlen(variable)) == 0, "%s", error.text);
    CHECK(!strchr(error.text, '\n'), "%s", error.text);
    CHECK(!strstr(error.text, "s3cret"), "it is shown: %s", error.text);
    return "refused";
}

static const char *read_file_of(const char *content, size_t length)
{
    put_file("token", content, length);
    return read_as("API_TOKEN_FILE", "token");
}

static const char *longest(size_t length)
{
    static char text[SECRET_MAX + 2];
    memset(text, 'x', length);
    text[length] = '\0';
    return text;
}

static void test_values(void)
{
    struct secret secret;
    forget_all();
    CHECK(secret_read(&secret, "API_TOKEN", &error), "%s", error.text);
    CHECK_INT(0, secret.length);
    CHECK_STRING("s3cret", read_as("API_TOKEN", "s3cret"));
    CHECK_STRING("!~AZaz09-._+/=\"\\", read_as("API_TOKEN", "!~AZaz09-._+/=\"\\"));
    CHECK_STRING(longest(SECRET_MAX), read_as("API_TOKEN", longest(SECRET_MAX)));
    CHECK_STRING("refused", read_as("API_TOKEN", longest(SECRET_MAX + 1)));
    CHECK_STRING("refused", read_as("API_TOKEN", ""));
    CHECK_STRING("refused", read_as("API_TOKEN", "s3cret\n"));
    CHECK_STRING("refused", read_as("API_TOKEN", "s3cret s3cret"));
    CHECK_STRING("refused", read_as("API_TOKEN", "\ts3cret"));
    CHECK_STRING("refused", read_as("API_TOKEN", "s3cret\x7f"));
    CHECK_STRING("refused", read_as("API_TOKEN", "s3cret\xc3\xa9"));
}

#define READ_FILE_OF(text) read_file_of(text, sizeof(text) - 1)

static void test_files(void)
{
    CHECK_STRING("s3cret", READ_FILE_OF("s3cret"));
    CHECK_STRING("s3cret", READ_FILE_OF("s3cret\n"));
    CHECK_STRING("s3cret", READ_FILE_OF("s3cret\r\n"));
    CHECK_STRING("refused", READ_FILE_OF("s3cret\n\n"));
    CHECK_STRING("refused", READ_FILE_OF("s3cret\ns3cret\n"));
    CHECK_STRING("refused", READ_FILE_OF("s3cret\r"));
    CHECK_STRING("refused", READ_FILE_OF("s3cret "));
    CHECK_STRING("refused", READ_FILE_OF("s3cret\0"));
    CHECK_STRING("refused", READ_FILE_OF("s3c\0ret"));
    CHECK_STRING("refused", READ_FILE_OF(""));
    CHECK_STRING("refused", READ_FILE_OF("\n"));
    CHECK_STRING("refused", READ_FILE_OF("\r\n"));
    CHECK_STRING(longest(SECRET_MAX), read_file_of(longest(SECRET_MAX), SECRET_MAX));
    CHECK_STRING("refused", read_file_of(longest(SECRET_MAX + 1), SECRET_MAX + 1));
    CHECK_STRING("refused", read_as("API_TOKEN_FILE", "nothing"));
    CHECK(strstr(error.text, "No such file"), "%s", error.text);
    CHECK_STRING("refused", read_as("API_TOKEN_FILE", "/"));
    CHECK_STRING("refused", read_as("API_TOKEN_FILE", "/dev/zero"));
    CHECK_STRING("refused", read_as("API_TOKEN_FILE", ""));
}

static void test_both(void)
{
    struct secret secret;
    put_text("token", "s3cret");
    forget_all();
    setenv("API_TOKEN", "s3cret", 1);
    setenv("API_TOKEN_FILE", "token", 1);
    CHECK(!secret_read(&secret, "API_TOKEN", &error), "both are set");
    CHECK(strstr(error.text, "API_TOKEN and API_TOKEN_FILE"), "%s", error.text);
    CHECK(!strstr(error.text, "s3cret"), "%s", error.text);
}

static struct secret secret_of(const char *text)
{
    struct secret secret = {.length = strlen(text)};
    memcpy(secret.text, text, secret.length);
    return secret;
}

static bool matches(const struct secret *secret, const char *text)
{
    return secret_matches(secret, text, strlen(text));
}

static void test_matching(void)
{
    struct secret none = {0}, secret = secret_of("abc"), full = secret_of(longest(SECRET_MAX));
    CHECK(matches(&secret, "abc"), "the same");
    CHECK(!matches(&secret, "abd"), "the last differs");
    CHECK(!matches(&secret, "bbc"), "the first differs");
    CHECK(!matches(&secret, "ab"), "shorter");
    CHECK(!matches(&secret, "abca"), "longer");
    CHECK(!matches(&secret, "ABC"), "other letters");
    CHECK(!matches(&secret, ""), "nothing");
    CHECK(!secret_matches(&secret, "abc\0", 4), "longer by a NUL");
    CHECK(!matches(&none, ""), "no secret is matched by nothing");
    CHECK(!matches(&none, "abc"), "no secret is matched by something");
    CHECK(matches(&full, longest(SECRET_MAX)), "as long as can be");
    CHECK(!matches(&full, longest(SECRET_MAX + 1)), "longer than can be");
}

static void test_hand_down(void)
{
    struct access access;
    put_text("token", "writer\n");
    forget_all();
    setenv("API_TOKEN_FILE", "token", 1);
    setenv("READ_TOKEN", "reader", 1);
    CHECK(access_read(&access, &error) && access_hand_down(&access, &error), "%s", error.text);
    put_text("token", "another\n");
    memset(&access, 0, sizeof access);
    CHECK(access_read(&access, &error), "%s", error.text);
    CHECK_STRING("writer", access.api.text);
    CHECK_STRING("reader", access.read.text);
    const char *stood = getenv("API_TOKEN");
    access_hide();
    CHECK_STRING("", stood); /* as /proc/PID/environ shows it */
    CHECK(access_read(&access, &error), "%s", error.text);
    CHECK_INT(0, access.api.length);
    CHECK_INT(0, access.read.length);
}

/* ------------------------------------------------------------------ access */

/* The status that a request is given: 200 when it may be served. */
static int ask(const struct access *access, const char *method, const char *path,
               const char *authorization)
{
    struct request request = {.method = method, .path = path, .authorization = authorization};
    error.text[0] = '\0';
    bool allowed = access_check(access, &request, &error);
    CHECK(!strstr(error.text, "writer") && !strstr(error.text, "reader"), "%s", error.text);
    return allowed ? 200 : http_status(error.kind);
}

/* The statuses with no token, a wrong one, READ_TOKEN and API_TOKEN, as in "401 401 403 200". */
static const char *ask_all(const struct access *access, const char *method, const char *path)
{
    static char statuses[32];
    snprintf(statuses, sizeof statuses, "%d %d %d %d", ask(access, method, path, ""),
             ask(access, method, path, "Bearer wrong"), ask(access, method, path, "Bearer reader"),
             ask(access, method, path, "Bearer writer"));
    return statuses;
}

static void check_pages(const struct access *access, const char *reads, const char *writes)
{
    static const char open[] = "200 200 200 200";
    CHECK_STRING(reads, ask_all(access, "GET", "/predict"));
    CHECK_STRING(reads, ask_all(access, "POST", "/predict"));
    CHECK_STRING(reads, ask_all(access, "GET", "/model"));
    CHECK_STRING(reads, ask_all(access, "HEAD", "/model"));
    CHECK_STRING(writes, ask_all(access, "POST", "/action"));
    CHECK_STRING(writes, ask_all(access, "GET", "/action"));
    CHECK_STRING(writes, ask_all(access, "POST", "/build"));
    CHECK_STRING(writes, ask_all(access, "GET", "/a-page-of-the-future"));
    CHECK_STRING(writes, ask_all(access, "GET", "/predict/"));
    CHECK_STRING(writes, ask_all(access, "GET", ""));
    CHECK_STRING(open, ask_all(access, "GET", "/readyz"));
    CHECK_STRING(open, ask_all(access, "OPTIONS", "/predict"));
    CHECK_STRING(open, ask_all(access, "OPTIONS", "/action"));
}

static void test_rights(void)
{
    struct access access = {0};
    check_pages(&access, "200 200 200 200", "200 200 200 200");
    access.api = secret_of("writer");
    check_pages(&access, "200 200 200 200", "401 401 401 200");
    access.read = secret_of("reader");
    check_pages(&access, "401 401 200 200", "401 401 403 200");
    access.api = (struct secret){0};
    check_pages(&access, "401 401 200 401", "200 200 200 200");
    access.api = access.read; /* one token for all */
    CHECK_INT(200, ask(&access, "POST", "/action", "Bearer reader"));
}

static void test_authorization(void)
{
    static const char *const wrong[] = {
        "Bearer",         "Bearer ",      "Bearer  ",        "writer",          "Bearerwriter",
        "Bearer\twriter", "Basic writer", "Bearer writer x", "Bearer \"writer", " Bearer writer"};
    struct access access = {.api = secret_of("writer"), .read = secret_of("reader")};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_INT(401, ask(&access, "POST", "/action", wrong[i]));
    CHECK_INT(200, ask(&access, "POST", "/action", "Bearer writer"));
    CHECK_INT(200, ask(&access, "POST", "/action", "bearer writer"));
    CHECK_INT(200, ask(&access, "POST", "/action", "BEARER   writer"));
    ask(&access, "POST", "/action", "Basic writer");
    CHECK(strstr(error.text, "Authorization: Bearer"), "it says what to send: %s", error.text);
}

int main(void)
{
    scratch_make();
    test_values();
    test_files();
    test_both();
    test_matching();
    test_hand_down();
    test_rights();
    test_authorization();
    scratch_end();
    return check_report("access");
}
