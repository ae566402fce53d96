/* Fine ops on the vm: operands in, one instruction or delegate node, result out. Elements are copied and converted (graphs
 * compute in fp32 where a program has 16-bit floats), shapes are the program's. */
#include "run/host.h"

#include "base/half.h"
#include "base/mem.h"
#include "run/session.h"

#include <string.h>

struct wick_host {
    const wick_model *model;
    wick_vm *vm;
    bool can_rewind;
    int64_t n, position; /* of the step whose integers were computed; n = 0: none */
};

/* ---------------------------------------------------------------- operands */

/* A value of the program: an EValue, or (xnn >= 0) a value inside the delegate of an instruction. */
typedef struct place {
    int32_t evalue;
    int64_t xnn;
} place;

enum { MAX_PLACE = WICK_NODE_MAX_IN };
static const place nowhere = {-1, -1};

static const wick_pte_instr *instr_of(const wick_model *m, const wick_node *n) { return &m->method->pte->instrs[n->origin.instruction]; }

/* The tensors that a kernel instruction reads, in the order of its arguments, lists flattened (as raise numbers them). */
static int kernel_places(const wick_model *m, const wick_pte_instr *instr, place *in) {
    const char *letters = wick_instr_op_args(m->method->ops[instr->index]);
    int n = 0;
    for (uint32_t i = 0; *letters && i < instr->n_arg; i++, letters++) {
        const wick_pte_value *v = &m->method->pte->values[instr->args[i]];
        bool written = *letters == 't' && letters[1] == '=';
        if (*letters == 'X' || *letters == 'Y')
            for (uint32_t k = 0; v->kind != WICK_EV_NULL && k < v->n && n < MAX_PLACE; k++) in[n++] = (place){(int32_t)v->items[k], -1};
        if ((*letters == 'T' || (*letters == 't' && !written)) && n < MAX_PLACE)
            in[n++] = v->kind == WICK_EV_TENSOR ? (place){instr->args[i], -1} : nowhere;
        if (letters[1] == '?') letters++;
    }
    return n;
}

/* The tensor number `index` that a kernel instruction writes. */
static place kernel_result(const wick_model *m, const wick_pte_instr *instr, int64_t index) {
    const char *letters = wick_instr_op_args(m->method->ops[instr->index]);
    for (uint32_t i = 0; *letters && i < instr->n_arg; i++, letters++) {
        const wick_pte_value *v = &m->method->pte->values[instr->args[i]];
        if (*letters == 't' && index-- == 0) return (place){instr->args[i], -1};
        for (uint32_t k = 0; *letters == 'y' && k < v->n; k++)
            if (index-- == 0) return (place){(int32_t)v->items[k], -1};
        if (letters[1] == '?') letters++;
    }
    return nowhere;
}

static const wick_xnn_node *xnn_node(const wick_model *m, const wick_node *n) {
    return &m->method->delegates[instr_of(m, n)->index].nodes[n->origin.xnn_node];
}

static int places(const wick_model *m, const wick_node *n, place *in, place *out) {
    if (n->origin.xnn_node < 0) {
        *out = kernel_result(m, instr_of(m, n), n->op == WICK_OP_f_other ? n->attrs.fine.axis : 0);
        return kernel_places(m, instr_of(m, n), in);
    }
    const wick_xnn_node *x = xnn_node(m, n);
    for (int i = 0; i < x->n_in; i++) in[i] = x->in[i] == WICK_XNN_NONE ? nowhere : (place){-1, x->in[i]};
    *out = (place){-1, x->out};
    return x->n_in;
}

/* ---------------------------------------------------------------- shapes */

static int bounds(const wick_model *m, const wick_node *n, place p, int64_t *dims) {
    if (p.xnn >= 0) {
        const wick_xnn_value *v = &m->method->delegates[instr_of(m, n)->index].values[p.xnn];
        for (int i = 0; i < v->rank; i++) dims[i] = v->dims[i];
        return v->rank;
    }
    const wick_pte_tensor *t = m->method->pte->values[p.evalue].tensor;
    for (int i = 0; i < t->rank; i++) dims[i] = t->dims[i];
    return t->rank;
}

/* The program's shape of a graph value in this step. Of another rank than the graph's, it is the upper bound with the one
 * dimension changed that counts tokens. */
static bool shape_of(const wick_model *m, const wick_node *n, place p, const wick_value *v, int64_t s, int64_t position, int32_t *dims,
                     int *rank) {
    int64_t bound[WICK_MAX_RANK], count = 1, others = 1;
    int tokens = -1;
    *rank = bounds(m, n, p, bound);
    for (int i = 0; i < v->rank; i++) count *= wick_dim_eval(v->dims[i], s, position);
    if (*rank == v->rank) {
        for (int i = 0; i < *rank; i++) dims[i] = (int32_t)wick_dim_eval(v->dims[i], s, position);
        return true;
    }
    for (int i = 0; i < *rank && tokens < 0; i++)
        if (bound[i] == m->contract.tokens_bound) tokens = i;
    for (int i = 0; i < *rank; i++) {
        dims[i] = (int32_t)bound[i];
        if (i != tokens) others *= bound[i];
    }
    if (tokens < 0) return others == count;
    if (others < 1 || count % others) return false;
    dims[tokens] = (int32_t)(count / others);
    return true;
}

/* ---------------------------------------------------------------- elements */

static bool same_type(wick_dtype a, int b) {
    return (a == WICK_F32 && b == WICK_ST_FLOAT) || (a == WICK_I64 && b == WICK_ST_LONG) || (a == WICK_I32 && b == WICK_ST_INT) ||
           (a == WICK_I8 && b == WICK_ST_CHAR) || (a == WICK_U8 && b == WICK_ST_BYTE) || (a == WICK_BOOL && b == WICK_ST_BOOL) ||
           (a == WICK_F64 && b == WICK_ST_DOUBLE) || (a == WICK_F16 && b == WICK_ST_HALF) || (a == WICK_BF16 && b == WICK_ST_BFLOAT16);
}

static bool is_half(int type) { return type == WICK_ST_HALF || type == WICK_ST_BFLOAT16; }
static bool copies(wick_dtype a, int b) { return same_type(a, b) || (a == WICK_F32 && is_half(b)); }

static void to_program(const void *from, wick_dtype dtype, wick_vm_tensor *to, int64_t n) {
    if (same_type(dtype, to->scalar_type)) {
        memcpy(to->data, from, (size_t)n * wick_dtype_size(dtype));
        return;
    }
    uint16_t *y = to->data;
    for (int64_t i = 0; i < n; i++) {
        float x = ((const float *)from)[i];
        y[i] = to->scalar_type == WICK_ST_HALF ? wick_f32_to_f16(x) : wick_f32_to_bf16(x);
    }
}

static void from_program(const wick_vm_tensor *from, wick_dtype dtype, void *to, int64_t n) {
    if (same_type(dtype, from->scalar_type)) {
        memcpy(to, from->data, (size_t)n * wick_dtype_size(dtype));
        return;
    }
    const uint16_t *x = from->data;
    for (int64_t i = 0; i < n; i++) ((float *)to)[i] = from->scalar_type == WICK_ST_HALF ? wick_f16_to_f32(x[i]) : wick_bf16_to_f32(x[i]);
}

static int64_t count_of(const wick_vm_tensor *t) {
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= t->dims[i];
    return n;
}

/* ---------------------------------------------------------------- the piece */

static wick_status fail_at(const wick_host *h, const wick_node *n, const char *what, wick_error *err) {
    return wick_fail(err, WICK_EUNSUPPORTED, "%s: instruction %d, which was not raised: %s", h->model->path, n->origin.instruction, what);
}

static wick_status tensor_at(wick_host *h, const wick_node *n, place p, wick_vm_tensor *out, wick_error *err) {
    if (p.xnn >= 0) return wick_vm_xnn_value(h->vm, n->origin.instruction, (uint32_t)p.xnn, out, err);
    return wick_vm_value(h->vm, p.evalue, out, err);
}

static wick_status give_input(wick_host *h, const wick_node *n, place p, const wick_value *v, const void *data, wick_error *err) {
    int32_t dims[WICK_MAX_RANK];
    int rank;
    wick_vm_tensor t;
    if (!shape_of(h->model, n, p, v, h->n, h->position, dims, &rank)) return fail_at(h, n, "the shape of an operand is not known", err);
    if (p.xnn >= 0)
        WICK_TRY(wick_vm_xnn_resize(h->vm, n->origin.instruction, (uint32_t)p.xnn, dims, rank, err));
    else
        WICK_TRY(wick_vm_resize(h->vm, p.evalue, dims, rank, err));
    WICK_TRY(tensor_at(h, n, p, &t, err));
    if (!t.data || !copies(v->dtype, t.scalar_type)) return fail_at(h, n, "an operand is of a type that is not copied", err);
    to_program(data, v->dtype, &t, count_of(&t));
    return WICK_OK;
}

static wick_status take_result(wick_host *h, const wick_node *n, place p, const wick_value *v, void *out, wick_error *err) {
    wick_vm_tensor t;
    int64_t count = 1;
    WICK_TRY(tensor_at(h, n, p, &t, err));
    for (int i = 0; i < v->rank; i++) count *= wick_dim_eval(v->dims[i], h->n, h->position);
    if (!t.data || count_of(&t) != count || !copies(v->dtype, t.scalar_type))
        return fail_at(h, n, "its result is not what the graph expects", err);
    from_program(&t, v->dtype, out, count);
    return WICK_OK;
}

static wick_status begin_step(wick_host *h, int64_t n, int64_t position, wick_error *err) {
    if (h->n == n && h->position == position) return WICK_OK;
    h->n = 0;
    WICK_TRY(wick_vm_integers(h->vm, n, position, err));
    h->n = n;
    h->position = position;
    return WICK_OK;
}

wick_status wick_host_run(void *user, wick_node_id node, int64_t n_token, int64_t position, const void *const *in, void *out,
                          wick_error *err) {
    wick_host *h = user;
    const wick_graph *g = h->model->raised.graph;
    const wick_node *n = &g->nodes[node];
    place from[MAX_PLACE], to;
    WICK_TRY(begin_step(h, n_token, position, err));
    if (n->origin.instruction < 0) { /* a view: the same elements */
        const wick_value *v = &g->values[n->out];
        size_t size = wick_dtype_size(v->dtype);
        for (int i = 0; i < v->rank; i++) size *= (size_t)wick_dim_eval(v->dims[i], n_token, position);
        memcpy(out, in[0], size);
        return WICK_OK;
    }
    int n_place = places(h->model, n, from, &to);
    for (int i = 0; i < n->n_in && i < n_place; i++)
        if (in[i] && (from[i].evalue >= 0 || from[i].xnn >= 0)) WICK_TRY(give_input(h, n, from[i], &g->values[n->in[i]], in[i], err));
    WICK_TRY(wick_vm_step(h->vm, n->origin.instruction, n->origin.xnn_node, err));
    return out ? take_result(h, n, to, &g->values[n->out], out, err) : WICK_OK;
}

/* ---------------------------------------------------------------- life */

const char *wick_host_refuses(const wick_model *model) {
    const wick_graph *g = model->raised.graph;
    for (size_t i = 0; i < g->n_node; i++) {
        const wick_node *n = &g->nodes[i];
        if (n->dead || wick_op_is_coarse(n->op)) continue;
        if (n->more_in) return "left operators with more than eight operands";
        if (n->origin.instruction < 0 && n->op != WICK_OP_f_view) return "left operators that no instruction stands for";
        if (n->op == WICK_OP_f_quantize) return "activations that are quantized apart from their product";
    }
    return NULL;
}

wick_status wick_host_new(const wick_model *model, wick_host **out, wick_error *err) {
    *out = NULL;
    wick_host *h = WICK_NEW(wick_host);
    if (!h) return wick_fail_nomem(err);
    h->model = model;
    h->can_rewind = wick_vm_method_rewinds(model->method);
    wick_status status = wick_vm_new(model->program, model->method, &h->vm, err);
    if (status == WICK_OK)
        *out = h;
    else
        wick_host_free(h);
    return status;
}

void wick_host_free(wick_host *h) {
    if (!h) return;
    wick_vm_free(h->vm);
    wick_free(h);
}

bool wick_host_rewind(wick_host *h, int64_t position) {
    if (position && !h->can_rewind) return false;
    if (!position) wick_vm_reset(h->vm);
    h->n = 0;
    return true;
}
