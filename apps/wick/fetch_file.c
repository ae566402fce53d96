/* A file over HTTP: resumed, checked, on disk before it has its name. */
#include "fetch_int.h"

#include "fetch_url.h"
#include "progress.h"

#include "base/mem.h"
#include "base/os.h"
#include "base/strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct file_state {
    fetch_job *job;
    char *partial;
    int fd;
    uint64_t at;                   /* bytes of the file that are in the partial one, and in the digest */
    digest_state digest;           /* of these */
    bool resumed;                  /* some of them came in an earlier transfer */
    bool whole;                    /* the server says that there are no more */
    bool size_given, digest_given; /* by the caller: they hold for whatever the server sends */
} file_state;

static wick_status fail_errno(const char *path, const char *what, wick_error *err) {
    return wick_fail(err, WICK_EIO, "%s: cannot %s: %s", path, what, strerror(errno));
}

/* ---------------------------------------------------------------- the partial file */

static wick_status start_over(file_state *s, wick_error *err) {
    if (ftruncate(s->fd, 0) != 0) return fail_errno(s->partial, "shorten", err);
    s->at = 0;
    s->resumed = s->whole = false;
    digest_begin(&s->digest);
    return WICK_OK;
}

/* Reads what is there, for the digest. */
static wick_status take_in(file_state *s, wick_error *err) {
    char *block = wick_alloc(1 << 20);
    if (!block) return wick_fail_nomem(err);
    ssize_t n;
    while ((n = pread(s->fd, block, 1 << 20, (off_t)s->at)) > 0 && !app_interrupted()) {
        digest_add(&s->digest, block, (size_t)n);
        s->at += (uint64_t)n;
    }
    wick_free(block);
    s->resumed = s->at > 0;
    if (app_interrupted()) return wick_fail(err, WICK_ECANCELED, "interrupted");
    return n < 0 ? fail_errno(s->partial, "read", err) : WICK_OK;
}

/* Can the server be held to what is here: by an entity tag, or by the digest in the end? */
static bool checkable(const file_state *s) { return s->digest_given || s->job->etag[0]; }

/* Opens it, and goes on from what it holds. */
static wick_status open_partial(file_state *s, wick_error *err) {
    const fetch_job *job = s->job;
    struct stat st;
    s->fd = open(s->partial, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->fd < 0 || fstat(s->fd, &st) != 0) return fail_errno(s->partial, "open", err);
    if (!S_ISREG(st.st_mode)) return wick_fail(err, WICK_EIO, "%s: is in the way: no regular file", s->partial);
    digest_begin(&s->digest);
    if (!checkable(s) || (uint64_t)st.st_size > job->size) return start_over(s, err);
    return take_in(s, err);
}

/* ---------------------------------------------------------------- the body */

static wick_status check_room(const file_state *s, wick_error *err) {
    uint64_t need = s->job->size == UINT64_MAX ? 0 : s->job->size - s->at, room = wick_os_disk_free(s->partial);
    if (need <= room) return WICK_OK;
    return wick_fail(err, WICK_EIO, "%s: needs %llu MB more of disk space, %llu MB are free", s->job->path,
                     (unsigned long long)(need >> 20), (unsigned long long)(room >> 20));
}

/* Is this answer the rest of what we have? */
static bool is_rest(const file_state *s, const fetch_reply *r, uint64_t *total) {
    uint64_t first, last;
    *total = UINT64_MAX;
    return r->code == 206 && s->at && fetch_content_range(r->range, &first, &last, total) && first == s->at;
}

static wick_status begin_file(fetch_transfer *t, wick_error *err) {
    file_state *s = t->user;
    fetch_job *job = s->job;
    uint64_t total;
    if (!is_rest(s, &t->reply, &total)) {
        if (t->reply.code == 206)
            return wick_fail(err, WICK_EFORMAT, "the server sends another part than it was asked for ('%s')", t->reply.range);
        WICK_TRY(start_over(s, err));
        if (!s->size_given) job->size = UINT64_MAX;
        if (!s->digest_given) job->sha256[0] = 0;
        total = t->reply.length;
    }
    if (job->size != UINT64_MAX && total != UINT64_MAX && total != job->size)
        return wick_fail(err, WICK_EMISMATCH, "the server offers %llu bytes, expected %llu", (unsigned long long)total,
                         (unsigned long long)job->size);
    if (job->size == UINT64_MAX) job->size = total;
    if (!job->sha256[0]) digest_parse(t->reply.linked_etag, job->sha256);
    bool strong = fetch_etag_strong(t->reply.etag, sizeof job->etag);
    snprintf(job->etag, sizeof job->etag, "%s", strong ? t->reply.etag : "");
    WICK_TRY(check_room(s, err));
    if (job->started) WICK_TRY(job->started(job->user, job, err));
    return WICK_OK;
}

static wick_status take_file(fetch_transfer *t, const void *data, size_t n, wick_error *err) {
    file_state *s = t->user;
    if (s->job->size != UINT64_MAX && n > s->job->size - s->at)
        return wick_fail(err, WICK_EMISMATCH, "the server sends more than the %llu bytes of the file", (unsigned long long)s->job->size);
    WICK_TRY(wick_os_pwrite(s->fd, data, n, s->at, s->partial, err));
    digest_add(&s->digest, data, n);
    s->at += n;
    return WICK_OK;
}

static void show(fetch_transfer *t) {
    const file_state *s = t->user;
    if (s->job->progress) s->job->progress(s->job->user, (double)s->at, s->job->size == UINT64_MAX ? 0 : (double)s->job->size);
}

/* ---------------------------------------------------------------- attempts */

static wick_status set_headers(fetch_transfer *t, const file_state *s, wick_error *err) {
    const fetch_job *job = s->job;
    wick_strbuf b = {0};
    struct curl_slist *list = curl_slist_append(NULL, "Accept-Encoding: identity"), *longer = list;
    if (job->if_changed)
        wick_strbuf_printf(&b, "If-None-Match: %s", job->etag);
    else if (s->at)
        wick_strbuf_printf(&b, "Range: bytes=%llu-", (unsigned long long)s->at);
    if (list && b.size) longer = curl_slist_append(list, b.data);
    if (longer && s->at && !job->if_changed && job->etag[0]) {
        wick_strbuf_reset(&b);
        wick_strbuf_printf(&b, "If-Range: %s", job->etag);
        longer = curl_slist_append(list, b.data);
    }
    bool ok = longer && !b.failed;
    wick_strbuf_release(&b);
    curl_slist_free_all(t->headers);
    t->headers = list;
    return ok ? WICK_OK : wick_fail_nomem(err);
}

/* What an answer without a body means. */
static wick_status judge_empty(fetch_transfer *t, file_state *s, wick_error *err) {
    uint64_t first, last, total;
    if (t->reply.code == 304 && s->job->if_changed) {
        s->job->unchanged = true;
        return WICK_OK;
    }
    bool told = fetch_content_range(t->reply.range, &first, &last, &total);
    if (t->reply.code == 416 && s->at && told && total == s->at) { /* nothing is left to be sent */
        s->whole = true;
        s->job->size = total;
        return WICK_OK;
    }
    t->transient = t->reply.code == 416 && s->at; /* what is here is not of this file any more */
    if (t->transient) WICK_TRY(start_over(s, err));
    return wick_fail(err, WICK_EIO, "the server answers with %ld", t->reply.code);
}

static wick_status attempt_once(fetch_transfer *t, file_state *s, wick_error *err) {
    if (s->at && s->at == s->job->size && s->digest_given) return s->whole = true, WICK_OK; /* the digest decides */
    WICK_TRY(set_headers(t, s, err));
    WICK_TRY(fetch_exchange(t, err));
    if (t->reply.code == 304 || t->reply.code == 416) return judge_empty(t, s, err);
    s->whole = s->job->size == UINT64_MAX || s->at == s->job->size;
    if (s->whole) {
        s->job->size = s->at;
        return WICK_OK;
    }
    t->transient = true;
    return wick_fail(err, WICK_EIO, "%llu of %llu bytes came", (unsigned long long)s->at, (unsigned long long)s->job->size);
}

static wick_status transfer(fetch_transfer *t, file_state *s, wick_error *err) {
    uint64_t most = s->at;
    for (int attempt = 1;; attempt++) {
        wick_status status = attempt_once(t, s, err);
        if (status == WICK_OK || !t->transient) return status;
        if (!checkable(s)) {
            WICK_TRY(start_over(s, err));
        } else if (s->at > most) { /* it goes on, if with breaks */
            most = s->at;
            attempt = 1;
        }
        s->resumed = s->at > 0;
        if (attempt > fetch_options_of(t->f)->retries) return status;
        if (!fetch_wait(t, attempt)) return wick_fail(err, WICK_ECANCELED, "interrupted");
    }
}

/* The digest that the file has to have, or gets. *again: the parts do not fit together, the whole may. */
static wick_status check_digest(file_state *s, bool *again, wick_error *err) {
    char found[DIGEST_TEXT];
    digest_state d = s->digest;
    digest_end(&d, found);
    *again = false;
    if (!s->job->sha256[0]) memcpy(s->job->sha256, found, sizeof found);
    if (strcmp(found, s->job->sha256) == 0) return WICK_OK;
    *again = s->resumed;
    wick_fail(err, WICK_EMISMATCH, "what came has the sha256 %s, expected %s: it is damaged, or another file", found, s->job->sha256);
    wick_error unable;
    start_over(s, &unable);
    return WICK_EMISMATCH;
}

static wick_status finish(file_state *s, wick_error *err) {
    int fd = s->fd;
    s->fd = -1;
    WICK_TRY(wick_os_sync_close(fd, s->partial, err));
    return wick_os_rename(s->partial, s->job->path, err);
}

static wick_status run(fetch_transfer *t, file_state *s, wick_error *err) {
    bool again = false;
    WICK_TRY(open_partial(s, err));
    WICK_TRY(transfer(t, s, err));
    if (s->job->unchanged) return WICK_OK;
    wick_status status = check_digest(s, &again, err);
    if (again) {
        WICK_TRY(transfer(t, s, err));
        status = check_digest(s, &again, err);
    }
    return status == WICK_OK ? finish(s, err) : status;
}

wick_status fetch_file(fetch *f, fetch_job *job, wick_error *err) {
    wick_strbuf partial = {0};
    wick_strbuf_printf(&partial, "%s.partial", job->path);
    file_state s = {.job = job, .partial = wick_strbuf_take(&partial, NULL), .fd = -1};
    fetch_transfer t = {.f = f, .url = job->url, .begin = begin_file, .take = take_file, .tick = show, .user = &s};
    job->unchanged = false;
    s.size_given = job->size != UINT64_MAX;
    s.digest_given = job->sha256[0] != 0;
    if (!fetch_etag_strong(job->etag, sizeof job->etag)) job->etag[0] = 0;
    wick_status status = s.partial ? run(&t, &s, err) : wick_fail_nomem(err);
    curl_slist_free_all(t.headers);
    wick_os_close(s.fd);
    wick_free(s.partial);
    return status;
}
