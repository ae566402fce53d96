#include "base/strbuf.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void wick_strbuf_release(wick_strbuf *b) {
    wick_free(b->data);
    *b = (wick_strbuf){0};
}

void wick_strbuf_reset(wick_strbuf *b) {
    b->size = 0;
    b->failed = false;
    if (b->data) b->data[0] = 0;
}

static bool reserve(wick_strbuf *b, size_t n) {
    if (b->failed) return false;
    if (n < b->cap - b->size) return true;
    size_t want = b->size + n + 1;
    if (want < n) return !(b->failed = true);
    if (want < b->cap + b->cap / 2) want = b->cap + b->cap / 2;
    if (want < 64) want = 64;
    char *p = wick_realloc(b->data, want, 1);
    if (!p) return !(b->failed = true);
    b->data = p;
    b->cap = want;
    return true;
}

void wick_strbuf_add(wick_strbuf *b, const void *data, size_t n) {
    if (!reserve(b, n)) return;
    if (n) memcpy(b->data + b->size, data, n);
    b->size += n;
    b->data[b->size] = 0;
}

void wick_strbuf_puts(wick_strbuf *b, const char *s) { wick_strbuf_add(b, s, strlen(s)); }
void wick_strbuf_putc(wick_strbuf *b, char c) { wick_strbuf_add(b, &c, 1); }

void wick_strbuf_printf(wick_strbuf *b, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n >= 0 && reserve(b, (size_t)n)) {
        vsnprintf(b->data + b->size, (size_t)n + 1, format, again);
        b->size += (size_t)n;
    }
    va_end(again);
}

char *wick_strbuf_take(wick_strbuf *b, size_t *size) {
    if (!b->data) reserve(b, 0);
    if (b->failed) {
        wick_strbuf_release(b);
        return NULL;
    }
    b->data[b->size] = 0;
    if (size) *size = b->size;
    char *text = b->data;
    *b = (wick_strbuf){0};
    return text;
}

static void separate(wick_json *j) {
    if (j->need_comma) wick_strbuf_putc(j->out, ',');
    j->need_comma = true;
}

void wick_json_open(wick_json *j, char bracket) {
    separate(j);
    wick_strbuf_putc(j->out, bracket);
    j->need_comma = false;
}

void wick_json_close(wick_json *j, char bracket) {
    wick_strbuf_putc(j->out, bracket);
    j->need_comma = true;
}

static void quoted(wick_strbuf *b, const char *s, size_t n) {
    wick_strbuf_putc(b, '"');
    for (size_t i = 0; i < n;) {
        unsigned char c = (unsigned char)s[i];
        if (c >= 0x80) {
            size_t used;
            bool valid = wick_utf8_decode(s + i, n - i, NULL, &used);
            if (valid)
                wick_strbuf_add(b, s + i, used);
            else
                wick_strbuf_puts(b, "\xef\xbf\xbd");
            i += used;
            continue;
        }
        if (c == '"' || c == '\\')
            wick_strbuf_printf(b, "\\%c", c);
        else if (c == '\n')
            wick_strbuf_puts(b, "\\n");
        else if (c < 0x20 || c == 0x7f)
            wick_strbuf_printf(b, "\\u%04x", c);
        else
            wick_strbuf_putc(b, (char)c);
        i++;
    }
    wick_strbuf_putc(b, '"');
}

void wick_json_key(wick_json *j, const char *key) {
    separate(j);
    quoted(j->out, key, strlen(key));
    wick_strbuf_putc(j->out, ':');
    j->need_comma = false;
}

void wick_json_string(wick_json *j, const char *s, size_t n) {
    separate(j);
    quoted(j->out, s, n);
}

void wick_json_int(wick_json *j, int64_t v) {
    separate(j);
    wick_strbuf_printf(j->out, "%" PRId64, v);
}

void wick_json_double(wick_json *j, double v) {
    separate(j);
    if (isfinite(v))
        wick_strbuf_printf(j->out, "%.9g", v);
    else
        wick_strbuf_puts(j->out, "null");
}

void wick_json_bool(wick_json *j, bool v) {
    separate(j);
    wick_strbuf_puts(j->out, v ? "true" : "false");
}

void wick_json_null(wick_json *j) {
    separate(j);
    wick_strbuf_puts(j->out, "null");
}
