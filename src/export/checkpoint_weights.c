/* Names of tensors become weights with a purpose. */
#include "export/checkpoint_family.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdio.h>

/* ---------------------------------------------------------------- roles and families */

#define ROLE_SCOPE_M false
#define ROLE_SCOPE_L true
static const struct {
    const char *name;
    bool per_layer;
} roles[WICK_N_ROLE] = {
#define ROLE_ROW(role, scope, text) [WICK_ROLE_##role] = {text, ROLE_SCOPE_##scope},
    WICK_ROLE_LIST(ROLE_ROW)
#undef ROLE_ROW
};

const char *wick_role_name(wick_role role) { return (unsigned)role < WICK_N_ROLE ? roles[role].name : "?"; }

static const wick_family *const families[] = {&wick_family_llama};
enum { N_FAMILY = sizeof families / sizeof *families };

static const char *const *family_keys(const wick_family *f, wick_family_key key) {
    return key == WICK_FAMILY_HF_CLASS ? f->hf_classes : key == WICK_FAMILY_HF_TYPE ? f->hf_types : f->gguf_names;
}

const wick_family *wick_family_find(wick_family_key key, const char *value) {
    for (int i = 0; i < N_FAMILY; i++)
        for (const char *const *k = family_keys(families[i], key); *k; k++)
            if (!strcmp(*k, value)) return families[i];
    return NULL;
}

wick_status wick_family_unknown(const char *file, const char *what, const char *value, wick_family_key key, wick_error *err) {
    char list[200] = "";
    size_t n = 0;
    for (int i = 0; i < N_FAMILY; i++)
        for (const char *const *k = family_keys(families[i], key); *k && n < sizeof list; k++)
            n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", *k);
    return wick_fail(err, WICK_EUNSUPPORTED, "%s: %s '%.100s' is not one that Wick exports (%s)", file, what, value, list);
}

/* ---------------------------------------------------------------- shapes */

/* Rows and columns that the architecture gives a role; vectors have one column. */
static void role_shape(const wick_arch *a, wick_role role, int64_t *rows, int64_t *cols) {
    int64_t q = a->n_head * a->d_head, kv = a->n_kv_head * a->d_head;
    *cols = 1;
    switch (role) {
    case WICK_ROLE_EMBEDDING:
    case WICK_ROLE_HEAD: *rows = a->n_vocab, *cols = a->dim; break;
    case WICK_ROLE_Q: *rows = q, *cols = a->dim; break;
    case WICK_ROLE_K:
    case WICK_ROLE_V: *rows = kv, *cols = a->dim; break;
    case WICK_ROLE_O: *rows = a->dim, *cols = q; break;
    case WICK_ROLE_GATE:
    case WICK_ROLE_UP: *rows = a->d_ffn, *cols = a->dim; break;
    case WICK_ROLE_DOWN: *rows = a->dim, *cols = a->d_ffn; break;
    case WICK_ROLE_Q_BIAS: *rows = q; break;
    case WICK_ROLE_K_BIAS:
    case WICK_ROLE_V_BIAS: *rows = kv; break;
    case WICK_ROLE_Q_NORM:
    case WICK_ROLE_K_NORM: *rows = a->d_head; break;
    default: *rows = a->dim;
    }
}

static wick_status check_shape(const wick_checkpoint *c, const wick_tensor *t, wick_role role, int64_t rows, int64_t cols,
                               wick_error *err) {
    bool vector = cols == 1;
    if (t->rank != (vector ? 1 : 2) || t->dims[0] != rows || (!vector && t->dims[1] != cols)) {
        char found[128] = "", *at = found;
        for (int i = 0; i < t->rank; i++)
            at += snprintf(at, (size_t)(found + sizeof found - at), "%s%lld", i ? "," : "", (long long)t->dims[i]);
        if (vector)
            return wick_fail(err, WICK_EMISMATCH, "%s: the tensor '%s' has the shape [%s], the configuration says [%lld]", c->path, t->name,
                             found, (long long)rows);
        return wick_fail(err, WICK_EMISMATCH, "%s: the tensor '%s' (%s) has the shape [%s], the configuration says [%lld,%lld]", c->path,
                         t->name, wick_role_name(role), found, (long long)rows, (long long)cols);
    }
    float none;
    wick_status status = wick_tensor_to_f32(t, 0, 0, &none, err); /* says which types there are */
    return status == WICK_OK ? WICK_OK : wick_error_context(err, status, "%s", c->path);
}

/* ---------------------------------------------------------------- binding */

enum { NAME_SIZE = 160 };

/* A pattern with the number of the layer in the place of '#'. */
static void tensor_name(const char *pattern, int64_t layer, char name[NAME_SIZE]) {
    const char *mark = strchr(pattern, '#');
    if (mark)
        snprintf(name, NAME_SIZE, "%.*s%lld%s", (int)(mark - pattern), pattern, (long long)layer, mark + 1);
    else
        snprintf(name, NAME_SIZE, "%s", pattern);
}

static void fill_weight(const wick_checkpoint *c, const wick_family *f, wick_naming naming, wick_role role, const wick_tensor *t,
                        wick_weight *w) {
    *w = (wick_weight){.tensor = t};
    role_shape(&c->arch, role, &w->n_row, &w->n_col);
    bool turns = role == WICK_ROLE_Q || role == WICK_ROLE_K || role == WICK_ROLE_Q_BIAS || role == WICK_ROLE_K_BIAS;
    if (turns && f->pairs[naming]) w->d_pair = c->arch.d_head, w->n_pair = c->arch.n_rotary;
}

static wick_status bind_role(wick_checkpoint *c, const wick_family *f, wick_naming naming, wick_role role, int64_t layer, bool *used,
                             wick_error *err) {
    const char *pattern = f->names[naming][role];
    char name[NAME_SIZE] = "";
    if (pattern) tensor_name(pattern, layer, name);
    const wick_tensor *t = wick_container_find(c->container, name);
    wick_weight *w = roles[role].per_layer ? &c->layers[layer].weights[role] : &c->weights[role];
    if (!t && pattern && !(f->optional >> role & 1))
        return wick_fail(err, WICK_ENOTFOUND, "%s: the tensor '%s' (%s) is missing", c->path, name, wick_role_name(role));
    if (t) {
        int64_t rows, cols;
        role_shape(&c->arch, role, &rows, &cols);
        WICK_TRY(check_shape(c, t, role, rows, cols, err));
        used[t - c->container->tensors] = true;
        fill_weight(c, f, naming, role, t, w);
    }
    bool first = roles[role].per_layer && layer > 0 ? wick_weight_present(&c->layers[0].weights[role]) : t != NULL;
    if ((t != NULL) != first)
        return wick_fail(err, WICK_EMISMATCH, "%s: layer 0 has %s %s and layer %lld has %s", c->path, first ? "a" : "no",
                         wick_role_name(role), (long long)layer, first ? "none" : "one");
    return WICK_OK;
}

/* Tensors that follow from the configuration: no weights, though some files hold them. */
static bool derivable(const wick_checkpoint *c, const char *name) {
    size_t n = strlen(name), m = strlen(".rotary_emb.inv_freq");
    if (!strcmp(name, "rope.freqs") || !strcmp(name, "rope_freqs.weight")) return true;
    if (n > m && !strcmp(name + n - m, ".rotary_emb.inv_freq")) return true;
    return c->arch.tied && !strcmp(name, "lm_head.weight");
}

static wick_status refuse_rest(const wick_checkpoint *c, const bool *used, wick_error *err) {
    size_t n = 0;
    const char *first = NULL;
    for (size_t i = 0; i < c->container->n_tensor; i++) {
        if (used[i] || derivable(c, c->container->tensors[i].name)) continue;
        if (!n++) first = c->container->tensors[i].name;
    }
    if (!n) return WICK_OK;
    return wick_fail(err, WICK_EUNSUPPORTED, "%s: %zu tensor%s, '%s'%s, ha%s no place in a model of the family '%s'", c->path, n,
                     n > 1 ? "s" : "", first, n > 1 ? " among them" : "", n > 1 ? "ve" : "s", c->arch.family);
}

static wick_status naming_of(const wick_checkpoint *c, const wick_family *f, wick_naming *out, wick_error *err) {
    for (int i = 0; i < WICK_N_NAMING; i++) {
        const char *name = f->names[i][WICK_ROLE_EMBEDDING];
        if (!name || !wick_container_find(c->container, name)) continue;
        *out = (wick_naming)i;
        return WICK_OK;
    }
    return wick_fail(err, WICK_EUNSUPPORTED, "%s: no tensor is called as the embedding of the family '%s' is ('%s')", c->path, f->name,
                     f->names[WICK_NAMING_HF][WICK_ROLE_EMBEDDING]);
}

static wick_status bind_all(wick_checkpoint *c, const wick_family *f, wick_naming naming, bool *used, wick_error *err) {
    for (int r = 0; r < WICK_N_ROLE; r++) {
        if (r == WICK_ROLE_HEAD && c->arch.tied) continue;
        for (int64_t i = 0; i < (roles[r].per_layer ? c->arch.n_layer : 1); i++)
            WICK_TRY(bind_role(c, f, naming, (wick_role)r, i, used, err));
    }
    if (!wick_weight_present(&c->weights[WICK_ROLE_HEAD])) {
        c->arch.tied = true;
        c->weights[WICK_ROLE_HEAD] = c->weights[WICK_ROLE_EMBEDDING];
    }
    const wick_weight *w = c->layers[0].weights;
    c->arch.qkv_bias = wick_weight_present(&w[WICK_ROLE_Q_BIAS]);
    c->arch.o_bias = wick_weight_present(&w[WICK_ROLE_O_BIAS]);
    c->arch.qk_norm = wick_weight_present(&w[WICK_ROLE_Q_NORM]);
    if (wick_weight_present(&w[WICK_ROLE_K_BIAS]) != c->arch.qkv_bias || wick_weight_present(&w[WICK_ROLE_V_BIAS]) != c->arch.qkv_bias ||
        wick_weight_present(&w[WICK_ROLE_K_NORM]) != c->arch.qk_norm)
        return wick_fail(err, WICK_EMISMATCH, "%s: biases or norms of q, k and v are not all there", c->path);
    return refuse_rest(c, used, err);
}

wick_status wick_checkpoint_bind(wick_checkpoint *c, const wick_family *family, wick_error *err) {
    wick_naming naming = WICK_NAMING_HF;
    WICK_TRY(naming_of(c, family, &naming, err));
    if (c->arch.n_layer > (int64_t)c->container->n_tensor)
        return wick_fail(err, WICK_EMISMATCH, "%s: %lld layers are configured, but there are only %zu tensors", c->path,
                         (long long)c->arch.n_layer, c->container->n_tensor);
    c->layers = WICK_NEW_ARRAY(wick_checkpoint_layer, (size_t)c->arch.n_layer);
    bool *used = WICK_NEW_ARRAY(bool, c->container->n_tensor);
    wick_status status = c->layers && used ? bind_all(c, family, naming, used, err) : wick_fail_nomem(err);
    wick_free(used);
    return status;
}
