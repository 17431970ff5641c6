#include "number.h"

#include "power10.h"
#include "shortest.h"

#include <endian.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXPONENT_DIGITS_MAX = 15, /* an exponent with more digits is as good as infinite */
    MANTISSA_BITS = 53,
    STRTOD_DIGITS = 780, /* 767 decide about any double, with one more for what follows them */
};

/* Eight bytes less '0' each, the first one lowest. */
static inline uint64_t load_digits(const char *at)
{
    uint64_t bytes;
    memcpy(&bytes, at, sizeof bytes);
    return le64toh(bytes) ^ 0x3030303030303030;
}

/* How many of the eight there are before the first that is no digit. */
static inline unsigned count_digits(uint64_t bytes)
{
    uint64_t others = ((bytes + 0x7676767676767676) | bytes) & 0x8080808080808080;
    return others ? (unsigned)__builtin_ctzll(others) / 8 : 8;
}

/* Eight digits as a number: neighbours are put together to pairs, these to fours, these to eight
 * (Lemire 2018, "Quickly parsing eight digits"). */
static inline uint64_t join_digits(uint64_t digits)
{
    const uint64_t mask = 0x000000FF000000FF;
    uint64_t pairs = digits * 10 + (digits >> 8);
    return ((pairs & mask) * (100 + (UINT64_C(1000000) << 32)) +
            (pairs >> 16 & mask) * (1 + (UINT64_C(10000) << 32))) >>
           32;
}

/* `*value` becomes that of its digits with those from `at` behind them, modulo 2^64. */
static inline const char *skip_digits(const char *at, const char *end, uint64_t *value)
{
    static const uint32_t powers[] = {1,      10,      100,      1000,     10000,
                                      100000, 1000000, 10000000, 100000000};
    while (end - at >= 8) {
        uint64_t bytes = load_digits(at);
        unsigned count = count_digits(bytes);
        if (count) /* zeros come in front */
            *value = *value * powers[count] + join_digits(bytes << (64 - 8 * count));
        at += count;
        if (count < 8)
            return at;
    }
    for (; at < end && (unsigned char)(*at - '0') < 10; at++)
        *value = *value * 10 + (unsigned char)(*at - '0');
    return at;
}

/* Reads "[+-]digits" from `at`; NULL if no digit is there. */
static const char *scan_exponent(const char *at, const char *end, int64_t *exponent)
{
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    const char *first = at;
    while (at < end && *at == '0')
        at++;
    const char *significant = at;
    uint64_t value = 0;
    at = skip_digits(at, end, &value);
    if (at == first)
        return NULL;
    if (at - significant > EXPONENT_DIGITS_MAX)
        value = 1000000000000000;
    *exponent = negative ? -(int64_t)value : (int64_t)value;
    return at;
}

/* Returns the number's end; NULL if there is none. */
static inline const char *scan(const char *at, const char *end, struct decimal *decimal)
{
    char sign = at < end ? *at : '\0';
    decimal->negative = sign == '-';
    at += (sign == '-') | (sign == '+'); /* a branch would be taken at random */
    decimal->first = at;
    decimal->mantissa = 0;
    at = skip_digits(at, end, &decimal->mantissa);
    size_t digits = (size_t)(at - decimal->first), fraction = 0;
    if (at < end && *at == '.') {
        const char *point = at++;
        at = skip_digits(at, end, &decimal->mantissa);
        fraction = (size_t)(at - point) - 1;
    }
    decimal->end = at;
    decimal->digits = digits + fraction;
    decimal->exponent = 0;
    if (at < end && (*at == 'e' || *at == 'E'))
        at = scan_exponent(at + 1, end, &decimal->exponent);
    decimal->exponent -= (int64_t)fraction;
    return decimal->digits ? at : NULL;
}

bool number_scan(const char *text, size_t length, struct decimal *decimal)
{
    const char *end = scan(text, text + length, decimal);
    return end && end == text + length;
}

/* Clinger 1990, "How to read floating point numbers accurately": mantissa and power of ten are
 * exact doubles, so the one operation rounds correctly. */
static bool read_small(const struct decimal *decimal, double *value)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (decimal->mantissa >> MANTISSA_BITS || decimal->exponent < -22 || decimal->exponent > 22)
        return false;
    double mantissa = (double)decimal->mantissa;
    *value = decimal->exponent < 0 ? mantissa / powers[-decimal->exponent]
                                   : mantissa * powers[decimal->exponent];
    return true;
}

/* A value from product · 2^exponent up to, but not including, (product + 4) · 2^exponent. */
struct approximation {
    uint128 product; /* the highest bit is set */
    int exponent;
};

/* After Lemire 2021, "Number parsing at a gigabyte per second": the mantissa times the leading 128
 * bits of the power of ten. Cutting the power and cutting the product lose less than 1 each. */
static struct approximation multiply(const struct decimal *decimal)
{
    int exponent10 = (int)decimal->exponent, shift = __builtin_clzll(decimal->mantissa);
    uint128 mantissa = decimal->mantissa << shift, power = power10(exponent10);
    uint128 product = mantissa * (uint64_t)(power >> 64) + ((mantissa * (uint64_t)power) >> 64);
    int exponent = power10_log2(exponent10) - 63 - shift;
    if (product >> 127)
        return (struct approximation){product, exponent};
    return (struct approximation){product << 1, exponent - 1};
}

/* False when the error may decide about the rounding, and outside the range of normal doubles. */
static bool round_to_double(struct approximation from, double *value)
{
    const int dropped = 128 - MANTISSA_BITS;
    const uint128 half = (uint128)1 << (dropped - 1);
    uint128 rest = from.product & (2 * half - 1);
    int biased = from.exponent + dropped + 1075;
    if ((rest <= half && rest + 4 > half) || biased < 1 || biased > 2045)
        return false;
    /* the mantissa's first bit adds 1 to the exponent, and so does rounding up to 2^53 */
    uint64_t mantissa = (uint64_t)(from.product >> dropped) + (rest > half);
    uint64_t bits = ((uint64_t)(biased - 1) << (MANTISSA_BITS - 1)) + mantissa;
    memcpy(value, &bits, sizeof bits);
    return true;
}

static bool read_product(const struct decimal *decimal, double *value)
{
    if (!decimal->mantissa || decimal->exponent < -330 || decimal->exponent > 308)
        return false;
    return round_to_double(multiply(decimal), value);
}

/* Writes the significant digits, at most STRTOD_DIGITS of them, then a 1 in place of the rest
 * unless that is all zeros. `*exponent` becomes that of the last digit written. Returns the end. */
static char *copy_digits(const struct decimal *decimal, char *out, int64_t *exponent)
{
    size_t following = decimal->digits, copied = 0;
    bool more = false;
    *exponent = 0;
    for (const char *at = decimal->first; at < decimal->end; at++) {
        if (*at == '.')
            continue;
        following--;
        if (*at == '0' && copied == 0)
            continue;
        if (copied < STRTOD_DIGITS) {
            out[copied++] = *at;
            *exponent = decimal->exponent + (int64_t)following;
        } else if (*at != '0') {
            more = true;
        }
    }
    if (more) {
        out[copied++] = '1';
        --*exponent;
    }
    return out + copied;
}

/* Everything that is long, tiny, huge or close to the middle of two doubles. strtod gets a text
 * without a point, so the locale does not matter. */
static double read_any(const struct decimal *decimal)
{
    char text[STRTOD_DIGITS + 32];
    int64_t exponent;
    text[0] = '0';
    char *end = copy_digits(decimal, text + 1, &exponent);
    if (exponent > 9999)
        exponent = 9999;
    if (exponent < -9999)
        exponent = -9999;
    snprintf(end, (size_t)(text + sizeof text - end), "e%d", (int)exponent);
    return strtod(text, NULL);
}

const char *number_read(const char *text, const char *end, double *value)
{
    enum { DIGITS_IN_64_BITS = 19 };
    struct decimal decimal;
    double magnitude;
    const char *stop = scan(text, end, &decimal);
    if (!stop)
        return NULL;
    bool exact = decimal.digits <= DIGITS_IN_64_BITS;
    if (!(exact && (read_small(&decimal, &magnitude) || read_product(&decimal, &magnitude))))
        magnitude = read_any(&decimal);
    if (isinf(magnitude))
        return NULL;
    *value = magnitude * (1 - 2 * decimal.negative);
    return stop;
}

enum number_result number_parse(const char *text, size_t length, double *value)
{
    struct decimal ignored;
    const char *stop = number_read(text, text + length, value);
    if (stop && stop == text + length)
        return NUMBER_OK;
    return number_scan(text, length, &ignored) ? NUMBER_TOO_LARGE : NUMBER_INVALID;
}

/* Writes the decimal digits of `digits`, without a leading zero; returns how many. Two at a time,
 * as the divisions are most of the work. */
static size_t write_digits(uint64_t digits, char *out)
{
    static const char pairs[] = "0001020304050607080910111213141516171819"
                                "2021222324252627282930313233343536373839"
                                "4041424344454647484950515253545556575859"
                                "6061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    char text[20], *end = text + sizeof text, *at = end;
    for (; digits >= 10; digits /= 100) {
        at -= 2;
        memcpy(at, pairs + digits % 100 * 2, 2);
    }
    if (digits || at == end)
        *--at = (char)('0' + digits);
    memcpy(out, at, (size_t)(end - at));
    return (size_t)(end - at);
}

static char *write_text(char *out, const char *text, size_t length)
{
    return (char *)memcpy(out, text, length) + length;
}

static char *write_zeros(char *out, size_t count)
{
    return (char *)memset(out, '0', count) + count;
}

/* d.ddde±x */
static char *write_scientific(char *out, const char *digits, size_t count, int exponent)
{
    *out++ = digits[0];
    if (count > 1) {
        *out++ = '.';
        out = write_text(out, digits + 1, count - 1);
    }
    *out++ = 'e';
    *out++ = exponent < 0 ? '-' : '+';
    return out + write_digits((uint64_t)abs(exponent), out);
}

/* ECMAScript 2024, 6.1.6.1.20 Number::toString: `point` is its n, `count` its k. */
static char *write_layout(char *out, const char *digits, size_t count, int point)
{
    if (point > 21 || point <= -6)
        return write_scientific(out, digits, count, point - 1);
    if (point <= 0) {
        out = write_zeros(write_text(out, "0.", 2), (size_t)-point);
        return write_text(out, digits, count);
    }
    size_t whole = (size_t)point;
    if (count <= whole)
        return write_zeros(write_text(out, digits, count), whole - count);
    out = write_text(out, digits, whole);
    *out++ = '.';
    return write_text(out, digits + whole, count - whole);
}

size_t number_format(double value, char text[static NUMBER_TEXT_MAX])
{
    const double whole_max = 9007199254740992; /* 2^53 */
    char *out = text;
    if (signbit(value))
        *out++ = '-';
    double magnitude = fabs(value);
    if (magnitude < whole_max && magnitude == (double)(uint64_t)magnitude) {
        out += write_digits((uint64_t)magnitude, out);
    } else {
        char digits[20];
        struct shortest decimal = shortest_decimal(magnitude);
        size_t count = write_digits(decimal.digits, digits);
        out = write_layout(out, digits, count, (int)count + decimal.exponent);
    }
    *out = '\0';
    return (size_t)(out - text);
}
