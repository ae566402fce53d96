/* watch.h: strings that end an answer, and strings that may not be in it.
 *
 * An answer arrives token by token, and a watched string may begin in one token and end three later. So what could be the
 * beginning of one is held back until it is known not to be. Strings and text are UTF-8: a string begins where a character does,
 * and what is let through ends where one does. */
#ifndef WICK_LLM_WATCH_H
#define WICK_LLM_WATCH_H

#include "base/error.h"

typedef struct wick_watch {
    const char *const *stop, *const *banned; /* borrowed */
    size_t n_stop, n_banned;
} wick_watch;

/* What was found in a text. */
typedef struct wick_sighting {
    size_t at; /* where the string begins; nothing found: how much of the text can be no beginning of one */
    size_t i;  /* which stop string, or which banned one */
    bool found, banned;
} wick_sighting;

/* Strings must be UTF-8, not empty and not endless. */
wick_status wick_watch_check(const wick_watch *w, wick_error *err);

/* Looks at text[from .. size), which is known to hold no whole string but in what was added last. Of several strings the one that is
 * whole first counts, then the one that began first: the same however the text was cut into tokens. */
wick_sighting wick_watch_look(const wick_watch *w, const char *text, size_t from, size_t size);

#endif
