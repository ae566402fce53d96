/* checked.h: arithmetic on numbers that came from input. Each returns false on overflow and leaves *out unspecified. */
#ifndef WICK_BASE_CHECKED_H
#define WICK_BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool wick_add_u64(uint64_t a, uint64_t b, uint64_t *out) { return !__builtin_add_overflow(a, b, out); }
static inline bool wick_mul_u64(uint64_t a, uint64_t b, uint64_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool wick_add_i64(int64_t a, int64_t b, int64_t *out) { return !__builtin_add_overflow(a, b, out); }
static inline bool wick_sub_i64(int64_t a, int64_t b, int64_t *out) { return !__builtin_sub_overflow(a, b, out); }
static inline bool wick_mul_i64(int64_t a, int64_t b, int64_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool wick_mul_size(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }

/* True if [offset, offset + size) lies inside [0, whole). */
static inline bool wick_in_range(uint64_t offset, uint64_t size, uint64_t whole) { return offset <= whole && size <= whole - offset; }

/* Rounds up to a multiple of a power of two. The caller has made sure that it cannot overflow. */
static inline uint64_t wick_align_up(uint64_t n, uint64_t align) { return (n + align - 1) & ~(align - 1); }

#endif
