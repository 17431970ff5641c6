#include "config.h"

#include "cgroup.h"
#include "cores.h"
#include "number.h"
#include "schema.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    VERSIONS_KEPT_MAX = 1000000,
    WORKERS_MIN = 2,
    WORKERS_MAX = 64,
    RATE_MAX = 1000000,
    SHOWN_MAX = 100
};

static const char SIZE_ALLOWED[] =
    "a number of bytes below 8 EiB such as 1048576, 64k, 16m or 1g, at least %llu";

static const char *value_of(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* The value is shown without what would break the message: length and control characters. */
static bool refuse(struct error *error, const char *name, const char *value, const char *allowed)
{
    char shown[SHOWN_MAX + 4];
    bool cut = strlen(value) > SHOWN_MAX;
    snprintf(shown, sizeof shown, "%.*s%s", SHOWN_MAX, value, cut ? "..." : "");
    for (char *at = shown; *at; at++)
        if (iscntrl((unsigned char)*at))
            *at = '?';
    return error_set(error, ERROR_UNUSABLE, "%s=%s cannot be used: it must be %s", name, shown,
                     allowed);
}

/* Digits only; returns what follows them, or NULL without any or on overflow. */
static const char *parse_digits(const char *text, uint64_t *number)
{
    const char *at = text;
    *number = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, (uint64_t)(*at - '0'), number))
            return NULL;
    return at == text ? NULL : at;
}

static bool parse_count(const char *text, uint64_t *count)
{
    const char *rest = parse_digits(text, count);
    return rest && *rest == '\0';
}

/* Bytes, with an optional unit of 1024: k, m, g or t. Off_t must be able to hold it. */
static bool parse_size(const char *text, uint64_t *size)
{
    static const char units[] = "kmgt";
    const char *rest = parse_digits(text, size);
    if (!rest)
        return false;
    if (*rest) {
        const char *unit = strchr(units, tolower((unsigned char)*rest));
        if (!unit || rest[1])
            return false;
        if (__builtin_mul_overflow(*size, (uint64_t)1 << (10 * (unit - units + 1)), size))
            return false;
    }
    return *size <= INT64_MAX;
}

static bool read_size(const char *name, uint64_t fallback, uint64_t least, uint64_t *size,
                      struct error *error)
{
    const char *value = value_of(name);
    *size = fallback;
    if (!value || (parse_size(value, size) && *size >= least))
        return true;
    char allowed[sizeof SIZE_ALLOWED + 20];
    snprintf(allowed, sizeof allowed, SIZE_ALLOWED, (unsigned long long)least);
    return refuse(error, name, value, allowed);
}

static bool read_port(struct config *config, struct error *error)
{
    const char *value = value_of("PORT");
    uint64_t port = 80;
    if (value && (!parse_count(value, &port) || port < 1 || port > UINT16_MAX))
        return refuse(error, "PORT", value, "a TCP port from 1 to 65535");
    config->port = (uint16_t)port;
    return true;
}

static bool copy_path(const char *name, const char *value, char path[static PATH_MAX],
                      struct error *error)
{
    size_t length = strlen(value);
    while (length > 1 && value[length - 1] == '/')
        length--;
    /* room for the names of the files below it */
    if (length > PATH_MAX - NAME_MAX - 2)
        return refuse(error, name, value, "a shorter path");
    memcpy(path, value, length);
    path[length] = '\0';
    return true;
}

static bool read_paths(struct config *config, struct error *error)
{
    const char *directory = value_of("DATA_DIR");
    if (!copy_path("DATA_DIR", directory ? directory : "/hostfiles", config->data_dir, error))
        return false;
    const char *train = value_of("TRAIN_FILE_PATH");
    config->train_path_set = train != NULL;
    if (train)
        return copy_path("TRAIN_FILE_PATH", train, config->train_path, error);
    snprintf(config->train_path, sizeof config->train_path, "%.*s/train.txt", PATH_MAX - NAME_MAX,
             config->data_dir);
    return true;
}

/* One of two words, the first by default. */
static bool read_choice(const char *name, const char *first, const char *second, bool *is_second,
                        struct error *error)
{
    const char *value = value_of(name);
    char allowed[64];
    snprintf(allowed, sizeof allowed, "%s or %s", first, second);
    *is_second = value && strcmp(value, second) == 0;
    return !value || *is_second || strcmp(value, first) == 0 || refuse(error, name, value, allowed);
}

static bool read_learning(struct config *config, struct error *error)
{
    bool by_build, linear;
    bool ok = read_choice("LEARN", "online", "build", &by_build, error) &&
              read_choice("MODEL", "auto", "linear", &linear, error) &&
              read_choice("MISSING", "refuse", "allow", &config->missing_allowed, error) &&
              read_choice("UNSEEN", "refuse", "base", &config->unseen_allowed, error);
    config->learn_online = ok && !by_build;
    config->may_choose = ok && !linear;
    return ok;
}

/* Within the limit that a container's memory has. */
static void read_memory(struct config *config)
{
    const char *value = value_of(CONFIG_MEMORY);
    if (!value || !parse_count(value, &config->memory))
        config->memory = cgroup_memory("/proc/self/cgroup", "/sys/fs/cgroup");
    config->has_terms =
        config->may_choose && (config->memory == 0 || config->memory >= CONFIG_TERMS_MEMORY);
}

static bool read_target(struct error *error)
{
    struct error why;
    const char *name = value_of("TARGET");
    return !name || schema_name_target(name, &why) ||
           refuse(
               error, "TARGET", name,
               "a name such as \"price\": UTF-8 without control characters, and not beginning with "
               "_");
}

static bool read_workers(struct config *config, struct error *error)
{
    const char *value = value_of("WORKERS");
    uint64_t workers = 0;
    if (value && (!parse_count(value, &workers) || workers < 1 || workers > WORKERS_MAX))
        return refuse(error, "WORKERS", value, "a number of processes from 1 to 64");
    if (!value) {
        unsigned cores = cores_allowed();
        workers = cores < WORKERS_MIN ? WORKERS_MIN : cores > WORKERS_MAX ? WORKERS_MAX : cores;
    }
    config->workers = (unsigned)workers;
    return true;
}

static bool read_keep_versions(struct config *config, struct error *error)
{
    const char *value = value_of("KEEP_VERSIONS");
    uint64_t count = 50;
    if (value && (!parse_count(value, &count) || count < 1 || count > VERSIONS_KEPT_MAX))
        return refuse(error, "KEEP_VERSIONS", value, "a number of models from 1 to 1000000");
    config->keep_versions = (int64_t)count;
    return true;
}

static bool read_id_window(struct config *config, struct error *error)
{
    const char *value = value_of("ID_WINDOW");
    config->id_window = UINT64_MAX;
    if (!value || strcmp(value, "unlimited") == 0)
        return true;
    if (!parse_count(value, &config->id_window) || config->id_window < 1)
        return refuse(error, "ID_WINDOW", value, "unlimited, or a number of ids from 1");
    return true;
}

/* For this and the next: replicas learn events in different orders, and each would forget others.
 */
static bool read_window(struct config *config, struct error *error)
{
    const char *value = value_of("WINDOW");
    char allowed[64];
    config->window = 0;
    if (!value || (parse_count(value, &config->window) && config->window >= CONFIG_WINDOW_MIN &&
                   config->window <= CONFIG_WINDOW_MAX))
        return true;
    snprintf(allowed, sizeof allowed, "a number of events from %d to %d", CONFIG_WINDOW_MIN,
             CONFIG_WINDOW_MAX);
    return refuse(error, "WINDOW", value, allowed);
}

static bool read_forget(struct config *config, struct error *error)
{
    const char *value = value_of("FORGET");
    config->forget = 0;
    if (!value)
        return true;
    if (config->window > 0 || config->postgres.length > 0)
        return refuse(error, "FORGET", value, "unset with WINDOW and with " CONFIG_POSTGRES);
    return (number_parse(value, strlen(value), &config->forget) == NUMBER_OK &&
            config->forget > 0 && config->forget < 1) ||
           refuse(error, "FORGET", value, "a number above 0 and below 1, such as 0.999");
}

static bool read_rate_limit(struct config *config, struct error *error)
{
    const char *value = value_of("RATE_LIMIT"), *unit = NULL;
    uint64_t rate = 0;
    if (value)
        unit = parse_digits(value, &rate);
    if (value && (!unit || (*unit && strcmp(unit, "r/s") != 0) || rate > RATE_MAX))
        return refuse(error, "RATE_LIMIT", value,
                      "a number of requests a second from one address such as 100 or 100r/s, at "
                      "most 1000000, or 0 for any number");
    config->rate_limit = (unsigned)rate;
    return true;
}

static bool read_postgres(struct config *config, struct error *error)
{
    static const char *const names[] = {CONFIG_POSTGRES, CONFIG_POSTGRES "_FILE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!value_of(names[i]))
            unsetenv(names[i]); /* unlike a token, empty it is as good as none */
    return secret_read(&config->postgres, CONFIG_POSTGRES, error);
}

bool config_read(struct config *config, struct error *error)
{
    bool ok = read_postgres(config, error) && read_port(config, error) &&
              read_paths(config, error) && read_learning(config, error) && read_target(error) &&
              read_workers(config, error) &&
              read_size("MAX_BODY", 16u << 20, 1, &config->max_body, error) &&
              read_size("MIN_FREE", 64u << 20, 0, &config->min_free, error) &&
              read_rate_limit(config, error) && read_id_window(config, error) &&
              read_keep_versions(config, error) && read_window(config, error) &&
              read_forget(config, error);
    if (ok)
        read_memory(config);
    return ok;
}
