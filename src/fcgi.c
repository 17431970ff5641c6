#include "fcgi.h"

#include "access.h"
#include "clock.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <poll.h>
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
    SOCKET_TIMEOUT_S = 5,  /* for a web server that stops in the middle of a request */
    SILENCE_MS = 5000,     /* the same, where we do not wait for it */
    LOOK_MS = 100,         /* how often that is looked at */
    SLICE_US = 2000,       /* of a round, for answers that take a while */
    PIECE_SIZE = 32 << 10, /* of an answer that is sent as the web server takes it */
    HEAD_MAX = HTTP_HEADERS_MAX + 256
};

struct loop;

/* One connection from the web server, kept for many requests. */
struct connection {
    struct loop *loop;
    struct connection *next, **link; /* in the loop's list */
    FCGX_Request fcgi;
    struct request request;
    uint64_t body_read;
    bool body_ended;      /* the end was read too */
    int64_t silent_since; /* clock_ms, of a body that does not come; 0: it does */
    bool pending;         /* the request has not been answered whole */

    /* an answer that takes a while, see there */
    struct connection *next_leaving;
    struct buffer kept; /* head and body */
    struct response_stream rest;
    bool watched; /* the loop hears when more can be sent */
};

struct loop {
    int epoll_fd, listen_fd;
    bool accept_paused;
    struct connection *connections;
    struct connection *leaving, **last_leaving; /* in the order of their turns */
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
    buffer_free(&connection->kept);
    if (connection->rest.close)
        connection->rest.close(connection->rest.context);
    *connection->link = connection->next;
    if (connection->next)
        connection->next->link = connection->link;
    free(connection);
}

/* ------------------------------------------------------------------ one request */

/* libfcgi does not tell what it has read of the connection and not passed on, as more than one
 * record. This is how its private part of a stream has begun since 1996; should that change, it
 * will look as if there were something, and reading waits. */
struct stream_begin {
    unsigned char *buffer;
    int size;
    unsigned char *allocated, *end; /* of what was read */
};

static bool is_ready(const struct connection *connection, short events)
{
    struct pollfd ready = {.fd = connection->fcgi.ipcFd, .events = events};
    return poll(&ready, 1, 0) != 0;
}

/* Is there something to read? Then the rest of its record does not keep us waiting either: nginx
 * has it, and writes it at once. */
static bool has_come(struct connection *connection, struct error *error)
{
    const FCGX_Stream *in = connection->fcgi.in;
    const struct stream_begin *all = in->data;
    if (in->rdNext != all->end || is_ready(connection, POLLIN)) {
        connection->silent_since = 0;
        return true;
    }
    int64_t now = clock_ms();
    if (connection->silent_since == 0)
        connection->silent_since = now;
    if (now - connection->silent_since < SILENCE_MS)
        return error_later(error);
    return error_set(error, ERROR_SYNTAX, "the rest of the body does not come");
}

/* What is left of the record, or else of the next one. */
static int read_record(FCGX_Stream *in, char *data, size_t size)
{
    int got = FCGX_GetStr(data, 1, in);
    size_t more = (size_t)(in->stop - in->rdNext);
    more = more < size - 1 ? more : size - 1;
    return got > 0 && more > 0 ? got + FCGX_GetStr(data + 1, (int)more, in) : got;
}

static long read_body(struct request *request, char *data, size_t size, struct error *error)
{
    struct connection *connection = request->connection;
    if (connection->body_ended || request->content_length == 0)
        return 0;
    if (!has_come(connection, error))
        return -1;
    int got = connection->request.gone ? 0 : read_record(connection->fcgi.in, data, size);
    connection->body_read += (uint64_t)got;
    if (got > 0)
        return got;
    /* an interrupted read looks like the end: only the length tells */
    connection->body_ended = connection->body_read == request->content_length;
    if (connection->body_ended)
        return 0;
    error_set(error, ERROR_SYNTAX, "the body ends after %llu of %llu bytes",
              (unsigned long long)connection->body_read,
              (unsigned long long)request->content_length);
    return -1;
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
static size_t write_head(const struct response *response, char head[static HEAD_MAX])
{
    char *at = head;
    if (response->status != 200)
        at += sprintf(at, "Status: %d %s\r\n", response->status, http_reason(response->status));
    if (response->content_type)
        at = stpcpy(stpcpy(stpcpy(at, "Content-Type: "), response->content_type), "\r\n");
    at = put_length(stpcpy(at, "Content-Length: "), response->body.length + response->rest.length);
    at = stpcpy(stpcpy(stpcpy(at, "\r\n"), response->headers), "\r\n");
    return (size_t)(at - head);
}

static void write_response(FCGX_Stream *out, const struct response *response)
{
    char head[HEAD_MAX];
    FCGX_PutStr(head, (int)write_head(response, head), out);
    if (response->body.length > 0)
        FCGX_PutStr(response->body.data, (int)response->body.length, out);
}

static void out_of_memory(struct response *response)
{
    static char text[] = "{\"error\": \"out of memory\"}\n";
    buffer_free(&response->body);
    if (response->rest.close)
        response->rest.close(response->rest.context);
    response_clear(response);
    response->status = 503;
    response_header(response, "Retry-After: 1");
    response->body = (struct buffer){.data = text, .length = sizeof text - 1};
}

static void finish(struct connection *connection)
{
    FCGX_Finish_r(&connection->fcgi);
    connection->pending = false;
    if (connection->fcgi.ipcFd < 0 || connection->request.gone)
        close_connection(connection);
}

/* ------------------------------------------------------------------ answers that take a while
 *
 * Over a connection that is closed while the body still comes, nginx would lose the answer and say
 * 502: what is left of a body is read first. And a long answer is sent as the web server takes it.
 * Both go on beside other requests, a little in each round. */

enum progress {
    PROGRESS_DONE,
    PROGRESS_MORE,  /* the time is over */
    PROGRESS_WAITS, /* for the web server */
    PROGRESS_BROKEN
};

static void watch(struct connection *connection, uint32_t events)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET | events,
                                .data.ptr = connection};
    epoll_ctl(connection->loop->epoll_fd, EPOLL_CTL_MOD, connection->fcgi.ipcFd, &event);
    connection->watched = events != 0;
}

static void queue(struct connection *connection)
{
    struct loop *loop = connection->loop;
    connection->next_leaving = NULL;
    *loop->last_leaving = connection;
    loop->last_leaving = &connection->next_leaving;
}

static struct connection *take_first(struct loop *loop)
{
    struct connection *first = loop->leaving;
    loop->leaving = first->next_leaving;
    if (!loop->leaving)
        loop->last_leaving = &loop->leaving;
    return first;
}

static void leave(struct connection *connection, struct response *response)
{
    char head[HEAD_MAX];
    size_t length = write_head(response, head);
    connection->rest = response->rest;
    response->rest = (struct response_stream){0};
    buffer_append(&connection->kept, head, length);
    buffer_append(&connection->kept, response->body.data, response->body.length);
    queue(connection);
}

static enum progress skip_body(struct connection *connection, int64_t until)
{
    struct request *request = &connection->request;
    char ignored[16 << 10];
    struct error error;
    long got;
    while ((got = read_body(request, ignored, sizeof ignored, &error)) > 0)
        if (clock_us() >= until)
            return PROGRESS_MORE;
    if (got < 0 && error.kind == ERROR_LATER)
        return PROGRESS_WAITS;
    if (got < 0) /* what is left of it would be taken for the next request */
        connection->fcgi.keepConnection = 0;
    return PROGRESS_DONE;
}

/* A socket that is ready takes a piece: it is ready only while most of its buffer is free. */
static bool send_piece(struct connection *connection)
{
    char piece[PIECE_SIZE];
    struct error error;
    struct response_stream *rest = &connection->rest;
    size_t size = rest->length < sizeof piece ? (size_t)rest->length : sizeof piece;
    if (!rest->read(rest->context, piece, size, &error)) {
        fprintf(stderr, "an answer breaks off: %s\n", error.text);
        return false; /* there is no other way to tell the client */
    }
    rest->length -= size;
    return FCGX_PutStr(piece, (int)size, connection->fcgi.out) == (int)size;
}

static enum progress send_rest(struct connection *connection, int64_t until)
{
    while (connection->rest.length > 0) {
        if (clock_us() >= until)
            return PROGRESS_MORE;
        if (!is_ready(connection, POLLOUT)) {
            if (!connection->watched)
                watch(connection, EPOLLOUT);
            return PROGRESS_WAITS;
        }
        if (!send_piece(connection))
            return PROGRESS_BROKEN;
    }
    return PROGRESS_DONE;
}

static enum progress go_on(struct connection *connection, int64_t until)
{
    if (connection->request.gone || connection->kept.failed)
        return PROGRESS_BROKEN;
    enum progress skipped = skip_body(connection, until);
    if (skipped != PROGRESS_DONE)
        return skipped;
    if (connection->kept.length > 0)
        FCGX_PutStr(connection->kept.data, (int)connection->kept.length, connection->fcgi.out);
    buffer_free(&connection->kept);
    return send_rest(connection, until);
}

static void end_leaving(struct connection *connection, enum progress progress)
{
    if (progress == PROGRESS_BROKEN) {
        close_connection(connection);
        return;
    }
    if (connection->rest.close)
        connection->rest.close(connection->rest.context);
    connection->rest = (struct response_stream){0};
    if (connection->watched)
        watch(connection, 0);
    finish(connection);
}

/* Returns in how many milliseconds it wants to be called again, or -1. */
static int serve_leaving(struct loop *loop)
{
    struct connection *last = NULL;
    int64_t until = loop->leaving ? clock_us() + SLICE_US : 0;
    while (loop->leaving && loop->leaving != last) {
        struct connection *connection = take_first(loop);
        enum progress progress = go_on(connection, until);
        if (progress == PROGRESS_DONE || progress == PROGRESS_BROKEN) {
            end_leaving(connection, progress);
            continue;
        }
        queue(connection);
        last = last ? last : connection; /* the first that comes again */
        if (progress == PROGRESS_MORE)
            return 0;
    }
    return loop->leaving ? LOOK_MS : -1;
}

static void answer(struct request *request, struct response *response)
{
    struct connection *connection = request->connection;
    bool failed = response->body.failed;
    bool whole = connection->body_ended || request->content_length == 0;
    if (failed)
        out_of_memory(response);
    if (whole && response->rest.length == 0) {
        write_response(connection->fcgi.out, response);
        finish(connection);
    } else {
        leave(connection, response);
    }
    if (failed)
        response->body = (struct buffer){0};
}

/* ------------------------------------------------------------------ the next request */

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
    connection->body_ended = false;
    connection->silent_since = 0;
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

/* The sooner of two; -1 is never. */
static int sooner(int a, int b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int wait_time(const struct loop *loop, int turn_ms, int64_t deadline)
{
    int wait = sooner(turn_ms, loop->accept_paused ? ACCEPT_PAUSE_MS : -1);
    if (deadline < 0)
        return wait;
    int64_t left = deadline - clock_ms();
    return sooner(wait, left < 0 ? 0 : (int)left);
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
        turn_ms = sooner(turn_ms, serve_leaving(loop));
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
    loop.last_leaving = &loop.leaving;
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
