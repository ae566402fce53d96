/* tok_base64.h: base64 as tokenizer files use it: for tokens that are no text, and for maps of characters. */
#ifndef WICK_TEXT_TOK_BASE64_H
#define WICK_TEXT_TOK_BASE64_H

#include "base/strbuf.h"

/* Adds what the digits from p on stand for, padding passed over; returns where they end. */
const uint8_t *wick_base64_add(const uint8_t *p, const uint8_t *end, wick_strbuf *out);

#endif
