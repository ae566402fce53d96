/* tok_format.h: the compiled tokenizer, the bytes of `wick.tokenizer` in a program file.
 *
 *   0   magic "WICKTOK1"
 *   8   u32 version; a reader refuses every version but its own
 *   12  u32 number of sections
 *   16  u64 size of all
 *   24  per section u64 offset (multiple of 8), u64 size
 *
 * All numbers are little-endian. Sections are arrays of the structs of tokenizer.h, laid out as C lays them out (u32 words;
 * doubles aligned to 8), so that a mapped file is used where it lies. A reader checks offsets, ids and kinds; hash tables
 * are not checked beyond that, because a lookup stops after WICK_TOK_MAX_PROBE steps whatever they hold. */
#ifndef WICK_TEXT_TOK_FORMAT_H
#define WICK_TEXT_TOK_FORMAT_H

#include <stdint.h>

#define WICK_TOK_MAGIC   "WICKTOK1"
#define WICK_TOK_VERSION 1u

enum {
    WICK_TOK_SECTION_CONFIG,
    WICK_TOK_SECTION_OPS,                             /* three: normalize, pre-tokenize, decode */
    WICK_TOK_SECTION_POOL = WICK_TOK_SECTION_OPS + 3, /* bytes */
    WICK_TOK_SECTION_TOKEN_AT,                        /* u32 [n_token + 1] */
    WICK_TOK_SECTION_TOKEN_BYTES,
    WICK_TOK_SECTION_TOKEN_FLAGS,                       /* u8 [n_token] */
    WICK_TOK_SECTION_TOKEN_SLOTS,                       /* u32, id + 1 */
    WICK_TOK_SECTION_SCORES,                            /* f64 [n_token], UNIGRAM only */
    WICK_TOK_SECTION_SORTED,                            /* u32, UNIGRAM only: ids by piece */
    WICK_TOK_SECTION_MERGES,                            /* wick_tok_merge */
    WICK_TOK_SECTION_ADDED,                             /* two lists of wick_tok_added */
    WICK_TOK_SECTION_POST = WICK_TOK_SECTION_ADDED + 2, /* i32 [n_prefix + n_suffix] */
    WICK_TOK_N_SECTION
};

#define WICK_TOK_HEADER_SIZE (24 + 16 * WICK_TOK_N_SECTION)

/* Home slot of a hash in a table of any size. */
static inline uint32_t wick_tok_home(uint32_t hash, uint32_t n_slot) { return (uint32_t)((uint64_t)hash * n_slot >> 32); }

#endif
