/* Cosines and sines that a program computes anew at every step, from the positions of its tokens: they become tables over all
 * positions, of which the step takes its rows, as other programs write them down.
 *
 * A value is followed if it comes from positions and small constants by steps that treat each token alone: nothing is summed, cut or put
 * together along the dimension that counts tokens, and a view keeps what lies before it. Then what it holds for a token depends on that
 * token's position only. The table has that row for every position, computed with the program's own steps, each rounded as its type
 * asks. Where such a value is read by something else, and a cosine or sine was on the way, the table takes its place. */
#include "base/half.h"
#include "base/limits.h"
#include "base/mem.h"
#include "raise/raise_int.h"

#include <math.h>
#include <string.h>

enum { MAX_WIDTH = 1024, MAX_CHAIN = 256, MAX_TABLE = 1 << 26 }; /* elements of one token; steps; elements in all */

typedef enum what { OTHER, FIXED, BY_TOKEN } what; /* unknown; the same at every step; a row for each token */

typedef struct known {
    uint8_t what;
    bool turns; /* made with a cosine or a sine */
} known;

/* ---------------------------------------------------------------- which values */

/* Elements before the dimension of tokens, and elements of one token in all; false: it is not what is followed here. */
static bool row_shape(const wick_value *v, bool by_token, int64_t *before, int64_t *width) {
    bool seen = false;
    *before = *width = 1;
    for (int i = 0; i < v->rank; i++) {
        if (wick_dim_is_const(v->dims[i])) {
            if (v->dims[i].c < 1 || v->dims[i].c > MAX_WIDTH || (*width *= v->dims[i].c) > MAX_WIDTH) return false;
            if (!seen) *before *= v->dims[i].c;
        } else if (seen || !by_token || !wick_dim_equal(v->dims[i], wick_dim_s())) {
            return false;
        } else {
            seen = true;
        }
    }
    if (!seen) *before = 1;
    return true;
}

static int token_axis(const wick_value *v) {
    for (int i = 0; i < v->rank; i++)
        if (!wick_dim_is_const(v->dims[i])) return i;
    return -1;
}

static bool is_number(wick_dtype t) { return t == WICK_F32 || t == WICK_F16 || t == WICK_BF16 || t == WICK_I64 || t == WICK_I32; }

static bool is_expand(const wick_raiser *r, const wick_node *n) {
    const wick_node *made = wick_r_made_by_instr(r, n->out, WICK_I_EXPAND_COPY);
    return made && made->out == n->out;
}

/* Whether the step treats each token alone. */
static bool keeps_tokens(const wick_raiser *r, const wick_node *n) {
    const wick_value *y = wick_r_value(r, n->out), *x = n->n_in ? wick_r_value(r, n->in[0]) : NULL;
    int64_t before_x, before_y, width_x, width_y;
    if (!x || n->n_in > 2) return false;
    switch (n->op) {
    case WICK_OP_f_view:
        return row_shape(x, true, &before_x, &width_x) && row_shape(y, true, &before_y, &width_y) && before_x == before_y &&
               width_x == width_y;
    case WICK_OP_f_copy:
    case WICK_OP_f_cast:
    case WICK_OP_f_permute:
    case WICK_OP_f_neg:
    case WICK_OP_f_cos:
    case WICK_OP_f_sin:
    case WICK_OP_f_mul: return true;
    case WICK_OP_f_add:
    case WICK_OP_f_sub: return n->n_in == 2 ? n->attrs.fine.number == 1 : n->op == WICK_OP_f_add;
    case WICK_OP_f_slice: return wick_dim_is_const(n->attrs.fine.start) && n->attrs.fine.axis != token_axis(x);
    case WICK_OP_f_cat: return n->attrs.fine.axis != token_axis(y);
    case WICK_OP_f_matmul: return x->rank == 3 && wick_dim_is_const(x->dims[2]);
    default: return is_expand(r, n);
    }
}

static known know_const(const wick_raiser *r, wick_value_id v) {
    const wick_value *c = wick_r_value(r, v);
    int64_t before, width;
    double x;
    bool usable = is_number(c->dtype) && row_shape(c, false, &before, &width) && wick_r_element(r->g, v, 0, &x);
    return (known){usable ? FIXED : OTHER, false};
}

static known know_node(const wick_raiser *r, const wick_node *n, const known *of) {
    known k = {FIXED, n->op == WICK_OP_f_cos || n->op == WICK_OP_f_sin};
    int64_t before, width;
    if (n->more_in || n->writes_state || !keeps_tokens(r, n) || !is_number(r->g->values[n->out].dtype)) return (known){OTHER, false};
    for (int i = 0; i < n->n_in; i++) {
        if (n->in[i] < 0 || of[n->in[i]].what == OTHER) return (known){OTHER, false};
        if (of[n->in[i]].what == BY_TOKEN) k.what = BY_TOKEN;
        k.turns |= of[n->in[i]].turns;
    }
    if (!row_shape(&r->g->values[n->out], k.what == BY_TOKEN, &before, &width)) return (known){OTHER, false};
    return k;
}

/* ---------------------------------------------------------------- what they hold for one token */

typedef struct line {
    const wick_node *n;
    wick_value_id value;
    int64_t count;
    double *at;
    const double *in[2];
    int32_t *map[2]; /* [count]: where each element comes from; a concatenation has one map and takes from in[0] and in[1] */
} line;

typedef struct chain {
    wick_raiser *r;
    size_t n_value, n_node; /* of the graph before tables came in */
    line lines[MAX_CHAIN];
    int n;
} chain;

static int64_t size_of(const wick_value *v, int i) { return wick_dim_is_const(v->dims[i]) ? v->dims[i].c : 1; }

static double rounded(wick_dtype t, double x) {
    if (t == WICK_F32) return (double)(float)x;
    if (t == WICK_F16) return (double)wick_f16_to_f32(wick_f32_to_f16((float)x));
    if (t == WICK_BF16) return (double)wick_bf16_to_f32(wick_f32_to_bf16((float)x));
    return trunc(x);
}

/* Where element i of y lies in operand k. */
static int64_t source(const wick_raiser *r, const wick_node *n, int k, int64_t i) {
    const wick_value *y = wick_r_value(r, n->out), *x = wick_r_value(r, n->in[k]);
    int64_t at[WICK_MAX_RANK] = {0}, from[WICK_MAX_RANK] = {0}, offset = 0;
    if (n->op == WICK_OP_f_view || n->op == WICK_OP_f_copy || n->op == WICK_OP_f_cast) return i;
    for (int d = y->rank - 1; d >= 0; d--) {
        at[d] = i % size_of(y, d);
        i /= size_of(y, d);
    }
    for (int d = 0; d < x->rank; d++) {
        if (n->op == WICK_OP_f_permute) {
            from[n->attrs.fine.perm[d]] = at[d];
        } else {
            int64_t place = at[d + y->rank - x->rank];
            from[d] = place < size_of(x, d) ? place : 0;
            if (n->op == WICK_OP_f_slice && d == n->attrs.fine.axis) from[d] = place + n->attrs.fine.start.c;
        }
    }
    for (int d = 0; d < x->rank; d++) offset = offset * size_of(x, d) + from[d];
    return offset;
}

/* A concatenation's element lies in operand 0 (its place), or in operand 1 (-1 - its place). */
static int32_t source_of_cat(const wick_raiser *r, const wick_node *n, int64_t i) {
    const wick_value *y = wick_r_value(r, n->out), *x = wick_r_value(r, n->in[0]);
    int axis = (int)n->attrs.fine.axis;
    int64_t inner = 1, first = size_of(x, axis), whole = size_of(y, axis);
    for (int d = axis + 1; d < y->rank; d++) inner *= size_of(y, d);
    int64_t outer = i / inner / whole, place = i / inner % whole, rest = i % inner;
    if (place < first) return (int32_t)((outer * first + place) * inner + rest);
    return (int32_t)(-1 - ((outer * (whole - first) + place - first) * inner + rest));
}

static double combine(const wick_node *n, double a, double b) {
    switch (n->op) {
    case WICK_OP_f_neg: return -a;
    case WICK_OP_f_mul: return a * (n->n_in == 2 ? b : n->attrs.fine.number);
    case WICK_OP_f_add: return a + (n->n_in == 2 ? b : n->attrs.fine.number);
    case WICK_OP_f_sub: return a - b;
    case WICK_OP_f_cos: return cos(a);
    case WICK_OP_f_sin: return sin(a);
    default: return a;
    }
}

static void multiply(const wick_raiser *r, const line *l) {
    const wick_value *a = wick_r_value(r, l->n->in[0]), *b = wick_r_value(r, l->n->in[1]);
    int64_t batch = size_of(a, 0), rows = size_of(a, 1), k = size_of(a, 2), columns = size_of(b, 2);
    for (int64_t i = 0; i < batch * rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            float sum = 0;
            for (int64_t m = 0; m < k; m++) sum += (float)(l->in[0][i * k + m] * l->in[1][(i / rows * k + m) * columns + j]);
            l->at[i * columns + j] = rounded(r->g->values[l->value].dtype, (double)sum);
        }
}

static void compute(const wick_raiser *r, const line *l) {
    wick_dtype dtype = r->g->values[l->value].dtype;
    if (!l->n) return;
    if (l->n->op == WICK_OP_f_matmul) {
        multiply(r, l);
        return;
    }
    for (int64_t i = 0; i < l->count; i++) {
        int32_t from = l->map[0][i];
        double a = from < 0 ? l->in[1][-1 - from] : l->in[0][from];
        l->at[i] = rounded(dtype, combine(l->n, a, l->map[1] ? l->in[1][l->map[1][i]] : 0));
    }
}

static const double *place_of(const chain *c, wick_value_id v) {
    for (int i = 0; i < c->n; i++)
        if (c->lines[i].value == v) return c->lines[i].at;
    return NULL;
}

/* Adds what makes v, after what that needs. */
static bool add_line(chain *c, wick_value_id v) {
    const wick_value *y = wick_r_value(c->r, v);
    line *l = &c->lines[c->n];
    int64_t before;
    if (place_of(c, v)) return true;
    if (c->n == MAX_CHAIN || !row_shape(y, true, &before, &before)) return false;
    *l = (line){.n = y->producer < 0 ? NULL : &c->r->g->nodes[y->producer], .value = v, .count = 1};
    for (int i = 0; i < y->rank; i++) l->count *= size_of(y, i);
    l->at = WICK_NEW_ARRAY(double, (size_t)l->count);
    c->n++;
    for (int64_t i = 0; l->at && !l->n && y->kind == WICK_VALUE_CONST && i < l->count; i++)
        if (!wick_r_element(c->r->g, v, i, &l->at[i])) return false;
    bool cat = l->n && l->n->op == WICK_OP_f_cat, mapped = l->n && l->n->op != WICK_OP_f_matmul, ok = l->at != NULL;
    for (int k = 0; ok && l->n && k < l->n->n_in; k++) {
        ok = (l->in[k] = place_of(c, l->n->in[k])) != NULL;
        if (!ok || !mapped || (cat && k)) continue;
        ok = (l->map[k] = WICK_NEW_ARRAY(int32_t, (size_t)l->count)) != NULL;
        for (int64_t i = 0; ok && i < l->count; i++)
            l->map[k][i] = cat && l->n->n_in == 2 ? source_of_cat(c->r, l->n, i) : (int32_t)source(c->r, l->n, k, i);
    }
    return ok;
}

static void release(chain *c) {
    for (int i = 0; i < c->n; i++) {
        wick_free(c->lines[i].at);
        wick_free(c->lines[i].map[0]);
        wick_free(c->lines[i].map[1]);
    }
}

/* The chain that ends in v: nodes in order, so what a node needs is there before it. */
static bool build_chain(chain *c, wick_value_id v, bool *needed) {
    const wick_graph *g = c->r->g;
    memset(needed, 0, c->n_value * sizeof *needed);
    needed[v] = true;
    for (size_t i = c->n_node; i-- > 0;)
        for (int k = 0; needed[g->nodes[i].out] && !g->nodes[i].more_in && k < g->nodes[i].n_in; k++)
            if (g->nodes[i].in[k] >= 0) needed[g->nodes[i].in[k]] = true;
    for (size_t i = 0; i < c->n_value; i++)
        if (needed[i] && g->values[i].producer < 0 && !add_line(c, (wick_value_id)i)) return false;
    for (size_t i = 0; i < c->n_node; i++)
        if (needed[g->nodes[i].out] && !add_line(c, g->nodes[i].out)) return false;
    return true;
}

static float *tabulate(chain *c, wick_value_id v, int64_t n_position, int64_t width) {
    double *position = (double *)(uintptr_t)place_of(c, c->r->g->position);
    const double *row = place_of(c, v);
    float *table = wick_graph_own(c->r->g, wick_calloc((size_t)(n_position * width), sizeof(float)));
    for (int64_t p = 0; table && position && p < n_position; p++) {
        *position = (double)p;
        for (int i = 0; i < c->n; i++) compute(c->r, &c->lines[i]);
        for (int64_t i = 0; i < width; i++) table[p * width + i] = (float)row[i];
    }
    return table;
}

/* ---------------------------------------------------------------- the tables in their place */

/* Positions that a table needs: what the program says of itself, or its longest cache. */
static int64_t count_positions(const wick_raiser *r) {
    static const char *const names[] = {"get_max_context_len", "get_max_seq_len", "get_max_len"};
    int64_t n = r->g->max_seq_len;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const wick_pte_value *v;
        if (wick_pte_metadata(&r->p->pte, names[i], &v, 1) == 1 && v->kind == WICK_EV_INT && v->i > n) n = v->i;
    }
    for (size_t i = 0; i < r->g->n_value; i++) {
        const wick_value *v = &r->g->values[i];
        for (int d = 1; v->kind == WICK_VALUE_STATE && v->rank == 4 && d < 3; d++)
            if (v->dims[d].c > n) n = v->dims[d].c;
    }
    return n < WICK_MAX_CONTEXT ? n : WICK_MAX_CONTEXT;
}

static bool is_root(const wick_raiser *r, const wick_node *n, const known *of, size_t n_node) {
    const wick_value *y = wick_r_value(r, n->out);
    int64_t before, width;
    if (of[n->out].what != BY_TOKEN || !of[n->out].turns || y->dtype == WICK_I64 || y->dtype == WICK_I32) return false;
    if (!row_shape(y, true, &before, &width) || before != 1) return false;
    for (size_t i = 0; i < n_node; i++) {
        const wick_node *user = &r->g->nodes[i];
        for (int k = 0; k < user->n_in; k++)
            if (wick_node_inputs(user)[k] == n->out && of[user->out].what != BY_TOKEN) return true;
    }
    return false;
}

/* The table's rows of this step. */
static wick_value_id put_table(wick_raiser *r, const float *table, int64_t n_position, int64_t width) {
    wick_dim rows = r->g->values[r->g->position].dims[0], dims[2] = {rows, wick_dim_const(width)};
    wick_part part = {.n_row = n_position, .data = wick_source_resident(table, (uint64_t)(n_position * width) * sizeof(float))};
    wick_value_id t = wick_graph_const(r->g, WICK_F32, 2, (int64_t[]){n_position, width}, (wick_scheme){0}, &part, 1);
    wick_attrs attrs = {.fine = {.axis = 0, .start = {0, 0, 1}, .end = {rows.c, rows.s, 1}}};
    return t < 0 ? -1 : wick_graph_fine(r->g, WICK_OP_f_slice, attrs, &t, 1, WICK_F32, 2, dims, (wick_origin){-1, -1});
}

typedef struct tables {
    wick_raiser *r;
    size_t n_value, n_node; /* of the graph before tables came in */
    known *of;              /* [n_value] */
    bool *needed;           /* [n_value], scratch */
    wick_value_id *rows;    /* [n_value]: of the table that was made for a value; 0: none yet, as no result is value 0 */
    int64_t n_element;      /* of all tables */
} tables;

static wick_value_id make_table(tables *t, wick_value_id v) {
    int64_t n_position = count_positions(t->r), before, width;
    if (!row_shape(wick_r_value(t->r, v), true, &before, &width) || n_position > (MAX_TABLE - t->n_element) / width) return -1;
    chain *c = WICK_NEW(chain);
    if (!c) {
        t->r->g->failed = true;
        return -1;
    }
    c->r = t->r;
    c->n_node = t->n_node;
    c->n_value = t->n_value;
    float *table = build_chain(c, v, t->needed) ? tabulate(c, v, n_position, width) : NULL;
    release(c);
    wick_free(c);
    t->n_element += n_position * width;
    return table ? put_table(t->r, table, n_position, width) : -1;
}

/* One table for all the shapes in which a value is seen. */
static void replace(tables *t, wick_value_id v) {
    wick_value y = t->r->g->values[v];
    wick_value_id seen = v;
    for (const wick_node *n; (n = wick_r_is(t->r, seen, WICK_OP_f_view)) && t->of[n->in[0]].what == BY_TOKEN;) seen = n->in[0];
    if (!t->rows[seen]) t->rows[seen] = make_table(t, seen);
    if (t->rows[seen] > 0) wick_r_forward(t->r, v, wick_r_view(t->r, t->rows[seen], y.rank, y.dims));
}

wick_status wick_r_tables(wick_raiser *r) {
    tables t = {.r = r, .n_value = r->g->n_value, .n_node = r->g->n_node};
    if (r->g->position < 0) return WICK_OK;
    t.of = WICK_NEW_ARRAY(known, t.n_value);
    t.needed = WICK_NEW_ARRAY(bool, t.n_value);
    t.rows = WICK_NEW_ARRAY(wick_value_id, t.n_value);
    bool ok = t.of && t.needed && t.rows;
    for (size_t i = 0; ok && i < t.n_value; i++)
        if (r->g->values[i].kind == WICK_VALUE_CONST) t.of[i] = know_const(r, (wick_value_id)i);
    if (ok) t.of[r->g->position].what = BY_TOKEN;
    for (size_t i = 0; ok && i < t.n_node; i++) t.of[r->g->nodes[i].out] = know_node(r, &r->g->nodes[i], t.of);
    for (size_t i = 0; ok && i < t.n_node; i++)
        if (is_root(r, &r->g->nodes[i], t.of, t.n_node)) replace(&t, r->g->nodes[i].out);
    wick_free(t.of);
    wick_free(t.needed);
    wick_free(t.rows);
    return ok ? wick_r_settle(r) : wick_fail_nomem(r->err);
}
