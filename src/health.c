#include "health.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { PATIENCE_SECONDS = 2 };

static int connect_to(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Enough of the answer to read its status from: "HTTP/1.1 200". */
static int read_status(int fd)
{
    char answer[64];
    size_t length = 0;
    ssize_t got;
    do {
        got = recv(fd, answer + length, sizeof answer - 1 - length, 0);
        length += got > 0 ? (size_t)got : 0;
    } while (got > 0 && length < strlen("HTTP/1.1 200"));
    answer[length] = '\0';
    int status;
    return sscanf(answer, "HTTP/1.%*d %3d", &status) == 1 ? status : 0;
}

/* The HTTP status of GET path, 0 when there is no answer. */
static int get_status(uint16_t port, const char *path)
{
    int fd = connect_to(port);
    if (fd < 0)
        return 0;
    char request[256];
    int length = snprintf(
        request, sizeof request,
        "GET %s HTTP/1.0\r\nHost: localhost\r\nUser-Agent: " HEALTH_USER_AGENT "\r\n\r\n", path);
    bool sent = send(fd, request, (size_t)length, MSG_NOSIGNAL) == length;
    int status = sent ? read_status(fd) : 0;
    close(fd);
    return status;
}

bool health_check(uint16_t port, struct error *error)
{
    int alive = get_status(port, "/healthz");
    if (alive != 200)
        return error_set(error, ERROR_SYSTEM, "http://127.0.0.1:%u/healthz gives %s", port,
                         alive ? "an error" : "no answer");
    int ready = get_status(port, "/readyz");
    if (ready != 200 && ready != 503)
        return error_set(error, ERROR_SYSTEM, "http://127.0.0.1:%u/readyz gives %s", port,
                         ready ? "an error" : "no answer");
    return true;
}
