#include "cores.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Both return false when the group sets no limit. */
static bool read_limit_v2(const char *group, long long *quota, long long *period)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/cpu.max", group);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool limited =
        fscanf(file, "%lld %lld", quota, period) == 2; /* without a limit: "max 100000" */
    fclose(file);
    return limited;
}

static bool read_number(const char *group, const char *name, long long *number)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%s", group, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool read = fscanf(file, "%lld", number) == 1;
    fclose(file);
    return read;
}

static bool read_limit_v1(const char *group, long long *quota, long long *period)
{
    return read_number(group, "cpu.cfs_quota_us", quota) &&
           read_number(group, "cpu.cfs_period_us", period);
}

/* The tightest limit of the group and all groups above it, in whole cores; 0 without any.
 * `path` is shortened on the way. In a container it may be the host's and not exist here; the mount
 * itself, which is looked at last, is then the container's group. */
static unsigned group_quota(const char *hierarchy, char *path,
                            bool (*read_limit)(const char *, long long *, long long *))
{
    unsigned tightest = 0;
    for (;;) {
        char group[PATH_MAX];
        long long quota, period;
        int length = snprintf(group, sizeof group, "%s%s", hierarchy, path);
        if (length < (int)sizeof group && read_limit(group, &quota, &period) && quota > 0 &&
            period > 0) {
            unsigned cores = (unsigned)((quota + period - 1) / period);
            if (tightest == 0 || cores < tightest)
                tightest = cores;
        }
        char *slash = strrchr(path, '/');
        if (!slash)
            return tightest;
        *slash = '\0';
    }
}

/* Is "cpu" in a list such as "cpu,cpuacct"? */
static bool controls_cpu(const char *controllers)
{
    for (const char *at = controllers; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, "cpu", 3) == 0 && (at[3] == '\0' || at[3] == ','))
            return true;
    }
    return false;
}

/* A line is "0::/path" for v2, "4:cpu,cpuacct:/path" for v1. */
static unsigned line_quota(char *line, const char *mount)
{
    char *controllers = strchr(line, ':');
    char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path)
        return 0;
    *path++ = '\0';
    path[strcspn(path, "\n")] = '\0';
    controllers++;
    if (*controllers == '\0')
        return group_quota(mount, path, read_limit_v2);
    if (!controls_cpu(controllers))
        return 0;
    char hierarchy[PATH_MAX];
    snprintf(hierarchy, sizeof hierarchy, "%s/cpu", mount);
    return group_quota(hierarchy, path, read_limit_v1);
}

unsigned cores_quota(const char *membership, const char *mount)
{
    FILE *file = fopen(membership, "re");
    if (!file)
        return 0;
    unsigned tightest = 0;
    char line[PATH_MAX];
    while (fgets(line, sizeof line, file)) {
        unsigned cores = line_quota(line, mount);
        if (cores > 0 && (tightest == 0 || cores < tightest))
            tightest = cores;
    }
    fclose(file);
    return tightest;
}

unsigned cores_allowed(void)
{
    cpu_set_t set;
    unsigned cores = 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        cores = (unsigned)CPU_COUNT(&set);
    unsigned quota = cores_quota("/proc/self/cgroup", "/sys/fs/cgroup");
    return quota > 0 && quota < cores ? quota : cores;
}
