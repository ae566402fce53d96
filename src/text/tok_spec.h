/* tok_spec.h: what the readers of tokenizer files fill in, and the compiler that makes a blob of it.
 *
 * A spec owns one pool of bytes; everything else refers to it by offset, so it may grow while it is filled. All functions
 * fail only for lack of memory or beyond the limits of base/limits.h. */
#ifndef WICK_TEXT_TOK_SPEC_H
#define WICK_TEXT_TOK_SPEC_H

#include "text/tokenizer.h"

typedef struct wick_spec_token {
    uint32_t at, size;
    uint32_t flags;
    double score;
} wick_spec_token;

typedef struct wick_tok_spec {
    wick_tok_config config;
    wick_strbuf pool;
    wick_spec_token *tokens; /* by id */
    size_t n_token, token_cap;
    wick_tok_merge *merges;
    size_t n_merge, merge_cap;
    wick_tok_added *added;
    size_t n_added, added_cap;
    wick_tok_op *ops[WICK_TOK_N_STAGE];
    size_t n_op[WICK_TOK_N_STAGE], op_cap[WICK_TOK_N_STAGE];
    int32_t prefix[16], suffix[16];
} wick_tok_spec;

void wick_spec_init(wick_tok_spec *s);
void wick_spec_release(wick_tok_spec *s);

wick_status wick_spec_string(wick_tok_spec *s, const void *data, size_t size, uint32_t *at, wick_error *err);
wick_status wick_spec_token_set(wick_tok_spec *s, uint64_t id, const void *text, size_t size, uint32_t flags, double score,
                                wick_error *err);
wick_status wick_spec_merge(wick_tok_spec *s, uint32_t left, uint32_t right, uint32_t rank, uint32_t id, wick_error *err);
wick_status wick_spec_added(wick_tok_spec *s, uint32_t id, const void *text, size_t size, uint32_t flags, wick_error *err);
wick_status wick_spec_op(wick_tok_spec *s, int stage, wick_tok_op op, wick_bytes a, wick_bytes b, wick_error *err);
wick_status wick_spec_around(wick_tok_spec *s, bool suffix, int32_t id, wick_error *err);

/* Pre-tokenizer with a pattern; a known pattern gets its hand-written splitter. */
wick_status wick_spec_pattern(wick_tok_spec *s, const char *pattern, size_t size, uint32_t behavior, uint32_t flags, wick_error *err);
/* Adds merges for every way to cut a token of `kinds` into two others: rank = order of falling score (equal scores, equal
 * rank), or the id with by_id. SentencePiece and tiktoken files have no list of merges: joining what is a token is the rule. */
wick_status wick_spec_implied_merges(wick_tok_spec *s, uint32_t skip_flags, bool by_id, bool bytes, wick_error *err);

/* What all vocabularies of SentencePiece have in common, once their tokens are set: normalizer and decoder with `flags` (WICK_OP_*),
 * merges, scores, control tokens to be parsed on request, user-defined pieces, and BOS in front if there is one. */
wick_status wick_spec_sentencepiece(wick_tok_spec *s, uint32_t flags, wick_bytes charsmap, wick_bytes unk_surface, wick_error *err);

/* Makes the blob: allocated, *size bytes, the same for the same spec. */
wick_status wick_spec_compile(wick_tok_spec *s, uint8_t **blob, size_t *size, wick_error *err);
/* Compiles and opens. */
wick_status wick_spec_open(wick_tok_spec *s, wick_tokenizer **out, wick_error *err);

/* True if the data reads as a llama2.c or ExecuTorch tokenizer.bin. */
bool wick_is_llama2c(wick_bytes data);

/* ---- the readers: data is borrowed. `name` stands in messages. */
wick_status wick_read_llama2c(wick_bytes data, wick_tok_spec *s, wick_error *err);
wick_status wick_read_tokenizer_json(wick_bytes data, wick_tok_spec *s, wick_error *err);
wick_status wick_read_sentencepiece(wick_bytes data, wick_tok_spec *s, wick_error *err);
wick_status wick_read_tiktoken(wick_bytes data, wick_bytes sidecar, wick_tok_spec *s, wick_error *err);
struct wick_container;
wick_status wick_read_gguf_tokenizer(const struct wick_container *c, wick_tok_spec *s, wick_error *err);
/* tokenizer_config.json beside a tokenizer.json: BOS and EOS. */
wick_status wick_read_tokenizer_config(wick_bytes data, wick_tok_spec *s, wick_error *err);

/* A file of any kind but a compiled one. */
wick_status wick_spec_read_file(const char *path, wick_tok_spec *s, wick_error *err);
/* The same from memory: for tests and fuzzers. */
wick_status wick_tokenizer_from_memory(const void *data, size_t size, wick_tokenizer **out, wick_error *err);

#endif
