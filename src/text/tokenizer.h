/* tokenizer.h: what a tokenizer is inside.
 *
 * Files come in half a dozen kinds (Hugging Face JSON, SentencePiece, tiktoken, Tekken, llama2.c, GGUF). Each reader
 * (read_*.c) fills a *spec*, the compiler (tok_compile.c) turns the spec into a *blob*, and a tokenizer is nothing but
 * verified views into a blob (tok_blob.c). So every kind takes the path that a program file takes, and loading a compiled
 * tokenizer parses nothing: no JSON, and no regular expression unless the file has one that Wick has no splitter for.
 *
 * Encoding is the pipeline that Hugging Face's library defines; the other kinds are special cases of it:
 *
 *   text -> added tokens cut out -> normalizers -> added tokens (normalized) cut out -> pre-tokenizers -> model -> ids
 *
 * Every stage is a list of ops (wick_tok_op). Pre-tokenizers run depth first: a piece goes through all later stages
 * before the next piece is looked for, so nothing is collected and memory stays small.
 *
 * Byte domain: with a byte-level BPE, pieces of the vocabulary are kept as the bytes that they stand for, not in
 * GPT-2's alphabet of 256 printable characters, and text is never mapped. Other models keep pieces as in their file.
 *
 * Text that is not UTF-8 is read as Unicode 15 3.9 advises: one U+FFFD for each maximal invalid part. */
#ifndef WICK_TEXT_TOKENIZER_H
#define WICK_TEXT_TOKENIZER_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/os.h"
#include "base/strbuf.h"
#include "text/tok_edit.h"

typedef enum wick_tok_model { WICK_TOK_BPE, WICK_TOK_UNIGRAM, WICK_TOK_WORDPIECE, WICK_TOK_WORDLEVEL, WICK_TOK_N_MODEL } wick_tok_model;

/* Flags of one token of the vocabulary. */
enum {
    WICK_TOKEN_PRESENT = 1, /* the id exists */
    WICK_TOKEN_SPECIAL = 2, /* left out by skip_special */
    WICK_TOKEN_BYTE = 4,    /* stands for one byte, `<0xNN>` */
    WICK_TOKEN_CONTROL = 8, /* SentencePiece: decodes to nothing */
    WICK_TOKEN_UNKNOWN = 16,
    WICK_TOKEN_USER = 32,    /* SentencePiece: matched in the raw text before anything else */
    WICK_TOKEN_UNUSED = 64,  /* SentencePiece: may appear while merging, not in the result */
    WICK_TOKEN_LITERAL = 128 /* byte domain: could not be mapped to bytes; its text is what the file says */
};
/* Only in a spec: an added token that the model itself does not know: no text becomes it but by the lists of added tokens. */
#define WICK_TOKEN_ADDED_ONLY 256u

/* Flags of the model. */
enum {
    WICK_TOK_BYTE_DOMAIN = 1,
    WICK_TOK_BYTE_FALLBACK = 2,
    WICK_TOK_IGNORE_MERGES = 4, /* a whole piece that is a token is that token, whatever the merges say */
    WICK_TOK_FUSE_UNK = 8,
    WICK_TOK_SENTENCEPIECE = 16, /* SentencePiece's own rules where they differ from Hugging Face's */
    WICK_TOK_SPACE_CUTS = 32,    /* text may be cut before each U+2581 that follows a character whose last byte is not in `joined` */
    WICK_TOK_DECODE_JOIN = 128,  /* no decoder in the file: tokens are joined with spaces */
    WICK_TOK_DECODE_APART = 256, /* byte domain: no character is made of bytes on both sides of a special token */
    WICK_TOK_TRIM_OFFSETS = 512, /* offsets leave out the white space around a token */
    WICK_TOK_KEEP_PREFIX = 1024, /* but not one space at the start of the text, which may be the prefix */
};

typedef enum wick_tok_op_kind {
    WICK_TOK_OP_NONE,
    /* normalizers */
    WICK_NORM_NFC,
    WICK_NORM_NFD,
    WICK_NORM_NFKC,
    WICK_NORM_NFKD,
    WICK_NORM_LOWER,
    WICK_NORM_STRIP,
    WICK_NORM_STRIP_ACCENTS,
    WICK_NORM_NMT,
    WICK_NORM_PRECOMPILED, /* a: charsmap */
    WICK_NORM_REPLACE,     /* a: text or pattern (WICK_OP_REGEX), b: replacement; also a decoder */
    WICK_NORM_PREPEND,     /* a */
    WICK_NORM_BYTE_LEVEL,
    WICK_NORM_BERT,
    WICK_NORM_SENTENCEPIECE, /* a: charsmap */
    /* pre-tokenizers */
    WICK_PRE_BYTE_LEVEL,
    WICK_PRE_SPLIT, /* a: text or pattern; value: behaviour */
    WICK_PRE_DIGITS,
    WICK_PRE_PUNCTUATION,
    WICK_PRE_WHITESPACE,
    WICK_PRE_WHITESPACE_SPLIT,
    WICK_PRE_BERT,
    WICK_PRE_METASPACE,      /* a: replacement; value: scheme */
    WICK_PRE_CHAR_DELIMITER, /* a */
    WICK_PRE_SCRIPTS,
    WICK_PRE_FIXED, /* value: characters */
    /* decoders */
    WICK_DEC_BYTE_LEVEL,
    WICK_DEC_REPLACE,
    WICK_DEC_BYTE_FALLBACK,
    WICK_DEC_FUSE,
    WICK_DEC_STRIP,         /* a: character; value: start | stop << 16 */
    WICK_DEC_METASPACE,     /* a: replacement; value: scheme */
    WICK_DEC_WORDPIECE,     /* a: prefix */
    WICK_DEC_BPE,           /* a: suffix */
    WICK_DEC_CTC,           /* a: pad, b: word delimiter */
    WICK_DEC_SENTENCEPIECE, /* a: what unknown decodes to */
    WICK_TOK_OP_END
} wick_tok_op_kind;

/* Flags of ops; each belongs to the kinds named. */
enum {
    WICK_OP_REGEX = 1,        /* REPLACE, SPLIT: a is a pattern */
    WICK_OP_INVERT = 2,       /* SPLIT */
    WICK_OP_PREFIX_SPACE = 4, /* BYTE_LEVEL */
    WICK_OP_USE_REGEX = 8,    /* BYTE_LEVEL */
    WICK_OP_INDIVIDUAL = 16,  /* DIGITS */
    WICK_OP_SPLIT = 32,       /* METASPACE: cut before each replacement */
    WICK_OP_LEFT = 64,
    WICK_OP_RIGHT = 128, /* STRIP */
    WICK_OP_CLEAN = 256, /* BERT: clean text; WORDPIECE, CTC: clean up */
    WICK_OP_CHINESE = 512,
    WICK_OP_ACCENTS = 1024,
    WICK_OP_LOWER = 2048, /* BERT */
    WICK_OP_DUMMY_PREFIX = 4096,
    WICK_OP_EXTRA_SPACES = 8192 /* keep */,
    WICK_OP_ESCAPE = 16384,
    WICK_OP_SUFFIX = 32768,        /* SENTENCEPIECE */
    WICK_OP_PLAIN_PATTERN = 65536, /* the pattern has Python / Rust meaning (tiktoken), not Ruby's */
};

typedef enum wick_tok_behavior {
    WICK_SPLIT_REMOVED,
    WICK_SPLIT_ISOLATED,
    WICK_SPLIT_PREVIOUS,
    WICK_SPLIT_NEXT,
    WICK_SPLIT_CONTIGUOUS
} wick_tok_behavior;
typedef enum wick_tok_scheme { WICK_PREPEND_FIRST, WICK_PREPEND_ALWAYS, WICK_PREPEND_NEVER } wick_tok_scheme;

/* One step of a stage. Strings lie in the blob's pool. */
typedef struct wick_tok_op {
    uint32_t kind, flags, value, splitter; /* splitter: wick_splitter_kind of a known pattern, 0: none */
    uint32_t a_at, a_size, b_at, b_size;
} wick_tok_op;

enum { WICK_STAGE_NORMALIZE, WICK_STAGE_PRE, WICK_STAGE_DECODE, WICK_TOK_N_STAGE };

/* A merge of two tokens: a slot of an open hash table. rank UINT32_MAX: free. */
typedef struct wick_tok_merge {
    uint32_t left, right, rank, id;
} wick_tok_merge;

enum { WICK_ADDED_SINGLE_WORD = 1, WICK_ADDED_LSTRIP = 2, WICK_ADDED_RSTRIP = 4, WICK_ADDED_NORMALIZED = 8, WICK_ADDED_SPECIAL = 16 };

/* A token that is looked for in the text. Both lists are sorted by content. */
typedef struct wick_tok_added {
    uint32_t id, flags, at, size;
} wick_tok_added;

typedef struct wick_tok_config {
    uint32_t model, flags, n_token;
    uint32_t unk_id;                 /* UINT32_MAX: none */
    int32_t bos_id, eos_id;          /* -1: none */
    uint32_t max_chars;              /* WORDPIECE: longer words are unknown */
    uint32_t n_prefix, n_suffix;     /* ids that ADD_SPECIAL puts around a text */
    uint32_t max_piece;              /* longest piece in bytes */
    uint32_t prefix_at, prefix_size; /* continuing_subword_prefix */
    uint32_t suffix_at, suffix_size; /* end_of_word_suffix */
    uint32_t hash_seed;
    uint32_t reserved;
    uint32_t joined[8];  /* SPACE_CUTS: a bit for each byte that some piece has before U+2581 */
    double min_score;    /* UNIGRAM: of an unknown character, penalty included */
    double reserved_f64; /* 0 */
} wick_tok_config;

typedef struct wick_tok_scratch wick_tok_scratch;
typedef struct wick_regex wick_regex;

struct wick_tokenizer {
    const uint8_t *blob; /* aligned to 8 */
    size_t blob_size;
    void *owned; /* the blob, if it is ours */
    wick_tok_config config;
    const wick_tok_op *ops[WICK_TOK_N_STAGE];
    uint32_t n_op[WICK_TOK_N_STAGE];
    wick_regex **regexes[WICK_TOK_N_STAGE]; /* [n_op], NULL where an op needs none */
    const char *pool;
    const uint32_t *token_at; /* [n_token + 1] */
    const char *token_bytes;
    const uint8_t *token_flags;  /* [n_token] */
    const uint32_t *token_slots; /* id + 1; 0: free */
    uint32_t n_token_slot;
    const double *scores;   /* [n_token], UNIGRAM; NULL */
    const uint32_t *sorted; /* UNIGRAM: ids in the order of their pieces */
    uint32_t n_sorted;
    const wick_tok_merge *merges;
    uint32_t n_merge_slot;
    const wick_tok_added *added[2]; /* raw, normalized */
    uint32_t n_added[2];
    const int32_t *post;        /* [n_prefix + n_suffix] */
    int32_t byte_id[256];       /* byte domain: the byte; byte fallback: `<0xNN>`; -1: none */
    int32_t ascii_id[128];      /* the piece that is this character; -1: none */
    uint8_t added_first[2][32]; /* bit set of the bytes that added tokens begin with */
    wick_tok_scratch *scratch;  /* working memory and the cache of words, reused between calls */
};

typedef struct wick_tokenizer wick_tokenizer_impl;

/* ---- tok_blob.c */
/* Verifies and views a blob. `owned`: the tokenizer frees it with wick_free (also on failure). */
wick_status wick_tok_view(const void *blob, size_t size, void *owned, wick_tokenizer **out, wick_error *err);

static inline wick_bytes wick_tok_text(const wick_tokenizer *t, uint32_t id) {
    return (wick_bytes){(const uint8_t *)t->token_bytes + t->token_at[id], t->token_at[id + 1] - t->token_at[id]};
}
static inline wick_bytes wick_tok_op_a(const wick_tokenizer *t, const wick_tok_op *op) {
    return (wick_bytes){(const uint8_t *)t->pool + op->a_at, op->a_size};
}
static inline wick_bytes wick_tok_op_b(const wick_tokenizer *t, const wick_tok_op *op) {
    return (wick_bytes){(const uint8_t *)t->pool + op->b_at, op->b_size};
}
/* The id of a piece as the model knows it, -1: none. */
int32_t wick_tok_find(const wick_tokenizer *t, const void *piece, size_t size);
/* The same for up to WICK_TOK_FIND_ALL pieces: what each step reads is asked for before. */
void wick_tok_find_all(const wick_tokenizer *t, const wick_bytes *pieces, size_t n, int32_t *ids);
#define WICK_TOK_FIND_ALL 16
/* Asks the memory for what wick_tok_merge_find will read. */
void wick_tok_merge_ask(const wick_tokenizer *t, uint32_t left, uint32_t right);
/* The merge of two tokens, NULL: none. */
const wick_tok_merge *wick_tok_merge_find(const wick_tokenizer *t, uint32_t left, uint32_t right);
/* Both hashes are part of the blob format. */
uint32_t wick_tok_hash(const void *data, size_t size, uint32_t seed);
uint32_t wick_tok_merge_hash(uint32_t left, uint32_t right, uint32_t seed);
/* A slot is never farther than this from its home; the compiler sees to it, so a hostile table cannot be slow. */
#define WICK_TOK_MAX_PROBE 512

/* ---- GPT-2's alphabet (tok_alphabet.c) */
/* The character that stands for a byte. */
uint32_t wick_alphabet_char(uint8_t byte);
/* The byte of a character, -1: not in the alphabet. */
int wick_alphabet_byte(uint32_t cp);
/* Maps a whole piece to bytes (out has room for n); SIZE_MAX: a character is not in the alphabet. */
size_t wick_alphabet_bytes(const char *s, size_t n, char *out);

/* ---- where tokens come from (tok_trail.c) */

/* The texts that a token may point into: the input, what the normalizers made of a segment, and two for each level of
 * pre-tokenizers (with a prefix, rewritten). Each with the origins of its bytes. */
enum { WICK_LAYER_INPUT, WICK_LAYER_NORMALIZED, WICK_LAYER_PRE, WICK_N_LAYER = WICK_LAYER_PRE + 2 * 64 };
typedef struct wick_trail {
    struct {
        const char *text;
        size_t size;
        const wick_span *from;
    } layers[WICK_N_LAYER];
    const char *input; /* as the caller gave it */
    size_t n_input;
    wick_span *spans; /* of the tokens */
    size_t n, cap;
    size_t n_around; /* of them put in front by ADD_SPECIAL */
} wick_trail;

/* Makes a text known, NULL: forgets it. */
static inline void wick_trail_layer(wick_trail *trail, int layer, const char *text, size_t size, const wick_span *from) {
    if (!trail) return;
    trail->layers[layer].text = text;
    trail->layers[layer].size = size;
    trail->layers[layer].from = from;
}
/* Origins of the bytes from s on, NULL if offsets are not wanted. */
const wick_span *wick_trail_find(const wick_trail *trail, const char *s);
/* Records the token that is about to be emitted; s NULL: it stands for nothing. */
wick_status wick_trail_add(wick_trail *trail, const wick_tokenizer *t, int32_t id, const char *s, size_t n, bool added, wick_error *err);

/* ---- encoding (tok_encode.c) */
typedef struct wick_encoder {
    const wick_tokenizer *t;
    unsigned flags;
    int32_t *ids;
    size_t n, cap;
    wick_tok_scratch *scratch;
    const wick_span *input; /* sorted ranges of the text in which special tokens are only text */
    size_t n_input;
    wick_error *err;
    wick_trail *trail; /* NULL: offsets are not wanted */
} wick_encoder;

/* The next token, and the part of the current text (as pre-tokenizers and normalizers have left it) that it stands for. */
wick_status wick_encoder_emit(wick_encoder *e, int32_t id, const char *s, size_t n);
/* Runs a piece through pre-tokenizers from `level` on, then the model (tok_pre.c). at_start: the piece begins at offset 0 of the text. */
wick_status wick_pre_run(wick_encoder *e, uint32_t level, const char *s, size_t n, bool at_start);
/* The models: one piece to ids. */
wick_status wick_bpe_encode(wick_encoder *e, const char *s, size_t n);
/* The same for up to WICK_BPE_WORDS pieces that lie one behind the other: quicker. ends: of each, counted from s. */
wick_status wick_bpe_encode_words(wick_encoder *e, const char *s, const size_t *ends, size_t n_word);
#define WICK_BPE_WORDS 128
wick_status wick_unigram_encode(wick_encoder *e, const char *s, size_t n);
wick_status wick_wordpiece_encode(wick_encoder *e, const char *s, size_t n);

/* ---- normalizers (tok_normalize.c) */
typedef struct wick_normalized {
    const char *text; /* the input itself if nothing changed, else memory in the two buffers */
    size_t size;
    const wick_span *from; /* origins of its bytes, NULL if they were not wanted */
    bool moved;            /* what the input began with has been dropped: the text no longer begins at its offset 0 */
} wick_normalized;
/* from: origins of s, or NULL. */
wick_status wick_normalize(const wick_tokenizer *t, const char *s, size_t n, const wick_span *from, wick_text buffers[2],
                           wick_normalized *out, wick_error *err);
/* Literal and regular replacement, also for decoders. */
void wick_replace_text(wick_bytes what, wick_bytes with, const char *s, size_t n, wick_strbuf *out);
wick_status wick_replace_regex(wick_regex *re, wick_bytes with, const char *s, size_t n, wick_strbuf *out, wick_error *err);
/* SentencePiece's normalizer (tok_charsmap.c). */
wick_status wick_charsmap_check(wick_bytes map, wick_error *err);
/* The longest prefix of s that the map changes: its length (0: none) and what it becomes. */
size_t wick_charsmap_prefix(wick_bytes map, const char *s, size_t n, const char **to, size_t *to_size);
/* What the shortest prefix of s in the map becomes; false: no prefix is in it. */
bool wick_charsmap_shortest(wick_bytes map, const char *s, size_t n, const char **to, size_t *to_size);
wick_status wick_normalize_sentencepiece(const wick_tokenizer *t, const wick_tok_op *op, wick_edit *e, wick_error *err);

/* ---- added tokens (tok_added.c) */
typedef struct wick_added_match {
    size_t from, to; /* strips included */
    int32_t id;      /* -1: no more; from = to = n */
    size_t start;    /* where it begins as offsets have it: before `from` if the token before has stripped what it begins with */
} wick_added_match;
typedef struct wick_added_scan {
    const wick_tokenizer *t;
    int list;
    bool parse_special;
    const char *s;
    size_t n, at, done;     /* where the search goes on; where the last match ended */
    const wick_span *input; /* special tokens that touch one of these are only text */
    size_t n_input, i_input;
} wick_added_scan;
wick_added_match wick_added_next(wick_added_scan *scan);
/* The longest token of a list at s + at: index, -1: none. */
int32_t wick_added_longest(const wick_tokenizer *t, int list, const char *s, size_t n);

/* ---- memory kept between calls (tok_encode.c) */
struct wick_tok_scratch {
    wick_text norm[2];
    wick_strbuf fixed;
    wick_text pre[64]; /* by level: texts that a pre-tokenizer has changed */
    uint32_t *u32[5];  /* BPE: ids, ranks, links, lengths; UNIGRAM: best ways */
    size_t u32_cap[5];
    double *f64;
    size_t f64_cap;
    uint64_t *heap;
    size_t heap_cap;
    struct wick_word_cache *words;
    size_t n_seen; /* bytes encoded so far: the cache pays from some on */
};
void wick_tok_scratch_free(wick_tok_scratch *s);
/* Room for n numbers in scratch->u32[which]; NULL: no memory. */
uint32_t *wick_scratch_u32(wick_tok_scratch *s, int which, size_t n);

#endif
