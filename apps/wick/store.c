#include "store.h"

#include "folder.h"
#include "option.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/strbuf.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAM_SUFFIX ".pte"
#define PARTIAL_SUFFIX ".partial"

void store_model_release(store_model *m) {
    wick_free(m->name);
    wick_free(m->folder);
    wick_free(m->path);
    manifest_release(&m->about);
    *m = (store_model){0};
}

/* ---------------------------------------------------------------- one model */

static bool has_suffix(const char *s, const char *suffix) {
    size_t n = strlen(s), m = strlen(suffix);
    return n > m && strcmp(s + n - m, suffix) == 0;
}

typedef struct only {
    char *name; /* of the one program in a folder; NULL: none */
    bool several;
} only;

static bool find_only(void *user, const char *name) {
    only *o = user;
    if (name[0] == '.' || !has_suffix(name, PROGRAM_SUFFIX)) return true;
    if (o->name) return !(o->several = true);
    o->name = wick_strdup(name);
    return true;
}

/* The program: what the manifest says, else the only one in the folder. "" if there is none. */
static wick_status find_program(store_model *m, wick_error *err) {
    only o = {0};
    char *path = m->about.model[0] ? wick_path_join(m->folder, m->about.model) : NULL;
    if (!path || wick_os_path_kind(path) != WICK_PATH_FILE) {
        wick_free(path);
        path = NULL;
        WICK_TRY(wick_os_list(m->folder, find_only, &o, err));
        if (o.name && !o.several) path = wick_path_join(m->folder, o.name);
        wick_free(o.name);
    }
    m->path = path ? path : wick_strdup("");
    return m->path ? WICK_OK : wick_fail_nomem(err);
}

typedef struct measure {
    const char *folder;
    store_model *m;
} measure;

static void add_file(store_model *m, const char *path) {
    struct stat st;
    if (stat(path, &st) != 0) return;
    if (S_ISREG(st.st_mode)) m->size += (uint64_t)st.st_size;
    if (st.st_mtime > m->modified) m->modified = st.st_mtime;
}

static bool measure_file(void *user, const char *name) {
    const measure *w = user;
    char *path = wick_path_join(w->folder, name);
    if (path) add_file(w->m, path);
    wick_free(path);
    return true;
}

static void measure_folder(store_model *m) {
    wick_error ignored;
    char *inner = wick_path_join(m->folder, MANIFEST_CHECKPOINT);
    measure own = {m->folder, m}, below = {inner, m};
    wick_os_list(m->folder, measure_file, &own, &ignored);
    if (inner) wick_os_list(inner, measure_file, &below, &ignored);
    wick_free(inner);
}

/* A folder of the store, or of an unfinished pull. An unreadable manifest counts as none. */
static wick_status read_folder(store_model *m, wick_error *err) {
    wick_error unread;
    if (manifest_load(&m->about, m->folder, &unread) != WICK_OK) WICK_TRY(manifest_init(&m->about, err));
    WICK_TRY(find_program(m, err));
    measure_folder(m);
    if (m->about.pulled) m->modified = m->about.pulled;
    return WICK_OK;
}

static wick_status read_entry(const char *store, const char *entry, const char *name, bool partial, store_model *out, wick_error *err) {
    char *path = wick_path_join(store, entry);
    *out = (store_model){.name = wick_strdup(name), .partial = partial};
    if (!path || !out->name) {
        wick_free(path);
        store_model_release(out);
        return wick_fail_nomem(err);
    }
    wick_status status;
    if (wick_os_path_kind(path) == WICK_PATH_FOLDER) {
        out->folder = path;
        status = read_folder(out, err);
    } else {
        out->path = path;
        out->folder = wick_strdup("");
        add_file(out, path);
        status = out->folder ? manifest_init(&out->about, err) : wick_fail_nomem(err);
    }
    if (status != WICK_OK) store_model_release(out);
    return status;
}

/* ---------------------------------------------------------------- all models */

static int by_name(const void *a, const void *b) {
    const store_model *x = a, *y = b;
    int order = strcasecmp(x->name, y->name);
    return order ? order : strcmp(x->name, y->name);
}

typedef struct collector {
    const char *store;
    store_model *models;
    size_t n, cap;
    wick_status status;
    wick_error *err;
} collector;

/* The model's name inside a directory entry ("NAME", "NAME.pte", ".NAME.partial"); false: the entry is no model. */
static bool name_of_entry(const char *store, const char *entry, char name[256], bool *partial) {
    *partial = entry[0] == '.' && has_suffix(entry, PARTIAL_SUFFIX);
    size_t n = strlen(entry);
    char *path = wick_path_join(store, entry);
    wick_path_kind kind = path ? wick_os_path_kind(path) : WICK_PATH_NONE;
    wick_free(path);
    if (*partial) {
        entry++, n -= 1 + strlen(PARTIAL_SUFFIX);
        if (kind != WICK_PATH_FOLDER) return false;
    } else if (kind == WICK_PATH_FILE && has_suffix(entry, PROGRAM_SUFFIX)) {
        n -= strlen(PROGRAM_SUFFIX);
    } else if (kind != WICK_PATH_FOLDER) {
        return false;
    }
    if (n > 255) return false;
    memcpy(name, entry, n);
    name[n] = 0;
    return manifest_name_valid(name);
}

static bool collect(void *user, const char *entry) {
    collector *c = user;
    char name[256];
    bool partial;
    if (!name_of_entry(c->store, entry, name, &partial)) return true;
    if (!WICK_GROW(c->models, c->n, c->cap)) {
        c->status = wick_fail_nomem(c->err);
        return false;
    }
    store_model m;
    c->status = read_entry(c->store, entry, name, partial, &m, c->err);
    if (c->status == WICK_OK && !m.path[0] && !partial)
        store_model_release(&m); /* a folder without a program */
    else if (c->status == WICK_OK)
        c->models[c->n++] = m;
    return c->status == WICK_OK;
}

wick_status store_list(store_model **models, size_t *n, wick_error *err) {
    char *store;
    *models = NULL, *n = 0;
    WICK_TRY(app_folder_path(APP_FOLDER_MODELS, &store, err));
    collector c = {.store = store, .err = err};
    wick_status status = wick_os_path_kind(store) == WICK_PATH_NONE ? WICK_OK : wick_os_list(store, collect, &c, err);
    if (status == WICK_OK) status = c.status;
    wick_free(store);
    if (status != WICK_OK) {
        store_list_free(c.models, c.n);
        return status;
    }
    if (c.n) qsort(c.models, c.n, sizeof *c.models, by_name);
    *models = c.models, *n = c.n;
    return WICK_OK;
}

void store_list_free(store_model *models, size_t n) {
    for (size_t i = 0; i < n; i++) store_model_release(&models[i]);
    wick_free(models);
}

wick_status store_find(const char *name, store_model *out, wick_error *err) {
    store_model *models;
    size_t n;
    *out = (store_model){0};
    WICK_TRY(store_list(&models, &n, err));
    wick_status status = WICK_ENOTFOUND;
    for (size_t i = 0; i < n && status != WICK_OK; i++)
        if (!models[i].partial && strcmp(models[i].name, name) == 0) {
            *out = models[i];
            models[i] = (store_model){0};
            status = WICK_OK;
        }
    store_list_free(models, n);
    return status == WICK_OK ? WICK_OK : wick_fail(err, WICK_ENOTFOUND, "there is no model '%s': 'wick list' shows what there is", name);
}

/* ---------------------------------------------------------------- removing */

static int delete_one(const char *path, const struct stat *st, int type, struct FTW *where) {
    (void)st, (void)type, (void)where;
    return remove(path);
}

wick_status store_delete_tree(const char *path, wick_error *err) {
    /* FTW_PHYS: links are deleted, not followed. */
    if (nftw(path, delete_one, 16, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT) return WICK_OK;
    return wick_fail(err, WICK_EIO, "%s: cannot delete: %s", path, strerror(errno));
}

/* Out of sight by one rename, then deleted: nobody meets half a model. */
static wick_status remove_entry(const char *store, const char *entry, wick_error *err) {
    wick_strbuf hidden = {0};
    char *path = wick_path_join(store, entry);
    wick_strbuf_printf(&hidden, "%s/.%s.%ld" STORE_REMOVED_SUFFIX, store, entry, (long)getpid());
    wick_status status = path && !hidden.failed ? WICK_OK : wick_fail_nomem(err);
    /* Where it cannot be renamed (a lower layer of an overlay), it goes piece by piece. */
    if (status == WICK_OK) status = store_delete_tree(rename(path, hidden.data) == 0 ? hidden.data : path, err);
    wick_strbuf_release(&hidden);
    wick_free(path);
    return status;
}

/* What a killed removal left. */
static void finish_removal(const char *store, const char *entry) {
    wick_error ignored;
    char *path = wick_path_join(store, entry);
    if (path) store_delete_tree(path, &ignored);
    wick_free(path);
}

typedef struct remover {
    const char *store, *name;
    size_t n_removed;
    wick_status status;
    wick_error *err;
} remover;

static bool remove_if_named(void *user, const char *entry) {
    remover *r = user;
    char name[256];
    bool partial;
    if (entry[0] == '.' && has_suffix(entry, STORE_REMOVED_SUFFIX)) finish_removal(r->store, entry);
    if (!name_of_entry(r->store, entry, name, &partial) || strcmp(name, r->name) != 0) return true;
    r->status = remove_entry(r->store, entry, r->err);
    r->n_removed += r->status == WICK_OK;
    return r->status == WICK_OK;
}

wick_status store_remove(const char *name, wick_error *err) {
    char *store;
    WICK_TRY(app_folder_path(APP_FOLDER_MODELS, &store, err));
    remover r = {.store = store, .name = name, .err = err};
    wick_status status = wick_os_path_kind(store) == WICK_PATH_NONE ? WICK_OK : wick_os_list(store, remove_if_named, &r, err);
    if (status == WICK_OK) status = r.status;
    if (status == WICK_OK && !r.n_removed)
        status = wick_fail(err, WICK_ENOTFOUND, "there is no model '%s' in %s: 'wick list' shows what there is", name, store);
    wick_free(store);
    return status;
}

/* ---------------------------------------------------------------- names where files are expected */

/* Exactly the name, or what it was pulled from; else the only one that begins with it. NULL: none, or *several. */
static const store_model *match(const store_model *models, size_t n, const char *word, bool *several) {
    const store_model *found = NULL;
    *several = false;
    for (size_t i = 0; i < n; i++)
        if (!models[i].partial && strcmp(models[i].name, word) == 0) return &models[i];
    for (size_t i = 0; i < n; i++)
        if (!models[i].partial && strcmp(models[i].about.source, word) == 0) return &models[i];
    for (size_t i = 0; i < n; i++) {
        if (models[i].partial || strncasecmp(models[i].name, word, strlen(word)) != 0) continue;
        *several = found != NULL;
        if (*several) return NULL;
        found = &models[i];
    }
    return found;
}

static bool is_partial(const store_model *models, size_t n, const char *word) {
    for (size_t i = 0; i < n; i++)
        if (models[i].partial && (strcmp(models[i].name, word) == 0 || strcmp(models[i].about.source, word) == 0)) return true;
    return false;
}

static wick_status not_found(const store_model *models, size_t n, const char *word, bool several, wick_error *err) {
    char *store = NULL;
    if (is_partial(models, n, word))
        return wick_fail(err, WICK_ENOTFOUND, "'%s' is not pulled completely: 'wick pull' again goes on where it stopped", word);
    if (several) return wick_fail(err, WICK_ENOTFOUND, "'%s' is the beginning of several models: 'wick list' shows them", word);
    app_folder_path(APP_FOLDER_MODELS, &store, NULL);
    wick_fail(err, WICK_ENOTFOUND, "%s: no such file, and no model of that name in %s; 'wick list' shows them, 'wick pull' fetches one",
              word, store ? store : "the models folder");
    wick_free(store);
    return WICK_ENOTFOUND;
}

wick_status store_resolve(const char *word, char **path, wick_error *err) {
    wick_path_kind kind = wick_os_path_kind(word);
    store_model *models = NULL;
    size_t n = 0;
    bool several = false, bare = !strchr(word, '/');
    wick_error unlisted;
    *path = NULL;
    const store_model *found = NULL;
    if (word[0] && (kind == WICK_PATH_NONE || (kind == WICK_PATH_FOLDER && bare))) {
        if (store_list(&models, &n, &unlisted) == WICK_OK) found = match(models, n, word, &several);
        if (found && kind == WICK_PATH_FOLDER && strcmp(found->name, word) != 0) found = NULL;
    }
    wick_status status = WICK_OK;
    if (found || kind != WICK_PATH_NONE) {
        *path = wick_strdup(found ? found->path : word);
        if (!*path) status = wick_fail_nomem(err);
    } else {
        status = not_found(models, n, word, several, err);
    }
    store_list_free(models, n);
    return status;
}

wick_status store_resolve_option(const char **word, wick_error *err) {
    char *path;
    if (!*word) return WICK_OK;
    WICK_TRY(store_resolve(*word, &path, err));
    *word = app_keep(path);
    return WICK_OK;
}
