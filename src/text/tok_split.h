/* tok_split.h: hand-written splitters for the patterns that nearly all models use.
 *
 * Each gives, for a text and a position, the end of the match that the pattern (leftmost, first alternative) has there.
 * The patterns leave no gaps: every character belongs to a match. Equality with PCRE2 on random text is a test. */
#ifndef WICK_TEXT_TOK_SPLIT_H
#define WICK_TEXT_TOK_SPLIT_H

#include <stddef.h>

typedef enum wick_splitter_kind {
    WICK_SPLITTER_NONE,
    WICK_SPLITTER_GPT2,
    WICK_SPLITTER_P3,   /* Llama 3 */
    WICK_SPLITTER_QWEN, /* Qwen 2, 2.5, 3 */
    WICK_SPLITTER_QWEN35,
    WICK_SPLITTER_O200K,
    WICK_SPLITTER_CL100K,
    WICK_SPLITTER_TEKKEN,
    WICK_SPLITTER_N
} wick_splitter_kind;

typedef size_t wick_splitter_fn(const char *s, size_t at, size_t n);
wick_splitter_fn *wick_splitter_get(wick_splitter_kind kind);
/* The pattern that a splitter stands for, spelled as in tokenizer.json. */
const char *wick_splitter_pattern(wick_splitter_kind kind);
/* Every spelling that is known, by number; NULL: no more. */
const char *wick_splitter_spelling(size_t i, wick_splitter_kind *kind);
/* The splitter of a pattern, by any of its known spellings. */
wick_splitter_kind wick_splitter_of(const char *pattern, size_t size);

#endif
