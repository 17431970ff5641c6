#include "settings.h"

#include "json.h"
#include "number.h"
#include "schema.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

enum { SETTINGS = 5, VALUE_MAX = SCHEMA_NAME_MAX + 1, LEARNT = 2 /* the first ones */ };

static const char *const names[SETTINGS] = {"WINDOW", "FORGET", "MODEL", "TARGET", "MISSING"};
static const char crc_key[] = ", \"crc\": \"";

/* As a person would set them. */
static void take_values(const struct config *config, char values[SETTINGS][VALUE_MAX])
{
    const char *model = config->has_terms    ? "auto"
                        : config->may_choose ? "auto (linear and ridge, for want of memory)"
                                             : "linear";
    snprintf(values[0], VALUE_MAX, "all");
    snprintf(values[1], VALUE_MAX, "none");
    if (config->window > 0)
        snprintf(values[0], VALUE_MAX, "%llu", (unsigned long long)config->window);
    if (config->forget > 0)
        values[1][number_format(config->forget, values[1])] = '\0';
    snprintf(values[2], VALUE_MAX, "%s", model);
    snprintf(values[3], VALUE_MAX, "%s", schema_target());
    snprintf(values[4], VALUE_MAX, "%s", config->missing_allowed ? "allow" : "refuse");
}

static unsigned checksum(const char *text, size_t length)
{
    return (unsigned)crc32_z(0, (const unsigned char *)text, length);
}

void settings_write(const struct config *config, struct buffer *out)
{
    char values[SETTINGS][VALUE_MAX];
    size_t start = out->length;
    take_values(config, values);
    for (size_t i = 0; i < SETTINGS; i++) {
        buffer_printf(out, "%s\"%s\": ", i ? ", " : "{", names[i]);
        json_write_string(out, values[i], strlen(values[i]));
    }
    if (!out->failed)
        buffer_printf(out, "%s%08x\"}\n", crc_key,
                      checksum(out->data + start, out->length - start));
}

/* The text as JSON, if it is what was written. */
static struct json *parse(const char *text, size_t length)
{
    struct error ignored;
    const char *end = length > 0 ? memmem(text, length, crc_key, sizeof crc_key - 1) : NULL;
    struct json *json = end ? json_parse(text, length, &ignored) : NULL;
    const struct json *crc = json ? json_get_kind(json, "crc", JSON_STRING) : NULL;
    char wanted[16];
    snprintf(wanted, sizeof wanted, "%08x", end ? checksum(text, (size_t)(end - text)) : 0);
    if (crc && strcmp(json_string(crc), wanted) == 0)
        return json;
    json_free(json);
    return NULL;
}

static void append(char shown[static SETTINGS_SHOWN_MAX], const char *name, const char *value)
{
    size_t length = strlen(shown);
    snprintf(shown + length, SETTINGS_SHOWN_MAX - length, "%s%s=%.60s", length ? ", " : "", name,
             value);
}

enum settings_result settings_compare(const struct config *config, const char *text, size_t length,
                                      char kept[static SETTINGS_SHOWN_MAX],
                                      char own[static SETTINGS_SHOWN_MAX])
{
    enum settings_result result = SETTINGS_SAME;
    char values[SETTINGS][VALUE_MAX];
    struct json *json = parse(text, length);
    if (!json)
        return SETTINGS_DAMAGED;
    take_values(config, values);
    *kept = *own = '\0';
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct json *member = json_get_kind(json, names[i], JSON_STRING);
        const char *value = member ? json_string(member) : "";
        if (strcmp(value, values[i]) == 0)
            continue;
        append(kept, names[i], value);
        append(own, names[i], values[i]);
        if (result != SETTINGS_LEARNT)
            result = i < LEARNT ? SETTINGS_LEARNT : SETTINGS_OTHER;
    }
    json_free(json);
    return result;
}

bool settings_differ(enum settings_result result)
{
    return result == SETTINGS_OTHER || result == SETTINGS_LEARNT;
}

bool settings_refuse(const char *data, const char *kept, const char *own, struct error *error)
{
    return error_set(error, ERROR_SYSTEM,
                     "another service works on %.150s with %s, and this one has %s: start it with "
                     "the same settings, or stop the other one first",
                     data, kept, own);
}

void settings_announce(const char *kept, const char *own)
{
    fprintf(stderr, "trendline: these data were learnt from with %s; from now on it is %s\n", kept,
            own);
}
