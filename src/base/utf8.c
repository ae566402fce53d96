#include "base/utf8.h"

#include <string.h>

/* Bytes of a sequence by its first byte (0: cannot begin one), and the allowed range of its second byte. */
static int sequence(unsigned char c, unsigned char *lo, unsigned char *hi) {
    *lo = 0x80, *hi = 0xbf;
    if (c < 0x80) return 1;
    if (c >= 0xc2 && c <= 0xdf) return 2;
    if (c >= 0xe0 && c <= 0xef) {
        if (c == 0xe0) *lo = 0xa0;
        if (c == 0xed) *hi = 0x9f;
        return 3;
    }
    if (c >= 0xf0 && c <= 0xf4) {
        if (c == 0xf0) *lo = 0x90;
        if (c == 0xf4) *hi = 0x8f;
        return 4;
    }
    return 0;
}

bool wick_utf8_decode(const char *s, size_t n, uint32_t *cp, size_t *used) {
    const unsigned char *p = (const unsigned char *)s;
    unsigned char lo, hi;
    int want = sequence(p[0], &lo, &hi);
    *used = 1;
    if (!want) return false;
    uint32_t c = want == 1 ? p[0] : p[0] & (0xffu >> (want + 1));
    for (int i = 1; i < want; i++, lo = 0x80, hi = 0xbf) {
        if ((size_t)i >= n || p[i] < lo || p[i] > hi) return false;
        c = c << 6 | (p[i] & 0x3f);
        *used = (size_t)i + 1;
    }
    if (cp) *cp = c;
    return true;
}

size_t wick_utf8_encode(uint32_t cp, char out[4]) {
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, cp >>= 6) out[i] = (char)(0x80 | (cp & 0x3f));
    out[0] = (char)((0xf00u >> n & 0xff) | cp);
    return n;
}

bool wick_utf8_valid(const char *s, size_t n) {
    for (size_t i = 0, used; i < n; i += used) {
        uint64_t word;
        while (i + 8 <= n && (memcpy(&word, s + i, 8), !(word & 0x8080808080808080ull))) i += 8; /* ASCII is what most text is */
        if (i == n) break;
        if (!wick_utf8_decode(s + i, n - i, NULL, &used)) return false;
    }
    return true;
}

size_t wick_utf8_complete(const char *s, size_t n) {
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        unsigned char c = (unsigned char)s[n - back], lo, hi;
        if ((c & 0xc0) == 0x80) continue;
        size_t used;
        int want = sequence(c, &lo, &hi);
        if (want > (int)back && !wick_utf8_decode(s + n - back, back, NULL, &used) && used == back) return n - back;
        return n;
    }
    return n;
}
