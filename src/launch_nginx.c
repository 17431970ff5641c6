#include "launch.h"

#include "buffer.h"
#include "file.h"
#include "health.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/capability.h>

enum {
    TEMPLATE_MAX = 1 << 20,
    CONNECTIONS_MAX = 8192, /* of each nginx worker, clients and binaries together */
    FILES_SPARE = 64        /* that a worker has open besides its connections */
};

/* Listening for an instant is the only sure way to know; 0 or an errno. */
static int try_to_listen(const struct sockaddr *address, socklen_t length)
{
    int on = 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on); /* as nginx does */
    if (address->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    int trouble = bind(fd, address, length) == 0 && listen(fd, 1) == 0 ? 0 : errno;
    close(fd);
    return trouble;
}

static int try_ipv4(uint16_t port)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
    return try_to_listen((struct sockaddr *)&any, sizeof any);
}

static int try_ipv6(uint16_t port)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    return try_to_listen((struct sockaddr *)&any, sizeof any);
}

/* The image has a second nginx, marked to be allowed to listen on low ports. It is not the first
 * choice, because a marked program cannot be executed at all where that right is withheld. */
static bool use_marked_nginx(struct launch *launch)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/nginx-low-ports", launch->home);
    if (access(path, X_OK) != 0 || prctl(PR_CAPBSET_READ, CAP_NET_BIND_SERVICE, 0, 0, 0) != 1 ||
        prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0 || strlen(path) >= sizeof launch->nginx)
        return false;
    strcpy(launch->nginx, path);
    return true;
}

bool launch_check_port(struct launch *launch, struct error *error)
{
    uint16_t port = launch->config.port;
    int trouble = try_ipv4(port), trouble6 = try_ipv6(port);
    launch->ipv6 = trouble6 != EAFNOSUPPORT && trouble6 != EADDRNOTAVAIL;
    if (trouble == 0 && launch->ipv6)
        trouble = trouble6;
    strcpy(launch->nginx, "nginx");
    if (trouble == 0)
        return true;
    if (trouble == EACCES && use_marked_nginx(launch))
        return true;
    if (trouble == EACCES)
        return error_set(error, ERROR_SYSTEM,
                         "cannot listen on PORT=%u: user %u may not use ports this low; choose "
                         "another, such as PORT=8080",
                         port, (unsigned)geteuid());
    errno = trouble;
    return error_errno(error, "cannot listen on PORT=%u", port);
}

static void put_user(struct buffer *text, const struct launch *launch)
{
    if (launch->can_switch)
        buffer_puts(text, "user www-data;");
    else if (geteuid() == 0)
        buffer_puts(text, "user root root;"); /* nginx's own default would be another user */
}

static void put_workers(struct buffer *text, const struct launch *launch)
{
    buffer_printf(text, "%u", launch->config.workers);
}

static void put_connections(struct buffer *text, const struct launch *launch)
{
    unsigned long room = launch->open_files_max > 2 * FILES_SPARE
                             ? launch->open_files_max - FILES_SPARE
                             : FILES_SPARE;
    buffer_printf(text, "%lu", room < CONNECTIONS_MAX ? room : CONNECTIONS_MAX);
}

static void put_run(struct buffer *text, const struct launch *launch)
{
    buffer_puts(text, launch->run);
}

static void put_probe(struct buffer *text, const struct launch *launch)
{
    (void)launch;
    buffer_puts(text, HEALTH_USER_AGENT);
}

/* Where standard output is a socket, or belongs to another user, it cannot be opened by name. */
static void put_access_log(struct buffer *text, const struct launch *launch)
{
    (void)launch;
    int fd = open("/dev/stdout", O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY);
    buffer_puts(text, fd < 0 ? "off" : "/dev/stdout main if=$is_logged");
    if (fd >= 0)
        close(fd);
}

static void put_max_body(struct buffer *text, const struct launch *launch)
{
    buffer_printf(text, "%llu", (unsigned long long)launch->config.max_body);
}

/* A second's worth may come at once, which is what a client with several connections does. */
static void put_rate_limit(struct buffer *text, const struct launch *launch)
{
    unsigned rate = launch->config.rate_limit;
    if (rate > 0)
        buffer_printf(text,
                      "limit_req_zone $counted zone=clients:10m rate=%ur/s; "
                      "limit_req zone=clients burst=%u nodelay;",
                      rate, rate);
}

static void put_listen(struct buffer *text, const struct launch *launch)
{
    buffer_printf(text, "listen %u backlog=4096;", launch->config.port);
    if (launch->ipv6)
        buffer_printf(text, " listen [::]:%u backlog=4096;", launch->config.port);
}

static void put_predict_servers(struct buffer *text, const struct launch *launch)
{
    /* Of a single server nginx would take no second try, so that a lone one is listed twice. */
    unsigned workers = launch->config.workers, lines = workers > 1 ? workers : 2;
    for (unsigned i = 0; i < lines; i++)
        buffer_printf(text, "%sserver unix:%s/predict-%u.sock max_fails=0;", i ? "\n        " : "",
                      launch->run, i % workers + 1);
}

static const struct {
    const char *name;
    void (*put)(struct buffer *text, const struct launch *launch);
} PLACES[] = {
    {"@USER@", put_user},
    {"@WORKERS@", put_workers},
    {"@CONNECTIONS@", put_connections},
    {"@RUN@", put_run},
    {"@PROBE@", put_probe},
    {"@ACCESS_LOG@", put_access_log},
    {"@MAX_BODY@", put_max_body},
    {"@RATE_LIMIT@", put_rate_limit},
    {"@LISTEN@", put_listen},
    {"@PREDICT_SERVERS@", put_predict_servers},
};

/* Puts what stands for the place at `at` and returns its length; 0 when there is none. */
static size_t put_place(struct buffer *text, const struct launch *launch, const char *at,
                        size_t left)
{
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
        size_t length = strlen(PLACES[i].name);
        if (length <= left && memcmp(at, PLACES[i].name, length) == 0) {
            PLACES[i].put(text, launch);
            return length;
        }
    }
    return 0;
}

static void fill_in(struct buffer *text, const struct launch *launch, const struct buffer *template)
{
    const char *at = template->data, *end = at + template->length;
    while (at < end) {
        size_t place = *at == '@' ? put_place(text, launch, at, (size_t)(end - at)) : 0;
        if (place == 0)
            buffer_append(text, at, place = 1);
        at += place;
    }
}

bool launch_write_nginx_conf(const struct launch *launch, struct error *error)
{
    char from[PATH_MAX + 32], to[PATH_MAX];
    snprintf(from, sizeof from, "%s/nginx.conf", launch->home);
    snprintf(to, sizeof to, "%s/nginx.conf", launch->run);
    struct buffer template = {0}, text = {0};
    bool written = file_read(from, TEMPLATE_MAX, &template, error);
    if (written) {
        fill_in(&text, launch, &template);
        written = text.failed ? error_memory(error)
                              : file_replace(to, text.data, text.length, false, error);
    }
    buffer_free(&template);
    buffer_free(&text);
    return written;
}
