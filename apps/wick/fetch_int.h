/* fetch_int.h: one exchange with a server, as fetch.c makes it and its two users see it: text into memory (fetch.c), and files
 * (fetch_file.c). */
#ifndef WICK_APP_FETCH_INT_H
#define WICK_APP_FETCH_INT_H

#include "fetch.h"

#include <curl/curl.h>

/* What the headers said. Texts are cut where they are too long to be of use: then they are "". */
typedef struct fetch_reply {
    long code;
    uint64_t length; /* of the body; UINT64_MAX: unknown */
    char etag[256], range[128], encoding[32];
    char linked_etag[128]; /* X-Linked-ETag of the first answer: a hub's digest of the file, wherever it lies */
    char complaint[200];   /* X-Error-Message */
    int64_t retry_after;   /* seconds; 0: not said */
} fetch_reply;

typedef struct fetch_transfer fetch_transfer;
struct fetch_transfer {
    fetch *f;
    const char *url;
    struct curl_slist *headers; /* beside the token */
    /* Called when a body of 200 or 206 begins, then for its bytes. */
    wick_status (*begin)(fetch_transfer *t, wick_error *err);
    wick_status (*take)(fetch_transfer *t, const void *data, size_t n, wick_error *err);
    void (*tick)(fetch_transfer *t); /* several times a second, also while nothing comes; or NULL */
    void *user;
    fetch_reply reply;
    bool transient; /* out: the failure may pass */
    /* inside fetch.c */
    bool begun, redirected;
    size_t skipped;
    wick_status status;
    wick_error *err;
};

/* One request with its redirects. WICK_OK: an answer of 200, 206, 304 or 416 is in t->reply, and its body, if it was one of the
 * first two, has been taken. */
wick_status fetch_exchange(fetch_transfer *t, wick_error *err);

/* Waits before attempt number `attempt` (from 1): half a second, doubling, at most a minute; what the server asked for if that is longer.
 * False: the user wants to stop. */
bool fetch_wait(fetch_transfer *t, int attempt);

const fetch_options *fetch_options_of(const fetch *f);

#endif
