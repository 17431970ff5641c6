#include "cores.h"

#include "cgroup.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>

static uint64_t whole_cores(long long quota, long long period)
{
    return quota > 0 && period > 0 ? (uint64_t)((quota + period - 1) / period) : 0;
}

static uint64_t cores_v1(const char *group)
{
    return whole_cores(cgroup_number(group, "cpu.cfs_quota_us"),
                       cgroup_number(group, "cpu.cfs_period_us"));
}

/* The file has both; without a limit "max 100000". */
static uint64_t cores_v2(const char *group)
{
    char path[PATH_MAX + 32];
    long long quota, period;
    snprintf(path, sizeof path, "%s/cpu.max", group);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    uint64_t cores =
        fscanf(file, "%lld %lld", &quota, &period) == 2 ? whole_cores(quota, period) : 0;
    fclose(file);
    return cores;
}

unsigned cores_quota(const char *membership, const char *mount)
{
    static const struct cgroup_controller cpu = {"cpu", cores_v1, cores_v2};
    uint64_t cores = cgroup_limit(&cpu, membership, mount);
    return cores < UINT_MAX ? (unsigned)cores : UINT_MAX;
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
