/* What every backend shares: where graph values live in the program, the prologue, and the ops that are kernel calls anywhere. */
#include "export/lower_program.h"

#include "base/checked.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

/* ---------------------------------------------------------------- values of the graph */

int64_t wick_lower_rows(const wick_lower_state *lw, wick_value_id v) { return wick_lower_is_row(wick_lower_value(lw, v)) ? 1 : WICK_BOUND; }

/* et_view shows the bytes of `of` in another shape; it owns none. */
static int32_t view(wick_lower_state *lw, int32_t of, int rank, const int64_t *dims) {
    int32_t items[WICK_MAX_RANK];
    for (int i = 0; i < rank; i++) items[i] = dims[i] == WICK_BOUND ? lw->len : wick_lower_int(lw, dims[i]);
    int32_t sizes = wick_lower_int_list(lw, items, (uint32_t)rank);
    int32_t out = wick_lower_tensor(lw, WICK_ST_FLOAT, rank, dims);
    WICK_LOWER_CALL(lw, WICK_I_ET_VIEW, of, sizes, out);
    if (lw->status == WICK_OK) lw->lives[out].base = of;
    return out;
}

int32_t wick_lower_flat(wick_lower_state *lw, wick_value_id v) {
    wick_slot *slot = &lw->slots[v];
    if (slot->flat < 0 && slot->heads < 0) wick_lower_fail(lw, WICK_EINTERNAL, "lowering needs value %%%d before it is made", v);
    if (lw->status != WICK_OK) return 0;
    if (slot->flat < 0) slot->flat = view(lw, slot->heads, 3, (int64_t[]){1, wick_lower_rows(lw, v), wick_value_width(&lw->g->values[v])});
    return slot->flat;
}

int32_t wick_lower_heads(wick_lower_state *lw, wick_value_id v, int64_t d_head) {
    wick_slot *slot = &lw->slots[v];
    if (slot->flat < 0 && slot->heads < 0) wick_lower_fail(lw, WICK_EINTERNAL, "lowering needs value %%%d before it is made", v);
    if (lw->status != WICK_OK) return 0;
    int64_t width = wick_value_width(&lw->g->values[v]);
    if (slot->heads < 0) slot->heads = view(lw, slot->flat, 4, (int64_t[]){1, wick_lower_rows(lw, v), width / d_head, d_head});
    return slot->heads;
}

bool wick_lower_parts(const wick_value *v, int64_t from, int64_t to, int *first, int *n) {
    int64_t row = 0;
    int i = 0;
    while (i < v->n_part && row < from) row += v->parts[i++].n_row;
    *first = i;
    while (i < v->n_part && row < to) row += v->parts[i++].n_row;
    *n = i - *first;
    return row == to && *n > 0 && (from > 0 || *first == 0);
}

bool wick_lower_divides(const wick_lower_state *lw, const wick_node *linear, int64_t from, int64_t to) {
    int first, n;
    return wick_lower_parts(wick_lower_value(lw, linear->in[1]), from, to, &first, &n) &&
           (!wick_lower_has_in(linear, 2) || wick_lower_parts(wick_lower_value(lw, linear->in[2]), from, to, &first, &n));
}

const char *wick_lower_parts_name(wick_lower_state *lw, const wick_value *v, int first, int n) {
    wick_strbuf b = {0};
    for (int i = first; i < first + n; i++) {
        if (i > first) wick_strbuf_putc(&b, '+');
        wick_strbuf_puts(&b, v->parts[i].name ? v->parts[i].name : "tensor");
    }
    const char *name = b.failed ? NULL : wick_pte_strdup(lw->p, b.data, b.size);
    wick_strbuf_release(&b);
    if (!name && lw->status == WICK_OK) lw->status = wick_fail_nomem(lw->err);
    return name ? name : "";
}

int32_t wick_lower_rows_constant(wick_lower_state *lw, wick_value_id id, int64_t from, int64_t to) {
    const wick_value *v = wick_lower_value(lw, id);
    int first, n;
    if (v->kind != WICK_VALUE_CONST || v->dtype != WICK_F32 || v->scheme.kind != WICK_SCHEME_PLAIN ||
        !wick_lower_parts(v, from, to, &first, &n)) {
        wick_lower_fail(lw, WICK_EUNSUPPORTED, "a kernel takes fp32 constants; value %%%d is something else", id);
        return 0;
    }
    wick_source *pieces = WICK_NEW_ARRAY(wick_source, (size_t)n);
    if (!pieces) {
        if (lw->status == WICK_OK) lw->status = wick_fail_nomem(lw->err);
        return 0;
    }
    for (int i = 0; i < n; i++) pieces[i] = v->parts[first + i].data;
    int64_t dims[WICK_MAX_RANK];
    for (int i = 0; i < v->rank; i++) dims[i] = v->dims[i].c;
    dims[0] = to - from;
    int32_t out = wick_lower_constant(lw, WICK_ST_FLOAT, v->rank, dims, pieces, n);
    wick_free(pieces);
    return out;
}

/* ---------------------------------------------------------------- rope tables */

/* The program's tables are as wide as a head, so that one multiplication turns it: [cos, cos] and [-sin, +sin]. */
typedef struct wide_table {
    wick_source half;
    size_t n_row, width; /* of a half row */
    bool is_sin;
} wide_table;

static wick_status wide_table_read(void *user, void *dst, wick_error *err) {
    const wide_table *t = user;
    float *copy = NULL;
    if (!t->half.bytes) {
        copy = wick_alloc((size_t)t->half.size);
        if (!copy) return wick_fail_nomem(err);
        wick_status status = t->half.read(t->half.user, copy, err);
        if (status != WICK_OK) {
            wick_free(copy);
            return status;
        }
    }
    const float *from = copy ? copy : t->half.bytes;
    float *to = dst;
    for (size_t r = 0; r < t->n_row; r++, from += t->width, to += 2 * t->width) {
        memcpy(to, from, t->width * sizeof *to);
        memcpy(to + t->width, from, t->width * sizeof *to);
        for (size_t i = 0; t->is_sin && i < t->width; i++) to[i] = -to[i];
    }
    wick_free(copy);
    return WICK_OK;
}

static void slice_table(wick_lower_state *lw, wick_value_id id, bool is_sin) {
    if (lw->status != WICK_OK || lw->table_rows[id] >= 0) return;
    const wick_value *v = wick_lower_value(lw, id);
    if (v->kind != WICK_VALUE_CONST || v->n_part != 1 || v->rank != 2 || v->dims[0].c < lw->g->max_context) {
        wick_lower_fail(lw, WICK_EUNSUPPORTED, "a rope table is not one constant of [%lld, D/2]", (long long)lw->g->max_context);
        return;
    }
    wide_table *t = wick_pte_alloc(lw->p, 1, sizeof *t);
    if (!t) {
        lw->status = wick_fail_nomem(lw->err);
        return;
    }
    *t = (wide_table){v->parts[0].data, (size_t)v->dims[0].c, (size_t)v->dims[1].c, is_sin};
    wick_source wide = {.size = 2 * t->half.size, .read = wide_table_read, .user = t};
    int64_t width = 2 * v->dims[1].c;
    int32_t table = wick_lower_constant(lw, WICK_ST_FLOAT, 3, (int64_t[]){v->dims[0].c, 1, width}, &wide, 1);
    int32_t rows = wick_lower_temp(lw, 3, (int64_t[]){WICK_BOUND, 1, width});
    WICK_LOWER_CALL(lw, WICK_I_SLICE_COPY, table, wick_lower_int(lw, 0), lw->pos, lw->end, wick_lower_int(lw, 1), rows);
    lw->table_rows[id] = rows;
}

/* ---------------------------------------------------------------- prologue */

void wick_lower_prologue(wick_lower_state *lw) {
    lw->tokens = wick_lower_tensor(lw, WICK_ST_LONG, 2, (int64_t[]){1, WICK_BOUND});
    lw->input_pos = wick_lower_tensor(lw, WICK_ST_LONG, 1, (int64_t[]){1});
    lw->pos = wick_lower_symbol(lw);
    lw->len = wick_lower_symbol(lw);
    lw->end = wick_lower_symbol(lw);
    WICK_LOWER_CALL(lw, WICK_I_LOCAL_SCALAR_DENSE, lw->input_pos, lw->pos);
    WICK_LOWER_CALL(lw, WICK_I_SYM_SIZE_INT, lw->tokens, wick_lower_int(lw, 1), lw->len);
    WICK_LOWER_CALL(lw, WICK_I_PRIM_ADD, lw->pos, lw->len, lw->end);
    for (size_t i = 0; i < lw->g->n_node; i++) {
        const wick_node *n = &lw->g->nodes[i];
        if (n->dead || n->op != WICK_OP_rope) continue;
        slice_table(lw, n->in[1], false);
        slice_table(lw, n->in[2], true);
    }
}

/* ---------------------------------------------------------------- ops */

static void emit_embedding(wick_lower_state *lw, const wick_node *n) {
    const wick_value *table = wick_lower_value(lw, n->in[1]), *out = wick_lower_value(lw, n->out);
    int64_t v = table->dims[0].c, k = table->dims[1].c;
    if (n->in[0] != lw->g->tokens) wick_lower_fail(lw, WICK_EUNSUPPORTED, "an embedding looks up something else than the tokens");
    int32_t x = wick_lower_temp(lw, 3, (int64_t[]){1, wick_dim_is_const(out->dims[0]) ? 1 : WICK_BOUND, k});
    int32_t none = wick_lower_null(lw), no = wick_lower_bool(lw, false);
    if (table->scheme.kind == WICK_SCHEME_PLAIN) {
        int32_t w = wick_lower_rows_constant(lw, n->in[1], 0, v);
        WICK_LOWER_CALL(lw, WICK_I_EMBEDDING_OUT, w, lw->tokens, wick_lower_int(lw, -1), no, no, x);
    } else if (table->scheme.bits == 8 && table->scheme.packing == WICK_PACK_BYTE && table->n_part == 1) {
        const wick_part *part = &table->parts[0];
        int64_t n_group = table->scheme.group ? k / table->scheme.group : 1;
        int32_t w = wick_lower_constant(lw, WICK_ST_CHAR, 2, (int64_t[]){v, k}, &part->data, 1);
        int32_t s = wick_lower_constant(lw, WICK_ST_FLOAT, n_group > 1 ? 2 : 1, (int64_t[]){v, n_group}, &part->scales, 1);
        WICK_LOWER_CALL(lw, WICK_I_EMBEDDING_BYTE, w, s, none, wick_lower_int(lw, -128), wick_lower_int(lw, 127), lw->tokens, none, x);
    } else {
        wick_lower_fail(lw, WICK_EUNSUPPORTED, "an embedding table of %d-bit codes cannot be lowered", table->scheme.bits);
    }
    lw->slots[n->out].flat = x;
}

/* Position of the first query: P, or that of the step's last token. */
static int32_t query_position(wick_lower_state *lw, wick_value_id q) {
    if (!wick_lower_is_row(wick_lower_value(lw, q))) return lw->pos;
    if (!lw->last_pos) {
        lw->last_pos = wick_lower_symbol(lw);
        WICK_LOWER_CALL(lw, WICK_I_PRIM_SUB, lw->end, wick_lower_int(lw, 1), lw->last_pos);
    }
    return lw->last_pos;
}

static void emit_attention(wick_lower_state *lw, const wick_node *n) {
    int64_t d = n->attrs.attention.d_head, g = n->attrs.attention.n_kv_head, h = n->attrs.attention.n_head;
    if (n->attrs.attention.window || n->attrs.attention.n_sink || n->attrs.attention.softcap != 0 || n->attrs.attention.kv_int8)
        wick_lower_fail(lw, WICK_EUNSUPPORTED, "attention with a window, sinks, a soft cap or an int8 cache cannot be lowered");
    const wick_value *cache = wick_lower_value(lw, n->in[3]);
    int64_t cache_dims[] = {1, cache->dims[0].c, g, d};
    int32_t q = wick_lower_heads(lw, n->in[0], d), k = wick_lower_heads(lw, n->in[1], d), v = wick_lower_heads(lw, n->in[2], d);
    int32_t caches[2];
    for (int i = 0; i < 2; i++) {
        wick_slot *slot = &lw->slots[n->in[3 + i]];
        if (slot->heads < 0) slot->heads = wick_lower_cache(lw, 4, cache_dims);
        caches[i] = slot->heads;
    }
    if (!lw->dummy) lw->dummy = wick_lower_temp(lw, 1, (int64_t[]){1});
    WICK_LOWER_CALL(lw, WICK_I_UPDATE_CACHE, k, caches[0], lw->pos, lw->dummy);
    WICK_LOWER_CALL(lw, WICK_I_UPDATE_CACHE, v, caches[1], lw->pos, lw->dummy);
    int32_t position = query_position(lw, n->in[0]);
    /* Null means 1 / sqrt(D) */
    bool usual = fabs(n->attrs.attention.scale * sqrt((double)d) - 1) < 1e-6;
    int32_t scale = usual ? wick_lower_null(lw) : wick_lower_double(lw, n->attrs.attention.scale);
    int32_t out = wick_lower_temp(lw, 4, (int64_t[]){1, wick_lower_rows(lw, n->out), h, d});
    WICK_LOWER_CALL(lw, WICK_I_CUSTOM_SDPA, q, caches[0], caches[1], position, wick_lower_null(lw), wick_lower_double(lw, 0),
                    wick_lower_bool(lw, true), scale, out);
    lw->slots[n->out].heads = out;
}

static void emit_last_row(wick_lower_state *lw, const wick_node *n) {
    int64_t width = wick_value_width(wick_lower_value(lw, n->out)), d = lw->head_width[n->out];
    int32_t one = wick_lower_int(lw, 1), minus = wick_lower_int(lw, -1), rest = wick_lower_int(lw, INT64_MAX);
    int32_t in = d ? wick_lower_heads(lw, n->in[0], d) : wick_lower_flat(lw, n->in[0]);
    int32_t out = d ? wick_lower_temp(lw, 4, (int64_t[]){1, 1, width / d, d}) : wick_lower_temp(lw, 3, (int64_t[]){1, 1, width});
    WICK_LOWER_CALL(lw, WICK_I_SLICE_COPY, in, one, minus, rest, one, out);
    lw->slots[n->out] = d ? (wick_slot){-1, out} : (wick_slot){out, -1};
}

wick_lower_emit_fn *const wick_lower_ops[WICK_N_OP] = {
    [WICK_OP_embedding] = emit_embedding,
    [WICK_OP_attention] = emit_attention,
    [WICK_OP_last_row] = emit_last_row,
};
