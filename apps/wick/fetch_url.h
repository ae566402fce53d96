/* fetch_url.h: where a request may go, and how an address is shown. */
#ifndef WICK_APP_FETCH_URL_H
#define WICK_APP_FETCH_URL_H

#include "base/error.h"

/* May `url` be asked? `from` is the address that redirected to it, NULL: the user gave it. */
wick_status fetch_url_allowed(const char *url, const char *from, bool allow_http, wick_error *err);

/* May a token for `origin` go to `url`: the same scheme, host and port, and encrypted or inside this machine. */
bool fetch_url_may_have_token(const char *url, const char *origin);

/* "HOST/PATH" for messages, to be freed (base/mem.h): no query (it may hold a signature), no user, no control characters. */
char *fetch_url_shown(const char *url);

/* Content-Range: "bytes FIRST-LAST/TOTAL", where a star may stand for the range or for the total (then UINT64_MAX). False: malformed. */
bool fetch_content_range(const char *value, uint64_t *first, uint64_t *last, uint64_t *total);

/* A strong entity tag: quoted, without control characters, shorter than `room`. */
bool fetch_etag_strong(const char *value, size_t room);

#endif
