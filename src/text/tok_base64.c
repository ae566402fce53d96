#include "text/tok_base64.h"

static int digit(int c) {
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

const uint8_t *wick_base64_add(const uint8_t *p, const uint8_t *end, wick_strbuf *out) {
    uint32_t acc = 0, bits = 0;
    for (int v; p < end && (v = digit(*p)) >= 0; p++) {
        acc = acc << 6 | (uint32_t)v;
        if ((bits += 6) >= 8) wick_strbuf_putc(out, (char)(acc >> (bits -= 8)));
    }
    while (p < end && *p == '=') p++;
    return p;
}
