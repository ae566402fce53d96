/* bytes.h: reading little-endian binary data that may lie.
 *
 * A wick_bytes is a borrowed range. A wick_reader walks through one; the first read that does not fit makes it `failed`,
 * and every later read gives zero, so a parser checks once per record instead of once per field. */
#ifndef WICK_BASE_BYTES_H
#define WICK_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct wick_bytes {
    const uint8_t *data;
    size_t size;
} wick_bytes;

static inline uint16_t wick_load_u16(const void *p) {
    const uint8_t *b = p;
    return (uint16_t)(b[0] | b[1] << 8);
}
static inline uint32_t wick_load_u32(const void *p) {
    const uint8_t *b = p;
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}
static inline uint64_t wick_load_u64(const void *p) { return wick_load_u32(p) | (uint64_t)wick_load_u32((const uint8_t *)p + 4) << 32; }
static inline float wick_load_f32(const void *p) {
    uint32_t u = wick_load_u32(p);
    float f;
    memcpy(&f, &u, 4);
    return f;
}
static inline double wick_load_f64(const void *p) {
    uint64_t u = wick_load_u64(p);
    double f;
    memcpy(&f, &u, 8);
    return f;
}
static inline void wick_store_u16(void *p, uint16_t v) {
    uint8_t *b = p;
    b[0] = (uint8_t)v, b[1] = (uint8_t)(v >> 8);
}
static inline void wick_store_u32(void *p, uint32_t v) {
    uint8_t *b = p;
    for (int i = 0; i < 4; i++) b[i] = (uint8_t)(v >> 8 * i);
}
static inline void wick_store_u64(void *p, uint64_t v) {
    uint8_t *b = p;
    for (int i = 0; i < 8; i++) b[i] = (uint8_t)(v >> 8 * i);
}

typedef struct wick_reader {
    const uint8_t *data;
    size_t size, at;
    bool failed;
} wick_reader;

static inline wick_reader wick_reader_init(const void *data, size_t size) { return (wick_reader){(const uint8_t *)data, size, 0, false}; }
static inline size_t wick_reader_left(const wick_reader *r) { return r->failed ? 0 : r->size - r->at; }

/* The next n bytes, or NULL (and failed) if they are not there. */
static inline const uint8_t *wick_read_bytes(wick_reader *r, uint64_t n) {
    if (r->failed || n > r->size - r->at) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *p = r->data + r->at;
    r->at += (size_t)n;
    return p;
}
static inline uint8_t wick_read_u8(wick_reader *r) {
    const uint8_t *p = wick_read_bytes(r, 1);
    return p ? *p : 0;
}
static inline uint16_t wick_read_u16(wick_reader *r) {
    const uint8_t *p = wick_read_bytes(r, 2);
    return p ? wick_load_u16(p) : 0;
}
static inline uint32_t wick_read_u32(wick_reader *r) {
    const uint8_t *p = wick_read_bytes(r, 4);
    return p ? wick_load_u32(p) : 0;
}
static inline uint64_t wick_read_u64(wick_reader *r) {
    const uint8_t *p = wick_read_bytes(r, 8);
    return p ? wick_load_u64(p) : 0;
}
static inline float wick_read_f32(wick_reader *r) {
    const uint8_t *p = wick_read_bytes(r, 4);
    return p ? wick_load_f32(p) : 0;
}

#endif
