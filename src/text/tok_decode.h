/* tok_decode.h: decoding with memory that is kept between calls, for the streaming decoder. */
#ifndef WICK_TEXT_TOK_DECODE_H
#define WICK_TEXT_TOK_DECODE_H

#include "text/tokenizer.h"

/* A list of texts, end to end. */
typedef struct wick_pieces {
    wick_strbuf text;
    size_t *ends, n, cap;
} wick_pieces;

void wick_pieces_release(wick_pieces *p);
/* Replaces *out by the text of the ids. */
wick_status wick_decode_into(const wick_tokenizer *t, const int32_t *ids, size_t n, bool skip_special, wick_pieces work[2],
                             wick_strbuf *out, wick_error *err);
/* Whether a special token that is left out still parts the bytes around it. */
bool wick_decodes_apart(const wick_tokenizer *t, int32_t id);
/* The byte that a piece of byte fallback, `<0xNN>`, stands for; -1: it is another piece. */
int wick_piece_byte(wick_bytes piece);
/* Adds bytes with U+FFFD for each maximal invalid part. */
void wick_put_lossy(wick_strbuf *out, const char *s, size_t n);

#endif
