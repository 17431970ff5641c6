/* Access: who may do what, by bearer token (RFC 6750).
 *
 *   page                 needs
 *   /healthz, /readyz    nothing: probes have no token (nginx answers the first one by itself)
 *   /predict, /model     READ_TOKEN or API_TOKEN, if READ_TOKEN is set
 *   all others           API_TOKEN, if it is set: a page that is not listed here counts as a write
 *
 * The method makes no difference, but OPTIONS needs no token: it tells nothing. */
#ifndef TRENDLINE_ACCESS_H
#define TRENDLINE_ACCESS_H

#include "error.h"
#include "http.h"
#include "secret.h"

#include <stdbool.h>

struct access {
    struct secret api, read;
};

/* From API_TOKEN and READ_TOKEN or their …_FILE; see secret_read. */
bool access_read(struct access *access, struct error *error);

/* What is allowed, but hardly meant: a sentence a line on standard error, for the start. */
void access_warn(const struct access *access);

/* For the children that call access_read again; and for those that should know nothing. */
bool access_hand_down(const struct access *access, struct error *error);
void access_hide(void);

/* May this request be served? If not, ERROR_TOKEN (no usable token came, or a wrong one) or
 * ERROR_FORBIDDEN (READ_TOKEN came for a write). */
bool access_check(const struct access *access, const struct request *request, struct error *error);

#endif
