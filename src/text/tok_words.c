#include "text/tok_words.h"

#include "base/bytes.h"
#include "base/mem.h"

#include <string.h>

enum { LINE = 64, SHORT_BITS = 14, LONG_BITS = 12, SHORT_WORD = 15, SHORT_IDS = 4 };

typedef struct short_entry {
    uint64_t low, high;     /* of its key; 0: free */
    int32_t ids[SHORT_IDS]; /* -1: none */
} short_entry;

typedef struct long_entry {
    uint8_t size, n_id; /* size 0: free */
    uint8_t pad[3];
    char word[WICK_WORD_MAX];
    int32_t ids[WICK_WORD_MAX_IDS];
} long_entry;

struct wick_word_cache {
    short_entry shorts[1 << SHORT_BITS][2];
    long_entry longs[1 << LONG_BITS];
};

_Static_assert(sizeof(short_entry) * 2 == LINE && sizeof(long_entry) == LINE, "an entry stays within its cache line");

wick_word_cache *wick_words_new(void) { return wick_alloc_aligned(sizeof(wick_word_cache), LINE); }
void wick_words_free(wick_word_cache *c) { wick_free_aligned(c); }

static inline size_t short_slot(const wick_word_key *k) { return k->hash >> (64 - SHORT_BITS); }
static inline size_t long_slot(const wick_word_key *k) { return k->hash >> (64 - LONG_BITS); }

/* Up to 15 bytes, and their number in the last one. Without a loop: loads from both ends overlap in the middle, where they agree. */
static inline void take_short(wick_word_key *k, const char *s, size_t n) {
    k->high = (uint64_t)n << 56;
    if (n >= 8) {
        k->low = wick_load_u64(s);
        k->high |= wick_load_u64(s + n - 8) >> 8 >> (8 * (15 - n)); /* from the ninth byte on: none for n = 8 */
    } else if (n >= 4)
        k->low = wick_load_u32(s) | (uint64_t)wick_load_u32(s + n - 4) << (8 * (n - 4));
    else
        k->low = (uint8_t)s[0] | (uint64_t)(uint8_t)s[n / 2] << (8 * (n / 2)) | (uint64_t)(uint8_t)s[n - 1] << (8 * (n - 1));
}

wick_word_key wick_words_seek(const wick_word_cache *c, const char *s, size_t n) {
    wick_word_key k;
    if (n <= SHORT_WORD)
        take_short(&k, s, n);
    else { /* words that differ in the middle alone collide; the table compares them whole */
        k.low = wick_load_u64(s) + wick_load_u64(s + n - 8);
        k.high = wick_load_u64(s + 8) + n;
    }
    uint64_t h = k.low * 0x9e3779b97f4a7c15ull ^ k.high * 0xc4ceb9fe1a85ec53ull;
    k.hash = (h ^ h >> 32) * 0xff51afd7ed558ccdull;
    __builtin_prefetch(n <= SHORT_WORD ? (const void *)c->shorts[short_slot(&k)] : (const void *)&c->longs[long_slot(&k)]);
    return k;
}

static inline bool same_key(const short_entry *e, const wick_word_key *k) { return !((e->low ^ k->low) | (e->high ^ k->high)); }

static const short_entry *find_short(const wick_word_cache *c, const wick_word_key *k) {
    const short_entry *e = c->shorts[short_slot(k)];
    return same_key(&e[0], k) ? &e[0] : same_key(&e[1], k) ? &e[1] : NULL;
}

static const long_entry *find_long(const wick_word_cache *c, const wick_word_key *k, const char *s, size_t n) {
    const long_entry *e = &c->longs[long_slot(k)];
    return e->size == n && !memcmp(e->word, s, n) ? e : NULL;
}

bool wick_words_get(const wick_word_cache *c, const wick_word_key *k, const char *s, size_t n, wick_word *out) {
    const short_entry *e = n <= SHORT_WORD ? find_short(c, k) : NULL;
    if (e) {
        size_t n_id = (size_t)(e->ids[0] >= 0) + (e->ids[1] >= 0) + (e->ids[2] >= 0) + (e->ids[3] >= 0);
        *out = (wick_word){e->ids, n_id};
        return true;
    }
    const long_entry *l = find_long(c, k, s, n);
    if (l) *out = (wick_word){l->ids, l->n_id};
    return l;
}

void wick_words_put(wick_word_cache *c, const wick_word_key *k, const char *s, size_t n, const wick_word *w) {
    if (n <= SHORT_WORD && w->n <= SHORT_IDS) {
        short_entry *e = c->shorts[short_slot(k)];
        if (same_key(e, k)) return; /* new twice in one handful */
        e[1] = e[0];
        e[0].low = k->low, e[0].high = k->high;
        for (size_t i = 0; i < SHORT_IDS; i++) e[0].ids[i] = i < w->n ? w->ids[i] : -1;
        return;
    }
    long_entry *e = &c->longs[long_slot(k)];
    e->size = (uint8_t)n;
    e->n_id = (uint8_t)w->n;
    memcpy(e->word, s, n);
    memcpy(e->ids, w->ids, w->n * sizeof *w->ids);
}
