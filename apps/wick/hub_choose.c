/* Which files of a repository make a model. */
#include "hub_listing.h"

#include "manifest.h"

#include "base/mem.h"
#include "base/strbuf.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* GGUF types that the exporter reads, the best first. Files of Q8_0 and floats hold nothing else, and lose next to nothing before
 * the program's own rounding; in those of four bits the output matrix often has a type of its own (Q6_K). */
static const char *const gguf_types[] = {"Q8_0", "BF16", "F16", "FP16", "F32", "FP32", "Q4_0", "Q4_1", NULL};

static const char *const tokenizer_names[] = {"tokenizer.json", "tokenizer.model", "tokenizer.bin", NULL};

/* Beside the weights; what is absent is not missed here, the exporter says what it needs. */
static const char *const companions[] = {
    "config.json",         "params.json",        "generation_config.json",       "tokenizer.json",
    "tokenizer.model",     "tokenizer.bin",      "tokenizer_config.json",        "special_tokens_map.json",
    "chat_template.jinja", "chat_template.json", "model.safetensors.index.json", NULL};

void hub_choice_release(hub_choice *c) {
    wick_free(c->picks);
    *c = (hub_choice){0};
}

const char *hub_base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool has_suffix(const char *s, const char *suffix) {
    size_t n = strlen(s), m = strlen(suffix);
    return n > m && strcasecmp(s + n - m, suffix) == 0;
}

static wick_status pick(hub_choice *c, size_t i, wick_error *err) {
    if (!WICK_GROW(c->picks, c->n_picks, c->cap_picks)) return wick_fail_nomem(err);
    c->picks[c->n_picks++] = i;
    return WICK_OK;
}

static const size_t none = SIZE_MAX;

/* The file of that name in the folder of `beside` (a path in the repository). */
static size_t find_beside(const hub_listing *l, const char *beside, const char *name) {
    size_t n = (size_t)(hub_base_name(beside) - beside);
    for (size_t i = 0; i < l->n_files; i++)
        if (strncmp(l->files[i].path, beside, n) == 0 && strcmp(l->files[i].path + n, name) == 0) return i;
    return none;
}

/* Does a file's name have this word, set off by what is no letter or digit? "x-Q4_0.gguf" has Q4_0, "x-Q4_0_8.gguf" has not. */
static bool has_word(const char *path, const char *word) {
    const char *name = hub_base_name(path);
    size_t n = strlen(word);
    for (const char *p = name; *p; p++) {
        if (strncasecmp(p, word, n) != 0) continue;
        char before = p == name ? '-' : p[-1], after = p[n];
        if (!isalnum((unsigned char)before) && before != '_' && !isalnum((unsigned char)after) && after != '_') return true;
    }
    return false;
}

/* One of several files ("-00001-of-00002"), or the part of a model that sees pictures. */
static bool is_piece(const char *path) { return strstr(path, "-of-0") || strstr(hub_base_name(path), "mmproj"); }

/* A sentence about what there is, of the files with a suffix. */
static void list_files(const hub_listing *l, const char *suffix, wick_strbuf *out) {
    size_t n = 0;
    for (size_t i = 0; i < l->n_files; i++) {
        if (!has_suffix(l->files[i].path, suffix)) continue;
        if (n < 8) wick_strbuf_printf(out, "%s%.80s", n ? ", " : "", l->files[i].path);
        n++;
    }
    if (n > 8) wick_strbuf_printf(out, " and %zu more", n - 8);
}

static wick_status undecided(const hub_listing *l, const char *suffix, const char *what, wick_error *err) {
    wick_strbuf have = {0};
    list_files(l, suffix, &have);
    wick_status status =
        have.failed ? wick_fail_nomem(err) : wick_fail(err, WICK_EINVAL, "%s: there is %s", what, have.data ? have.data : "none");
    wick_strbuf_release(&have);
    return status;
}

static wick_status pick_program(const hub_listing *l, size_t i, hub_choice *out, wick_error *err) {
    out->form = HUB_PROGRAM;
    WICK_TRY(pick(out, i, err));
    for (const char *const *name = tokenizer_names; *name; name++) {
        size_t t = find_beside(l, l->files[i].path, *name);
        if (t == none) t = find_beside(l, "", *name);
        if (t != none) return pick(out, t, err);
    }
    return WICK_OK;
}

static wick_status choose_program(const hub_listing *l, const char *word, hub_choice *out, wick_error *err) {
    size_t found = none;
    for (size_t i = 0; i < l->n_files; i++) {
        if (!has_suffix(l->files[i].path, ".pte") || (word[0] && !has_word(l->files[i].path, word))) continue;
        if (found != none) return undecided(l, ".pte", "the repository has several programs; choose one (USER/REPO:FILE)", err);
        found = i;
    }
    return found == none ? WICK_OK : pick_program(l, found, out, err);
}

static size_t gguf_of_type(const hub_listing *l, const char *type) {
    for (size_t i = 0; i < l->n_files; i++)
        if (has_suffix(l->files[i].path, ".gguf") && !is_piece(l->files[i].path) && has_word(l->files[i].path, type)) return i;
    return none;
}

static bool type_known(const char *word) {
    for (const char *const *t = gguf_types; *t; t++)
        if (strcasecmp(*t, word) == 0) return true;
    return false;
}

static wick_status choose_gguf(const hub_listing *l, const char *word, hub_choice *out, wick_error *err) {
    size_t found = none, n = 0, last = none;
    for (size_t i = 0; i < l->n_files; i++)
        if (has_suffix(l->files[i].path, ".gguf") && !is_piece(l->files[i].path)) last = i, n++;
    if (!n) return WICK_OK;
    if (word[0] && !type_known(word) && gguf_of_type(l, word) != none)
        return undecided(l, ".gguf", "Wick reads GGUF files of Q4_0, Q8_0, Q4_1, BF16, F16 and F32; of the repository's files", err);
    if (word[0]) found = gguf_of_type(l, word);
    for (const char *const *t = gguf_types; *t && !word[0] && found == none; t++) found = gguf_of_type(l, *t);
    if (found == none && !word[0] && n == 1) found = last;
    if (found == none)
        return word[0] ? WICK_OK : undecided(l, ".gguf", "no GGUF file of a type that Wick reads (Q4_0, Q8_0, Q4_1, BF16, F16, F32)", err);
    out->form = HUB_FILE;
    return pick(out, found, err);
}

/* Weights at the top of the repository: model*.safetensors where there are such, else all. */
static wick_status choose_safetensors(const hub_listing *l, hub_choice *out, wick_error *err) {
    bool named = false;
    for (size_t i = 0; i < l->n_files; i++)
        named |= strncmp(l->files[i].path, "model", 5) == 0 && has_suffix(l->files[i].path, ".safetensors");
    for (size_t i = 0; i < l->n_files; i++) {
        const char *path = l->files[i].path;
        if (strchr(path, '/') || !has_suffix(path, ".safetensors") || (named && strncmp(path, "model", 5) != 0)) continue;
        if (!manifest_name_valid(path))
            return wick_fail(err, WICK_EUNSUPPORTED, "'%.100s': this file's name has characters other than letters, digits and '._+-'",
                             path);
        WICK_TRY(pick(out, i, err));
    }
    if (!out->n_picks) return WICK_OK;
    out->form = HUB_SAFETENSORS;
    for (const char *const *name = companions; *name; name++) {
        size_t i = find_beside(l, "", *name);
        if (i != none) WICK_TRY(pick(out, i, err));
    }
    return WICK_OK;
}

static wick_status choose_path(const hub_listing *l, size_t i, hub_choice *out, wick_error *err) {
    if (has_suffix(l->files[i].path, ".pte")) return pick_program(l, i, out, err);
    if (has_suffix(l->files[i].path, ".gguf")) {
        out->form = HUB_FILE;
        return pick(out, i, err);
    }
    return wick_fail(err, WICK_EUNSUPPORTED,
                     "'%s': expected a .pte or a .gguf (a safetensors checkpoint is pulled as a whole, without a file's name)",
                     l->files[i].path);
}

static wick_status choose(const hub_listing *l, const char *selector, hub_choice *out, wick_error *err) {
    for (size_t i = 0; i < l->n_files && selector[0]; i++)
        if (strcmp(l->files[i].path, selector) == 0) return choose_path(l, i, out, err);
    WICK_TRY(choose_program(l, selector, out, err));
    if (!out->n_picks) WICK_TRY(choose_gguf(l, selector, out, err));
    if (!out->n_picks && !selector[0]) WICK_TRY(choose_safetensors(l, out, err));
    if (out->n_picks) return WICK_OK;
    if (selector[0]) return undecided(l, ".gguf", "the repository has no such file or quantization; of GGUF files", err);
    return wick_fail(err, WICK_EUNSUPPORTED, "there is neither a .pte nor a .gguf nor a .safetensors in it");
}

wick_status hub_choose(const hub_listing *l, const char *selector, hub_choice *out, wick_error *err) {
    *out = (hub_choice){0};
    wick_status status = choose(l, selector, out, err);
    if (status != WICK_OK) hub_choice_release(out);
    return status;
}
