/* The command `trendline`: picks the job and turns its outcome into an exit code. */
#include "batch.h"
#include "config.h"
#include "health.h"
#include "owner.h"
#include "prepare.h"
#include "serve.h"
#include "service.h"
#include "sum.h"
#include "transfer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NOT_EXECUTABLE = 126, /* as shells have it */
    EXIT_NOT_FOUND = 127
};

static const char HELP[] =
    "usage: trendline serve     regression over HTTP: POST /action, POST /build, GET /predict\n"
    "       trendline sum       input.txt -> output.txt: the sum of its numbers\n"
    "       trendline batch     train.tsv, test.tsv -> output.txt: one prediction a line\n"
    "       trendline batch --report  and report.html: how good they are, in pictures\n"
    "       trendline export    all events to standard output, as NDJSON\n"
    "       trendline import    events from standard input; those that are stored stay as they "
    "are\n"
    "       trendline health    is the service on PORT of this machine alive?\n"
    "       trendline --help | --version\n"
    "       trendline COMMAND…  any other command is executed as it is\n"
    "\n"
    "Settings are taken from the environment:\n"
    "  PORT             where to listen (80)\n"
    "  DATA_DIR         the directory of all files (/hostfiles)\n"
    "  TRAIN_FILE_PATH  training rows to start from ($DATA_DIR/train.txt, if it is there)\n"
    "  LEARN            online: each event moves the model at once; build: only /build (online)\n"
    "  MODEL            auto: chosen by cross-validation; linear: least squares (auto)\n"
    "  TARGET           what events call the target (target)\n"
    "  MISSING          allow: null and empty cells are learnt as missing; refuse (refuse)\n"
    "  UNSEEN           base: levels never learnt are predicted as the base; refuse (refuse)\n"
    "  WINDOW           how many of the last events are learnt from (all)\n"
    "  FORGET           what each event leaves of those before it, such as 0.999 (all)\n"
    "  WORKERS          predict processes (the cores allowed, at least 2)\n"
    "  MAX_BODY         largest request body (16m)\n"
    "  MIN_FREE         below this much free space events are refused (64m)\n"
    "  KEEP_VERSIONS    how many of the last models are kept as built (50)\n"
    "  ID_WINDOW        how many of the latest _ids are remembered (unlimited)\n"
    "  API_TOKEN        the bearer token that /action and /build want (none)\n"
    "  READ_TOKEN       the one that /predict and /model want; API_TOKEN will do too (none)\n"
    "  API_TOKEN_FILE, READ_TOKEN_FILE  instead: a file with the token in it\n"
    "  POSTGRES_URI     where events and models live instead of DATA_DIR (none)\n"
    "  POSTGRES_URI_FILE  instead: a file with it\n"
    "  RATE_LIMIT       requests a second from one address, such as 100; 0: any number (0)\n"
    "\n"
    "Exit codes: 0 done, or stopped when asked to; 1 failed, with one line that says why; 2 used\n"
    "wrongly; 126 and 127 COMMAND cannot be executed, or found.\n";

static int report(bool done, const struct error *error)
{
    if (done)
        return EXIT_OK;
    fprintf(stderr, "trendline: %s\n", error->text);
    return EXIT_FAILED;
}

/* The same for those whose message begins with the file and line that it is about: "train.tsv:3:
 * …". */
static int report_place(bool done, const struct error *error)
{
    if (done)
        return EXIT_OK;
    fprintf(stderr, "%s\n", error->text);
    return EXIT_FAILED;
}

static int run_serve(const struct config *config)
{
    return serve(config);
}

static int run_prepare(const struct config *config)
{
    struct error error = {0};
    return report_place(prepare_run(config, &error), &error);
}

static int run_health(const struct config *config)
{
    struct error error = {0};
    return report(health_check(config->port, &error), &error);
}

/* The jobs write into DATA_DIR: what they make belongs to its owner. */
static int run_job(bool (*job)(const struct config *config, struct error *error),
                   const struct config *config)
{
    struct error error = {0};
    struct owner owner;
    return report_place(owner_of(config->data_dir, &owner, &error) &&
                            owner_become(&owner, &error) && job(config, &error),
                        &error);
}

static int run_transfer(bool (*transfer)(const struct config *config, struct error *error),
                        const struct config *config)
{
    struct error error = {0};
    struct owner owner;
    return report(owner_of(config->data_dir, &owner, &error) && owner_become(&owner, &error) &&
                      transfer(config, &error),
                  &error);
}

static int run_export(const struct config *config)
{
    return run_transfer(export_run, config);
}

static int run_import(const struct config *config)
{
    return run_transfer(import_run, config);
}

static bool sum(const struct config *config, struct error *error)
{
    return sum_run(config->data_dir, error);
}

static unsigned batch_options(const struct config *config)
{
    return (config->may_choose ? BATCH_CHOOSE : 0) | (config->missing_allowed ? BATCH_MISSING : 0) |
           (config->unseen_allowed ? BATCH_UNSEEN : 0);
}

static bool batch(const struct config *config, struct error *error)
{
    return batch_run(config->data_dir, batch_options(config), error);
}

static bool batch_report(const struct config *config, struct error *error)
{
    return batch_run(config->data_dir, batch_options(config) | BATCH_REPORT, error);
}

static int run_sum(const struct config *config)
{
    return run_job(sum, config);
}

static int run_batch(const struct config *config)
{
    return run_job(batch, config);
}

static int run_batch_report(const struct config *config)
{
    return run_job(batch_report, config);
}

static const struct command {
    const char *name, *option; /* NULL: without one */
    int (*run)(const struct config *config);
} COMMANDS[] = {
    {"serve", NULL, run_serve},   {"sum", NULL, run_sum},
    {"batch", NULL, run_batch},   {"batch", "--report", run_batch_report},
    {"export", NULL, run_export}, {"import", NULL, run_import},
    {"health", NULL, run_health}, {"prepare", NULL, run_prepare}, /* for `serve` alone */
};

static const struct command *find_command(const char *name, const char *option)
{
    for (size_t i = 0; i < sizeof COMMANDS / sizeof *COMMANDS; i++) {
        const struct command *command = &COMMANDS[i];
        bool same_option = command->option && option ? strcmp(command->option, option) == 0
                                                     : command->option == option;
        if (strcmp(command->name, name) == 0 && same_option)
            return command;
    }
    return NULL;
}

static int run_command(const struct command *command)
{
    struct config config;
    struct error error = {0};
    if (!config_read(&config, &error))
        return report(false, &error);
    return command->run(&config);
}

static int run_service(const char *name)
{
    struct error error = {0};
    return report(service_become(name, &error), &error);
}

static int execute(char **command)
{
    signal(SIGXFSZ, SIG_DFL);
    execvp(command[0], command);
    int trouble = errno;
    if (trouble == ENOENT) {
        fprintf(stderr, "trendline: %s is neither a subcommand (see --help) nor a program here\n",
                command[0]);
        return EXIT_NOT_FOUND;
    }
    fprintf(stderr, "trendline: cannot execute %s: %s\n", command[0], strerror(trouble));
    return EXIT_NOT_EXECUTABLE;
}

static int misused(const char *trouble)
{
    fprintf(stderr, "trendline: %s; see trendline --help\n", trouble);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs(HELP, stderr);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    signal(SIGXFSZ, SIG_IGN); /* a write beyond the limit on files (ulimit -f) fails instead */
    if (strcmp(name, "--help") == 0)
        return fputs(HELP, stdout) < 0;
    if (strcmp(name, "--version") == 0)
        return puts("trendline " TRENDLINE_VERSION) < 0;
    if (strcmp(name, "service") == 0 && argc == 3)
        return run_service(argv[2]);
    if (name[0] == '-')
        return misused("no such option");
    if (!find_command(name, NULL))
        return execute(argv + 1);
    const struct command *command = find_command(name, argv[2]);
    if (!command || argc > 3)
        return misused("subcommands take no arguments, but for batch --report");
    return run_command(command);
}
