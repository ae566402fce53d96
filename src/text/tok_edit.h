/* tok_edit.h: text being rewritten, and where each byte of it came from.
 *
 * Normalizers and pre-tokenizers write through an edit. Without origins it is a cursor and an output buffer; with them, every byte that is
 * written also gets the range of the input that it stands for, by Hugging Face's rules: what replaces a character has its range, what is
 * added has that of the character before it (or after it, in front of a text). A byte of a character has the range of the whole character.
 */
#ifndef WICK_TEXT_TOK_EDIT_H
#define WICK_TEXT_TOK_EDIT_H

#include "base/strbuf.h"
#include "wick.h"

/* For each byte of a text, a range of the input. */
typedef struct wick_origins {
    wick_span *at;
    size_t n, cap;
    bool failed;
} wick_origins;

typedef struct wick_text {
    wick_strbuf text;
    wick_origins from; /* empty where offsets are not wanted */
} wick_text;

void wick_text_release(wick_text *t);
void wick_text_reset(wick_text *t);

typedef struct wick_edit {
    const char *in;
    size_t n, at;          /* bytes to read, and the cursor */
    const wick_span *from; /* [n], NULL: offsets are not wanted */
    wick_strbuf *out;
    wick_origins *to;
} wick_edit;

/* The edit that rewrites s into an empty text. */
wick_edit wick_edit_init(const char *s, size_t n, const wick_span *from, wick_text *out);

typedef enum wick_edit_how {
    WICK_EDIT_INSTEAD, /* replaces the character at the cursor, which moves on */
    WICK_EDIT_AFTER,   /* added: belongs to what has been read last */
    WICK_EDIT_BEFORE   /* added: belongs to what comes next */
} wick_edit_how;
void wick_edit_put(wick_edit *e, const void *s, size_t n, wick_edit_how how);
void wick_edit_put_char(wick_edit *e, uint32_t cp, wick_edit_how how);
/* Copies the next n bytes, or drops them. */
void wick_edit_keep(wick_edit *e, size_t n);
static inline void wick_edit_skip(wick_edit *e, size_t n) { e->at += n; }
/* Drops the last n bytes that were written. */
void wick_edit_unput(wick_edit *e, size_t n);

#endif
