/* Runs a fuzzer over files: those given, or else all of tests/fuzz/corpus/NAME. Each in a process
 * of its own, so that one that crashes is one that failed. */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <sys/wait.h>

static int passed, failed;

/* In memory of exactly its length, for the address sanitizer to see what is read beyond it. */
static void run(const char *path)
{
    struct buffer content = get_file(path);
    uint8_t *data = malloc(content.length ? content.length : 1);
    WANT(data);
    if (content.length > 0)
        memcpy(data, content.data, content.length);
    LLVMFuzzerTestOneInput(data, content.length);
    free(data);
    buffer_free(&content);
}

static void replay(const char *path)
{
    int status = -1;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        run(path);
        exit(0);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (status == 0) {
        passed++;
        return;
    }
    failed++;
    printf("%s: wants exit status 0, got wait status 0x%x\n", path, (unsigned)status);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void replay_corpus(const char *name)
{
    char directory[256], path[PATH_MAX];
    struct dirent **entries;
    snprintf(directory, sizeof directory, "tests/fuzz/corpus/%s", name);
    int count = scandir(directory, &entries, is_visible, alphasort);
    if (count <= 0) {
        failed++;
        printf("%s, seen from the repository's root: wants inputs, got none\n", directory);
    }
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, entries[i]->d_name);
        replay(path);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/'), *program = slash ? slash + 1 : argv[0];
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    if (argc == 1)
        replay_corpus(program + strlen("fuzz_"));
    printf("%s: %d passed, %d failed\n", program, passed, failed);
    return failed > 0;
}
