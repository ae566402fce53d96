/* digest.h: the SHA-256 of bytes that pass by, as the 64 hexadecimal digits that servers and people write. */
#ifndef WICK_APP_DIGEST_H
#define WICK_APP_DIGEST_H

#include <sodium.h>
#include <stdbool.h>

enum { DIGEST_TEXT = 65 }; /* 64 lower-case digits and the NUL */

typedef crypto_hash_sha256_state digest_state;

void digest_begin(digest_state *d);
void digest_add(digest_state *d, const void *data, size_t size);
void digest_end(digest_state *d, char text[DIGEST_TEXT]);

/* Copies a digest in lower case; false (and "") if `text` is not 64 hexadecimal digits. Quotation marks around it, as ETags have
 * them, are taken off. */
bool digest_parse(const char *text, char out[DIGEST_TEXT]);

#endif
