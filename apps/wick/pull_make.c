/* From what was brought to a model: the program is made if it has to be, examined, and told about in the manifest. */
#include "pull_int.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/strbuf.h"
#include "wick_export.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

wick_status pull_sniff(const char *path, bool *program, wick_error *err) {
    char head[64] = {0};
    *program = store_is_program(path);
    if (*program) return WICK_OK;
    FILE *f = fopen(path, "rb");
    if (!f) return wick_fail(err, WICK_EIO, "%s: cannot open", path);
    head[fread(head, 1, sizeof head - 1, f)] = 0;
    fclose(f);
    const char *text = head + strspn(head, " \t\r\n");
    if (strncasecmp(text, "<!doctype", 9) == 0 || strncasecmp(text, "<html", 5) == 0)
        return wick_fail(err, WICK_EFORMAT, "%s: a web page came, not a model: is this the address of the file itself?", path);
    if (strncmp(text, "version https://git-lfs", 23) == 0)
        return wick_fail(err, WICK_EFORMAT, "%s: a Git LFS pointer, not the file that it points to", path);
    return WICK_OK;
}

/* ---------------------------------------------------------------- the program */

static bool show_export(void *user, double done, double total) {
    pull_state *p = user;
    return p->r->quiet ? !app_interrupted() : app_progress_update(&p->progress, done, total);
}

static wick_status export_program(pull_state *p, const char *output, wick_error *err) {
    wick_export_config *config = NULL;
    wick_export_result result = {0};
    wick_export_hooks hooks = {show_export, NULL, p};
    WICK_TRY(wick_export_config_new(&config, err));
    wick_status status = WICK_OK;
    for (size_t i = 0; i < p->r->n_overrides && status == WICK_OK; i++) status = wick_export_config_set(config, p->r->overrides[i], err);
    if (status == WICK_OK) {
        wick_export_options *o = wick_export_config_edit(config);
        o->checkpoint = p->checkpoint;
        o->output = output;
        if (p->r->tokenizer) o->tokenizer = p->r->tokenizer;
        app_progress_begin(&p->progress, "export");
        status = wick_export(o, &hooks, &result, err);
        app_progress_end(&p->progress);
    }
    wick_export_result_release(&result);
    wick_export_config_free(config);
    return status;
}

wick_status pull_refuse_overrides(const pull_state *p, wick_error *err) {
    if (p->checkpoint || !p->r->n_overrides) return WICK_OK;
    return wick_fail(err, WICK_EINVAL, "%s is a program already: --set %s can change nothing", p->r->what, p->r->overrides[0]);
}

/* A URL's file, now that its first bytes can be seen: a program gets its place, anything else is a checkpoint. */
static wick_status place_unknown(pull_state *p, const char *output, const char *name, wick_error *err) {
    bool program;
    char *path = pull_work_path(&p->work, p->items[0].name);
    manifest_file *f = manifest_find(&p->work.about, p->items[0].name, false);
    char *new_name = wick_strdup(name);
    wick_status status = path && f && new_name ? pull_sniff(path, &program, err) : wick_fail_nomem(err);
    if (status == WICK_OK && program) {
        status = wick_os_rename(path, output, err);
        if (status == WICK_OK) {
            wick_free(f->name);
            f->name = new_name;
            new_name = NULL;
        }
    } else if (status == WICK_OK) {
        p->checkpoint = path;
        path = NULL;
    }
    wick_free(path);
    wick_free(new_name);
    return status;
}

static wick_status check_program(const char *path, wick_error *err) {
    bool program;
    WICK_TRY(pull_sniff(path, &program, err));
    return program ? WICK_OK : wick_fail(err, WICK_EFORMAT, "%s: is no ExecuTorch program", path);
}

/* A program without a tokenizer finds one of these names beside it. */
static wick_status keep_tokenizer(pull_state *p, wick_error *err) {
    const char *dot = strrchr(p->r->tokenizer, '.');
    const char *name = dot && strcasecmp(dot, ".json") == 0  ? "tokenizer.json"
                       : dot && strcasecmp(dot, ".bin") == 0 ? "tokenizer.bin"
                                                             : "tokenizer.model";
    wick_mapping m;
    WICK_TRY(wick_os_map(p->r->tokenizer, true, &m, err));
    char *path = pull_work_path(&p->work, name);
    manifest_file *f = manifest_find(&p->work.about, name, true);
    wick_status status = path && f ? wick_file_write(path, m.data, m.size, err) : wick_fail_nomem(err);
    if (f) f->size = m.size;
    wick_os_unmap(&m);
    wick_free(path);
    return status;
}

/* ---------------------------------------------------------------- tidying up */

static wick_status drop_checkpoint(const pull_state *p, wick_error *err) {
    char *inner = pull_work_path(&p->work, MANIFEST_CHECKPOINT);
    wick_status status = inner ? store_delete_tree(inner, err) : wick_fail_nomem(err);
    wick_free(inner);
    return status;
}

static wick_status note_program(pull_state *p, const char *name, const char *path, wick_error *err) {
    struct stat st = {0};
    manifest_file *f = manifest_find(&p->work.about, name, true);
    if (!f) return wick_fail_nomem(err);
    stat(path, &st);
    f->size = (uint64_t)st.st_size;
    p->work.about.pulled = wick_os_unix_time();
    WICK_TRY(manifest_set(&p->work.about.model, name, err));
    WICK_TRY(manifest_set(&p->work.about.recipe, p->recipe, err));
    return manifest_set(&p->work.about.revision, p->revision, err);
}

static wick_status make(pull_state *p, const char *name, const char *path, wick_error *err) {
    if (p->source.kind == PULL_URL) WICK_TRY(place_unknown(p, path, name, err));
    WICK_TRY(pull_refuse_overrides(p, err));
    p->exporting = p->checkpoint != NULL;
    if (p->exporting)
        WICK_TRY(export_program(p, path, err));
    else if (p->r->tokenizer)
        WICK_TRY(keep_tokenizer(p, err));
    WICK_TRY(check_program(path, err));
    WICK_TRY(store_describe(path, &p->work.about, err));
    if (!p->r->keep) WICK_TRY(drop_checkpoint(p, err));
    return note_program(p, name, path, err);
}

wick_status pull_make(pull_state *p, wick_error *err) {
    char *name = pull_program_name(p), *path = name ? pull_work_path(&p->work, name) : NULL;
    wick_status status = path ? make(p, name, path, err) : wick_fail_nomem(err);
    wick_free(name);
    wick_free(path);
    return status;
}
