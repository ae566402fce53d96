/* Selecting the best of many without sorting them all: a radix selection, whose time does not depend on the keys.
 *
 * Keys are looked at as integers of the same order, eleven bits at a time from the top: each candidate's weight goes to the bucket of its
 * bits, and walking the buckets from the best finds the one in which the target is reached. Only candidates of that bucket are told apart
 * by the next bits, and the last few by comparing. The candidates themselves stay where they are until the worst that is kept is known. */
#include "text/sampler_impl.h"

#include <string.h>

enum { RADIX_BITS = 11, N_BUCKET = 1 << RADIX_BITS, FEW = 64 };

static bool better(wick_candidate a, wick_candidate b) { return a.key > b.key || (a.key == b.key && a.id < b.id); }

/* A heap with the worst on top. */
static void sift_down(wick_candidate *h, size_t n, size_t i) {
    wick_candidate x = h[i];
    for (size_t c; (c = 2 * i + 1) < n; i = c) {
        if (c + 1 < n && better(h[c], h[c + 1])) c++;
        if (!better(x, h[c])) break;
        h[i] = h[c];
    }
    h[i] = x;
}

/* In place: libc's qsort may allocate. */
void wick_select_sort(wick_candidate *c, size_t n) {
    for (size_t i = n / 2; i-- > 0;) sift_down(c, n, i);
    while (n > 1) {
        wick_candidate worst = c[0];
        c[0] = c[--n];
        c[n] = worst;
        sift_down(c, n, 0);
    }
}

/* What is looked for, and how far the search has come: the candidates whose upper bits are `prefix` are the cut's bucket, and those before
 * that bucket weigh `sum`. */
typedef struct search {
    const wick_candidate *c;
    size_t n;
    const float *weights;
    double target, sum;
    bool beyond;
    uint32_t prefix;
    int n_low; /* bits that have not been looked at */
} search;

static double weight_of(const search *s, wick_candidate c) { return s->weights ? (double)s->weights[c.id] : 1; }

static bool is_reached(const search *s, double sum) { return s->beyond ? sum > s->target : sum >= s->target; }

/* The order of floats as the order of unsigned integers; + 0 makes both zeros one. */
static uint32_t rank_of(float key) {
    uint32_t bits;
    key += 0.0f;
    memcpy(&bits, &key, 4);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static bool is_in_bucket(const search *s, uint32_t rank) { return s->n_low == 32 || rank >> s->n_low == s->prefix; }

/* One step down: into the bucket in which the target is reached, or false if it is not. */
static bool descend(search *s) {
    double bucket[N_BUCKET] = {0};
    int n_bit = s->n_low < RADIX_BITS ? s->n_low : RADIX_BITS, low = s->n_low - n_bit;
    uint32_t mask = (1u << n_bit) - 1, most = 0, least = mask;
    for (size_t i = 0; i < s->n; i++) {
        uint32_t rank = rank_of(s->c[i].key), b = rank >> low & mask;
        if (!is_in_bucket(s, rank)) continue;
        bucket[b] += weight_of(s, s->c[i]);
        most = b > most ? b : most;
        least = b < least ? b : least;
    }
    for (uint32_t b = most + 1; b-- > least; s->sum += bucket[b]) {
        if (!is_reached(s, s->sum + bucket[b])) continue;
        s->prefix = (s->n_low == 32 ? 0 : s->prefix << n_bit) | b;
        s->n_low = low;
        return true;
    }
    return false;
}

/* Of a bucket of equals, in order of ids, or of the sorted few: the one with which the target is reached. */
static wick_candidate last_of(const search *s, const wick_candidate *few, size_t n_few) {
    const wick_candidate *c = n_few ? few : s->c;
    wick_candidate last = {0, 0};
    double sum = s->sum;
    for (size_t i = 0; i < (n_few ? n_few : s->n); i++) {
        if (!n_few && !is_in_bucket(s, rank_of(c[i].key))) continue;
        last = c[i];
        if (is_reached(s, sum += weight_of(s, last))) break;
    }
    return last; /* the bucket's last if it is reached only by rounding */
}

/* The members of the cut's bucket, sorted, if they are few; else 0. */
static size_t few_of(const search *s, wick_candidate few[FEW]) {
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (!is_in_bucket(s, rank_of(s->c[i].key))) continue;
        if (n == FEW) return 0;
        few[n++] = s->c[i];
    }
    wick_select_sort(few, n);
    return n;
}

/* The worst that belongs to the prefix; false: all do. */
static bool find_last(search s, wick_candidate *last) {
    wick_candidate few[FEW];
    size_t n_few = 0;
    while (s.n_low && !(n_few = few_of(&s, few)))
        if (!descend(&s)) return false;
    *last = last_of(&s, few, n_few);
    return true;
}

/* Moves those to the front that are not worse than one of them. */
static size_t keep_to(wick_candidate *c, size_t n, wick_candidate last) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        c[kept] = c[i];
        kept += !better(last, c[i]);
    }
    return kept;
}

size_t wick_select_prefix(wick_candidate *c, size_t n, const float *weights, double target, bool beyond, size_t least) {
    wick_candidate last;
    size_t n_kept = 0;
    if (!find_last((search){c, n, weights, target, 0, beyond, 0, 32}, &last)) return n;
    for (size_t i = 0; i < n && n_kept < least; i++) n_kept += !better(last, c[i]);
    if (n_kept < least && !find_last((search){c, n, NULL, (double)least, 0, false, 0, 32}, &last)) return n;
    return keep_to(c, n, last);
}
