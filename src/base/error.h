/* error.h: how a function says what went wrong.
 *
 * Every fallible function returns a wick_status and takes `wick_error *err` last. The place that detects a fault writes the
 * sentence, because only it knows what was found; the places above pass it on unchanged, or put the file's name in front
 * with wick_error_context. Cleanup runs through one `out:` label over zero-initialised locals:
 *
 *     wick_status status = WICK_OK;
 *     thing *t = NULL;
 *     WICK_CHECK_GOTO(thing_new(&t, err));
 *   out:
 *     thing_free(t);
 *     return status;
 */
#ifndef WICK_BASE_ERROR_H
#define WICK_BASE_ERROR_H

#include "wick.h"

#include <stdarg.h>

#if defined(__GNUC__)
#define WICK_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define WICK_NODISCARD         __attribute__((warn_unused_result))
#else
#define WICK_PRINTF(fmt, args)
#define WICK_NODISCARD
#endif

/* Fills *err (NULL allowed) with a code and a sentence; returns the code, so that `return wick_fail(...)` reads well.
 * Text that came from input is quoted by the caller with "%.*s"; control characters are replaced by '?'. */
wick_status wick_fail(wick_error *err, wick_status code, const char *format, ...) WICK_PRINTF(3, 4);

/* Puts "context: " in front of the message of an error that is on its way up. Returns err->code. */
wick_status wick_error_context(wick_error *err, wick_status code, const char *format, ...) WICK_PRINTF(3, 4);

/* Out of memory has one wording. */
wick_status wick_fail_nomem(wick_error *err);

/* Returns from the calling function if `expression` is not WICK_OK. */
#define WICK_TRY(expression)                                                                                                               \
    do {                                                                                                                                   \
        wick_status try_status_ = (expression);                                                                                            \
        if (try_status_ != WICK_OK) return try_status_;                                                                                    \
    } while (0)

/* The same for functions that clean up: sets `status` and jumps to `out`. */
#define WICK_CHECK_GOTO(expression)                                                                                                        \
    do {                                                                                                                                   \
        status = (expression);                                                                                                             \
        if (status != WICK_OK) goto out;                                                                                                   \
    } while (0)

#endif
