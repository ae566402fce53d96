#include "fetch_url.h"

#include "base/mem.h"
#include "base/strbuf.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef struct address {
    char *scheme, *host, *port, *user, *path; /* path: encoded as it was */
} address;

static void release(address *a) {
    curl_free(a->scheme);
    curl_free(a->host);
    curl_free(a->port);
    curl_free(a->user);
    curl_free(a->path);
    *a = (address){0};
}

/* False: not an address that libcurl would understand. */
static bool parse(const char *url, address *a) {
    *a = (address){0};
    CURLU *u = curl_url();
    bool ok = u && curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
              curl_url_get(u, CURLUPART_SCHEME, &a->scheme, 0) == CURLUE_OK && curl_url_get(u, CURLUPART_HOST, &a->host, 0) == CURLUE_OK &&
              curl_url_get(u, CURLUPART_PATH, &a->path, 0) == CURLUE_OK;
    if (ok) {
        curl_url_get(u, CURLUPART_PORT, &a->port, CURLU_DEFAULT_PORT);
        curl_url_get(u, CURLUPART_USER, &a->user, 0);
    }
    curl_url_cleanup(u);
    if (!ok) release(a);
    return ok;
}

/* Names and addresses of this machine alone. Other names may resolve to it: they are names of the network, and treated so. */
static bool is_loopback(const char *host) {
    unsigned b[3];
    int end = 0;
    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0) return true;
    return sscanf(host, "127.%3u.%3u.%3u%n", &b[0], &b[1], &b[2], &end) == 3 && !host[end] && b[0] < 256 && b[1] < 256 && b[2] < 256;
}

static wick_status judge(const address *a, const address *from, bool allow_http, wick_error *err) {
    bool secure = strcasecmp(a->scheme, "https") == 0, plain = strcasecmp(a->scheme, "http") == 0, here = is_loopback(a->host);
    if (!secure && !plain) return wick_fail(err, WICK_EUNSUPPORTED, "%s:// is not fetched: expected https://", a->scheme);
    if (a->user) return wick_fail(err, WICK_EINVAL, "an address with a user in it is not fetched");
    if (from && here && !is_loopback(from->host))
        return wick_fail(err, WICK_EFORMAT, "%s redirects to this machine (%s): refused", from->host, a->host);
    if (plain && !here && from && strcasecmp(from->scheme, "https") == 0)
        return wick_fail(err, WICK_EFORMAT, "%s redirects from https to http (%s): refused", from->host, a->host);
    if (plain && !here && !allow_http)
        return wick_fail(err, WICK_EUNSUPPORTED, "http://%s would be fetched unprotected: use https, or say --allow_http", a->host);
    return WICK_OK;
}

wick_status fetch_url_allowed(const char *url, const char *from, bool allow_http, wick_error *err) {
    address a, b = {0};
    if (!parse(url, &a)) return wick_fail(err, WICK_EINVAL, "'%.200s' is no address that can be fetched", url);
    bool known = !from || parse(from, &b);
    wick_status status = known ? judge(&a, from ? &b : NULL, allow_http, err) : wick_fail(err, WICK_EINVAL, "'%.200s' is no address", from);
    release(&a);
    release(&b);
    return status;
}

bool fetch_url_may_have_token(const char *url, const char *origin) {
    address a, b;
    if (!parse(url, &a)) return false;
    bool may = false;
    if (parse(origin, &b)) {
        may = !a.user && strcasecmp(a.scheme, b.scheme) == 0 && strcasecmp(a.host, b.host) == 0 && a.port && b.port &&
              strcmp(a.port, b.port) == 0 && (strcasecmp(a.scheme, "https") == 0 || is_loopback(a.host));
        release(&b);
    }
    release(&a);
    return may;
}

char *fetch_url_shown(const char *url) {
    address a;
    wick_strbuf b = {0};
    if (parse(url, &a)) {
        wick_strbuf_printf(&b, "%.100s%.200s", a.host, a.path);
        release(&a);
    } else {
        wick_strbuf_printf(&b, "%.*s", (int)strcspn(url, "?#"), url);
    }
    return wick_strbuf_take(&b, NULL);
}

/* A decimal number; false: none, or too large. */
static bool number(const char **p, uint64_t *out) {
    uint64_t v = 0;
    const char *from = *p;
    for (; **p >= '0' && **p <= '9'; (*p)++) {
        if (v > (UINT64_MAX >> 4)) return false;
        v = v * 10 + (uint64_t)(**p - '0');
    }
    *out = v;
    return *p > from;
}

bool fetch_content_range(const char *value, uint64_t *first, uint64_t *last, uint64_t *total) {
    *first = *last = *total = UINT64_MAX;
    if (strncasecmp(value, "bytes ", 6) != 0) return false;
    const char *p = value + 6;
    if (*p == '*')
        p++;
    else if (!number(&p, first) || *p++ != '-' || !number(&p, last) || *last < *first)
        return false;
    if (*p++ != '/') return false;
    if (p[0] == '*' && !p[1]) return *first != UINT64_MAX;
    return number(&p, total) && !*p && (*first == UINT64_MAX || *last < *total);
}

bool fetch_etag_strong(const char *value, size_t room) {
    size_t n = strlen(value);
    if (n < 2 || n >= room || value[0] != '"' || value[n - 1] != '"') return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)value[i] < ' ' || value[i] == 127) return false;
    return true;
}
