#include "timestamp.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SECONDS_LENGTH = 19, MILLISECOND_DIGITS = 3 };

/* 0001-01-01 and the last second of 9999-12-31, in seconds since 1970. */
static const int64_t first_second = -62135596800, last_second = 253402300799;

void timestamp_format(struct timespec moment, char text[static TIMESTAMP_MAX])
{
    struct tm utc;
    if (moment.tv_sec > last_second)
        moment = (struct timespec){.tv_sec = last_second, .tv_nsec = 999999999};
    if (moment.tv_sec < first_second)
        moment = (struct timespec){.tv_sec = first_second};
    gmtime_r(&moment.tv_sec, &utc);
    snprintf(text, TIMESTAMP_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
             (utc.tm_year + 1900) % 10000, (utc.tm_mon + 1) % 100, utc.tm_mday % 100,
             utc.tm_hour % 100, utc.tm_min % 100, utc.tm_sec % 100,
             (int)(moment.tv_nsec / 1000000) % 1000);
}

void timestamp_now(char text[static TIMESTAMP_MAX])
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    timestamp_format(now, text);
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
