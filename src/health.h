/* Is the service on this machine alive? */
#ifndef TRENDLINE_HEALTH_H
#define TRENDLINE_HEALTH_H

#include "error.h"

#include <stdbool.h>
#include <stdint.h>

/* What the probe calls itself, so that nginx.conf can keep it out of the access log. */
#define HEALTH_USER_AGENT "trendline-health"

/* Asks the service on 127.0.0.1:port, for a few seconds at most: nginx must answer, and a predict
 * process behind it, be it only that there is no model yet. */
bool health_check(uint16_t port, struct error *error);

#endif
