/* The compiler: a spec to a blob. Everything that takes thought is done here, once: hash tables, sorting, normalized
 * texts of added tokens, the facts that let the encoder take short cuts. */
#include "base/limits.h"
#include "base/mem.h"
#include "base/table.h"
#include "base/utf8.h"
#include "text/tok_format.h"
#include "text/tok_spec.h"

#include <stdlib.h>
#include <string.h>

static wick_bytes spec_text(const wick_tok_spec *s, size_t id) {
    return (wick_bytes){(const uint8_t *)s->pool.data + s->tokens[id].at, s->tokens[id].size};
}

/* ---- byte domain */

static bool has_byte_level(const wick_tok_spec *s) {
    size_t n = s->n_op[WICK_STAGE_PRE], d = s->n_op[WICK_STAGE_DECODE];
    if (!n || s->ops[WICK_STAGE_PRE][n - 1].kind != WICK_PRE_BYTE_LEVEL) return false;
    for (size_t i = 0; i + 1 < n; i++)
        if (s->ops[WICK_STAGE_PRE][i].kind == WICK_PRE_BYTE_LEVEL) return false;
    return d == 1 && s->ops[WICK_STAGE_DECODE][0].kind == WICK_DEC_BYTE_LEVEL;
}

/* Rewrites the vocabulary of a byte-level BPE to bytes. */
static wick_status to_byte_domain(wick_tok_spec *s, wick_error *err) {
    const wick_tok_config *c = &s->config;
    if (c->flags & WICK_TOK_BYTE_DOMAIN || c->model != WICK_TOK_BPE || c->prefix_size || c->suffix_size || c->unk_id != UINT32_MAX ||
        c->flags & WICK_TOK_BYTE_FALLBACK || !has_byte_level(s))
        return WICK_OK;
    for (size_t i = 0; i < s->n_token; i++) {
        wick_spec_token *t = &s->tokens[i];
        wick_bytes text = spec_text(s, i);
        char *mapped = wick_alloc(text.size + 1);
        if (!mapped) return wick_fail_nomem(err);
        size_t n = wick_alphabet_bytes((const char *)text.data, text.size, mapped);
        if (n == SIZE_MAX)
            t->flags |= WICK_TOKEN_LITERAL;
        else {
            memcpy(s->pool.data + t->at, mapped, n); /* never longer */
            t->size = (uint32_t)n;
        }
        wick_free(mapped);
    }
    s->config.flags |= WICK_TOK_BYTE_DOMAIN;
    return WICK_OK;
}

/* ---- short cuts */

#define META "\xe2\x96\x81"

/* Which bytes precede U+2581 inside pieces: no merge crosses a cut after any other byte. False: U+2581 is no piece, so that it would
 * not end a run of unknown characters. */
static bool space_cuts(const wick_tok_spec *s, uint32_t joined[8]) {
    bool known = false;
    for (size_t i = 0; i < s->n_token; i++) {
        wick_bytes t = spec_text(s, i);
        if (s->tokens[i].flags & (WICK_TOKEN_BYTE | WICK_TOKEN_CONTROL | WICK_TOKEN_UNKNOWN)) continue;
        known = known || (t.size == 3 && !memcmp(t.data, META, 3));
        for (size_t k = 1; k + 3 <= t.size; k++)
            if (!memcmp(t.data + k, META, 3) && (k < 3 || memcmp(t.data + k - 3, META, 3) != 0))
                joined[t.data[k - 1] >> 5] |= 1u << (t.data[k - 1] & 31);
    }
    return known;
}

/* ---- sections */

typedef struct sections {
    wick_strbuf part[WICK_TOK_N_SECTION];
} sections;

static void put_u32(wick_strbuf *b, uint32_t v) {
    uint8_t x[4];
    wick_store_u32(x, v);
    wick_strbuf_add(b, x, 4);
}

static wick_status put_tokens(const wick_tok_spec *s, sections *out, wick_error *err) {
    wick_strbuf *at = &out->part[WICK_TOK_SECTION_TOKEN_AT], *bytes = &out->part[WICK_TOK_SECTION_TOKEN_BYTES];
    for (size_t i = 0; i < s->n_token; i++) {
        wick_bytes t = spec_text(s, i);
        put_u32(at, (uint32_t)bytes->size);
        wick_strbuf_add(bytes, t.data, t.size);
        if (bytes->size > UINT32_MAX - (64u << 20)) return wick_fail(err, WICK_ELIMIT, "the vocabulary is longer than 4 GB");
        uint8_t flags = (uint8_t)s->tokens[i].flags;
        wick_strbuf_add(&out->part[WICK_TOK_SECTION_TOKEN_FLAGS], &flags, 1);
        if (s->config.model == WICK_TOK_UNIGRAM) {
            uint8_t x[8];
            uint64_t u;
            memcpy(&u, &s->tokens[i].score, 8);
            wick_store_u64(x, u);
            wick_strbuf_add(&out->part[WICK_TOK_SECTION_SCORES], x, 8);
        }
    }
    put_u32(at, (uint32_t)bytes->size);
    return WICK_OK;
}

/* Free slots are 0; false: some key would be farther than WICK_TOK_MAX_PROBE from its home. */
static bool fill_tokens(const wick_tok_spec *s, uint32_t *slots, uint32_t n_slot) {
    memset(slots, 0, (size_t)n_slot * 4);
    for (size_t i = 0; i < s->n_token; i++) {
        wick_bytes t = spec_text(s, i);
        if (!(s->tokens[i].flags & WICK_TOKEN_PRESENT) || s->tokens[i].flags & (WICK_TOKEN_LITERAL | WICK_TOKEN_ADDED_ONLY)) continue;
        uint32_t at = wick_tok_home(wick_tok_hash(t.data, t.size, s->config.hash_seed), n_slot), probe = 0;
        for (; slots[at]; at = at + 1 == n_slot ? 0 : at + 1) {
            wick_bytes other = spec_text(s, slots[at] - 1);
            if (other.size == t.size && !memcmp(other.data, t.data, t.size)) break;
            if (++probe >= WICK_TOK_MAX_PROBE) return false;
        }
        if (!slots[at]) slots[at] = (uint32_t)i + 1; /* of equal pieces the first counts */
    }
    return true;
}

static bool fill_merges(const wick_tok_spec *s, wick_tok_merge *slots, uint32_t n_slot) {
    for (uint32_t i = 0; i < n_slot; i++) slots[i] = (wick_tok_merge){0, 0, UINT32_MAX, 0};
    for (size_t i = 0; i < s->n_merge; i++) {
        const wick_tok_merge *m = &s->merges[i];
        uint32_t at = wick_tok_home(wick_tok_merge_hash(m->left, m->right, s->config.hash_seed), n_slot), probe = 0;
        for (; slots[at].rank != UINT32_MAX; at = at + 1 == n_slot ? 0 : at + 1) {
            if (slots[at].left == m->left && slots[at].right == m->right) break;
            if (++probe >= WICK_TOK_MAX_PROBE) return false;
        }
        slots[at] = *m; /* of equal pairs the last counts, as in a map that is filled in order */
    }
    return true;
}

static wick_status put_tables(wick_tok_spec *s, sections *out, wick_error *err) {
    uint32_t n_token_slot = (uint32_t)(s->n_token + s->n_token / 2 + 2);
    uint32_t n_merge_slot = s->n_merge ? (uint32_t)(s->n_merge + s->n_merge / 2 + 2) : 0;
    uint32_t *tokens = wick_calloc(n_token_slot, sizeof *tokens);
    wick_tok_merge *merges = wick_calloc(n_merge_slot, sizeof *merges);
    wick_status status = WICK_OK;
    if (!tokens || !merges) {
        status = wick_fail_nomem(err);
        goto out;
    }
    /* The seed comes from the contents: the same file gives the same blob, and nobody chooses keys that collide under it. */
    uint64_t h = wick_hash(s->pool.data, s->pool.size, s->n_token);
    int tries = 0;
    for (s->config.hash_seed = (uint32_t)(h ^ h >> 32); tries < 8; s->config.hash_seed += 0x9e3779b9u, tries++)
        if (fill_tokens(s, tokens, n_token_slot) && fill_merges(s, merges, n_merge_slot)) break;
    if (tries == 8) {
        status = wick_fail(err, WICK_EFORMAT, "the vocabulary cannot be hashed: too many pieces collide");
        goto out;
    }
    for (uint32_t i = 0; i < n_token_slot; i++) put_u32(&out->part[WICK_TOK_SECTION_TOKEN_SLOTS], tokens[i]);
    for (uint32_t i = 0; i < n_merge_slot; i++) {
        put_u32(&out->part[WICK_TOK_SECTION_MERGES], merges[i].left);
        put_u32(&out->part[WICK_TOK_SECTION_MERGES], merges[i].right);
        put_u32(&out->part[WICK_TOK_SECTION_MERGES], merges[i].rank);
        put_u32(&out->part[WICK_TOK_SECTION_MERGES], merges[i].id);
    }
out:
    wick_free(tokens);
    wick_free(merges);
    return status;
}

/* ---- added tokens */

typedef struct added_key {
    const char *text;
    wick_tok_added a;
} added_key;

static int by_content(const void *a, const void *b) {
    const added_key *x = a, *y = b;
    size_t n = x->a.size < y->a.size ? x->a.size : y->a.size;
    int c = memcmp(x->text, y->text, n);
    if (c) return c;
    if (x->a.size != y->a.size) return x->a.size < y->a.size ? -1 : 1;
    return x->a.at < y->a.at ? -1 : x->a.at > y->a.at;
}

static wick_status put_added(const wick_tok_spec *s, const char *pool, int list, wick_strbuf *out, wick_error *err) {
    added_key *keys = wick_calloc(s->n_added + 1, sizeof *keys);
    if (!keys) return wick_fail_nomem(err);
    size_t n = 0;
    for (size_t i = 0; i < s->n_added; i++)
        if (((s->added[i].flags & WICK_ADDED_NORMALIZED) != 0) == list) keys[n++] = (added_key){pool + s->added[i].at, s->added[i]};
    qsort(keys, n, sizeof *keys, by_content);
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && keys[i].a.size == keys[i + 1].a.size && !memcmp(keys[i].text, keys[i + 1].text, keys[i].a.size))
            continue; /* of equal contents the last counts */
        put_u32(out, keys[i].a.id);
        put_u32(out, keys[i].a.flags);
        put_u32(out, keys[i].a.at);
        put_u32(out, keys[i].a.size);
    }
    wick_free(keys);
    return WICK_OK;
}

/* ---- the order of pieces, for UNIGRAM */

static wick_status put_sorted(const wick_tok_spec *s, wick_strbuf *out, wick_error *err) {
    if (s->config.model != WICK_TOK_UNIGRAM) return WICK_OK;
    added_key *keys = wick_calloc(s->n_token, sizeof *keys);
    if (!keys) return wick_fail_nomem(err);
    size_t n = 0;
    for (size_t i = 0; i < s->n_token; i++) {
        wick_bytes t = spec_text(s, i);
        if (s->tokens[i].flags & WICK_TOKEN_PRESENT && !(s->tokens[i].flags & WICK_TOKEN_ADDED_ONLY) && t.size)
            keys[n++] = (added_key){(const char *)t.data, {.id = (uint32_t)i, .at = (uint32_t)i, .size = (uint32_t)t.size}};
    }
    qsort(keys, n, sizeof *keys, by_content);
    for (size_t i = 0; i < n; i++) put_u32(out, keys[i].a.id);
    wick_free(keys);
    return WICK_OK;
}

/* ---- the file */

static void put_config(const wick_tok_config *c, wick_strbuf *b) {
    const uint32_t words[] = {c->model,     c->flags,       c->n_token,   c->unk_id,    (uint32_t)c->bos_id, (uint32_t)c->eos_id,
                              c->max_chars, c->n_prefix,    c->n_suffix,  c->max_piece, c->prefix_at,        c->prefix_size,
                              c->suffix_at, c->suffix_size, c->hash_seed, c->reserved};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) put_u32(b, words[i]);
    const double scores[] = {c->min_score, c->reserved_f64};
    for (int i = 0; i < 8; i++) put_u32(b, c->joined[i]);
    for (int i = 0; i < 2; i++) {
        uint64_t u;
        memcpy(&u, &scores[i], 8);
        put_u32(b, (uint32_t)u);
        put_u32(b, (uint32_t)(u >> 32));
    }
}

static wick_status put_sections(wick_tok_spec *s, sections *out, wick_error *err) {
    WICK_TRY(put_tokens(s, out, err));
    WICK_TRY(put_tables(s, out, err));
    WICK_TRY(put_sorted(s, &out->part[WICK_TOK_SECTION_SORTED], err));
    for (int stage = 0; stage < WICK_TOK_N_STAGE; stage++)
        for (size_t i = 0; i < s->n_op[stage]; i++) {
            const wick_tok_op *o = &s->ops[stage][i];
            const uint32_t words[] = {o->kind, o->flags, o->value, o->splitter, o->a_at, o->a_size, o->b_at, o->b_size};
            for (int k = 0; k < 8; k++) put_u32(&out->part[WICK_TOK_SECTION_OPS + stage], words[k]);
        }
    for (uint32_t i = 0; i < s->config.n_prefix; i++) put_u32(&out->part[WICK_TOK_SECTION_POST], (uint32_t)s->prefix[i]);
    for (uint32_t i = 0; i < s->config.n_suffix; i++) put_u32(&out->part[WICK_TOK_SECTION_POST], (uint32_t)s->suffix[i]);
    put_config(&s->config, &out->part[WICK_TOK_SECTION_CONFIG]);
    return WICK_OK;
}

/* The pool of a spec also holds the vocabulary; the blob's holds only what ops, added tokens and the model refer to. */
static void put_pool(wick_tok_spec *s, wick_strbuf *out) {
    struct {
        uint32_t *at;
        uint32_t size;
    } refs[64 * WICK_TOK_N_STAGE * 2 + 2];
    size_t n = 0;
    for (int stage = 0; stage < WICK_TOK_N_STAGE; stage++)
        for (size_t i = 0; i < s->n_op[stage]; i++) {
            refs[n].at = &s->ops[stage][i].a_at, refs[n++].size = s->ops[stage][i].a_size;
            refs[n].at = &s->ops[stage][i].b_at, refs[n++].size = s->ops[stage][i].b_size;
        }
    refs[n].at = &s->config.prefix_at, refs[n++].size = s->config.prefix_size;
    refs[n].at = &s->config.suffix_at, refs[n++].size = s->config.suffix_size;
    for (size_t i = 0; i < n + s->n_added; i++) {
        uint32_t *at = i < n ? refs[i].at : &s->added[i - n].at, size = i < n ? refs[i].size : s->added[i - n].size;
        uint32_t fresh = (uint32_t)out->size;
        if (size) wick_strbuf_add(out, s->pool.data + *at, size);
        *at = fresh;
    }
}

static wick_status assemble(const sections *in, uint8_t **blob, size_t *size, wick_error *err) {
    size_t at = WICK_TOK_HEADER_SIZE;
    for (int i = 0; i < WICK_TOK_N_SECTION; i++) {
        if (in->part[i].failed) return wick_fail_nomem(err);
        at += (in->part[i].size + 7) & ~(size_t)7;
    }
    uint8_t *b = wick_calloc(1, at);
    if (!b) return wick_fail_nomem(err);
    memcpy(b, WICK_TOK_MAGIC, 8);
    wick_store_u32(b + 8, WICK_TOK_VERSION);
    wick_store_u32(b + 12, WICK_TOK_N_SECTION);
    wick_store_u64(b + 16, at);
    *size = at;
    at = WICK_TOK_HEADER_SIZE;
    for (int i = 0; i < WICK_TOK_N_SECTION; i++) {
        wick_store_u64(b + 24 + 16 * i, at);
        wick_store_u64(b + 32 + 16 * i, in->part[i].size);
        if (in->part[i].size) memcpy(b + at, in->part[i].data, in->part[i].size);
        at += (in->part[i].size + 7) & ~(size_t)7;
    }
    *blob = b;
    return WICK_OK;
}

static wick_status settle(wick_tok_spec *s, wick_error *err) {
    wick_tok_config *c = &s->config;
    if (!s->n_token) return wick_fail(err, WICK_EFORMAT, "the tokenizer has no tokens");
    WICK_TRY(to_byte_domain(s, err));
    c->n_token = (uint32_t)s->n_token;
    c->max_piece = 0;
    for (size_t i = 0; i < s->n_token; i++)
        if (s->tokens[i].size > c->max_piece) c->max_piece = s->tokens[i].size;
    if (c->model == WICK_TOK_BPE && !(c->flags & (WICK_TOK_BYTE_DOMAIN | WICK_TOK_IGNORE_MERGES)) && !c->suffix_size && !c->prefix_size &&
        space_cuts(s, c->joined))
        c->flags |= WICK_TOK_SPACE_CUTS;
    return WICK_OK;
}

static wick_status compile(wick_tok_spec *s, uint8_t **blob, size_t *size, wick_error *err) {
    sections parts = {0};
    wick_tok_spec copy = *s; /* offsets of the pool change: work on copies of what holds them */
    wick_status status = WICK_OK;
    for (int i = 0; i < WICK_TOK_N_STAGE; i++) copy.ops[i] = wick_memdup(s->ops[i], s->n_op[i] * sizeof(wick_tok_op));
    copy.added = wick_memdup(s->added, s->n_added * sizeof *s->added);
    bool ok = copy.added != NULL;
    for (int i = 0; i < WICK_TOK_N_STAGE; i++) ok = ok && copy.ops[i];
    if (!ok) {
        status = wick_fail_nomem(err);
        goto out;
    }
    put_pool(&copy, &parts.part[WICK_TOK_SECTION_POOL]);
    if (parts.part[WICK_TOK_SECTION_POOL].failed) {
        status = wick_fail_nomem(err);
        goto out;
    }
    for (int list = 0; list < 2; list++)
        WICK_CHECK_GOTO(put_added(&copy, parts.part[WICK_TOK_SECTION_POOL].data, list, &parts.part[WICK_TOK_SECTION_ADDED + list], err));
    WICK_CHECK_GOTO(put_sections(&copy, &parts, err));
    WICK_CHECK_GOTO(assemble(&parts, blob, size, err));
out:
    for (int i = 0; i < WICK_TOK_N_SECTION; i++) wick_strbuf_release(&parts.part[i]);
    for (int i = 0; i < WICK_TOK_N_STAGE; i++) wick_free(copy.ops[i]);
    wick_free(copy.added);
    return status;
}

/* ---- added tokens that are looked for in normalized text: their contents are normalized too */

static bool is_special_text(const wick_tok_spec *s, const char *text, size_t size) {
    for (size_t i = 0; i < s->n_added; i++)
        if (s->added[i].flags & WICK_ADDED_SPECIAL && s->added[i].size == size && !memcmp(s->pool.data + s->added[i].at, text, size))
            return true;
    return false;
}

/* As in the reference, such a token decodes to its normalized text, and is left out as special only if that text is. */
static wick_status normalize_added_token(wick_tok_spec *s, wick_tok_added *a, const wick_tokenizer *t, wick_text buffers[2],
                                         wick_error *err) {
    wick_normalized norm;
    char *content = wick_strndup(s->pool.data + a->at, a->size);
    wick_status status = content ? wick_normalize(t, content, a->size, NULL, buffers, &norm, err) : wick_fail_nomem(err);
    if (status == WICK_OK) {
        bool special = is_special_text(s, norm.text, norm.size);
        wick_spec_token *token = &s->tokens[a->id];
        if (token->flags & WICK_TOKEN_ADDED_ONLY) {
            uint32_t flags = special ? token->flags : token->flags & ~(uint32_t)WICK_TOKEN_SPECIAL;
            status = wick_spec_token_set(s, a->id, norm.text, norm.size, flags, token->score, err);
        }
        if (status == WICK_OK) status = wick_spec_string(s, norm.text, norm.size, &a->at, err);
        a->size = (uint32_t)norm.size;
    }
    wick_free(content);
    return status;
}

static wick_status normalize_added(wick_tok_spec *s, wick_error *err) {
    bool any = false;
    for (size_t i = 0; i < s->n_added; i++) any = any || s->added[i].flags & WICK_ADDED_NORMALIZED;
    if (!any || !s->n_op[WICK_STAGE_NORMALIZE] || s->config.flags & WICK_TOK_SENTENCEPIECE) return WICK_OK;
    /* A tokenizer of the normalizers alone is enough to ask. */
    wick_spec_token token = {0};
    wick_tok_spec small = {.pool = s->pool, .tokens = &token, .n_token = 1};
    small.config = (wick_tok_config){.n_token = 1, .unk_id = UINT32_MAX, .bos_id = -1, .eos_id = -1};
    small.ops[WICK_STAGE_NORMALIZE] = s->ops[WICK_STAGE_NORMALIZE];
    small.n_op[WICK_STAGE_NORMALIZE] = s->n_op[WICK_STAGE_NORMALIZE];
    wick_text buffers[2] = {0};
    uint8_t *blob;
    size_t size;
    wick_tokenizer *t;
    WICK_TRY(compile(&small, &blob, &size, err));
    WICK_TRY(wick_tok_view(blob, size, blob, &t, err));
    wick_status status = WICK_OK;
    for (size_t i = 0; i < s->n_added && status == WICK_OK; i++)
        if (s->added[i].flags & WICK_ADDED_NORMALIZED) status = normalize_added_token(s, &s->added[i], t, buffers, err);
    for (int i = 0; i < 2; i++) wick_text_release(&buffers[i]);
    wick_tokenizer_free(t);
    return status;
}

wick_status wick_spec_compile(wick_tok_spec *s, uint8_t **blob, size_t *size, wick_error *err) {
    WICK_TRY(normalize_added(s, err));
    WICK_TRY(settle(s, err));
    return compile(s, blob, size, err);
}

wick_status wick_spec_open(wick_tok_spec *s, wick_tokenizer **out, wick_error *err) {
    uint8_t *blob;
    size_t size;
    WICK_TRY(wick_spec_compile(s, &blob, &size, err));
    return wick_tok_view(blob, size, blob, out, err);
}
