/* hold PORT COUNT TEXT [DRIP_MS]
 *
 * Opens COUNT connections, sends TEXT (notation of printf %b, without NUL) on each, and holds them;
 * with DRIP_MS one more byte "x" goes out on each so often. Prints "held N" once all are open, and
 * "all closed" should the server close them all. Ends on SIGTERM or after SECONDS_MAX, and then
 * prints "closed N STATUS": how many were closed by then, and the last answer's status, 0 if there
 * was none. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS_MAX = 300, CONNECTIONS_MAX = 60000, POLL_MS = 50 };

static volatile sig_atomic_t stop;
static struct pollfd connections[CONNECTIONS_MAX];
static int held, closed, last_status;

static void request_stop(int signal)
{
    (void)signal;
    stop = 1;
}

static long now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static bool open_one(int port, const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        fprintf(stderr, "hold: connection %d: %s\n", held + 1, strerror(errno));
        return false;
    }
    send(fd, text, strlen(text), MSG_NOSIGNAL);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    connections[held++] = (struct pollfd){.fd = fd, .events = POLLIN};
    return true;
}

static void look_at(struct pollfd *connection)
{
    char answer[4096];
    ssize_t got = recv(connection->fd, answer, sizeof answer - 1, 0);
    if (got > 0) {
        answer[got] = '\0';
        sscanf(answer, "HTTP/1.1 %d", &last_status);
    } else if (got == 0 || errno != EAGAIN) {
        close(connection->fd);
        connection->fd = -1;
        if (++closed == held) {
            printf("all closed\n");
            fflush(stdout);
        }
    }
}

static void hold_all(long drip_ms)
{
    long end = now_ms() + SECONDS_MAX * 1000L, drip = now_ms() + drip_ms;
    while (!stop && now_ms() < end) {
        if (poll(connections, (nfds_t)held, POLL_MS) > 0)
            for (int i = 0; i < held; i++)
                if (connections[i].fd >= 0 && connections[i].revents)
                    look_at(&connections[i]);
        if (drip_ms == 0 || now_ms() < drip)
            continue;
        drip = now_ms() + drip_ms;
        for (int i = 0; i < held; i++)
            if (connections[i].fd >= 0)
                send(connections[i].fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

/* \r and \n of the argument become bytes. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *at = text; *at; at++)
        if (*at == '\\' && (at[1] == 'r' || at[1] == 'n'))
            *to++ = *++at == 'r' ? '\r' : '\n';
        else
            *to++ = *at;
    *to = '\0';
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: hold PORT COUNT TEXT [DRIP_MS]\n");
        return 2;
    }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGTERM, request_stop);
    unescape(argv[3]);
    int count = atoi(argv[2]);
    while (held < count && held < CONNECTIONS_MAX && !stop && open_one(atoi(argv[1]), argv[3]))
        ;
    printf("held %d\n", held);
    fflush(stdout);
    hold_all(argc > 4 ? atol(argv[4]) : 0);
    printf("closed %d %d\n", closed, last_status);
    return 0;
}
