/* `trendline serve`: nginx and the FastCGI binaries as one group of supervised processes. */
#ifndef TRENDLINE_SERVE_H
#define TRENDLINE_SERVE_H

#include "config.h"

/* Starts everything, prints one line when it is ready, and stays until it is told to stop (SIGTERM,
 * SIGINT, SIGHUP, SIGQUIT) or cannot go on. Prints its own errors. Returns the exit code.
 *
 * The processes:
 *
 *     trendline serve          waits, passes signals on, cleans up  (launch_group.c)
 *       s6-svscan              keeps the supervisors
 *         s6-supervise ...     one for each service: starts it, and again when it dies
 *           nginx              \
 *           predict (WORKERS)   | each started by `trendline service NAME`  (service.c)
 *           action              | through services/run
 *           build              /
 */
int serve(const struct config *config);

#endif
