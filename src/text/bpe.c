/* Byte pair encoding: symbols, then merges by rank (lowest first, leftmost of equals), as Hugging Face and SentencePiece do.
 *
 * Short words are merged by scanning for the lowest rank; long ones with a heap of (rank, position), so that a megabyte
 * without a cut takes n log n. Words that have been seen are looked up in a small cache. */
#include "base/mem.h"
#include "text/tok_chars.h"
#include "text/tokenizer.h"

#include <string.h>

/* ---- merging */

enum { SMALL = 48 };
#define NO_RANK UINT32_MAX

static uint32_t rank_of(const wick_tokenizer *t, uint32_t left, uint32_t right, uint32_t *id) {
    const wick_tok_merge *m = wick_tok_merge_find(t, left, right);
    if (!m) return NO_RANK;
    *id = m->id;
    return m->rank;
}

/* lens: bytes of each symbol, NULL: not wanted. */
static size_t merge_small(const wick_tokenizer *t, uint32_t *ids, uint32_t *lens, size_t n) {
    uint32_t ranks[SMALL], made[SMALL];
    for (size_t i = 0; i + 1 < n; i++) ranks[i] = rank_of(t, ids[i], ids[i + 1], &made[i]);
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++)
            if (ranks[i] < ranks[best]) best = i;
        if (ranks[best] == NO_RANK) break;
        ids[best] = made[best];
        size_t tail = n - best - 2;
        memmove(ids + best + 1, ids + best + 2, tail * sizeof *ids);
        if (lens) {
            lens[best] += lens[best + 1];
            memmove(lens + best + 1, lens + best + 2, tail * sizeof *lens);
        }
        if (tail) {
            memmove(ranks + best + 1, ranks + best + 2, (tail - 1) * sizeof *ranks);
            memmove(made + best + 1, made + best + 2, (tail - 1) * sizeof *made);
        }
        n--;
        if (best + 1 < n) ranks[best] = rank_of(t, ids[best], ids[best + 1], &made[best]);
        if (best > 0) ranks[best - 1] = rank_of(t, ids[best - 1], ids[best], &made[best - 1]);
    }
    return n;
}

typedef struct heap {
    wick_tok_scratch *s;
    size_t n;
} heap;

static bool heap_push(heap *h, uint64_t key) {
    if (!WICK_GROW(h->s->heap, h->n, h->s->heap_cap)) return false;
    uint64_t *a = h->s->heap;
    size_t i = h->n++;
    for (; i && a[(i - 1) / 2] > key; i = (i - 1) / 2) a[i] = a[(i - 1) / 2];
    a[i] = key;
    return true;
}

static uint64_t heap_pop(heap *h) {
    uint64_t *a = h->s->heap, top = a[0], last = a[--h->n];
    size_t i = 0;
    for (size_t c; (c = 2 * i + 1) < h->n; i = c) {
        if (c + 1 < h->n && a[c + 1] < a[c]) c++;
        if (a[c] >= last) break;
        a[i] = a[c];
    }
    a[i] = last;
    return top;
}

/* Looks up the pair that begins at symbol i and queues it. */
static bool queue_pair(const wick_tokenizer *t, heap *h, const uint32_t *ids, uint32_t *ranks, const uint32_t *next, uint32_t i,
                       uint32_t n) {
    uint32_t made;
    ranks[i] = next[i] < n ? rank_of(t, ids[i], ids[next[i]], &made) : NO_RANK;
    return ranks[i] == NO_RANK || heap_push(h, (uint64_t)ranks[i] << 32 | i);
}

static wick_status merge_large(wick_encoder *e, uint32_t *ids, uint32_t *lens, size_t *count) {
    const wick_tokenizer *t = e->t;
    uint32_t n = (uint32_t)*count;
    uint32_t *ranks = wick_scratch_u32(e->scratch, 1, n), *prev = wick_scratch_u32(e->scratch, 2, n),
             *next = wick_scratch_u32(e->scratch, 3, n);
    if (!ranks || !prev || !next) return wick_fail_nomem(e->err);
    heap h = {e->scratch, 0};
    for (uint32_t i = 0; i < n; i++) prev[i] = i - 1, next[i] = i + 1;
    for (uint32_t i = 0; i < n; i++)
        if (!queue_pair(t, &h, ids, ranks, next, i, n)) return wick_fail_nomem(e->err);
    while (h.n) {
        uint64_t key = heap_pop(&h);
        uint32_t i = (uint32_t)key, made = 0;
        if (ranks[i] != key >> 32) continue; /* the pair has changed since */
        uint32_t j = next[i];
        rank_of(t, ids[i], ids[j], &made);
        ids[i] = made;
        if (lens) lens[i] += lens[j];
        next[i] = next[j];
        ranks[j] = NO_RANK;
        if (next[j] < n) prev[next[j]] = i;
        if (!queue_pair(t, &h, ids, ranks, next, i, n)) return wick_fail_nomem(e->err);
        if (i && !queue_pair(t, &h, ids, ranks, next, prev[i], n)) return wick_fail_nomem(e->err);
    }
    size_t kept = 0;
    for (uint32_t i = 0; i < n; i = next[i]) {
        if (lens) lens[kept] = lens[i];
        ids[kept++] = ids[i];
    }
    *count = kept;
    return WICK_OK;
}

static wick_status merge_and_emit(wick_encoder *e, uint32_t *ids, uint32_t *lens, size_t n, const char *s) {
    if (n > UINT32_MAX - 1) return wick_fail(e->err, WICK_ELIMIT, "a piece of text is longer than 4 GB");
    if (n > SMALL)
        WICK_TRY(merge_large(e, ids, lens, &n));
    else
        n = merge_small(e->t, ids, lens, n);
    for (size_t i = 0; i < n; i++) {
        size_t size = lens ? lens[i] : 0;
        WICK_TRY(wick_encoder_emit(e, (int32_t)ids[i], s, size));
        s += size;
    }
    return WICK_OK;
}

/* ---- symbols */

static wick_status bytes_word(wick_encoder *e, const char *s, size_t n) {
    const wick_tokenizer *t = e->t;
    if (t->config.flags & WICK_TOK_IGNORE_MERGES) {
        int32_t id = wick_tok_find(t, s, n);
        if (id >= 0) return wick_encoder_emit(e, id, s, n);
    }
    uint32_t *ids = wick_scratch_u32(e->scratch, 0, n), *lens = e->trail ? wick_scratch_u32(e->scratch, 4, n) : NULL;
    if (!ids || (e->trail && !lens)) return wick_fail_nomem(e->err);
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        if (t->byte_id[(unsigned char)s[i]] >= 0) ids[k++] = (uint32_t)t->byte_id[(unsigned char)s[i]];
    for (size_t i = 0; lens && i < k; i++) lens[i] = 1;
    return merge_and_emit(e, ids, lens, k, s);
}

/* Symbols of a word under construction. An unknown run is held back until a known symbol follows: Hugging Face adds the
 * bytes of a character that falls back to bytes *before* an unknown run that is still open. */
typedef struct symbols {
    uint32_t *ids, *lens;
    size_t n;
    uint32_t unknown; /* bytes */
} symbols;

static void put_symbol(symbols *y, uint32_t id, uint32_t size) {
    if (y->lens) y->lens[y->n] = size;
    y->ids[y->n++] = id;
}

static void close_unknown(symbols *y, uint32_t unk_id) {
    if (y->unknown) put_symbol(y, unk_id, y->unknown);
    y->unknown = 0;
}

static bool add_bytes(const wick_tokenizer *t, symbols *y, const char *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (t->byte_id[(unsigned char)s[i]] < 0) return false;
    for (size_t i = 0; i < n; i++) put_symbol(y, (uint32_t)t->byte_id[(unsigned char)s[i]], 1);
    return true;
}

/* s: with prefix and suffix; size: of the character alone. */
static void add_symbol(const wick_tokenizer *t, symbols *y, const char *s, size_t n, size_t size) {
    const wick_tok_config *c = &t->config;
    int32_t id = wick_tok_find(t, s, n);
    if (id >= 0 && c->flags & WICK_TOK_SENTENCEPIECE && t->token_flags[id] & (WICK_TOKEN_BYTE | WICK_TOKEN_CONTROL)) id = -1;
    if (id >= 0) {
        close_unknown(y, c->unk_id);
        put_symbol(y, (uint32_t)id, (uint32_t)size);
        return;
    }
    if (c->flags & WICK_TOK_BYTE_FALLBACK && add_bytes(t, y, s, n)) return;
    if (c->unk_id == UINT32_MAX) return;
    if (!(c->flags & WICK_TOK_FUSE_UNK)) close_unknown(y, c->unk_id);
    y->unknown += (uint32_t)size;
}

/* A character with the prefix of inner pieces and the suffix of last ones. */
static void add_marked(const wick_tokenizer *t, symbols *y, wick_strbuf *text, const char *s, size_t n, bool first, bool last) {
    wick_strbuf_reset(text);
    if (!first) wick_strbuf_add(text, t->pool + t->config.prefix_at, t->config.prefix_size);
    wick_strbuf_add(text, s, n);
    if (last) wick_strbuf_add(text, t->pool + t->config.suffix_at, t->config.suffix_size);
    if (!text->failed) add_symbol(t, y, text->data, text->size, n);
}

static wick_status chars_word(wick_encoder *e, const char *s, size_t n) {
    const wick_tokenizer *t = e->t;
    const wick_tok_config *c = &t->config;
    if (c->flags & WICK_TOK_IGNORE_MERGES) {
        int32_t id = wick_tok_find(t, s, n);
        if (id >= 0) return wick_encoder_emit(e, id, s, n);
    }
    bool marked = c->prefix_size || c->suffix_size;
    size_t most = n + 1 + (marked ? n * (size_t)(c->prefix_size + c->suffix_size) : 0);
    symbols y = {.ids = wick_scratch_u32(e->scratch, 0, most), .lens = e->trail ? wick_scratch_u32(e->scratch, 4, most) : NULL};
    if (!y.ids || (e->trail && !y.lens)) return wick_fail_nomem(e->err);
    for (size_t i = 0, size; i < n; i += size) {
        size = wick_char_size(s[i]);
        if (marked)
            add_marked(t, &y, &e->scratch->fixed, s + i, size, i == 0, i + size == n);
        else
            add_symbol(t, &y, s + i, size, size);
    }
    if (e->scratch->fixed.failed) return wick_fail_nomem(e->err);
    close_unknown(&y, c->unk_id);
    return merge_and_emit(e, y.ids, y.lens, y.n, s);
}

/* ---- the cache of words */

enum { KEY = 28, VALUES = 8, ENTRIES = 1 << 14, CACHE_FROM = 1024 };

typedef struct entry {
    uint8_t size, n; /* size 0: free */
    uint8_t pad[2];
    char key[KEY];
    int32_t ids[VALUES];
} entry; /* one cache line */

typedef struct wick_word_cache {
    entry entries[ENTRIES];
} wick_word_cache;

static entry *cache_slot(wick_encoder *e, const char *s, size_t n) {
    wick_tok_scratch *c = e->scratch;
    if (!c->cache) {
        c->n_seen += n;
        if (c->n_seen < CACHE_FROM) return NULL;
        c->cache = wick_calloc(1, sizeof *c->cache); /* without memory it merely stays slow */
        if (!c->cache) return NULL;
    }
    return &c->cache->entries[wick_tok_hash(s, n, 1) & (ENTRIES - 1)];
}

static wick_status encode_word(wick_encoder *e, const char *s, size_t n) {
    bool bytes = e->t->config.flags & WICK_TOK_BYTE_DOMAIN;
    entry *slot = n <= KEY && !e->trail ? cache_slot(e, s, n) : NULL;
    if (slot && slot->size == n && !memcmp(slot->key, s, n)) {
        for (int i = 0; i < slot->n; i++) WICK_TRY(wick_encoder_emit(e, slot->ids[i], NULL, 0));
        return WICK_OK;
    }
    size_t before = e->n;
    WICK_TRY(bytes ? bytes_word(e, s, n) : chars_word(e, s, n));
    if (slot && e->n - before <= VALUES) {
        slot->size = (uint8_t)n;
        slot->n = (uint8_t)(e->n - before);
        memcpy(slot->key, s, n);
        memcpy(slot->ids, e->ids + before, slot->n * sizeof *slot->ids);
    }
    return WICK_OK;
}

/* ---- pieces */

#define META "\xe2\x96\x81"

/* Cuts before each U+2581 where no merge can cross. */
static wick_status encode_cut(wick_encoder *e, const char *s, size_t n) {
    size_t from = 0;
    for (size_t i = 3; i + 3 <= n; i++) {
        if (memcmp(s + i, META, 3) != 0 || !memcmp(s + i - 3, META, 3)) continue;
        uint8_t before = (uint8_t)s[i - 1];
        if (e->t->config.joined[before >> 5] >> (before & 31) & 1) continue;
        WICK_TRY(encode_word(e, s + from, i - from));
        from = i;
    }
    return encode_word(e, s + from, n - from);
}

static wick_status encode_plain(wick_encoder *e, const char *s, size_t n) {
    if (!n) return WICK_OK;
    return e->t->config.flags & WICK_TOK_SPACE_CUTS ? encode_cut(e, s, n) : encode_word(e, s, n);
}

wick_status wick_bpe_encode(wick_encoder *e, const char *s, size_t n) {
    const wick_tokenizer *t = e->t;
    if (!(t->config.flags & WICK_TOK_SENTENCEPIECE) || !t->n_added[1]) return encode_plain(e, s, n);
    size_t from = 0;
    for (size_t i = 0; i < n;) { /* user-defined pieces are frozen: nothing merges across them */
        int32_t user = wick_added_longest(t, 1, s + i, n - i);
        if (user < 0) {
            i += wick_char_size(s[i]);
            continue;
        }
        WICK_TRY(encode_plain(e, s + from, i - from));
        size_t size = t->added[1][user].size;
        WICK_TRY(wick_encoder_emit(e, (int32_t)t->added[1][user].id, s + i, size));
        from = i += size;
    }
    return encode_plain(e, s + from, n - from);
}
