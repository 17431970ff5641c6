/* The launcher's parts: what `trendline serve` prepares before it starts the group, in this order.
 * Everything a launch needs lies beside the executable: cgi-bin/, services/, nginx.conf. */
#ifndef TRENDLINE_LAUNCH_H
#define TRENDLINE_LAUNCH_H

#include "config.h"
#include "error.h"
#include "owner.h"

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What is made for one launch. All names in the run directory are short enough for the 108 bytes of
 * a socket's address. */
struct launch {
    struct config config;         /* with absolute paths */
    struct owner owner;           /* of DATA_DIR: whom the FastCGI binaries run as */
    bool can_switch;              /* owner_can_switch() */
    char executable[PATH_MAX];    /* this program */
    char home[PATH_MAX];          /* the directory it lies in */
    char run[64];                 /* the run directory: sockets, nginx.conf, the scan directory */
    char nginx[PATH_MAX];         /* which nginx to start: a path, or a name to look for in PATH */
    bool ipv6;                    /* there is IPv6 to listen on */
    unsigned long open_files_max; /* limit on open files of each process */
    pid_t preparing;              /* the process that prepares the data; 0: it is done, or failed */
    int64_t preparing_since;      /* by clock_ms */
    int quick_ends;               /* how often it died at once */
};

/* The services that own a socket, in the order of their sockets: action, build, predict-1, …; and
 * follow, which has one but is asked nothing, with Postgres. */
size_t launch_socket_count(const struct launch *launch);
enum { SERVICE_NAME_MAX = 24 };
void launch_socket_name(const struct launch *launch, size_t index,
                        char name[static SERVICE_NAME_MAX]);

/* launch_place.c: finds the places and programs, makes DATA_DIR if it is missing, and the run
 * directory. */
bool launch_find_home(struct launch *launch, struct error *error);
bool launch_find_programs(struct error *error);
bool launch_open_data_dir(struct launch *launch, struct error *error);
bool launch_make_run_directory(struct launch *launch, struct error *error);
void launch_remove_run_directory(const struct launch *launch);

/* launch_prepare.c: reads what is stored and what is new in the train file, at most a second of it
 * before the group is started. Returns the code to end with, because the data cannot be served or
 * the launcher was told to stop, or LAUNCH_GO_ON. Blocks launch_signals from then on. */
enum { LAUNCH_GO_ON = -1 };
int launch_prepare(struct launch *launch);
/* `launch->preparing` has ended with that status, or was started again. Not 0: it has failed, and
 * said why. */
int launch_prepare_ended(struct launch *launch, int status);

/* launch_sockets.c: the FastCGI sockets, bound here and left open across every exec, so that the
 * supervisors hold them and a request queued at a binary that dies waits for the next one.
 * They are handed down as systemd does it: numbered from SOCKETS_FIRST, named in $LISTEN_FDNAMES.
 */
enum { SOCKETS_FIRST = 3 };
bool launch_bind_sockets(const struct launch *launch, struct error *error);

/* launch_nginx.c: is PORT free and which nginx may listen on it; its configuration. */
bool launch_check_port(struct launch *launch, struct error *error);
bool launch_write_nginx_conf(const struct launch *launch, struct error *error);

/* launch_services.c: run/services, the directory that s6-svscan works on. */
bool launch_write_services(const struct launch *launch, struct error *error);

/* launch_group.c: starts the group and watches over it till its end; returns the exit code. */
int launch_group(struct launch *launch);
/* What the launcher waits for: its children, and to be told to stop. */
sigset_t launch_signals(void);

#endif
