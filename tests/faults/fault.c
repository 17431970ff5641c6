/* Makes system calls and allocations fail in running programs. For LD_PRELOAD, into a whole
 * service.
 *
 * FAULT_CONTROL names a file of CONTROL_SIZE bytes, which every process maps when it starts, so
 * that faults can be switched on and off from outside. Its text: one word that differs each time
 * (tests use a number), then a rule a line:
 *
 *     PROGRAM CALL FAULT PLACE SKIP TIMES
 *
 * PROGRAM: what the process's name begins with, or its pid. CALL: a name below, or malloc for all
 * allocations. FAULT: the number of an errno, or sleep:MS, after which the call goes on. PLACE: a
 * part of the file's path, or * for any. The first SKIP calls that match pass, the next TIMES fail;
 * 0: all. Processes count for themselves, anew with every text. The file's last eight bytes count
 * faults. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum { CONTROL_SIZE = 1024, TEXT_SIZE = CONTROL_SIZE - 8, RULES_MAX = 16, WORD_MAX = 64 };

struct rule {
    char call[WORD_MAX], place[WORD_MAX];
    int error;
    long sleep_ms, skip, times, seen;
};

struct control {
    char text[TEXT_SIZE];
    uint64_t faults;
};

static struct control *control;
static char known[TEXT_SIZE + 1]; /* the text that the rules were made of */
static struct rule rules[RULES_MAX];
static int rule_count;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

__attribute__((constructor)) static void map_control(void)
{
    const char *path = getenv("FAULT_CONTROL");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *map = mmap(NULL, CONTROL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    control = map == MAP_FAILED ? NULL : map;
    close(fd);
}

static bool is_us(const char *program)
{
    return strncmp(program_invocation_short_name, program, strlen(program)) == 0 ||
           atoi(program) == getpid();
}

static void parse_rule(const char *line)
{
    char program[WORD_MAX], fault[WORD_MAX];
    struct rule *rule = &rules[rule_count];
    memset(rule, 0, sizeof *rule);
    if (rule_count == RULES_MAX ||
        sscanf(line, "%63s %63s %63s %63s %ld %ld", program, rule->call, fault, rule->place,
               &rule->skip, &rule->times) != 6 ||
        !is_us(program))
        return;
    if (sscanf(fault, "sleep:%ld", &rule->sleep_ms) != 1)
        rule->error = atoi(fault);
    rule_count++;
}

static void read_rules(void)
{
    if (memcmp(known, control->text, TEXT_SIZE) == 0)
        return;
    memcpy(known, control->text, TEXT_SIZE);
    rule_count = 0;
    for (const char *at = known; (at = memchr(at, '\n', (size_t)(known + TEXT_SIZE - at)));)
        parse_rule(++at);
}

static bool place_matches(const struct rule *rule, const char *path, int fd)
{
    char link[32], target[4096];
    if (strcmp(rule->place, "*") == 0)
        return true;
    if (!path && fd >= 0) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        path = target;
    }
    return path && strstr(path, rule->place);
}

static bool applies(struct rule *rule, const char *call, const char *path, int fd)
{
    if (strcmp(rule->call, call) != 0 || !place_matches(rule, path, fd))
        return false;
    rule->seen++;
    return rule->seen > rule->skip && (rule->times == 0 || rule->seen <= rule->skip + rule->times);
}

static void wait_ms(long ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

/* Whether the call fails now, with errno set; all programs here have one thread that matters. */
static bool fails(const char *call, const char *path, int fd)
{
    static bool inside; /* what is below allocates and opens itself */
    int before = errno;
    if (!control || inside)
        return false;
    inside = true;
    read_rules();
    int error = 0;
    for (int i = 0; i < rule_count && error == 0; i++)
        if (applies(&rules[i], call, path, fd)) {
            __atomic_fetch_add(&control->faults, 1, __ATOMIC_RELAXED);
            wait_ms(rules[i].sleep_ms);
            error = rules[i].error;
        }
    inside = false;
    errno = error ? error : before;
    return error != 0;
}

/* ------------------------------------------------------------------ memory */

void *malloc(size_t size)
{
    return fails("malloc", NULL, -1) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails("malloc", NULL, -1) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return fails("malloc", NULL, -1) ? NULL : __libc_realloc(old, size);
}

/* ------------------------------------------------------------------ system calls */

/* The next function of that name: libc's. */
#define REAL(name)                                                                                 \
    static __typeof__(&name) real;                                                                 \
    if (!real)                                                                                     \
    *(void **)&real = dlsym(RTLD_NEXT, #name)

int fdatasync(int fd)
{
    REAL(fdatasync);
    return fails("fdatasync", NULL, fd) ? -1 : real(fd);
}

int fsync(int fd)
{
    REAL(fsync);
    return fails("fsync", NULL, fd) ? -1 : real(fd);
}

int ftruncate(int fd, off_t length)
{
    REAL(ftruncate);
    return fails("ftruncate", NULL, fd) ? -1 : real(fd, length);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    REAL(pwrite);
    return fails("pwrite", NULL, fd) ? -1 : real(fd, data, size, offset);
}

ssize_t pread(int fd, void *data, size_t size, off_t offset)
{
    REAL(pread);
    return fails("pread", NULL, fd) ? -1 : real(fd, data, size, offset);
}

ssize_t write(int fd, const void *data, size_t size)
{
    REAL(write);
    return fails("write", NULL, fd) ? -1 : real(fd, data, size);
}

ssize_t read(int fd, void *data, size_t size)
{
    REAL(read);
    return fails("read", NULL, fd) ? -1 : real(fd, data, size);
}

int rename(const char *from, const char *to)
{
    REAL(rename);
    return fails("rename", to, -1) ? -1 : real(from, to);
}

int stat(const char *restrict path, struct stat *restrict status)
{
    REAL(stat);
    return fails("stat", path, -1) ? -1 : real(path, status);
}

int statvfs(const char *restrict path, struct statvfs *restrict space)
{
    REAL(statvfs);
    return fails("statvfs", path, -1) ? -1 : real(path, space);
}

int accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict length, int flags)
{
    REAL(accept4);
    return fails("accept4", NULL, fd) ? -1 : real(fd, address, length, flags);
}

int open(const char *path, int flags, ...)
{
    REAL(open);
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    return fails("open", path, -1) ? -1 : real(path, flags, mode);
}

/* The same call to those who make it fail. */
int openat(int directory, const char *path, int flags, ...)
{
    REAL(openat);
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    return fails("open", path, -1) ? -1 : real(directory, path, flags, mode);
}
