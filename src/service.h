/* `trendline service NAME`: the last step before a service's own program. */
#ifndef TRENDLINE_SERVICE_H
#define TRENDLINE_SERVICE_H

#include "error.h"

#include <stdbool.h>

/* Becomes the service NAME, as which s6-supervise started this process in the service's directory
 * (services/run): nginx, or the FastCGI binary that NAME begins with ("predict-2" is predict), with
 * its socket as standard input, no other socket, and the rights of DATA_DIR's owner.
 * Returns only on failure. */
bool service_become(const char *name, struct error *error);

#endif
