/* FastCGI: one epoll loop over libfcgi, for any number of kept connections in one thread.
 *
 * The web server must buffer whole requests before it connects (nginx does, by
 * fastcgi_request_buffering), so that reading one never waits for a slow client. */
#ifndef TRENDLINE_FCGI_H
#define TRENDLINE_FCGI_H

#include "access.h"
#include "error.h"
#include "handler.h"
#include "sandbox.h"

#include <stdbool.h>

/* Serves requests that come over the listening socket `listen_fd` until SIGTERM or SIGINT; then
 * goes on until the web server has closed its connections, half a second at the most. What `access`
 * does not allow is answered here, the handler never sees it. */
bool fcgi_serve(int listen_fd, const struct handler *handler, const struct access *access,
                struct error *error);

/* All of a FastCGI binary: reads the configuration, makes the handler, enters the sandbox, serves
 * the socket that is standard input. Returns the exit status, having said on standard error what
 * went wrong. */
int fcgi_main(const char *name, enum sandbox_role role,
              bool (*make)(struct handler *, const struct config *, struct error *));

#endif
