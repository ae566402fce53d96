/* The reader of `.pte` files: header, segments, constants, named data; methods are in pte_method.c. */
#include "program/pte_reader.h"

#include "base/checked.h"
#include "base/mem.h"

#include <stdio.h>

/* ---------------------------------------------------------------- helpers of both halves */

void wick_pte_unsupported(wick_pte_reader *r, const char *format, ...) {
    if (!wick_fb_ok(&r->fb)) return;
    char text[300];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    r->fb.status = wick_fail(r->fb.err, WICK_EUNSUPPORTED, "%s: %s", r->fb.name, text);
}

void *wick_pte_reader_array(wick_pte_reader *r, size_t count, size_t size) {
    if (!wick_fb_ok(&r->fb)) return NULL;
    void *p = wick_pte_alloc(r->pte, count, size);
    if (!p) r->fb.status = wick_fail_nomem(r->fb.err);
    return p;
}

char *wick_pte_reader_text(wick_pte_reader *r, wick_bytes s, const char *what) {
    if (s.size && memchr(s.data, 0, s.size)) wick_fb_fail(&r->fb, "%s contains a NUL byte", what);
    if (!wick_fb_ok(&r->fb)) return NULL;
    char *copy = wick_pte_strdup(r->pte, (const char *)s.data, s.size);
    if (!copy) r->fb.status = wick_fail_nomem(r->fb.err);
    return copy;
}

int32_t *wick_pte_reader_indices(wick_pte_reader *r, wick_fb_table t, int id, uint32_t *n) {
    wick_fb_vector v = wick_fb_vec(&r->fb, t, id, 4, UINT32_MAX);
    int32_t *items = wick_pte_reader_array(r, v.n, sizeof *items);
    if (!items) return NULL;
    for (uint32_t i = 0; i < v.n; i++) items[i] = (int32_t)wick_load_u32(r->fb.data + v.at + 4 * (size_t)i);
    *n = v.n;
    return items;
}

/* ---------------------------------------------------------------- the extended header */

static wick_status read_header(wick_bytes file, const char *name, wick_pte *p, wick_error *err) {
    p->file_size = p->flatbuffer_size = file.size;
    if (file.size >= 16 && memcmp(file.data + 8, "eh00", 4) == 0) {
        p->header_size = wick_load_u32(file.data + 12);
        if (p->header_size < 24 || p->header_size > file.size || file.size - p->header_size < 8)
            return wick_fail(err, WICK_EFORMAT, "%s: the extended header claims %u bytes, the file has %zu", name, p->header_size,
                             file.size);
        p->flatbuffer_size = wick_load_u64(file.data + 16);
        p->segment_base = wick_load_u64(file.data + 24);
        uint64_t data_size = p->header_size >= 32 ? wick_load_u64(file.data + 32) : 0, end;
        if (p->flatbuffer_size < 8 + p->header_size || p->flatbuffer_size > file.size)
            return wick_fail(err, WICK_EFORMAT, "%s: the header claims a program of %llu bytes, the file has %zu (download incomplete?)",
                             name, (unsigned long long)p->flatbuffer_size, file.size);
        if (!wick_add_u64(p->segment_base, data_size, &end) || end > file.size)
            return wick_fail(err, WICK_EFORMAT,
                             "%s: the header claims %llu bytes of segments from byte %llu, the file has %zu (download incomplete?)", name,
                             (unsigned long long)data_size, (unsigned long long)p->segment_base, file.size);
    }
    if (p->flatbuffer_size > WICK_MAX_FLATBUFFER)
        return wick_fail(err, WICK_ELIMIT, "%s: the structural part has %llu bytes, at most %u are accepted", name,
                         (unsigned long long)p->flatbuffer_size, WICK_MAX_FLATBUFFER);
    return WICK_OK;
}

/* ---------------------------------------------------------------- segments and what lies in them */

static void read_segments(wick_pte_reader *r, wick_fb_table root, wick_bytes file) {
    wick_fb *fb = &r->fb;
    wick_pte *p = r->pte;
    wick_fb_vector v = wick_fb_vec(fb, root, 4, 4, WICK_MAX_SEGMENTS);
    p->segments = wick_pte_reader_array(r, v.n, sizeof *p->segments);
    wick_source *pieces = wick_pte_reader_array(r, v.n, sizeof *pieces);
    uint64_t *zero = wick_pte_reader_array(r, 1, sizeof *zero);
    if (!zero) return;
    for (uint32_t i = 0; i < v.n && wick_fb_ok(fb); i++) {
        wick_fb_table t = wick_fb_vec_table(fb, v, i);
        uint64_t offset = wick_fb_u64(fb, t, 0, 0), size = wick_fb_u64(fb, t, 1, 0), at;
        if (!wick_fb_ok(fb)) return;
        if (!wick_add_u64(p->segment_base, offset, &at) || !wick_in_range(at, size, file.size))
            wick_fb_fail(fb, "segment %u claims %llu bytes at %llu + %llu, the file has %zu (download incomplete?)", i,
                         (unsigned long long)size, (unsigned long long)p->segment_base, (unsigned long long)offset, file.size);
        else if (size && !p->header_size)
            wick_fb_fail(fb, "segment %u has %llu bytes, but the file has no extended header to say where segments begin", i,
                         (unsigned long long)size);
        if (!wick_fb_ok(fb)) return;
        pieces[i] = wick_source_resident(file.data + at, size);
        p->segments[i] = (wick_pte_segment){.pieces = &pieces[i], .offsets = zero, .n_piece = 1, .size = size, .file_offset = at};
    }
    p->n_segment = v.n;
}

static void read_offsets(wick_pte_reader *r, wick_fb_table t, wick_pte_offsets *out) {
    wick_fb_vector v = wick_fb_vec(&r->fb, t, 1, 8, UINT32_MAX);
    out->segment = wick_fb_u32(&r->fb, t, 0, 0);
    out->offsets = wick_pte_reader_array(r, v.n, sizeof *out->offsets);
    if (!out->offsets) return;
    out->n = v.n;
    for (uint32_t i = 0; i < v.n; i++) out->offsets[i] = wick_load_u64(r->fb.data + v.at + 8 * (size_t)i);
}

static wick_bytes *read_blobs(wick_pte_reader *r, wick_fb_table root, int id, uint32_t *n) {
    wick_fb_vector v = wick_fb_vec(&r->fb, root, id, 4, WICK_MAX_SEGMENTS);
    wick_bytes *blobs = wick_pte_reader_array(r, v.n, sizeof *blobs);
    for (uint32_t i = 0; blobs && i < v.n; i++) {
        wick_fb_vector bytes = wick_fb_vec(&r->fb, wick_fb_vec_table(&r->fb, v, i), 0, 1, UINT32_MAX);
        blobs[i] = (wick_bytes){r->fb.data + bytes.at, bytes.n};
    }
    *n = v.n;
    return blobs;
}

static void read_data(wick_pte_reader *r, wick_fb_table root) {
    wick_fb *fb = &r->fb;
    wick_pte *p = r->pte;
    read_offsets(r, wick_fb_subtable(fb, root, 5), &p->constants);
    p->has_constant_segment = p->constants.n > 0;
    wick_fb_vector v = wick_fb_vec(fb, root, 6, 4, WICK_MAX_SEGMENTS);
    p->mutables = wick_pte_reader_array(r, v.n, sizeof *p->mutables);
    for (uint32_t i = 0; p->mutables && i < v.n && wick_fb_ok(fb); i++) read_offsets(r, wick_fb_vec_table(fb, v, i), &p->mutables[i]);
    p->n_mutable = v.n;
    p->constant_buffers = read_blobs(r, root, 2, &p->n_constant_buffer);
    p->inline_blobs = read_blobs(r, root, 3, &p->n_inline);
}

static void read_named(wick_pte_reader *r, wick_fb_table root) {
    wick_fb *fb = &r->fb;
    wick_pte *p = r->pte;
    wick_fb_vector v = wick_fb_vec(fb, root, 7, 4, WICK_MAX_SEGMENTS);
    p->named = wick_pte_reader_array(r, v.n, sizeof *p->named);
    for (uint32_t i = 0; p->named && i < v.n && wick_fb_ok(fb); i++) {
        wick_fb_table t = wick_fb_vec_table(fb, v, i);
        wick_pte_named *named = &p->named[i];
        named->key = wick_pte_reader_text(r, wick_fb_string(fb, t, 0), "the key of named data");
        named->segment = wick_fb_u32(fb, t, 1, 0);
        if (!wick_fb_ok(fb)) return;
        if (wick_table_get(&p->named_by_key, named->key, strlen(named->key), NULL))
            wick_fb_fail(fb, "named data \"%.100s\" occurs twice", named->key);
        else if (!wick_table_set(&p->named_by_key, named->key, strlen(named->key), i))
            fb->status = wick_fail_nomem(fb->err);
    }
    p->n_named = v.n;
}

/* ---------------------------------------------------------------- the program */

static void read_program(wick_pte_reader *r, wick_bytes file) {
    wick_fb *fb = &r->fb;
    wick_pte *p = r->pte;
    wick_fb_table root = wick_fb_root(fb, "ET12");
    p->version = wick_fb_u32(fb, root, 0, 0);
    if (p->version) wick_pte_unsupported(r, "is of schema version %u, Wick knows version 0", p->version);
    read_segments(r, root, file);
    read_data(r, root);
    read_named(r, root);
    wick_fb_vector v = wick_fb_vec(fb, root, 1, 4, WICK_MAX_METHODS);
    p->methods = wick_pte_reader_array(r, v.n, sizeof *p->methods);
    for (uint32_t i = 0; p->methods && i < v.n && wick_fb_ok(fb); i++) {
        wick_pte_read_method(r, wick_fb_vec_table(fb, v, i), &p->methods[i]);
        p->n_method = i + 1;
    }
}

wick_status wick_pte_read(wick_bytes file, const char *name, wick_pte *out, wick_error *err) {
    *out = (wick_pte){0};
    if (file.size < 8 || memcmp(file.data + 4, "ET12", 4) != 0)
        return wick_fail(err, WICK_EFORMAT, "%s: is not an ExecuTorch program (%zu bytes, no \"ET12\" at byte 4)", name, file.size);
    WICK_TRY(read_header(file, name, out, err));
    wick_pte_reader r = {.pte = out};
    /* A file written by any FlatBuffers builder visits each byte about twice; sharing of strings and tables gets some room. */
    r.fb = (wick_fb){file.data, (size_t)out->flatbuffer_size, 8 * out->flatbuffer_size + 4096, name, err, WICK_OK};
    read_program(&r, file);
    if (wick_fb_ok(&r.fb)) r.fb.status = wick_pte_verify(out, name, err);
    if (!wick_fb_ok(&r.fb)) wick_pte_release(out);
    return r.fb.status;
}
