/* strbuf.h: text and bytes that grow, and a JSON emitter on top.
 *
 * An allocation failure makes the buffer `failed` and later calls do nothing: check once at the end. The core links no
 * JSON library; it only ever writes JSON, and this is all that takes. */
#ifndef WICK_BASE_STRBUF_H
#define WICK_BASE_STRBUF_H

#include "base/error.h"

typedef struct wick_strbuf {
    char *data; /* always terminated once something was added; NULL before */
    size_t size, cap;
    bool failed;
} wick_strbuf;

void wick_strbuf_release(wick_strbuf *b);
void wick_strbuf_reset(wick_strbuf *b); /* empties, keeps the memory */
void wick_strbuf_add(wick_strbuf *b, const void *data, size_t n);
void wick_strbuf_puts(wick_strbuf *b, const char *s);
void wick_strbuf_putc(wick_strbuf *b, char c);
void wick_strbuf_printf(wick_strbuf *b, const char *format, ...) WICK_PRINTF(2, 3);
/* Gives the terminated text away (NULL if failed) and leaves the buffer empty. */
char *wick_strbuf_take(wick_strbuf *b, size_t *size);

/* JSON: `wick_json_key` inside objects, commas come by themselves. Invalid UTF-8 becomes U+FFFD; NaN and infinities null. */
typedef struct wick_json {
    wick_strbuf *out;
    bool need_comma;
} wick_json;
void wick_json_open(wick_json *j, char bracket);  /* '{' or '[' */
void wick_json_close(wick_json *j, char bracket); /* '}' or ']' */
void wick_json_key(wick_json *j, const char *key);
void wick_json_string(wick_json *j, const char *s, size_t n);
void wick_json_int(wick_json *j, int64_t v);
void wick_json_double(wick_json *j, double v);
void wick_json_bool(wick_json *j, bool v);
void wick_json_null(wick_json *j);

#endif
