/* mem.h: the only door to the heap.
 *
 * All heap use of the libraries passes through here, so that a test can count allocations (generating a token must make
 * none), fail the n-th one, and hold everything to a byte budget. Sizes that come from input are multiplied with
 * overflow checks here and nowhere else. */
#ifndef WICK_BASE_MEM_H
#define WICK_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

/* Uninitialised memory, aligned for any type; NULL when there is none. n = 0 gives a valid, distinct pointer. */
void *wick_alloc(size_t n);
/* Zeroed array of `count` items; NULL on overflow too. */
void *wick_calloc(size_t count, size_t size);
/* Resizes an array; NULL on failure (the old block is untouched). */
void *wick_realloc(void *p, size_t count, size_t size);
void wick_free(void *p);
char *wick_strndup(const char *s, size_t n);
char *wick_strdup(const char *s);
void *wick_memdup(const void *p, size_t n);

/* Zeroed memory aligned to `align` (a power of two, >= sizeof(void *)); large blocks ask for huge pages.
 * Give it back with wick_free_aligned. */
void *wick_alloc_aligned(size_t n, size_t align);
void wick_free_aligned(void *p);

/* Typed shorthand. */
#define WICK_NEW(type)          ((type *)wick_calloc(1, sizeof(type)))
#define WICK_NEW_ARRAY(type, n) ((type *)wick_calloc((n), sizeof(type)))

/* Growable array over three plain variables (pointer, count, capacity). Makes room for one more item; false: no memory.
 *     if (!WICK_GROW(items, n_item, cap)) return wick_fail_nomem(err);
 *     items[n_item++] = x; */
#define WICK_GROW(items, n, cap) ((n) < (cap) || wick_grow_((void **)&(items), &(cap), sizeof *(items)))
int wick_grow_(void **items, size_t *cap, size_t size);

/* ---- for tests: process-wide, not for library code ---- */
typedef struct wick_mem_stats {
    uint64_t n_alloc;    /* successful allocations so far */
    uint64_t n_live;     /* blocks not yet freed */
    uint64_t bytes_live; /* by requested size */
    uint64_t bytes_peak;
} wick_mem_stats;
wick_mem_stats wick_mem_stats_get(void);
/* The n-th allocation from now fails (1 = the next), and so do all after it until this is called again; 0: none. */
void wick_mem_fail_at(uint64_t n);
/* Allocations that would bring bytes_live above this fail; 0: no budget. */
void wick_mem_budget(uint64_t bytes);

#endif
