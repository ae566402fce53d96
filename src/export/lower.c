#include "export/lower_program.h"

#include "base/mem.h"

#include <string.h>

static bool init(wick_lower_state *lw) {
    size_t n = lw->g->n_value;
    lw->slots = WICK_NEW_ARRAY(wick_slot, n);
    lw->head_width = WICK_NEW_ARRAY(int64_t, n);
    lw->table_rows = WICK_NEW_ARRAY(int32_t, n);
    if (!lw->slots || !lw->head_width || !lw->table_rows) return false;
    for (size_t i = 0; i < n; i++) {
        lw->slots[i] = (wick_slot){-1, -1};
        lw->table_rows[i] = -1;
    }
    return true;
}

/* The format has no words for what a part may be in a raised graph: rows in another order, transposed, negated. */
static wick_status check_constants(const wick_graph *g, wick_error *err) {
    for (size_t i = 0; i < g->n_value; i++) {
        const wick_value *v = &g->values[i];
        for (int k = 0; v->kind == WICK_VALUE_CONST && k < v->n_part; k++)
            if (v->parts[k].row_map || v->parts[k].row_stride || v->parts[k].transposed || v->parts[k].negated)
                return wick_fail(err, WICK_EUNSUPPORTED, "constant %zu: lowering takes dense rows in their order", i);
    }
    return WICK_OK;
}

static void release(wick_lower_state *lw) {
    void *const owned[] = {lw->values, lw->lives,         lw->instrs,           lw->operators,       lw->operator_ids, lw->delegates,
                           lw->pieces, lw->piece_offsets, lw->constant_offsets, lw->constant_pieces, lw->blobs,        lw->named_segments,
                           lw->named,  lw->slots,         lw->head_width,       lw->table_rows};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) wick_free(owned[i]);
}

static void *keep(wick_lower_state *lw, const void *data, size_t count, size_t size) {
    void *p = lw->status == WICK_OK ? wick_pte_alloc(lw->p, count, size) : NULL;
    if (!p && lw->status == WICK_OK) lw->status = wick_fail_nomem(lw->err);
    if (p && count) memcpy(p, data, count * size);
    return p;
}

#define KEEP(lw, array, n) keep(lw, array, n, sizeof *(array))

/* Segments: the constants, the delegates, the named data. */
static void finish_segments(wick_lower_state *lw) {
    wick_pte *p = lw->p;
    size_t n = 1 + lw->n_blob + lw->n_named;
    if (n > WICK_MAX_SEGMENTS)
        wick_lower_fail(lw, WICK_ELIMIT, "the program would need %zu segments; the limit is %d", n, WICK_MAX_SEGMENTS);
    wick_pte_segment *segments = lw->status == WICK_OK ? wick_pte_alloc(p, n, sizeof *segments) : NULL;
    uint64_t *offsets = lw->status == WICK_OK ? wick_pte_alloc(p, lw->n_constant + 1, sizeof *offsets) : NULL;
    if (lw->status == WICK_OK && (!segments || !offsets)) lw->status = wick_fail_nomem(lw->err);
    if (lw->status != WICK_OK) return;
    segments[0] = (wick_pte_segment){.pieces = KEEP(lw, lw->pieces, lw->n_piece),
                                     .offsets = KEEP(lw, lw->piece_offsets, lw->n_piece),
                                     .n_piece = (uint32_t)lw->n_piece,
                                     .size = lw->constants_size};
    if (lw->n_blob) memcpy(segments + 1, lw->blobs, lw->n_blob * sizeof *segments);
    if (lw->n_named) memcpy(segments + 1 + lw->n_blob, lw->named_segments, lw->n_named * sizeof *segments);
    if (lw->n_constant) memcpy(offsets + 1, lw->constant_offsets, lw->n_constant * sizeof *offsets); /* index 0 is reserved */
    p->segments = segments;
    p->n_segment = (uint32_t)n;
    p->has_constant_segment = true;
    p->constants = (wick_pte_offsets){.segment = 0, .offsets = offsets, .n = (uint32_t)lw->n_constant + 1};
    for (size_t i = 0; i < lw->n_named; i++) lw->named[i].segment = (uint32_t)(1 + lw->n_blob + i);
    p->named = KEEP(lw, lw->named, lw->n_named);
    p->n_named = (uint32_t)lw->n_named;
}

static void finish_method(wick_lower_state *lw, uint64_t arena_size, wick_pte_method *m) {
    int32_t inputs[] = {lw->tokens, lw->input_pos}, logits = wick_lower_flat(lw, lw->g->logits);
    int64_t arenas[] = {0, (int64_t)arena_size};
    *m = (wick_pte_method){
        .name = "forward",
        .container_in = "",
        .container_out = "",
        .values = KEEP(lw, lw->values, lw->n_value),
        .n_value = (uint32_t)lw->n_value,
        .inputs = KEEP(lw, inputs, 2),
        .n_input = 2,
        .outputs = KEEP(lw, &logits, 1),
        .n_output = 1,
        .instrs = KEEP(lw, lw->instrs, lw->n_instr),
        .n_instr = (uint32_t)lw->n_instr,
        .operators = KEEP(lw, lw->operators, lw->n_operator),
        .n_operator = (uint32_t)lw->n_operator,
        .delegates = KEEP(lw, lw->delegates, lw->n_delegate),
        .n_delegate = (uint32_t)lw->n_delegate,
        .arena_sizes = KEEP(lw, arenas, 2),
        .n_arena = 2,
    };
}

wick_status wick_lower(const wick_graph *g, const wick_lower_options *options, wick_pte *out, wick_error *err) {
    wick_error local;
    wick_lower_state lw = {.g = g, .options = options, .p = out, .err = err ? err : &local};
    WICK_TRY(wick_graph_check(g, err));
    WICK_TRY(check_constants(g, err));
    if (!g->uses_kv_cache) return wick_fail(err, WICK_EUNSUPPORTED, "programs without a KV cache cannot be lowered");
    *out = (wick_pte){0};
    if (!init(&lw)) lw.status = wick_fail_nomem(err);
    if (lw.status == WICK_OK) wick_lower_prologue(&lw);
    if (lw.status == WICK_OK) (options->backend == WICK_BACKEND_PORTABLE ? wick_lower_portable : wick_lower_xnn)(&lw);
    for (size_t i = 0; i < options->n_blob && lw.status == WICK_OK; i++)
        wick_lower_named(&lw, options->blobs[i].key, false, &options->blobs[i].data, 1, 0);
    uint64_t arena_size = wick_lower_plan(&lw);
    wick_pte_method forward = {0};
    if (lw.status == WICK_OK) finish_segments(&lw);
    if (lw.status == WICK_OK) finish_method(&lw, arena_size, &forward);
    if (lw.status == WICK_OK) lw.status = wick_lower_metadata(out, &forward, g, options->metadata, err);
    release(&lw);
    if (lw.status != WICK_OK) wick_pte_release(out);
    return lw.status;
}
