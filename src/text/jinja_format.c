/* Formatting: the % operator, str.format and strftime. */
#include "text/jinja_text.h"
#include "text/tok_chars.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What both kinds of formatting can ask for. */
typedef struct spec {
    char fill[5], align, sign, type; /* align: '<' '>' '^' '='; 0: by the type */
    bool alternate, zero, comma;
    int width, precision; /* -1: none */
} spec;

static void pad_into(jinja_interp *j, jinja_buffer *b, jinja_value text, const spec *f, bool number) {
    char align = f->align ? f->align : number ? '>' : '<';
    const jinja_string *s = text.u.s;
    jinja_string fill = {f->fill[0] ? f->fill : f->zero && number ? "0" : " ", NULL, strlen(f->fill[0] ? f->fill : " ")};
    size_t lead = 0; /* signs and prefixes stay in front of zeros */
    if (number && (align == '=' || (f->zero && !f->align))) {
        while (lead < s->n && strchr("+- ", s->s[lead])) lead++;
        if (lead + 1 < s->n && s->s[lead] == '0' && strchr("xXob", s->s[lead + 1])) lead += 2;
        jinja_add(j->a, b, s->s, lead, false);
        text = jinja_slice_of(j->a, s, lead, s->n);
        align = '>';
    }
    jinja_int width = f->width > (int)lead ? f->width - (int)lead : 0;
    if (align == '^') {
        jinja_int n = (jinja_int)jinja_char_count(text.u.s), room = width > n ? width - n : 0;
        for (jinja_int i = 0; i < room / 2; i++) jinja_add_string(j->a, b, &fill);
        jinja_add_string(j->a, b, text.u.s);
        for (jinja_int i = room / 2; i < room; i++) jinja_add_string(j->a, b, &fill);
    } else
        jinja_add_string(j->a, b, jinja_pad(j, text.u.s, width, &fill, align == '<' ? -1 : 1).u.s);
}

static void put_sign(jinja_interp *j, jinja_buffer *b, bool negative, char sign) {
    if (negative)
        jinja_puts(j->a, b, "-");
    else if (sign == '+' || sign == ' ')
        jinja_add(j->a, b, &sign, 1, false);
}

static void group(jinja_interp *j, jinja_buffer *b, const char *digits, size_t n, bool comma) {
    size_t whole = 0;
    while (whole < n && digits[whole] >= '0' && digits[whole] <= '9') whole++;
    for (size_t i = 0; i < whole; i++) {
        if (comma && i && (whole - i) % 3 == 0) jinja_puts(j->a, b, ",");
        jinja_add(j->a, b, digits + i, 1, false);
    }
    jinja_add(j->a, b, digits + whole, n - whole, false);
}

static jinja_value integer_text(jinja_interp *j, jinja_int i, const spec *f) {
    char text[140];
    size_t at = sizeof text;
    unsigned base = (f->type | 32) == 'x' ? 16 : f->type == 'o' ? 8 : f->type == 'b' ? 2 : 10;
    unsigned __int128 u = i < 0 ? -(unsigned __int128)i : (unsigned __int128)i;
    do text[--at] = (f->type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef")[u % base];
    while (u /= base);
    jinja_buffer b = {0};
    put_sign(j, &b, i < 0, f->sign);
    if (f->alternate && base != 10) jinja_puts(j->a, &b, base == 16 ? (f->type == 'X' ? "0X" : "0x") : base == 8 ? "0o" : "0b");
    for (size_t k = sizeof text - at; (int)k < f->precision && k < 100; k++) jinja_puts(j->a, &b, "0");
    group(j, &b, text + at, sizeof text - at, f->comma);
    return jinja_text(j->a, &b);
}

static jinja_value float_text(jinja_interp *j, double x, const spec *f) {
    char text[512], format[16];
    int precision = f->precision < 0 ? 6 : f->precision > 100 ? 100 : f->precision;
    bool percent = f->type == '%';
    snprintf(format, sizeof format, "%%%s.*%c", f->alternate ? "#" : "", percent ? 'f' : f->type);
    double value = percent ? x * 100 : x;
    snprintf(text, sizeof text, format, precision, fabs(value));
    jinja_buffer b = {0};
    put_sign(j, &b, signbit(value), f->sign);
    group(j, &b, text, strlen(text), f->comma);
    if (percent) jinja_puts(j->a, &b, "%");
    return jinja_text(j->a, &b);
}

static void put_value(jinja_interp *j, jinja_buffer *b, jinja_value v, spec *f) {
    jinja_int i;
    bool int_type = f->type && strchr("dioxXbc", f->type), float_type = f->type && strchr("feEgGF%", f->type);
    if (int_type && jinja_as_int(&v, &i))
        pad_into(j, b, integer_text(j, i, f), f, true);
    else if (int_type && v.type == J_FLOAT && strchr("di", f->type))
        pad_into(j, b, integer_text(j, (jinja_int)v.u.f, f), f, true);
    else if (float_type && jinja_is_number(&v))
        pad_into(j, b, float_text(j, jinja_as_float(&v), f), f, true);
    else if (int_type || float_type)
        jinja_fail(j->a, WICK_EFORMAT, "a %s cannot be formatted as a number", jinja_type_name(&v));
    else {
        jinja_value text = jinja_to_text(j->a, v);
        if (f->type == 'r') {
            jinja_buffer r = {0};
            jinja_repr(j->a, &r, v);
            text = jinja_text(j->a, &r);
        }
        if (f->precision >= 0) {
            size_t at = 0;
            for (int k = 0; k < f->precision && at < text.u.s->n; k++) at += wick_char_size(text.u.s->s[at]);
            text = jinja_slice_of(j->a, text.u.s, 0, at);
        }
        pad_into(j, b, text, f, jinja_is_number(&v) && v.type != J_BOOL);
    }
}

static int small_number(jinja_interp *j, const jinja_string *s, size_t *i) {
    int n = 0;
    while (*i < s->n && s->s[*i] >= '0' && s->s[*i] <= '9') {
        n = n * 10 + (s->s[(*i)++] - '0');
        if (n > 1000000) jinja_fail(j->a, WICK_ELIMIT, "a format is wider than a million");
    }
    return n;
}

/* ---- the % operator */

typedef struct percent_args {
    jinja_value all;
    size_t used;
} percent_args;

static jinja_value next_arg(jinja_interp *j, percent_args *p) {
    size_t n = p->all.type == J_TUPLE ? p->all.u.l->n : 1;
    if (p->used >= n) jinja_fail(j->a, WICK_EFORMAT, "a format asks for more values than there are");
    return p->all.type == J_TUPLE ? p->all.u.l->items[p->used++] : (p->used++, p->all);
}

static void percent_flags(const jinja_string *s, size_t *i, spec *f) {
    for (; *i < s->n && strchr("-+ #0", s->s[*i]); ++*i) {
        switch (s->s[*i]) {
        case '-': f->align = '<'; break;
        case '+': f->sign = '+'; break;
        case ' ': f->sign = f->sign ? f->sign : ' '; break;
        case '#': f->alternate = true; break;
        default: f->zero = true;
        }
    }
}

static size_t percent_one(jinja_interp *j, jinja_buffer *b, const jinja_string *s, size_t i, percent_args *p, bool *mapped) {
    spec f = {.width = 0, .precision = -1};
    jinja_value v = jinja_none();
    bool have = false;
    if (i < s->n && s->s[i] == '(') {
        const char *close = memchr(s->s + i, ')', s->n - i);
        if (!close || p->all.type != J_DICT) jinja_fail(j->a, WICK_EFORMAT, "a format names a value, but there is no mapping");
        const jinja_value *x = jinja_get_text(p->all.u.d, s->s + i + 1, (size_t)(close - s->s) - i - 1);
        if (!x) jinja_fail(j->a, WICK_EFORMAT, "a format names a value that is not there");
        v = *x, have = *mapped = true;
        i = (size_t)(close - s->s) + 1;
    }
    percent_flags(s, &i, &f);
    if (i < s->n && s->s[i] == '*')
        f.width = (int)jinja_need_int(j, next_arg(j, p), "a width"), i++;
    else
        f.width = small_number(j, s, &i);
    if (f.width < 0) f.align = '<', f.width = -f.width;
    if (i < s->n && s->s[i] == '.') {
        i++;
        if (i < s->n && s->s[i] == '*')
            f.precision = (int)jinja_need_int(j, next_arg(j, p), "a precision"), i++;
        else
            f.precision = small_number(j, s, &i);
    }
    while (i < s->n && strchr("hlL", s->s[i])) i++;
    if (i >= s->n || !strchr("sradiouxXeEfFgGc%", s->s[i])) jinja_fail(j->a, WICK_EFORMAT, "a format is incomplete or of an unknown type");
    f.type = s->s[i] == 'u' ? 'd' : s->s[i] == 'a' ? 'r' : s->s[i];
    if (f.type == '%') {
        jinja_puts(j->a, b, "%");
        return i + 1;
    }
    if (!have) v = next_arg(j, p);
    if (f.type == 'c') {
        jinja_int cp;
        if (v.type == J_STRING && jinja_char_count(v.u.s) == 1)
            f.type = 's';
        else if (jinja_as_int(&v, &cp) && cp > 0 && cp < 128) {
            char c = (char)cp;
            v = jinja_str(j->a, &c, 1, false), f.type = 's';
        } else
            jinja_fail(j->a, WICK_EFORMAT, "%%c needs one character");
    }
    if (f.type == 's' || f.type == 'r') f.zero = false;
    if (!f.align) f.align = f.zero ? 0 : '>';
    if (f.type != 's' && f.type != 'r' && !jinja_is_number(&v))
        jinja_fail(j->a, WICK_EFORMAT, "a %s cannot be formatted as a number", jinja_type_name(&v));
    put_value(j, b, v, &f);
    return i + 1;
}

jinja_value jinja_percent(jinja_interp *j, const jinja_string *s, jinja_value args) {
    jinja_buffer b = {0};
    percent_args p = {args, 0};
    bool mapped = false;
    for (size_t i = 0; i < s->n;) {
        if (s->s[i] == '%') {
            i = percent_one(j, &b, s, i + 1, &p, &mapped);
            continue;
        }
        jinja_add(j->a, &b, s->s + i, 1, s->marks && s->marks[i]);
        i++;
    }
    bool all = args.type == J_TUPLE
                   ? p.used == args.u.l->n
                   : p.used || mapped || args.type == J_DICT ||
                         (args.type == J_LIST && (args.u.l->kind == J_PLAIN || args.u.l->kind == J_RANGE)) || args.type == J_UNDEFINED;
    if (!all) jinja_fail(j->a, WICK_EFORMAT, "not all values are used by the format");
    return jinja_text(j->a, &b);
}

/* ---- str.format */

static jinja_value field_value(jinja_interp *j, const jinja_string *s, size_t *i, const jinja_args *args, size_t *automatic) {
    size_t from = *i, n;
    while (*i < s->n && !strchr(".[!:}", s->s[*i])) ++*i;
    n = *i - from;
    jinja_value v = jinja_undefined(NULL);
    if (!n || (s->s[from] >= '0' && s->s[from] <= '9')) {
        size_t k = n ? strtoul(s->s + from, NULL, 10) : (*automatic)++;
        if (k >= args->n) jinja_fail(j->a, WICK_EFORMAT, "a format asks for more values than there are");
        v = args->items[k];
    } else {
        size_t k = 0;
        while (k < args->n_named && !(strlen(args->names[k]) == n && !memcmp(args->names[k], s->s + from, n))) k++;
        if (k == args->n_named) jinja_fail(j->a, WICK_EFORMAT, "a format names a value that is not there");
        v = args->named[k];
    }
    while (*i < s->n && (s->s[*i] == '.' || s->s[*i] == '[')) {
        bool item = s->s[(*i)++] == '[';
        from = *i;
        while (*i < s->n && !(item ? s->s[*i] == ']' : strchr(".[!:}", s->s[*i]) != NULL)) ++*i;
        jinja_value key = jinja_slice_of(j->a, s, from, *i);
        jinja_int index;
        v = item && jinja_parse_int(j, key.u.s, 10, &index) ? jinja_subscript(j, v, jinja_integer(j->a, index))
                                                            : jinja_subscript(j, v, key);
        if (v.type == J_UNDEFINED) jinja_fail(j->a, WICK_EFORMAT, "a format names an attribute that is not there");
        *i += item && *i < s->n;
    }
    return v;
}

static spec read_spec(jinja_interp *j, const jinja_string *s, size_t *i) {
    spec f = {.precision = -1};
    size_t n = *i < s->n ? wick_char_size(s->s[*i]) : 0;
    if (n && *i + n < s->n && strchr("<>^=", s->s[*i + n])) {
        memcpy(f.fill, s->s + *i, n);
        f.align = s->s[*i + n];
        *i += n + 1;
    } else if (n && strchr("<>^=", s->s[*i]))
        f.align = s->s[(*i)++];
    if (*i < s->n && strchr("+- ", s->s[*i])) f.sign = s->s[(*i)++];
    if (*i < s->n && s->s[*i] == '#') f.alternate = true, ++*i;
    if (*i < s->n && s->s[*i] == '0') f.zero = true, ++*i;
    f.width = small_number(j, s, i);
    if (*i < s->n && (s->s[*i] == ',' || s->s[*i] == '_')) f.comma = true, ++*i;
    if (*i < s->n && s->s[*i] == '.') ++*i, f.precision = small_number(j, s, i);
    if (*i < s->n && s->s[*i] != '}') f.type = s->s[(*i)++];
    if (f.type && !strchr("sdxXobeEfFgG%nc", f.type)) jinja_fail(j->a, WICK_EFORMAT, "a format has the unknown type '%c'", f.type);
    return f;
}

static size_t format_field(jinja_interp *j, jinja_buffer *b, const jinja_string *s, size_t i, const jinja_args *args, size_t *automatic) {
    jinja_value v = field_value(j, s, &i, args, automatic);
    spec f = {.precision = -1};
    if (i + 1 < s->n && s->s[i] == '!') {
        if (s->s[i + 1] == 'r') {
            jinja_buffer r = {0};
            jinja_repr(j->a, &r, v);
            v = jinja_text(j->a, &r);
        } else
            v = jinja_to_text(j->a, v);
        i += 2;
    }
    if (i < s->n && s->s[i] == ':') i++, f = read_spec(j, s, &i);
    if (i >= s->n || s->s[i] != '}') jinja_fail(j->a, WICK_EFORMAT, "a field of a format is not closed");
    if (!f.type && v.type == J_FLOAT && f.precision >= 0) f.type = 'g';
    if (!f.type && v.type == J_INT) f.type = 'd';
    put_value(j, b, v, &f);
    return i + 1;
}

jinja_value jinja_format(jinja_interp *j, const jinja_string *s, const jinja_args *args) {
    jinja_buffer b = {0};
    size_t automatic = 0;
    for (size_t i = 0; i < s->n;) {
        bool twice = i + 1 < s->n && s->s[i + 1] == s->s[i];
        if (s->s[i] == '{' && !twice) {
            i = format_field(j, &b, s, i + 1, args, &automatic);
            continue;
        }
        if (s->s[i] == '}' && !twice) jinja_fail(j->a, WICK_EFORMAT, "a format closes a field that is not open");
        jinja_add(j->a, &b, s->s + i, 1, s->marks && s->marks[i]);
        i += (s->s[i] == '{' || s->s[i] == '}') ? 2 : 1;
    }
    return jinja_text(j->a, &b);
}

/* ---- strftime */

jinja_value jinja_strftime(jinja_interp *j, const jinja_string *format) {
    struct tm tm = {0};
    jinja_buffer f = {0};
    time_t t;
    if (j->now) {
        int n = sscanf(j->now, "%4d-%2d-%2dT%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec);
        bool date = n >= 3 && tm.tm_year > 0 && tm.tm_mon >= 1 && tm.tm_mon <= 12 && tm.tm_mday >= 1 && tm.tm_mday <= 31;
        if (!date || tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
            jinja_fail(j->a, WICK_EINVAL, "the time \"%.40s\" is not YYYY-MM-DDTHH:MM:SS", j->now);
        tm.tm_year -= 1900, tm.tm_mon--;
        t = timegm(&tm);
        gmtime_r(&t, &tm);
    } else {
        t = time(NULL);
        localtime_r(&t, &tm);
    }
    if (format->n > 4096) jinja_fail(j->a, WICK_ELIMIT, "the format of a time is longer than 4096 bytes");
    if (!format->n) return jinja_cstr(j->a, "");
    if (memchr(format->s, 0, format->n)) jinja_fail(j->a, WICK_EFORMAT, "the format of a time has a zero byte");
    jinja_add_string(j->a, &f, format);
    jinja_add(j->a, &f, "\1", 2, false); /* so that an empty result differs from a failure */
    size_t cap = format->n * 16 + 256;
    char *out = jinja_alloc(j->a, cap);
    size_t n = strftime(out, cap, f.s, &tm);
    if (!n) jinja_fail(j->a, WICK_ELIMIT, "the time takes too much room");
    return jinja_str(j->a, out, n - 1, jinja_any_mark(format));
}
