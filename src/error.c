#include "error.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 0))) static void
set_text(struct error *error, enum error_kind kind, const char *format, va_list arguments)
{
    error->kind = kind;
    error->detail[0] = '\0';
    vsnprintf(error->text, sizeof error->text, format, arguments);
}

bool error_set(struct error *error, enum error_kind kind, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set_text(error, kind, format, arguments);
    va_end(arguments);
    return false;
}

static enum error_kind kind_of_errno(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EROFS:
    case EFBIG: /* the limit on a file's size (ulimit -f) is as full as a disk */
        return ERROR_FULL;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
        return ERROR_BUSY;
    default:
        return ERROR_SYSTEM;
    }
}

bool error_errno(struct error *error, const char *format, ...)
{
    int number = errno;
    va_list arguments;
    va_start(arguments, format);
    set_text(error, kind_of_errno(number), format, arguments);
    va_end(arguments);
    size_t used = strlen(error->text);
    snprintf(error->text + used, sizeof error->text - used, ": %s", strerror(number));
    return false;
}

void error_add_detail(struct error *error, const char *detail)
{
    size_t length = strlen(detail);
    while (length > 0 && iscntrl((unsigned char)detail[length - 1]))
        length--;
    snprintf(error->detail, sizeof error->detail, " (%.*s)", (int)length, detail);
    for (char *at = error->detail; *at; at++)
        if (iscntrl((unsigned char)*at))
            *at = ' ';
}

bool error_memory(struct error *error)
{
    return error_set(error, ERROR_BUSY, "out of memory");
}

bool error_later(struct error *error)
{
    return error_set(error, ERROR_LATER, "it has not come yet");
}
