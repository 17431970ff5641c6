/* Sandbox: before its first request a FastCGI binary gives up, for good, every right that its work
 * does not need. Whoever takes it over by a request then has the few calls and files below, and no
 * more.
 *
 *            reads                                writes
 *   predict  the data directory                   one file without a name, see below
 *   action   the data directory                   the data directory
 *   build    that, and the train file's directory the data directory
 *   follow   the data directory                   the data directory
 *
 * With Postgres all but predict may open connections, and read what that takes: /etc and the
 * certificates.
 *
 * None of them starts a program, a process or a thread, opens a socket, signals or traces another
 * process, mounts, changes its ids, or makes memory executable. What is open at the time stays
 * usable: the listening socket, standard error, and the file in which predict lets long answers
 * wait (spool.h), which predict_handler has opened.
 *
 * Two mechanisms of the kernel, each of use without the other: seccomp says which system calls may
 * be made, Landlock which files be opened. Landlock takes the directories as they are at the time:
 * one that is moved away and made anew is another, and a symbolic link must not lead out of them
 * (but the train file may be one, if it is when the process starts). */
#ifndef TRENDLINE_SANDBOX_H
#define TRENDLINE_SANDBOX_H

#include "config.h"
#include "error.h"

#include <stdbool.h>

enum sandbox_role { SANDBOX_PREDICT, SANDBOX_ACTION, SANDBOX_BUILD, SANDBOX_FOLLOW };

/* Does this role connect to a database? */
bool sandbox_has_network(enum sandbox_role role, const struct config *config);

/* Enters the sandbox; there is no way out. The process must have a single thread. A kernel without
 * seccomp or Landlock is no failure: the process goes on without that part. False: it has what is
 * needed but refuses, or a directory cannot be opened; then some rights may be gone already. */
bool sandbox_enter(enum sandbox_role role, const struct config *config, struct error *error);

/* Does the kernel filter system calls? Landlock is the second line, and not asked for. */
bool sandbox_has_seccomp(void);

/* sandbox_files.c, sandbox_calls.c: the parts. No new privileges must have been set before. */
bool sandbox_limit_files(enum sandbox_role role, const struct config *config, struct error *error);
bool sandbox_limit_calls(enum sandbox_role role, bool network, struct error *error);

/* The sanitizers need files, threads and ptrace of their own. Known when it is built: at run time
 * it would be a switch for whoever wants out. */
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__ ||                                 \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define SANDBOX_SANITIZED 1
#else
#define SANDBOX_SANITIZED 0
#endif

#endif
