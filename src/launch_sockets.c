#include "launch.h"

#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 }; /* the kernel caps it at net.core.somaxconn */

static const char *const SINGLE[] = {"action", "build"};
enum { SINGLES = sizeof SINGLE / sizeof *SINGLE };

size_t launch_socket_count(const struct launch *launch)
{
    return SINGLES + launch->config.workers + (launch->config.postgres.length > 0);
}

void launch_socket_name(const struct launch *launch, size_t index,
                        char name[static SERVICE_NAME_MAX])
{
    if (index < SINGLES)
        snprintf(name, SERVICE_NAME_MAX, "%s", SINGLE[index]);
    else if (index == SINGLES + launch->config.workers)
        snprintf(name, SERVICE_NAME_MAX, "follow");
    else
        snprintf(name, SERVICE_NAME_MAX, "predict-%u", (unsigned)(index - SINGLES + 1));
}

/* nginx's workers run as www-data when the launcher can switch users, else as who we are. */
static bool admit_nginx(const struct launch *launch, const char *path)
{
    struct group *group = launch->can_switch ? getgrnam("www-data") : NULL;
    if (group && chown(path, (uid_t)-1, group->gr_gid) != 0)
        return false;
    return chmod(path, 0660) == 0;
}

static int bind_socket(const struct launch *launch, const char *name, struct error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/%s.sock", launch->run, name);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        !admit_nginx(launch, address.sun_path) || listen(fd, BACKLOG) != 0) {
        error_errno(error, "cannot listen on %s", address.sun_path);
        return -1;
    }
    return fd;
}

bool launch_bind_sockets(const struct launch *launch, struct error *error)
{
    char names[4096];
    size_t length = 0;
    for (size_t i = 0; i < launch_socket_count(launch); i++) {
        char name[SERVICE_NAME_MAX];
        launch_socket_name(launch, i, name);
        int fd = bind_socket(launch, name, error);
        if (fd < 0)
            return false;
        int wanted = SOCKETS_FIRST + (int)i;
        if (fd != wanted && (dup2(fd, wanted) < 0 || close(fd) != 0))
            return error_errno(error, "cannot number the sockets");
        length +=
            (size_t)snprintf(names + length, sizeof names - length, "%s%s", i ? ":" : "", name);
    }
    setenv("LISTEN_FDNAMES", names, 1);
    return true;
}
