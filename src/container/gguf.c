/* gguf.c: GGUF, versions 2 and 3 (docs/gguf.md of ggml-org/ggml).
 *
 *     u32 "GGUF" | u32 version | u64 n_tensor | u64 n_kv
 *     n_kv     x { string key, u32 type, value }                    string: u64 length, bytes
 *     n_tensor x { string name, u32 rank, u64 dims[rank], u32 type, u64 offset }   dims innermost first
 *     padding to general.alignment (32), then the data; offsets count from there
 *
 * Everything is little-endian. Arrays may not nest (nor does ggml allow it). */
#include "container/container_impl.h"

#include "base/checked.h"

enum { T_U8, T_I8, T_U16, T_I16, T_U32, T_I32, T_F32, T_BOOL, T_STRING, T_ARRAY, T_U64, T_I64, T_F64, N_T };

/* Bytes of a value in the file; 0: of variable length. */
static const uint8_t value_sizes[N_T] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

static wick_meta_kind kind_of(uint32_t type) {
    switch (type) {
    case T_F32:
    case T_F64: return WICK_META_FLOAT;
    case T_BOOL: return WICK_META_BOOL;
    case T_STRING: return WICK_META_STRING;
    case T_ARRAY: return WICK_META_ARRAY;
    default: return WICK_META_INT;
    }
}

/* Decodes a value of fixed size. A u64 that no int64 holds is delivered as a float. */
static wick_meta_kind decode(uint32_t type, const uint8_t *p, int64_t *i, double *f) {
    switch (type) {
    case T_U8: *i = *p; break;
    case T_I8: *i = (int8_t)*p; break;
    case T_U16: *i = wick_load_u16(p); break;
    case T_I16: *i = (int16_t)wick_load_u16(p); break;
    case T_U32: *i = wick_load_u32(p); break;
    case T_I32: *i = (int32_t)wick_load_u32(p); break;
    case T_BOOL: *i = *p != 0; return WICK_META_BOOL;
    case T_F32: *f = wick_load_f32(p); return WICK_META_FLOAT;
    case T_F64: *f = wick_load_f64(p); return WICK_META_FLOAT;
    default: *i = (int64_t)wick_load_u64(p);
    }
    *f = type == T_U64 ? (double)wick_load_u64(p) : (double)*i;
    return type == T_U64 && *i < 0 ? WICK_META_FLOAT : WICK_META_INT;
}

static wick_bytes read_string(wick_reader *r) {
    uint64_t n = wick_read_u64(r);
    const uint8_t *p = wick_read_bytes(r, n);
    return p ? (wick_bytes){p, (size_t)n} : (wick_bytes){0};
}

/* A key or tensor name, copied and terminated. */
static wick_status read_name(wick_container *c, wick_reader *r, const char *file, const char **out, wick_error *err) {
    size_t at = r->at;
    wick_bytes s = read_string(r);
    if (r->failed) return wick_fail(err, WICK_EFORMAT, "%s: cut off at byte %zu, in the header", file, r->size);
    if (s.size == 0 || s.size > WICK_MAX_KEY || memchr(s.data, 0, s.size))
        return wick_fail(err, WICK_EFORMAT, "%s: at byte %zu: a name of %zu bytes (1 to %d, none of them NUL)", file, at, s.size,
                         WICK_MAX_KEY);
    *out = wick_container_text(c, s.data, s.size);
    return *out ? WICK_OK : wick_fail_nomem(err);
}

static wick_status read_array(wick_reader *r, const char *file, wick_meta *m, wick_error *err) {
    uint32_t type = wick_read_u32(r);
    m->n_item = wick_read_u64(r);
    if (type >= N_T || type == T_ARRAY)
        return wick_fail(err, WICK_EFORMAT, "%s: the metadata array '%s' has items of type %u (0 to 12, not 9)", file, m->key, type);
    m->item_raw_type = type;
    m->item_kind = kind_of(type);
    size_t from = r->at;
    if (type == T_STRING) {
        if (m->n_item > wick_reader_left(r) / 8) r->failed = true; /* an empty string takes 8 bytes */
        for (uint64_t i = 0; i < m->n_item && !r->failed; i++) read_string(r);
    } else if (m->n_item > wick_reader_left(r) / value_sizes[type]) {
        r->failed = true;
    } else {
        wick_read_bytes(r, m->n_item * value_sizes[type]);
    }
    if (!r->failed) m->s = (wick_bytes){r->data + from, r->at - from};
    return WICK_OK;
}

static wick_status read_meta(wick_container *c, wick_reader *r, const char *file, wick_error *err) {
    wick_meta m = {0};
    WICK_TRY(read_name(c, r, file, &m.key, err));
    uint32_t type = wick_read_u32(r);
    if (!r->failed && type >= N_T)
        return wick_fail(err, WICK_EFORMAT, "%s: the metadata key '%s' has type %u (0 to 12)", file, m.key, type);
    m.kind = kind_of(type);
    if (type == T_ARRAY) {
        WICK_TRY(read_array(r, file, &m, err));
    } else if (type == T_STRING) {
        m.s = read_string(r);
    } else {
        const uint8_t *p = wick_read_bytes(r, value_sizes[type]);
        if (p) m.kind = decode(type, p, &m.i, &m.f);
    }
    if (r->failed) return wick_fail(err, WICK_EFORMAT, "%s: the value of the metadata key '%s' runs over the end of the file", file, m.key);
    return wick_container_add_meta(c, &m, err);
}

bool wick_meta_next(const wick_meta *m, uint64_t *at, wick_meta_item *item) {
    *item = (wick_meta_item){0};
    wick_reader r = wick_reader_init(m->s.data, m->s.size);
    if (m->kind != WICK_META_ARRAY || *at >= m->s.size) return false;
    wick_read_bytes(&r, *at);
    if (m->item_raw_type == T_STRING) {
        item->s = read_string(&r);
    } else {
        const uint8_t *p = wick_read_bytes(&r, value_sizes[m->item_raw_type]);
        if (p) decode(m->item_raw_type, p, &item->i, &item->f);
    }
    *at = r.at;
    return !r.failed;
}

/* Reads one tensor record, all but its place: that is known when the last record has been read (place_tensors). */
static wick_status read_tensor(wick_container *c, wick_reader *r, const char *file, wick_error *err) {
    wick_tensor t = {0};
    WICK_TRY(read_name(c, r, file, &t.name, err));
    uint32_t rank = wick_read_u32(r);
    if (!r->failed && rank > 4)
        return wick_fail(err, WICK_EFORMAT, "%s: the tensor '%s' has %u dimensions (at most 4)", file, t.name, rank);
    t.rank = (int)rank;
    for (uint32_t i = 0; i < rank && !r->failed; i++) {
        uint64_t d = wick_read_u64(r);
        if (!r->failed && (d == 0 || d > INT64_MAX))
            return wick_fail(err, WICK_EFORMAT, "%s: dimension %u of the tensor '%s' is %llu", file, i, t.name, (unsigned long long)d);
        t.dims[rank - 1 - i] = (int64_t)d;
    }
    t.raw_type = wick_read_u32(r);
    wick_read_u64(r);
    if (r->failed) return wick_fail(err, WICK_EFORMAT, "%s: the record of the tensor '%s' runs over the end of the file", file, t.name);
    const wick_tensor_format *f = t.raw_type < WICK_RAW_SAFETENSORS ? wick_tensor_format_by_raw(t.raw_type) : NULL;
    if (!f) return wick_fail(err, WICK_EUNSUPPORTED, "%s: the tensor '%s' has the unknown type %u", file, t.name, t.raw_type);
    t.type = f->type;
    if (!wick_tensor_byte_size(f, t.rank, t.dims, &t.size))
        return wick_fail(err, WICK_EFORMAT, "%s: the dimensions of the tensor '%s' do not fit its type %s", file, t.name, f->label);
    return wick_container_add_tensor(c, &t, err);
}

static wick_status read_alignment(const wick_container *c, const char *file, uint64_t *out, wick_error *err) {
    *out = 32;
    for (size_t i = 0; i < c->n_meta; i++) {
        const wick_meta *m = &c->metas[i];
        if (strcmp(m->key, "general.alignment")) continue;
        if (m->kind != WICK_META_INT || m->i < 1 || m->i > 1 << 20 || (m->i & (m->i - 1)))
            return wick_fail(err, WICK_EFORMAT, "%s: general.alignment is no power of two up to 2^20", file);
        *out = (uint64_t)m->i;
    }
    return WICK_OK;
}

/* Walks over the records, which were verified, a second time for the offsets. */
static wick_status place_tensors(wick_container *c, wick_reader records, uint64_t base, uint64_t align, const char *file, wick_error *err) {
    for (size_t i = 0; i < c->n_tensor; i++) {
        wick_tensor *t = &c->tensors[i];
        read_string(&records);
        wick_read_bytes(&records, 4 + 8 * (uint64_t)t->rank + 4);
        uint64_t offset = wick_read_u64(&records);
        if (offset % align)
            return wick_fail(err, WICK_EFORMAT, "%s: the tensor '%s' begins at %llu, no multiple of %llu", file, t->name,
                             (unsigned long long)offset, (unsigned long long)align);
        if (!wick_in_range(offset, t->size, records.size - base))
            return wick_fail(err, WICK_EFORMAT, "%s: the tensor '%s' (%llu bytes at %llu) runs over the end of the file", file, t->name,
                             (unsigned long long)t->size, (unsigned long long)offset);
        t->data = records.data + base + offset;
    }
    wick_status status = wick_container_check_layout(c, 0, NULL, NULL, false, err);
    return status == WICK_OK ? WICK_OK : wick_error_context(err, status, "%s", file);
}

wick_status wick_gguf_read(wick_container *c, const char *name, wick_error *err) {
    const wick_mapping *file = &c->files[0];
    wick_reader r = wick_reader_init(file->data, file->size);
    wick_read_u32(&r);
    c->version = wick_read_u32(&r);
    uint64_t n_tensor = wick_read_u64(&r), n_meta = wick_read_u64(&r);
    if (r.failed) return wick_fail(err, WICK_EFORMAT, "%s: %zu bytes are no GGUF header", name, file->size);
    if (c->version == 2u << 24 || c->version == 3u << 24)
        return wick_fail(err, WICK_EUNSUPPORTED, "%s: a big-endian GGUF; Wick reads little-endian ones", name);
    if (c->version != 2 && c->version != 3)
        return wick_fail(err, WICK_EUNSUPPORTED, "%s: GGUF version %u; Wick reads versions 2 and 3", name, c->version);
    /* A record takes at least 24 (tensor) or 13 (metadata) bytes: counts beyond that are lies, found before the loop. */
    if (n_tensor > WICK_MAX_TENSORS || n_tensor > file->size / 24 || n_meta > file->size / 13)
        return wick_fail(err, WICK_EFORMAT, "%s: %llu tensors and %llu metadata keys in %zu bytes", name, (unsigned long long)n_tensor,
                         (unsigned long long)n_meta, file->size);
    for (uint64_t i = 0; i < n_meta; i++) WICK_TRY(read_meta(c, &r, name, err));
    uint64_t align;
    WICK_TRY(read_alignment(c, name, &align, err));
    wick_reader records = r;
    for (uint64_t i = 0; i < n_tensor; i++) WICK_TRY(read_tensor(c, &r, name, err));
    uint64_t base = wick_align_up(r.at, align);
    if (n_tensor && base > file->size) return wick_fail(err, WICK_EFORMAT, "%s: cut off before the data of its tensors", name);
    return place_tensors(c, records, base, align, name, err);
}
