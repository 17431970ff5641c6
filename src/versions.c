#include "versions.h"

#include "buffer.h"
#include "file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VERSIONS_NAME "models"

static bool set_path(char path[static PATH_MAX], const char *directory, int64_t version,
                     struct error *error)
{
    return snprintf(path, PATH_MAX, "%s/" VERSIONS_NAME "/%06lld.json", directory,
                    (long long)version) < PATH_MAX ||
           error_set(error, ERROR_SYSTEM, "the path of the data directory is too long");
}

/* NULL with errno set. */
static DIR *open_directory(const char *directory)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/" VERSIONS_NAME, directory);
    errno = ENAMETOOLONG;
    return length < PATH_MAX ? opendir(path) : NULL;
}

/* 7 for "000007.json"; 0 for anything else. */
static int64_t version_of(const char *name)
{
    char *end;
    errno = 0;
    long long version = isdigit((unsigned char)name[0]) ? strtoll(name, &end, 10) : 0;
    return version > 0 && errno == 0 && strcmp(end, ".json") == 0 ? version : 0;
}

bool versions_last(const char *directory, int64_t *version, struct error *error)
{
    *version = 0;
    DIR *versions = open_directory(directory);
    if (!versions)
        return errno == ENOENT || error_errno(error, "cannot open " VERSIONS_NAME);
    for (struct dirent *entry; (entry = readdir(versions));)
        if (version_of(entry->d_name) > *version)
            *version = version_of(entry->d_name);
    closedir(versions);
    return true;
}

bool versions_write(const char *directory, const struct model *model, struct error *error)
{
    char path[PATH_MAX], *name;
    struct buffer text = {0};
    if (!set_path(path, directory, model->version, error))
        return false;
    name = strrchr(path, '/');
    *name = '\0';
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return error_errno(error, "cannot make the directory " VERSIONS_NAME);
    *name = '/';
    model_write(model, &text);
    bool ok =
        text.failed ? error_memory(error) : file_replace(path, text.data, text.length, true, error);
    buffer_free(&text);
    return ok;
}

struct model *versions_read(const char *directory, int64_t version, struct error *error)
{
    char path[PATH_MAX];
    struct buffer text = {0};
    struct model *model = NULL;
    struct error why;
    if (!set_path(path, directory, version, error))
        return NULL;
    if (file_read(path, MODEL_BYTES_MAX, &text, &why))
        model = model_parse(text.data, text.length, &why);
    buffer_free(&text);
    if (!model)
        error_set(error, ERROR_DAMAGED, VERSIONS_NAME "/%06lld.json: %.300s", (long long)version,
                  why.text);
    return model;
}

void versions_prune(const char *directory, int64_t oldest)
{
    int removed = 0;
    DIR *versions = open_directory(directory);
    if (!versions)
        return;
    for (struct dirent *entry; removed < VERSIONS_PRUNE_MAX && (entry = readdir(versions));) {
        int64_t version = version_of(entry->d_name);
        if (version > 0 && version < oldest)
            removed += unlinkat(dirfd(versions), entry->d_name, 0) == 0;
    }
    closedir(versions);
}
