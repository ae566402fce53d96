/* Bringing the files: copied or fetched into the work folder, noted in its manifest as they come. */
#include "pull_int.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/strbuf.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---------------------------------------------------------------- notes */

/* An address without what may be a signature or a token. */
static wick_status note_url(manifest_file *f, const char *url, wick_error *err) {
    char *plain = wick_strndup(url, strcspn(url, "?#"));
    if (!plain) return wick_fail_nomem(err);
    wick_free(f->url);
    f->url = plain;
    return WICK_OK;
}

static bool same_url(const manifest_file *f, const char *url) {
    size_t n = strcspn(url, "?#");
    return strlen(f->url) == n && strncmp(f->url, url, n) == 0;
}

static wick_status note(pull_state *p, const pull_item *item, uint64_t size, const char *sha256, const char *etag, bool partial,
                        wick_error *err) {
    manifest_file *f = manifest_find(&p->work.about, item->name, true);
    if (!f) return wick_fail_nomem(err);
    f->size = size == UINT64_MAX ? 0 : size;
    f->partial = partial;
    memcpy(f->sha256, sha256, sizeof f->sha256);
    WICK_TRY(manifest_set(&f->etag, etag, err));
    if (p->source.kind != PULL_LOCAL) WICK_TRY(note_url(f, item->from, err));
    return pull_work_note(&p->work, err);
}

static void show(void *user, double done, double total) {
    pull_state *p = user;
    if (!p->r->quiet) app_progress_update(&p->progress, p->done + done, p->total > 0 ? p->total : total);
}

/* ---------------------------------------------------------------- from here */

static wick_status copy(pull_state *p, FILE *from, wick_outfile *to, const pull_item *item, char sha256[DIGEST_TEXT], wick_error *err) {
    char *block = wick_alloc(1 << 20);
    uint64_t at = 0;
    digest_state d;
    digest_begin(&d);
    wick_status status = block ? WICK_OK : wick_fail_nomem(err);
    for (size_t n; status == WICK_OK && (n = fread(block, 1, 1 << 20, from)) > 0; at += n) {
        digest_add(&d, block, n);
        status = wick_outfile_write(to, at, block, n, err);
        show(p, (double)at, (double)item->size);
        if (status == WICK_OK && app_interrupted()) status = wick_fail(err, WICK_ECANCELED, "interrupted");
    }
    if (status == WICK_OK && (ferror(from) || at != item->size))
        status = wick_fail(err, WICK_EIO, "%s: cannot read, or it changed meanwhile", item->from);
    digest_end(&d, sha256);
    wick_free(block);
    return status;
}

static wick_status bring_copy(pull_state *p, const pull_item *item, const char *path, wick_error *err) {
    wick_outfile to;
    char sha256[DIGEST_TEXT];
    FILE *from = fopen(item->from, "rb");
    if (!from) return wick_fail(err, WICK_EIO, "%s: cannot open", item->from);
    wick_status status = wick_outfile_open(&to, path, item->size, err);
    if (status == WICK_OK) {
        status = copy(p, from, &to, item, sha256, err);
        if (status == WICK_OK && item->sha256[0] && strcmp(item->sha256, sha256) != 0)
            status = wick_fail(err, WICK_EMISMATCH, "%s has the sha256 %s, expected %s", item->from, sha256, item->sha256);
        if (status == WICK_OK) status = wick_outfile_commit(&to, err);
        wick_outfile_abort(&to);
    }
    fclose(from);
    return status == WICK_OK ? note(p, item, item->size, sha256, "", false, err) : status;
}

/* ---------------------------------------------------------------- from the network */

typedef struct fetching {
    pull_state *p;
    const pull_item *item;
} fetching;

static wick_status started(void *user, fetch_job *job, wick_error *err) {
    fetching *f = user;
    return note(f->p, f->item, job->size, job->sha256, job->etag, true, err);
}

static void show_fetch(void *user, double done, double total) { show(((fetching *)user)->p, done, total); }

/* What an earlier attempt brought: all of it (true), or a part that job->etag holds for. Parts of something else are deleted. */
static bool take_over(pull_state *p, const pull_item *item, const char *path, fetch_job *job) {
    const manifest_file *f = manifest_find(&p->work.about, item->name, false);
    bool same_place = f && same_url(f, item->from), same_bytes = f && item->sha256[0] && strcmp(f->sha256, item->sha256) == 0;
    wick_strbuf partial = {0};
    if (f && !f->partial && wick_os_path_kind(path) == WICK_PATH_FILE && (same_bytes || (same_place && !item->sha256[0]))) return true;
    if (f && f->partial && same_place && (same_bytes || !item->sha256[0])) snprintf(job->etag, sizeof job->etag, "%s", f->etag);
    if (f && f->partial && (same_place || same_bytes)) return false;
    wick_strbuf_printf(&partial, "%s.partial", path);
    if (partial.data) wick_os_remove(partial.data);
    wick_strbuf_release(&partial);
    return false;
}

/* A URL that was pulled before is asked for on the condition that it is another one now. */
static void ask_for_news(pull_state *p, const pull_item *item, fetch_job *job) {
    if (p->source.kind != PULL_URL || !pull_same_wish(p) || manifest_find(&p->work.about, item->name, false)) return;
    if (p->old.about.n_files == 0) return;
    const manifest_file *f = &p->old.about.files[0];
    if (!same_url(f, item->from) || !f->etag[0]) return;
    if (item->sha256[0] && strcmp(f->sha256, item->sha256) != 0) return;
    snprintf(job->etag, sizeof job->etag, "%s", f->etag);
    job->if_changed = true;
}

static wick_status bring_fetch(pull_state *p, const pull_item *item, const char *path, wick_error *err) {
    fetching f = {p, item};
    fetch_job job = {.url = item->from, .path = path, .size = item->size, .started = started, .progress = show_fetch, .user = &f};
    memcpy(job.sha256, item->sha256, sizeof job.sha256);
    if (take_over(p, item, path, &job)) return WICK_OK;
    ask_for_news(p, item, &job);
    WICK_TRY(fetch_file(p->fetch, &job, err));
    p->unchanged = job.unchanged;
    return p->unchanged ? WICK_OK : note(p, item, job.size, job.sha256, job.etag, false, err);
}

/* ---------------------------------------------------------------- all */

static bool wanted(const pull_state *p, const char *name) {
    for (size_t i = 0; i < p->n_items; i++)
        if (strcmp(p->items[i].name, name) == 0) return true;
    return false;
}

/* What an earlier attempt brought and this one does not want. */
static wick_status drop_others(pull_state *p, wick_error *err) {
    for (size_t i = p->work.about.n_files; i-- > 0;) {
        const char *name = p->work.about.files[i].name;
        if (wanted(p, name)) continue;
        wick_strbuf partial = {0};
        char *path = pull_work_path(&p->work, name);
        if (!path) return wick_fail_nomem(err);
        wick_strbuf_printf(&partial, "%s.partial", path);
        wick_os_remove(path);
        if (partial.data) wick_os_remove(partial.data);
        wick_strbuf_release(&partial);
        wick_free(path);
        manifest_forget(&p->work.about, name);
    }
    return WICK_OK;
}

static wick_status bring(pull_state *p, const pull_item *item, wick_error *err) {
    char *path = pull_work_path(&p->work, item->name);
    if (!path) return wick_fail_nomem(err);
    wick_status status = p->source.kind == PULL_LOCAL ? bring_copy(p, item, path, err) : bring_fetch(p, item, path, err);
    wick_free(path);
    if (item->size != UINT64_MAX) p->done += (double)item->size;
    return status;
}

static double bytes_there(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 ? (double)st.st_size : 0;
}

/* All that is missing must fit, not only the next file. */
static wick_status check_room(const pull_state *p, wick_error *err) {
    double room = (double)wick_os_disk_free(p->work.folder), need = p->total;
    for (size_t i = 0; i < p->n_items; i++) {
        wick_strbuf path = {0};
        wick_strbuf_printf(&path, "%s/%s", p->work.folder, p->items[i].name);
        if (path.data) need -= bytes_there(path.data);
        wick_strbuf_puts(&path, ".partial");
        if (path.data) need -= bytes_there(path.data);
        wick_strbuf_release(&path);
    }
    if (need <= room) return WICK_OK;
    return wick_fail(err, WICK_EIO, "%s: needs %.0f MB more of disk space, %.0f MB are free; WICK_MODELS names another folder",
                     p->work.store, need / 1e6, room / 1e6);
}

wick_status pull_bring(pull_state *p, wick_error *err) {
    WICK_TRY(drop_others(p, err));
    WICK_TRY(check_room(p, err));
    app_progress_begin_bytes(&p->progress, p->work.name);
    wick_status status = WICK_OK;
    for (size_t i = 0; i < p->n_items && status == WICK_OK && !p->unchanged; i++) status = bring(p, &p->items[i], err);
    app_progress_end(&p->progress);
    return status;
}
