#include "fcgi.h"

#include "access.h"
#include "clock.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 256,
    DRAIN_MS = 500,        /* how long kept connections are served after SIGTERM */
    ACCEPT_PAUSE_MS = 100, /* when there are no descriptors left for another connection */
    SOCKET_TIMEOUT_S = 5   /* for a web server that stops in the middle of a request */
};

struct loop;

/* One connection from the web server, kept for many requests. */
struct connection {
    struct loop *loop;
    struct connection *next, **link; /* in the loop's list */
    FCGX_Request fcgi;
    struct request request;
    uint64_t body_read;
    bool pending; /* the handler has the request */
};

struct loop {
    int epoll_fd, listen_fd;
    bool accept_paused;
    struct connection *connections;
    const struct handler *handler;
    const struct access *access;
    struct response refusal;
};

/* Set by the signal handler, which runs only inside epoll_pwait. */
static volatile sig_atomic_t stop_requested;

static void request_stop(int signal)
{
    (void)signal;
    stop_requested = 1;
}

static void close_connection(struct connection *connection)
{
    /* libfcgi's own close waits for the peer; this one has nothing left to say */
    if (connection->fcgi.ipcFd >= 0)
        close(connection->fcgi.ipcFd);
    connection->fcgi.ipcFd = -1;
    FCGX_Free(&connection->fcgi, 0);
    *connection->link = connection->next;
    if (connection->next)
        connection->next->link = connection->link;
    free(connection);
}

/* ------------------------------------------------------------------ one request */

static long read_body(struct request *request, char *data, size_t size, struct error *error)
{
    struct connection *connection = request->connection;
    int want = size > 1 << 20 ? 1 << 20 : (int)size;
    int got = FCGX_GetStr(data, want, connection->fcgi.in);
    connection->body_read += (uint64_t)got;
    /* an interrupted read looks like the end: only the length tells */
    if (got == 0 && connection->body_read != request->content_length) {
        error_set(error, ERROR_SYNTAX, "the body ends after %llu of %llu bytes",
                  (unsigned long long)connection->body_read,
                  (unsigned long long)request->content_length);
        return -1;
    }
    return got;
}

static char *put_length(char *at, size_t length)
{
    char digits[24], *digit = digits + sizeof digits;
    *--digit = '\0';
    do
        *--digit = (char)('0' + length % 10);
    while ((length /= 10) > 0);
    return stpcpy(at, digit);
}

/* By hand, because printf would take a tenth of a prediction's time. The web server takes 200 for
 * granted. */
static void write_response(FCGX_Stream *out, const struct response *response)
{
    char head[HTTP_HEADERS_MAX + 256], *at = head;
    if (response->status != 200)
        at += sprintf(at, "Status: %d %s\r\n", response->status, http_reason(response->status));
    if (response->content_type)
        at = stpcpy(stpcpy(stpcpy(at, "Content-Type: "), response->content_type), "\r\n");
    at = put_length(stpcpy(at, "Content-Length: "), response->body.length);
    at = stpcpy(stpcpy(stpcpy(at, "\r\n"), response->headers), "\r\n");
    FCGX_PutStr(head, (int)(at - head), out);
    if (response->body.length > 0)
        FCGX_PutStr(response->body.data, (int)response->body.length, out);
}

static void out_of_memory(struct response *response)
{
    static char text[] = "{\"error\": \"out of memory\"}\n";
    buffer_free(&response->body);
    response_clear(response);
    response->status = 503;
    response_header(response, "Retry-After: 1");
    response->body = (struct buffer){.data = text, .length = sizeof text - 1};
}

/* Over a connection that is closed while the body still comes, nginx would lose the answer and say
 * 502. It has the whole body, so that the rest is not long in coming. */
static void skip_body(struct connection *connection)
{
    struct request *request = &connection->request;
    char ignored[16 << 10];
    struct error error;
    while (connection->body_read != request->content_length &&
           read_body(request, ignored, sizeof ignored, &error) > 0)
        ;
}

static void answer(struct request *request, struct response *response)
{
    struct connection *connection = request->connection;
    bool failed = response->body.failed;
    if (failed)
        out_of_memory(response);
    skip_body(connection);
    write_response(connection->fcgi.out, response);
    if (failed)
        response->body = (struct buffer){0};
    /* what is left of a body would be taken for the next request */
    if (connection->body_read != request->content_length)
        connection->fcgi.keepConnection = 0;
    FCGX_Finish_r(&connection->fcgi);
    connection->pending = false;
    if (connection->fcgi.ipcFd < 0 || connection->request.gone)
        close_connection(connection);
}

static const char *parameter(const struct connection *connection, const char *name)
{
    const char *value = FCGX_GetParam(name, connection->fcgi.envp);
    return value ? value : "";
}

/* The length as the web server counted it; it has refused what is too large. */
static bool parse_length(const char *text, uint64_t *length)
{
    *length = 0;
    for (; *text >= '0' && *text <= '9'; text++)
        if (__builtin_mul_overflow(*length, 10, length) ||
            __builtin_add_overflow(*length, (uint64_t)(*text - '0'), length))
            return false;
    return *text == '\0';
}

static void fill_request(struct connection *connection)
{
    struct request *request = &connection->request;
    const char *length = parameter(connection, "CONTENT_LENGTH");
    *request = (struct request){.method = parameter(connection, "REQUEST_METHOD"),
                                .path = parameter(connection, "SCRIPT_NAME"),
                                .query = parameter(connection, "QUERY_STRING"),
                                .content_type = parameter(connection, "CONTENT_TYPE"),
                                .authorization = parameter(connection, "HTTP_AUTHORIZATION"),
                                .read = read_body,
                                .answer = answer,
                                .gone = request->gone,
                                .connection = connection};
    request->has_length = *length && parse_length(length, &request->content_length);
    connection->body_read = 0;
    connection->pending = true;
}

/* libfcgi has no way to take over a connection but these fields. With a listen socket of -1 it
 * never accepts one by itself, which it would do, and wait, when a kept connection has ended. */
static void adopt(struct connection *connection, int fd)
{
    FCGX_InitRequest(&connection->fcgi, -1, 0);
    connection->fcgi.ipcFd = fd;
    connection->fcgi.keepConnection = 1;
}

/* The one place where tokens are looked at: a handler sees only what is allowed. */
static void serve_request(struct loop *loop, struct request *request)
{
    struct error error;
    if (access_check(loop->access, request, &error)) {
        loop->handler->request(loop->handler->context, request);
        return;
    }
    response_error(&loop->refusal, &error);
    request->answer(request, &loop->refusal);
}

static void serve_connection(struct connection *connection)
{
    if (FCGX_Accept_r(&connection->fcgi) != 0) {
        close_connection(connection); /* the web server has hung up, or speaks nonsense */
        return;
    }
    fill_request(connection);
    serve_request(connection->loop, &connection->request);
}

/* ------------------------------------------------------------------ the loop */

static void add_connection(struct loop *loop, struct connection *connection, int fd)
{
    struct timeval timeout = {.tv_sec = SOCKET_TIMEOUT_S};
    /* edge-triggered: a connection whose request is being worked on does not report itself again */
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = connection};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        free(connection);
        close(fd);
        return;
    }
    connection->loop = loop;
    adopt(connection, fd);
    connection->next = loop->connections;
    connection->link = &loop->connections;
    if (connection->next)
        connection->next->link = &connection->next;
    loop->connections = connection;
}

static void listen_to(struct loop *loop, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = NULL};
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, loop->listen_fd, &event);
    loop->accept_paused = events == 0;
}

/* 0, or an errno. Memory comes first: a connection that were taken and closed again would be told
 * to its client as the death of this process. */
static int accept_connection(struct loop *loop)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return ENOMEM;
    int fd = accept4(loop->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        add_connection(loop, connection, fd);
        return 0;
    }
    int trouble = errno;
    free(connection);
    return trouble;
}

static void accept_connections(struct loop *loop)
{
    for (;;) {
        int trouble = accept_connection(loop);
        if (trouble == EMFILE || trouble == ENFILE || trouble == ENOMEM || trouble == ENOBUFS)
            return listen_to(loop, 0);
        if (trouble != 0 && trouble != EINTR && trouble != ECONNABORTED)
            return;
    }
}

static void handle_event(struct loop *loop, const struct epoll_event *event)
{
    struct connection *connection = event->data.ptr;
    if (!connection) {
        accept_connections(loop);
        return;
    }
    if (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        connection->request.gone = true;
    if (!connection->pending)
        serve_connection(connection);
}

static int wait_time(const struct loop *loop, int turn_ms, int64_t deadline)
{
    int wait = turn_ms;
    if (loop->accept_paused && (wait < 0 || wait > ACCEPT_PAUSE_MS))
        wait = ACCEPT_PAUSE_MS;
    if (deadline >= 0) {
        int64_t left = deadline - clock_ms();
        left = left < 0 ? 0 : left;
        wait = wait < 0 || wait > left ? (int)left : wait;
    }
    return wait;
}

static bool run(struct loop *loop, const sigset_t *open_signals, struct error *error)
{
    struct epoll_event events[EVENTS_MAX];
    int64_t deadline = -1; /* of the drain */
    int turn_ms = loop->handler->turn ? 0 : -1;
    while (deadline < 0 || (loop->connections && clock_ms() < deadline)) {
        int count = epoll_pwait(loop->epoll_fd, events, EVENTS_MAX,
                                wait_time(loop, turn_ms, deadline), open_signals);
        if (count < 0 && errno != EINTR)
            return error_errno(error, "epoll_wait failed");
        if (stop_requested && deadline < 0)
            deadline = clock_ms() + DRAIN_MS;
        if (loop->accept_paused)
            listen_to(loop, EPOLLIN); /* to be tried, and perhaps paused again, in the next round */
        for (int i = 0; i < count; i++)
            handle_event(loop, &events[i]);
        turn_ms = loop->handler->turn ? loop->handler->turn(loop->handler->context) : -1;
    }
    return true;
}

static bool start(struct loop *loop, sigset_t *open_signals, struct error *error)
{
    struct sigaction stop = {.sa_handler = request_stop}, ignore = {.sa_handler = SIG_IGN};
    sigset_t stopping;
    sigemptyset(&stopping);
    sigaddset(&stopping, SIGTERM);
    sigaddset(&stopping, SIGINT);
    sigprocmask(SIG_BLOCK, &stopping, open_signals);
    /* libfcgi waits for the peer when it closes a connection: by default up to two seconds */
    setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "10", 1);
    if (FCGX_Init() != 0)
        return error_set(error, ERROR_SYSTEM, "libfcgi cannot be initialised");
    sigaction(SIGTERM, &stop, NULL); /* over libfcgi's own */
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGXFSZ, &ignore, NULL); /* a write beyond the limit on files fails instead */
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0 ||
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->listen_fd, &event) != 0)
        return error_errno(error, "cannot wait for connections");
    return true;
}

bool fcgi_serve(int listen_fd, const struct handler *handler, const struct access *access,
                struct error *error)
{
    struct loop loop = {
        .epoll_fd = -1, .listen_fd = listen_fd, .handler = handler, .access = access};
    sigset_t open_signals;
    bool ok = start(&loop, &open_signals, error) && run(&loop, &open_signals, error);
    while (loop.connections)
        close_connection(loop.connections);
    buffer_free(&loop.refusal.body);
    if (loop.epoll_fd >= 0)
        close(loop.epoll_fd);
    return ok;
}

static bool make_nonblocking_listener(int fd, struct error *error)
{
    int listening = 0;
    socklen_t size = sizeof listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || !listening)
        return error_set(error, ERROR_SYSTEM,
                         "standard input is not a listening socket: start it by `trendline serve`");
    int flags = fcntl(fd, F_GETFL);
    return (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0) ||
           error_errno(error, "cannot make the socket non-blocking");
}

int fcgi_main(const char *name, enum sandbox_role role,
              bool (*make)(struct handler *, const struct config *, struct error *))
{
    struct config config;
    struct access access;
    struct handler handler;
    struct error error;
    bool ok = config_read(&config, &error) && access_read(&access, &error) &&
              make_nonblocking_listener(STDIN_FILENO, &error) && make(&handler, &config, &error);
    access_hide();
    secret_hide(CONFIG_POSTGRES);
    if (ok) {
        ok = sandbox_enter(role, &config, &error) &&
             fcgi_serve(STDIN_FILENO, &handler, &access, &error);
        handler.close(handler.context);
    }
    if (!ok)
        fprintf(stderr, "%s: %s\n", name, error.text);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
