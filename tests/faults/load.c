/* load PORT DIRECTORY TAG WRITERS READERS BUILDERS [once]
 *
 * Many clients of a running service, until SIGTERM (then each ends with what it has begun) or
 * SECONDS_MAX. A writer sends events with ids of its own, one a request or a few at once, and sends
 * each again until it is acknowledged. With `once` it sends them on a new connection each and never
 * again, so that what became of every request can be told.
 *
 * Appended to in DIRECTORY, a line each:
 *     acked      ID SEQ A B TARGET    acknowledged; SEQ is - when the answer does not tell it
 *     unacked    ID                   given up
 *     failures   KIND STATUS BODY     what should not be; STATUS 0: no answer, 1: a part of one,
 *                                     2: none after some waiting, so that it was being worked on
 * At the end it prints how many answers there were of each kind: "action 201 1234; …". */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    SECONDS_MAX = 900,
    ANSWER_SECONDS = 20, /* without an answer after that: none */
    RETRY_SECONDS = 30,  /* an event is given up after that */
    HUNG_MS = 300,       /* a request that waited so long in vain was not just too late */
    RETRY_MS = 5,        /* between tries */
    BULK = 5,            /* events of a request with several */
    CLIENTS_MAX = 512,   /* threads */
    TEXT_MAX = 64 << 10, /* of a request or an answer */
    STATUS_MAX = 600,    /* HTTP's and our own */
    NO_ANSWER = 0,
    CUT = 1,
    HUNG = 2 /* statuses of our own */
};

enum kind { ACTION, PREDICT, BUILD, KINDS };
static const char *const KIND_NAMES[] = {"action", "predict", "build"};

static int port;
static const char *tag; /* what ids begin with */
static bool once;
static volatile sig_atomic_t stop;
static FILE *acked, *unacked, *failures;
static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
static long counts[KINDS][STATUS_MAX];

struct client {
    int number, fd;
    enum kind kind;
    char request[TEXT_MAX], answer[TEXT_MAX];
};

static void request_stop(int signal)
{
    (void)signal;
    stop = 1;
}

static void pause_ms(long ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static long now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static long now(void)
{
    return now_ms() / 1000;
}

/* ------------------------------------------------------------------ HTTP */

static void hang_up(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
}

static bool connect_client(struct client *client)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = ANSWER_SECONDS};
    int on = 1;
    if (client->fd >= 0)
        return true;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(client->fd, (struct sockaddr *)&address, sizeof address) == 0)
        return true;
    hang_up(client);
    return false;
}

/* The length of the whole answer once its head is there, else 0. */
static size_t answer_length(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n"),
               *length = strcasestr(answer, "\r\nContent-Length:");
    if (!end)
        return 0;
    size_t head = (size_t)(end + 4 - answer);
    return head + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
}

/* Reads one answer; its status. */
static int read_answer(struct client *client)
{
    size_t got = 0, length = 0;
    long begin = now_ms();
    client->answer[0] = '\0';
    while (length == 0 || got < length) {
        ssize_t more = recv(client->fd, client->answer + got, TEXT_MAX - 1 - got, 0);
        if (more <= 0)
            return got > 0 ? CUT : now_ms() - begin > HUNG_MS ? HUNG : NO_ANSWER;
        got += (size_t)more;
        client->answer[got] = '\0';
        length = answer_length(client->answer);
    }
    int status = CUT;
    sscanf(client->answer, "HTTP/1.1 %d", &status);
    return status < STATUS_MAX ? status : CUT;
}

static void count(const struct client *client, int status)
{
    pthread_mutex_lock(&counting);
    counts[client->kind][status]++;
    pthread_mutex_unlock(&counting);
}

/* Sends what stands in client->request. */
static int ask(struct client *client)
{
    size_t length = strlen(client->request);
    int status = NO_ANSWER;
    if (connect_client(client) &&
        send(client->fd, client->request, length, MSG_NOSIGNAL) == (ssize_t)length)
        status = read_answer(client);
    if (status <= HUNG || once || strcasestr(client->answer, "\r\nConnection: close"))
        hang_up(client);
    count(client, status);
    return status;
}

static const char *body_of(const struct client *client)
{
    const char *end = strstr(client->answer, "\r\n\r\n");
    return end ? end + 4 : "";
}

static void tell_failure(const struct client *client, int status)
{
    const char *body = status <= HUNG ? "\n" : body_of(client);
    fprintf(failures, "%s %d %.200s%s", KIND_NAMES[client->kind], status, body,
            strchr(body, '\n') ? "" : "\n");
}

/* ------------------------------------------------------------------ writers */

struct event {
    char id[64];
    double a, b, target;
};

/* A client's nth event: its values are eighths, which print the same everywhere. */
static struct event event_of(const struct client *client, long n)
{
    unsigned long a = (unsigned long)(n * 7919 + client->number * 104729) % 8000,
                  b = (unsigned long)(n * 6007) % 801, noise = (unsigned long)(n * 271) % 17;
    struct event event = {.a = (double)a / 8, .b = (double)b / 8};
    event.target = (double)(3 * a + b + noise) / 8;
    snprintf(event.id, sizeof event.id, "%s-%d-%ld", tag, client->number, n);
    return event;
}

/* One event, or BULK of them, a line each. */
static void write_events(struct client *client, long first, int events)
{
    char body[BULK * 256];
    int length = 0;
    for (int i = 0; i < events; i++) {
        struct event event = event_of(client, first + i);
        length += snprintf(body + length, sizeof body - (size_t)length,
                           "{\"_id\":\"%s\",\"a\":%g,\"b\":%g,\"target\":%g}\n", event.id, event.a,
                           event.b, event.target);
    }
    snprintf(client->request, TEXT_MAX,
             "POST /action HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n%s"
             "Content-Length: %d\r\n\r\n%s",
             events > 1 ? "application/x-ndjson" : "application/json",
             once ? "Connection: close\r\n" : "", length, body);
}

/* The first event's number; 0 when the answer does not tell all of them. */
static long first_seq(const struct client *client, int events)
{
    const char *key = events > 1 ? "\"first_seq\": " : "\"seq\": ", *body = body_of(client);
    const char *seq = strstr(body, key);
    if (!seq || (events > 1 && !strstr(body, "\"duplicates\": 0")))
        return 0;
    return strtol(seq + strlen(key), NULL, 10);
}

static void log_acked(const struct client *client, long first, int events)
{
    long seq = first_seq(client, events);
    char number[32] = "-";
    for (int i = 0; i < events; i++) {
        struct event event = event_of(client, first + i);
        if (seq > 0)
            snprintf(number, sizeof number, "%ld", seq + i);
        fprintf(acked, "%s %s %g %g %g\n", event.id, number, event.a, event.b, event.target);
    }
}

static void log_unacked(const struct client *client, long first, int events)
{
    for (int i = 0; i < events; i++)
        fprintf(unacked, "%s\n", event_of(client, first + i).id);
}

/* Whether everything that was sent is stored. */
static bool is_stored(const struct client *client, int status, int events)
{
    if (events == 1)
        return status == 201 || status == 200;
    return status == 200 && strstr(body_of(client), "\"rejected\": 0");
}

/* A process died, or was busy: the same again is right. Anything else will not get better. */
static bool is_worth_a_retry(int status)
{
    return status <= HUNG || status == 502 || status == 503 || status == 504;
}

static void send_events(struct client *client, long first, int events)
{
    long deadline = now() + RETRY_SECONDS;
    for (;;) {
        write_events(client, first, events);
        int status = ask(client);
        if (is_stored(client, status, events)) {
            log_acked(client, first, events);
            return;
        }
        if (!is_worth_a_retry(status) || (once && !stop))
            tell_failure(client, status);
        if (!is_worth_a_retry(status) || once || now() > deadline) {
            log_unacked(client, first, events);
            return;
        }
        pause_ms(RETRY_MS);
    }
}

static void write_all_the_time(struct client *client)
{
    for (long n = 0; !stop;) {
        int events = n % 13 == 12 ? BULK : 1;
        send_events(client, n, events);
        n += events;
    }
}

/* ------------------------------------------------------------------ readers, builders */

static void read_all_the_time(struct client *client)
{
    for (long n = 0; !stop; n++) {
        snprintf(client->request, TEXT_MAX,
                 "GET /predict?a=%ld&b=%d HTTP/1.1\r\nHost: localhost\r\n%s\r\n", n % 1000,
                 client->number, once ? "Connection: close\r\n" : "");
        int status = ask(client);
        if (status != 200)
            tell_failure(client, status);
        if (status != 200)
            pause_ms(RETRY_MS);
    }
}

static void build_all_the_time(struct client *client)
{
    while (!stop) {
        snprintf(client->request, TEXT_MAX,
                 "POST /build HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: 0\r\n\r\n",
                 once ? "Connection: close\r\n" : "");
        int status = ask(client);
        if (status != 200 && (!is_worth_a_retry(status) || once))
            tell_failure(client, status);
        pause_ms(50);
    }
}

static void *run_client(void *argument)
{
    struct client *client = argument;
    client->fd = -1;
    if (client->kind == ACTION)
        write_all_the_time(client);
    else if (client->kind == PREDICT)
        read_all_the_time(client);
    else
        build_all_the_time(client);
    hang_up(client);
    return NULL;
}

/* ------------------------------------------------------------------ all of them */

static FILE *open_log(const char *directory, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "ae");
    if (!file) {
        fprintf(stderr, "load: cannot open %s: %s\n", path, strerror(errno));
        exit(1);
    }
    setlinebuf(file);
    return file;
}

static void print_counts(void)
{
    for (int kind = 0; kind < KINDS; kind++)
        for (int status = 0; status < STATUS_MAX; status++)
            if (counts[kind][status] > 0)
                printf("%s %d %ld; ", KIND_NAMES[kind], status, counts[kind][status]);
    printf("\n");
}

int main(int argc, char **argv)
{
    if (argc < 7) {
        fprintf(stderr, "usage: load PORT DIRECTORY TAG WRITERS READERS BUILDERS [once]\n");
        return 2;
    }
    port = atoi(argv[1]);
    acked = open_log(argv[2], "acked");
    unacked = open_log(argv[2], "unacked");
    failures = open_log(argv[2], "failures");
    tag = argv[3];
    once = argc > 7;
    signal(SIGTERM, request_stop);
    static struct client *clients[CLIENTS_MAX];
    static pthread_t threads[CLIENTS_MAX];
    int number = 0;
    for (int kind = 0; kind < KINDS; kind++)
        for (int i = 0; i < atoi(argv[4 + kind]) && number < CLIENTS_MAX; i++, number++) {
            clients[number] = calloc(1, sizeof **clients);
            clients[number]->kind = kind;
            clients[number]->number = number;
            pthread_create(&threads[number], NULL, run_client, clients[number]);
        }
    for (long end = now() + SECONDS_MAX; !stop && now() < end;)
        pause_ms(10);
    stop = 1;
    while (number > 0)
        pthread_join(threads[--number], NULL);
    print_counts();
    return 0;
}
