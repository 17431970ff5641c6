#include "check.h"
#include "decimal_sum.h"

#include <stdio.h>
#include <stdlib.h>

/* The oracle for one number: its digits · 10^(exponent - DECIMAL_SUM_MIN). */
static void add_digits(mpz_t total, const char *digits, long exponent)
{
    mpz_t number, power;
    mpz_init_set_str(number, digits, 10);
    mpz_init(power);
    mpz_ui_pow_ui(power, 10, (unsigned long)(exponent - DECIMAL_SUM_MIN));
    mpz_addmul(total, number, power);
    mpz_clears(number, power, NULL);
}

static bool add_text(struct decimal_sum *sum, const char *text)
{
    struct decimal number;
    CHECK(number_scan(text, strlen(text), &number), "%s", text);
    return decimal_sum_add(sum, &number);
}

/* Numbers of 1 to 120 digits, with a point anywhere, below 1e301. */
static void random_number(char *digits, char *text, long *exponent)
{
    long length = 1 + random() % (random() % 4 ? 18 : 120), point = random() % (length + 1);
    *exponent = random() % 1270 - 1090;
    char *out = digits;
    if (random() % 2)
        *out++ = '-';
    for (long i = 0; i < length; i++)
        *out++ = (char)('0' + (random() % 3 ? random() % 10 : 0));
    *out = '\0';
    long sign = digits[0] == '-';
    sprintf(text, "%.*s.%se%ld", (int)(sign + point), digits, digits + sign + point,
            *exponent + length - point);
}

static void test_random(void)
{
    static struct decimal_sum sum;
    char digits[128], text[160];
    mpz_t wants, got;
    mpz_inits(wants, got, NULL);
    decimal_sum_begin(&sum);
    for (int i = 0; i < 3000; i++) {
        long exponent;
        random_number(digits, text, &exponent);
        CHECK(add_text(&sum, text), "%s", text);
        add_digits(wants, digits, exponent);
        decimal_sum_total(&sum, got);
        if (!CHECK(mpz_cmp(wants, got) == 0, "after %s", text))
            break;
    }
    mpz_clears(wants, got, NULL);
}

/* Far more in one part than 64 bits hold. */
static void test_carry(void)
{
    static struct decimal_sum sum;
    enum { TIMES = 100000 };
    mpz_t wants, got;
    mpz_inits(wants, got, NULL);
    decimal_sum_begin(&sum);
    for (int i = 0; i < TIMES; i++)
        add_text(&sum, "-9999999999999999999");
    mpz_set_str(wants, "-9999999999999999999", 10);
    mpz_mul_ui(wants, wants, TIMES);
    mpz_ui_pow_ui(got, 10, -DECIMAL_SUM_MIN);
    mpz_mul(wants, wants, got);
    decimal_sum_total(&sum, got);
    CHECK(mpz_cmp(wants, got) == 0, "the sum of many large numbers");
    mpz_clears(wants, got, NULL);
}

static bool is_whole(const char *text)
{
    static struct decimal_sum sum;
    decimal_sum_begin(&sum);
    CHECK(add_text(&sum, text), "%s", text);
    return sum.whole;
}

static void test_whole(void)
{
    static const char *const whole[] = {
        "0",
        "1",
        "1.0",
        "100e-2",
        "1e300",
        "0.1e1",
        "0e-5",
        "-7",
        "0.000e-2000",
        "12345678901234567890123.000000000000000000000",
        "1230000000000000000000000e-22",
    };
    static const char *const broken[] = {
        "0.5",
        "1e-1",
        "101e-2",
        "1e-1100",
        "12345678901234567890123.000000000000000000001",
        "1230000000000000000000000e-23",
        "1e-20",
    };
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        CHECK(is_whole(whole[i]), "%s", whole[i]);
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        CHECK(!is_whole(broken[i]), "%s", broken[i]);
}

static void test_limits(void)
{
    static struct decimal_sum sum;
    decimal_sum_begin(&sum);
    CHECK(add_text(&sum, "1e-1100"), "the last place");
    CHECK(add_text(&sum, "1000e-1103"), "zeros behind the last place");
    CHECK(add_text(&sum, "0e-99999999"), "nothing behind the last place");
    CHECK(add_text(&sum, "1e308"), "the first place");
    CHECK(!add_text(&sum, "1e-1101"), "behind the last place");
    CHECK(!add_text(&sum, "1001e-1103"), "partly behind the last place");
    CHECK(!add_text(&sum, "1e-999999999999999999"), "far behind the last place");
}

int main(void)
{
    srandom(2026);
    test_random();
    test_carry();
    test_whole();
    test_limits();
    return check_report("test_decimal_sum");
}
