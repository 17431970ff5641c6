/* Numbers: the input is the text of one, and its first eight bytes are a double. */
#include "fuzz.h"
#include "number.h"

#include <ctype.h>

static size_t digits(const char **at, const char *end)
{
    const char *start = *at;
    while (*at < end && isdigit((unsigned char)**at))
        ++*at;
    return (size_t)(*at - start);
}

/* number.h's grammar, once more. */
static bool is_number(const char *at, const char *end)
{
    at += at < end && strchr("+-", *at) && *at;
    size_t mantissa = digits(&at, end);
    if (at < end && *at == '.') {
        at++;
        mantissa += digits(&at, end);
    }
    if (mantissa > 0 && at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && strchr("+-", *at) && *at;
        if (digits(&at, end) == 0)
            return false;
    }
    return mantissa > 0 && at == end;
}

static void check_parse(const char *data, size_t size)
{
    double value = NAN;
    enum number_result result = number_parse(data, size, &value);
    WANT((result != NUMBER_INVALID) == is_number(data, data + size));
    if (result == NUMBER_INVALID)
        return;
    char *text = strndup(data, size);
    double wanted = strtod(text, NULL);
    WANT(result == NUMBER_TOO_LARGE ? isinf(wanted) : same_double(value, wanted));
    free(text);
}

/* With how few significant digits the nearest decimal reads back as the same double. (A power of
 * two has nearer neighbours below than above, so that one further away may need fewer.) */
static int fewest_digits(double value)
{
    char text[64];
    int count = 1;
    while (snprintf(text, sizeof text, "%.*e", count - 1, value),
           !same_double(strtod(text, NULL), value))
        count++;
    return count;
}

/* The digits of a written number without the zeros that only say where the point is. */
static int count_digits(const char *text)
{
    int count = 0, zeros = 0;
    for (; *text && *text != 'e'; text++) {
        if (!isdigit((unsigned char)*text) || (*text == '0' && count == 0))
            continue;
        zeros = *text == '0' ? zeros + 1 : 0;
        count++;
    }
    return count > zeros ? count - zeros : 1;
}

static void check_format(double value)
{
    char text[NUMBER_TEXT_MAX];
    double back;
    size_t length = number_format(value, text);
    WANT(length == strlen(text) && length < sizeof text);
    WANT(number_parse(text, length, &back) == NUMBER_OK && same_double(back, value));
    /* a whole number below 2^53 stands as it is, which may take more digits than it needs */
    if (fabs(value) >= 0x1p53 || value != rint(value))
        WANT(count_digits(text) <= fewest_digits(value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    double value;
    check_parse((const char *)data, size);
    if (size < sizeof value)
        return 0;
    memcpy(&value, data, sizeof value);
    if (isfinite(value))
        check_format(value);
    return 0;
}
