/* Unigram: the way to cut a piece whose sum of scores is highest, found from left to right (Viterbi). The first of equal sums
 * stays. Hugging Face sums in double; SentencePiece (0.2.3) keeps its sums in float, takes them back to nought when they have become
 * large, and gives user-defined pieces a score by their length. */
#include "base/mem.h"
#include "text/tok_chars.h"
#include "text/tokenizer.h"

#include <string.h>

static bool in_lattice(const wick_tokenizer *t, uint32_t id) {
    return !(t->config.flags & WICK_TOK_SENTENCEPIECE) ||
           !(t->token_flags[id] & (WICK_TOKEN_BYTE | WICK_TOKEN_CONTROL | WICK_TOKEN_UNKNOWN | WICK_TOKEN_UNUSED));
}

/* First index in [lo, hi) of the sorted pieces whose byte k is > c (or >= c); shorter pieces come first. */
static uint32_t bound(const wick_tokenizer *t, uint32_t lo, uint32_t hi, size_t k, int c) {
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2, id = t->sorted[mid];
        uint32_t from = t->token_at[id], size = t->token_at[id + 1] - from;
        if (size > k && (uint8_t)t->token_bytes[from + k] >= c)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

typedef struct lattice {
    const wick_tokenizer *t;
    double *best;        /* [n + 1] */
    uint32_t *from, *id; /* [n + 1]; from UINT32_MAX: not reached */
    size_t reached;      /* the last end that is */
    bool is_float;
    double unk_score;
} lattice;

static void offer(lattice *l, size_t start, size_t end, uint32_t id, double score) {
    double sum = score + l->best[start];
    if (l->is_float) sum = (float)sum;
    if (l->from[end] != UINT32_MAX && !(sum > l->best[end])) return;
    l->best[end] = sum;
    l->from[end] = (uint32_t)start;
    l->id[end] = id;
    if (end > l->reached) l->reached = end;
}

/* Sums of 100,000 have so few digits behind the point that scores would be lost: what is reached is measured from here on. */
static void rebase(lattice *l, size_t at) {
    const float far = 100000.0f, offset = (float)l->best[at];
    if (!l->is_float || (offset >= -far && offset <= far)) return;
    for (size_t i = at; i <= l->reached; i++)
        if (i == at || l->from[i] != UINT32_MAX) l->best[i] = (float)l->best[i] - offset;
}

static double score_of(const lattice *l, uint32_t id, size_t size) {
    if (l->is_float && l->t->token_flags[id] & WICK_TOKEN_USER) return (float)(0.1 * (double)(size - 1));
    return l->t->scores[id];
}

/* Offers all pieces that begin at s + at. */
static void offer_from(lattice *l, const char *s, size_t at, size_t n) {
    const wick_tokenizer *t = l->t;
    uint32_t lo = 0, hi = t->n_sorted;
    size_t size = wick_char_size(s[at]);
    bool single = false;
    for (size_t k = 0; at + k < n && lo < hi; k++) {
        int c = (uint8_t)s[at + k];
        lo = bound(t, lo, hi, k, c);
        hi = bound(t, lo, hi, k, c + 1);
        if (lo >= hi) break;
        uint32_t id = t->sorted[lo];
        if (t->token_at[id + 1] - t->token_at[id] != k + 1 || !in_lattice(t, id)) continue;
        offer(l, at, at + k + 1, id, score_of(l, id, k + 1));
        if (k + 1 == size) single = true;
    }
    if (!single) offer(l, at, at + size, t->config.unk_id, l->unk_score);
}

static wick_status emit_unknown(wick_encoder *e, const char *s, size_t n) {
    const wick_tokenizer *t = e->t;
    int32_t id = t->config.flags & WICK_TOK_SENTENCEPIECE ? -1 : wick_tok_find(t, s, n);
    if (id >= 0) return wick_encoder_emit(e, id, s, n);
    bool all = t->config.flags & WICK_TOK_BYTE_FALLBACK;
    for (size_t i = 0; all && i < n; i++) all = t->byte_id[(uint8_t)s[i]] >= 0;
    for (size_t i = 0; all && i < n; i++) WICK_TRY(wick_encoder_emit(e, t->byte_id[(uint8_t)s[i]], s, n));
    return all ? WICK_OK : wick_encoder_emit(e, (int32_t)t->config.unk_id, s, n);
}

wick_status wick_unigram_encode(wick_encoder *e, const char *s, size_t n) {
    const wick_tokenizer *t = e->t;
    wick_tok_scratch *w = e->scratch;
    if (n > UINT32_MAX - 2) return wick_fail(e->err, WICK_ELIMIT, "a piece of text is longer than 4 GB");
    if (t->config.unk_id == UINT32_MAX) return wick_fail(e->err, WICK_EFORMAT, "the tokenizer has no token for what is unknown");
    if (n + 1 > w->f64_cap) {
        double *p = wick_realloc(w->f64, n + 1 + n / 2, sizeof *p);
        if (!p) return wick_fail_nomem(e->err);
        w->f64 = p;
        w->f64_cap = n + 1 + n / 2;
    }
    lattice l = {.t = t, .best = w->f64, .from = wick_scratch_u32(w, 1, n + 1), .id = wick_scratch_u32(w, 2, n + 1)};
    uint32_t *cuts = wick_scratch_u32(w, 3, n + 1);
    if (!l.from || !l.id || !cuts) return wick_fail_nomem(e->err);
    l.is_float = t->config.flags & WICK_TOK_SENTENCEPIECE;
    l.unk_score = t->config.min_score;
    memset(l.from, 0xff, (n + 1) * sizeof *l.from);
    l.best[0] = 0;
    for (size_t i = 0; i < n; i += wick_char_size(s[i])) {
        rebase(&l, i);
        offer_from(&l, s, i, n);
    }
    size_t n_cut = 0;
    for (size_t end = n; end; end = l.from[end]) cuts[n_cut++] = (uint32_t)end;
    size_t from = 0;
    while (n_cut) {
        size_t end = cuts[--n_cut];
        bool unknown = l.id[end] == t->config.unk_id;
        while (unknown && n_cut && l.id[cuts[n_cut - 1]] == t->config.unk_id) end = cuts[--n_cut]; /* runs of unknown characters are one */
        if (unknown)
            WICK_TRY(emit_unknown(e, s + from, end - from));
        else
            WICK_TRY(wick_encoder_emit(e, (int32_t)l.id[end], s + from, end - from));
        from = end;
    }
    return WICK_OK;
}
