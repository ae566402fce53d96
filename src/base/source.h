/* source.h: bytes whose number is known now and whose content comes when it is asked for.
 *
 * This is what lets an export of 8 GB run in a few tensors of memory: every weight travels through graph and program as a
 * source, and is read, quantized and written only when the writer reaches its segment. A source of a loaded program simply
 * points into the mapped file. */
#ifndef WICK_BASE_SOURCE_H
#define WICK_BASE_SOURCE_H

#include "base/error.h"

typedef struct wick_source {
    uint64_t size;
    const void *bytes; /* resident content, borrowed; or NULL and `read` makes it */
    /* Fills dst[0, size). May be called from any thread, for several sources at once, and more than once. */
    wick_status (*read)(void *user, void *dst, wick_error *err);
    void *user; /* owned by whoever made the source */
} wick_source;

static inline wick_source wick_source_resident(const void *bytes, uint64_t size) { return (wick_source){size, bytes, 0, 0}; }

#endif
