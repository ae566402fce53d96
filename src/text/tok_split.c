#include "text/tok_split.h"

#include "text/tok_chars.h"

#include <string.h>

/* What the patterns differ in. Passed as a constant to a matcher that is always inlined, so that each splitter is its own code. */
#define INLINE static inline __attribute__((always_inline))
typedef struct rule {
    bool fold;         /* contractions in any case; U+017F counts as s */
    bool any_lead;     /* a word may begin with one character that is no letter, number or newline; else with one space */
    bool mark_letters; /* marks belong to words, and not to punctuation */
    bool cased;        /* o200k, tekken: capitals, then small letters */
    bool tails;        /* o200k: a contraction after them */
    int digits;        /* longest group of numbers; 0: any, with a leading space */
    bool slash;        /* punctuation also takes / after it */
    bool newlines;     /* punctuation takes the newlines after it; newlines end a run of white space */
    bool end_run;      /* cl100k: white space at the end of the text is one piece */
} rule;

INLINE unsigned class_at(const char *s, size_t at, size_t n, size_t *size) {
    if (at >= n) return *size = 0, 0;
    unsigned char c = (unsigned char)s[at];
    if (c < 0x80) return *size = 1, wick_ascii_class[c];
    return wick_char_class_wide(wick_char_at(s + at, size));
}

/* End of the run of characters of a class. */
INLINE size_t run(const char *s, size_t at, size_t n, unsigned mask) {
    for (size_t size; at < n; at += size) {
        unsigned char c = (unsigned char)s[at];
        size = 1;
        if (c < 0x80 ? !(wick_ascii_class[c] & mask) : !(class_at(s, at, n, &size) & mask)) break;
    }
    return at;
}

/* The end of 's 't 're 've 'm 'll 'd at a position; 0: none. */
INLINE size_t contraction(const char *s, size_t at, size_t n, bool fold) {
    if (at + 1 >= n || s[at] != '\'') return 0;
    unsigned char c = (unsigned char)s[at + 1], d = at + 2 < n ? (unsigned char)s[at + 2] : 0;
    if (fold) {
        if (c == 0xc5 && d == 0xbf) return at + 3;
        if (c >= 'A' && c <= 'Z') c |= 32;
        if (d >= 'A' && d <= 'Z') d |= 32;
    }
    if (c == 's' || c == 't' || c == 'm' || c == 'd') return at + 2;
    if ((c == 'r' && d == 'e') || (c == 'v' && d == 'e') || (c == 'l' && d == 'l')) return at + 3;
    return 0;
}

/* White space that no other alternative took: `\s*[\r\n]+`, `\s+(?!\S)`, `\s+`. */
INLINE size_t space(const char *s, size_t at, size_t n, const rule *r) {
    size_t last = at, newline = 0, i = at, size;
    unsigned c;
    while ((c = class_at(s, i, n, &size)) & WICK_CH_SPACE) {
        last = i;
        i += size;
        if (c & WICK_CH_NEWLINE) newline = i;
    }
    if (r->end_run && i == n) return i;
    if (r->newlines && newline) return newline;
    return i == n || last == at ? i : last; /* the last one stays for the word after it */
}

enum { A = WICK_CH_UPPER | WICK_CH_OTHER | WICK_CH_MARK, B = WICK_CH_LOWER | WICK_CH_OTHER | WICK_CH_MARK };

/* `[A]*[B]+` from a position: the end, 0 if it does not match. A* is greedy and gives back one character at a time. */
INLINE size_t small_word(const char *s, size_t at, size_t n) {
    size_t i = at, back = 0, size;
    unsigned c;
    while ((c = class_at(s, i, n, &size)) & A) {
        i += size;
        if (c & B) back = i;
    }
    size_t end = run(s, i, n, B);
    return end > i ? end : back;
}

INLINE size_t cased_word(const char *s, size_t at, size_t n, bool tails) {
    size_t size, end = 0;
    unsigned c = class_at(s, at, n, &size);
    bool lead = !(c & (WICK_CH_NEWLINE | WICK_CH_LETTER | WICK_CH_NUMBER));
    if (lead) end = small_word(s, at + size, n);
    if (!end && c & (A | B)) end = small_word(s, at, n);
    if (!end && lead) {
        size_t i = run(s, at + size, n, A);
        if (i > at + size) end = run(s, i, n, B);
    }
    if (!end && c & A) end = run(s, run(s, at, n, A), n, B);
    if (!end || !tails) return end;
    size_t tail = contraction(s, end, n, true);
    return tail ? tail : end;
}

INLINE size_t plain_word(const char *s, size_t at, size_t n, unsigned c, size_t size, const rule *r) {
    unsigned letters = WICK_CH_LETTER | (r->mark_letters ? WICK_CH_MARK : 0);
    if (c & letters) return run(s, at + size, n, letters);
    if (r->any_lead ? (c & (WICK_CH_NEWLINE | WICK_CH_NUMBER)) != 0 : s[at] != ' ') return 0;
    size_t end = run(s, at + size, n, letters);
    return end > at + size ? end : 0;
}

INLINE size_t numbers(const char *s, size_t at, size_t n, int most) {
    size_t size;
    for (int i = 0; i < most && class_at(s, at, n, &size) & WICK_CH_NUMBER; i++) at += size;
    return at;
}

INLINE size_t match(const char *s, size_t at, size_t n, const rule *r) {
    size_t size, end;
    unsigned c = class_at(s, at, n, &size);
    if (s[at] == '\'' && !r->cased && (end = contraction(s, at, n, r->fold))) return end;
    if ((end = r->cased ? cased_word(s, at, n, r->tails) : plain_word(s, at, n, c, size, r))) return end;
    if (c & WICK_CH_NUMBER) return r->digits ? numbers(s, at, n, r->digits) : run(s, at, n, WICK_CH_NUMBER);
    size_t from = s[at] == ' ' ? at + 1 : at;
    if (!r->digits && from > at && (end = run(s, from, n, WICK_CH_NUMBER)) > from) return end;
    unsigned none = WICK_CH_SPACE | WICK_CH_LETTER | WICK_CH_NUMBER | (r->mark_letters ? WICK_CH_MARK : 0);
    for (end = from; end < n && !(class_at(s, end, n, &size) & none);) end += size;
    if (end > from) {
        if (r->newlines)
            while (end < n && (s[end] == '\r' || s[end] == '\n' || (r->slash && s[end] == '/'))) end++;
        return end;
    }
    return space(s, at, n, r);
}

static size_t gpt2(const char *s, size_t at, size_t n) { return match(s, at, n, &(const rule){0}); }
static size_t p3(const char *s, size_t at, size_t n) {
    return match(s, at, n, &(const rule){.fold = true, .any_lead = true, .digits = 3, .newlines = true});
}
static size_t qwen(const char *s, size_t at, size_t n) {
    return match(s, at, n, &(const rule){.fold = true, .any_lead = true, .digits = 1, .newlines = true});
}
static size_t qwen35(const char *s, size_t at, size_t n) {
    return match(s, at, n, &(const rule){.fold = true, .any_lead = true, .mark_letters = true, .digits = 1, .newlines = true});
}
static size_t o200k(const char *s, size_t at, size_t n) {
    return match(s, at, n, &(const rule){.cased = true, .tails = true, .digits = 3, .slash = true, .newlines = true});
}
static size_t cl100k(const char *s, size_t at, size_t n) {
    return match(s, at, n, &(const rule){.fold = true, .any_lead = true, .digits = 3, .newlines = true, .end_run = true});
}

static size_t tekken(const char *s, size_t at, size_t n) {
    return match(s, at, n, &(const rule){.cased = true, .digits = 1, .slash = true, .newlines = true});
}

wick_splitter_fn *wick_splitter_get(wick_splitter_kind kind) {
    static wick_splitter_fn *const all[WICK_SPLITTER_N] = {NULL, gpt2, p3, qwen, qwen35, o200k, cl100k, tekken};
    return (unsigned)kind < WICK_SPLITTER_N ? all[kind] : NULL;
}

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define SPACES       "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define CASED(tail, numbers)                                                                                                               \
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+" tail "|"                                   \
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*" tail "|" numbers                           \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SPACES

static const struct {
    wick_splitter_kind kind;
    const char *pattern;
} patterns[] = {
    {WICK_SPLITTER_GPT2, "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"},
    {WICK_SPLITTER_P3, CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SPACES},
    {WICK_SPLITTER_QWEN, CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SPACES},
    {WICK_SPLITTER_QWEN35, CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" SPACES},
    {WICK_SPLITTER_O200K, CASED(CONTRACTIONS "?", "\\p{N}{1,3}")},
    {WICK_SPLITTER_TEKKEN, CASED("", "\\p{N}")},
    {WICK_SPLITTER_CL100K, "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|"
                           "\\s*[\\r\\n]|\\s+(?!\\S)|\\s"},
    /* other spellings of the same */
    {WICK_SPLITTER_GPT2, "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"},
    {WICK_SPLITTER_GPT2, "'(?:[sdmt]|ll|ve|re)| ?\\p{L}++| ?\\p{N}++| ?[^\\s\\p{L}\\p{N}]++|\\s++$|\\s+(?!\\S)|\\s"},
};

const char *wick_splitter_pattern(wick_splitter_kind kind) {
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        if (patterns[i].kind == kind) return patterns[i].pattern;
    return NULL;
}

const char *wick_splitter_spelling(size_t i, wick_splitter_kind *kind) {
    if (i >= sizeof patterns / sizeof *patterns) return NULL;
    *kind = patterns[i].kind;
    return patterns[i].pattern;
}

wick_splitter_kind wick_splitter_of(const char *pattern, size_t size) {
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        if (strlen(patterns[i].pattern) == size && !memcmp(patterns[i].pattern, pattern, size)) return patterns[i].kind;
    return WICK_SPLITTER_NONE;
}
