/* Viewing a compiled tokenizer. */
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "text/tok_format.h"
#include "text/tok_regex.h"
#include "text/tok_split.h"
#include "text/tokenizer.h"

#include <string.h>

uint32_t wick_tok_hash(const void *data, size_t size, uint32_t seed) {
    const uint8_t *p = data;
    uint64_t h = (seed ^ size) * 0x9e3779b97f4a7c15ull;
    for (; size >= 8; p += 8, size -= 8) {
        h = (h ^ wick_load_u64(p)) * 0xff51afd7ed558ccdull;
        h ^= h >> 32;
    }
    uint64_t tail = 0;
    for (size_t i = 0; i < size; i++) tail |= (uint64_t)p[i] << 8 * i;
    h = (h ^ tail) * 0xc4ceb9fe1a85ec53ull;
    return (uint32_t)(h ^ h >> 32);
}

uint32_t wick_tok_merge_hash(uint32_t left, uint32_t right, uint32_t seed) {
    uint64_t h = ((uint64_t)left << 32 | right) ^ seed;
    h *= 0x9e3779b97f4a7c15ull;
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93ull;
    return (uint32_t)(h ^ h >> 32);
}

int32_t wick_tok_find(const wick_tokenizer *t, const void *piece, size_t size) {
    uint32_t at = wick_tok_home(wick_tok_hash(piece, size, t->config.hash_seed), t->n_token_slot);
    for (int probe = 0; probe < WICK_TOK_MAX_PROBE && t->token_slots[at]; probe++) {
        uint32_t id = t->token_slots[at] - 1, from = t->token_at[id];
        if (t->token_at[id + 1] - from == size && !memcmp(t->token_bytes + from, piece, size)) return (int32_t)id;
        at = at + 1 == t->n_token_slot ? 0 : at + 1;
    }
    return -1;
}

/* A piece is at most two slots from its home as a rule: more are not asked for in advance. */
enum { ASK = 3 };

static void ask_piece(const wick_tokenizer *t, uint32_t at, size_t size, bool bytes) {
    for (int probe = 0; probe < ASK && t->token_slots[at]; probe++) {
        const uint32_t *offset = &t->token_at[t->token_slots[at] - 1];
        if (!bytes)
            __builtin_prefetch(offset);
        else if (offset[1] - offset[0] == size)
            __builtin_prefetch(t->token_bytes + offset[0]);
        at = at + 1 == t->n_token_slot ? 0 : at + 1;
    }
}

void wick_tok_find_all(const wick_tokenizer *t, const wick_bytes *pieces, size_t n, int32_t *ids) {
    uint32_t home[WICK_TOK_FIND_ALL];
    for (size_t i = 0; i < n; i++) {
        home[i] = wick_tok_home(wick_tok_hash(pieces[i].data, pieces[i].size, t->config.hash_seed), t->n_token_slot);
        __builtin_prefetch(&t->token_slots[home[i]]);
    }
    for (size_t i = 0; i < n; i++) ask_piece(t, home[i], pieces[i].size, false);
    for (size_t i = 0; i < n; i++) ask_piece(t, home[i], pieces[i].size, true);
    for (size_t i = 0; i < n; i++) ids[i] = wick_tok_find(t, pieces[i].data, pieces[i].size);
}

void wick_tok_merge_ask(const wick_tokenizer *t, uint32_t left, uint32_t right) {
    if (t->n_merge_slot)
        __builtin_prefetch(&t->merges[wick_tok_home(wick_tok_merge_hash(left, right, t->config.hash_seed), t->n_merge_slot)]);
}

const wick_tok_merge *wick_tok_merge_find(const wick_tokenizer *t, uint32_t left, uint32_t right) {
    if (!t->n_merge_slot) return NULL;
    uint32_t at = wick_tok_home(wick_tok_merge_hash(left, right, t->config.hash_seed), t->n_merge_slot);
    for (int probe = 0; probe < WICK_TOK_MAX_PROBE; probe++) {
        const wick_tok_merge *m = &t->merges[at];
        if (m->left == left && m->right == right && m->rank != UINT32_MAX) return m;
        if (m->rank == UINT32_MAX) return NULL;
        at = at + 1 == t->n_merge_slot ? 0 : at + 1;
    }
    return NULL;
}

/* ---- verification */

static wick_status bad(wick_error *err, const char *what) { return wick_fail(err, WICK_EFORMAT, "compiled tokenizer: %s", what); }

typedef struct section_view {
    wick_bytes part[WICK_TOK_N_SECTION];
} section_view;

static wick_status read_header(wick_bytes blob, section_view *v, wick_error *err) {
    if (blob.size < WICK_TOK_HEADER_SIZE || memcmp(blob.data, WICK_TOK_MAGIC, 8) != 0)
        return bad(err, "it does not begin with " WICK_TOK_MAGIC);
    uint32_t version = wick_load_u32(blob.data + 8);
    if (version != WICK_TOK_VERSION)
        return wick_fail(err, WICK_EUNSUPPORTED, "compiled tokenizer: version %u, this program reads version %u", version,
                         WICK_TOK_VERSION);
    if (wick_load_u32(blob.data + 12) != WICK_TOK_N_SECTION || wick_load_u64(blob.data + 16) != blob.size)
        return bad(err, "the header's sizes do not agree with the data");
    for (int i = 0; i < WICK_TOK_N_SECTION; i++) {
        uint64_t at = wick_load_u64(blob.data + 24 + 16 * i), size = wick_load_u64(blob.data + 32 + 16 * i);
        if (at % 8 || at > blob.size || size > blob.size - at) return bad(err, "a section lies outside the data");
        v->part[i] = (wick_bytes){blob.data + at, (size_t)size};
    }
    return WICK_OK;
}

static wick_status read_config(wick_bytes b, wick_tok_config *c, wick_error *err) {
    if (b.size != sizeof *c) return bad(err, "the configuration has the wrong size");
    memcpy(c, b.data, sizeof *c);
    if (c->model >= WICK_TOK_N_MODEL || !c->n_token || c->n_token > WICK_MAX_VOCAB || c->n_prefix > 16 || c->n_suffix > 16)
        return bad(err, "the configuration is out of range");
    if ((c->unk_id != UINT32_MAX && c->unk_id >= c->n_token) || c->bos_id < -1 || c->bos_id >= (int32_t)c->n_token || c->eos_id < -1 ||
        c->eos_id >= (int32_t)c->n_token)
        return bad(err, "a special id is not in the vocabulary");
    return WICK_OK;
}

static bool ranges_ok(uint32_t at, uint32_t size, size_t whole) { return at <= whole && size <= whole - at; }

static wick_status view_tokens(wick_tokenizer *t, const section_view *v, wick_error *err) {
    uint32_t n = t->config.n_token;
    wick_bytes at = v->part[WICK_TOK_SECTION_TOKEN_AT], bytes = v->part[WICK_TOK_SECTION_TOKEN_BYTES];
    wick_bytes slots = v->part[WICK_TOK_SECTION_TOKEN_SLOTS], scores = v->part[WICK_TOK_SECTION_SCORES];
    if (at.size != ((size_t)n + 1) * 4 || v->part[WICK_TOK_SECTION_TOKEN_FLAGS].size != n)
        return bad(err, "the vocabulary has the wrong size");
    t->token_at = (const uint32_t *)(const void *)at.data;
    t->token_bytes = (const char *)bytes.data;
    t->token_flags = v->part[WICK_TOK_SECTION_TOKEN_FLAGS].data;
    uint32_t longest = 0;
    if (t->token_at[0] != 0 || t->token_at[n] != bytes.size) return bad(err, "the vocabulary does not fill its section");
    for (uint32_t i = 0; i < n; i++) {
        if (t->token_at[i + 1] < t->token_at[i]) return bad(err, "the vocabulary's offsets fall");
        uint32_t size = t->token_at[i + 1] - t->token_at[i];
        if (size > longest) longest = size;
    }
    t->config.max_piece = longest;
    if (slots.size < 8 || slots.size % 4 || slots.size / 4 > UINT32_MAX) return bad(err, "the hash table of pieces has the wrong size");
    t->token_slots = (const uint32_t *)(const void *)slots.data;
    t->n_token_slot = (uint32_t)(slots.size / 4);
    for (uint32_t i = 0; i < t->n_token_slot; i++)
        if (t->token_slots[i] > n) return bad(err, "the hash table of pieces names an id outside the vocabulary");
    if (t->config.model == WICK_TOK_UNIGRAM) {
        if (scores.size != (size_t)n * 8) return bad(err, "the scores have the wrong size");
        t->scores = (const double *)(const void *)scores.data;
        wick_bytes sorted = v->part[WICK_TOK_SECTION_SORTED];
        if (sorted.size % 4 || sorted.size / 4 > n) return bad(err, "the order of pieces has the wrong size");
        t->sorted = (const uint32_t *)(const void *)sorted.data;
        t->n_sorted = (uint32_t)(sorted.size / 4);
        for (uint32_t i = 0; i < t->n_sorted; i++)
            if (t->sorted[i] >= n) return bad(err, "the order of pieces names an id outside the vocabulary");
    }
    return WICK_OK;
}

static wick_status view_merges(wick_tokenizer *t, wick_bytes merges, wick_error *err) {
    uint32_t n = t->config.n_token;
    if (merges.size % sizeof(wick_tok_merge) || merges.size / sizeof(wick_tok_merge) > UINT32_MAX)
        return bad(err, "the merges have the wrong size");
    t->merges = (const wick_tok_merge *)(const void *)merges.data;
    t->n_merge_slot = (uint32_t)(merges.size / sizeof(wick_tok_merge));
    uint32_t worst = 0;
    for (uint32_t i = 0; i < t->n_merge_slot; i++) worst |= t->merges[i].id >= n;
    return worst ? bad(err, "a merge makes an id outside the vocabulary") : WICK_OK;
}

static wick_status view_ops(wick_tokenizer *t, int stage, wick_bytes b, wick_bytes pool, wick_error *err) {
    if (b.size % sizeof(wick_tok_op) || b.size / sizeof(wick_tok_op) > 64) return bad(err, "a stage has the wrong size");
    t->ops[stage] = (const wick_tok_op *)(const void *)b.data;
    t->n_op[stage] = (uint32_t)(b.size / sizeof(wick_tok_op));
    static const uint32_t first[] = {WICK_NORM_NFC, WICK_PRE_BYTE_LEVEL, WICK_DEC_BYTE_LEVEL};
    static const uint32_t end[] = {WICK_PRE_BYTE_LEVEL, WICK_DEC_BYTE_LEVEL, WICK_TOK_OP_END};
    if (t->n_op[stage] && !(t->regexes[stage] = WICK_NEW_ARRAY(wick_regex *, t->n_op[stage]))) return wick_fail_nomem(err);
    for (uint32_t i = 0; i < t->n_op[stage]; i++) {
        const wick_tok_op *op = &t->ops[stage][i];
        if (op->kind < first[stage] || op->kind >= end[stage] || op->splitter >= WICK_SPLITTER_N)
            return bad(err, "a step is of no kind that belongs there");
        if (op->splitter && op->kind != WICK_PRE_SPLIT) return bad(err, "a step has a splitter and cuts nothing");
        if (!ranges_ok(op->a_at, op->a_size, pool.size) || !ranges_ok(op->b_at, op->b_size, pool.size))
            return bad(err, "a step's text lies outside the pool");
        if (op->kind == WICK_NORM_PRECOMPILED || op->kind == WICK_NORM_SENTENCEPIECE)
            WICK_TRY(wick_charsmap_check(wick_tok_op_a(t, op), err));
        else if (!wick_utf8_valid(t->pool + op->a_at, op->a_size))
            return bad(err, "a step's text is not UTF-8");
        if (!wick_utf8_valid(t->pool + op->b_at, op->b_size)) return bad(err, "a step's text is not UTF-8");
        if (op->flags & WICK_OP_REGEX && !op->splitter)
            WICK_TRY(wick_regex_new((const char *)t->pool + op->a_at, op->a_size, !(op->flags & WICK_OP_PLAIN_PATTERN),
                                    &t->regexes[stage][i], err));
    }
    return WICK_OK;
}

static wick_status view_added(wick_tokenizer *t, int list, wick_bytes b, wick_bytes pool, wick_error *err) {
    if (b.size % sizeof(wick_tok_added) || b.size / sizeof(wick_tok_added) > WICK_MAX_VOCAB)
        return bad(err, "the added tokens have the wrong size");
    t->added[list] = (const wick_tok_added *)(const void *)b.data;
    t->n_added[list] = (uint32_t)(b.size / sizeof(wick_tok_added));
    for (uint32_t i = 0; i < t->n_added[list]; i++) {
        const wick_tok_added *a = &t->added[list][i];
        if (a->id >= t->config.n_token || !ranges_ok(a->at, a->size, pool.size)) return bad(err, "an added token is out of range");
        if (!wick_utf8_valid(t->pool + a->at, a->size)) return bad(err, "an added token is not UTF-8");
        if (!a->size) continue; /* normalized away: never found */
        uint8_t c = (uint8_t)t->pool[a->at];
        t->added_first[list][c >> 3] |= (uint8_t)(1u << (c & 7));
    }
    return WICK_OK;
}

static wick_status view_post(wick_tokenizer *t, wick_bytes b, wick_error *err) {
    size_t n = (size_t)t->config.n_prefix + t->config.n_suffix;
    if (b.size != n * 4) return bad(err, "the ids around a text have the wrong size");
    t->post = (const int32_t *)(const void *)b.data;
    for (size_t i = 0; i < n; i++)
        if (t->post[i] < 0 || t->post[i] >= (int32_t)t->config.n_token)
            return bad(err, "an id that is put around a text is not in the vocabulary");
    return WICK_OK;
}

static void find_bytes(wick_tokenizer *t) {
    for (int b = 0; b < 256; b++) {
        char text[8] = {(char)b};
        size_t n = 1;
        t->byte_id[b] = -1;
        if (!(t->config.flags & WICK_TOK_BYTE_DOMAIN)) {
            static const char hex[] = "0123456789ABCDEF";
            memcpy(text, (char[]){'<', '0', 'x', hex[b >> 4], hex[b & 15], '>'}, n = 6);
        }
        t->byte_id[b] = wick_tok_find(t, text, n);
    }
    for (int c = 0; c < 128; c++) t->ascii_id[c] = wick_tok_find(t, &(char){(char)c}, 1);
}

static wick_status view_all(wick_tokenizer *t, wick_error *err) {
    section_view v;
    WICK_TRY(read_header((wick_bytes){t->blob, t->blob_size}, &v, err));
    WICK_TRY(read_config(v.part[WICK_TOK_SECTION_CONFIG], &t->config, err));
    wick_bytes pool = v.part[WICK_TOK_SECTION_POOL];
    t->pool = (const char *)pool.data;
    if (!ranges_ok(t->config.prefix_at, t->config.prefix_size, pool.size) ||
        !ranges_ok(t->config.suffix_at, t->config.suffix_size, pool.size))
        return bad(err, "a prefix or suffix lies outside the pool");
    WICK_TRY(view_tokens(t, &v, err));
    WICK_TRY(view_merges(t, v.part[WICK_TOK_SECTION_MERGES], err));
    for (int i = 0; i < WICK_TOK_N_STAGE; i++) WICK_TRY(view_ops(t, i, v.part[WICK_TOK_SECTION_OPS + i], pool, err));
    for (int i = 0; i < 2; i++) WICK_TRY(view_added(t, i, v.part[WICK_TOK_SECTION_ADDED + i], pool, err));
    WICK_TRY(view_post(t, v.part[WICK_TOK_SECTION_POST], err));
    find_bytes(t);
    return WICK_OK;
}

wick_status wick_tok_view(const void *blob, size_t size, void *owned, wick_tokenizer **out, wick_error *err) {
    *out = NULL;
    wick_tokenizer *t = WICK_NEW(wick_tokenizer);
    if (!t) {
        wick_free(owned);
        return wick_fail_nomem(err);
    }
    t->owned = owned;
    if ((uintptr_t)blob % 8) { /* structs are used where they lie */
        t->owned = wick_memdup(blob, size);
        blob = t->owned;
        wick_free(owned);
    }
    t->blob = blob;
    t->blob_size = size;
    t->scratch = WICK_NEW(wick_tok_scratch);
    wick_status status = t->blob && t->scratch ? view_all(t, err) : wick_fail_nomem(err);
    if (status == WICK_OK)
        *out = t;
    else
        wick_tokenizer_free(t);
    return status;
}

void wick_tokenizer_free(wick_tokenizer *t) {
    if (!t) return;
    for (int stage = 0; stage < WICK_TOK_N_STAGE; stage++) {
        if (t->regexes[stage])
            for (uint32_t i = 0; i < t->n_op[stage]; i++) wick_regex_free(t->regexes[stage][i]);
        wick_free(t->regexes[stage]);
    }
    wick_tok_scratch_free(t->scratch);
    wick_free(t->owned);
    wick_free(t);
}
