/* The writer of XNNPACK payloads. */
#include "base/checked.h"
#include "base/mem.h"
#include "program/flatbuf.h"
#include "program/xnn.h"

enum { HEADER_SIZE = 32, CONSTANT_ALIGN = 16 };

typedef struct writer {
    wick_fbb b;
    const wick_pte *pte;
    const wick_xnn *x;
    wick_fbb_ref *refs;   /* room for the longest vector of tables */
    uint64_t region_size; /* inline constants */
} writer;

static bool is_inline(const wick_xnn_constant *c) { return !c->key && !c->key_named; }

/* ---------------------------------------------------------------- tables */

static wick_fbb_ref constants(writer *w) {
    wick_fbb *b = &w->b;
    uint64_t at = 0;
    for (uint32_t i = 0; i < w->x->n_constant; i++) {
        const wick_xnn_constant *c = &w->x->constants[i];
        const wick_pte_named *named = c->key_named ? &w->pte->named[c->key_named - 1] : NULL;
        const char *key = named ? named->key : c->key;
        bool in_region = i && is_inline(c);
        uint64_t size = named ? w->pte->segments[named->segment].size : in_region ? c->bytes.size : c->size;
        wick_fbb_ref key_ref = key ? wick_fbb_string(b, key, strlen(key)) : 0;
        wick_fbb_table_begin(b);
        wick_fbb_add_u64(b, 0, key ? UINT64_MAX : in_region ? at : 0, 0);
        wick_fbb_add_u64(b, 1, i ? size : 0, 0);
        wick_fbb_add_ref(b, 2, key_ref); /* its presence alone tells named from inline */
        w->refs[i] = wick_fbb_table_end(b);
        if (in_region) at = wick_align_up(at + size, CONSTANT_ALIGN);
    }
    w->region_size = at;
    return wick_fbb_vector_refs(b, w->refs, w->x->n_constant);
}

static wick_fbb_ref quant_params(writer *w, const wick_xnn_value *v) {
    wick_fbb *b = &w->b;
    bool group = v->quant == WICK_XQ_PER_CHANNEL_GROUP;
    uint32_t n_own = v->scale_constant ? 0 : v->n_scale; /* scales in the table itself */
    wick_fbb_ref scale = 0, bf16 = 0;
    if (v->quant == WICK_XQ_PER_CHANNEL || group) {
        scale = wick_fbb_vector(b, v->scales, 4, v->scales ? n_own : 0, 4); /* stock reads it without asking if it is there */
        if (v->scales_bf16) bf16 = wick_fbb_vector(b, v->scales_bf16, 2, n_own, 2);
    }
    wick_fbb_table_begin(b);
    switch (v->quant) {
    case WICK_XQ_PER_TENSOR:
        wick_fbb_add_f32(b, 0, v->scale, 0);
        wick_fbb_add_u32(b, 1, (uint32_t)v->zero_point, 0);
        break;
    case WICK_XQ_PER_TOKEN_DYNAMIC: wick_fbb_add_u32(b, 0, (uint32_t)v->num_nonbatch, 0); break;
    case WICK_XQ_PER_CHANNEL:
    case WICK_XQ_PER_CHANNEL_GROUP:
        wick_fbb_add_ref(b, 0, scale);
        wick_fbb_add_u32(b, 1, (uint32_t)v->channel_dim, 0);
        if (group) wick_fbb_add_u32(b, 2, (uint32_t)v->group_size, 0);
        if (group) wick_fbb_add_ref(b, 3, bf16);
        wick_fbb_add_u32(b, group ? 4 : 2, v->scale_constant, 0);
        wick_fbb_add_u32(b, group ? 5 : 3, v->scale_constant ? v->n_scale : 0, 0);
        break;
    case WICK_XQ_NONE: break;
    }
    return wick_fbb_table_end(b);
}

static wick_fbb_ref value(writer *w, uint32_t i) {
    wick_fbb *b = &w->b;
    const wick_xnn_value *v = &w->x->values[i];
    wick_fbb_ref quant = v->quantized ? quant_params(w, v) : 0, dims = wick_fbb_vector(b, v->dims, 4, (size_t)v->rank, 4);
    wick_fbb_table_begin(b);
    wick_fbb_add_u16(b, 0, (uint16_t)v->dtype, 0);
    wick_fbb_add_u32(b, 1, (uint32_t)v->rank, 0);
    wick_fbb_add_ref(b, 2, dims);
    wick_fbb_add_u32(b, 3, v->constant, 0);
    wick_fbb_add_u32(b, 4, v->external_id, 0);
    wick_fbb_add_u32(b, 5, v->flags, 0);
    wick_fbb_add_u32(b, 6, i, 0);
    wick_fbb_ref tensor = wick_fbb_table_end(b);
    if (quant) {
        wick_fbb_table_begin(b);
        wick_fbb_add_ref(b, 0, tensor);
        wick_fbb_add_u8(b, 1, (uint8_t)v->quant, 0);
        wick_fbb_add_ref(b, 2, quant);
        tensor = wick_fbb_table_end(b);
    }
    wick_fbb_table_begin(b);
    wick_fbb_add_u8(b, 0, quant ? 2 : 1, 0);
    wick_fbb_add_ref(b, 1, tensor);
    return wick_fbb_table_end(b);
}

static wick_fbb_ref node(writer *w, const wick_xnn_node *n) {
    wick_fbb *b = &w->b;
    const wick_xnn_format *f = wick_xnn_format_get(n->op);
    wick_fbb_ref list = f->list >= 0 ? wick_fbb_vector(b, n->list, 4, (size_t)n->n_list, 4) : 0;
    wick_fbb_ref list2 = f->list2 >= 0 ? wick_fbb_vector(b, n->list2, 4, (size_t)n->n_list, 4) : 0;
    wick_fbb_ref minmax = 0;
    if (n->has_min_max) {
        wick_fbb_table_begin(b);
        wick_fbb_add_f32(b, 0, n->out_min, 0);
        wick_fbb_add_f32(b, 1, n->out_max, 0);
        minmax = wick_fbb_table_end(b);
    }
    wick_fbb_table_begin(b);
    for (int i = 0; i < f->n_number; i++) wick_fbb_add_u32(b, i, n->conv[i], 0);
    if (f->has_num_dims) wick_fbb_add_u32(b, 0, (uint32_t)n->n_list, 0);
    if (f->axis >= 0) wick_fbb_add_u32(b, f->axis, (uint32_t)n->axis, 0);
    if (f->alpha >= 0) wick_fbb_add_f32(b, f->alpha, n->alpha, 0);
    if (f->list >= 0) wick_fbb_add_ref(b, f->list, list);
    if (f->list2 >= 0) wick_fbb_add_ref(b, f->list2, list2);
    for (int i = 0; i < n->n_in; i++) wick_fbb_add_u32(b, f->in[i], n->in[i], 0);
    /* All Concatenate nodes share a table of five inputs. */
    static const int8_t cat_in[WICK_XNN_MAX_IN] = {1, 2, 3, 4, 7};
    for (int i = n->n_in; f->axis >= 0 && i < WICK_XNN_MAX_IN; i++) wick_fbb_add_u32(b, cat_in[i], WICK_XNN_NONE, 0);
    wick_fbb_add_u32(b, f->out, n->out, 0);
    if (n->op == WICK_XNN_ARGMAX_POOL2D) wick_fbb_add_u32(b, 8, n->out2, 0);
    wick_fbb_add_u32(b, f->flags, n->flags, 0);
    wick_fbb_ref body = wick_fbb_table_end(b);
    wick_fbb_table_begin(b);
    wick_fbb_add_u8(b, 0, (uint8_t)n->op, 0);
    wick_fbb_add_ref(b, 1, body);
    wick_fbb_add_u32(b, 2, n->debug_handle, 0);
    wick_fbb_add_ref(b, 3, minmax);
    return wick_fbb_table_end(b);
}

/* The numbers from..to-1. */
static wick_fbb_ref range(writer *w, uint32_t from, uint32_t to) {
    for (uint32_t i = from; i < to; i++) w->refs[i - from] = i;
    return wick_fbb_vector(&w->b, w->refs, 4, to - from, 4);
}

static bool graph(writer *w) {
    const wick_xnn *x = w->x;
    wick_fbb *b = &w->b;
    wick_fbb_ref constant_data = constants(w);
    for (uint32_t i = 0; i < x->n_value; i++) w->refs[i] = value(w, i);
    wick_fbb_ref values = wick_fbb_vector_refs(b, w->refs, x->n_value);
    for (uint32_t i = 0; i < x->n_node; i++) w->refs[i] = node(w, &x->nodes[i]);
    wick_fbb_ref nodes = wick_fbb_vector_refs(b, w->refs, x->n_node);
    wick_fbb_ref inputs = range(w, 0, x->n_input), outputs = range(w, x->n_input, x->n_extern);
    wick_fbb_ref version = wick_fbb_string(b, x->version, strlen(x->version));
    wick_fbb_table_begin(b);
    wick_fbb_add_ref(b, 0, version);
    wick_fbb_add_ref(b, 1, nodes);
    wick_fbb_add_ref(b, 2, values);
    wick_fbb_add_u32(b, 3, x->n_extern, 0);
    wick_fbb_add_ref(b, 4, inputs);
    wick_fbb_add_ref(b, 5, outputs);
    wick_fbb_add_ref(b, 8, constant_data);
    wick_fbb_ref root = wick_fbb_table_end(b);
    return wick_fbb_finish(b, root, x->old_schema ? "XN00" : "XN01", 0);
}

/* ---------------------------------------------------------------- the blob */

static wick_status assemble(const writer *w, wick_bytes *out, wick_error *err) {
    const wick_xnn *x = w->x;
    uint64_t constants_at = wick_align_up(HEADER_SIZE + w->b.size, CONSTANT_ALIGN), size = constants_at + w->region_size;
    if (constants_at > UINT32_MAX || size > SIZE_MAX / 2)
        return wick_fail(err, WICK_ELIMIT, "a delegate of %llu bytes", (unsigned long long)size);
    uint8_t *blob = wick_calloc((size_t)size, 1);
    if (!blob) return wick_fail_nomem(err);
    memcpy(blob + 4, "XH00", 4);
    wick_store_u16(blob + 8, 30);
    wick_store_u32(blob + 10, HEADER_SIZE);
    wick_store_u32(blob + 14, (uint32_t)w->b.size);
    wick_store_u32(blob + 18, (uint32_t)constants_at);
    wick_store_u64(blob + 22, w->region_size);
    memcpy(blob + HEADER_SIZE, wick_fbb_bytes(&w->b), w->b.size);
    uint64_t at = constants_at;
    for (uint32_t i = 1; i < x->n_constant; i++) {
        const wick_xnn_constant *c = &x->constants[i];
        if (!is_inline(c)) continue;
        if (c->bytes.size) memcpy(blob + at, c->bytes.data, c->bytes.size);
        at = wick_align_up(at + c->bytes.size, CONSTANT_ALIGN);
    }
    *out = (wick_bytes){blob, (size_t)size};
    return WICK_OK;
}

wick_status wick_xnn_write(const wick_pte *pte, const wick_xnn *x, wick_bytes *out, wick_error *err) {
    writer w = {.pte = pte, .x = x};
    size_t room = x->n_value;
    if (room < x->n_node) room = x->n_node;
    if (room < x->n_constant) room = x->n_constant;
    if (room < x->n_extern) room = x->n_extern;
    w.refs = WICK_NEW_ARRAY(wick_fbb_ref, room);
    wick_status status = w.refs && graph(&w) ? assemble(&w, out, err) : wick_fail_nomem(err);
    wick_fbb_release(&w.b);
    wick_free(w.refs);
    return status;
}
