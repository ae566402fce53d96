#include "pull_int.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/strbuf.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- settings */

static wick_status find_endpoint(pull_state *p, wick_error *err) {
    const char *given = getenv("HF_ENDPOINT");
    p->endpoint_text = wick_strdup(given && given[0] ? given : "https://huggingface.co");
    if (!p->endpoint_text) return wick_fail_nomem(err);
    size_t n = strlen(p->endpoint_text);
    while (n && p->endpoint_text[n - 1] == '/') p->endpoint_text[--n] = 0;
    p->endpoint = p->endpoint_text;
    return WICK_OK;
}

static wick_status join_overrides(pull_state *p, wick_error *err) {
    wick_strbuf b = {0};
    for (size_t i = 0; i < p->r->n_overrides; i++) wick_strbuf_printf(&b, "%s%s", i ? " " : "", p->r->overrides[i]);
    p->recipe = wick_strbuf_take(&b, NULL);
    return p->recipe ? WICK_OK : wick_fail_nomem(err);
}

static wick_status open_fetch(pull_state *p, wick_error *err) {
    const char *token = getenv("HF_TOKEN");
    fetch_options o = {.token = token && token[0] ? token : NULL,
                       .token_origin = p->endpoint,
                       .allow_http = p->r->allow_http,
                       .timeout = p->r->timeout,
                       .retries = p->r->retries};
    return p->source.kind == PULL_LOCAL ? WICK_OK : fetch_new(&o, &p->fetch, err);
}

/* ---------------------------------------------------------------- what has the name now */

bool pull_same_wish(const pull_state *p) {
    if (!p->old.name || p->r->force || p->r->tokenizer) return false;
    if (strcmp(p->old.about.source, p->source.text) != 0 || strcmp(p->old.about.recipe, p->recipe) != 0) return false;
    if (!p->r->keep || p->old.about.n_files < 2) return true;
    char *kept = wick_path_join(p->old.folder, MANIFEST_CHECKPOINT);
    bool there = kept && wick_os_path_kind(kept) == WICK_PATH_FOLDER;
    wick_free(kept);
    return there;
}

static wick_status look_up(pull_state *p, const char *name, wick_error *err) {
    wick_status status = store_find(name, &p->old, err);
    if (status == WICK_ENOTFOUND) return WICK_OK;
    if (status != WICK_OK || p->r->force || strcmp(p->old.about.source, p->source.text) == 0) return status;
    const char *from = p->old.about.source;
    return wick_fail(err, WICK_EINVAL, "there is a model '%s' already%s%s: --name gives this one another name, --force replaces it", name,
                     from[0] ? ", from " : "", from);
}

/* Without the network: what is here is what there is. */
static wick_status offline(pull_state *p, wick_error *err) {
    p->unchanged = pull_same_wish(p);
    if (p->unchanged) return WICK_OK;
    return wick_fail(err, WICK_ENOTFOUND, "%s is not here, and nothing is fetched offline", p->r->what);
}

/* ---------------------------------------------------------------- the order of things */

static wick_status put_in_place(pull_state *p, wick_error *err) {
    char *bare = p->old.name && !p->old.folder[0] ? wick_strdup(p->old.path) : NULL; /* NAME.pte makes room for NAME/ */
    wick_status status = pull_work_commit(&p->work, err);
    if (status == WICK_OK && bare) wick_os_remove(bare);
    wick_free(bare);
    return status;
}

/* What came over the network stays: say what for. */
static wick_status add_hint(const pull_state *p, wick_status status, wick_error *err) {
    if (!p->work.folder || p->source.kind == PULL_LOCAL || !p->work.about.n_files || !err) return status;
    wick_error said = *err;
    if (p->exporting)
        return wick_fail(err, status, "%.350s; what came is kept for another try, 'wick rm %.100s' removes it", said.message, p->work.name);
    if (status != WICK_EIO && status != WICK_ECANCELED) return status;
    return wick_fail(err, status, "%.400s; 'wick pull' again goes on where it stopped", said.message);
}

static wick_status work(pull_state *p, const char *name, wick_error *err) {
    WICK_TRY(pull_work_open(&p->work, name, p->source.text, p->r->force, err));
    wick_status status = pull_plan(p, err);
    if (status == WICK_OK && !p->unchanged) status = pull_bring(p, err);
    if (status == WICK_OK && !p->unchanged) status = pull_make(p, err);
    if (status == WICK_OK && !p->unchanged) status = put_in_place(p, err);
    if (status == WICK_OK && p->unchanged) pull_work_discard(&p->work);
    if (status != WICK_OK) add_hint(p, status, err);
    pull_work_close(&p->work);
    return status;
}

static wick_status pull(pull_state *p, store_model *out, wick_error *err) {
    WICK_TRY(find_endpoint(p, err));
    WICK_TRY(join_overrides(p, err));
    WICK_TRY(pull_source_parse(&p->source, p->r->what, p->endpoint, err));
    if (p->r->revision && p->source.kind != PULL_HUB)
        return wick_fail(err, WICK_EINVAL, "--revision %s: %s is no repository of a hub", p->r->revision, p->r->what);
    const char *name = p->r->name ? p->r->name : p->source.name;
    if (!manifest_name_valid(name))
        return wick_fail(err, WICK_EINVAL,
                         "'%.160s' cannot be a model's name: letters, digits and '._+-' can stand in it, '.' and '-' not first", name);
    WICK_TRY(look_up(p, name, err));
    WICK_TRY(open_fetch(p, err));
    WICK_TRY(p->r->offline && p->source.kind != PULL_LOCAL ? offline(p, err) : work(p, name, err));
    return store_find(name, out, err);
}

static void release(pull_state *p) {
    for (size_t i = 0; i < p->n_items; i++) {
        wick_free(p->items[i].from);
        wick_free(p->items[i].name);
    }
    wick_free(p->items);
    wick_free(p->checkpoint);
    wick_free(p->revision);
    wick_free(p->endpoint_text);
    wick_free(p->recipe);
    fetch_free(p->fetch);
    store_model_release(&p->old);
    pull_source_release(&p->source);
}

wick_status pull_model(const pull_request *r, store_model *out, bool *unchanged, wick_error *err) {
    pull_state p = {.r = r};
    *out = (store_model){0};
    wick_status status = pull(&p, out, err);
    *unchanged = p.unchanged;
    release(&p);
    return status;
}
