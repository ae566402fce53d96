/* The parser of XNNPACK payloads; what the parsed graph must satisfy is in xnn_check.c. */
#include "base/checked.h"
#include "base/mem.h"
#include "base/table.h"
#include "program/flatbuf.h"
#include "program/ptd.h"
#include "program/xnn.h"

typedef struct reader {
    wick_fb fb;
    wick_pte *pte;
    const wick_ptd_set *ptd;
    bool allow_missing;
    wick_bytes region; /* inline constants */
    wick_xnn *x;
} reader;

static void *array(reader *r, size_t count, size_t size) {
    if (!wick_fb_ok(&r->fb)) return NULL;
    void *p = wick_pte_alloc(r->pte, count, size);
    if (!p) r->fb.status = wick_fail_nomem(r->fb.err);
    return p;
}

/* ---------------------------------------------------------------- the blob */

/* Splits a blob into FlatBuffer and constant region. */
static wick_status split(wick_bytes blob, const char *name, wick_bytes *flatbuffer, wick_bytes *region, wick_error *err) {
    *flatbuffer = blob;
    *region = (wick_bytes){0};
    if (blob.size < 8 || memcmp(blob.data + 4, "XH00", 4) != 0) return WICK_OK;
    if (blob.size < 30 || wick_load_u16(blob.data + 8) < 30)
        return wick_fail(err, WICK_EFORMAT, "%s: the XNNPACK header needs 30 bytes", name);
    uint64_t at = wick_load_u32(blob.data + 10), size = wick_load_u32(blob.data + 14);
    uint64_t constants = wick_load_u32(blob.data + 18), constants_size = wick_load_u64(blob.data + 22);
    if (!wick_in_range(at, size, blob.size) || !wick_in_range(constants, constants_size, blob.size) ||
        (constants_size && constants < at + size))
        return wick_fail(err, WICK_EFORMAT,
                         "%s: the XNNPACK header claims %llu bytes at %llu and %llu bytes of constants at %llu, the payload has %zu bytes",
                         name, (unsigned long long)size, (unsigned long long)at, (unsigned long long)constants_size,
                         (unsigned long long)constants, blob.size);
    *flatbuffer = (wick_bytes){blob.data + at, (size_t)size};
    *region = (wick_bytes){blob.data + constants, (size_t)constants_size};
    return WICK_OK;
}

/* ---------------------------------------------------------------- constants */

static void read_named_constant(reader *r, wick_fb_table t, uint32_t i, wick_xnn_constant *c) {
    wick_bytes key = wick_fb_string(&r->fb, t, 2);
    if (!wick_fb_ok(&r->fb)) return;
    if (!key.size || key.size > WICK_MAX_KEY || memchr(key.data, 0, key.size)) {
        wick_fb_fail(&r->fb, "constant %u has a malformed key of %zu bytes", i, key.size);
        return;
    }
    c->key = wick_pte_strdup(r->pte, (const char *)key.data, key.size);
    if (!c->key) {
        r->fb.status = wick_fail_nomem(r->fb.err);
        return;
    }
    const wick_ptd_entry *e;
    wick_bytes found = {0};
    if (!wick_pte_named_find(r->pte, c->key, &found)) {
        if (r->ptd && (e = wick_ptd_find(r->ptd, c->key))) {
            found = e->data;
        } else if (!r->allow_missing) {
            r->fb.status = wick_fail(r->fb.err, WICK_ENOTFOUND,
                                     "%s: constant %u wants the data \"%.80s\", which neither the program nor a data file given has",
                                     r->fb.name, i, c->key);
            return;
        } else
            return;
    }
    if (c->size > found.size)
        wick_fb_fail(&r->fb, "constant %u claims %llu bytes, its data \"%.80s\" has %zu", i, (unsigned long long)c->size, c->key,
                     found.size);
    else
        c->bytes = (wick_bytes){found.data, c->size ? (size_t)c->size : found.size};
}

static void read_constants(reader *r, wick_fb_table root) {
    wick_fb_vector v = wick_fb_vec(&r->fb, root, 8, 4, WICK_MAX_XNN_VALUES), old = wick_fb_vec(&r->fb, root, 6, 4, WICK_MAX_XNN_VALUES);
    bool in_buffers = !v.n; /* files before the constant region: a vector of byte vectors inside the FlatBuffer */
    if (in_buffers) v = old;
    r->x->constants = array(r, v.n, sizeof *r->x->constants);
    if (!r->x->constants) return;
    r->x->n_constant = v.n;
    for (uint32_t i = 1; i < v.n && wick_fb_ok(&r->fb); i++) {
        wick_fb_table t = wick_fb_vec_table(&r->fb, v, i);
        wick_xnn_constant *c = &r->x->constants[i];
        if (in_buffers) {
            wick_fb_vector bytes = wick_fb_vec(&r->fb, t, 0, 1, UINT32_MAX);
            c->size = bytes.n;
            c->bytes = (wick_bytes){r->fb.data + bytes.at, bytes.n};
            continue;
        }
        c->offset = wick_fb_u64(&r->fb, t, 0, 0);
        c->size = wick_fb_u64(&r->fb, t, 1, 0);
        if (wick_fb_has(&r->fb, t, 2))
            read_named_constant(r, t, i, c);
        else if (!wick_in_range(c->offset, c->size, r->region.size))
            wick_fb_fail(&r->fb, "constant %u claims %llu bytes at %llu, the payload has %zu bytes of constants", i,
                         (unsigned long long)c->size, (unsigned long long)c->offset, r->region.size);
        else
            c->bytes = (wick_bytes){r->region.data + c->offset, (size_t)c->size};
    }
}

/* ---------------------------------------------------------------- values */

static void read_quant(reader *r, wick_fb_table t, unsigned tag, wick_xnn_value *v) {
    wick_fb *fb = &r->fb;
    v->quantized = true;
    v->quant = (wick_xnn_quant)tag;
    if (wick_fb_ok(fb) && (tag < WICK_XQ_PER_CHANNEL || tag > WICK_XQ_PER_CHANNEL_GROUP || !t.at))
        wick_fb_fail(fb, "quantization parameters of unknown kind %u", tag);
    if (tag == WICK_XQ_PER_TENSOR) {
        v->scale = wick_fb_f32(fb, t, 0, 0);
        v->zero_point = wick_fb_i32(fb, t, 1, 0);
    } else if (tag == WICK_XQ_PER_TOKEN_DYNAMIC) {
        v->num_nonbatch = wick_fb_i32(fb, t, 0, 0);
    } else {
        bool group = tag == WICK_XQ_PER_CHANNEL_GROUP;
        wick_fb_vector f32 = wick_fb_vec(fb, t, 0, 4, UINT32_MAX),
                       bf16 = group ? wick_fb_vec(fb, t, 3, 2, UINT32_MAX) : (wick_fb_vector){0};
        v->channel_dim = wick_fb_i32(fb, t, 1, 0);
        v->group_size = group ? wick_fb_i32(fb, t, 2, 0) : 0;
        v->scale_constant = wick_fb_u32(fb, t, group ? 4 : 2, 0);
        v->n_scale = v->scale_constant ? wick_fb_u32(fb, t, group ? 5 : 3, 0) : bf16.n ? bf16.n : f32.n;
        if (v->scale_constant) return;
        /* Stored in the table itself: copied, for alignment. */
        size_t item = bf16.n ? 2 : 4;
        void *scales = array(r, v->n_scale, item);
        if (!scales) return;
        memcpy(scales, fb->data + (bf16.n ? bf16.at : f32.at), v->n_scale * item);
        if (bf16.n)
            v->scales_bf16 = scales;
        else
            v->scales = scales;
    }
}

static void read_value(reader *r, wick_fb_table xv, wick_xnn_value *v, uint32_t *id) {
    wick_fb *fb = &r->fb;
    unsigned tag = wick_fb_u8(fb, xv, 0, 0);
    wick_fb_table t = wick_fb_subtable(fb, xv, 1);
    if (wick_fb_ok(fb) && (tag < 1 || tag > 2 || !t.at)) wick_fb_fail(fb, "a value of unknown kind %u", tag);
    if (tag == 2) {
        read_quant(r, wick_fb_subtable(fb, t, 2), wick_fb_u8(fb, t, 1, 0), v);
        t = wick_fb_subtable(fb, t, 0);
    }
    v->dtype = wick_fb_i16(fb, t, 0, 0);
    uint32_t num_dims = wick_fb_u32(fb, t, 1, 0);
    wick_fb_vector dims = wick_fb_vec(fb, t, 2, 4, UINT32_MAX);
    if (num_dims != dims.n || dims.n > WICK_MAX_RANK)
        wick_fb_fail(fb, "a value claims %u dimensions and lists %u, at most %d are handled", num_dims, dims.n, WICK_MAX_RANK);
    if (!wick_fb_ok(fb)) return;
    v->rank = (int)dims.n;
    for (uint32_t i = 0; i < dims.n; i++) v->dims[i] = wick_load_u32(fb->data + dims.at + 4 * i);
    v->constant = wick_fb_u32(fb, t, 3, 0);
    v->external_id = wick_fb_u32(fb, t, 4, 0);
    v->flags = wick_fb_u32(fb, t, 5, 0);
    *id = wick_fb_u32(fb, t, 6, 0);
    if (wick_fb_i16(fb, t, 7, 0) != 0 && wick_fb_ok(fb))
        fb->status = wick_fail(fb->err, WICK_EUNSUPPORTED,
                               "%s: a value is quantized dynamically in the form of 2023, which Wick does not read", fb->name);
}

/* ---------------------------------------------------------------- nodes */

static int read_list(reader *r, wick_fb_table t, int field, uint32_t list[WICK_MAX_RANK]) {
    wick_fb_vector v = wick_fb_vec(&r->fb, t, field, 4, WICK_MAX_RANK);
    for (uint32_t i = 0; i < v.n; i++) list[i] = wick_load_u32(r->fb.data + v.at + 4 * i);
    return (int)v.n;
}

static void read_node(reader *r, wick_fb_table xn, uint32_t i_node, wick_xnn_node *n) {
    wick_fb *fb = &r->fb;
    n->op = wick_fb_u8(fb, xn, 0, 0);
    n->debug_handle = wick_fb_u32(fb, xn, 2, 0);
    wick_fb_table t = wick_fb_subtable(fb, xn, 1), minmax = wick_fb_subtable(fb, xn, 3);
    const wick_xnn_format *f = wick_xnn_format_get(n->op);
    if (!wick_fb_ok(fb)) return;
    if (!f || !t.at) {
        fb->status = wick_fail(fb->err, WICK_EUNSUPPORTED, "%s: node %u is of unknown kind %d", fb->name, i_node, n->op);
        return;
    }
    n->has_min_max = minmax.at != 0;
    n->out_min = wick_fb_f32(fb, minmax, 0, 0);
    n->out_max = wick_fb_f32(fb, minmax, 1, 0);
    n->n_in = f->n_in;
    for (int i = 0; i < WICK_XNN_MAX_IN; i++) n->in[i] = i < f->n_in ? wick_fb_u32(fb, t, f->in[i], 0) : WICK_XNN_NONE;
    n->out = wick_fb_u32(fb, t, f->out, 0);
    n->out2 = n->op == WICK_XNN_ARGMAX_POOL2D ? wick_fb_u32(fb, t, 8, 0) : WICK_XNN_NONE;
    n->flags = wick_fb_u32(fb, t, f->flags, 0);
    for (int i = 0; i < f->n_number; i++) n->conv[i] = wick_fb_u32(fb, t, i, 0);
    if (f->axis >= 0) n->axis = wick_fb_i32(fb, t, f->axis, 0);
    if (f->alpha >= 0) n->alpha = wick_fb_f32(fb, t, f->alpha, 0);
    if (f->list >= 0) n->n_list = read_list(r, t, f->list, n->list);
    int n_list2 = f->list2 >= 0 ? read_list(r, t, f->list2, n->list2) : n->n_list;
    uint32_t num_dims = f->has_num_dims ? wick_fb_u32(fb, t, 0, 0) : (uint32_t)n->n_list;
    if (n_list2 != n->n_list || num_dims != (uint32_t)n->n_list)
        wick_fb_fail(fb, "node %u (%s) claims %u dimensions and lists %d and %d", i_node, f->name, num_dims, n->n_list, n_list2);
}

/* ---------------------------------------------------------------- ids */

static bool look_up(const wick_table *t, uint32_t n_value, uint32_t *id) {
    uint64_t index = *id;
    if (*id == WICK_XNN_NONE) return true;
    if (t->n ? !wick_table_get(t, id, sizeof *id, &index) : index >= n_value) return false;
    *id = (uint32_t)index;
    return true;
}

/* Ids of the file become indices. Nearly always they are: only others take a table. */
static void number(reader *r, const uint32_t *ids) {
    wick_xnn *x = r->x;
    wick_table t = {0};
    bool same = true;
    for (uint32_t i = 0; i < x->n_value; i++) same &= ids[i] == i;
    for (uint32_t i = 0; !same && i < x->n_value && wick_fb_ok(&r->fb); i++) {
        if (wick_table_get(&t, &ids[i], sizeof *ids, NULL))
            wick_fb_fail(&r->fb, "two values have the id %u", ids[i]);
        else if (!wick_table_set(&t, &ids[i], sizeof *ids, i))
            r->fb.status = wick_fail_nomem(r->fb.err);
    }
    for (uint32_t i = 0; i < x->n_node && wick_fb_ok(&r->fb); i++) {
        wick_xnn_node *n = &x->nodes[i];
        bool ok = look_up(&t, x->n_value, &n->out) && look_up(&t, x->n_value, &n->out2);
        for (int k = 0; k < n->n_in; k++) ok = ok && look_up(&t, x->n_value, &n->in[k]);
        if (!ok) wick_fb_fail(&r->fb, "node %u (%s) names a value that does not exist", i, wick_xnn_op_name(n->op));
    }
    wick_table_release(&t);
}

/* ---------------------------------------------------------------- the graph */

static void read_graph(reader *r, wick_fb_table root) {
    wick_fb *fb = &r->fb;
    wick_xnn *x = r->x;
    wick_bytes version = wick_fb_string(fb, root, 0);
    x->version = wick_pte_strdup(r->pte, (const char *)version.data, version.size);
    if (!x->version) fb->status = wick_fail_nomem(fb->err);
    wick_fb_vector nodes = wick_fb_vec(fb, root, 1, 4, WICK_MAX_XNN_VALUES), values = wick_fb_vec(fb, root, 2, 4, WICK_MAX_XNN_VALUES);
    x->n_extern = wick_fb_u32(fb, root, 3, 0);
    if (x->n_extern > WICK_MAX_XNN_EXTERNS)
        wick_fb_fail(fb, "the payload claims %u arguments, at most %d are accepted", x->n_extern, WICK_MAX_XNN_EXTERNS);
    read_constants(r, root);
    x->values = array(r, values.n, sizeof *x->values);
    x->nodes = array(r, nodes.n, sizeof *x->nodes);
    uint32_t *ids = array(r, values.n, sizeof *ids);
    if (!ids) return;
    for (x->n_value = 0; x->n_value < values.n && wick_fb_ok(fb); x->n_value++)
        read_value(r, wick_fb_vec_table(fb, values, x->n_value), &x->values[x->n_value], &ids[x->n_value]);
    for (x->n_node = 0; x->n_node < nodes.n && wick_fb_ok(fb); x->n_node++)
        read_node(r, wick_fb_vec_table(fb, nodes, x->n_node), x->n_node, &x->nodes[x->n_node]);
    x->n_input = x->n_extern;
    for (uint32_t i = 0; i < x->n_value; i++)
        if ((x->values[i].flags & 2) && x->values[i].external_id < x->n_input) x->n_input = x->values[i].external_id;
    number(r, ids);
}

wick_status wick_xnn_read(wick_pte *pte, const wick_ptd_set *ptd, wick_bytes blob, const char *name, bool allow_missing, wick_xnn *out,
                          wick_error *err) {
    *out = (wick_xnn){0};
    wick_bytes flatbuffer;
    reader r = {.pte = pte, .ptd = ptd, .allow_missing = allow_missing, .x = out};
    WICK_TRY(split(blob, name, &flatbuffer, &r.region, err));
    r.fb = (wick_fb){flatbuffer.data, flatbuffer.size, 8 * (uint64_t)flatbuffer.size + 4096, name, err, WICK_OK};
    out->old_schema = flatbuffer.size >= 8 && memcmp(flatbuffer.data + 4, "XN00", 4) == 0;
    read_graph(&r, wick_fb_root(&r.fb, out->old_schema ? "XN00" : "XN01"));
    WICK_TRY(r.fb.status);
    return wick_xnn_check(out, name, err);
}
