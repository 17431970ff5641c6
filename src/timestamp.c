#include "timestamp.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SECONDS_LENGTH = 19, MILLISECOND_DIGITS = 3 };

void timestamp_now(char text[static TIMESTAMP_MAX])
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t used = strftime(text, TIMESTAMP_MAX, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + used, TIMESTAMP_MAX - used, ".%03ldZ", now.tv_nsec / 1000000);
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* Is it digits where the pattern has 0, and the pattern's bytes elsewhere? */
static bool matches(const char *text, const char *pattern)
{
    for (; *pattern; text++, pattern++)
        if (*pattern == '0' ? !is_digit(*text) : *text != *pattern)
            return false;
    return true;
}

static int number_at(const char *digits, int count)
{
    int number = 0;
    for (int i = 0; i < count; i++)
        number = 10 * number + digits[i] - '0';
    return number;
}

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool is_moment(const char *text)
{
    int year = number_at(text, 4), month = number_at(text + 5, 2), day = number_at(text + 8, 2);
    return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= days_of(year, month) &&
           number_at(text + 11, 2) < 24 && number_at(text + 14, 2) < 60 &&
           number_at(text + 17, 2) < 60;
}

bool timestamp_parse(const char *given, size_t length, char text[static TIMESTAMP_MAX])
{
    size_t at = SECONDS_LENGTH;
    if (length <= at || !matches(given, "0000-00-00T00:00:00") || !is_moment(given))
        return false;
    char milliseconds[] = "000";
    if (given[at] == '.') {
        size_t digits = 0;
        for (at++; at < length && is_digit(given[at]); at++, digits++)
            if (digits < MILLISECOND_DIGITS)
                milliseconds[digits] = given[at];
        if (digits == 0)
            return false;
    }
    if (at + 1 != length || given[at] != 'Z')
        return false;
    snprintf(text, TIMESTAMP_MAX, "%.*s.%sZ", SECONDS_LENGTH, given, milliseconds);
    return true;
}
