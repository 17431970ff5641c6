#include "secret.h"

#include "buffer.h"
#include "file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_SIZE = 64 };

static void file_variable(const char *name, char variable[static NAME_SIZE])
{
    snprintf(variable, NAME_SIZE, "%s_FILE", name);
}

static bool is_visible(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] < '!' || text[i] > '~')
            return false;
    return true;
}

/* `variable` is where it came from. */
static bool take(struct secret *secret, const char *variable, const char *text, size_t length,
                 struct error *error)
{
    if (length == 0 || length > SECRET_MAX || !is_visible(text, length))
        return error_set(error, ERROR_UNUSABLE,
                         "%s cannot be used: it must be %s1 to %d visible ASCII characters without "
                         "spaces, and %s",
                         variable, strstr(variable, "_FILE") ? "a file with one line of " : "",
                         SECRET_MAX,
                         length == 0           ? "there is none"
                         : length > SECRET_MAX ? "there are more"
                                               : "there is another among them");
    memcpy(secret->text, text, length);
    secret->length = length;
    return true;
}

static size_t without_line_end(const struct buffer *content)
{
    size_t length = content->length;
    if (length > 0 && content->data[length - 1] == '\n')
        length--;
    if (length > 0 && length < content->length && content->data[length - 1] == '\r')
        length--;
    return length;
}

/* The path is not shown: somebody may have put the secret itself there. */
static bool refuse_file(const char *variable, const char *path, const char *why,
                        struct error *error)
{
    const char *shown = strstr(why, path);
    if (!shown) /* so long that it was cut */
        return error_set(error, ERROR_UNUSABLE, "%s cannot be used: it must be the path of a file",
                         variable);
    return error_set(error, ERROR_UNUSABLE, "%s cannot be used: %.*sthe file%.200s", variable,
                     (int)(shown - why), why, shown + strlen(path));
}

static bool read_from_file(struct secret *secret, const char *variable, const char *path,
                           struct error *error)
{
    struct buffer content = {0};
    struct error why;
    bool read = file_read(path, SECRET_MAX + 2, &content, &why);
    bool taken = read ? take(secret, variable, content.data, without_line_end(&content), error)
                      : refuse_file(variable, path, why.text, error);
    secret->from_file = taken;
    if (content.data)
        explicit_bzero(content.data, content.length);
    buffer_free(&content);
    return taken;
}

bool secret_read(struct secret *secret, const char *name, struct error *error)
{
    char variable[NAME_SIZE];
    file_variable(name, variable);
    const char *text = getenv(name), *path = getenv(variable);
    *secret = (struct secret){0};
    if (text && path)
        return error_set(error, ERROR_UNUSABLE, "%s and %s are both set: only one of them may be",
                         name, variable);
    if (path)
        return read_from_file(secret, variable, path, error);
    return !text || take(secret, name, text, strlen(text), error);
}

bool secret_matches(const struct secret *secret, const char *text, size_t length)
{
    char sent[sizeof secret->text] = {0};
    unsigned char difference = secret->length == 0 || length != secret->length;
    memcpy(sent, text, length > SECRET_MAX ? SECRET_MAX : length);
    /* all of it, wherever they differ: no one may learn a secret by the time this takes */
    for (size_t i = 0; i < sizeof sent; i++)
        difference |= (unsigned char)(sent[i] ^ secret->text[i]);
    return difference == 0;
}

bool secret_hand_down(const struct secret *secret, const char *name, struct error *error)
{
    char variable[NAME_SIZE];
    file_variable(name, variable);
    unsetenv(variable);
    return secret->length == 0 || setenv(name, secret->text, 1) == 0 || error_memory(error);
}

void secret_hide(const char *name)
{
    char variable[NAME_SIZE], *text = getenv(name);
    file_variable(name, variable);
    if (text)
        explicit_bzero(text, strlen(text));
    unsetenv(name);
    unsetenv(variable);
}
