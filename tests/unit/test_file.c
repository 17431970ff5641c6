#include "check.h"
#include "file.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct error error;

static const char *content_of(const char *path)
{
    static char text[256];
    struct buffer content = {0};
    error.text[0] = '\0';
    if (file_read(path, sizeof text - 1, &content, &error)) {
        memcpy(text, content.data, content.length);
        text[content.length] = '\0';
    }
    buffer_free(&content);
    return error.text[0] ? error.text : text;
}

/* How many entries the working directory has. */
static int entries(void)
{
    int count = -2; /* . and .. */
    DIR *directory = opendir(".");
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static void test_replace(void)
{
    struct stat info;
    umask(027);
    CHECK(file_replace("a", "one", 3, true, &error), "%s", error.text);
    CHECK_STRING("one", content_of("a"));
    CHECK(stat("a", &info) == 0 && (info.st_mode & 0777) == 0640, "mode %o", info.st_mode);
    umask(0);
    CHECK(file_replace("./a", "two!", 4, false, &error), "%s", error.text);
    CHECK_STRING("two!", content_of("a"));
    CHECK(stat("a", &info) == 0 && (info.st_mode & 0777) == 0644, "mode %o", info.st_mode);
    CHECK(file_replace("a", "", 0, true, &error), "%s", error.text);
    CHECK_STRING("", content_of("a"));
    CHECK_INT(1, entries());
    unlink("a");
}

static void test_stepwise(void)
{
    struct file_writer writer;
    struct buffer content = {0};
    enum { PIECES = 100000 };
    CHECK(file_replace("a", "old", 3, true, &error), "%s", error.text);
    CHECK(file_begin(&writer, "a", &error), "%s", error.text);
    bool written = true;
    for (int i = 0; i < PIECES; i++)
        written = written && file_write(&writer, "1234567\n", 8, &error);
    CHECK(written, "%s", error.text);
    CHECK_STRING("old", content_of("a"));
    CHECK(file_commit(&writer, true, &error), "%s", error.text);
    CHECK(file_read("a", 8 * PIECES, &content, &error), "%s", error.text);
    CHECK_INT(8 * PIECES, content.length);
    CHECK(memcmp(content.data + content.length - 8, "1234567\n", 8) == 0, "the end");
    buffer_free(&content);
    CHECK_INT(1, entries());
    unlink("a");
}

static void test_abort(void)
{
    struct file_writer writer;
    CHECK(file_replace("a", "old", 3, true, &error), "%s", error.text);
    CHECK(file_begin(&writer, "a", &error), "%s", error.text);
    CHECK(file_write(&writer, "new", 3, &error), "%s", error.text);
    file_abort(&writer);
    CHECK_STRING("old", content_of("a"));
    CHECK_INT(1, entries());
    unlink("a");
}

/* A killed writer's leftovers do not get into the next content, and do not pile up. */
static void test_leftover(void)
{
    CHECK(file_replace(".a.tmp", "a long leftover", 15, false, &error), "%s", error.text);
    CHECK(file_replace("a", "new", 3, true, &error), "%s", error.text);
    CHECK_STRING("new", content_of("a"));
    CHECK_INT(1, entries());
    unlink("a");
}

static void test_two_writers(void)
{
    struct file_writer first, second;
    CHECK(file_begin(&first, "a", &error), "%s", error.text);
    CHECK(!file_begin(&second, "a", &error), "a second writer");
    CHECK_INT(ERROR_BUSY, error.kind);
    CHECK_STRING("another process is writing a", error.text);
    CHECK(file_commit(&first, false, &error), "%s", error.text);
    CHECK(file_begin(&second, "a", &error), "%s", error.text);
    file_abort(&second);
    CHECK_STRING("", content_of("a"));
    unlink("a");
}

/* What a full disk does to a writer, made with a limit on the size of files. */
static void test_full(void)
{
    static char data[200000];
    struct rlimit limit, unlimited;
    CHECK(file_replace("a", "old", 3, true, &error), "%s", error.text);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &unlimited);
    limit = unlimited;
    limit.rlim_cur = 100000;
    setrlimit(RLIMIT_FSIZE, &limit);
    CHECK(!file_replace("a", data, sizeof data, true, &error), "beyond the limit");
    setrlimit(RLIMIT_FSIZE, &unlimited);
    CHECK_STRING("cannot write a: File too large", error.text);
    CHECK_STRING("old", content_of("a"));
    CHECK_INT(1, entries());
    unlink("a");
}

static void test_failures(void)
{
    CHECK(!file_replace("nowhere/a", "x", 1, true, &error), "no such directory");
    CHECK_STRING("cannot create nowhere/.a.tmp: No such file or directory", error.text);

    mkdir("directory", 0755);
    mkdir("directory/full", 0755);
    CHECK(!file_replace("directory", "x", 1, true, &error), "a directory is in the way");
    CHECK_STRING("cannot rename .directory.tmp to directory: Is a directory", error.text);
    CHECK_INT(1, entries());
    rmdir("directory/full");
    rmdir("directory");

    CHECK(symlink("elsewhere", ".a.tmp") == 0, "symlink");
    CHECK(!file_replace("a", "x", 1, true, &error), "a symbolic link is in the way");
    CHECK(access("elsewhere", F_OK) != 0, "the link was followed");
    unlink(".a.tmp");

    char path[PATH_MAX];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    CHECK(!file_replace(path, "x", 1, true, &error), "too long");
    CHECK(strstr(error.text, "too long"), "%s", error.text);
    CHECK_INT(0, entries());
}

static void test_read(void)
{
    struct buffer content = {0};
    CHECK_STRING("cannot open a: No such file or directory", content_of("a"));
    CHECK_INT(ERROR_ABSENT, error.kind);
    CHECK(file_replace("a", "12345", 5, false, &error), "%s", error.text);
    buffer_puts(&content, "before ");
    CHECK(file_read("a", 5, &content, &error), "%s", error.text);
    CHECK(content.length == 12 && memcmp(content.data, "before 12345", 12) == 0, "%.*s",
          (int)content.length, content.data);
    CHECK(!file_read("a", 4, &content, &error), "over the limit");
    CHECK_INT(ERROR_TOO_LARGE, error.kind);
    CHECK_STRING("a is larger than 4 bytes", error.text);
    buffer_free(&content);
    unlink("a");
    CHECK_STRING(". is a directory, and must be a regular file", content_of("."));
}

/* Whoever may write to the directory may put a pipe there, which would hold up its reader or its
 * writer for ever. */
static void test_pipes(void)
{
    alarm(20); /* a hang is a failure */
    CHECK(mkfifo("a", 0644) == 0 && mkfifo(".b.tmp", 0644) == 0, "mkfifo");
    CHECK_STRING("a is a pipe, and must be a regular file", content_of("a"));
    CHECK(!file_replace("b", "x", 1, true, &error), "a pipe in the temporary file's place");
    CHECK(file_replace("a", "x", 1, true, &error), "%s", error.text);
    CHECK_STRING("x", content_of("a"));
    alarm(0);
    unlink("a");
    unlink(".b.tmp");
}

int main(void)
{
    char directory[] = "/tmp/trendline-test-XXXXXX";
    if (!mkdtemp(directory) || chdir(directory) != 0)
        return 1;
    test_replace();
    test_stepwise();
    test_abort();
    test_leftover();
    test_two_writers();
    test_full();
    test_failures();
    test_read();
    test_pipes();
    rmdir(directory);
    return check_report("test_file");
}
