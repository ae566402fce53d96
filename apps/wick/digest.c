#include "digest.h"

#include <string.h>

void digest_begin(digest_state *d) { crypto_hash_sha256_init(d); }

void digest_add(digest_state *d, const void *data, size_t size) { crypto_hash_sha256_update(d, data, size); }

void digest_end(digest_state *d, char text[DIGEST_TEXT]) {
    unsigned char raw[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_final(d, raw);
    sodium_bin2hex(text, DIGEST_TEXT, raw, sizeof raw);
}

bool digest_parse(const char *text, char out[DIGEST_TEXT]) {
    size_t n = text ? strlen(text) : 0;
    out[0] = 0;
    if (n == DIGEST_TEXT + 1 && text[0] == '"' && text[n - 1] == '"') text++, n -= 2;
    if (n != DIGEST_TEXT - 1 || strspn(text, "0123456789abcdefABCDEF") != n) return false;
    for (size_t i = 0; i < n; i++) out[i] = (char)(text[i] >= 'A' && text[i] <= 'F' ? text[i] + ('a' - 'A') : text[i]);
    out[n] = 0;
    return true;
}
