/* Every forbidden call, in every role, in a process of its own that has entered the sandbox. */
#include "sandbox.h"

#include "check.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

static struct config config;
static bool has_landlock;
static int shared_socket; /* connected, and open in all the children */
static int shared_file;   /* open for writing before they enter */

/* ------------------------------------------------------------------ what is tried
 * Each returns 0, or the errno of its failure. */

static int result(long code)
{
    return code >= 0 ? 0 : errno;
}

static int try_open(const char *path, int flags)
{
    return result(open(path, flags | O_CLOEXEC, 0644));
}

static int read_data(void)
{
    return try_open("data/model.json", O_RDONLY);
}

static int create_data(void)
{
    return try_open("data/new", O_WRONLY | O_CREAT);
}

static int change_data(void)
{
    return try_open("data/model.json", O_RDWR);
}

static int truncate_data(void)
{
    return try_open("data/model.json", O_RDONLY | O_TRUNC);
}

static int replace_data(void)
{
    struct error error;
    return file_replace("data/model.json", "{}", 2, true, &error) ? 0 : errno;
}

static int rename_data(void)
{
    return result(rename("data/model.json", "data/renamed"));
}

static int remove_data(void)
{
    return result(unlink("data/model.json"));
}

static int make_directory(void)
{
    return result(mkdir("data/models", 0755));
}

static int free_space(void)
{
    struct statvfs space;
    return result(statvfs("data", &space));
}

static int map_data(void)
{
    int fd = open("data/model.json", O_RDONLY | O_CLOEXEC);
    return mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? errno : 0;
}

static int read_train(void)
{
    return try_open("train/train.txt", O_RDONLY);
}

static int read_linked_train(void)
{
    return try_open("elsewhere/real.txt", O_RDONLY);
}

static int read_other(void)
{
    return try_open("other", O_RDONLY);
}

static int change_other(void)
{
    return try_open("other", O_WRONLY);
}

static int change_train(void)
{
    return try_open("train/train.txt", O_WRONLY);
}

static int create_other(void)
{
    return try_open("new", O_WRONLY | O_CREAT);
}

static int rename_out(void)
{
    return result(rename("data/model.json", "model.json"));
}

static int link_other(void)
{
    return result(symlink("/etc/passwd", "data/link"));
}

static int change_mode(void)
{
    return result(chmod("data/model.json", 04755));
}

static int run_program(void)
{
    return result(execl("/bin/true", "true", (char *)NULL));
}

static int fork_process(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    return result(child);
}

static int open_internet(void)
{
    return result(socket(AF_INET, SOCK_STREAM, 0));
}

static int open_unix(void)
{
    return result(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int send_descriptor(void)
{
    char byte = 0;
    struct iovec data = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    return result(sendmsg(shared_socket, &message, 0));
}

static int use_socket(void)
{
    return result(write(shared_socket, "x", 1));
}

static int use_file(void)
{
    struct statvfs space;
    char byte = 'x';
    if (pwrite(shared_file, &byte, 1, 0) != 1 || pread(shared_file, &byte, 1, 0) != 1 ||
        fstatvfs(shared_file, &space) != 0)
        return errno;
    return result(ftruncate(shared_file, 0));
}

static int signal_parent(void)
{
    return result(kill(getppid(), 0));
}

static int signal_thread(void)
{
    return result(syscall(SYS_tgkill, getppid(), getppid(), 0));
}

static int signal_by_descriptor(void)
{
    return result(fcntl(shared_socket, F_SETOWN, getpid()));
}

static int trace_parent(void)
{
    return result(ptrace(PTRACE_SEIZE, getppid(), 0, 0));
}

static int trace_self(void)
{
    return result(ptrace(PTRACE_TRACEME, 0, 0, 0));
}

static int mount_something(void)
{
    return result(mount("none", "data", "none such", 0, NULL)); /* should it ever be let through */
}

static int change_user(void)
{
    return result(setuid(getuid()));
}

static int leave_namespace(void)
{
    return result(syscall(SYS_unshare, 0x10000000)); /* CLONE_NEWUSER */
}

static int use_ring(void)
{
    return result(syscall(SYS_io_uring_setup, 1, NULL));
}

static int make_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                0) == MAP_FAILED
               ? errno
               : 0;
}

static int turn_into_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return result(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

static int clone_newest(void)
{
    return result(syscall(435 /* clone3 */, NULL, 0));
}

static int unheard_of(void)
{
    return result(syscall(2000));
}

static int limit_other(void)
{
    struct rlimit limit;
    return result(syscall(SYS_prlimit64, getppid(), RLIMIT_NOFILE, NULL, &limit));
}

#ifdef __x86_64__
static int other_interface(void)
{
    return result(syscall(0x40000000 + SYS_getpid)); /* x32's */
}
#endif

static int abort_self(void)
{
    abort();
}

static int tell_time(void)
{
    time_t now = time(NULL);
    struct tm utc;
    return gmtime_r(&now, &utc) ? 0 : errno;
}

static int use_memory(void)
{
    char *block = malloc(100 << 20);
    block = block ? realloc(block, 200 << 20) : NULL;
    free(block);
    return block ? 0 : ENOMEM;
}

/* ------------------------------------------------------------------ what should come of it */

enum { PREDICT = 1 << SANDBOX_PREDICT, ACTION = 1 << SANDBOX_ACTION, BUILD = 1 << SANDBOX_BUILD };
enum { NONE, WRITERS = ACTION | BUILD, ALL = PREDICT | WRITERS };
enum { DENIED = -1 };               /* EPERM or EACCES */
enum { FILES = 1, ANY_KERNEL = 0 }; /* what only Landlock can forbid */

static const struct {
    const char *name;
    int (*attempt)(void);
    int roles;  /* that may */
    int others; /* what the others get: DENIED, an errno, or 1000 + a signal that ends them */
    int needs;
} cases[] = {
    {"read the data", read_data, ALL, 0, ANY_KERNEL},
    {"create a file in the data", create_data, WRITERS, DENIED, ANY_KERNEL},
    {"change a file of the data", change_data, WRITERS, DENIED, ANY_KERNEL},
    {"cut a file of the data", truncate_data, WRITERS, DENIED, ANY_KERNEL},
    {"replace a file of the data", replace_data, WRITERS, DENIED, ANY_KERNEL},
    {"rename a file of the data", rename_data, WRITERS, DENIED, ANY_KERNEL},
    {"remove a file of the data", remove_data, WRITERS, DENIED, ANY_KERNEL},
    {"make a directory in the data", make_directory, WRITERS, DENIED, ANY_KERNEL},
    {"ask for free space", free_space, WRITERS, ENOSYS, ANY_KERNEL},
    {"map a file of the data", map_data, ALL, 0, ANY_KERNEL},
    {"use a file that is open", use_file, ALL, 0, ANY_KERNEL},
    {"read the train file", read_train, BUILD, DENIED, FILES},
    {"read what the train file links to", read_linked_train, BUILD, DENIED, FILES},
    {"write the train file", change_train, NONE, DENIED, FILES},
    {"read another file", read_other, NONE, DENIED, FILES},
    {"write another file", change_other, NONE, DENIED, FILES},
    {"create another file", create_other, NONE, DENIED, FILES},
    {"move a file out of the data", rename_out, NONE, DENIED, FILES},
    {"make a link", link_other, NONE, DENIED, ANY_KERNEL},
    {"change a file's mode", change_mode, NONE, DENIED, ANY_KERNEL},

    {"run a program", run_program, NONE, 1000 + SIGSYS, ANY_KERNEL},
    {"fork", fork_process, NONE, DENIED, ANY_KERNEL},
    {"make a thread or process the newest way", clone_newest, NONE, ENOSYS, ANY_KERNEL},
    {"make code", make_code, NONE, DENIED, ANY_KERNEL},
    {"turn data into code", turn_into_code, NONE, DENIED, ANY_KERNEL},

    {"open an internet socket", open_internet, NONE, DENIED, ANY_KERNEL},
    {"open a unix socket", open_unix, NONE, DENIED, ANY_KERNEL},
    {"pass on descriptors", send_descriptor, NONE, DENIED, ANY_KERNEL},
    {"use an open socket", use_socket, ALL, 0, ANY_KERNEL},

    {"signal another process", signal_parent, NONE, DENIED, ANY_KERNEL},
    {"signal a thread of another process", signal_thread, NONE, ENOSYS, ANY_KERNEL},
    {"have a descriptor send signals", signal_by_descriptor, NONE, ENOSYS, ANY_KERNEL},
    {"limit another process", limit_other, NONE, ENOSYS, ANY_KERNEL},
    {"trace another process", trace_parent, NONE, 1000 + SIGSYS, ANY_KERNEL},
    {"be traced", trace_self, NONE, 1000 + SIGSYS, ANY_KERNEL},
    {"mount", mount_something, NONE, 1000 + SIGSYS, ANY_KERNEL},
    {"change the user", change_user, NONE, 1000 + SIGSYS, ANY_KERNEL},
    {"make a namespace", leave_namespace, NONE, 1000 + SIGSYS, ANY_KERNEL},
    {"go around the filter by a ring", use_ring, NONE, 1000 + SIGSYS, ANY_KERNEL},
#ifdef __x86_64__
    {"go around the filter by another interface", other_interface, NONE, 1000 + SIGSYS, ANY_KERNEL},
#endif
    {"a call that does not exist yet", unheard_of, NONE, ENOSYS, ANY_KERNEL},

    {"abort", abort_self, NONE, 1000 + SIGABRT, ANY_KERNEL},
    {"tell the time", tell_time, ALL, 0, ANY_KERNEL},
    {"use memory", use_memory, ALL, 0, ANY_KERNEL},
};

/* ------------------------------------------------------------------ */

static void make_files(void)
{
    scratch_empty();
    mkdir("data", 0755);
    mkdir("train", 0755);
    mkdir("elsewhere", 0755);
    put_text("data/model.json", "{}");
    put_text("elsewhere/real.txt", "1 2\n");
    put_text("other", "other");
    if (shared_file > 0)
        close(shared_file);
    shared_file = open("data/waiting", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    unlink("data/waiting");
    if (symlink("../elsewhere/real.txt", "train/linked.txt") != 0)
        abort();
    put_text("train/train.txt", "1 2\n");
    snprintf(config.data_dir, sizeof config.data_dir, "%s/data", scratch_directory);
    snprintf(config.train_path, sizeof config.train_path, "%s/train/linked.txt", scratch_directory);
}

/* The attempt's result, or 1000 + the signal that ended the process that made it. */
static int attempt_in(enum sandbox_role role, int (*attempt)(void))
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        struct error error;
        struct rlimit no_core = {0};
        setrlimit(RLIMIT_CORE, &no_core);
        if (!sandbox_enter(role, &config, &error)) {
            printf("cannot enter: %s\n", error.text);
            fflush(stdout);
            _exit(255);
        }
        _exit(attempt());
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        abort();
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void test_cases(enum sandbox_role role, const char *name)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].needs == FILES && !has_landlock)
            continue;
        make_files();
        int wants = cases[i].roles & 1 << role ? 0 : cases[i].others;
        int got = attempt_in(role, cases[i].attempt);
        CHECK(wants == DENIED ? got == EPERM || got == EACCES : got == wants,
              "%s: %s: wants %d, got %d", name, cases[i].name, wants, got);
    }
}

/* "Seccomp:\t2" and the like, from /proc/PID/status of a child that waits in the sandbox. */
static void get_status(pid_t process, const char *field, char value[static 64])
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", (int)process);
    FILE *file = fopen(path, "re");
    *value = '\0';
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, field, strlen(field)) == 0 && line[strlen(field)] == ':')
            sscanf(line + strlen(field) + 1, "%63s", value);
    if (file)
        fclose(file);
}

static void test_status(enum sandbox_role role)
{
    int ready[2], go[2];
    char byte, value[64];
    make_files();
    if (pipe2(ready, O_CLOEXEC) != 0 || pipe2(go, O_CLOEXEC) != 0)
        abort();
    pid_t child = fork();
    if (child == 0) {
        struct error error;
        close(go[1]);
        if (!sandbox_enter(role, &config, &error) || write(ready[1], "x", 1) != 1)
            _exit(1);
        _exit(read(go[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(ready[1]);
    CHECK_INT(1, read(ready[0], &byte, 1));
    static const char *const fields[][2] = {{"NoNewPrivs", "1"},
                                            {"CapEff", "0000000000000000"},
                                            {"CapPrm", "0000000000000000"},
                                            {"CapInh", "0000000000000000"}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        get_status(child, fields[i][0], value);
        CHECK(strcmp(fields[i][1], value) == 0, "%s: wants %s, got %s", fields[i][0], fields[i][1],
              value);
    }
    if (!SANDBOX_SANITIZED && sandbox_has_seccomp()) {
        get_status(child, "Seccomp", value);
        CHECK_STRING("2", value);
    }
    close(go[1]);
    waitpid(child, NULL, 0);
    close(ready[0]);
    close(go[0]);
}

/* A kernel that has neither, as far as this process can tell. */
static void forbid_sandboxes(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    static const char *const calls[] = {"seccomp", "landlock_create_ruleset", "landlock_add_rule",
                                        "landlock_restrict_self"};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), seccomp_syscall_resolve_name(calls[i]), 0);
    if (seccomp_load(filter) != 0)
        abort();
    seccomp_release(filter);
}

static void test_old_kernel(void)
{
    int status;
    make_files();
    pid_t child = fork();
    if (child == 0) {
        struct error error;
        forbid_sandboxes();
        _exit(!sandbox_has_seccomp() && sandbox_enter(SANDBOX_PREDICT, &config, &error) &&
                      read_data() == 0
                  ? 0
                  : 1);
    }
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0,
          "without seccomp and Landlock it goes on: status %x", status);
}

static void test_missing_directories(void)
{
    make_files();
    snprintf(config.train_path, sizeof config.train_path, "%s/gone/train.txt", scratch_directory);
    CHECK_INT(0, attempt_in(SANDBOX_BUILD, read_data));
    if (!has_landlock)
        return;
    struct error error;
    snprintf(config.data_dir, sizeof config.data_dir, "%s/gone", scratch_directory);
    CHECK(!sandbox_limit_files(SANDBOX_PREDICT, &config, &error), "no data directory");
    CHECK(strstr(error.text, "/gone: No such file"), "%s", error.text);
}

int main(void)
{
    int pair[2];
    scratch_make();
    has_landlock =
        syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        abort();
    shared_socket = pair[0];
    for (enum sandbox_role role = SANDBOX_PREDICT; role <= SANDBOX_BUILD; role++)
        test_status(role);
    if (!SANDBOX_SANITIZED && sandbox_has_seccomp()) {
        test_cases(SANDBOX_PREDICT, "predict");
        test_cases(SANDBOX_ACTION, "action");
        test_cases(SANDBOX_BUILD, "build");
        test_missing_directories();
        test_old_kernel();
    }
    scratch_end();
    return check_report("test_sandbox");
}
