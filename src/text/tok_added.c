/* Added tokens: leftmost, then longest, in lists sorted by content. */
#include "text/tok_chars.h"
#include "text/tokenizer.h"

#include <string.h>

static const char *content(const wick_tokenizer *t, const wick_tok_added *a) { return t->pool + a->at; }

/* The range of a sorted list narrows byte by byte; a token that ends at a byte is the first of its range. */
int32_t wick_added_longest(const wick_tokenizer *t, int list, const char *s, size_t n) {
    const wick_tok_added *a = t->added[list];
    if (!n || !(t->added_first[list][(uint8_t)s[0] >> 3] >> ((uint8_t)s[0] & 7) & 1)) return -1;
    uint32_t lo = 0, hi = t->n_added[list];
    int32_t found = -1;
    for (size_t k = 0; k < n && lo < hi; k++) {
        uint8_t c = (uint8_t)s[k];
        uint32_t x = lo, y = hi; /* first whose byte k is >= c; shorter ones count as less */
        while (x < y) {
            uint32_t mid = x + (y - x) / 2;
            if (a[mid].size > k && (uint8_t)content(t, &a[mid])[k] >= c)
                y = mid;
            else
                x = mid + 1;
        }
        lo = x, y = hi;
        while (x < y) { /* first whose byte k is > c */
            uint32_t mid = x + (y - x) / 2;
            if ((uint8_t)content(t, &a[mid])[k] > c)
                y = mid;
            else
                x = mid + 1;
        }
        hi = x;
        if (lo < hi && a[lo].size == k + 1) found = (int32_t)lo;
    }
    return found;
}

static bool word_before(const char *s, size_t at) {
    if (!at) return false;
    size_t n = wick_char_before(s, at);
    return wick_is_word(wick_char_at(s + at - n, &n));
}

static bool word_after(const char *s, size_t at, size_t n) {
    size_t size;
    return at < n && wick_is_word(wick_char_at(s + at, &size));
}

static size_t spaces_before(const char *s, size_t at, size_t least) {
    while (at > least) {
        size_t n = wick_char_before(s, at);
        if (!(wick_char_class(wick_char_at(s + at - n, &n)) & WICK_CH_SPACE)) break;
        at -= n;
    }
    return at;
}

static size_t spaces_after(const char *s, size_t at, size_t n) {
    for (size_t size; at < n && wick_char_class(wick_char_at(s + at, &size)) & WICK_CH_SPACE;) at += size;
    return at;
}

static bool touches_input(wick_added_scan *scan, size_t from, size_t to) {
    while (scan->i_input < scan->n_input && scan->input[scan->i_input].to <= from) scan->i_input++;
    return scan->i_input < scan->n_input && scan->input[scan->i_input].from < to;
}

wick_added_match wick_added_next(wick_added_scan *scan) {
    const wick_tokenizer *t = scan->t;
    const char *s = scan->s;
    const uint8_t *first = t->added_first[scan->list];
    while (t->n_added[scan->list] && scan->at < scan->n) {
        uint8_t c = (uint8_t)s[scan->at];
        if (!(first[c >> 3] >> (c & 7) & 1)) {
            scan->at++;
            continue;
        }
        int32_t i = wick_added_longest(t, scan->list, s + scan->at, scan->n - scan->at);
        if (i < 0) {
            scan->at++;
            continue;
        }
        const wick_tok_added *a = &t->added[scan->list][i];
        size_t from = scan->at, to = from + a->size;
        scan->at = to; /* also when the match is refused: the search goes on behind it */
        if (a->flags & WICK_ADDED_SPECIAL && (!scan->parse_special || touches_input(scan, from, to))) continue;
        if (a->flags & WICK_ADDED_SINGLE_WORD && (word_before(s, from) || word_after(s, to, scan->n))) continue;
        if (a->flags & WICK_ADDED_LSTRIP && from > scan->done) from = spaces_before(s, from, scan->done);
        if (a->flags & WICK_ADDED_RSTRIP) to = spaces_after(s, to, scan->n);
        size_t start = from;
        if (from < scan->done) from = scan->done;
        if (a->flags & WICK_ADDED_LSTRIP) start = from;
        scan->done = to;
        return (wick_added_match){from, to, (int32_t)a->id, start};
    }
    return (wick_added_match){scan->n, scan->n, -1, scan->n};
}
