/* Byte pair encoding: symbols, then merges by rank (lowest first, leftmost of equals), as Hugging Face and SentencePiece do.
 *
 * Short words are merged by scanning for the lowest rank; long ones with a heap of (rank, position), so that a megabyte
 * without a cut takes n log n. Words that have been seen are looked up in a cache (tok_words.h), and those that are new are
 * merged side by side, because merging waits for memory: the tables of a large vocabulary are megabytes. */
#include "base/mem.h"
#include "text/tok_chars.h"
#include "text/tok_words.h"
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

/* A word of at most SMALL symbols on its way. Its steps are apart so that several words can take them side by side: what a step
 * will read is asked for one step before, and while it is on its way the other words are served. */
typedef struct small_word {
    size_t n, at; /* symbols; the one that was made last */
    uint32_t ids[SMALL], ranks[SMALL], made[SMALL];
} small_word;

static void small_ask(const wick_tokenizer *t, const small_word *w) {
    for (size_t i = 0; i + 1 < w->n; i++) wick_tok_merge_ask(t, w->ids[i], w->ids[i + 1]);
}

static void small_start(const wick_tokenizer *t, small_word *w) {
    for (size_t i = 0; i + 1 < w->n; i++) w->ranks[i] = rank_of(t, w->ids[i], w->ids[i + 1], &w->made[i]);
}

/* Makes the next merge; false: there is none. lens: bytes of each symbol, NULL: not wanted. */
static bool small_merge(const wick_tokenizer *t, small_word *w, uint32_t *lens) {
    if (w->n < 2) return false;
    size_t best = 0;
    for (size_t i = 1; i + 1 < w->n; i++)
        if (w->ranks[i] < w->ranks[best]) best = i;
    if (w->ranks[best] == NO_RANK) return false;
    w->ids[best] = w->made[best];
    if (lens) lens[best] += lens[best + 1];
    w->n--;
    for (size_t i = best + 1; i < w->n; i++) {
        w->ids[i] = w->ids[i + 1];
        w->ranks[i - 1] = w->ranks[i];
        w->made[i - 1] = w->made[i];
        if (lens) lens[i] = lens[i + 1];
    }
    w->at = best;
    if (best + 1 < w->n) wick_tok_merge_ask(t, w->ids[best], w->ids[best + 1]);
    if (best > 0) wick_tok_merge_ask(t, w->ids[best - 1], w->ids[best]);
    return true;
}

/* Looks up the pairs of the new symbol. */
static void small_look(const wick_tokenizer *t, small_word *w) {
    size_t i = w->at;
    if (i + 1 < w->n) w->ranks[i] = rank_of(t, w->ids[i], w->ids[i + 1], &w->made[i]);
    if (i > 0) w->ranks[i - 1] = rank_of(t, w->ids[i - 1], w->ids[i], &w->made[i - 1]);
}

static void merge_small(const wick_tokenizer *t, small_word *w, uint32_t *lens) {
    small_start(t, w);
    while (small_merge(t, w, lens)) small_look(t, w);
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
    else {
        small_word w = {.n = n};
        memcpy(w.ids, ids, n * sizeof *ids);
        merge_small(e->t, &w, lens);
        memcpy(ids, w.ids, (n = w.n) * sizeof *ids);
    }
    for (size_t i = 0; i < n; i++) {
        size_t size = lens ? lens[i] : 0;
        WICK_TRY(wick_encoder_emit(e, (int32_t)ids[i], s, size));
        s += size;
    }
    return WICK_OK;
}

/* ---- symbols */

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
    int32_t id = n == 1 && (unsigned char)s[0] < 0x80 ? t->ascii_id[(unsigned char)s[0]] : wick_tok_find(t, s, n);
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

/* The symbols of a word that its characters are; room for as many as it has bytes, and one. */
static void plain_symbols(const wick_tokenizer *t, symbols *y, const char *s, size_t n) {
    if (t->config.flags & WICK_TOK_BYTE_DOMAIN) {
        for (size_t i = 0; i < n; i++)
            if (t->byte_id[(unsigned char)s[i]] >= 0) put_symbol(y, (uint32_t)t->byte_id[(unsigned char)s[i]], 1);
        return;
    }
    for (size_t i = 0, size; i < n; i += size) {
        size = wick_char_size(s[i]);
        add_symbol(t, y, s + i, size, size);
    }
    close_unknown(y, t->config.unk_id);
}

static void marked_symbols(const wick_tokenizer *t, symbols *y, wick_strbuf *text, const char *s, size_t n) {
    for (size_t i = 0, size; i < n; i += size) {
        size = wick_char_size(s[i]);
        add_marked(t, y, text, s + i, size, i == 0, i + size == n);
    }
    close_unknown(y, t->config.unk_id);
}

static bool has_marks(const wick_tokenizer *t) { return t->config.prefix_size || t->config.suffix_size; }

static wick_status merge_word(wick_encoder *e, const char *s, size_t n) {
    const wick_tokenizer *t = e->t;
    if (!n) return WICK_OK;
    if (t->config.flags & WICK_TOK_IGNORE_MERGES) {
        int32_t id = wick_tok_find(t, s, n);
        if (id >= 0) return wick_encoder_emit(e, id, s, n);
    }
    size_t most = n + 1 + (has_marks(t) ? n * (size_t)(t->config.prefix_size + t->config.suffix_size) : 0);
    symbols y = {.ids = wick_scratch_u32(e->scratch, 0, most), .lens = e->trail ? wick_scratch_u32(e->scratch, 4, most) : NULL};
    if (!y.ids || (e->trail && !y.lens)) return wick_fail_nomem(e->err);
    if (has_marks(t))
        marked_symbols(t, &y, &e->scratch->fixed, s, n);
    else
        plain_symbols(t, &y, s, n);
    if (e->scratch->fixed.failed) return wick_fail_nomem(e->err);
    return merge_and_emit(e, y.ids, y.lens, y.n, s);
}

/* ---- words by the handful */

enum { CACHE_FROM = 1024, FRESH = WICK_TOK_FIND_ALL };

/* The cache, NULL: none yet, or none for this call. With a trail it would have to know the tokens' places. */
static wick_word_cache *cache_for(wick_encoder *e, size_t n) {
    wick_tok_scratch *c = e->scratch;
    if (e->trail) return NULL;
    if (!c->words) {
        c->n_seen += n;
        if (c->n_seen >= CACHE_FROM) c->words = wick_words_new(); /* without memory it merely stays slow */
    }
    return c->words;
}

/* Words of a text, what became of each, and those that the cache did not know. */
typedef struct handful {
    wick_word_cache *cache;
    wick_word_key keys[WICK_BPE_WORDS];
    wick_word words[WICK_BPE_WORDS]; /* ids NULL: not for the cache */
    struct {
        wick_bytes text;
        size_t word; /* its number */
    } fresh[FRESH];
    small_word merged[FRESH];
    size_t n_fresh;
} handful;

static bool fits_cache(size_t n) { return n && n <= WICK_WORD_MAX; }

static void find_word(handful *h, size_t i, const char *s, size_t n) {
    h->words[i].ids = NULL;
    if (!fits_cache(n) || wick_words_get(h->cache, &h->keys[i], s, n, &h->words[i])) return;
    h->fresh[h->n_fresh].text = (wick_bytes){(const uint8_t *)s, n};
    h->fresh[h->n_fresh++].word = i;
}

static void merge_fresh(const wick_tokenizer *t, handful *h) {
    small_word *open[FRESH];
    wick_bytes texts[FRESH];
    int32_t whole[FRESH];
    size_t n_open = 0;
    bool look = t->config.flags & WICK_TOK_IGNORE_MERGES;
    for (size_t k = 0; k < h->n_fresh; k++) texts[k] = h->fresh[k].text;
    if (look) wick_tok_find_all(t, texts, h->n_fresh, whole);
    for (size_t k = 0; k < h->n_fresh; k++) {
        small_word *w = &h->merged[k];
        symbols y = {.ids = w->ids};
        if (look && whole[k] >= 0)
            put_symbol(&y, (uint32_t)whole[k], 0);
        else
            plain_symbols(t, &y, (const char *)texts[k].data, texts[k].size), open[n_open++] = w;
        w->n = y.n;
    }
    for (size_t k = 0; k < n_open; k++) small_ask(t, open[k]);
    for (size_t k = 0; k < n_open; k++) small_start(t, open[k]);
    while (n_open) {
        size_t left = 0;
        for (size_t k = 0; k < n_open; k++)
            if (small_merge(t, open[k], NULL)) open[left++] = open[k];
        n_open = left;
        for (size_t k = 0; k < n_open; k++) small_look(t, open[k]);
    }
    for (size_t k = 0; k < h->n_fresh; k++) h->words[h->fresh[k].word] = (wick_word){(const int32_t *)h->merged[k].ids, h->merged[k].n};
}

static wick_status emit_word(wick_encoder *e, const wick_word *w) {
    if (w->n > WICK_WORD_MAX_IDS || e->cap - e->n < WICK_WORD_MAX_IDS) {
        for (size_t k = 0; k < w->n; k++) WICK_TRY(wick_encoder_emit(e, w->ids[k], NULL, 0));
        return WICK_OK;
    }
    int32_t *to = e->ids + e->n; /* in two strides: most words are the first of them */
    memcpy(to, w->ids, WICK_WORD_MAX_IDS / 2 * sizeof *to);
    if (w->n > WICK_WORD_MAX_IDS / 2)
        memcpy(to + WICK_WORD_MAX_IDS / 2, w->ids + WICK_WORD_MAX_IDS / 2, WICK_WORD_MAX_IDS / 2 * sizeof *to);
    e->n += w->n;
    return WICK_OK;
}

static void keep_fresh(handful *h) {
    for (size_t k = 0; k < h->n_fresh; k++) {
        const wick_word *w = &h->words[h->fresh[k].word];
        if (w->n <= WICK_WORD_MAX_IDS)
            wick_words_put(h->cache, &h->keys[h->fresh[k].word], (const char *)h->fresh[k].text.data, h->fresh[k].text.size, w);
    }
}

static wick_status encode_handful(wick_encoder *e, handful *h, const char *s, const size_t *ends, size_t n_word) {
    for (size_t i = 0, from = 0; i < n_word; from = ends[i++])
        if (fits_cache(ends[i] - from)) h->keys[i] = wick_words_seek(h->cache, s + from, ends[i] - from);
    for (size_t i = 0, from = 0; i < n_word;) {
        size_t end = i, at = from;
        for (h->n_fresh = 0; end < n_word && h->n_fresh < FRESH; at = ends[end++]) find_word(h, end, s + at, ends[end] - at);
        if (h->n_fresh) merge_fresh(e->t, h);
        for (; i < end; from = ends[i++]) WICK_TRY(h->words[i].ids ? emit_word(e, &h->words[i]) : merge_word(e, s + from, ends[i] - from));
        keep_fresh(h); /* not before: the words that are known lie in the cache itself */
    }
    return WICK_OK;
}

/* Words that lie one behind the other; ends: of each, counted from s. */
static wick_status encode_words(wick_encoder *e, const char *s, const size_t *ends, size_t n_word) {
    handful h;
    h.cache = has_marks(e->t) ? NULL : cache_for(e, ends[n_word - 1]);
    if (h.cache) return encode_handful(e, &h, s, ends, n_word);
    for (size_t i = 0, from = 0; i < n_word; from = ends[i++]) WICK_TRY(merge_word(e, s + from, ends[i] - from));
    return WICK_OK;
}

/* ---- pieces */

#define META "\xe2\x96\x81"

/* Cuts before each U+2581 where no merge can cross. */
static wick_status encode_cut(wick_encoder *e, const char *s, size_t n) {
    size_t from = 0, ends[WICK_BPE_WORDS], k = 0;
    for (size_t i = 3; i + 3 <= n; i++) {
        if (memcmp(s + i, META, 3) != 0 || !memcmp(s + i - 3, META, 3)) continue;
        uint8_t before = (uint8_t)s[i - 1];
        if (e->t->config.joined[before >> 5] >> (before & 31) & 1) continue;
        ends[k++] = i - from;
        if (k < WICK_BPE_WORDS) continue;
        WICK_TRY(encode_words(e, s + from, ends, k));
        from = i;
        k = 0;
    }
    ends[k++] = n - from;
    return encode_words(e, s + from, ends, k);
}

static wick_status encode_plain(wick_encoder *e, const char *s, size_t n) {
    if (!n) return WICK_OK;
    return e->t->config.flags & WICK_TOK_SPACE_CUTS ? encode_cut(e, s, n) : encode_words(e, s, &n, 1);
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

wick_status wick_bpe_encode_words(wick_encoder *e, const char *s, const size_t *ends, size_t n_word) {
    if (e->t->config.flags & WICK_TOK_BYTE_DOMAIN) return n_word ? encode_words(e, s, ends, n_word) : WICK_OK;
    for (size_t i = 0, from = 0; i < n_word; from = ends[i++]) WICK_TRY(wick_bpe_encode(e, s + from, ends[i] - from));
    return WICK_OK;
}
