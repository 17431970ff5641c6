#include "access.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { LENGTH_WARNED = 16 };

/* Each allows what the ones before it allow. */
enum right { RIGHT_NONE, RIGHT_READ, RIGHT_WRITE };

bool access_read(struct access *access, struct error *error)
{
    return secret_read(&access->api, "API_TOKEN", error) &&
           secret_read(&access->read, "READ_TOKEN", error);
}

static void warn_short(const char *name, const struct secret *secret)
{
    if (secret->length > 0 && secret->length < LENGTH_WARNED)
        fprintf(stderr, "trendline: warning: %s has fewer than %d characters: it may be guessed\n",
                name, LENGTH_WARNED);
}

void access_warn(const struct access *access)
{
    warn_short("API_TOKEN", &access->api);
    warn_short("READ_TOKEN", &access->read);
    if (access->read.length > 0 && access->api.length == 0)
        fprintf(stderr, "trendline: warning: READ_TOKEN is set and API_TOKEN is not: whoever "
                        "reaches the port may write\n");
}

bool access_hand_down(const struct access *access, struct error *error)
{
    return secret_hand_down(&access->api, "API_TOKEN", error) &&
           secret_hand_down(&access->read, "READ_TOKEN", error);
}

void access_hide(void)
{
    secret_hide("API_TOKEN");
    secret_hide("READ_TOKEN");
}

static enum right right_for(const char *path)
{
    static const struct {
        const char *path;
        enum right right;
    } pages[] = {{"/predict", RIGHT_READ}, {"/model", RIGHT_READ}, {"/readyz", RIGHT_NONE}};
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (strcmp(path, pages[i].path) == 0)
            return pages[i].right;
    return RIGHT_WRITE;
}

static bool is_guarded(const struct access *access, enum right right)
{
    return (right == RIGHT_READ && access->read.length > 0) ||
           (right == RIGHT_WRITE && access->api.length > 0);
}

/* The token in "Bearer TOKEN", NULL when it is something else. */
static const char *find_token(const char *authorization)
{
    static const char scheme[] = "Bearer";
    size_t length = sizeof scheme - 1;
    if (strncasecmp(authorization, scheme, length) != 0 || authorization[length] != ' ')
        return NULL;
    authorization += length;
    authorization += strspn(authorization, " ");
    return *authorization ? authorization : NULL;
}

static enum right right_of(const struct access *access, const char *token)
{
    size_t length = strlen(token);
    bool api = secret_matches(&access->api, token, length);
    bool read = secret_matches(&access->read, token, length);
    return api ? RIGHT_WRITE : read ? RIGHT_READ : RIGHT_NONE;
}

bool access_check(const struct access *access, const struct request *request, struct error *error)
{
    enum right needed = right_for(request->path);
    if (!is_guarded(access, needed) || strcmp(request->method, "OPTIONS") == 0)
        return true;
    const char *token = find_token(request->authorization);
    if (!token)
        return error_set(error, ERROR_TOKEN,
                         "this page needs a token, in a header \"Authorization: Bearer TOKEN\"");
    enum right right = right_of(access, token);
    if (right >= needed)
        return true;
    if (right == RIGHT_NONE)
        return error_set(error, ERROR_TOKEN, "the token is not valid");
    return error_set(error, ERROR_FORBIDDEN,
                     "the token is for reading only: writing needs API_TOKEN");
}
