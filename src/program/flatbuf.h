/* flatbuf.h: the FlatBuffers wire format: checking, reading, building.
 *
 * Layout (https://flatbuffers.dev/internals): little-endian; a u32 at the start gives the root table's offset; a table
 * begins with a signed offset back to its vtable (u16 size, u16 table size, then one u16 field offset per field id, 0 =
 * absent); vectors are a u32 count and the items; strings are vectors with a NUL behind; references are u32 forward
 * offsets. Every scalar is aligned to its size from the start of the buffer.
 *
 * Reading checks as it goes: a cursor that points anywhere invalid cannot be made. The parsers in pte.c and xnn.c walk a
 * buffer exactly once and copy what they keep into plain structs, so nothing later touches the wire format. Work is bounded
 * by counting visited bytes (shared or overlapping tables cannot multiply it). */
#ifndef WICK_PROGRAM_FLATBUF_H
#define WICK_PROGRAM_FLATBUF_H

#include "base/bytes.h"
#include "base/error.h"

/* ---------------------------------------------------------------- reading */

typedef struct wick_fb {
    const uint8_t *data;
    size_t size;
    uint64_t budget;  /* bytes that may still be visited */
    const char *name; /* of the file, for messages */
    wick_error *err;
    wick_status status; /* the first fault; later reads give empty results */
} wick_fb;

typedef struct wick_fb_table {
    uint32_t at; /* of the table; 0: absent */
    uint32_t vtable;
    uint16_t vtable_size, table_size;
} wick_fb_table;

typedef struct wick_fb_vector {
    uint32_t at; /* of the first item */
    uint32_t n;
    bool present;
} wick_fb_vector;

/* Checks size, identifier (4 characters at byte 4; NULL: any) and the root table. `where` names the thing in messages. */
wick_fb_table wick_fb_root(wick_fb *fb, const char *identifier);
bool wick_fb_ok(const wick_fb *fb);
/* Records a fault found by the caller (the first one wins). */
void wick_fb_fail(wick_fb *fb, const char *format, ...) WICK_PRINTF(2, 3);

/* Scalar field by id, or `fallback` if the table omits it. */
uint8_t wick_fb_u8(wick_fb *fb, wick_fb_table t, int id, uint8_t fallback);
int8_t wick_fb_i8(wick_fb *fb, wick_fb_table t, int id, int8_t fallback);
int16_t wick_fb_i16(wick_fb *fb, wick_fb_table t, int id, int16_t fallback);
uint32_t wick_fb_u32(wick_fb *fb, wick_fb_table t, int id, uint32_t fallback);
int32_t wick_fb_i32(wick_fb *fb, wick_fb_table t, int id, int32_t fallback);
uint64_t wick_fb_u64(wick_fb *fb, wick_fb_table t, int id, uint64_t fallback);
int64_t wick_fb_i64(wick_fb *fb, wick_fb_table t, int id, int64_t fallback);
float wick_fb_f32(wick_fb *fb, wick_fb_table t, int id, float fallback);
double wick_fb_f64(wick_fb *fb, wick_fb_table t, int id, double fallback);
bool wick_fb_has(wick_fb *fb, wick_fb_table t, int id);

wick_fb_table wick_fb_subtable(wick_fb *fb, wick_fb_table t, int id);
/* The table inside a union field whose value is at `id` (its type byte is at id - 1). */
/* A vector of items of `item_size` bytes (aligned to it), fully inside the buffer, at most max_n items. */
wick_fb_vector wick_fb_vec(wick_fb *fb, wick_fb_table t, int id, size_t item_size, uint32_t max_n);
wick_fb_table wick_fb_vec_table(wick_fb *fb, wick_fb_vector v, uint32_t i);
/* A string: its bytes without the NUL (checked to be there). */
wick_bytes wick_fb_string(wick_fb *fb, wick_fb_table t, int id);
wick_bytes wick_fb_vec_string(wick_fb *fb, wick_fb_vector v, uint32_t i);

/* ---------------------------------------------------------------- building */

/* Builds from the back, as FlatBuffers builders do: children first. Offsets count from the end of the finished buffer. */
typedef struct wick_fbb {
    uint8_t *data;    /* filled from the end of the allocation */
    size_t cap, size; /* size: bytes used, at the end of data */
    size_t max_align;
    uint32_t fields[32]; /* of the open table: offset from end, 0 absent */
    int n_field;
    size_t table_start; /* size when the table was opened */
    uint32_t *vtables;  /* offsets of the vtables written, for sharing */
    size_t n_vtable, vtable_cap;
    bool failed;
} wick_fbb;

typedef uint32_t wick_fbb_ref; /* offset from the end; 0: none */

void wick_fbb_release(wick_fbb *b);
wick_fbb_ref wick_fbb_string(wick_fbb *b, const char *s, size_t n);
wick_fbb_ref wick_fbb_vector(wick_fbb *b, const void *items, size_t item_size, size_t n, size_t align);
wick_fbb_ref wick_fbb_vector_refs(wick_fbb *b, const wick_fbb_ref *refs, size_t n);
void wick_fbb_table_begin(wick_fbb *b);
/* Fields equal to their default are left out by the add_* functions when `value == fallback`. */
void wick_fbb_add_u8(wick_fbb *b, int id, uint8_t value, uint8_t fallback);
void wick_fbb_add_u16(wick_fbb *b, int id, uint16_t value, uint16_t fallback);
void wick_fbb_add_u32(wick_fbb *b, int id, uint32_t value, uint32_t fallback);
void wick_fbb_add_u64(wick_fbb *b, int id, uint64_t value, uint64_t fallback);
void wick_fbb_add_f32(wick_fbb *b, int id, float value, float fallback);
void wick_fbb_add_f64(wick_fbb *b, int id, double value, double fallback);
void wick_fbb_add_ref(wick_fbb *b, int id, wick_fbb_ref ref); /* 0: left out */
wick_fbb_ref wick_fbb_table_end(wick_fbb *b);
/* Root, identifier, and `reserve` zero bytes between identifier and content (the extended header of a `.pte`). On success the
 * finished bytes are the last b->size of b->data. */
bool wick_fbb_finish(wick_fbb *b, wick_fbb_ref root, const char identifier[4], size_t reserve);
static inline const uint8_t *wick_fbb_bytes(const wick_fbb *b) { return b->data + b->cap - b->size; }

#endif
