#include "fetch_int.h"

#include "fetch_url.h"
#include "progress.h"

#include "base/mem.h"
#include "base/strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { MAX_REDIRECTS = 10, MAX_SKIPPED = 16384, MAX_WAIT = 60 };

struct fetch {
    CURL *curl;
    fetch_options o;
    char *token, *token_origin;
    char said[CURL_ERROR_SIZE];
};

const fetch_options *fetch_options_of(const fetch *f) { return &f->o; }

wick_status fetch_new(const fetch_options *options, fetch **out, wick_error *err) {
    fetch *f = WICK_NEW(fetch);
    *out = NULL;
    if (!f) return wick_fail_nomem(err);
    f->o = *options;
    bool copied = true;
    if (options->token && options->token_origin) {
        f->token = wick_strdup(options->token);
        f->token_origin = wick_strdup(options->token_origin);
        copied = f->token && f->token_origin;
    }
    f->curl = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_easy_init() : NULL;
    if (!copied || !f->curl) {
        fetch_free(f);
        return copied ? wick_fail(err, WICK_EIO, "libcurl cannot be started") : wick_fail_nomem(err);
    }
    *out = f;
    return WICK_OK;
}

void fetch_free(fetch *f) {
    if (!f) return;
    curl_easy_cleanup(f->curl);
    curl_global_cleanup();
    wick_free(f->token);
    wick_free(f->token_origin);
    wick_free(f);
}

/* ---------------------------------------------------------------- callbacks of libcurl */

/* Copies a header's value if the line is of that name; too long ones give "". */
static bool header_value(const char *line, size_t n, const char *name, char *out, size_t room) {
    size_t m = strlen(name);
    if (n <= m || strncasecmp(line, name, m) != 0 || line[m] != ':') return false;
    const char *from = line + m + 1, *to = line + n;
    while (from < to && (*from == ' ' || *from == '\t')) from++;
    while (to > from && (unsigned char)to[-1] <= ' ') to--;
    size_t size = (size_t)(to - from);
    if (size >= room || memchr(from, 0, size)) size = 0;
    memcpy(out, from, size);
    out[size] = 0;
    return true;
}

static size_t on_header(char *line, size_t one, size_t n, void *user) {
    fetch_reply *r = &((fetch_transfer *)user)->reply;
    char text[32];
    n *= one;
    if (n > 5 && strncmp(line, "HTTP/", 5) == 0) { /* another answer begins: what an interim one said does not count */
        char linked[sizeof r->linked_etag];
        memcpy(linked, r->linked_etag, sizeof linked);
        *r = (fetch_reply){.length = UINT64_MAX};
        memcpy(r->linked_etag, linked, sizeof linked);
    }
    if (header_value(line, n, "etag", r->etag, sizeof r->etag) || header_value(line, n, "content-range", r->range, sizeof r->range) ||
        header_value(line, n, "content-encoding", r->encoding, sizeof r->encoding) ||
        header_value(line, n, "x-error-message", r->complaint, sizeof r->complaint))
        return n;
    if (!((fetch_transfer *)user)->redirected && header_value(line, n, "x-linked-etag", r->linked_etag, sizeof r->linked_etag)) return n;
    if (header_value(line, n, "retry-after", text, sizeof text)) r->retry_after = strtol(text, NULL, 10);
    return n;
}

static void read_status(fetch_transfer *t) {
    curl_off_t length = -1;
    curl_easy_getinfo(t->f->curl, CURLINFO_RESPONSE_CODE, &t->reply.code);
    curl_easy_getinfo(t->f->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    t->reply.length = length < 0 ? UINT64_MAX : (uint64_t)length;
}

static bool has_body(const fetch_reply *r) { return r->code == 200 || r->code == 206; }

static wick_status begin_body(fetch_transfer *t) {
    t->begun = true;
    if (t->reply.encoding[0] && strcasecmp(t->reply.encoding, "identity") != 0)
        return wick_fail(t->err, WICK_EFORMAT, "the server sends it encoded (%s), which was not asked for", t->reply.encoding);
    return t->begin(t, t->err);
}

static size_t on_body(char *data, size_t one, size_t n, void *user) {
    fetch_transfer *t = user;
    n *= one;
    read_status(t);
    if (!has_body(&t->reply)) { /* of a redirect or a complaint: read if it is short, so that the connection can go on */
        t->skipped += n;
        return t->skipped > MAX_SKIPPED ? 0 : n;
    }
    if (!t->begun) t->status = begin_body(t);
    if (t->status == WICK_OK) t->status = t->take(t, data, n, t->err);
    return t->status == WICK_OK ? n : 0;
}

static int on_progress(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
    fetch_transfer *t = user;
    (void)a, (void)b, (void)c, (void)d;
    if (t->tick) t->tick(t);
    return app_interrupted();
}

/* ---------------------------------------------------------------- one hop */

/* Certificates of authorities that the user trusts instead of the system's; the variables that the curl tool and OpenSSL read. */
static void set_authorities(CURL *c) {
    const char *given = getenv("CURL_CA_BUNDLE");
    if (!given || !given[0]) given = getenv("SSL_CERT_FILE");
    if (given && given[0]) curl_easy_setopt(c, CURLOPT_CAINFO, given);
}

static void set_up(fetch_transfer *t, const char *url, struct curl_slist *headers, bool with_token) {
    CURL *c = t->f->curl;
    curl_easy_reset(c);
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L); /* fetch_exchange does it, and looks where it leads */
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "wick/" WICK_VERSION_STRING);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->f->said);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)t->f->o.timeout);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)t->f->o.timeout);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
    set_authorities(c);
    if (with_token) {
        curl_easy_setopt(c, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(c, CURLOPT_XOAUTH2_BEARER, t->f->token);
    }
}

static CURLcode one_hop(fetch_transfer *t, const char *url) {
    bool with_token = t->f->token && fetch_url_may_have_token(url, t->f->token_origin);
    t->f->said[0] = 0;
    t->begun = false;
    t->skipped = 0;
    t->status = WICK_OK;
    set_up(t, url, t->headers, with_token);
    CURLcode code = curl_easy_perform(t->f->curl);
    read_status(t);
    if (code == CURLE_OK && has_body(&t->reply) && !t->begun) t->status = begin_body(t); /* an empty one */
    return code;
}

/* ---------------------------------------------------------------- what went wrong */

static bool curl_transient(CURLcode code) {
    return code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT ||
           code == CURLE_PARTIAL_FILE || code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
           code == CURLE_HTTP2 || code == CURLE_HTTP2_STREAM;
}

/* `where`: the address as it may be shown. */
static wick_status connection_failed(fetch_transfer *t, CURLcode code, const char *where, wick_error *err) {
    t->transient = curl_transient(code);
    if (t->status != WICK_OK) {
        t->transient = false;
        return wick_error_context(err, t->status, "%s", where);
    }
    if (code == CURLE_ABORTED_BY_CALLBACK) return wick_fail(err, WICK_ECANCELED, "interrupted");
    if (code == CURLE_COULDNT_RESOLVE_HOST) return wick_fail(err, WICK_EIO, "%s: there is no such host, or no network", where);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return wick_fail(err, WICK_EIO, "%s: no answer, or nothing more, for %d s", where, t->f->o.timeout);
    if (code == CURLE_PARTIAL_FILE) return wick_fail(err, WICK_EIO, "%s: the connection ended before the file did", where);
    return wick_fail(err, WICK_EIO, "%s: %s", where, t->f->said[0] ? t->f->said : curl_easy_strerror(code));
}

static wick_status refused(fetch_transfer *t, const char *where, wick_error *err) {
    const fetch_reply *r = &t->reply;
    const char *colon = r->complaint[0] ? ": " : "";
    t->transient = r->code == 408 || r->code == 429 || (r->code >= 500 && r->code != 501);
    switch (r->code) {
    case 401:
    case 403:
        return wick_fail(err, WICK_EIO, "%s: the server refuses (%ld%s%s); %s", where, r->code, colon, r->complaint,
                         t->f->token ? "the token gives no access to it" : "if it needs an account, set HF_TOKEN");
    case 404:
    case 410: return wick_fail(err, WICK_ENOTFOUND, "%s: the server has nothing there (%ld%s%s)", where, r->code, colon, r->complaint);
    case 429: return wick_fail(err, WICK_EIO, "%s: the server has had too many requests (429); try again later", where);
    default: return wick_fail(err, WICK_EIO, "%s: the server answers with %ld%s%s", where, r->code, colon, r->complaint);
    }
}

/* ---------------------------------------------------------------- a request with its redirects */

static bool is_redirect(long code) { return code == 301 || code == 302 || code == 303 || code == 307 || code == 308; }

/* Where the answer sends us, checked; *url is replaced. */
static wick_status next_hop(fetch_transfer *t, char **url, wick_error *err) {
    char *target = NULL;
    curl_easy_getinfo(t->f->curl, CURLINFO_REDIRECT_URL, &target);
    if (!target) return wick_fail(err, WICK_EFORMAT, "the server redirects to nowhere (%ld)", t->reply.code);
    WICK_TRY(fetch_url_allowed(target, *url, t->f->o.allow_http, err));
    char *copy = wick_strdup(target);
    if (!copy) return wick_fail_nomem(err);
    wick_free(*url);
    *url = copy;
    t->redirected = true;
    return WICK_OK;
}

static wick_status judge_hop(fetch_transfer *t, CURLcode code, const char *url, wick_error *err) {
    bool said = t->reply.code >= 300 && t->skipped > MAX_SKIPPED; /* a long complaint was cut short by us */
    char *where = fetch_url_shown(url);
    wick_status status = WICK_OK;
    if (!where)
        status = wick_fail_nomem(err);
    else if ((code != CURLE_OK && !said) || t->status != WICK_OK)
        status = connection_failed(t, code, where, err);
    else if (!has_body(&t->reply) && !is_redirect(t->reply.code) && t->reply.code != 304 && t->reply.code != 416)
        status = refused(t, where, err);
    wick_free(where);
    return status;
}

wick_status fetch_exchange(fetch_transfer *t, wick_error *err) {
    t->transient = t->redirected = false;
    t->reply = (fetch_reply){0};
    t->err = err;
    WICK_TRY(fetch_url_allowed(t->url, NULL, t->f->o.allow_http, err));
    char *url = wick_strdup(t->url);
    wick_status status = url ? WICK_OK : wick_fail_nomem(err);
    for (int hop = 0; status == WICK_OK; hop++) {
        CURLcode code = one_hop(t, url);
        status = judge_hop(t, code, url, err);
        if (status != WICK_OK || !is_redirect(t->reply.code)) break;
        status = hop < MAX_REDIRECTS ? next_hop(t, &url, err) : wick_fail(err, WICK_EFORMAT, "more than %d redirects", MAX_REDIRECTS);
    }
    wick_free(url);
    return status;
}

bool fetch_wait(fetch_transfer *t, int attempt) {
    double seconds = 0.5 * (double)(1 << (attempt < 8 ? attempt - 1 : 7));
    if (t->reply.retry_after > seconds) seconds = (double)t->reply.retry_after;
    if (seconds > MAX_WAIT) seconds = MAX_WAIT;
    for (; seconds > 0; seconds -= 0.1) {
        if (app_interrupted()) return false;
        if (t->tick) t->tick(t);
        nanosleep(&(struct timespec){0, 100000000}, NULL);
    }
    return true;
}

/* ---------------------------------------------------------------- text */

typedef struct text_state {
    wick_strbuf text;
    size_t limit;
} text_state;

static wick_status begin_text(fetch_transfer *t, wick_error *err) {
    (void)err;
    wick_strbuf_reset(&((text_state *)t->user)->text);
    return WICK_OK;
}

static wick_status take_text(fetch_transfer *t, const void *data, size_t n, wick_error *err) {
    text_state *s = t->user;
    if (n > s->limit - s->text.size) return wick_fail(err, WICK_ELIMIT, "the answer is longer than %zu bytes", s->limit);
    wick_strbuf_add(&s->text, data, n);
    return s->text.failed ? wick_fail_nomem(err) : WICK_OK;
}

wick_status fetch_text(fetch *f, const char *url, size_t limit, char **text, size_t *size, wick_error *err) {
    text_state s = {.limit = limit};
    fetch_transfer t = {.f = f, .url = url, .begin = begin_text, .take = take_text, .user = &s};
    wick_status status;
    for (int attempt = 1;; attempt++) {
        status = fetch_exchange(&t, err);
        if (status == WICK_OK || !t.transient || attempt > f->o.retries || !fetch_wait(&t, attempt)) break;
    }
    if (status == WICK_OK && t.reply.code != 200) status = wick_fail(err, WICK_EIO, "the server answers with %ld", t.reply.code);
    *text = NULL;
    if (status == WICK_OK) {
        wick_strbuf_add(&s.text, "", 0);
        *text = wick_strbuf_take(&s.text, size);
        if (!*text) status = wick_fail_nomem(err);
    }
    wick_strbuf_release(&s.text);
    return status;
}
