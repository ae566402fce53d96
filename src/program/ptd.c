#include "program/ptd.h"

#include "base/checked.h"
#include "base/mem.h"
#include "program/flatbuf.h"

typedef struct reader {
    wick_fb fb;
    wick_ptd_set *set;
    wick_bytes file;
    uint64_t segment_base;
} reader;

/* ---------------------------------------------------------------- entries */

static char *key_of(reader *r, wick_fb_table t) {
    wick_bytes key = wick_fb_string(&r->fb, t, 0);
    if (!wick_fb_ok(&r->fb)) return NULL;
    if (!key.size || key.size > WICK_MAX_KEY || memchr(key.data, 0, key.size)) {
        wick_fb_fail(&r->fb, "an entry has a malformed key of %zu bytes", key.size);
        return NULL;
    }
    if (wick_table_get(&r->set->by_key, key.data, key.size, NULL)) {
        wick_fb_fail(&r->fb, "\"%.*s\" occurs twice in the data files", (int)(key.size < 200 ? key.size : 200), (const char *)key.data);
        return NULL;
    }
    char *copy = NULL;
    if (WICK_GROW(r->set->names, r->set->n_name, r->set->name_cap)) copy = wick_strndup((const char *)key.data, key.size);
    if (!copy) {
        r->fb.status = wick_fail_nomem(r->fb.err);
        return NULL;
    }
    r->set->names[r->set->n_name++] = copy;
    return copy;
}

static void read_layout(reader *r, wick_fb_table t, wick_ptd_entry *e) {
    wick_fb *fb = &r->fb;
    wick_fb_vector sizes = wick_fb_vec(fb, t, 1, 4, UINT32_MAX), order = wick_fb_vec(fb, t, 2, 1, UINT32_MAX);
    e->has_layout = true;
    e->scalar_type = wick_fb_i8(fb, t, 0, 0);
    if (!wick_fb_ok(fb)) return;
    if (sizes.n > WICK_MAX_RANK || order.n != sizes.n || !wick_scalar_size(e->scalar_type)) {
        wick_fb_fail(fb, "\"%.100s\" has type %d, %u dimensions and an order of %u", e->key, e->scalar_type, sizes.n, order.n);
        return;
    }
    uint64_t n = wick_scalar_size(e->scalar_type);
    unsigned seen = 0;
    e->rank = (int)sizes.n;
    for (uint32_t i = 0; i < sizes.n; i++) {
        e->dims[i] = (int32_t)wick_load_u32(fb->data + sizes.at + 4 * i);
        e->dim_order[i] = fb->data[order.at + i];
        if (e->dims[i] < 0 || !wick_mul_u64(n, (uint64_t)e->dims[i], &n)) {
            wick_fb_fail(fb, "the size of \"%.100s\" overflows", e->key);
            return;
        }
        if (e->dim_order[i] < sizes.n) seen |= 1u << e->dim_order[i];
    }
    if (seen != (1u << sizes.n) - 1) wick_fb_fail(fb, "the dim_order of \"%.100s\" is not a permutation", e->key);
    if (n > e->data.size) wick_fb_fail(fb, "\"%.100s\" takes %llu bytes, its segment has %zu", e->key, (unsigned long long)n, e->data.size);
}

static void read_entry(reader *r, wick_fb_table t, wick_fb_vector segments) {
    wick_fb *fb = &r->fb;
    wick_ptd_entry e = {.key = key_of(r, t)};
    uint32_t i = wick_fb_u32(fb, t, 1, 0);
    if (!wick_fb_ok(fb)) return;
    if (i >= segments.n) {
        wick_fb_fail(fb, "\"%.100s\" is segment %u, the file has %u", e.key, i, segments.n);
        return;
    }
    wick_fb_table s = wick_fb_vec_table(fb, segments, i);
    uint64_t offset = wick_fb_u64(fb, s, 0, 0), size = wick_fb_u64(fb, s, 1, 0), at;
    if (!wick_add_u64(r->segment_base, offset, &at) || !wick_in_range(at, size, r->file.size)) {
        wick_fb_fail(fb, "segment %u claims %llu bytes at %llu + %llu, the file has %zu (download incomplete?)", i,
                     (unsigned long long)size, (unsigned long long)r->segment_base, (unsigned long long)offset, r->file.size);
        return;
    }
    e.data = (wick_bytes){r->file.data + at, (size_t)size};
    wick_fb_table layout = wick_fb_subtable(fb, t, 2);
    if (layout.at) read_layout(r, layout, &e);
    if (!wick_fb_ok(fb)) return;
    wick_ptd_set *set = r->set;
    if (!WICK_GROW(set->entries, set->n_entry, set->entry_cap) || !wick_table_set(&set->by_key, e.key, strlen(e.key), set->n_entry)) {
        fb->status = wick_fail_nomem(fb->err);
        return;
    }
    set->entries[set->n_entry++] = e;
}

/* ---------------------------------------------------------------- files */

wick_status wick_ptd_add_memory(wick_ptd_set *set, wick_bytes file, const char *name, wick_error *err) {
    if (file.size < 48 || memcmp(file.data + 4, "FT01", 4) != 0 || memcmp(file.data + 8, "FH01", 4) != 0 ||
        wick_load_u32(file.data + 12) < 40)
        return wick_fail(err, WICK_EFORMAT, "%s: is not an ExecuTorch data file (%zu bytes, no \"FT01\" with its header)", name, file.size);
    uint64_t at = wick_load_u64(file.data + 16), size = wick_load_u64(file.data + 24), base = wick_load_u64(file.data + 32);
    uint64_t segments_size = wick_load_u64(file.data + 40), end;
    /* The FlatBuffer's own offsets count from the start of the file, header included, as in a `.pte`. */
    if (!wick_add_u64(at, size, &end) || end > file.size || end > WICK_MAX_FLATBUFFER || end < 48 ||
        !wick_in_range(base, segments_size, file.size))
        return wick_fail(
            err, WICK_EFORMAT, "%s: the header claims %llu bytes at %llu and %llu bytes at %llu, the file has %zu (download incomplete?)",
            name, (unsigned long long)size, (unsigned long long)at, (unsigned long long)segments_size, (unsigned long long)base, file.size);
    reader r = {{file.data, (size_t)end, 8 * end + 4096, name, err, WICK_OK}, set, file, base};
    wick_fb_table root = wick_fb_root(&r.fb, "FT01");
    uint32_t version = wick_fb_u32(&r.fb, root, 0, 0);
    if (wick_fb_ok(&r.fb) && version)
        return wick_fail(err, WICK_EUNSUPPORTED, "%s: is of schema version %u, Wick knows version 0", name, version);
    wick_fb_vector segments = wick_fb_vec(&r.fb, root, 1, 4, WICK_MAX_SEGMENTS), named = wick_fb_vec(&r.fb, root, 2, 4, WICK_MAX_SEGMENTS);
    for (uint32_t i = 0; i < named.n && wick_fb_ok(&r.fb); i++) read_entry(&r, wick_fb_vec_table(&r.fb, named, i), segments);
    return r.fb.status;
}

wick_status wick_ptd_add(wick_ptd_set *set, const char *path, bool no_mmap, wick_error *err) {
    wick_mapping *files = wick_realloc(set->files, set->n_file + 1, sizeof *files);
    if (!files) return wick_fail_nomem(err);
    set->files = files;
    WICK_TRY(wick_os_map(path, no_mmap, &files[set->n_file], err));
    wick_mapping *m = &files[set->n_file++];
    return wick_ptd_add_memory(set, (wick_bytes){m->data, m->size}, path, err);
}

void wick_ptd_release(wick_ptd_set *set) {
    for (size_t i = 0; i < set->n_file; i++) wick_os_unmap(&set->files[i]);
    for (size_t i = 0; i < set->n_name; i++) wick_free(set->names[i]);
    wick_free(set->files);
    wick_free(set->names);
    wick_free(set->entries);
    wick_table_release(&set->by_key);
    *set = (wick_ptd_set){0};
}

const wick_ptd_entry *wick_ptd_find(const wick_ptd_set *set, const char *key) {
    uint64_t i;
    return wick_table_get(&set->by_key, key, strlen(key), &i) ? &set->entries[i] : NULL;
}
