/* tok_words.h: the cache of words: what a BPE has made of the words that it has seen.
 *
 * Text repeats its words: of 258,000 words of an English text 21,000 are different. Two tables: short words that became few
 * tokens are kept two to a cache line, the newer one in front; what is longer, or became more tokens, has a line of its own
 * in a second table. A word that is longer still is merged each time.
 *
 * The tables do not fit the nearest caches, and a text's rarer words are most of what is not there, so a lookup has two
 * halves: the first computes where a word would be and asks for that line, the second, some words later, reads it. */
#ifndef WICK_TEXT_TOK_WORDS_H
#define WICK_TEXT_TOK_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct wick_word_cache wick_word_cache;

/* Longest word, in bytes, and most tokens of one that the cache takes. */
enum { WICK_WORD_MAX = 27, WICK_WORD_MAX_IDS = 8 };

/* A word of 1 to WICK_WORD_MAX bytes as the cache sees it: the bytes of a short one with their number (of a longer one, what
 * they were hashed to), and the hash that says where it would be. */
typedef struct wick_word_key {
    uint64_t low, high, hash;
} wick_word_key;

/* What a word became. ids has room for WICK_WORD_MAX_IDS, or for half of them if n is no more: those may be read. */
typedef struct wick_word {
    const int32_t *ids;
    size_t n;
} wick_word;

/* NULL: no memory. */
wick_word_cache *wick_words_new(void);
void wick_words_free(wick_word_cache *c);

/* The first half of a lookup. */
wick_word_key wick_words_seek(const wick_word_cache *c, const char *s, size_t n);
/* The second; false: the word is not known. What is found stays until the next wick_words_put. */
bool wick_words_get(const wick_word_cache *c, const wick_word_key *k, const char *s, size_t n, wick_word *out);
/* Remembers a word. */
void wick_words_put(wick_word_cache *c, const wick_word_key *k, const char *s, size_t n, const wick_word *w);

#endif
