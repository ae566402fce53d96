#include "llm/watch.h"

#include "base/utf8.h"

#include <string.h>

enum { MAX_STRINGS = 1024, MAX_STRING = 4096 };

static wick_status check_strings(const char *const *strings, size_t n, const char *what, wick_error *err) {
    if (n > MAX_STRINGS) return wick_fail(err, WICK_ELIMIT, "there are %zu %s strings, the limit is %d", n, what, MAX_STRINGS);
    for (size_t i = 0; i < n; i++) {
        size_t size = strlen(strings[i]);
        if (!size) return wick_fail(err, WICK_EINVAL, "%s string %zu is empty", what, i + 1);
        if (size > MAX_STRING)
            return wick_fail(err, WICK_ELIMIT, "%s string %zu is %zu bytes long, the limit is %d", what, i + 1, size, MAX_STRING);
        if (!wick_utf8_valid(strings[i], size)) return wick_fail(err, WICK_EINVAL, "%s string %zu is not UTF-8", what, i + 1);
    }
    return WICK_OK;
}

wick_status wick_watch_check(const wick_watch *w, wick_error *err) {
    WICK_TRY(check_strings(w->stop, w->n_stop, "stop", err));
    return check_strings(w->banned, w->n_banned, "banned", err);
}

/* Strings that begin at `at`: the shortest that is whole to *s (if it ends before what is there already); true if one could still come. */
static bool begins(const wick_watch *w, const char *text, size_t at, size_t size, size_t *end, wick_sighting *s) {
    bool could = false;
    for (size_t i = 0; i < w->n_stop + w->n_banned; i++) {
        bool banned = i >= w->n_stop;
        const char *string = banned ? w->banned[i - w->n_stop] : w->stop[i];
        size_t length = strlen(string), n = length < size - at ? length : size - at;
        if (memcmp(string, text + at, n) != 0) continue;
        if (n < length)
            could = true;
        else if (at + length < *end)
            *end = at + length, *s = (wick_sighting){at, banned ? i - w->n_stop : i, true, banned};
    }
    return could;
}

wick_sighting wick_watch_look(const wick_watch *w, const char *text, size_t from, size_t size) {
    wick_sighting found = {0};
    size_t end = SIZE_MAX, clear = size;
    for (size_t at = from; at < size; at++)
        if (begins(w, text, at, size, &end, &found) && clear == size) clear = at;
    if (!found.found) found.at = clear;
    return found;
}
