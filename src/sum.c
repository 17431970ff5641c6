#include "sum.h"

#include "decimal_sum.h"
#include "file.h"
#include "number.h"
#include "progress.h"
#include "quote.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUT_NAME  "input.txt"
#define OUTPUT_NAME "output.txt"

enum {
    TOKEN_MAX = 256 << 10, /* and the buffer's size */
    WHOLE_BITS_MAX = 128,
};

/* A file on its way into tokens: what stands between white space. */
struct tokens {
    int file;
    char *data; /* TOKEN_MAX bytes; what has been read and not yet passed on is [start, end) */
    size_t start, end;
    uint64_t line, bytes; /* number of the line at `start`; bytes read */
    bool exhausted;
};

static bool tokens_fill(struct tokens *tokens, struct error *error)
{
    memmove(tokens->data, tokens->data + tokens->start, tokens->end - tokens->start);
    tokens->end -= tokens->start;
    tokens->start = 0;
    if (tokens->end == TOKEN_MAX)
        return error_set(error, ERROR_TOO_LARGE, INPUT_NAME ":%llu: a number of more than %d bytes",
                         (unsigned long long)tokens->line, TOKEN_MAX);
    ssize_t got;
    do
        got = read(tokens->file, tokens->data + tokens->end, TOKEN_MAX - tokens->end);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return error_errno(error, "cannot read " INPUT_NAME);
    tokens->end += (size_t)got;
    tokens->bytes += (uint64_t)got;
    tokens->exhausted = got == 0;
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void skip_space(struct tokens *tokens)
{
    for (; tokens->start < tokens->end && is_space(tokens->data[tokens->start]); tokens->start++)
        tokens->line += tokens->data[tokens->start] == '\n';
}

/* Points `*token` at the next token, which lasts until the next call; its length is 0 at the end of
 * the file. */
static bool tokens_next(struct tokens *tokens, const char **token, size_t *length,
                        struct error *error)
{
    for (size_t searched = 0;;) {
        if (searched == 0)
            skip_space(tokens);
        *token = tokens->data + tokens->start;
        size_t available = tokens->end - tokens->start;
        while (searched < available && !is_space((*token)[searched]))
            searched++;
        *length = searched;
        if (searched < available || tokens->exhausted)
            break;
        if (!tokens_fill(tokens, error))
            return false;
    }
    tokens->start += *length;
    return true;
}

static bool skip_byte_order_mark(struct tokens *tokens, struct error *error)
{
    static const char mark[] = {'\xEF', '\xBB', '\xBF'};
    while (tokens->end < sizeof mark && !tokens->exhausted)
        if (!tokens_fill(tokens, error))
            return false;
    if (tokens->end >= sizeof mark && memcmp(tokens->data, mark, sizeof mark) == 0)
        tokens->start = sizeof mark;
    return true;
}

/* NULL, or what is wrong with the token. */
static const char *add_token(struct decimal_sum *sum, const char *token, size_t length)
{
    enum { SAFE_EXPONENT = 308 }; /* 10^308 is a double */
    struct decimal number;
    double ignored;
    if (!number_scan(token, length, &number))
        return "is not a number";
    if (number.exponent + (int64_t)number.digits > SAFE_EXPONENT &&
        number_parse(token, length, &ignored) != NUMBER_OK)
        return "is out of the range of doubles";
    return decimal_sum_add(sum, &number) ? NULL : "has digits behind the 1100th decimal place";
}

static bool token_error(const struct tokens *tokens, const char *token, size_t length,
                        const char *fault, struct error *error)
{
    char quoted[QUOTE_MAX];
    return error_set(error, ERROR_SYNTAX, INPUT_NAME ":%llu: %s %s",
                     (unsigned long long)tokens->line, quote(quoted, token, length), fault);
}

static bool add_tokens(struct tokens *tokens, struct decimal_sum *sum, struct progress *progress,
                       struct error *error)
{
    const char *token;
    size_t length;
    if (!skip_byte_order_mark(tokens, error))
        return false;
    while (tokens_next(tokens, &token, &length, error)) {
        if (length == 0)
            return true;
        const char *fault = add_token(sum, token, length);
        if (fault)
            return token_error(tokens, token, length, fault, error);
        progress_update(progress, tokens->bytes);
    }
    return false;
}

static bool add_file(const char *path, struct decimal_sum *sum, struct error *error)
{
    struct progress progress;
    struct tokens tokens = {.line = 1, .data = malloc(TOKEN_MAX)};
    if (!tokens.data)
        return error_memory(error);
    tokens.file = open(path, O_RDONLY | O_CLOEXEC);
    bool added = false;
    if (tokens.file < 0) {
        error_errno(error, "cannot open %s", path);
    } else {
        progress_begin(&progress, INPUT_NAME, path);
        added = add_tokens(&tokens, sum, &progress, error);
        progress_end(&progress);
        close(tokens.file);
    }
    free(tokens.data);
    return added;
}

/* total · 10^DECIMAL_SUM_MIN as the nearest double. */
static bool put_rounded(const mpz_t total, struct buffer *out, struct error *error)
{
    double value;
    size_t room = mpz_sizeinbase(total, 10) + 32;
    char *digits = buffer_reserve(out, room);
    if (!digits)
        return error_memory(error);
    mpz_get_str(digits, 10, total);
    size_t length = strlen(digits);
    length += (size_t)snprintf(digits + length, room - length, "e%d", DECIMAL_SUM_MIN);
    if (number_parse(digits, length, &value) != NUMBER_OK)
        return error_set(error, ERROR_UNUSABLE,
                         INPUT_NAME ": the sum is out of the range of doubles");
    char text[NUMBER_TEXT_MAX];
    number_format(value == 0 ? 0 : value, text); /* never -0 */
    buffer_puts(out, text);
    return true;
}

/* total · 10^DECIMAL_SUM_MIN, a whole number, in full; false if it is too long for that. */
static bool put_whole(const mpz_t total, struct buffer *out)
{
    mpz_t whole;
    mpz_init(whole);
    mpz_ui_pow_ui(whole, 10, -DECIMAL_SUM_MIN);
    mpz_divexact(whole, total, whole);
    bool fits = mpz_sizeinbase(whole, 2) <= WHOLE_BITS_MAX;
    if (fits) {
        char text[64]; /* 2^128 has 39 digits */
        buffer_puts(out, mpz_get_str(text, 10, whole));
    }
    mpz_clear(whole);
    return fits;
}

static bool put_sum(const struct decimal_sum *sum, struct buffer *out, struct error *error)
{
    mpz_t total;
    mpz_init(total);
    decimal_sum_total(sum, total);
    bool put = (sum->whole && put_whole(total, out)) || put_rounded(total, out, error);
    mpz_clear(total);
    buffer_puts(out, "\n");
    return put && (!out->failed || error_memory(error));
}

bool sum_run(const char *directory, struct error *error)
{
    char input[PATH_MAX], output[PATH_MAX];
    struct decimal_sum sum;
    struct buffer text = {0};
    if (snprintf(input, sizeof input, "%s/" INPUT_NAME, directory) >= PATH_MAX ||
        snprintf(output, sizeof output, "%s/" OUTPUT_NAME, directory) >= PATH_MAX)
        return error_set(error, ERROR_UNUSABLE, "the path is too long: %.100s…", directory);
    decimal_sum_begin(&sum);
    bool done = add_file(input, &sum, error) && put_sum(&sum, &text, error) &&
                file_replace(output, text.data, text.length, true, error);
    buffer_free(&text);
    return done;
}
