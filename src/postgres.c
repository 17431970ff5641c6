#include "postgres.h"

#include "clock.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <postgresql/libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Of this transaction alone. */
#define SQL_TAKE_TIME "SELECT set_config('statement_timeout', '0', true)"

enum {
    PAUSE_MIN_MS = 100,
    PAUSE_MAX_MS = 5000,
    GRACE_MS = 50, /* a wait up to this is the way to the database, not its silence */
    PREPARED_MAX = 64,
    NAME_SIZE = 40,
    SQLSTATE_SIZE = 6,
    REPLIES_MAX = 2 * POSTGRES_STATEMENTS_MAX
};

/* SQLSTATE: invalid_sql_statement_name */
#define STATEMENT_UNKNOWN "26000"

struct statement {
    const char *text;
    bool is_unasked; /* no caller's, whose results it must not be counted with */
    int count;
    const char *values[POSTGRES_PARAMETERS_MAX];
};

struct postgres {
    char *uri;
    bool (*prepare)(struct postgres *, void *, struct error *);
    void *context;
    PGconn *connection;   /* NULL while there is none */
    int64_t deadline;     /* of what is being done */
    int64_t patience;     /* ms: what is left of it */
    int64_t next_try;     /* nothing is tried sooner */
    int64_t pause;        /* after the next failure */
    size_t failures;      /* since the start */
    struct error trouble; /* the last failure, to be told as long as it pauses */
    struct statement queue[POSTGRES_STATEMENTS_MAX];
    PGresult *results[POSTGRES_STATEMENTS_MAX];
    size_t queued, count;         /* of statements; of results */
    char sqlstate[SQLSTATE_SIZE]; /* of the error by which the last run failed; "": another */
    /* what this connection has parsed and planned, once: statements, known by their address */
    const char *prepared[PREPARED_MAX];
    size_t prepared_count;
    bool is_result[REPLIES_MAX]; /* of the replies to come; the others say that one is prepared */
    size_t reply_count, sync_count;
};

/* ------------------------------------------------------------------ the URI */

static bool is_port(const char *text, size_t length)
{
    size_t digits = strspn(text, "0123456789");
    long port = strtol(text, NULL, 10);
    return length == 0 || (digits == length && length <= 5 && port > 0 && port <= UINT16_MAX);
}

/* One or, by commas, several; one that is empty is the usual one. */
static bool are_ports(const char *list)
{
    for (size_t length;; list += length + 1) {
        length = strcspn(list, ",");
        if (!is_port(list, length))
            return false;
        if (!list[length])
            return true;
    }
}

/* Of a password with @ or / as it is libpq takes only a part for one, and the rest for host, port
 * or database, which its messages then show. */
static bool is_divided_well(const char *uri)
{
    const char *rest = strstr(uri, "://") + strlen("://");
    const char *user_end = rest + strcspn(rest, "@/");
    if (*user_end == '@')
        rest = user_end + 1;
    return !memchr(rest, '@', strcspn(rest, "?"));
}

static bool is_uri(const char *uri)
{
    char *trouble = NULL;
    if (strncmp(uri, "postgresql://", 13) != 0 && strncmp(uri, "postgres://", 11) != 0)
        return false;
    PQconninfoOption *options = PQconninfoParse(uri, &trouble);
    bool ok = options && is_divided_well(uri);
    for (PQconninfoOption *option = options; option && option->keyword; option++)
        if (option->val && strcmp(option->keyword, "port") == 0)
            ok = ok && are_ports(option->val);
    PQfreemem(trouble);
    PQconninfoFree(options);
    return ok;
}

bool postgres_check_uri(const char *uri, const char *variable, struct error *error)
{
    return is_uri(uri) ||
           error_set(
               error, ERROR_UNUSABLE,
               "%s cannot be used: it must be a URI such as "
               "postgresql://USER:PASSWORD@HOST:5432/DATABASE, and in USER and PASSWORD %% is "
               "written %%25, @ %%40, / %%2F, : %%3A (percent-encoding)",
               variable);
}

/* ------------------------------------------------------------------ connecting */

struct postgres *postgres_new(const char *uri,
                              bool (*prepare)(struct postgres *, void *, struct error *),
                              void *context)
{
    struct postgres *postgres = calloc(1, sizeof *postgres);
    if (!postgres || !(postgres->uri = strdup(uri))) {
        free(postgres);
        return NULL;
    }
    postgres->prepare = prepare;
    postgres->context = context;
    postgres->pause = PAUSE_MIN_MS;
    postgres->patience = INT64_MAX;
    return postgres;
}

void postgres_set_patience(struct postgres *postgres, int64_t ms)
{
    postgres->patience = ms;
}

static void clear_results(struct postgres *postgres)
{
    for (size_t i = 0; i < postgres->count; i++)
        PQclear(postgres->results[i]);
    postgres->count = 0;
}

void postgres_drop(struct postgres *postgres)
{
    clear_results(postgres);
    PQfinish(postgres->connection);
    postgres->connection = NULL;
    postgres->queued = 0;
    postgres->prepared_count = 0;
}

void postgres_free(struct postgres *postgres)
{
    if (!postgres)
        return;
    postgres_drop(postgres);
    explicit_bzero(postgres->uri, strlen(postgres->uri));
    free(postgres->uri);
    free(postgres);
}

static void begin_pause(struct postgres *postgres, const struct error *error)
{
    postgres->trouble = *error;
    postgres->next_try = clock_ms() + postgres->pause + rand() % (postgres->pause / 4);
}

static bool fail(struct postgres *postgres, const struct error *error)
{
    postgres_drop(postgres);
    postgres->failures++;
    begin_pause(postgres, error);
    postgres->pause = postgres->pause * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : postgres->pause * 2;
    return false;
}

/* Is there time for anything? If not, the connection is as good as before. */
static bool begin_waits(struct postgres *postgres, struct error *error)
{
    postgres->deadline = clock_ms() + POSTGRES_PATIENCE_MS;
    if (postgres->patience > GRACE_MS)
        return true;
    error_set(error, ERROR_BUSY, "the database takes too long: try again");
    begin_pause(postgres, error);
    return false;
}

/* Waits until the socket is ready for one of `events`. */
static bool wait_for(struct postgres *postgres, short events)
{
    struct pollfd socket = {.fd = PQsocket(postgres->connection), .events = events};
    int64_t began = clock_ms(), left = postgres->deadline - began;
    if (left > postgres->patience)
        left = postgres->patience;
    bool ready = socket.fd >= 0 && left > 0 && poll(&socket, 1, (int)left) > 0;
    int64_t waited = clock_ms() - began;
    if (!ready || waited > GRACE_MS)
        postgres->patience -= ready ? waited - GRACE_MS : waited;
    return ready;
}

/* How long the other side of the connection has given no sign of life, where it has acknowledged
 * what we sent: what is large, or goes over a slow link, is on its way for long. */
static int64_t silence(const struct postgres *postgres)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    bool known = getsockopt(PQsocket(postgres->connection), IPPROTO_TCP, TCP_INFO, &info, &size) ==
                 0; /* else it is a socket of this machine */
    return known ? info.tcpi_last_ack_recv : POSTGRES_PATIENCE_MS;
}

/* The same, for as long as anything moves. */
static bool wait_for_progress(struct postgres *postgres, short events)
{
    for (;;) {
        bool moved = wait_for(postgres, events);
        int64_t left = POSTGRES_PATIENCE_MS - (moved ? 0 : silence(postgres));
        if (!moved && (left <= 0 || postgres->patience <= 0))
            return false;
        postgres->deadline = clock_ms() + left;
        if (moved)
            return true;
    }
}

static bool finish_connecting(struct postgres *postgres)
{
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (status == PGRES_POLLING_READING || status == PGRES_POLLING_WRITING) {
        if (!wait_for(postgres, status == PGRES_POLLING_READING ? POLLIN : POLLOUT))
            return false;
        status = PQconnectPoll(postgres->connection);
    }
    return status == PGRES_POLLING_OK;
}

/* A list "a,b,c" turned by `by`: "b,c,a" by one. The caller's; NULL without memory. */
static char *turn_list(const char *list, size_t by)
{
    size_t count = 1;
    char *turned;
    const char *rest = list;
    for (const char *comma = list; (comma = strchr(comma, ',')); comma++)
        count++;
    for (by %= count; by > 0; by--)
        rest = strchr(rest, ',') + 1;
    if (rest == list)
        return strdup(list);
    return asprintf(&turned, "%s,%.*s", rest, (int)(rest - list - 1), list) < 0 ? NULL : turned;
}

/* libpq turns to the next host of a list only when one has refused, but one that says nothing takes
 * up all our time: so each failure puts another one first. */
enum { LISTS = 3 };
static const char *const list_names[LISTS] = {"host", "hostaddr", "port"};

static bool turn_hosts(const struct postgres *postgres, char *lists[static LISTS])
{
    bool ok = true;
    PQconninfoOption *options = PQconninfoParse(postgres->uri, NULL);
    for (PQconninfoOption *option = options; option && option->keyword; option++)
        for (size_t i = 0; i < LISTS; i++)
            if (option->val && strcmp(option->keyword, list_names[i]) == 0)
                ok = (lists[i] = turn_list(option->val, postgres->failures)) && ok;
    PQconninfoFree(options);
    return ok;
}

/* What comes before the URI it may override, not what comes after it; NULL leaves it as it is. */
static PGconn *start_connecting(const struct postgres *postgres)
{
    char *lists[LISTS] = {NULL};
    PGconn *connection = NULL;
    if (turn_hosts(postgres, lists)) {
        const char *const names[] = {
            "application_name", "gssencmode",  "keepalives_idle", "tcp_user_timeout", "dbname",
            "client_encoding",  list_names[0], list_names[1],     list_names[2],      NULL};
        const char *const values[] = {"trendline", "disable", "5",      "2000",   postgres->uri,
                                      "UTF8",      lists[0],  lists[1], lists[2], NULL};
        connection = PQconnectStartParams(names, values, 1);
    }
    for (size_t i = 0; i < LISTS; i++)
        free(lists[i]);
    return connection;
}

/* A server that went away since has closed its end, which is known without asking it. */
static bool is_connected(const struct postgres *postgres)
{
    PGconn *connection = postgres->connection;
    struct pollfd socket = {.fd = PQsocket(connection), .events = POLLIN};
    while (PQstatus(connection) == CONNECTION_OK && poll(&socket, 1, 0) > 0)
        if (PQconsumeInput(connection))
            PQisBusy(connection); /* takes the server's last words out of the way */
    return PQstatus(connection) == CONNECTION_OK;
}

/* What a server says unasked is not for our log. */
static void ignore_notice(void *context, const char *message)
{
    (void)context;
    (void)message;
}

/* The reason is libpq's own words, which name host, user and database: not for clients. */
static bool connect_failed(struct postgres *postgres, struct error *error)
{
    const char *reason = PQerrorMessage(postgres->connection);
    error_set(error, ERROR_BUSY, "the database cannot be reached: try again");
    error_add_detail(error, *reason ? reason : "no answer in time");
    return fail(postgres, error);
}

static bool make_connection(struct postgres *postgres, struct error *error)
{
    postgres_drop(postgres);
    postgres->connection = start_connecting(postgres);
    if (!postgres->connection)
        return error_memory(error);
    if (PQstatus(postgres->connection) == CONNECTION_BAD || !finish_connecting(postgres))
        return connect_failed(postgres, error);
    PQsetNoticeProcessor(postgres->connection, ignore_notice, NULL);
    PQsetnonblocking(postgres->connection, 1);
    PQenterPipelineMode(postgres->connection);
    return true;
}

bool postgres_may_try(const struct postgres *postgres, struct error *error)
{
    if (clock_ms() >= postgres->next_try)
        return true;
    *error = postgres->trouble;
    return false;
}

bool postgres_connect(struct postgres *postgres, struct error *error)
{
    if (!postgres_may_try(postgres, error))
        return false;
    if (is_connected(postgres))
        return true;
    if (!begin_waits(postgres, error) || !make_connection(postgres, error))
        return false;
    if (postgres->prepare && !postgres->prepare(postgres, postgres->context, error))
        return postgres->connection ? fail(postgres, error) : false;
    postgres->pause = PAUSE_MIN_MS;
    return true;
}

int64_t postgres_session(const struct postgres *postgres)
{
    return PQbackendPID(postgres->connection);
}

void postgres_queue(struct postgres *postgres, const char *text, int count,
                    const char *const *values)
{
    struct statement *statement = &postgres->queue[postgres->queued++];
    *statement = (struct statement){.text = text, .count = count};
    for (int i = 0; i < count; i++)
        statement->values[i] = values[i];
}

void postgres_queue_long(struct postgres *postgres, const char *text, int count,
                         const char *const *values)
{
    postgres->queue[postgres->queued++] =
        (struct statement){.text = SQL_TAKE_TIME, .is_unasked = true};
    postgres_queue(postgres, text, count, values);
}

/* Where a statement is, or would be, among those that are prepared. */
static size_t place_of(const struct postgres *postgres, const char *text)
{
    size_t place = 0;
    while (place < postgres->prepared_count && postgres->prepared[place] != text)
        place++;
    return place;
}

/* Of this session only: behind a pooler another one's would be taken for it. */
static const char *name_of(const struct postgres *postgres, size_t place,
                           char name[static NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "trendline_%d_%zu", PQbackendPID(postgres->connection), place);
    return name;
}

static bool prepare(struct postgres *postgres, const char *text)
{
    char name[NAME_SIZE];
    size_t place = place_of(postgres, text);
    if (place < postgres->prepared_count)
        return true;
    if (place == PREPARED_MAX)
        return false;
    postgres->prepared[postgres->prepared_count++] = text;
    postgres->is_result[postgres->reply_count++] = false;
    return PQsendPrepare(postgres->connection, name_of(postgres, place, name), text, 0, NULL) == 1;
}

static bool sync_replies(struct postgres *postgres)
{
    postgres->sync_count++;
    return PQpipelineSync(postgres->connection) == 1;
}

/* What is prepared ends with a sync of its own: from there on to the end of a statement the server
 * would count the time that the statement's values take to come. */
static bool prepare_queue(struct postgres *postgres)
{
    size_t known = postgres->prepared_count;
    for (size_t i = 0; i < postgres->queued; i++)
        if (!prepare(postgres, postgres->queue[i].text))
            return false;
    return postgres->prepared_count == known || sync_replies(postgres);
}

static bool send_statement(struct postgres *postgres, const struct statement *statement)
{
    char name[NAME_SIZE];
    name_of(postgres, place_of(postgres, statement->text), name);
    postgres->is_result[postgres->reply_count++] = !statement->is_unasked;
    return PQsendQueryPrepared(postgres->connection, name, statement->count, statement->values,
                               NULL, NULL, 0) == 1;
}

static bool send_queue(struct postgres *postgres)
{
    postgres->reply_count = postgres->sync_count = 0;
    if (!prepare_queue(postgres))
        return false;
    for (size_t i = 0; i < postgres->queued; i++)
        if (!send_statement(postgres, &postgres->queue[i]))
            return false;
    return sync_replies(postgres);
}

/* The next result, as it comes; NULL also when the time is over or the connection is lost, which
 * *lost tells from the end of one statement's results. */
static PGresult *next_result(struct postgres *postgres, bool *lost)
{
    PGconn *connection = postgres->connection;
    *lost = false;
    for (;;) {
        int unsent = PQflush(connection);
        if (unsent == 0 && !PQisBusy(connection))
            return PQgetResult(connection);
        *lost = unsent < 0 || !wait_for_progress(postgres, unsent ? POLLIN | POLLOUT : POLLIN) ||
                !PQconsumeInput(connection);
        if (*lost)
            return NULL;
    }
}

/* Why a statement was not done, in the server's words. */
static void tell_refusal(const struct postgres *postgres, const PGresult *result,
                         struct error *error)
{
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (strcmp(postgres->sqlstate, STATEMENT_UNKNOWN) == 0) /* we have prepared it in our session */
        error_set(error, ERROR_BUSY, POSTGRES_POOLED_TEXT);
    else
        error_set(error, ERROR_BUSY, "the database did not do it: %.300s",
                  primary ? primary : "it does not say why");
}

/* Takes the results up to the last sync's; the first error is kept. */
static bool receive(struct postgres *postgres, struct error *error)
{
    bool lost, ok = true;
    for (size_t reply = 0;;) {
        PGresult *result = next_result(postgres, &lost);
        if (lost || PQstatus(postgres->connection) != CONNECTION_OK) {
            PQclear(result);
            return error_set(error, ERROR_BUSY,
                             "the database did not do it: the connection was lost, or there was no "
                             "answer in time");
        }
        if (!result)
            continue;
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            if (--postgres->sync_count == 0)
                return ok;
            continue;
        }
        if (status == PGRES_FATAL_ERROR && ok) {
            const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
            snprintf(postgres->sqlstate, SQLSTATE_SIZE, "%s", sqlstate ? sqlstate : "");
            tell_refusal(postgres, result, error);
            ok = false;
        }
        if (ok && postgres->is_result[reply++])
            postgres->results[postgres->count++] = result;
        else
            PQclear(result);
    }
}

bool postgres_run(struct postgres *postgres, struct error *error)
{
    clear_results(postgres);
    *postgres->sqlstate = '\0';
    bool begun = begin_waits(postgres, error), ok = false;
    if (begun && postgres->connection && send_queue(postgres))
        ok = receive(postgres, error);
    else if (begun)
        error_set(error, ERROR_BUSY, "the database did not do it: it could not be sent");
    postgres->queued = 0;
    return ok || (begun && fail(postgres, error));
}

bool postgres_failed_by(const struct postgres *postgres, const char *sqlstate)
{
    return strcmp(postgres->sqlstate, sqlstate) == 0;
}

size_t postgres_rows(const struct postgres *postgres, size_t result)
{
    return (size_t)PQntuples(postgres->results[result]);
}

const char *postgres_text(const struct postgres *postgres, size_t result, size_t row, int column)
{
    const PGresult *rows = postgres->results[result];
    return PQgetisnull(rows, (int)row, column) ? NULL : PQgetvalue(rows, (int)row, column);
}

int64_t postgres_number(const struct postgres *postgres, size_t result, size_t row, int column)
{
    const char *text = postgres_text(postgres, result, row, column);
    return text ? strtoll(text, NULL, 10) : 0;
}
