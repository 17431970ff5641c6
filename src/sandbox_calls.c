/* Which system calls may be made, by a seccomp filter.
 *
 * Those that the work needs are allowed. Of the others
 *   - what a bug or a library might try in good faith is refused with EPERM, and shows up as an
 *     error that is told;
 *   - what no part of this program could ever mean (to run a program, to trace a process, to become
 *     another user …) ends the process by SIGSYS: it obeys somebody else by then, who should not
 *     get a second try. s6 starts a clean one;
 *   - the rest does not exist (ENOSYS). A C library tries the newest call first and takes an older
 *     one for that answer only, so that tomorrow's will run too. */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    PREDICT = 1 << SANDBOX_PREDICT,
    STORE = 1 << SANDBOX_ACTION | 1 << SANDBOX_BUILD | 1 << SANDBOX_FOLLOW,
    NETWORK = 1 << (SANDBOX_FOLLOW + 1), /* whatever the role: it connects to a database, */
    OFFLINE = NETWORK << 1,              /* or does not */
    ALL = PREDICT | STORE
};

enum { ALLOW, REFUSE, KILL };

enum { CALL_MAX = 32, CONDITIONS_MAX = 2 };

/* By name, because some machines lack some: arm64 has only the …at calls. */
static const struct {
    int verdict, roles;
    const char *calls;
} groups[] = {
    /* requests: wait, accept, read, write, hang up */
    {ALLOW, ALL,
     "epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait poll ppoll accept accept4 "
     "getsockopt read recvfrom write writev shutdown close"},
    /* files: look and read. How predict may open them stands below */
    {ALLOW, ALL,
     "stat fstat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat lseek "
     "pread64 fadvise64"},
    {ALLOW, STORE, "openat getdents64 statfs"},
    /* predict: the file in which long answers wait, the only one that it has open for writing */
    {ALLOW, ALL, "fstatfs pwrite64 ftruncate"},
    /* files: write, sync, lock, rename; LMDB asks for the kernel's version */
    {ALLOW, STORE,
     "pwritev fsync fdatasync msync flock rename renameat renameat2 unlink unlinkat mkdir mkdirat "
     "uname"},
    /* memory, but not executable: see below */
    {ALLOW, ALL, "brk munmap mremap madvise"},
    /* time, chance, and what the C library asks for by itself */
    {ALLOW, ALL,
     "clock_gettime clock_getres gettimeofday time nanosleep clock_nanosleep getrandom futex rseq "
     "sched_yield sched_getaffinity sysinfo getpid gettid"},
    /* signals to itself, and the end */
    {ALLOW, ALL, "rt_sigaction rt_sigprocmask rt_sigreturn restart_syscall exit exit_group"},

    /* the network, and descriptors from others */
    {REFUSE, ALL, "socketpair listen"},
    {REFUSE, OFFLINE, "socket connect bind sendto sendmsg sendmmsg recvmsg recvmmsg ioctl"},
    /* to a database, whose address may have to be found; the C library binds a netlink socket */
    {ALLOW, NETWORK,
     "socket connect bind sendto sendmsg sendmmsg recvmsg recvmmsg setsockopt getsockname "
     "getpeername getuid geteuid getgid getegid uname"},
    /* other processes */
    {REFUSE, ALL, "clone fork vfork kill tkill rt_sigqueueinfo pidfd_open pidfd_send_signal"},
    /* other kinds of files; whose they are; devices */
    {REFUSE, ALL,
     "link linkat symlink symlinkat mknod mknodat rmdir truncate chmod fchmod fchmodat "
     "chown fchown lchown fchownat utimensat setxattr lsetxattr fsetxattr chdir fchdir"},
    {REFUSE, PREDICT,
     "pwritev fsync fdatasync msync flock rename renameat renameat2 unlink unlinkat mkdir mkdirat"},

    /* another program, or one that another process runs */
    {KILL, ALL,
     "execve execveat ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd kcmp"},
    /* another user */
    {KILL, ALL,
     "setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups capset "
     "personality"},
    /* another view of the system */
    {KILL, ALL,
     "mount umount2 pivot_root chroot move_mount open_tree fsopen fsconfig fsmount fspick "
     "mount_setattr setns unshare open_by_handle_at"},
    /* the kernel: programs in it, ways around this filter, the whole machine */
    {KILL, ALL,
     "bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register add_key "
     "request_key keyctl init_module finit_module delete_module kexec_load kexec_file_load reboot "
     "swapon swapoff acct quotactl iopl ioperm settimeofday clock_settime sethostname "
     "setdomainname syslog"},
};

/* Calls of which it depends on their arguments; each condition is (argument & mask) == value. */
struct condition {
    unsigned argument;
    uint64_t mask, value;
};

/* The mask for equality of an argument that is an int: above it there may be anything. */
#define INT 0xffffffff

static const struct {
    int verdict, roles;
    const char *call;
    struct condition conditions[CONDITIONS_MAX]; /* those with a mask: all must hold */
} details[] = {
    {ALLOW, PREDICT, "openat", {{2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY}}},
    {REFUSE, PREDICT, "openat", {{2, O_WRONLY, O_WRONLY}}},
    {REFUSE, PREDICT, "openat", {{2, O_RDWR, O_RDWR}}},
    {REFUSE, PREDICT, "openat", {{2, O_CREAT, O_CREAT}}},
    {REFUSE, PREDICT, "openat", {{2, O_TRUNC, O_TRUNC}}},
    /* memory is never executable that was not when the process began */
    {ALLOW, ALL, "mmap", {{2, PROT_EXEC, 0}}},
    {REFUSE, ALL, "mmap", {{2, PROT_EXEC, PROT_EXEC}}},
    {ALLOW, ALL, "mprotect", {{2, PROT_EXEC, 0}}},
    {REFUSE, ALL, "mprotect", {{2, PROT_EXEC, PROT_EXEC}}},
    /* not F_SETOWN, which sends signals */
    {ALLOW, ALL, "fcntl", {{1, INT, F_GETFD}}},
    {ALLOW, ALL, "fcntl", {{1, INT, F_SETFD}}},
    {ALLOW, ALL, "fcntl", {{1, INT, F_GETFL}}},
    {ALLOW, ALL, "fcntl", {{1, INT, F_SETFL}}},
    {ALLOW, ALL, "fcntl", {{1, INT, F_DUPFD_CLOEXEC}}},
    {ALLOW, OFFLINE, "setsockopt", {{1, INT, SOL_SOCKET}, {2, INT, SO_RCVTIMEO}}},
    {ALLOW, OFFLINE, "setsockopt", {{1, INT, SOL_SOCKET}, {2, INT, SO_SNDTIMEO}}},
    {ALLOW, NETWORK, "ioctl", {{1, INT, FIONREAD}}},
};

enum { GROUPS = sizeof groups / sizeof *groups, DETAILS = sizeof details / sizeof *details };

static uint32_t action_of(int verdict)
{
    switch (verdict) {
    case ALLOW:
        return SCMP_ACT_ALLOW;
    case REFUSE:
        return SCMP_ACT_ERRNO(EPERM);
    default:
        return SCMP_ACT_KILL_PROCESS;
    }
}

/* libseccomp's calls return 0 or a negative errno. They pass over a call that this machine lacks;
 * one whose name they do not know at all is a mistake here, and EINVAL. */
static int add(scmp_filter_ctx filter, int verdict, const char *call,
               const struct condition conditions[static CONDITIONS_MAX])
{
    struct scmp_arg_cmp compare[CONDITIONS_MAX];
    unsigned count = 0;
    for (; count < CONDITIONS_MAX && conditions[count].mask; count++)
        compare[count] = (struct scmp_arg_cmp){.arg = conditions[count].argument,
                                               .op = SCMP_CMP_MASKED_EQ,
                                               .datum_a = conditions[count].mask,
                                               .datum_b = conditions[count].value};
    int number = seccomp_syscall_resolve_name(call);
    return number == __NR_SCMP_ERROR
               ? -EINVAL
               : seccomp_rule_add_array(filter, action_of(verdict), number, count, compare);
}

static int add_group(scmp_filter_ctx filter, int verdict, const char *calls)
{
    static const struct condition none[CONDITIONS_MAX];
    char call[CALL_MAX];
    int code = 0;
    for (int length; code == 0 && *calls; calls += length + (calls[length] == ' ')) {
        length = (int)strcspn(calls, " ");
        snprintf(call, sizeof call, "%.*s", length, calls);
        code = add(filter, verdict, call, none);
    }
    return code;
}

static int add_groups(scmp_filter_ctx filter, int role)
{
    int code = 0;
    for (int i = 0; i < GROUPS && code == 0; i++)
        if (groups[i].roles & role)
            code = add_group(filter, groups[i].verdict, groups[i].calls);
    return code;
}

static int add_details(scmp_filter_ctx filter, int role)
{
    /* abort() sends a signal to its own thread; the process's number does not change any more */
    const struct condition own[CONDITIONS_MAX] = {{0, INT, (uint64_t)getpid()}};
    int code = add(filter, ALLOW, "tgkill", own);
    for (int i = 0; i < DETAILS && code == 0; i++)
        if (details[i].roles & role)
            code = add(filter, details[i].verdict, details[i].call, details[i].conditions);
    return code;
}

static int load(scmp_filter_ctx filter, int role)
{
    int code;
    /* Calls by the numbers of another machine's interface end the process. A tree finds a number
     * in a few comparisons (kernels since 5.11 ask the filter about most calls but once). The
     * mitigation is for those who run foreign code within their own process: it costs a lot. */
    if ((code = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS)) != 0 ||
        (code = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2)) != 0 ||
        (code = seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1)) != 0 ||
        (code = add_groups(filter, role)) != 0 || (code = add_details(filter, role)) != 0)
        return code;
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1); /* not on kernels before 4.17 */
    return seccomp_load(filter);
}

bool sandbox_has_seccomp(void)
{
    uint32_t action = SECCOMP_RET_KILL_PROCESS;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

bool sandbox_limit_calls(enum sandbox_role role, bool network, struct error *error)
{
    if (!sandbox_has_seccomp())
        return true;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (!filter)
        return error_memory(error);
    int code = load(filter, 1 << role | (network ? NETWORK : OFFLINE));
    seccomp_release(filter);
    errno = -code;
    return code == 0 || error_errno(error, "cannot limit the system calls");
}
