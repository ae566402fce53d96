/* fetch.h: getting things over HTTP, by libcurl.
 *
 * The network is hostile and unreliable, so:
 *   - only https, and http to this very machine (or anywhere, if the user allowed it); every redirect is held to this again, and none
 *     leads from elsewhere to this machine;
 *   - a token goes to the origin it was given for and to nobody else: not to where that origin redirects, never in clear text over
 *     a network, and into no message;
 *   - a file grows in "PATH.partial" and is asked for from where it stopped, on the condition that it is still the same (If-Range
 *     with the entity tag, or a known digest); it gets its name when it is whole, has the digest that it should have, and is on disk;
 *   - what is slow or fails for the moment is tried again, later each time; what is refused is told in one sentence at once. */
#ifndef WICK_APP_FETCH_H
#define WICK_APP_FETCH_H

#include "digest.h"

#include "base/error.h"

typedef struct fetch_options {
    const char *token;        /* bearer token, NULL: none */
    const char *token_origin; /* the URL whose origin (scheme, host, port) gets it */
    bool allow_http;
    int timeout; /* seconds without a byte, or without an answer */
    int retries; /* attempts after one that failed without bringing anything */
} fetch_options;

typedef struct fetch fetch;

/* Ctrl-C (progress.h) ends a transfer or a wait with WICK_ECANCELED. */
wick_status fetch_new(const fetch_options *options, fetch **out, wick_error *err);
void fetch_free(fetch *f);

/* The answer as text, at most `limit` bytes. To be freed (base/mem.h). */
wick_status fetch_text(fetch *f, const char *url, size_t limit, char **text, size_t *size, wick_error *err);

typedef struct fetch_job {
    const char *url, *path; /* the file: "PATH.partial" until it is whole */
    /* In: what is known of the file. size UINT64_MAX, texts "": unknown. Out: what the server said, or what was found. */
    uint64_t size;
    char sha256[DIGEST_TEXT];
    char etag[256];  /* in: under which PATH.partial was begun; a strong one */
    bool if_changed; /* nothing is fetched if the server still has `etag` */
    bool unchanged;  /* out: that was so */
    /* Called once it is known what comes (etag and size are set): before the first byte is written. */
    wick_status (*started)(void *user, struct fetch_job *job, wick_error *err);
    void (*progress)(void *user, double done, double total); /* total 0: unknown */
    void *user;
} fetch_job;

wick_status fetch_file(fetch *f, fetch_job *job, wick_error *err);

#endif
