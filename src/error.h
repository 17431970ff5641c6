/* Errors as values: what kind of trouble, and one clear sentence for the person who reads it.
 *
 * Every function that can fail for a reason worth telling takes a `struct error *` as its last
 * argument and returns false (or -1, or NULL) after filling it in. Nobody logs on the way up; the
 * outermost caller prints the sentence or turns it into an answer (response.c picks the status). */
#ifndef TRENDLINE_ERROR_H
#define TRENDLINE_ERROR_H

#include <stdbool.h>

enum error_kind {
    ERROR_NONE,
    ERROR_SYNTAX,     /* the input cannot be parsed */
    ERROR_UNUSABLE,   /* it parses, but names an unknown feature, lacks one, is out of range … */
    ERROR_TOKEN,      /* a token is needed, and none came, or another */
    ERROR_FORBIDDEN,  /* the token that came does not allow this */
    ERROR_CONFLICT,   /* it contradicts what is already stored, or nothing is there to work on */
    ERROR_ABSENT,     /* the thing asked for does not exist */
    ERROR_METHOD,     /* the endpoint does not take this HTTP method */
    ERROR_MEDIA_TYPE, /* the body's type is not one we read */
    ERROR_LENGTH,     /* a length is needed and was not given */
    ERROR_TOO_LARGE,  /* over a stated limit */
    ERROR_NOT_READY,  /* no model yet */
    ERROR_BUSY,       /* the lock or the memory could not be had in time; worth another try */
    ERROR_BEHIND,     /* what is stored is still being read; goes on by itself */
    ERROR_FULL,       /* no room on the volume */
    ERROR_LATER,      /* nothing is wrong: what is asked for has not come yet; ask again */
    ERROR_DAMAGED,    /* a stored file is not what was written */
    ERROR_SYSTEM      /* a system call failed for another reason */
};

enum { ERROR_TEXT_MAX = 512, ERROR_DETAIL_MAX = 300 };

struct error {
    enum error_kind kind;
    char text[ERROR_TEXT_MAX];     /* one sentence without a newline, cut if longer */
    char detail[ERROR_DETAIL_MAX]; /* what a log may have behind it, but no client; often "" */
};

/* Fills `error` and returns false, so that `return error_set(…)` reads well. */
bool error_set(struct error *error, enum error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with ": <strerror(errno)>" appended. The kind follows from errno: ENOSPC, EDQUOT,
 * EROFS and EFBIG give ERROR_FULL, ENOMEM, EMFILE and ENFILE give ERROR_BUSY, everything else
 * ERROR_SYSTEM.
 */
bool error_errno(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds what only the log may say, in the words of others: control characters become spaces. */
void error_add_detail(struct error *error, const char *detail);

/* "out of memory" as ERROR_BUSY. */
bool error_memory(struct error *error);

/* ERROR_LATER. It is for who reads something that comes bit by bit, and must not wait: all between
 * the source and the one who asks again keep what they have. */
bool error_later(struct error *error);

#endif
