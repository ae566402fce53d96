/* What there is at the source, and which of it is to be brought. */
#include "pull_int.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/strbuf.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define MAX_LISTING ((size_t)32 << 20)

static const char unknown[DIGEST_TEXT] = "";

char *pull_program_name(const pull_state *p) {
    wick_strbuf b = {0};
    wick_strbuf_printf(&b, "%s.pte", p->work.name);
    return wick_strbuf_take(&b, NULL);
}

/* Takes `from` and `name` over. */
static wick_status add_item(pull_state *p, char *from, char *name, uint64_t size, const char sha256[DIGEST_TEXT], wick_error *err) {
    wick_status status = from && name && WICK_GROW(p->items, p->n_items, p->cap_items) ? WICK_OK : wick_fail_nomem(err);
    if (status == WICK_OK && !manifest_file_name_valid(name))
        status = wick_fail(err, WICK_EUNSUPPORTED, "'%.100s': no file of that name is made here", name);
    if (status != WICK_OK) {
        wick_free(from);
        wick_free(name);
        return status;
    }
    pull_item *item = &p->items[p->n_items++];
    *item = (pull_item){.from = from, .name = name, .size = size};
    memcpy(item->sha256, sha256, sizeof item->sha256);
    return WICK_OK;
}

/* ---------------------------------------------------------------- a repository */

/* Adds text with everything escaped that could mean something in a URL; `keep` may stay. */
static void add_escaped(wick_strbuf *b, const char *text, const char *keep) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (const char *c = text; *c; c++)
        if (strchr(plain, *c) || strchr(keep, *c))
            wick_strbuf_putc(b, *c);
        else
            wick_strbuf_printf(b, "%%%02X", (unsigned char)*c);
}

static char *file_url(const pull_state *p, const char *path) {
    wick_strbuf b = {0};
    wick_strbuf_printf(&b, "%s/%s/resolve/%s/", p->endpoint, p->source.location, p->revision);
    add_escaped(&b, path, "/");
    return wick_strbuf_take(&b, NULL);
}

static wick_status list_repository(pull_state *p, hub_listing *l, wick_error *err) {
    wick_strbuf url = {0};
    const char *revision = p->r->revision ? p->r->revision : p->source.revision[0] ? p->source.revision : "main";
    char *text = NULL;
    size_t size;
    wick_strbuf_printf(&url, "%s/api/models/%s/revision/", p->endpoint, p->source.location);
    add_escaped(&url, revision, "");
    wick_strbuf_puts(&url, "?blobs=true");
    wick_status status = url.failed ? wick_fail_nomem(err) : fetch_text(p->fetch, url.data, MAX_LISTING, &text, &size, err);
    if (status == WICK_OK) status = hub_listing_parse(l, (wick_bytes){(const uint8_t *)text, size}, p->source.location, err);
    if (status == WICK_OK && !(p->revision = wick_strdup(l->commit))) status = wick_fail_nomem(err);
    wick_free(text);
    wick_strbuf_release(&url);
    return status;
}

/* The file's name here. */
static char *local_name(const pull_state *p, hub_form form, const char *path, bool first) {
    wick_strbuf b = {0};
    if (form == HUB_PROGRAM && first) return pull_program_name(p);
    if (form == HUB_FILE)
        wick_strbuf_printf(&b, MANIFEST_CHECKPOINT "%s.gguf", p->work.name);
    else
        wick_strbuf_printf(&b, "%s%s", form == HUB_SAFETENSORS ? MANIFEST_CHECKPOINT : "", hub_base_name(path));
    return wick_strbuf_take(&b, NULL);
}

static wick_status add_choice(pull_state *p, const hub_listing *l, const hub_choice *c, wick_error *err) {
    for (size_t i = 0; i < c->n_picks; i++) {
        const hub_file *f = &l->files[c->picks[i]];
        char *name = local_name(p, c->form, f->path, i == 0);
        char *from = p->source.kind == PULL_HUB ? file_url(p, f->path) : wick_path_join(p->source.location, f->path);
        WICK_TRY(add_item(p, from, name, f->size, f->sha256, err));
    }
    if (c->form == HUB_FILE) p->checkpoint = pull_work_path(&p->work, p->items[0].name);
    if (c->form == HUB_SAFETENSORS) p->checkpoint = pull_work_path(&p->work, MANIFEST_CHECKPOINT);
    return c->form == HUB_PROGRAM || p->checkpoint ? WICK_OK : wick_fail_nomem(err);
}

/* Is everything that would be brought what the model was made from? The commit says so, or the digests of all files. */
static bool have_all(pull_state *p) {
    if (!pull_same_wish(p)) return false;
    bool same = !p->r->sha256 && strcmp(p->old.about.revision, p->revision) == 0;
    for (size_t i = 0; i < p->n_items && !same; i++) {
        const manifest_file *f = manifest_find(&p->old.about, p->items[i].name, false);
        if (!f || !p->items[i].sha256[0] || strcmp(f->sha256, p->items[i].sha256) != 0) return false;
    }
    return p->n_items > 0;
}

static wick_status plan_hub(pull_state *p, wick_error *err) {
    hub_listing l = {0};
    hub_choice c = {0};
    wick_status status = list_repository(p, &l, err);
    if (status == WICK_OK && (status = hub_choose(&l, p->source.selector, &c, err)) != WICK_OK)
        wick_error_context(err, status, "%s", p->source.location);
    if (status == WICK_OK) status = add_choice(p, &l, &c, err);
    hub_choice_release(&c);
    hub_listing_release(&l);
    return status;
}

/* ---------------------------------------------------------------- a URL */

/* What it is shows when it is here; until then it counts as a checkpoint. The suffix is kept: some checkpoints are known by it. */
static wick_status plan_url(pull_state *p, wick_error *err) {
    static const char *const suffixes[] = {".pte", ".gguf", ".safetensors", ".bin", NULL};
    wick_strbuf name = {0};
    wick_strbuf_printf(&name, MANIFEST_CHECKPOINT "%s", p->work.name);
    for (const char *const *s = suffixes; *s; s++) {
        size_t n = strlen(p->source.text), m = strlen(*s);
        if (n > m && strcasecmp(p->source.text + n - m, *s) == 0) wick_strbuf_puts(&name, *s);
    }
    return add_item(p, wick_strdup(p->source.location), wick_strbuf_take(&name, NULL), UINT64_MAX, unknown, err);
}

/* ---------------------------------------------------------------- here */

typedef struct folder_walk {
    const char *folder;
    hub_listing l;
    bool has_program;
    wick_status status;
    wick_error *err;
} folder_walk;

static bool list_file(void *user, const char *name) {
    folder_walk *w = user;
    struct stat st;
    char *path = wick_path_join(w->folder, name);
    bool file = path && stat(path, &st) == 0 && S_ISREG(st.st_mode);
    size_t n = strlen(name);
    wick_free(path);
    if (!file) return true;
    w->has_program |= n > 4 && strcasecmp(name + n - 4, ".pte") == 0;
    w->status = hub_listing_add(&w->l, name, (uint64_t)st.st_size, "", w->err);
    return w->status == WICK_OK;
}

/* Programs are copied; checkpoints are exported from where they are. */
static wick_status plan_folder(pull_state *p, wick_error *err) {
    folder_walk w = {.folder = p->source.location, .err = err};
    hub_choice c = {0};
    wick_status status = wick_os_list(p->source.location, list_file, &w, err);
    if (status == WICK_OK) status = w.status;
    if (status == WICK_OK && w.has_program) {
        status = hub_choose(&w.l, "", &c, err);
        if (status == WICK_OK) status = add_choice(p, &w.l, &c, err);
    } else if (status == WICK_OK && !(p->checkpoint = wick_strdup(p->source.location))) {
        status = wick_fail_nomem(err);
    }
    hub_choice_release(&c);
    hub_listing_release(&w.l);
    return status;
}

static wick_status plan_local(pull_state *p, wick_error *err) {
    bool program;
    struct stat st = {0};
    if (wick_os_path_kind(p->source.location) == WICK_PATH_FOLDER) return plan_folder(p, err);
    WICK_TRY(pull_sniff(p->source.location, &program, err));
    if (!program) {
        p->checkpoint = wick_strdup(p->source.location);
        return p->checkpoint ? WICK_OK : wick_fail_nomem(err);
    }
    stat(p->source.location, &st);
    return add_item(p, wick_strdup(p->source.location), pull_program_name(p), (uint64_t)st.st_size, unknown, err);
}

/* ---------------------------------------------------------------- what was demanded of it */

static wick_status digest_of_file(const char *path, char out[DIGEST_TEXT], wick_error *err) {
    wick_mapping m;
    digest_state d;
    WICK_TRY(wick_os_map(path, false, &m, err));
    digest_begin(&d);
    digest_add(&d, m.data, m.size);
    digest_end(&d, out);
    wick_os_unmap(&m);
    return WICK_OK;
}

/* --sha256 is of the program, or of the one checkpoint file. */
static wick_status demand_digest(pull_state *p, wick_error *err) {
    char want[DIGEST_TEXT], found[DIGEST_TEXT] = "";
    if (!p->r->sha256) return WICK_OK;
    digest_parse(p->r->sha256, want);
    if (p->checkpoint && (p->n_items > 1 || wick_os_path_kind(p->checkpoint) == WICK_PATH_FOLDER))
        return wick_fail(err, WICK_EINVAL, "--sha256 is of one file; %s is a checkpoint of several", p->r->what);
    if (p->n_items)
        memcpy(found, p->items[0].sha256, sizeof found);
    else
        WICK_TRY(digest_of_file(p->checkpoint, found, err));
    if (found[0] && strcmp(found, want) != 0)
        return wick_fail(err, WICK_EMISMATCH, "%s has the sha256 %s, expected %s", p->r->what, found, want);
    if (p->n_items) memcpy(p->items[0].sha256, want, sizeof want);
    return WICK_OK;
}

wick_status pull_plan(pull_state *p, wick_error *err) {
    WICK_TRY(p->source.kind == PULL_HUB ? plan_hub(p, err) : p->source.kind == PULL_URL ? plan_url(p, err) : plan_local(p, err));
    WICK_TRY(demand_digest(p, err));
    if (p->source.kind != PULL_URL) WICK_TRY(pull_refuse_overrides(p, err));
    if (p->source.kind == PULL_HUB) p->unchanged = have_all(p);
    for (size_t i = 0; i < p->n_items; i++) p->total += p->items[i].size == UINT64_MAX ? 0 : (double)p->items[i].size;
    return WICK_OK;
}
