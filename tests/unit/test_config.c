/* The environment: defaults, every variable's range, and what a refusal says. */
#include "cgroup.h"
#include "check.h"
#include "config.h"
#include "cores.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_defaults(void)
{
    struct config config;
    struct error error;
    clearenv();
    CHECK(config_read(&config, &error), "%s", error.text);
    CHECK_INT(80, config.port);
    CHECK_STRING("/hostfiles", config.data_dir);
    CHECK_STRING("/hostfiles/train.txt", config.train_path);
    CHECK(!config.train_path_set, "TRAIN_FILE_PATH is not set");
    CHECK(config.learn_online, "LEARN is online");
    CHECK(config.workers >= 2 && config.workers <= 64, "%u workers", config.workers);
    CHECK_INT(16 << 20, config.max_body);
    CHECK_INT(64 << 20, config.min_free);
    CHECK(config.id_window == UINT64_MAX, "all ids are remembered");
    CHECK_INT(0, config.rate_limit);
    CHECK_INT(0, config.window);
    CHECK_DOUBLE(0, config.forget);
}

/* Reads the environment with one variable set; false means refused. */
static bool read_with(const char *name, const char *value, struct config *config,
                      struct error *error)
{
    clearenv();
    setenv(name, value, 1);
    return config_read(config, error);
}

static void test_accepted(void)
{
    struct config config;
    struct error error;
    CHECK(read_with("PORT", "65535", &config, &error), "%s", error.text);
    CHECK_INT(65535, config.port);
    CHECK(read_with("PORT", "", &config, &error), "an empty variable counts as not set");
    CHECK_INT(80, config.port);
    CHECK(read_with("DATA_DIR", "files//", &config, &error), "%s", error.text);
    CHECK_STRING("files", config.data_dir);
    CHECK_STRING("files/train.txt", config.train_path);
    CHECK(read_with("DATA_DIR", "/", &config, &error), "%s", error.text);
    CHECK_STRING("/", config.data_dir);
    CHECK(read_with("TRAIN_FILE_PATH", "/a b/x.tsv", &config, &error), "%s", error.text);
    CHECK_STRING("/a b/x.tsv", config.train_path);
    CHECK(config.train_path_set, "TRAIN_FILE_PATH is set");
    CHECK(read_with("LEARN", "build", &config, &error), "%s", error.text);
    CHECK(!config.learn_online, "LEARN is build");
    CHECK(read_with("MODEL", "linear", &config, &error), "%s", error.text);
    CHECK(read_with("MODEL", "auto", &config, &error), "%s", error.text);
    CHECK(read_with("WORKERS", "64", &config, &error), "%s", error.text);
    CHECK_INT(64, config.workers);
    CHECK(read_with("KEEP_VERSIONS", "7", &config, &error), "%s", error.text);
    CHECK_INT(7, config.keep_versions);
    CHECK(read_with("ID_WINDOW", "1000", &config, &error), "%s", error.text);
    CHECK_INT(1000, config.id_window);
    CHECK(read_with("RATE_LIMIT", "100", &config, &error), "%s", error.text);
    CHECK_INT(100, config.rate_limit);
    CHECK(read_with("RATE_LIMIT", "1000000r/s", &config, &error), "%s", error.text);
    CHECK_INT(1000000, config.rate_limit);
    CHECK(read_with("RATE_LIMIT", "0", &config, &error), "%s", error.text);
    CHECK_INT(0, config.rate_limit);
    CHECK(read_with("ID_WINDOW", "unlimited", &config, &error), "%s", error.text);
    CHECK(config.id_window == UINT64_MAX, "all ids are remembered");
    CHECK(read_with("WINDOW", "10000", &config, &error), "%s", error.text);
    CHECK_INT(10000, config.window);
    CHECK(read_with("FORGET", "0.999", &config, &error), "%s", error.text);
    CHECK_DOUBLE(0.999, config.forget);
    setenv("WINDOW", "100", 1);
    CHECK(!config_read(&config, &error), "both");
}

static void test_sizes(void)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } sizes[] = {{"0", 0},           {"1048576", 1 << 20},
                 {"64k", 64 << 10},  {"64K", 64 << 10},
                 {"16m", 16 << 20},  {"1g", 1 << 30},
                 {"2t", 2ull << 40}, {"9223372036854775807", INT64_MAX}};
    struct config config;
    struct error error;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        CHECK(read_with("MIN_FREE", sizes[i].text, &config, &error), "%s", error.text);
        CHECK_INT(sizes[i].bytes, config.min_free);
    }
}

static void test_refused(void)
{
    static const struct {
        const char *name, *value;
    } refused[] = {
        {"PORT", "0"},
        {"PORT", "65536"},
        {"PORT", "-1"},
        {"PORT", "+80"},
        {"PORT", "80 "},
        {"PORT", "0x50"},
        {"PORT", "99999999999999999999999999"},
        {"LEARN", "Online"},
        {"MODEL", "Auto"},
        {"WORKERS", "0"},
        {"WORKERS", "65"},
        {"WORKERS", "two"},
        {"MAX_BODY", "0"},
        {"MAX_BODY", "16mb"},
        {"MAX_BODY", "m"},
        {"MAX_BODY", "-1"},
        {"MAX_BODY", "1.5g"},
        {"MAX_BODY", "9223372036854775808"},
        {"MIN_FREE", "8388608t"},
        {"MIN_FREE", "99999999999999999999t"},
        {"ID_WINDOW", "0"},
        {"KEEP_VERSIONS", "0"},
        {"KEEP_VERSIONS", "1000001"},
        {"ID_WINDOW", "all"},
        {"FORGET", "0"},
        {"FORGET", "1"},
        {"FORGET", "-0.5"},
        {"FORGET", "0.9x"},
        {"WINDOW", "9"},
        {"WINDOW", "2000001"},
        {"WINDOW", "ten"},
        {"RATE_LIMIT", "-1"},
        {"RATE_LIMIT", "many"},
        {"RATE_LIMIT", "1.5"},
        {"RATE_LIMIT", "100r/m"},
        {"RATE_LIMIT", "100r/s "},
        {"RATE_LIMIT", "r/s"},
        {"RATE_LIMIT", "1000001"},
    };
    struct config config;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct error error = {0};
        char named[128];
        snprintf(named, sizeof named, "%s=%s cannot be used", refused[i].name, refused[i].value);
        CHECK(!read_with(refused[i].name, refused[i].value, &config, &error), "%s", named);
        CHECK(strncmp(error.text, named, strlen(named)) == 0, "%s", error.text);
        CHECK(strstr(error.text, "it must be"), "%s", error.text);
    }
}

static void test_refusal_is_one_short_line(void)
{
    struct config config;
    struct error error;
    char value[2000];
    memset(value, '\n', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    CHECK(!read_with("PORT", value, &config, &error), "newlines are no port");
    CHECK(!strchr(error.text, '\n'), "%s", error.text);
    CHECK(strstr(error.text, "65535"), "what is allowed is not cut off: %s", error.text);
}

static void test_path_too_long(void)
{
    struct config config;
    struct error error;
    char path[PATH_MAX + 1];
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    CHECK(!read_with("DATA_DIR", path, &config, &error), "longer than any path");
    CHECK(!read_with("TRAIN_FILE_PATH", path, &config, &error), "longer than any path");
}

static void test_postgres(void)
{
    static const char uri[] = "postgresql://me:s3cret@db/events";
    struct config config;
    struct error error = {0};
    CHECK(read_with("POSTGRES_URI", uri, &config, &error), "%s", error.text);
    CHECK_STRING(uri, config.postgres.text);
    CHECK(read_with("POSTGRES_URI", "", &config, &error), "%s", error.text);
    CHECK_INT(0, config.postgres.length);
    CHECK(!read_with("POSTGRES_URI", "s3cret \n", &config, &error), "a line end");
    CHECK(strstr(error.text, "POSTGRES_URI"), "%s", error.text);
    CHECK(!strstr(error.text, "s3cret"), "a secret is not shown: %s", error.text);
    CHECK(!read_with("POSTGRES_URI_FILE", "/no/such/file", &config, &error), "no such file");
}

static void write_file(const char *directory, const char *name, const char *text)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    if (CHECK(file, "%s", path)) {
        fputs(text, file);
        fclose(file);
    }
}

static void make_directory(const char *directory, const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    CHECK(mkdir(path, 0700) == 0, "%s", path);
}

static void remove_tree(const char *root)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", root);
    CHECK_INT(0, system(command));
}

static unsigned quota_of_group(const char *root, const char *membership)
{
    char path[PATH_MAX];
    write_file(root, "membership", membership);
    snprintf(path, sizeof path, "%s/membership", root);
    return cores_quota(path, root);
}

static void test_quota(void)
{
    char root[] = "/tmp/trendline-cores.XXXXXX";
    CHECK(mkdtemp(root), "%s", root);
    make_directory(root, "a");
    make_directory(root, "a/b");
    CHECK_INT(0, quota_of_group(root, "0::/a/b\n"));
    write_file(root, "a/b/cpu.max", "max 100000\n");
    CHECK_INT(0, quota_of_group(root, "0::/a/b\n"));
    write_file(root, "a/b/cpu.max", "250000 100000\n");
    CHECK_INT(3, quota_of_group(root, "0::/a/b\n"));
    write_file(root, "a/cpu.max", "25000 100000\n"); /* the tighter limit is further up */
    CHECK_INT(1, quota_of_group(root, "0::/a/b\n"));
    write_file(root, "cpu.max", "200000 100000\n"); /* a container: the path is the host's */
    CHECK_INT(2, quota_of_group(root, "0::/elsewhere/x\n"));
    make_directory(root, "cpu");
    write_file(root, "cpu/cpu.cfs_period_us", "100000\n");
    write_file(root, "cpu/cpu.cfs_quota_us", "-1\n");
    CHECK_INT(0, quota_of_group(root, "5:memory:/x\n4:cpu,cpuacct:/docker/x\n"));
    write_file(root, "cpu/cpu.cfs_quota_us", "400000\n");
    CHECK_INT(4, quota_of_group(root, "5:memory:/x\n4:cpuacct,cpu:/docker/x\n"));
    CHECK_INT(0, quota_of_group(root, "4:cpuset:/docker/x\n"));
    CHECK(cores_allowed() >= 1, "there is always one");
    remove_tree(root);
}

static unsigned long long memory_of_group(const char *root, const char *membership)
{
    char path[PATH_MAX];
    write_file(root, "membership", membership);
    snprintf(path, sizeof path, "%s/membership", root);
    return cgroup_memory(path, root);
}

static void test_memory(void)
{
    char root[] = "/tmp/trendline-memory.XXXXXX";
    CHECK(mkdtemp(root), "%s", root);
    make_directory(root, "a");
    CHECK_INT(0, memory_of_group(root, "0::/a\n"));
    write_file(root, "a/memory.max", "max\n");
    CHECK_INT(0, memory_of_group(root, "0::/a\n"));
    write_file(root, "a/memory.max", "67108864\n");
    CHECK_INT(64 << 20, memory_of_group(root, "0::/a\n"));
    write_file(root, "memory.max", "33554432\n"); /* the tighter limit is further up */
    CHECK_INT(32 << 20, memory_of_group(root, "0::/a\n"));
    make_directory(root, "memory");
    write_file(root, "memory/memory.limit_in_bytes", "9223372036854771712\n");
    CHECK_INT(9223372036854771712, memory_of_group(root, "5:memory:/x\n"));
    write_file(root, "memory/memory.limit_in_bytes", "134217728\n");
    CHECK_INT(128 << 20, memory_of_group(root, "5:memory:/x\n4:cpu:/x\n"));
    remove_tree(root);
}

/* Models of terms need memory; the launcher looks how much there is, for all its processes. */
static void test_terms(void)
{
    struct config config;
    struct error error;
    CHECK(read_with(CONFIG_MEMORY, "134217728", &config, &error), "%s", error.text);
    CHECK(config.may_choose && config.has_terms, "enough");
    CHECK(read_with(CONFIG_MEMORY, "134217727", &config, &error), "%s", error.text);
    CHECK(config.may_choose && !config.has_terms, "too little");
    CHECK(read_with(CONFIG_MEMORY, "0", &config, &error), "%s", error.text);
    CHECK(config.has_terms, "no limit");
    CHECK(read_with("MODEL", "linear", &config, &error), "%s", error.text);
    CHECK(!config.has_terms, "not asked for");
}

int main(void)
{
    char *path = strdup(getenv("PATH"));
    test_defaults();
    test_accepted();
    test_sizes();
    test_refused();
    test_refusal_is_one_short_line();
    test_path_too_long();
    test_postgres();
    test_memory();
    test_terms();
    setenv("PATH", path, 1);
    test_quota();
    free(path);
    return check_report("config");
}
