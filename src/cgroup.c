#include "cgroup.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

long long cgroup_number(const char *group, const char *file)
{
    char path[PATH_MAX + 32];
    long long number;
    snprintf(path, sizeof path, "%s/%s", group, file);
    FILE *stream = fopen(path, "re");
    if (!stream)
        return -1;
    if (fscanf(stream, "%lld", &number) != 1)
        number = -1;
    fclose(stream);
    return number;
}

static uint64_t tighter(uint64_t a, uint64_t b)
{
    return a == 0 || (b > 0 && b < a) ? b : a;
}

/* Of the group at `path` of the hierarchy and those above it. `path` is shortened on the way. In a
 * container it may be the host's and not exist here; the mount itself, which is looked at last, is
 * then the container's group. */
static uint64_t limit_of_path(const char *hierarchy, char *path, cgroup_reader *read)
{
    uint64_t tightest = 0;
    for (;;) {
        char group[PATH_MAX];
        if (snprintf(group, sizeof group, "%s%s", hierarchy, path) < (int)sizeof group)
            tightest = tighter(tightest, read(group));
        char *slash = strrchr(path, '/');
        if (!slash)
            return tightest;
        *slash = '\0';
    }
}

/* Is the name in a list such as "cpu,cpuacct"? */
static bool is_among(const char *name, const char *controllers)
{
    size_t length = strlen(name);
    for (const char *at = controllers; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, length) == 0 && (at[length] == '\0' || at[length] == ','))
            return true;
    }
    return false;
}

/* A line is "0::/path" for v2, "4:cpu,cpuacct:/path" for v1. */
static uint64_t limit_of_line(const struct cgroup_controller *controller, char *line,
                              const char *mount)
{
    char *controllers = strchr(line, ':');
    char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path)
        return 0;
    *path++ = '\0';
    path[strcspn(path, "\n")] = '\0';
    controllers++;
    if (*controllers == '\0')
        return limit_of_path(mount, path, controller->v2);
    if (!is_among(controller->name, controllers))
        return 0;
    char hierarchy[PATH_MAX];
    snprintf(hierarchy, sizeof hierarchy, "%s/%s", mount, controller->name);
    return limit_of_path(hierarchy, path, controller->v1);
}

uint64_t cgroup_limit(const struct cgroup_controller *controller, const char *membership,
                      const char *mount)
{
    FILE *file = fopen(membership, "re");
    if (!file)
        return 0;
    uint64_t tightest = 0;
    char line[PATH_MAX];
    while (fgets(line, sizeof line, file))
        tightest = tighter(tightest, limit_of_line(controller, line, mount));
    fclose(file);
    return tightest;
}

static uint64_t positive(long long number)
{
    return number > 0 ? (uint64_t)number : 0;
}

static uint64_t memory_v1(const char *group)
{
    return positive(cgroup_number(group, "memory.limit_in_bytes"));
}

static uint64_t memory_v2(const char *group)
{
    return positive(cgroup_number(group, "memory.max"));
}

uint64_t cgroup_memory(const char *membership, const char *mount)
{
    static const struct cgroup_controller memory = {"memory", memory_v1, memory_v2};
    return cgroup_limit(&memory, membership, mount);
}
