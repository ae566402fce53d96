#include "places.h"

#include "places_schema.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_PLACES = 1 << 20, MAX_ITEMS = 64 };

typedef struct walk {
    places *out;
    const uint8_t *data; /* of the FlatBuffer */
    size_t size;
    uint64_t base; /* where it begins in the file */
    bool failed;
} walk;

/* ---------------------------------------------------------------- notes */

static void *grow(void *items, size_t n, size_t *cap, size_t size) {
    if (n < *cap) return items;
    *cap = *cap ? *cap * 2 : 256;
    return realloc(items, *cap * size);
}

static void edge(walk *w, uint64_t at) {
    places *p = w->out;
    if (w->failed || p->n_edge >= MAX_PLACES) return;
    uint64_t *edges = grow(p->edges, p->n_edge, &p->edge_cap, sizeof *edges);
    if (!edges) {
        w->failed = true;
        return;
    }
    p->edges = edges;
    p->edges[p->n_edge++] = w->base + at;
}

/* False: it does not lie in the buffer. */
static bool note(walk *w, uint64_t at, uint8_t width, place_kind kind, const char *table, const char *field) {
    places *p = w->out;
    if (w->failed || p->n >= MAX_PLACES || at > w->size || w->size - at < width) return false;
    place *items = grow(p->items, p->n, &p->cap, sizeof *items);
    if (!items) {
        w->failed = true;
        return false;
    }
    p->items = items;
    p->items[p->n++] = (place){w->base + at, table, field, width, (uint8_t)kind};
    return true;
}

static uint32_t u32(const walk *w, uint64_t at) {
    uint32_t v;
    memcpy(&v, w->data + at, 4);
    return v;
}

static uint16_t u16(const walk *w, uint64_t at) {
    uint16_t v;
    memcpy(&v, w->data + at, 2);
    return v;
}

static uint64_t u64(const uint8_t *at) {
    uint64_t v;
    memcpy(&v, at, 8);
    return v;
}

/* ---------------------------------------------------------------- tables */

static void walk_table(walk *w, uint64_t at, type t);

/* The target of a reference; 0: outside. */
static uint64_t follow(walk *w, uint64_t at, const char *table, const char *name) {
    if (!note(w, at, 4, PLACE_REFERENCE, table, name)) return 0;
    uint64_t target = at + u32(w, at);
    return target != at && target <= w->size && w->size - target >= 4 ? target : 0;
}

static void walk_vector(walk *w, uint64_t at, const table_type *owner, const table_field *f) {
    if (!note(w, at, 4, PLACE_COUNT, owner->name, f->name)) return;
    uint64_t n = u32(w, at);
    size_t width = f->content == C_VEC_8 ? 8 : f->content == C_VEC_2 ? 2 : f->content == C_VEC_1 || f->content == C_STRING ? 1 : 4;
    edge(w, at);
    if (n > (w->size - at) / width) return;
    edge(w, at + 4 + n * width);
    if (width == 1) return;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t item = at + 4 + i * width;
        if (f->content == C_VEC_TABLE) {
            uint64_t target = follow(w, item, owner->name, f->name);
            if (target) walk_table(w, target, f->type);
        } else if (i < MAX_ITEMS && !note(w, item, (uint8_t)width, PLACE_SCALAR, owner->name, f->name)) {
            return;
        }
    }
}

/* The type of a union's content by its tag. */
static type member(type first, unsigned tag) {
    static const unsigned n_tag[N_TYPE] = {[T_NULL] = 11, [T_KERNEL] = 5, [T_XTENSOR] = 2, [T_PER_CHANNEL] = 4, [T_NODE] = 47};
    if (!tag || tag > n_tag[first]) return T_NONE;
    if (first != T_NODE) return (type)(first + tag - 1);
    return tag == 5 || tag == 20 ? T_NODE_LIST : tag == 35 ? T_NODE_LISTS : tag == 10 ? T_NODE_PAD : T_NODE;
}

static void walk_field(walk *w, const table_type *owner, const table_field *f, uint64_t at, unsigned tag) {
    uint64_t target;
    switch (f->content) {
    case C_END: break;
    case C_1: note(w, at, 1, PLACE_SCALAR, owner->name, f->name); break;
    case C_2: note(w, at, 2, PLACE_SCALAR, owner->name, f->name); break;
    case C_4: note(w, at, 4, PLACE_SCALAR, owner->name, f->name); break;
    case C_8: note(w, at, 8, PLACE_SCALAR, owner->name, f->name); break;
    case C_TABLE:
    case C_UNION:
        target = follow(w, at, owner->name, f->name);
        type t = f->content == C_UNION ? member(f->type, tag) : f->type;
        if (target && t) walk_table(w, target, t);
        break;
    default:
        target = follow(w, at, owner->name, f->name);
        if (target) walk_vector(w, target, owner, f);
    }
}

static void walk_table(walk *w, uint64_t at, type t) {
    const table_type *tt = &types[t];
    if (!note(w, at, 4, PLACE_VTABLE, tt->name, "vtable")) return;
    int64_t vtable = (int64_t)at - (int32_t)u32(w, at);
    edge(w, at);
    if (vtable < 0 || !note(w, (uint64_t)vtable, 2, PLACE_SLOT, tt->name, "vtable size") ||
        !note(w, (uint64_t)vtable + 2, 2, PLACE_SLOT, tt->name, "table size"))
        return;
    unsigned vtable_size = u16(w, (uint64_t)vtable), tag = 0;
    edge(w, (uint64_t)vtable);
    edge(w, (uint64_t)vtable + vtable_size);
    edge(w, at + u16(w, (uint64_t)vtable + 2));
    for (int i = 0; i < MAX_FIELD && 4 + 2 * (unsigned)i + 2 <= vtable_size; i++) {
        uint64_t slot = (uint64_t)vtable + 4 + 2 * (unsigned)i;
        if (!note(w, slot, 2, PLACE_SLOT, tt->name, tt->fields[i].name ? tt->fields[i].name : "unknown")) return;
        unsigned offset = u16(w, slot);
        if (!offset) continue;
        if (tt->fields[i].content == C_1 && at + offset < w->size) tag = w->data[at + offset];
        walk_field(w, tt, &tt->fields[i], at + offset, tag);
    }
}

static void walk_root(walk *w, type t) {
    if (w->size < 8) return;
    uint64_t root = follow(w, 0, types[t].name, "root");
    for (uint8_t i = 4; i < 8; i++) note(w, i, 1, PLACE_SCALAR, types[t].name, "identifier");
    if (root) walk_table(w, root, t);
}

/* ---------------------------------------------------------------- files */

static bool is(const uint8_t *data, size_t size, const char *magic) { return size >= 8 && memcmp(data + 4, magic, 4) == 0; }

static void walk_payload(places *out, const uint8_t *data, size_t size, uint64_t base, bool *failed) {
    walk w = {out, data, size, base, *failed};
    if (is(data, size, "XH00") && size >= 32) {
        note(&w, 8, 2, PLACE_SCALAR, "XNNPACK header", "length");
        for (unsigned at = 10; at < 22; at += 4) note(&w, at, 4, PLACE_SCALAR, "XNNPACK header", "offset or size");
        note(&w, 22, 8, PLACE_SCALAR, "XNNPACK header", "constant_data_size");
        uint64_t from = u32(&w, 10), n = u32(&w, 14);
        if (from > size || n > size - from) n = 0;
        w = (walk){out, data + from, n, base + from, w.failed};
        edge(&w, 0), edge(&w, n);
    }
    if (is(w.data, w.size, "XN01") || is(w.data, w.size, "XN00")) walk_root(&w, T_GRAPH);
    *failed = w.failed;
}

/* Segments that are payloads. DataSegment has two fields of eight bytes: they are told by their names. */
static void walk_segments(walk *w, uint64_t segment_base, size_t file_size) {
    size_t n = w->out->n;
    for (size_t i = 0; i < n; i++) {
        const place *p = &w->out->items[i];
        if (p->kind != PLACE_SCALAR || strcmp(p->table, "DataSegment") != 0 || strcmp(p->field, "offset") != 0) continue;
        uint64_t from = u64(w->data + p->at), at = segment_base + from;
        if (from > file_size || segment_base > file_size || at >= file_size) continue;
        edge(w, at);
        walk_payload(w->out, w->data + at, file_size - at, at, &w->failed);
    }
    /* A segment without an offset field lies at the base. */
    if (segment_base && segment_base < file_size)
        walk_payload(w->out, w->data + segment_base, file_size - segment_base, segment_base, &w->failed);
}

static void walk_file(places *out, const uint8_t *data, size_t size, bool *failed) {
    walk w = {out, data, size, 0, *failed};
    bool ptd = is(data, size, "FT01");
    uint64_t base = 0;
    unsigned base_at = ptd ? 32 : 24;
    if (size >= 48 && (ptd || memcmp(data + 8, "eh00", 4) == 0)) {
        note(&w, 12, 4, PLACE_SCALAR, "header", "length");
        for (unsigned at = 16; at < (ptd ? 48u : 40u); at += 8) note(&w, at, 8, PLACE_SCALAR, "header", "offset or size");
        base = u64(data + base_at);
        if (base < size) edge(&w, base);
    }
    walk_root(&w, ptd ? T_FLAT : T_PROGRAM);
    if (!ptd) walk_segments(&w, base, size);
    *failed = w.failed;
}

/* ---------------------------------------------------------------- in order */

static int by_place(const void *a, const void *b) {
    const place *x = a, *y = b;
    return x->at != y->at ? (x->at < y->at ? -1 : 1) : (int)x->width - (int)y->width;
}

static int by_offset(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

bool places_find(const uint8_t *data, size_t size, places *out) {
    bool failed = false;
    *out = (places){0};
    if (is(data, size, "ET12") || is(data, size, "FT01"))
        walk_file(out, data, size, &failed);
    else
        walk_payload(out, data, size, 0, &failed);
    if (failed) {
        places_release(out);
        return false;
    }
    if (out->n) qsort(out->items, out->n, sizeof *out->items, by_place);
    if (out->n_edge) qsort(out->edges, out->n_edge, sizeof *out->edges, by_offset);
    size_t n = 0;
    for (size_t i = 0; i < out->n; i++)
        if (!n || by_place(&out->items[n - 1], &out->items[i]) != 0) out->items[n++] = out->items[i];
    out->n = n, n = 0;
    for (size_t i = 0; i < out->n_edge; i++)
        if (out->edges[i] <= size && (!n || out->edges[n - 1] != out->edges[i])) out->edges[n++] = out->edges[i];
    out->n_edge = n;
    return true;
}

void places_release(places *p) {
    free(p->items);
    free(p->edges);
    *p = (places){0};
}

/* ---------------------------------------------------------------- values */

/* The next place of the same name, around the end. */
static const place *sibling(const places *p, size_t i) {
    const place *a = &p->items[i];
    for (size_t k = 1; k < p->n && k < 4096; k++) {
        const place *b = &p->items[(i + k) % p->n];
        if (a->kind == b->kind && a->width == b->width && strcmp(a->table, b->table) == 0 && strcmp(a->field, b->field) == 0) return b;
    }
    return a;
}

/* What a reference at this place must hold to name `target`: vtables are counted backwards. */
static uint64_t aim(const place *p, uint64_t target) { return p->kind == PLACE_VTABLE ? p->at - target : target - p->at; }
static uint64_t target_of(const place *p, const uint8_t *data) {
    uint64_t v = place_load(p, data);
    return p->kind == PLACE_VTABLE ? p->at - (uint64_t)(int32_t)v : p->at + v;
}

bool place_try(const places *p, size_t i, unsigned k, uint8_t *data, size_t size) {
    const place *at = &p->items[i];
    uint64_t all = at->width == 8 ? UINT64_MAX : (1ull << 8 * at->width) - 1, was = place_load(at, data), v = was;
    const place *other = k == 9 || k == 10 ? sibling(p, i) : at, *before = &p->items[i ? i - 1 : 0];
    bool reference = at->kind == PLACE_REFERENCE || at->kind == PLACE_VTABLE;
    switch (k) {
    case 0: v = 0; break;
    case 1: v = all; break;
    case 2: v = all >> 1; break;
    case 3: v = (all >> 1) + 1; break;
    case 4: v = was + 1; break;
    case 5: v = was - 1; break;
    case 6: v = was + 4; break;
    case 7: v = was - 4; break;
    case 8: v = was * 2; break;
    case 9: v = place_load(other, data); break;
    case 10: v = reference ? aim(at, target_of(other, data)) : was / 2; break;
    case 11: v = reference ? aim(at, before->at) : 1; break;
    case 12: v = reference ? aim(at, size) : 2; break;
    case 13: v = reference ? aim(at, size - 4) : 3; break;
    }
    if ((v & all) == was) return false;
    place_store(at, data, v & all);
    return true;
}
