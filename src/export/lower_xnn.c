/* The XNNPACK backend: cuts the graph at its kernel calls and makes each piece a delegate. */
#include "export/lower_xnn.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static bool failed(const wick_delegate *d) { return d->lw->status != WICK_OK; }

static uint32_t no_memory(wick_delegate *d) {
    if (!failed(d)) d->lw->status = wick_fail_nomem(d->lw->err);
    return 0;
}

/* ---------------------------------------------------------------- values */

static uint32_t add_value(wick_delegate *d, wick_xnn_value v) {
    size_t n = d->x.n_value;
    if (failed(d)) return 0;
    if (n >= WICK_MAX_XNN_VALUES) wick_lower_fail(d->lw, WICK_ELIMIT, "a delegate would need more than %d values", WICK_MAX_XNN_VALUES);
    if (!WICK_GROW(d->x.values, n, d->value_cap) || !WICK_GROW(d->converted, n, d->converted_cap)) return no_memory(d);
    d->converted[n] = WICK_XNN_NONE;
    d->x.values[n] = v;
    return d->x.n_value++;
}

static wick_xnn_value activation(int rank, const uint32_t *dims) {
    wick_xnn_value v = {.dtype = WICK_XD_FP32, .rank = rank, .external_id = WICK_XNN_NONE};
    memcpy(v.dims, dims, (size_t)rank * sizeof *dims);
    return v;
}

static uint32_t rows_of(const wick_delegate *d, wick_value_id v) {
    return wick_lower_is_row(wick_lower_value(d->lw, v)) ? 1 : (uint32_t)d->lw->g->max_seq_len;
}

static uint32_t add_input(wick_delegate *d, wick_xnn_value v, int32_t from) {
    if (failed(d)) return 0;
    if (!WICK_GROW(d->inputs, d->n_input, d->input_cap)) return no_memory(d);
    v.external_id = (uint32_t)d->n_input;
    v.flags = 1;
    d->inputs[d->n_input++] = from;
    return add_value(d, v);
}

/* A value that was made before this delegate, in the form that the program keeps it in. */
static void take_input(wick_delegate *d, wick_value_id v) {
    uint32_t r = rows_of(d, v), w = (uint32_t)wick_lower_width(d->lw, v), width = (uint32_t)d->lw->head_width[v];
    if (width)
        d->heads[v] = add_input(d, activation(4, (uint32_t[]){1, r, w / width, width}), wick_lower_heads(d->lw, v, width));
    else
        d->flat[v] = add_input(d, activation(3, (uint32_t[]){1, r, w}), wick_lower_flat(d->lw, v));
}

/* The node of this delegate that makes v, or NULL. */
static const wick_node *maker(const wick_delegate *d, wick_value_id v) {
    wick_node_id id = wick_lower_value(d->lw, v)->producer;
    if (id < 0 || d->stages[id] != d->stage || wick_lower_ops[d->lw->g->nodes[id].op]) return NULL;
    return &d->lw->g->nodes[id];
}

/* v exists in one form at least, or is a split of something that does. */
static const wick_node *find(wick_delegate *d, wick_value_id v) {
    if (failed(d) || d->flat[v] != WICK_XNN_NONE || d->heads[v] != WICK_XNN_NONE) return NULL;
    const wick_node *n = maker(d, v);
    if (n && n->op == WICK_OP_split) return n;
    if (n || wick_lower_value(d->lw, v)->kind == WICK_VALUE_CONST)
        wick_lower_fail(d->lw, WICK_EINTERNAL, "lowering needs value %%%d before it is made", v);
    else
        take_input(d, v);
    return NULL;
}

uint32_t wick_delegate_flat(wick_delegate *d, wick_value_id v) {
    const wick_node *split = find(d, v);
    if (failed(d) || d->flat[v] != WICK_XNN_NONE) return failed(d) ? 0 : d->flat[v];
    uint32_t dims[] = {1, rows_of(d, v), (uint32_t)wick_lower_width(d->lw, v)};
    uint32_t made = split
                        ? wick_delegate_slice(d, wick_delegate_flat(d, split->in[0]), 2, split->attrs.split.start, split->attrs.split.count)
                        : wick_delegate_reshape(d, d->heads[v], 3, dims);
    return d->flat[v] = made;
}

uint32_t wick_delegate_heads(wick_delegate *d, wick_value_id v, int64_t d_head) {
    const wick_node *split = find(d, v);
    if (failed(d) || d->heads[v] != WICK_XNN_NONE) return failed(d) ? 0 : d->heads[v];
    int64_t width = wick_lower_width(d->lw, v);
    uint32_t dims[] = {1, rows_of(d, v), (uint32_t)(width / d_head), (uint32_t)d_head}, made;
    if (split && split->attrs.split.start % d_head == 0 && wick_lower_width(d->lw, split->in[0]) % d_head == 0)
        made = wick_delegate_slice(d, wick_delegate_heads(d, split->in[0], d_head), 2, split->attrs.split.start / d_head, width / d_head);
    else
        made = wick_delegate_reshape(d, wick_delegate_flat(d, v), 4, dims);
    return d->heads[v] = made;
}

uint32_t wick_delegate_table(wick_delegate *d, wick_value_id table) {
    if (failed(d) || d->flat[table] != WICK_XNN_NONE) return failed(d) ? 0 : d->flat[table];
    uint32_t dims[] = {(uint32_t)d->lw->g->max_seq_len, 1, 2 * (uint32_t)wick_lower_width(d->lw, table)};
    return d->flat[table] = add_input(d, activation(3, dims), d->lw->table_rows[table]);
}

/* ---------------------------------------------------------------- constants */

static uint32_t add_constant(wick_delegate *d, uint32_t named) {
    if (failed(d)) return 0;
    if (!d->x.n_constant) { /* index 0 means none */
        if (!WICK_GROW(d->x.constants, d->x.n_constant, d->constant_cap)) return no_memory(d);
        d->x.constants[d->x.n_constant++] = (wick_xnn_constant){0};
    }
    if (!WICK_GROW(d->x.constants, d->x.n_constant, d->constant_cap)) return no_memory(d);
    d->x.constants[d->x.n_constant] = (wick_xnn_constant){
        .offset = UINT64_MAX, .size = d->lw->named_segments[named - 1].size, .key = d->lw->named[named - 1].key, .key_named = named};
    return d->x.n_constant++;
}

/* The codes or the scales of parts [first, first + n) as one named blob. */
static uint32_t add_parts(wick_delegate *d, const wick_value *v, int first, int n, bool scales, uint32_t job) {
    wick_source *pieces = WICK_NEW_ARRAY(wick_source, (size_t)n);
    if (!pieces) return no_memory(d);
    for (int i = 0; i < n; i++) pieces[i] = scales ? v->parts[first + i].scales : v->parts[first + i].data;
    const char *name = wick_lower_parts_name(d->lw, v, first, n);
    wick_strbuf full = {0};
    wick_strbuf_printf(&full, "%s%s", name, scales ? ".scales" : "");
    if (full.failed) no_memory(d);
    uint32_t named = failed(d) ? 0 : wick_lower_named(d->lw, full.data, true, pieces, n, job);
    wick_strbuf_release(&full);
    wick_free(pieces);
    return failed(d) ? 0 : add_constant(d, named);
}

uint32_t wick_delegate_weight(wick_delegate *d, wick_value_id id, int64_t from, int64_t to) {
    const wick_value *v = wick_lower_value(d->lw, id);
    int first, n;
    bool groups = v->scheme.kind == WICK_SCHEME_INT;
    if (failed(d)) return 0;
    if (v->kind != WICK_VALUE_CONST || v->dtype != WICK_F32 || !wick_lower_parts(v, from, to, &first, &n) ||
        (groups && (v->rank != 2 || v->scheme.bits != 4 || v->scheme.packing != WICK_PACK_LOW_FIRST || v->scheme.scale_dtype != WICK_BF16 ||
                    v->scheme.group < 32 || v->scheme.group % 32 || v->dims[1].c % v->scheme.group))) {
        wick_lower_fail(d->lw, WICK_EUNSUPPORTED,
                        "XNNPACK takes fp32 constants and 4-bit groups of 32, 64, ...; value %%%d is something else", id);
        return 0;
    }
    wick_xnn_value out = {.dtype = WICK_XD_FP32, .rank = v->rank, .external_id = WICK_XNN_NONE};
    for (int i = 0; i < v->rank; i++) out.dims[i] = (uint32_t)v->dims[i].c;
    out.dims[0] = (uint32_t)(to - from);
    uint32_t job = groups ? ++d->lw->n_job : 0;
    out.constant = add_parts(d, v, first, n, false, job);
    if (groups) {
        out.dtype = WICK_XD_QBINT4;
        out.quantized = true;
        out.quant = WICK_XQ_PER_CHANNEL_GROUP;
        out.group_size = (int32_t)v->scheme.group;
        out.scale_constant = add_parts(d, v, first, n, true, job);
        out.n_scale = (uint32_t)((to - from) * (v->dims[1].c / v->scheme.group));
    }
    return add_value(d, out);
}

static uint32_t find_fill(wick_delegate *d, float number, int64_t n) {
    for (size_t i = 0; i < d->n_fill; i++)
        if (d->fills[i].number == number && d->fills[i].n == n) return d->fills[i].named;
    float *numbers = wick_pte_alloc(d->lw->p, (size_t)n, sizeof *numbers);
    if (!numbers || !WICK_GROW(d->fills, d->n_fill, d->fill_cap)) return no_memory(d);
    for (int64_t i = 0; i < n; i++) numbers[i] = number;
    char name[64];
    snprintf(name, sizeof name, "fill.%lldx%.9g", (long long)n, (double)number);
    wick_source source = wick_source_resident(numbers, (uint64_t)n * sizeof *numbers);
    uint32_t named = wick_lower_named(d->lw, name, true, &source, 1, 0);
    d->fills[d->n_fill++] = (wick_fill){number, n, named};
    return named;
}

uint32_t wick_delegate_fill(wick_delegate *d, float number, int64_t n, bool as_filter) {
    if (failed(d)) return 0;
    uint32_t named = find_fill(d, number, n);
    if (failed(d)) return 0;
    for (uint32_t i = 0; i < d->x.n_value; i++) {
        uint32_t c = d->x.values[i].constant;
        if (c && d->x.constants[c].key_named == named && (d->x.values[i].rank == 2) == as_filter) return i;
    }
    wick_xnn_value v = activation(as_filter ? 2 : 1, (uint32_t[]){as_filter ? 1 : (uint32_t)n, (uint32_t)n});
    v.constant = add_constant(d, named);
    return add_value(d, v);
}

/* ---------------------------------------------------------------- nodes */

static uint32_t add_node(wick_delegate *d, wick_xnn_node n, wick_xnn_value out) {
    uint32_t id = add_value(d, out);
    if (failed(d)) return 0;
    if (!WICK_GROW(d->x.nodes, d->x.n_node, d->node_cap)) return no_memory(d);
    n.out = id;
    n.out2 = WICK_XNN_NONE;
    n.debug_handle = d->x.n_node;
    d->x.nodes[d->x.n_node++] = n;
    return id;
}

static wick_xnn_value like(const wick_delegate *d, uint32_t a) {
    return failed(d) ? (wick_xnn_value){0} : activation(d->x.values[a].rank, d->x.values[a].dims);
}

uint32_t wick_delegate_unary(wick_delegate *d, wick_xnn_op op, uint32_t a) {
    return add_node(d, (wick_xnn_node){.op = op, .in = {a}, .n_in = 1}, like(d, a));
}

uint32_t wick_delegate_binary(wick_delegate *d, wick_xnn_op op, uint32_t a, uint32_t b) {
    return add_node(d, (wick_xnn_node){.op = op, .in = {a, b}, .n_in = 2}, like(d, a));
}

uint32_t wick_delegate_convert(wick_delegate *d, uint32_t a) {
    if (failed(d) || d->converted[a] != WICK_XNN_NONE) return failed(d) ? 0 : d->converted[a];
    wick_xnn_value out = like(d, a);
    out.dtype = WICK_XD_QDINT8;
    out.quantized = true;
    out.quant = WICK_XQ_PER_TOKEN_DYNAMIC;
    out.num_nonbatch = 1;
    uint32_t made = add_node(d, (wick_xnn_node){.op = WICK_XNN_CONVERT, .in = {a}, .n_in = 1}, out);
    if (!failed(d)) d->converted[a] = made;
    return made;
}

uint32_t wick_delegate_product(wick_delegate *d, uint32_t a, uint32_t weight, uint32_t bias) {
    wick_xnn_value out = like(d, a);
    if (failed(d)) return 0;
    out.dims[out.rank - 1] = d->x.values[weight].dims[0];
    return add_node(d, (wick_xnn_node){.op = WICK_XNN_FULLY_CONNECTED, .in = {a, weight, bias}, .n_in = 3}, out);
}

uint32_t wick_delegate_reshape(wick_delegate *d, uint32_t a, int rank, const uint32_t *dims) {
    wick_xnn_node n = {.op = WICK_XNN_RESHAPE, .in = {a}, .n_in = 1, .n_list = rank};
    for (int i = 0; i < rank; i++) n.list[i] = i == 1 ? 0 : dims[i]; /* 0: the rows, inferred */
    return add_node(d, n, activation(rank, dims));
}

uint32_t wick_delegate_slice(wick_delegate *d, uint32_t a, int axis, int64_t start, int64_t count) {
    wick_xnn_value out = like(d, a);
    wick_xnn_node n = {.op = WICK_XNN_SLICE, .in = {a}, .n_in = 1, .n_list = out.rank};
    n.list[axis] = (uint32_t)start;
    n.list2[axis] = out.dims[axis] = (uint32_t)count; /* size 0 in the other dimensions: all of it */
    return add_node(d, n, out);
}

uint32_t wick_delegate_concat(wick_delegate *d, uint32_t a, uint32_t b, int axis) {
    wick_xnn_value out = like(d, a);
    if (failed(d)) return 0;
    out.dims[axis] += d->x.values[b].dims[axis];
    return add_node(d, (wick_xnn_node){.op = WICK_XNN_CONCATENATE2, .in = {a, b}, .n_in = 2, .axis = axis}, out);
}

/* ---------------------------------------------------------------- cutting the graph */

/* Which delegate a node belongs to, or before which delegate a kernel call runs. */
static void find_stages(const wick_lower_state *lw, int *stages) {
    const wick_graph *g = lw->g;
    for (size_t i = 0; i < g->n_node; i++) {
        const wick_node *n = &g->nodes[i];
        bool call = wick_lower_ops[n->op] != NULL;
        stages[i] = 0;
        for (int k = 0; k < n->n_in; k++) {
            wick_node_id from = n->in[k] < 0 ? -1 : wick_lower_value(lw, n->in[k])->producer;
            if (from < 0) continue;
            int after = stages[from] + (call && !wick_lower_ops[g->nodes[from].op]);
            if (after > stages[i]) stages[i] = after;
        }
    }
}

/* Attention wants heads, and so do the last rows cut for it; everything else crosses a border flat. */
static void find_forms(wick_lower_state *lw) {
    for (size_t i = lw->g->n_node; i-- > 0;) {
        const wick_node *n = &lw->g->nodes[i];
        if (n->dead) continue;
        if (n->op == WICK_OP_last_row) lw->head_width[n->in[0]] = lw->head_width[n->out];
        if (n->op != WICK_OP_attention) continue;
        for (int k = 0; k < 3; k++) lw->head_width[n->in[k]] = n->attrs.attention.d_head;
        lw->head_width[n->out] = n->attrs.attention.d_head;
    }
}

/* A value that somebody outside of its delegate reads. */
static bool is_output(const wick_delegate *d, const wick_node *made_by) {
    const wick_graph *g = d->lw->g;
    if (made_by->out == g->logits) return true;
    for (size_t i = 0; i < g->n_node; i++) {
        const wick_node *n = &g->nodes[i];
        if (n->dead || (d->stages[i] == d->stage && !wick_lower_ops[n->op])) continue;
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k] == made_by->out) return true;
    }
    return false;
}

/* Makes v an external output and gives it a tensor in the program; returns that. */
static int32_t add_output(wick_delegate *d, wick_value_id v, uint32_t external_id) {
    wick_lower_state *lw = d->lw;
    int64_t width = lw->head_width[v], r = wick_lower_rows(lw, v), w = wick_lower_width(lw, v);
    uint32_t id = width ? wick_delegate_heads(d, v, width) : wick_delegate_flat(d, v);
    int32_t out = width ? wick_lower_temp(lw, 4, (int64_t[]){1, r, w / width, width}) : wick_lower_temp(lw, 3, (int64_t[]){1, r, w});
    if (failed(d)) return 0;
    if (d->x.values[id].external_id != WICK_XNN_NONE) wick_lower_fail(lw, WICK_EUNSUPPORTED, "value %%%d leaves a delegate twice", v);
    d->x.values[id].external_id = external_id;
    d->x.values[id].flags = 2;
    lw->slots[v] = width ? (wick_slot){-1, out} : (wick_slot){out, -1};
    return out;
}

static void reset(wick_delegate *d, int stage) {
    d->stage = stage;
    d->x.n_value = d->x.n_node = d->x.n_constant = 0;
    d->n_input = 0;
    for (size_t i = 0; i < d->lw->g->n_value; i++) d->flat[i] = d->heads[i] = WICK_XNN_NONE;
}

static void *keep(wick_delegate *d, const void *data, size_t count, size_t size) {
    void *p = failed(d) ? NULL : wick_pte_alloc(d->lw->p, count, size);
    if (!p) {
        no_memory(d);
        return NULL;
    }
    if (count) memcpy(p, data, count * size);
    return p;
}

/* Moves the finished delegate into the program and calls it: inputs are in d->inputs, outputs follow. */
static void finish(wick_delegate *d, size_t n_arg) {
    wick_xnn *x = keep(d, &d->x, 1, sizeof *x);
    if (!x) return;
    x->version = "0";
    x->values = keep(d, d->x.values, d->x.n_value, sizeof *x->values);
    x->nodes = keep(d, d->x.nodes, d->x.n_node, sizeof *x->nodes);
    x->constants = keep(d, d->x.constants, d->x.n_constant, sizeof *x->constants);
    x->n_extern = (uint32_t)n_arg;
    x->n_input = (uint32_t)d->n_input;
    wick_lower_delegate(d->lw, x, d->inputs, (int)n_arg);
}

static void build(wick_delegate *d, int stage) {
    const wick_graph *g = d->lw->g;
    reset(d, stage);
    for (size_t i = 0; i < g->n_node && !failed(d); i++) {
        const wick_node *n = &g->nodes[i];
        if (n->dead || d->stages[i] != stage || wick_lower_ops[n->op]) continue;
        if (wick_delegate_ops[n->op])
            wick_delegate_ops[n->op](d, n);
        else
            wick_lower_fail(d->lw, WICK_EUNSUPPORTED, "the XNNPACK backend has no rule for %s", wick_op_name(n->op));
    }
    if (failed(d) || !d->x.n_node) return;
    size_t n_arg = d->n_input;
    for (size_t i = 0; i < g->n_node && !failed(d); i++) {
        const wick_node *n = &g->nodes[i];
        if (n->dead || d->stages[i] != stage || wick_lower_ops[n->op] || !is_output(d, n)) continue;
        int32_t out = add_output(d, n->out, (uint32_t)n_arg);
        if (!WICK_GROW(d->inputs, n_arg, d->input_cap)) no_memory(d);
        if (!failed(d)) d->inputs[n_arg++] = out;
    }
    finish(d, n_arg);
}

void wick_lower_xnn(wick_lower_state *lw) {
    if (lw->status != WICK_OK) return;
    const wick_graph *g = lw->g;
    int *stages = WICK_NEW_ARRAY(int, g->n_node), last = 0;
    wick_delegate d = {
        .lw = lw, .stages = stages, .flat = WICK_NEW_ARRAY(uint32_t, g->n_value), .heads = WICK_NEW_ARRAY(uint32_t, g->n_value)};
    if (!stages || !d.flat || !d.heads) {
        no_memory(&d);
        goto out;
    }
    find_stages(lw, stages);
    find_forms(lw);
    for (size_t i = 0; i < g->n_node; i++) last = stages[i] > last ? stages[i] : last;
    for (int stage = 0; stage <= last && lw->status == WICK_OK; stage++) {
        for (size_t i = 0; i < g->n_node; i++)
            if (!g->nodes[i].dead && stages[i] == stage && wick_lower_ops[g->nodes[i].op]) wick_lower_ops[g->nodes[i].op](lw, &g->nodes[i]);
        build(&d, stage);
    }
out:
    wick_free(stages);
    wick_free(d.flat);
    wick_free(d.heads);
    wick_free(d.converted);
    wick_free(d.inputs);
    wick_free(d.fills);
    wick_free(d.x.values);
    wick_free(d.x.nodes);
    wick_free(d.x.constants);
}
