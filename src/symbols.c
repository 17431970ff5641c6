#include "symbols.h"

#include "utf8.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* Open addressing with linear probing; at most half full. */
struct symbols {
    char **texts; /* NULL: free */
    size_t capacity, count;
    pthread_mutex_t mutex;
};

static struct symbols symbols = {.mutex = PTHREAD_MUTEX_INITIALIZER};

enum { FIRST_CAPACITY = 64, CODE_BITS = 52 };

static double code_of_hash(uint64_t hash)
{
    uint64_t bits = UINT64_C(1023) << CODE_BITS | hash >> (64 - CODE_BITS);
    double code;
    memcpy(&code, &bits, sizeof code);
    return code;
}

double symbol_code(const char *text, size_t length)
{
    return code_of_hash(XXH3_64bits(text, length));
}

static size_t place_of(double code, size_t capacity)
{
    uint64_t bits;
    memcpy(&bits, &code, sizeof bits);
    return bits % capacity;
}

/* Where the text of that code is, or would be. */
static size_t find(char *const *texts, size_t capacity, double code)
{
    size_t place = place_of(code, capacity);
    while (texts[place] && symbol_code(texts[place], strlen(texts[place])) != code)
        place = (place + 1) % capacity;
    return place;
}

typedef bool is_used(void *context, double code);

/* Moves the texts to a place for so many; those that are not used (NULL: all are) are freed. */
static bool move(size_t capacity, is_used *used, void *context)
{
    char **texts = calloc(capacity, sizeof *texts);
    if (!texts)
        return false;
    for (size_t i = 0; i < symbols.capacity; i++) {
        char *text = symbols.texts[i];
        double code = text ? symbol_code(text, strlen(text)) : 0;
        if (text && (!used || used(context, code))) {
            texts[find(texts, capacity, code)] = text;
        } else if (text) {
            free(text);
            symbols.count--;
        }
    }
    free(symbols.texts);
    symbols.texts = texts;
    symbols.capacity = capacity;
    return true;
}

static bool check_text(const char *text, size_t length, struct error *error)
{
    if (length == 0)
        return error_set(error, ERROR_UNUSABLE, "is empty");
    if (length > SYMBOL_LENGTH_MAX)
        return error_set(error, ERROR_UNUSABLE, "is longer than %d bytes", SYMBOL_LENGTH_MAX);
    if (!utf8_valid(text, length))
        return error_set(error, ERROR_UNUSABLE, "is not valid UTF-8");
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            return error_set(error, ERROR_UNUSABLE, "has a control character");
    return true;
}

/* With the mutex held. */
static bool keep(const char *text, size_t length, double code, struct error *error)
{
    size_t more = symbols.capacity ? 2 * symbols.capacity : FIRST_CAPACITY;
    if (2 * (symbols.count + 1) > symbols.capacity && !move(more, NULL, NULL))
        return error_memory(error);
    char **place = &symbols.texts[find(symbols.texts, symbols.capacity, code)];
    if (*place)
        return (strlen(*place) == length && memcmp(*place, text, length) == 0) ||
               error_set(error, ERROR_UNUSABLE, "cannot be told from \"%.100s\"", *place);
    if (symbols.count == SYMBOLS_MAX)
        return error_set(error, ERROR_UNUSABLE, "is one text too many: %d are kept", SYMBOLS_MAX);
    *place = strndup(text, length);
    symbols.count += *place != NULL;
    return *place != NULL || error_memory(error);
}

bool symbol_keep(const char *text, size_t length, double *code, struct error *error)
{
    if (!check_text(text, length, error))
        return false;
    *code = symbol_code(text, length);
    pthread_mutex_lock(&symbols.mutex);
    bool ok = keep(text, length, *code, error);
    pthread_mutex_unlock(&symbols.mutex);
    return ok;
}

const char *symbol_text(double code)
{
    pthread_mutex_lock(&symbols.mutex);
    const char *text =
        symbols.capacity ? symbols.texts[find(symbols.texts, symbols.capacity, code)] : NULL;
    pthread_mutex_unlock(&symbols.mutex);
    return text;
}

size_t symbols_count(void)
{
    pthread_mutex_lock(&symbols.mutex);
    size_t count = symbols.count;
    pthread_mutex_unlock(&symbols.mutex);
    return count;
}

void symbols_forget(bool (*used)(void *context, double code), void *context)
{
    pthread_mutex_lock(&symbols.mutex);
    if (symbols.capacity > 0)
        move(symbols.capacity, used, context);
    pthread_mutex_unlock(&symbols.mutex);
}
