#include "text/tok_regex.h"

#include "base/mem.h"
#include "base/strbuf.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

enum { MAX_PATTERN = 1 << 16, MAX_STEPS = 10000000, MAX_DEPTH = 10000 };

struct wick_regex {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *limits;
};

/* ---- rewriting */

/* White_Space; PCRE2's own \s adds U+180E and differs by options. */
#define SPACE_SET "\\x{09}-\\x{0d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define NOT_SPACE_SET                                                                                                                      \
    "\\x{00}-\\x{08}\\x{0e}-\\x{1f}\\x{21}-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}"                  \
    "\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{10ffff}"
#define WORD_SET "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}"

/* The set that \s \S \w \W \d stand for; NULL: another escape. *negative: it is the complement that is meant. */
static const char *class_of(char c, bool ruby, bool *negative) {
    *negative = c == 'W';
    switch (c) {
    case 's': return SPACE_SET;
    case 'S': return NOT_SPACE_SET;
    case 'd': return "\\p{Nd}";
    case 'D': return "\\P{Nd}";
    case 'h': return ruby ? "0-9A-Fa-f" : NULL;
    case 'w':
    case 'W': return ruby ? WORD_SET "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}" : WORD_SET "\\x{200c}\\x{200d}";
    default: return NULL;
    }
}

static wick_status rewrite(const char *s, size_t n, bool ruby, wick_strbuf *out, wick_error *err) {
    int depth = 0; /* of brackets */
    for (size_t i = 0; i < n; i++) {
        bool negative;
        if (s[i] == '\\' && i + 1 < n) {
            const char *set = class_of(s[++i], ruby, &negative);
            if (!set) {
                wick_strbuf_add(out, s + i - 1, 2);
                continue;
            }
            if (depth && negative) return wick_fail(err, WICK_EUNSUPPORTED, "the pattern has \\%c inside brackets", s[i]);
            if (!depth) wick_strbuf_puts(out, negative ? "[^" : "[");
            wick_strbuf_puts(out, set);
            if (!depth) wick_strbuf_putc(out, ']');
            continue;
        }
        if (s[i] == '[') {
            if (depth && i + 1 < n && s[i + 1] != ':') return wick_fail(err, WICK_EUNSUPPORTED, "the pattern has brackets inside brackets");
            if (!depth) depth = 1;
            wick_strbuf_putc(out, '[');
            if (i + 1 < n && s[i + 1] == '^') wick_strbuf_putc(out, s[++i]);
            if (i + 1 < n && s[i + 1] == ']') wick_strbuf_puts(out, "\\]"), i++;
            continue;
        }
        if (s[i] == ']') depth = 0;
        if (depth && ruby && s[i] == '&' && i + 1 < n && s[i + 1] == '&')
            return wick_fail(err, WICK_EUNSUPPORTED, "the pattern has && inside brackets");
        if (!depth && ruby && s[i] == '(' && i + 2 < n && s[i + 1] == '?') {
            size_t k = i + 2;
            while (k < n && (s[k] == 'i' || s[k] == 'm' || s[k] == 'x' || s[k] == '-')) k++;
            if (k > i + 2 && k < n && (s[k] == ':' || s[k] == ')')) { /* Ruby's m is dot-all */
                for (; i <= k; i++) wick_strbuf_putc(out, s[i] == 'm' ? 's' : s[i]);
                i = k;
                continue;
            }
            if (k < n && s[k] == 's') return wick_fail(err, WICK_EFORMAT, "the pattern has the option s, which its syntax does not know");
        }
        if (!depth && !ruby && s[i] == '$') {
            wick_strbuf_puts(out, "\\z");
            continue;
        }
        wick_strbuf_putc(out, s[i]);
    }
    return out->failed ? wick_fail_nomem(err) : WICK_OK;
}

/* ---- matching */

wick_status wick_regex_new(const char *pattern, size_t size, bool ruby, wick_regex **out, wick_error *err) {
    wick_status status = WICK_OK;
    wick_strbuf text = {0};
    wick_regex *r = NULL;
    *out = NULL;
    if (size > MAX_PATTERN) return wick_fail(err, WICK_ELIMIT, "a pattern is %zu bytes long, the limit is %d", size, MAX_PATTERN);
    WICK_CHECK_GOTO(rewrite(pattern, size, ruby, &text, err));
    r = WICK_NEW(wick_regex);
    if (!r) {
        status = wick_fail_nomem(err);
        goto out;
    }
    int code = 0;
    PCRE2_SIZE at = 0;
    uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | (ruby ? PCRE2_MULTILINE : 0);
    r->code = pcre2_compile((PCRE2_SPTR)(text.data ? text.data : ""), text.size, options, &code, &at, NULL);
    if (!r->code) {
        PCRE2_UCHAR message[120];
        pcre2_get_error_message(code, message, sizeof message);
        status = wick_fail(err, WICK_EFORMAT, "the pattern \"%.*s\" is not a regular expression: %s", (int)(size < 120 ? size : 120),
                           pattern, message);
        goto out;
    }
    pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE); /* without it, it is merely slower */
    r->match = pcre2_match_data_create(1, NULL);
    r->limits = pcre2_match_context_create(NULL);
    if (!r->match || !r->limits) {
        status = wick_fail_nomem(err);
        goto out;
    }
    pcre2_set_match_limit(r->limits, MAX_STEPS);
    pcre2_set_depth_limit(r->limits, MAX_DEPTH);
    pcre2_set_heap_limit(r->limits, 32 << 10);
    *out = r;
    r = NULL;
out:
    wick_regex_free(r);
    wick_strbuf_release(&text);
    return status;
}

void wick_regex_free(wick_regex *r) {
    if (!r) return;
    pcre2_code_free(r->code);
    pcre2_match_data_free(r->match);
    pcre2_match_context_free(r->limits);
    wick_free(r);
}

wick_status wick_regex_find(wick_regex *r, const char *s, size_t n, size_t at, size_t *from, size_t *to, wick_error *err) {
    int rc = pcre2_match(r->code, (PCRE2_SPTR)s, n, at, PCRE2_NO_UTF_CHECK, r->match, r->limits);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = pcre2_match(r->code, (PCRE2_SPTR)s, n, at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, r->match, r->limits);
    *from = *to = SIZE_MAX;
    if (rc == PCRE2_ERROR_NOMATCH) return WICK_OK;
    if (rc < 0)
        return wick_fail(err, WICK_ELIMIT, "the tokenizer's pattern needs more steps on this text than the limit allows (PCRE2 error %d)",
                         rc);
    const PCRE2_SIZE *v = pcre2_get_ovector_pointer(r->match);
    *from = v[0];
    *to = v[1] >= v[0] ? v[1] : v[0];
    return WICK_OK;
}
