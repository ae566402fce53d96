#include "export/checkpoint.h"

#include "base/file.h"
#include "base/mem.h"
#include "export/checkpoint_family.h"

#include <ctype.h>
#include <math.h>

/* ---------------------------------------------------------------- sanity */

static wick_status check_range(const char *path, const char *what, int64_t value, int64_t low, int64_t high, wick_error *err) {
    if (value >= low && value <= high) return WICK_OK;
    return wick_fail(err, WICK_EFORMAT, "%s: %s is %lld, expected %lld to %lld", path, what, (long long)value, (long long)low,
                     (long long)high);
}

wick_status wick_arch_check(const wick_arch *a, const char *path, wick_error *err) {
    WICK_TRY(check_range(path, "the width", a->dim, 1, 1 << 20, err));
    WICK_TRY(check_range(path, "the number of layers", a->n_layer, 1, 1 << 12, err));
    WICK_TRY(check_range(path, "the number of heads", a->n_head, 1, 1 << 12, err));
    WICK_TRY(check_range(path, "the number of key/value heads", a->n_kv_head, 1, a->n_head, err));
    WICK_TRY(check_range(path, "the size of a head", a->d_head, 1, 2048, err));
    WICK_TRY(check_range(path, "the width of the feed-forward network", a->d_ffn, 1, 1 << 22, err));
    WICK_TRY(check_range(path, "the size of the vocabulary", a->n_vocab, 1, WICK_MAX_VOCAB, err));
    WICK_TRY(check_range(path, "the context length", a->max_context, 1, WICK_MAX_CONTEXT, err));
    WICK_TRY(check_range(path, "the rotary part of a head", a->n_rotary, 2, a->d_head, err));
    if (a->n_head % a->n_kv_head)
        return wick_fail(err, WICK_EFORMAT, "%s: %lld heads do not share %lld key/value heads evenly", path, (long long)a->n_head,
                         (long long)a->n_kv_head);
    if (a->n_rotary % 2) return wick_fail(err, WICK_EFORMAT, "%s: the rotary part of a head, %lld, is odd", path, (long long)a->n_rotary);
    if (!(a->norm_eps > 0 && a->norm_eps < 1)) return wick_fail(err, WICK_EFORMAT, "%s: the epsilon of the norms is not in (0, 1)", path);
    if (!(a->rope_theta > 0 && a->rope_theta < 1e12)) return wick_fail(err, WICK_EFORMAT, "%s: the rope theta is no positive number", path);
    if ((a->rope_scaling == WICK_ROPE_LINEAR || a->rope_scaling == WICK_ROPE_LLAMA3) && !(a->rope_factor >= 1 && a->rope_factor < 1e6))
        return wick_fail(err, WICK_EFORMAT, "%s: the factor of the rope scaling is below 1", path);
    if (a->rope_scaling == WICK_ROPE_LLAMA3 && !(a->rope_low_freq_factor > 0 && a->rope_high_freq_factor > a->rope_low_freq_factor &&
                                                 isfinite(a->rope_high_freq_factor) && a->rope_original_context > 0))
        return wick_fail(err, WICK_EFORMAT, "%s: the frequency factors of the rope scaling are not ascending positive numbers", path);
    return WICK_OK;
}

/* Ascending, each once. Ids outside the vocabulary cannot be produced and are left out. */
wick_status wick_checkpoint_add_eos(wick_checkpoint *c, int64_t id, wick_error *err) {
    if (id < 0 || id >= c->arch.n_vocab) return WICK_OK;
    size_t at = 0;
    while (at < c->n_eos && c->eos_ids[at] < id) at++;
    if (at < c->n_eos && c->eos_ids[at] == id) return WICK_OK;
    int64_t *grown = wick_realloc(c->eos_ids, c->n_eos + 1, sizeof *grown);
    if (!grown) return wick_fail_nomem(err);
    memmove(grown + at + 1, grown + at, (c->n_eos - at) * sizeof *grown);
    grown[at] = id;
    c->eos_ids = grown;
    c->n_eos++;
    return WICK_OK;
}

/* ---------------------------------------------------------------- names and places */

/* The folder of a path without its last part; "" is the current one. */
static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return wick_strndup(path, slash == path ? 1 : slash ? (size_t)(slash - path) : 0);
}

/* Length of a name without a suffix that tells how a GGUF was quantized: ".Q4_1", "-F16", ".IQ4_XS". */
static size_t without_type(const char *s, size_t n) {
    size_t at = n;
    while (at > 0 && (isalnum((unsigned char)s[at - 1]) || s[at - 1] == '_')) at--;
    const char *t = s + at;
    if (at < 2 || (s[at - 1] != '.' && s[at - 1] != '-') || at == n) return n;
    if (*t == 'I' || *t == 'i') t++;
    bool quantized = (*t == 'Q' || *t == 'q') && isdigit((unsigned char)t[1]);
    bool plain = (n - at == 3 && (!strncmp(t, "F16", 3) || !strncmp(t, "F32", 3) || !strncmp(t, "f16", 3) || !strncmp(t, "f32", 3))) ||
                 (n - at == 4 && (!strncmp(t, "BF16", 4) || !strncmp(t, "bf16", 4)));
    return quantized || plain ? at - 1 : n;
}

/* The name of a model: the last part of the path that says something, without endings. */
static char *model_name(const char *path, wick_container_kind kind, bool folder) {
    size_t end = strlen(path), start;
    const char *base = strrchr(path, '/');
    if (!folder && kind == WICK_CONTAINER_SAFETENSORS && !strcmp(base ? base + 1 : path, "model.safetensors"))
        end = base ? (size_t)(base - path) : 0, folder = true;
    while (end > 0 && path[end - 1] == '/') end--;
    start = end;
    while (start > 0 && path[start - 1] != '/') start--;
    for (size_t dot = end; !folder && dot > start + 1; dot--)
        if (path[dot - 1] == '.') {
            end = dot - 1;
            break;
        }
    size_t n = end - start;
    if (kind == WICK_CONTAINER_GGUF) n = without_type(path + start, n);
    if (n == 0 || path[start] == '.') return wick_strdup("model");
    char *name = wick_strndup(path + start, n);
    for (char *p = name; p && *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '.' && *p != '-' && *p != '_') *p = '-';
    return name;
}

/* The JSON that says what a safetensors checkpoint is: what the caller gave, or config.json or params.json beside it. */
static wick_status read_json_arch(wick_checkpoint *c, const char *folder, const char *params, const wick_family **family, wick_error *err) {
    static const char *const names[] = {"config.json", "params.json"};
    if (params) return wick_arch_from_json(c, params, family, err);
    for (int i = 0; i < 2; i++) {
        char *path = *folder ? wick_path_join(folder, names[i]) : wick_strdup(names[i]);
        if (!path) return wick_fail_nomem(err);
        wick_status status = WICK_ENOTFOUND;
        if (wick_os_path_kind(path) == WICK_PATH_FILE) status = wick_arch_from_json(c, path, family, err);
        wick_free(path);
        if (status != WICK_ENOTFOUND) return status;
    }
    return wick_fail(err, WICK_ENOTFOUND, "%s: no config.json or params.json beside the weights says what model this is", c->path);
}

/* ---------------------------------------------------------------- opening */

static wick_status read_all(wick_checkpoint *c, const char *folder, const char *params, wick_error *err) {
    const wick_family *family = NULL;
    wick_container_kind kind = c->container->kind;
    if (params && kind != WICK_CONTAINER_SAFETENSORS)
        return wick_fail(err, WICK_EINVAL, "%s: this file says itself what model it is; '%s' cannot be used with it", c->path, params);
    if (kind == WICK_CONTAINER_GGUF)
        WICK_TRY(wick_arch_from_gguf(c, &family, err));
    else if (kind == WICK_CONTAINER_LLAMA2C)
        WICK_TRY(wick_arch_from_llama2c(c, &family, err));
    else
        WICK_TRY(read_json_arch(c, folder, params, &family, err));
    WICK_TRY(wick_arch_check(&c->arch, c->path, err));
    WICK_TRY(wick_checkpoint_bind(c, family, err));
    if (kind == WICK_CONTAINER_LLAMA2C) {
        c->bos_id = 1; /* llama2.c: 1 begins a text, and where it comes again another one begins */
        WICK_TRY(wick_checkpoint_add_eos(c, 1, err));
        WICK_TRY(wick_checkpoint_add_eos(c, 2, err));
    }
    if (kind == WICK_CONTAINER_GGUF)
        WICK_TRY(wick_checkpoint_extras_gguf(c, err));
    else
        WICK_TRY(wick_checkpoint_extras_folder(c, folder, err));
    if (c->bos_id < 0 || c->bos_id >= c->arch.n_vocab) c->bos_id = -1;
    return WICK_OK;
}

/* Takes the container over, whatever happens. */
static wick_status open_container(wick_container *container, const char *path, const char *params, wick_checkpoint **out, wick_error *err) {
    *out = NULL;
    wick_checkpoint *c = WICK_NEW(wick_checkpoint);
    if (!c) {
        wick_container_close(container);
        return wick_fail_nomem(err);
    }
    wick_status status = WICK_OK;
    bool is_folder = wick_os_path_kind(path) == WICK_PATH_FOLDER;
    char *folder = is_folder ? wick_strdup(path) : folder_of(path);
    c->container = container;
    c->bos_id = -1;
    c->path = wick_strdup(path);
    c->name = model_name(path, container->kind, is_folder);
    status = folder && c->path && c->name ? read_all(c, folder, params, err) : wick_fail_nomem(err);
    wick_free(folder);
    if (status == WICK_OK)
        *out = c;
    else
        wick_checkpoint_close(c);
    return status;
}

wick_status wick_checkpoint_open(const char *path, const char *params, wick_checkpoint **out, wick_error *err) {
    wick_container *container;
    *out = NULL;
    WICK_TRY(wick_container_open(path, &container, err));
    return open_container(container, path, params, out, err);
}

wick_status wick_checkpoint_open_memory(wick_bytes data, const char *name, wick_checkpoint **out, wick_error *err) {
    wick_container *container;
    *out = NULL;
    WICK_TRY(wick_container_open_memory(data, name, &container, err));
    return open_container(container, name, NULL, out, err);
}

void wick_checkpoint_close(wick_checkpoint *c) {
    if (!c) return;
    wick_container_close(c->container);
    wick_free(c->arch.rope_factors);
    wick_free(c->layers);
    wick_free(c->eos_ids);
    wick_free(c->tokenizer);
    wick_free(c->chat_template);
    wick_free(c->generation);
    wick_free(c->name);
    wick_free(c->path);
    wick_free(c);
}
