/* utf8.h: UTF-8 as Unicode 15, section 3.9 defines it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef WICK_BASE_UTF8_H
#define WICK_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes the character at s (n >= 1 bytes are there). Valid: true, *used its bytes, *cp (may be NULL) the code point.
 * Invalid: false, *used the length of the maximal subpart that one U+FFFD stands for (>= 1). */
bool wick_utf8_decode(const char *s, size_t n, uint32_t *cp, size_t *used);

/* Writes a valid code point; returns its bytes (1..4). */
size_t wick_utf8_encode(uint32_t cp, char out[4]);

bool wick_utf8_valid(const char *s, size_t n);

/* Length of the prefix of s that ends with a whole character: fewer than n bytes only if the end is the beginning of a
 * character that later bytes could complete. */
size_t wick_utf8_complete(const char *s, size_t n);

#endif
