/* How many processor cores this process may use. */
#ifndef TRENDLINE_CORES_H
#define TRENDLINE_CORES_H

/* The smaller of what the affinity mask and the cgroup's quota (v1 or v2) allow, at least 1. */
unsigned cores_allowed(void);

/* The quota alone, rounded up to whole cores; 0 when there is none. `membership` is a file like
 * /proc/self/cgroup, `mount` the directory where the hierarchies are mounted, /sys/fs/cgroup. */
unsigned cores_quota(const char *membership, const char *mount);

#endif
