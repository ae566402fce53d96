#include "text/tok_spec.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/table.h"
#include "text/tok_split.h"

#include <stdlib.h>
#include <string.h>

void wick_spec_init(wick_tok_spec *s) {
    *s = (wick_tok_spec){0};
    s->config.unk_id = UINT32_MAX;
    s->config.bos_id = s->config.eos_id = -1;
}

void wick_spec_release(wick_tok_spec *s) {
    wick_strbuf_release(&s->pool);
    wick_free(s->tokens);
    wick_free(s->merges);
    wick_free(s->added);
    for (int i = 0; i < WICK_TOK_N_STAGE; i++) wick_free(s->ops[i]);
    wick_spec_init(s);
}

wick_status wick_spec_string(wick_tok_spec *s, const void *data, size_t size, uint32_t *at, wick_error *err) {
    if (size > UINT32_MAX - s->pool.size) return wick_fail(err, WICK_ELIMIT, "the tokenizer's texts are longer than 4 GB");
    *at = (uint32_t)s->pool.size;
    wick_strbuf_add(&s->pool, data, size);
    return s->pool.failed ? wick_fail_nomem(err) : WICK_OK;
}

wick_status wick_spec_token_set(wick_tok_spec *s, uint64_t id, const void *text, size_t size, uint32_t flags, double score,
                                wick_error *err) {
    if (id >= WICK_MAX_VOCAB)
        return wick_fail(err, WICK_ELIMIT, "token id %llu is beyond the limit of %d", (unsigned long long)id, WICK_MAX_VOCAB);
    while (s->n_token <= id) {
        if (!WICK_GROW(s->tokens, s->n_token, s->token_cap)) return wick_fail_nomem(err);
        s->tokens[s->n_token++] = (wick_spec_token){0};
    }
    wick_spec_token *t = &s->tokens[id];
    *t = (wick_spec_token){.size = (uint32_t)size, .flags = flags | WICK_TOKEN_PRESENT, .score = score};
    return wick_spec_string(s, text, size, &t->at, err);
}

wick_status wick_spec_merge(wick_tok_spec *s, uint32_t left, uint32_t right, uint32_t rank, uint32_t id, wick_error *err) {
    if (!WICK_GROW(s->merges, s->n_merge, s->merge_cap)) return wick_fail_nomem(err);
    s->merges[s->n_merge++] = (wick_tok_merge){left, right, rank, id};
    return WICK_OK;
}

wick_status wick_spec_added(wick_tok_spec *s, uint32_t id, const void *text, size_t size, uint32_t flags, wick_error *err) {
    if (!size) return WICK_OK;
    if (!WICK_GROW(s->added, s->n_added, s->added_cap)) return wick_fail_nomem(err);
    wick_tok_added a = {.id = id, .flags = flags, .size = (uint32_t)size};
    WICK_TRY(wick_spec_string(s, text, size, &a.at, err));
    s->added[s->n_added++] = a;
    return WICK_OK;
}

wick_status wick_spec_op(wick_tok_spec *s, int stage, wick_tok_op op, wick_bytes a, wick_bytes b, wick_error *err) {
    if (s->n_op[stage] >= 64) return wick_fail(err, WICK_ELIMIT, "the tokenizer has more than 64 steps in one stage");
    if (!WICK_GROW(s->ops[stage], s->n_op[stage], s->op_cap[stage])) return wick_fail_nomem(err);
    op.a_size = (uint32_t)a.size;
    op.b_size = (uint32_t)b.size;
    WICK_TRY(wick_spec_string(s, a.data, a.size, &op.a_at, err));
    WICK_TRY(wick_spec_string(s, b.data, b.size, &op.b_at, err));
    s->ops[stage][s->n_op[stage]++] = op;
    return WICK_OK;
}

wick_status wick_spec_around(wick_tok_spec *s, bool suffix, int32_t id, wick_error *err) {
    uint32_t *n = suffix ? &s->config.n_suffix : &s->config.n_prefix;
    if (*n >= 16) return wick_fail(err, WICK_ELIMIT, "the tokenizer puts more than 16 tokens around a text");
    (suffix ? s->suffix : s->prefix)[(*n)++] = id;
    return WICK_OK;
}

wick_status wick_spec_pattern(wick_tok_spec *s, const char *pattern, size_t size, uint32_t behavior, uint32_t flags, wick_error *err) {
    wick_tok_op op = {.kind = WICK_PRE_SPLIT, .flags = flags | WICK_OP_REGEX, .value = behavior};
    /* A splitter leaves no gaps: only the choice between keeping and removing matches remains. */
    bool kept = behavior == WICK_SPLIT_ISOLATED || (behavior == WICK_SPLIT_REMOVED && flags & WICK_OP_INVERT);
    if (kept) op.splitter = (uint32_t)wick_splitter_of(pattern, size);
    return wick_spec_op(s, WICK_STAGE_PRE, op, (wick_bytes){(const uint8_t *)pattern, size}, (wick_bytes){0}, err);
}

/* ---- merges that the vocabulary implies */

/* Bytes hashed while cutting: the largest real vocabularies need 2^24. */
#define MAX_CUT_WORK (1ull << 30)

static int by_score(const void *a, const void *b) {
    const wick_tok_merge *x = a, *y = b; /* left: sortable score bits, id */
    if (x->left != y->left) return x->left < y->left ? 1 : -1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Bits that order floats as numbers. */
static uint32_t order_bits(double score) {
    float f = (float)score;
    uint32_t u;
    memcpy(&u, &f, 4);
    return u & 0x80000000u ? ~u : u | 0x80000000u;
}

/* rank[id]: 0 for the highest score; equal scores have equal ranks. */
static uint32_t *ranks_by_score(const wick_tok_spec *s) {
    uint32_t *rank = WICK_NEW_ARRAY(uint32_t, s->n_token);
    wick_tok_merge *order = WICK_NEW_ARRAY(wick_tok_merge, s->n_token);
    if (rank && order) {
        for (size_t i = 0; i < s->n_token; i++) order[i] = (wick_tok_merge){.left = order_bits(s->tokens[i].score), .id = (uint32_t)i};
        qsort(order, s->n_token, sizeof *order, by_score);
        uint32_t r = 0;
        for (size_t i = 0; i < s->n_token; i++) {
            if (i && order[i].left != order[i - 1].left) r++;
            rank[order[i].id] = r;
        }
    } else {
        wick_free(rank);
        rank = NULL;
    }
    wick_free(order);
    return rank;
}

static wick_status cuts_of(wick_tok_spec *s, uint32_t id, uint32_t rank, bool bytes, const wick_table *ids, wick_error *err) {
    const char *text = s->pool.data + s->tokens[id].at;
    size_t n = s->tokens[id].size;
    for (size_t i = 1; i < n; i++) {
        if (!bytes && ((unsigned char)text[i] & 0xc0) == 0x80) continue;
        uint64_t left, right;
        if (wick_table_get(ids, text, i, &left) && wick_table_get(ids, text + i, n - i, &right))
            WICK_TRY(wick_spec_merge(s, (uint32_t)left, (uint32_t)right, rank, id, err));
    }
    return WICK_OK;
}

wick_status wick_spec_implied_merges(wick_tok_spec *s, uint32_t skip_flags, bool by_id, bool bytes, wick_error *err) {
    wick_status status = WICK_OK;
    wick_table ids = {0};
    uint32_t *rank = by_id ? NULL : ranks_by_score(s);
    if (!by_id && !rank) return wick_fail_nomem(err);
    for (size_t i = s->n_token; i-- > 0;) /* backwards: of equal pieces the first counts */
        if (s->tokens[i].flags & WICK_TOKEN_PRESENT && !(s->tokens[i].flags & skip_flags) && s->tokens[i].size &&
            !wick_table_set(&ids, s->pool.data + s->tokens[i].at, s->tokens[i].size, i)) {
            status = wick_fail_nomem(err);
            goto out;
        }
    uint64_t work = 0;
    for (size_t i = 0; i < s->n_token; i++) {
        uint64_t first;
        if (!(s->tokens[i].flags & WICK_TOKEN_PRESENT) || s->tokens[i].flags & skip_flags || s->tokens[i].size < 2) continue;
        if (!wick_table_get(&ids, s->pool.data + s->tokens[i].at, s->tokens[i].size, &first) || first != i) continue;
        work += (uint64_t)s->tokens[i].size * s->tokens[i].size;
        if (work > MAX_CUT_WORK) {
            status = wick_fail(err, WICK_ELIMIT, "token %zu: the tokens are too long (%u bytes) to find out how they are merged", i,
                               s->tokens[i].size);
            goto out;
        }
        WICK_CHECK_GOTO(cuts_of(s, (uint32_t)i, by_id ? (uint32_t)i : rank[i], bytes, &ids, err));
    }
out:
    wick_table_release(&ids);
    wick_free(rank);
    return status;
}

/* ---- SentencePiece */

/* The penalty of an unknown character is 10 below the worst piece. */
static void unknown_score(wick_tok_spec *s) {
    float lowest = 0;
    bool any = false;
    for (size_t i = 0; i < s->n_token; i++) {
        if (s->tokens[i].flags & (WICK_TOKEN_BYTE | WICK_TOKEN_CONTROL | WICK_TOKEN_UNKNOWN | WICK_TOKEN_USER | WICK_TOKEN_UNUSED))
            continue;
        float x = (float)s->tokens[i].score;
        if (!any || x < lowest) lowest = x;
        any = true;
    }
    s->config.min_score = lowest - 10.0f;
}

wick_status wick_spec_sentencepiece(wick_tok_spec *s, uint32_t flags, wick_bytes charsmap, wick_bytes unk_surface, wick_error *err) {
    WICK_TRY(wick_spec_op(s, WICK_STAGE_NORMALIZE, (wick_tok_op){.kind = WICK_NORM_SENTENCEPIECE, .flags = flags}, charsmap,
                          (wick_bytes){0}, err));
    WICK_TRY(wick_spec_op(s, WICK_STAGE_DECODE, (wick_tok_op){.kind = WICK_DEC_SENTENCEPIECE, .flags = flags}, unk_surface, (wick_bytes){0},
                          err));
    for (size_t i = 0; i < s->n_token; i++) {
        const wick_spec_token t = s->tokens[i];
        uint32_t kind = t.flags & WICK_TOKEN_CONTROL ? WICK_ADDED_SPECIAL : t.flags & WICK_TOKEN_USER ? WICK_ADDED_NORMALIZED : 0;
        if (!kind) continue;
        char *text = wick_strndup(s->pool.data + t.at, t.size); /* the pool may move while it is copied into */
        if (!text) return wick_fail_nomem(err);
        wick_status status = wick_spec_added(s, (uint32_t)i, text, t.size, kind, err);
        wick_free(text);
        if (status != WICK_OK) return status;
    }
    if (s->config.bos_id >= 0) WICK_TRY(wick_spec_around(s, false, s->config.bos_id, err));
    if (s->config.model == WICK_TOK_UNIGRAM) {
        unknown_score(s);
        return WICK_OK;
    }
    return wick_spec_implied_merges(s, WICK_TOKEN_BYTE | WICK_TOKEN_CONTROL | WICK_TOKEN_UNKNOWN, false, false, err);
}
