#include "text/tok_chars.h"

#include <utf8proc.h>

#define SP (WICK_CH_SPACE)
#define NL (WICK_CH_SPACE | WICK_CH_NEWLINE)
#define PU (WICK_CH_PUNCT)

const uint8_t wick_ascii_class[128] = {
    ['\t'] = SP,        ['\n'] = NL,
    ['\v'] = SP,        ['\f'] = SP,
    ['\r'] = NL,        [' '] = SP,
    ['!' ... '/'] = PU, ['0' ... '9'] = WICK_CH_NUMBER,
    [':' ... '@'] = PU, ['A' ... 'Z'] = WICK_CH_UPPER,
    ['[' ... '`'] = PU, ['a' ... 'z'] = WICK_CH_LOWER,
    ['{' ... '~'] = PU,
};

static const uint8_t of_category[32] = {
    [UTF8PROC_CATEGORY_LU] = WICK_CH_UPPER,  [UTF8PROC_CATEGORY_LT] = WICK_CH_UPPER,  [UTF8PROC_CATEGORY_LL] = WICK_CH_LOWER,
    [UTF8PROC_CATEGORY_LM] = WICK_CH_OTHER,  [UTF8PROC_CATEGORY_LO] = WICK_CH_OTHER,  [UTF8PROC_CATEGORY_MN] = WICK_CH_MARK,
    [UTF8PROC_CATEGORY_MC] = WICK_CH_MARK,   [UTF8PROC_CATEGORY_ME] = WICK_CH_MARK,   [UTF8PROC_CATEGORY_ND] = WICK_CH_NUMBER,
    [UTF8PROC_CATEGORY_NL] = WICK_CH_NUMBER, [UTF8PROC_CATEGORY_NO] = WICK_CH_NUMBER, [UTF8PROC_CATEGORY_PC] = WICK_CH_PUNCT,
    [UTF8PROC_CATEGORY_PD] = WICK_CH_PUNCT,  [UTF8PROC_CATEGORY_PS] = WICK_CH_PUNCT,  [UTF8PROC_CATEGORY_PE] = WICK_CH_PUNCT,
    [UTF8PROC_CATEGORY_PI] = WICK_CH_PUNCT,  [UTF8PROC_CATEGORY_PF] = WICK_CH_PUNCT,  [UTF8PROC_CATEGORY_PO] = WICK_CH_PUNCT,
    [UTF8PROC_CATEGORY_ZS] = WICK_CH_SPACE,  [UTF8PROC_CATEGORY_ZL] = WICK_CH_SPACE,  [UTF8PROC_CATEGORY_ZP] = WICK_CH_SPACE,
};

unsigned wick_char_class_wide(uint32_t cp) {
    if (cp == 0x85) return WICK_CH_SPACE;
    return of_category[utf8proc_category((utf8proc_int32_t)cp) & 31];
}

bool wick_is_word(uint32_t cp) {
    switch (utf8proc_category((utf8proc_int32_t)cp)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC: return true;
    case UTF8PROC_CATEGORY_SO: /* Other_Alphabetic beyond letters and marks: the circled and squared letters */
        return (cp >= 0x24b6 && cp <= 0x24e9) || (cp >= 0x1f130 && cp <= 0x1f149) || (cp >= 0x1f150 && cp <= 0x1f169) ||
               (cp >= 0x1f170 && cp <= 0x1f189);
    default: return cp == 0x200c || cp == 0x200d;
    }
}

bool wick_is_other(uint32_t cp) {
    switch (utf8proc_category((utf8proc_int32_t)cp)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN: return true;
    default: return false;
    }
}
