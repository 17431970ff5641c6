/* What the control groups of this process, v1 or v2, limit it to. */
#ifndef TRENDLINE_CGROUP_H
#define TRENDLINE_CGROUP_H

#include <stdint.h>

/* Reads the limit that one group's directory sets; 0: none. */
typedef uint64_t cgroup_reader(const char *group);

/* One of the controllers, and where its limit stands. */
struct cgroup_controller {
    const char *name; /* as v1 calls it, also the directory of its hierarchy: "cpu" */
    cgroup_reader *v1, *v2;
};

/* The tightest limit of the process's group and all groups above it; 0 without any. `membership` is
 * a file like /proc/self/cgroup, `mount` the directory where the hierarchies are mounted,
 * /sys/fs/cgroup. */
uint64_t cgroup_limit(const struct cgroup_controller *controller, const char *membership,
                      const char *mount);

/* How many bytes of memory all processes of the group may have; 0: any number. */
uint64_t cgroup_memory(const char *membership, const char *mount);

/* For readers: the whole number that the group's file begins with; -1: none, "max" for one. */
long long cgroup_number(const char *group, const char *file);

#endif
