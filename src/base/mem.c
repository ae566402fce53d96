#include "base/mem.h"

#include "base/os.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* A block is preceded by its size, kept in one maximally aligned cell. */
#define CELL 16

static _Atomic uint64_t n_alloc, n_live, bytes_live, bytes_peak, budget, fail_countdown;

static int allowed(size_t n) {
    uint64_t left = atomic_load_explicit(&fail_countdown, memory_order_relaxed);
    if (left == 1) return 0;
    if (left > 1) atomic_compare_exchange_strong(&fail_countdown, &left, left - 1);
    uint64_t limit = atomic_load_explicit(&budget, memory_order_relaxed);
    return !limit || atomic_load_explicit(&bytes_live, memory_order_relaxed) + n <= limit;
}

static void note_alloc(size_t n) {
    atomic_fetch_add_explicit(&n_alloc, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&n_live, 1, memory_order_relaxed);
    uint64_t live = atomic_fetch_add_explicit(&bytes_live, n, memory_order_relaxed) + n;
    uint64_t peak = atomic_load_explicit(&bytes_peak, memory_order_relaxed);
    while (live > peak && !atomic_compare_exchange_weak(&bytes_peak, &peak, live)) {
    }
}

static void note_free(size_t n) {
    atomic_fetch_sub_explicit(&n_live, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&bytes_live, n, memory_order_relaxed);
}

void *wick_alloc(size_t n) {
    if (n > SIZE_MAX - CELL || !allowed(n)) return NULL;
    unsigned char *p = malloc(n + CELL);
    if (!p) return NULL;
    memcpy(p, &n, sizeof n);
    note_alloc(n);
    return p + CELL;
}

void *wick_calloc(size_t count, size_t size) {
    if (size && count > SIZE_MAX / size) return NULL;
    void *p = wick_alloc(count * size);
    if (p) memset(p, 0, count * size);
    return p;
}

void wick_free(void *p) {
    if (!p) return;
    unsigned char *block = (unsigned char *)p - CELL;
    size_t n;
    memcpy(&n, block, sizeof n);
    note_free(n);
    free(block);
}

void *wick_realloc(void *p, size_t count, size_t size) {
    if (size && count > SIZE_MAX / size) return NULL;
    if (!p) return wick_alloc(count * size);
    size_t n = count * size, old;
    unsigned char *block = (unsigned char *)p - CELL;
    memcpy(&old, block, sizeof old);
    if (n > SIZE_MAX - CELL || !allowed(n > old ? n - old : 0)) return NULL;
    unsigned char *fresh = realloc(block, n + CELL);
    if (!fresh) return NULL;
    memcpy(fresh, &n, sizeof n);
    note_free(old);
    note_alloc(n);
    return fresh + CELL;
}

char *wick_strndup(const char *s, size_t n) {
    char *copy = n == SIZE_MAX ? NULL : wick_alloc(n + 1);
    if (!copy) return NULL;
    if (n) memcpy(copy, s, n);
    copy[n] = 0;
    return copy;
}

char *wick_strdup(const char *s) { return wick_strndup(s, strlen(s)); }

void *wick_memdup(const void *p, size_t n) {
    void *copy = wick_alloc(n);
    if (copy && n) memcpy(copy, p, n);
    return copy;
}

int wick_grow_(void **items, size_t *cap, size_t size) {
    size_t want = *cap ? *cap + *cap / 2 + 1 : 8;
    if (want < *cap) return 0;
    void *p = wick_realloc(*items, want, size);
    if (!p) return 0;
    *items = p;
    *cap = want;
    return 1;
}

/* Aligned blocks come from the OS in whole pages; a header page keeps their size without disturbing the alignment. */
typedef struct aligned_head {
    size_t mapped, requested;
    void *base;
} aligned_head;

void *wick_alloc_aligned(size_t n, size_t align) {
    if (align < sizeof(aligned_head)) align = 64;
    size_t room = n + align + sizeof(aligned_head);
    if (room < n || !allowed(n)) return NULL;
    unsigned char *base = wick_os_pages_alloc(room);
    if (!base) return NULL;
    uintptr_t user = ((uintptr_t)base + sizeof(aligned_head) + align - 1) & ~(uintptr_t)(align - 1);
    aligned_head head = {room, n, base};
    memcpy((void *)(user - sizeof head), &head, sizeof head);
    note_alloc(n);
    return (void *)user;
}

void wick_free_aligned(void *p) {
    if (!p) return;
    aligned_head head;
    memcpy(&head, (unsigned char *)p - sizeof head, sizeof head);
    note_free(head.requested);
    wick_os_pages_free(head.base, head.mapped);
}

wick_mem_stats wick_mem_stats_get(void) { return (wick_mem_stats){n_alloc, n_live, bytes_live, bytes_peak}; }

void wick_mem_fail_at(uint64_t n) { fail_countdown = n; }
void wick_mem_budget(uint64_t bytes) { budget = bytes; }
