#include "base/utf8.h"
#include "text/tokenizer.h"

/* GPT-2 gives the bytes that are printable in Latin-1 to themselves, and the 68 others, in order, to U+0100 and on. */
static bool printable(unsigned b) { return (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae; }

/* How many unprintable bytes are below b. */
static unsigned below(unsigned b) { return b <= 0x20 ? b : b <= 0xa0 ? 33 + (b - 0x7f) : 33 + 34; }

uint32_t wick_alphabet_char(uint8_t byte) { return printable(byte) ? byte : 0x100 + below(byte); }

int wick_alphabet_byte(uint32_t cp) {
    if (cp < 0x100) return printable(cp) ? (int)cp : -1;
    unsigned i = cp - 0x100;
    if (i < 33) return (int)i;
    if (i < 67) return (int)(0x7f + (i - 33));
    return i == 67 ? 0xad : -1;
}

size_t wick_alphabet_bytes(const char *s, size_t n, char *out) {
    size_t size = 0;
    for (size_t i = 0, used; i < n; i += used) {
        uint32_t cp;
        if (!wick_utf8_decode(s + i, n - i, &cp, &used)) return SIZE_MAX;
        int byte = wick_alphabet_byte(cp);
        if (byte < 0) return SIZE_MAX;
        out[size++] = (char)byte;
    }
    return size;
}
