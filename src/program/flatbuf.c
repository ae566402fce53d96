#include "program/flatbuf.h"

#include "base/checked.h"

#include <stdio.h>

/* ---------------------------------------------------------------- faults and budget */

bool wick_fb_ok(const wick_fb *fb) { return fb->status == WICK_OK; }

void wick_fb_fail(wick_fb *fb, const char *format, ...) {
    if (fb->status != WICK_OK) return;
    char text[300];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fb->status = wick_fail(fb->err, WICK_EFORMAT, "%s: %s", fb->name, text);
}

/* True if [at, at + n) lies in the buffer, `at` is aligned and the budget lasts; charges it. */
static bool visit(wick_fb *fb, uint64_t at, uint64_t n, uint64_t align, const char *what) {
    if (fb->status != WICK_OK) return false;
    if (!wick_in_range(at, n, fb->size))
        wick_fb_fail(fb, "%s at byte %llu has %llu bytes, past the end of the FlatBuffer (%zu)", what, (unsigned long long)at,
                     (unsigned long long)n, fb->size);
    else if (at & (align - 1))
        wick_fb_fail(fb, "%s at byte %llu is not aligned to %llu", what, (unsigned long long)at, (unsigned long long)align);
    else if (n + 1 > fb->budget)
        wick_fb_fail(fb, "%s at byte %llu: tables are shared more often than their size allows", what, (unsigned long long)at);
    else
        fb->budget -= n + 1;
    return fb->status == WICK_OK;
}

/* ---------------------------------------------------------------- tables */

static wick_fb_table table_at(wick_fb *fb, uint64_t at) {
    const wick_fb_table none = {0};
    if (!visit(fb, at, 4, 4, "a table")) return none;
    int64_t vtable = (int64_t)at - (int32_t)wick_load_u32(fb->data + at);
    if (vtable < 0 || !visit(fb, (uint64_t)vtable, 4, 2, "a vtable")) {
        wick_fb_fail(fb, "the table at byte %llu has its vtable outside the FlatBuffer", (unsigned long long)at);
        return none;
    }
    const uint8_t *v = fb->data + vtable;
    wick_fb_table t = {(uint32_t)at, (uint32_t)vtable, wick_load_u16(v), wick_load_u16(v + 2)};
    if (t.vtable_size < 4 || t.vtable_size % 2 || !wick_in_range((uint64_t)vtable, t.vtable_size, fb->size) || t.table_size < 4) {
        wick_fb_fail(fb, "the vtable at byte %lld is malformed (%u bytes for a table of %u)", (long long)vtable, t.vtable_size,
                     t.table_size);
        return none;
    }
    return visit(fb, at, t.table_size, 4, "a table") ? t : none;
}

wick_fb_table wick_fb_root(wick_fb *fb, const char *identifier) {
    const wick_fb_table none = {0};
    if (fb->size < 8) {
        wick_fb_fail(fb, "a FlatBuffer has at least 8 bytes, this one has %zu", fb->size);
        return none;
    }
    if (identifier && memcmp(fb->data + 4, identifier, 4) != 0) {
        wick_fb_fail(fb, "found identifier \"%.4s\" at byte 4, expected \"%s\"", (const char *)fb->data + 4, identifier);
        return none;
    }
    return table_at(fb, wick_load_u32(fb->data));
}

/* Where a field of n bytes lies; 0: absent, or a fault was recorded. */
static uint64_t field(wick_fb *fb, wick_fb_table t, int id, size_t n) {
    size_t slot = 4 + 2 * (size_t)id;
    if (!t.at || fb->status != WICK_OK || slot + 2 > t.vtable_size) return 0;
    uint16_t offset = wick_load_u16(fb->data + t.vtable + slot);
    if (!offset) return 0;
    if (offset < 4 || !wick_in_range(offset, n, t.table_size))
        wick_fb_fail(fb, "field %d of the table at byte %u lies outside the table", id, t.at);
    else if ((t.at + offset) % n)
        wick_fb_fail(fb, "field %d of the table at byte %u is not aligned to %zu", id, t.at, n);
    return fb->status == WICK_OK ? (uint64_t)t.at + offset : 0;
}

bool wick_fb_has(wick_fb *fb, wick_fb_table t, int id) { return field(fb, t, id, 1) != 0; }

uint8_t wick_fb_u8(wick_fb *fb, wick_fb_table t, int id, uint8_t fallback) {
    uint64_t at = field(fb, t, id, 1);
    return at ? fb->data[at] : fallback;
}

int8_t wick_fb_i8(wick_fb *fb, wick_fb_table t, int id, int8_t fallback) { return (int8_t)wick_fb_u8(fb, t, id, (uint8_t)fallback); }

int16_t wick_fb_i16(wick_fb *fb, wick_fb_table t, int id, int16_t fallback) {
    uint64_t at = field(fb, t, id, 2);
    return at ? (int16_t)wick_load_u16(fb->data + at) : fallback;
}

uint32_t wick_fb_u32(wick_fb *fb, wick_fb_table t, int id, uint32_t fallback) {
    uint64_t at = field(fb, t, id, 4);
    return at ? wick_load_u32(fb->data + at) : fallback;
}

int32_t wick_fb_i32(wick_fb *fb, wick_fb_table t, int id, int32_t fallback) { return (int32_t)wick_fb_u32(fb, t, id, (uint32_t)fallback); }

uint64_t wick_fb_u64(wick_fb *fb, wick_fb_table t, int id, uint64_t fallback) {
    uint64_t at = field(fb, t, id, 8);
    return at ? wick_load_u64(fb->data + at) : fallback;
}

int64_t wick_fb_i64(wick_fb *fb, wick_fb_table t, int id, int64_t fallback) { return (int64_t)wick_fb_u64(fb, t, id, (uint64_t)fallback); }

float wick_fb_f32(wick_fb *fb, wick_fb_table t, int id, float fallback) {
    uint64_t at = field(fb, t, id, 4);
    return at ? wick_load_f32(fb->data + at) : fallback;
}

double wick_fb_f64(wick_fb *fb, wick_fb_table t, int id, double fallback) {
    uint64_t at = field(fb, t, id, 8);
    return at ? wick_load_f64(fb->data + at) : fallback;
}

/* ---------------------------------------------------------------- references */

/* The target of the reference at `at`; 0: a fault was recorded. */
static uint64_t follow(wick_fb *fb, uint64_t at) {
    uint64_t target = at + wick_load_u32(fb->data + at);
    if (target == at || target >= fb->size) {
        wick_fb_fail(fb, "the reference at byte %llu points outside the FlatBuffer", (unsigned long long)at);
        return 0;
    }
    return target;
}

static uint64_t reference(wick_fb *fb, wick_fb_table t, int id) {
    uint64_t at = field(fb, t, id, 4);
    return at ? follow(fb, at) : 0;
}

wick_fb_table wick_fb_subtable(wick_fb *fb, wick_fb_table t, int id) {
    uint64_t at = reference(fb, t, id);
    return at ? table_at(fb, at) : (wick_fb_table){0};
}

static wick_fb_vector vector_at(wick_fb *fb, uint64_t at, size_t item_size, uint32_t max_n) {
    const wick_fb_vector none = {0};
    if (!visit(fb, at, 4, 4, "a vector")) return none;
    uint32_t n = wick_load_u32(fb->data + at);
    if (n > max_n) {
        wick_fb_fail(fb, "the vector at byte %llu has %u items, at most %u are allowed", (unsigned long long)at, n, max_n);
        return none;
    }
    /* An empty vector has no items to be aligned. */
    if (!visit(fb, at + 4, (uint64_t)n * item_size, n ? item_size : 1, "a vector")) return none;
    return (wick_fb_vector){(uint32_t)at + 4, n, true};
}

wick_fb_vector wick_fb_vec(wick_fb *fb, wick_fb_table t, int id, size_t item_size, uint32_t max_n) {
    uint64_t at = reference(fb, t, id);
    return at ? vector_at(fb, at, item_size, max_n) : (wick_fb_vector){0};
}

wick_fb_table wick_fb_vec_table(wick_fb *fb, wick_fb_vector v, uint32_t i) {
    if (fb->status != WICK_OK || i >= v.n) return (wick_fb_table){0};
    uint64_t at = follow(fb, v.at + (uint64_t)i * 4);
    return at ? table_at(fb, at) : (wick_fb_table){0};
}

static wick_bytes string_at(wick_fb *fb, uint64_t at) {
    const wick_bytes none = {0};
    wick_fb_vector v = vector_at(fb, at, 1, UINT32_MAX);
    if (!v.present) return none;
    if ((uint64_t)v.at + v.n >= fb->size || fb->data[v.at + v.n] != 0) {
        wick_fb_fail(fb, "the string at byte %llu does not end in NUL", (unsigned long long)at);
        return none;
    }
    return (wick_bytes){fb->data + v.at, v.n};
}

wick_bytes wick_fb_string(wick_fb *fb, wick_fb_table t, int id) {
    uint64_t at = reference(fb, t, id);
    return at ? string_at(fb, at) : (wick_bytes){0};
}

wick_bytes wick_fb_vec_string(wick_fb *fb, wick_fb_vector v, uint32_t i) {
    if (fb->status != WICK_OK || i >= v.n) return (wick_bytes){0};
    uint64_t at = follow(fb, v.at + (uint64_t)i * 4);
    return at ? string_at(fb, at) : (wick_bytes){0};
}
