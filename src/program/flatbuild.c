/* The building half of flatbuf.h. Bytes are written from the end of the allocation towards its start, so that whatever a
 * reference points to exists before the reference does, and every reference is a positive distance. */
#include "program/flatbuf.h"

#include "base/mem.h"

void wick_fbb_release(wick_fbb *b) {
    wick_free(b->data);
    wick_free(b->vtables);
    *b = (wick_fbb){0};
}

/* ---------------------------------------------------------------- raw bytes */

/* Room for n bytes in front of what is there; NULL: failed. */
static uint8_t *push(wick_fbb *b, size_t n) {
    if (b->failed) return NULL;
    if (n > b->cap - b->size) {
        size_t cap = b->cap ? b->cap : 1024;
        while (cap - b->size < n && cap < SIZE_MAX / 4) cap *= 2;
        uint8_t *data = cap - b->size >= n && cap <= UINT32_MAX / 2 ? wick_alloc(cap) : NULL;
        if (!data) {
            b->failed = true;
            return NULL;
        }
        if (b->size) memcpy(data + cap - b->size, b->data + b->cap - b->size, b->size);
        wick_free(b->data);
        b->data = data;
        b->cap = cap;
    }
    b->size += n;
    return b->data + b->cap - b->size;
}

/* Zeros, so that `extra` further bytes end at a multiple of `align` from the end. */
static void pad(wick_fbb *b, size_t align, size_t extra) {
    if (align > b->max_align) b->max_align = align;
    size_t n = (size_t) - (b->size + extra) & (align - 1);
    uint8_t *p = push(b, n);
    if (p) memset(p, 0, n);
}

static void put_u16(wick_fbb *b, uint16_t v) {
    uint8_t *p = push(b, 2);
    if (p) wick_store_u16(p, v);
}

static void put_u32(wick_fbb *b, uint32_t v) {
    uint8_t *p = push(b, 4);
    if (p) wick_store_u32(p, v);
}

/* A reference: the distance from where it will stand to its target. */
static void put_ref(wick_fbb *b, wick_fbb_ref target) { put_u32(b, (uint32_t)b->size + 4 - target); }

/* ---------------------------------------------------------------- strings and vectors */

wick_fbb_ref wick_fbb_string(wick_fbb *b, const char *s, size_t n) {
    pad(b, 4, n + 1);
    uint8_t *p = push(b, n + 1);
    if (p) {
        memcpy(p, s, n);
        p[n] = 0;
    }
    put_u32(b, (uint32_t)n);
    return (wick_fbb_ref)b->size;
}

wick_fbb_ref wick_fbb_vector(wick_fbb *b, const void *items, size_t item_size, size_t n, size_t align) {
    if (n > UINT32_MAX / 2 / item_size) {
        b->failed = true;
        return 0;
    }
    pad(b, 4, n * item_size);
    pad(b, align > item_size ? align : item_size, n * item_size);
    uint8_t *p = push(b, n * item_size);
    /* The hosts Wick runs on are little-endian, as the format is. */
    if (p && n) memcpy(p, items, n * item_size);
    put_u32(b, (uint32_t)n);
    return (wick_fbb_ref)b->size;
}

wick_fbb_ref wick_fbb_vector_refs(wick_fbb *b, const wick_fbb_ref *refs, size_t n) {
    pad(b, 4, n * 4);
    for (size_t i = n; i-- > 0;) put_ref(b, refs[i]);
    put_u32(b, (uint32_t)n);
    return (wick_fbb_ref)b->size;
}

/* ---------------------------------------------------------------- tables */

void wick_fbb_table_begin(wick_fbb *b) {
    memset(b->fields, 0, sizeof b->fields);
    b->n_field = 0;
    b->table_start = b->size;
}

/* Makes room for a field, aligned to its size, and notes it. */
static uint8_t *add(wick_fbb *b, int id, size_t n) {
    pad(b, n, 0);
    uint8_t *p = push(b, n);
    b->fields[id] = (uint32_t)b->size;
    if (id >= b->n_field) b->n_field = id + 1;
    return p;
}

void wick_fbb_add_u8(wick_fbb *b, int id, uint8_t value, uint8_t fallback) {
    if (value == fallback) return;
    uint8_t *p = add(b, id, 1);
    if (p) *p = value;
}

void wick_fbb_add_u16(wick_fbb *b, int id, uint16_t value, uint16_t fallback) {
    if (value == fallback) return;
    uint8_t *p = add(b, id, 2);
    if (p) wick_store_u16(p, value);
}

void wick_fbb_add_u32(wick_fbb *b, int id, uint32_t value, uint32_t fallback) {
    if (value == fallback) return;
    uint8_t *p = add(b, id, 4);
    if (p) wick_store_u32(p, value);
}

void wick_fbb_add_u64(wick_fbb *b, int id, uint64_t value, uint64_t fallback) {
    if (value == fallback) return;
    uint8_t *p = add(b, id, 8);
    if (p) wick_store_u64(p, value);
}

void wick_fbb_add_f32(wick_fbb *b, int id, float value, float fallback) {
    uint32_t v, f;
    memcpy(&v, &value, 4);
    memcpy(&f, &fallback, 4);
    wick_fbb_add_u32(b, id, v, f);
}

void wick_fbb_add_f64(wick_fbb *b, int id, double value, double fallback) {
    uint64_t v, f;
    memcpy(&v, &value, 8);
    memcpy(&f, &fallback, 8);
    wick_fbb_add_u64(b, id, v, f);
}

void wick_fbb_add_ref(wick_fbb *b, int id, wick_fbb_ref ref) {
    if (!ref) return;
    pad(b, 4, 0);
    put_ref(b, ref);
    b->fields[id] = (uint32_t)b->size;
    if (id >= b->n_field) b->n_field = id + 1;
}

/* The vtable just written (at b->size, `n` bytes) if an equal one exists, else 0. */
static uint32_t equal_vtable(const wick_fbb *b, size_t n) {
    const uint8_t *end = b->data + b->cap, *mine = end - b->size;
    for (size_t i = b->n_vtable; i-- > 0;) {
        const uint8_t *old = end - b->vtables[i];
        if (wick_load_u16(old) == n && memcmp(old, mine, n) == 0) return b->vtables[i];
    }
    return 0;
}

wick_fbb_ref wick_fbb_table_end(wick_fbb *b) {
    pad(b, 4, 0);
    put_u32(b, 0); /* distance to the vtable, known below */
    uint32_t table = (uint32_t)b->size;
    size_t vtable_size = 4 + 2 * (size_t)b->n_field;
    for (int i = b->n_field; i-- > 0;) put_u16(b, b->fields[i] ? (uint16_t)(table - b->fields[i]) : 0);
    put_u16(b, (uint16_t)(table - b->table_start));
    put_u16(b, (uint16_t)vtable_size);
    if (b->failed) return 0;
    uint32_t vtable = equal_vtable(b, vtable_size);
    if (vtable) {
        b->size -= vtable_size;
    } else {
        vtable = (uint32_t)b->size;
        if (!WICK_GROW(b->vtables, b->n_vtable, b->vtable_cap)) {
            b->failed = true;
            return 0;
        }
        b->vtables[b->n_vtable++] = vtable;
    }
    wick_store_u32(b->data + b->cap - table, vtable - table);
    return table;
}

bool wick_fbb_finish(wick_fbb *b, wick_fbb_ref root, const char identifier[4], size_t reserve) {
    pad(b, b->max_align > 16 ? b->max_align : 16, 8 + reserve);
    uint8_t *p = push(b, reserve);
    if (p) memset(p, 0, reserve);
    p = push(b, 4);
    if (p) memcpy(p, identifier, 4);
    put_ref(b, root);
    return !b->failed;
}
