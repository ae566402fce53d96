#include "base/error.h"

#include <stdio.h>
#include <string.h>

static void clean(char *s) {
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f) *s = '?';
}

wick_status wick_fail(wick_error *err, wick_status code, const char *format, ...) {
    if (!err) return code;
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    clean(err->message);
    err->code = code;
    return code;
}

wick_status wick_error_context(wick_error *err, wick_status code, const char *format, ...) {
    if (!err) return code;
    char old[sizeof err->message];
    memcpy(old, err->message, sizeof old);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    size_t at = n < 0 ? 0 : (size_t)n < sizeof old ? (size_t)n : sizeof old - 1;
    const char *parts[] = {": ", old};
    for (int i = 0; i < 2; i++)
        for (const char *p = parts[i]; *p && at + 1 < sizeof err->message; p++) err->message[at++] = *p;
    err->message[at] = 0;
    clean(err->message);
    err->code = code;
    return code;
}

wick_status wick_fail_nomem(wick_error *err) { return wick_fail(err, WICK_ENOMEM, "out of memory"); }

static const struct {
    const char *name, *text;
} statuses[] = {
#define STATUS_ROW(name, text) {#name, text},
    WICK_STATUS_LIST(STATUS_ROW)
#undef STATUS_ROW
};

const char *wick_status_name(wick_status status) {
    return (size_t)status < sizeof statuses / sizeof *statuses ? statuses[status].name : "?";
}

const char *wick_status_text(wick_status status) {
    return (size_t)status < sizeof statuses / sizeof *statuses ? statuses[status].text : "unknown status";
}

const char *wick_version(void) { return WICK_VERSION_STRING; }
