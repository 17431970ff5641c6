#include "unready.h"

#include "buffer.h"
#include "file.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void path_of(const char *directory, char path[static PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/" UNREADY_NAME, directory);
}

void unready_tell(const char *directory, const char *sentence)
{
    char path[PATH_MAX];
    struct error ignored;
    path_of(directory, path);
    if (sentence)
        file_replace(path, sentence, strlen(sentence), false, &ignored);
    else
        unlink(path);
}

void unready_explain(const char *directory, struct error *error)
{
    char path[PATH_MAX];
    struct buffer sentence = {0};
    struct error none;
    path_of(directory, path);
    if (file_read(path, ERROR_TEXT_MAX, &sentence, &none) && sentence.length > 0)
        error_set(error, ERROR_BUSY, "there is no model here yet: %.*s", (int)sentence.length,
                  sentence.data);
    buffer_free(&sentence);
}
