#include "check.h"
#include "number.h"
#include "power10.h"

#include <float.h>
#include <gmp.h>
#include <math.h>
#include <stdlib.h>

static double parsed(const char *text)
{
    double value = NAN;
    enum number_result result = number_parse(text, strlen(text), &value);
    CHECK(result == NUMBER_OK, "\"%s\" gives %d", text, result);
    return value;
}

static void test_parse_valid(void)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "+0",
        "1",
        "-1",
        "+1",
        "00012",
        "1.5",
        ".5",
        "5.",
        "-.5",
        "+5.",
        "1e5",
        "1E5",
        "1e+5",
        "1e-5",
        "1.e5",
        ".1e1",
        "0.1",
        "0.2",
        "0.3",
        "123456789012345678",
        "1234567890123456789",
        "9999999999999999999",
        "12345678901234567890",
        "0.1e-6",
        "1e22",
        "1e23",
        "9007199254740991",
        "9007199254740992",
        "9007199254740993",
        "9007199254740995",
        "9007199254740993.0000000000000000000000001",
        "4503599627370497.5",
        "4503599627370498.5",
        "1e308",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "-1.7976931348623157e308",
        "1.797693134862315807e308",
        "17976931348623157e292",
        "179769313486231580793e288",
        "2.2250738585072014e-308",
        "2.2250738585072011e-308",
        "2.225073858507201e-308",
        "5e-324",
        "4.94e-324",
        "3e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "1e-400",
        "-1e-400",
        "1e-99999999999",
        "0e99999999999999999999",
        "-0e999",
        "1e-000000000000000000000005",
        "1e0000000000000000005",
        "0.000000000000000000000000000000000000000000000000000000000000012345",
        "8.5e-7",
        "6.02e23",
        "100000000000000000000000000000000000000000000000000000e-40",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CHECK_DOUBLE(strtod(texts[i], NULL), parsed(texts[i]));
    CHECK_DOUBLE(-0.0, parsed("-0"));
}

static void test_parse_invalid(void)
{
    static const char *const texts[] = {
        "",      "+",     "-",   ".",   "-.",    "e5",   ".e5",      "1e",    "1e+",  "1e-",
        "1e+-1", "--1",   "+-1", "1 ",  " 1",    "1x",   "x1",       "1.2.3", "..1",  "1,5",
        "0x10",  "0x1p3", "nan", "NaN", "inf",   "-inf", "infinity", "1e5.5", "1e 5", "1_000",
        "1'000", "١",     "1d5", "1f",  "1e5e5", "\t1",  "1\n",      "- 1",   "1:",   "/1",
    };
    double value;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CHECK(number_parse(texts[i], strlen(texts[i]), &value) == NUMBER_INVALID, "\"%s\"",
              texts[i]);
    CHECK(number_parse("1\0002", 3, &value) == NUMBER_INVALID, "a NUL byte inside");
    CHECK(number_parse("123", 2, &value) == NUMBER_OK && value == 12, "reads over the length");
}

/* A number is read as far as it goes, wherever it ends among eight bytes, and nothing behind `end`
 * is looked at: under the address sanitizer that would show. */
static void test_read(void)
{
    static const char *const numbers[] = {
        "7",          "-1234567", "12345678",  "+123456789.5",
        "0.12345678", "-.5e-3",   "987654321", "1234567890123456.789",
        "5."};
    static const char *const tails[] = {"",         "\t",       "\n8",    ",123456789",
                                        ":5555555", "/0000000", "\xB1 1", "-1234567"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        for (size_t j = 0; j < sizeof tails / sizeof *tails; j++) {
            size_t length = strlen(numbers[i]), all = length + strlen(tails[j]);
            char *text = malloc(all);
            memcpy(text, numbers[i], length);
            memcpy(text + length, tails[j], all - length);
            double value = NAN;
            CHECK(number_read(text, text + all, &value) == text + length, "\"%s\" and \"%s\"",
                  numbers[i], tails[j]);
            CHECK_DOUBLE(strtod(numbers[i], NULL), value);
            free(text);
        }
    static const char *const none[] = {"", "-", "x1", "1e", "1ex", ".", "1e999 1"};
    double value;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        CHECK(!number_read(none[i], none[i] + strlen(none[i]), &value), "\"%s\"", none[i]);
}

/* All lengths of digits before and behind the point. */
static void test_read_digits(void)
{
    static const char digits[] = "9180273645546372819009";
    char text[64];
    for (int whole = 0; whole <= 22; whole++)
        for (int fraction = 0; fraction <= 22; fraction++) {
            if (whole + fraction == 0)
                continue;
            snprintf(text, sizeof text, "%.*s.%.*s", whole, digits, fraction, digits);
            CHECK_DOUBLE(strtod(text, NULL), parsed(text));
        }
}

static void test_parse_too_large(void)
{
    static const char *const texts[] = {
        "1e309",  "-1e309", "1.7976931348623159e308",    "1e99999999999999999999",
        "18e307", "2e308",  "179769313486231580794e288",
    };
    double value;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CHECK_INT(NUMBER_TOO_LARGE, number_parse(texts[i], strlen(texts[i]), &value));
}

/* Digits far beyond what any buffer holds still decide about a tie. */
static void test_parse_long(void)
{
    enum { LENGTH = 2000000 };
    char *text = malloc(LENGTH + 8);
    memset(text, '0', LENGTH);
    memcpy(text, "9007199254740993.", 17);
    text[LENGTH] = '\0';
    CHECK_DOUBLE(9007199254740992.0, parsed(text));
    text[LENGTH - 1] = '1';
    CHECK_DOUBLE(9007199254740994.0, parsed(text));

    memset(text, '0', LENGTH);
    memcpy(text + LENGTH, "e-1999", 7);
    text[0] = '1'; /* 10^(2000000 - 1), less 1999 places: too large */
    double value;
    CHECK_INT(NUMBER_TOO_LARGE, number_parse(text, LENGTH + 6, &value));
    text[0] = '.';
    text[LENGTH - 1] = '7';
    memcpy(text + LENGTH, "e2000000", 8);
    CHECK(number_parse(text, LENGTH + 8, &value) == NUMBER_OK && value == 70, "got %g", value);
    free(text);
}

/* The middles of two doubles with the most digits there are: only the last of 750 decides. */
static void test_parse_middle(void)
{
    char text[1200];
    for (int odd = 1; odd < 2000; odd += 2) {
        double below = (odd - 1) / 2 * 0x1p-1074, above = below + 0x1p-1074;
        snprintf(text, sizeof text, "%.760Le", odd * 0x1p-1075L);
        CHECK_DOUBLE(odd % 4 == 1 ? below : above, parsed(text));
        char *last = strchr(text, 'e') - 1;
        *last = '1';
        CHECK_DOUBLE(above, parsed(text));
        while (*--last == '0')
            *last = '9';
        --*last;
        CHECK_DOUBLE(below, parsed(text));
    }
}

/* xorshift64* (Vigna 2016) */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 2685821657736338717U;
}

static void test_parse_random(void)
{
    uint64_t state = 12345;
    char text[64];
    int wrong = 0;
    for (int i = 0; i < 400000; i++) {
        uint64_t mantissa = next_random(&state) >> (next_random(&state) % 64);
        int exponent = (int)(next_random(&state) % 700) - 360;
        snprintf(text, sizeof text, "%" PRIu64 "e%d", mantissa, exponent);
        double wants = strtod(text, NULL), value = INFINITY;
        enum number_result result = number_parse(text, strlen(text), &value);
        wrong += (result == NUMBER_TOO_LARGE) != isinf(wants) || value != wants;
    }
    CHECK_INT(0, wrong);
}

static const char *formatted(double value)
{
    static char text[NUMBER_TEXT_MAX];
    size_t length = number_format(value, text);
    CHECK_INT(strlen(text), length);
    return text;
}

static void test_format_layout(void)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-1, "-1"},
        {7.5, "7.5"},
        {-0.1, "-0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {100, "100"},
        {123456.789, "123456.789"},
        {1e20, "100000000000000000000"},
        {1e21, "1e+21"},
        {123456789012345680000.0, "123456789012345680000"},
        {1.2345678901234568e21, "1.2345678901234568e+21"},
        {9007199254740991, "9007199254740991"},
        {9007199254740992, "9007199254740992"},
        {9007199254740994, "9007199254740994"},
        {1e23, "1e+23"},
        {0.001, "0.001"},
        {0.000001, "0.000001"},
        {0.0000001, "1e-7"},
        {0.00000123, "0.00000123"},
        {0.000000123, "1.23e-7"},
        {5e-324, "5e-324"},
        {1e-323, "1e-323"},
        {DBL_MIN, "2.2250738585072014e-308"},
        {2.225073858507201e-308, "2.225073858507201e-308"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {-DBL_MAX, "-1.7976931348623157e+308"},
        {1e308, "1e+308"},
        /* the last of RFC 8785, appendix B */
        {1424953923781206.2, "1424953923781206.2"},
        {333333333.33333329, "333333333.3333333"},
        {-0.0000033333333333333333, "-0.0000033333333333333333"},
        {9.5367431640625e-7, "9.5367431640625e-7"},
        {295147905179352830000.0, "295147905179352830000"},
        {2e-44, "2e-44"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_STRING(cases[i].text, formatted(cases[i].value));
}

/* Digits and exponent of a number's text, whatever its layout: "0.00120" is 12 and -4. */
static void take_apart(const char *text, uint64_t *digits, int *exponent)
{
    int zeros = 0, fraction = 0;
    bool behind_point = false;
    *digits = 0;
    for (; *text && *text != 'e'; text++) {
        behind_point |= *text == '.';
        if (*text < '0' || *text > '9')
            continue;
        fraction += behind_point;
        zeros++;
        if (*text == '0')
            continue;
        for (; zeros; zeros--)
            *digits *= 10;
        *digits += (uint64_t)(*text - '0');
    }
    *exponent = zeros - fraction + (*text == 'e' ? atoi(text + 1) : 0);
}

static bool reads_back(uint64_t digits, int exponent, double value)
{
    char text[64];
    snprintf(text, sizeof text, "%" PRIu64 "e%d", digits, exponent);
    return strtod(text, NULL) == value;
}

/* The oracle: printf's correctly rounded text with as few digits as read back. At a power of two
 * the gap below is narrower, so that the nearest may not read back while the one above does. Of 15
 * digits at most none are lost in a normal double, so that nothing shorter need be tried there. */
static void oracle(double value, uint64_t *digits, int *exponent)
{
    char text[64];
    for (int count = value < DBL_MIN ? 1 : DBL_DIG;; count++) {
        snprintf(text, sizeof text, "%.*e", count - 1, value);
        *exponent = atoi(strchr(text, 'e') + 1) - (count - 1);
        *digits = (uint64_t)(text[0] - '0');
        for (const char *at = text + 2; count > 1 && *at != 'e'; at++)
            *digits = *digits * 10 + (uint64_t)(*at - '0');
        if (reads_back(*digits, *exponent, value))
            return;
        ++*digits;
        if (reads_back(*digits, *exponent, value))
            return;
    }
}

static bool is_shortest(double value)
{
    char text[NUMBER_TEXT_MAX];
    uint64_t wants_digits, got_digits;
    int wants_exponent, got_exponent;
    number_format(value, text);
    oracle(value, &wants_digits, &wants_exponent);
    for (; wants_digits % 10 == 0; wants_digits /= 10)
        wants_exponent++;
    take_apart(text, &got_digits, &got_exponent);
    if (wants_digits == got_digits && wants_exponent == got_exponent && strtod(text, NULL) == value)
        return true;
    return CHECK(false, "wants %" PRIu64 "e%d, got %s", wants_digits, wants_exponent, text);
}

static double from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The value and its neighbours, unless that leaves the positive finite doubles. */
static void check_shortest_around(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (int step = -2; step <= 2; step++) {
        double near = from_bits(bits + (uint64_t)step);
        if (near > 0 && isfinite(near))
            CHECK(is_shortest(near), "around %.17g", value);
    }
}

static void test_format_shortest(void)
{
    char text[32];
    for (int exponent = -1074; exponent <= 1023; exponent++)
        check_shortest_around(ldexp(1, exponent));
    for (int exponent = -323; exponent <= 308; exponent++) {
        for (int digit = 1; digit <= 9; digit++) {
            snprintf(text, sizeof text, "%de%d", digit, exponent);
            check_shortest_around(strtod(text, NULL));
        }
    }
    for (uint64_t bits = 1; bits < 2000; bits++)
        CHECK(is_shortest(from_bits(bits)), "subnormal %" PRIu64, bits);
    CHECK(is_shortest(DBL_MAX), "the largest");
}

static void test_format_random(void)
{
    uint64_t state = 2026;
    int wrong = 0, unread = 0;
    char text[NUMBER_TEXT_MAX];
    for (int i = 0; i < 200000; i++) {
        double value = fabs(from_bits(next_random(&state)));
        if (value > 0 && isfinite(value))
            wrong += !is_shortest(value);
    }
    for (int i = 0; i < 2000000; i++) {
        double value = from_bits(next_random(&state)), back = NAN;
        if (!isfinite(value))
            continue;
        size_t length = number_format(value, text);
        unread += number_parse(text, length, &back) != NUMBER_OK || back != value;
    }
    CHECK_INT(0, wrong);
    CHECK_INT(0, unread);
}

/* Two decimals, as people's data have them. */
static void test_format_decimal(void)
{
    char wants[32];
    for (int i = 1; i < 100000; i += 7) {
        snprintf(wants, sizeof wants, "%d.%d%d", i / 100, i / 10 % 10, i % 10);
        for (size_t end = strlen(wants); wants[end - 1] == '0' || wants[end - 1] == '.'; end--) {
            bool point = wants[end - 1] == '.';
            wants[end - 1] = '\0';
            if (point)
                break;
        }
        CHECK_STRING(wants, formatted(i / 100.0));
    }
}

/* floor(10^exponent · 2^shift) */
static void exact_power10(int exponent, int shift, mpz_t out)
{
    mpz_t divisor;
    mpz_init_set_ui(divisor, 1);
    mpz_set_ui(out, 1);
    if (exponent >= 0)
        mpz_ui_pow_ui(out, 10, (unsigned long)exponent);
    else
        mpz_ui_pow_ui(divisor, 10, (unsigned long)-exponent);
    if (shift >= 0)
        mpz_mul_2exp(out, out, (mp_bitcnt_t)shift);
    else
        mpz_mul_2exp(divisor, divisor, (mp_bitcnt_t)-shift);
    mpz_fdiv_q(out, out, divisor);
    mpz_clear(divisor);
}

static void test_power10(void)
{
    mpz_t wants, got;
    mpz_inits(wants, got, NULL);
    for (int exponent = POWER10_MIN; exponent <= POWER10_MAX; exponent++) {
        uint128 power = power10(exponent);
        mpz_set_ui(got, (uint64_t)(power >> 64));
        mpz_mul_2exp(got, got, 64);
        mpz_add_ui(got, got, (uint64_t)power);
        exact_power10(exponent, 127 - power10_log2(exponent), wants);
        CHECK(mpz_cmp(wants, got) == 0, "10^%d", exponent);
    }
    mpz_clears(wants, got, NULL);
}

int main(void)
{
    test_parse_valid();
    test_parse_invalid();
    test_read();
    test_read_digits();
    test_parse_too_large();
    test_parse_long();
    test_parse_middle();
    test_parse_random();
    test_power10();
    test_format_layout();
    test_format_shortest();
    test_format_random();
    test_format_decimal();
    return check_report("test_number");
}
