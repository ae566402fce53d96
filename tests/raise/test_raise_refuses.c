/* What must not match: programs in which one thing was changed, so that they mean something else. Raise may leave a part of them to the
 * vm, or refuse them; it must not take them for what they were. */
#include "base/mem.h"
#include "raise/raise.h"
#include "support/support.h"

typedef struct subject {
    wick_program *p;
    wick_program_method *m;
    wick_pte_method *pte;
} subject;

static subject open_stock(const char *name) {
    subject s = {0};
    wick_program_options options = {.no_mmap = true}; /* constants can be changed */
    assert_ok(wick_program_open(test_data(name), &options, &s.p, err));
    for (uint32_t i = 0; i < s.p->pte.n_method; i++)
        if (!strcmp(s.p->pte.methods[i].name, "forward")) {
            s.m = &s.p->methods[i];
            s.pte = &s.p->pte.methods[i];
        }
    assert_non_null(s.m);
    return s;
}

/* The k-th instruction with this operator. */
static wick_pte_instr *instr(const subject *s, wick_instr_op op, int k) {
    for (uint32_t i = 0; i < s->pte->n_instr; i++) {
        wick_pte_instr *n = &s->pte->instrs[i];
        if (n->kind == WICK_IK_KERNEL && s->m->ops[n->index] == op && k-- == 0) return n;
    }
    fail_msg("the program has no such instruction");
    return NULL;
}

static int32_t operator_of(const subject *s, wick_instr_op op) { return instr(s, op, 0)->index; }

/* An EValue that no instruction writes and that has this number. */
static int32_t number(const subject *s, wick_evalue_kind kind, int64_t i) {
    for (uint32_t v = 0; v < s->pte->n_value; v++) {
        bool written = false;
        if (s->pte->values[v].kind != kind || s->pte->values[v].i != i) continue;
        for (uint32_t k = 0; k < s->pte->n_instr; k++) {
            const wick_pte_instr *n = &s->pte->instrs[k];
            wick_instr_op op = n->kind == WICK_IK_KERNEL ? s->m->ops[n->index] : WICK_I_UNKNOWN;
            const char *letters = op == WICK_I_UNKNOWN ? "" : wick_instr_op_args(op);
            if (strpbrk(letters, "ikx")) written |= n->args[n->n_arg - 1] == (int32_t)v;
        }
        if (!written) return (int32_t)v;
    }
    fail_msg("the program has no such number");
    return -1;
}

static void *writable(const void *bytes) { return (void *)(uintptr_t)bytes; }

/* ---------------------------------------------------------------- changes */

static void eps_after_rsqrt(subject *s) {
    wick_pte_instr *add = instr(s, WICK_I_ADD, 0), *rsqrt = instr(s, WICK_I_RSQRT, 0), *mul = instr(s, WICK_I_MUL, 1);
    assert_ptr_equal(add + 1, rsqrt);
    assert_int_equal(mul->args[1], rsqrt->args[1]);
    int32_t mean = add->args[0];
    wick_pte_instr t = *add;
    *add = *rsqrt;
    *rsqrt = t;
    add->args[0] = mean;           /* r = rsqrt(mean) */
    rsqrt->args[0] = add->args[1]; /* r + eps */
    mul->args[1] = rsqrt->args[3];
}

static void mean_of_x(subject *s) { instr(s, WICK_I_MEAN, 0)->args[0] = instr(s, WICK_I_MUL, 0)->args[0]; }
static void mean_over_tokens(subject *s) {
    int32_t list = instr(s, WICK_I_MEAN, 0)->args[1];
    s->pte->values[list].items[0] = number(s, WICK_EV_INT, 1);
}
static void norm_of_another(subject *s) { /* the second norm's mean square on the first norm's x */
    wick_pte_instr *square = NULL;
    for (int k = 2; !square; k++) {
        wick_pte_instr *n = instr(s, WICK_I_MUL, k);
        if (n->args[0] == n->args[1]) square = n;
    }
    square->args[0] = square->args[1] = instr(s, WICK_I_MUL, 0)->args[0];
}
static void sin_added(subject *s) { instr(s, WICK_I_SUB, 0)->index = operator_of(s, WICK_I_ADD); }
static void sin_subtracted(subject *s) {
    /* the sum that follows the first difference */
    wick_pte_instr *sub = instr(s, WICK_I_SUB, 0);
    for (wick_pte_instr *n = sub + 1;; n++)
        if (n->kind == WICK_IK_KERNEL && s->m->ops[n->index] == WICK_I_ADD) {
            n->index = operator_of(s, WICK_I_SUB);
            return;
        }
}
static void cos_for_sin(subject *s) {
    wick_pte_instr *sub = instr(s, WICK_I_SUB, 0);
    assert_int_equal(s->m->ops[sub[-1].index], WICK_I_MUL);
    sub[-1].args[1] = sub[-2].args[1];
}
static void halves_as_pairs(subject *s) { /* real part from lane 1, imaginary part from lane 0 of one rotation */
    wick_pte_instr *a = NULL, *b = NULL;
    for (int k = 0; !b; k++) {
        wick_pte_instr *n = instr(s, WICK_I_SLICE_COPY, k);
        if (s->pte->values[n->args[0]].tensor->rank != 5) continue;
        if (a) b = n;
        if (!a) a = n;
    }
    for (int i = 2; i < 4; i++) {
        int32_t t = a->args[i];
        a->args[i] = b->args[i];
        b->args[i] = t;
    }
}
static void position_plus_one(subject *s) { /* the rope's rows */
    wick_pte_instr *slice = instr(s, WICK_I_SLICE_COPY, 0);
    slice->args[2] = number(s, WICK_EV_INT, 1);
}
static void not_causal(subject *s) { instr(s, WICK_I_CUSTOM_SDPA, 1)->args[6] = number(s, WICK_EV_BOOL, 0); }
static void query_elsewhere(subject *s) { instr(s, WICK_I_CUSTOM_SDPA, 0)->args[3] = instr(s, WICK_I_PRIM_ADD, 0)->args[2]; }
static void append_elsewhere(subject *s) { instr(s, WICK_I_UPDATE_CACHE, 0)->args[2] = instr(s, WICK_I_PRIM_ADD, 0)->args[2]; }
static void one_cache(subject *s) { instr(s, WICK_I_CUSTOM_SDPA, 0)->args[2] = instr(s, WICK_I_CUSTOM_SDPA, 0)->args[1]; }
static void cache_of_another_layer(subject *s) { instr(s, WICK_I_CUSTOM_SDPA, 1)->args[1] = instr(s, WICK_I_CUSTOM_SDPA, 0)->args[1]; }
static void masked(subject *s) { instr(s, WICK_I_CUSTOM_SDPA, 0)->args[4] = instr(s, WICK_I_MUL, 0)->args[0]; }
static void first_row(subject *s) { /* the last select is the one of the last row */
    wick_pte_instr *select = NULL;
    for (uint32_t i = 0; i < s->pte->n_instr; i++) {
        wick_pte_instr *n = &s->pte->instrs[i];
        if (n->kind == WICK_IK_KERNEL && s->m->ops[n->index] == WICK_I_SELECT_COPY) select = n;
    }
    assert_non_null(select);
    select->args[2] = number(s, WICK_EV_INT, 0);
}
static void sigmoid_squared(subject *s) {
    for (int k = 0;; k++) {
        wick_pte_instr *mul = instr(s, WICK_I_MUL, k);
        if (mul->args[1] != instr(s, WICK_I_SIGMOID, 0)->args[1]) continue;
        mul->args[0] = mul->args[1];
        return;
    }
}
/* Tables of the half style hold every angle twice, and spread ones every angle for every head: change one of the last cells. */
static void change_table(subject *s, int k) {
    const wick_pte_tensor *t = s->pte->values[instr(s, WICK_I_SLICE_COPY, k)->args[0]].tensor;
    wick_bytes bytes;
    assert_true(wick_program_constant(s->p, t, &bytes));
    float *cells = writable(bytes.data);
    int64_t width = t->dims[1] * (t->rank > 2 ? t->dims[2] : 1);
    cells[8 * width - 1] += 0.5f;
}
static void cos_halves_differ(subject *s) { change_table(s, 0); }
static void sin_halves_differ(subject *s) { change_table(s, 1); }
static void heads_turn_differently(subject *s) { change_table(s, 0); }
/* The state of a short convolution is not its last inputs. */
static void keeps_first_inputs(subject *s) {
    int32_t kept = instr(s, WICK_I_COPY_INPLACE, 0)->args[1];
    for (int k = 0;; k++) {
        wick_pte_instr *slice = instr(s, WICK_I_SLICE_COPY, k);
        if (slice->args[5] != kept) continue;
        slice->args[2] = number(s, WICK_EV_INT, 0);
        slice->args[3] = number(s, WICK_EV_INT, 2);
        return;
    }
}
static void keeps_for_another(subject *s) { /* two states change places */
    wick_pte_instr *a = instr(s, WICK_I_COPY_INPLACE, 0), *b = instr(s, WICK_I_COPY_INPLACE, 1);
    int32_t t = a->args[1];
    a->args[1] = b->args[1];
    b->args[1] = t;
}
/* Codes without a sign are other numbers. */
static void codes_unsigned(subject *s) { s->pte->values[instr(s, WICK_I_EMBEDDING_BYTE, 0)->args[0]].tensor->scalar_type = WICK_ST_BYTE; }
/* A ring and its mask: the second layer of three. */
static wick_pte_value *scalar_of(subject *s, wick_instr_op op, int k) { return &s->pte->values[instr(s, op, k)->args[1]]; }
static void window_beyond_ring(subject *s) { scalar_of(s, WICK_I_LT_SCALAR, 1)->i = 33; }
static void window_of_nothing(subject *s) { scalar_of(s, WICK_I_LT_SCALAR, 1)->i = 0; }
static void behind_window(subject *s) { instr(s, WICK_I_LT_SCALAR, 1)->index = operator_of(s, WICK_I_GE_SCALAR); }
static void sees_the_future(subject *s) { instr(s, WICK_I_GE_SCALAR, 1)->index = operator_of(s, WICK_I_LT_SCALAR); }
static void hides_itself(subject *s) { scalar_of(s, WICK_I_GE_SCALAR, 1)->i = 1; }
static void hides_the_first(subject *s) { scalar_of(s, WICK_I_GE_SCALAR, 0)->i = 1; }
static void goes_around_early(subject *s) { scalar_of(s, WICK_I_REMAINDER_SCALAR, 0)->i = 31; }
static void mask_inverted(subject *s) { scalar_of(s, WICK_I_EQ_SCALAR, 0)->i = 0; }
static void mask_swapped(subject *s) {
    wick_pte_instr *where = instr(s, WICK_I_WHERE, 1);
    int32_t t = where->args[1];
    where->args[1] = where->args[2];
    where->args[2] = t;
}
static void empty_is_zero(subject *s) {
    wick_pte_value *fill = scalar_of(s, WICK_I_FULL, 0);
    if (fill->kind == WICK_EV_DOUBLE)
        fill->d = 0;
    else
        fill->i = 0;
}
static void forgets_from_elsewhere(subject *s) { instr(s, WICK_I_LT_SCALAR, 0)->args[1] = instr(s, WICK_I_LT_SCALAR, 1)->args[1]; }
static void forgets_another_place(subject *s) {
    wick_bytes bytes;
    assert_true(wick_program_constant(s->p, s->pte->values[instr(s, WICK_I_LT_SCALAR, 0)->args[0]].tensor, &bytes));
    ((int64_t *)writable(bytes.data))[5] = 6;
}
static void rows_elsewhere(subject *s) { instr(s, WICK_I_UPDATE_CACHE_WITH_INDICES, 1)->args[3] = s->pte->inputs[0]; }
static void distance_negated(subject *s) {
    wick_pte_instr *sub = instr(s, WICK_I_SUB, 0);
    int32_t t = sub->args[0];
    sub->args[0] = sub->args[1];
    sub->args[1] = t;
}
static void distance_doubled(subject *s) { s->pte->values[instr(s, WICK_I_SUB, 0)->args[2]].i = 2; }
static void list_not_kept(subject *s) { instr(s, WICK_I_COPY_INPLACE, 0)->args[1] = instr(s, WICK_I_FULL, 0)->args[2]; }
static void list_added_to(subject *s) { s->pte->values[instr(s, WICK_I_INDEX_PUT, 0)->args[3]].i = 1; }
static void ring_and_causal(subject *s) { s->pte->values[instr(s, WICK_I_CUSTOM_SDPA, 1)->args[6]].i = 1; }
static void positions_from_elsewhere(subject *s) { instr(s, WICK_I_SCALAR_TENSOR, 0)->args[0] = instr(s, WICK_I_SYM_SIZE_INT, 0)->args[2]; }
static void rows_from_elsewhere(subject *s) { instr(s, WICK_I_SCALAR_TENSOR, 1)->args[0] = instr(s, WICK_I_SYM_SIZE_INT, 0)->args[2]; }
static void ring_for_both(subject *s) { instr(s, WICK_I_CUSTOM_SDPA, 1)->args[2] = instr(s, WICK_I_CUSTOM_SDPA, 1)->args[1]; }
static void long_steps(subject *s) { /* two tokens of a step in one place */
    s->pte->values[s->pte->inputs[0]].tensor->dims[1] = 33;
}
/* A ring behind sinks. Comparisons: the lists with P, rope's positions with F, the places' positions with F, the lists with F, the
 * distances with the window; each but the second once a layer. */
static void rope_keeps_more(subject *s) { scalar_of(s, WICK_I_LT_SCALAR, 3)->i = 5; }
static void rope_shifts_more(subject *s) { s->pte->values[instr(s, WICK_I_SUB, 0)->args[2]].i = 2; }
static void sin_does_not_wrap(subject *s) {
    s->pte->values[instr(s, WICK_I_INDEX_TENSOR, 1)->args[1]].items[0] = instr(s, WICK_I_ADD, 0)->args[3];
}
static void places_keep_more(subject *s) { scalar_of(s, WICK_I_LT_SCALAR, 4)->i = 5; }
static void places_go_around_early(subject *s) { scalar_of(s, WICK_I_REMAINDER_SCALAR, 1)->i = 63; }
static void places_shift_back_more(subject *s) {
    wick_pte_instr *add = instr(s, WICK_I_ADD, 8); /* of the remainder and F */
    assert_int_equal(add->args[0], instr(s, WICK_I_REMAINDER_SCALAR, 1)->args[2]);
    s->pte->values[add->args[2]].i = 2;
}
static void places_swapped(subject *s) {
    wick_pte_instr *where = instr(s, WICK_I_WHERE, 4);
    int32_t t = where->args[1];
    where->args[1] = where->args[2];
    where->args[2] = t;
}
static void sees_more_sinks(subject *s) { scalar_of(s, WICK_I_LT_SCALAR, 7)->i = 5; }
static void sees_all_but_sinks(subject *s) { instr(s, WICK_I_LT_SCALAR, 7)->index = operator_of(s, WICK_I_GE_SCALAR); }
static void sinks_or_empty(subject *s) { instr(s, WICK_I_BITWISE_AND, 0)->index = operator_of(s, WICK_I_BITWISE_OR); }
static void sinks_in_window(subject *s) { instr(s, WICK_I_BITWISE_OR, 0)->index = operator_of(s, WICK_I_BITWISE_AND); }
static void window_beyond_sink_ring(subject *s) { scalar_of(s, WICK_I_LT_SCALAR, 10)->i = 65; }
static void long_sink_steps(subject *s) { s->pte->values[s->pte->inputs[0]].tensor->dims[1] = 65; }
/* Caches of int8. Operands of attention: q, k, v, start, mask, dropout, causal, scale, zero and scale of q, of k, of v. The order of the
 * first layer's quantizations is v, q, k. */
static int32_t *int8_arg(subject *s, int i) { return &instr(s, WICK_I_CUSTOM_QUANTIZED_SDPA, 0)->args[i]; }
static void swap(int32_t *a, int32_t *b) {
    int32_t t = *a;
    *a = *b;
    *b = t;
}
static void int8_scales_swapped(subject *s) { swap(int8_arg(s, 11), int8_arg(s, 13)); }
static void int8_zeros_swapped(subject *s) { swap(int8_arg(s, 10), int8_arg(s, 12)); }
static void int8_not_causal(subject *s) { s->pte->values[*int8_arg(s, 6)].i = 0; }
static void int8_causal(subject *s) { s->pte->values[*int8_arg(s, 6)].i = 1; }
static void int8_ring_scales_elsewhere(subject *s) {
    for (int k = 0; k < 6; k++) {
        wick_pte_instr *update = instr(s, WICK_I_UPDATE_CACHE_WITH_INDICES, k);
        if (s->pte->values[update->args[1]].tensor->scalar_type == WICK_ST_FLOAT) update->args[3] = s->pte->inputs[0];
    }
}
static void int8_masked(subject *s) { *int8_arg(s, 4) = *int8_arg(s, 13); }
static void int8_heads_first(subject *s) { s->pte->values[*int8_arg(s, 14)].i = 1; }
static void int8_query_elsewhere(subject *s) { *int8_arg(s, 3) = instr(s, WICK_I_PRIM_ADD, 0)->args[2]; }
static void int8_one_cache(subject *s) { /* v, its zero points and its scales are those of k */
    *int8_arg(s, 2) = *int8_arg(s, 1);
    *int8_arg(s, 12) = *int8_arg(s, 10);
    *int8_arg(s, 13) = *int8_arg(s, 11);
}
static void int8_codes_of_7_bits(subject *s) { s->pte->values[instr(s, WICK_I_QUANTIZE_PER_TOKEN, 0)->args[3]].i = -127; }
static void int8_codes_of_another_scale(subject *s) {
    instr(s, WICK_I_QUANTIZE_PER_TOKEN, 2)->args[1] = instr(s, WICK_I_QUANTIZE_PER_TOKEN, 0)->args[1];
}
static void int8_scale_of_another(subject *s) {
    instr(s, WICK_I_CHOOSE_QPARAMS_PER_TOKEN, 2)->args[0] = instr(s, WICK_I_CHOOSE_QPARAMS_PER_TOKEN, 0)->args[0];
}
static void int8_codes_elsewhere(subject *s) { instr(s, WICK_I_UPDATE_CACHE, 1)->args[2] = instr(s, WICK_I_PRIM_ADD, 0)->args[2]; }
static void int8_scales_elsewhere(subject *s) { instr(s, WICK_I_UPDATE_CACHE, 0)->args[2] = instr(s, WICK_I_PRIM_ADD, 0)->args[2]; }
/* Programs that compare positions with columns, and look for the start of the step in the mask. */
static void band_swapped(subject *s) {
    wick_pte_instr *le = instr(s, WICK_I_LE, 0);
    swap(&le->args[0], &le->args[1]);
}
static void band_hides(subject *s) {
    wick_pte_instr *where = instr(s, WICK_I_WHERE, 0);
    swap(&where->args[1], &where->args[2]);
}
static void keys_added(subject *s) { instr(s, WICK_I_INDEX_PUT, 0)->args[3] = number(s, WICK_EV_BOOL, 1); }
static void start_of_second_token(subject *s) {
    for (int k = 0;; k++) {
        wick_pte_instr *select = instr(s, WICK_I_SELECT_COPY, k);
        if (s->pte->values[select->args[0]].tensor->scalar_type != WICK_ST_BOOL) continue;
        select->args[2] = number(s, WICK_EV_INT, 1);
        return;
    }
}
/* Layer norms, splits and quotients. */
static void layer_over_another_size(subject *s) {
    int32_t list = instr(s, WICK_I_NATIVE_LAYER_NORM, 0)->args[1];
    s->pte->values[list].items[0] = number(s, WICK_EV_INT, 8);
}
static void means_for_rows(subject *s) { /* the last norm's, which the output layer takes */
    wick_pte_instr *norm = instr(s, WICK_I_NATIVE_LAYER_NORM, 4);
    swap(&norm->args[5], &norm->args[6]);
}
static void halves_of_split_swapped(subject *s) {
    wick_pte_value *out = &s->pte->values[instr(s, WICK_I_SPLIT_WITH_SIZES_COPY, 0)->args[3]];
    assert_int_equal(out->n, 2);
    uint32_t t = out->items[0];
    out->items[0] = out->items[1];
    out->items[1] = t;
}
static void split_of_another_size(subject *s) {
    int32_t list = instr(s, WICK_I_SPLIT_WITH_SIZES_COPY, 0)->args[1];
    s->pte->values[list].items[1] = number(s, WICK_EV_INT, 16);
}
static void quotient_turned_over(subject *s) {
    for (uint32_t d = 0; d < s->pte->n_delegate; d++)
        for (uint32_t i = 0; i < s->m->delegates[d].n_node; i++) {
            wick_xnn_node *n = &s->m->delegates[d].nodes[i];
            if (n->op != WICK_XNN_DIV) continue;
            uint32_t t = n->in[0];
            n->in[0] = n->in[1];
            n->in[1] = t;
        }
}
static void nothing(subject *s) { (void)s; }

#define RING         "stock/st_8da4w_lgattn.pte"
#define SINK         "stock/st_8da4w_sink.pte"
#define RING_OF_INT8 "stock/ty_ring_int8.pte"
#define INT8         "stock/st_8da4w_qkv.pte"
#define BAND         "stock/oe010_llama_plain.pte"
#define START        "stock/oe010_llama_both.pte"
#define LAYER_NORM   "stock/oe010_olmo_q.pte"
#define SPLIT        "stock/oe010_phi3_q.pte"
#define QUOTIENT     "stock/oe010_granite_q.pte"

static const struct {
    const char *name, *file;
    void (*change)(subject *s);
    const char *gone; /* what the graph has less often than before */
} cases[] = {
    {"nothing", "stock/st_fp32_sdpa.pte", nothing, NULL},
    {"eps after rsqrt", "stock/st_fp32_sdpa.pte", eps_after_rsqrt, "rmsnorm"},
    {"mean of x", "stock/st_fp32_sdpa.pte", mean_of_x, "rmsnorm"},
    {"mean over tokens", "stock/st_fp32_sdpa.pte", mean_over_tokens, "rmsnorm"},
    {"norm of another", "stock/st_fp32_sdpa.pte", norm_of_another, "rmsnorm"},
    {"sin added", "stock/st_fp32_sdpa.pte", sin_added, "rope"},
    {"sin subtracted", "stock/st_fp32_sdpa.pte", sin_subtracted, "rope"},
    {"cos for sin", "stock/st_fp32_sdpa.pte", cos_for_sin, "rope"},
    {"other pairs", "stock/st_fp32_sdpa.pte", halves_as_pairs, "rope"},
    {"other rows of the table", "stock/st_fp32_sdpa.pte", position_plus_one, "rope"},
    {"not causal", "stock/st_fp32_sdpa.pte", not_causal, "attention"},
    {"query elsewhere", "stock/st_fp32_sdpa.pte", query_elsewhere, "attention"},
    {"append elsewhere", "stock/st_fp32_sdpa.pte", append_elsewhere, "attention"},
    {"one cache", "stock/st_fp32_sdpa.pte", one_cache, "attention"},
    {"cache of another layer", "stock/st_fp32_sdpa.pte", cache_of_another_layer, "attention"},
    {"masked", "stock/st_fp32_sdpa.pte", masked, "attention"},
    {"first row", "stock/st_fp32_sdpa.pte", first_row, "last_row"},
    {"sigmoid squared", "stock/st_fp32_sdpa.pte", sigmoid_squared, "glu"},
    {"half style, nothing", "stock/ty_qwen3.pte", nothing, NULL},
    {"halves of cos differ", "stock/ty_qwen3.pte", cos_halves_differ, "rope"},
    {"spread table, nothing", "stock/ty_spread_rope.pte", nothing, NULL},
    {"heads turn differently", "stock/ty_spread_rope.pte", heads_turn_differently, "rope"},
    {"codes without a sign", "stock/st_8da4w_rec.pte", codes_unsigned, "embedding"},
    {"short convolution, nothing", "stock/ty_lfm2.pte", nothing, NULL},
    {"keeps the first inputs", "stock/ty_lfm2.pte", keeps_first_inputs, "short_conv"},
    {"keeps for another layer", "stock/ty_lfm2.pte", keeps_for_another, "short_conv"},
    {"int8, nothing", INT8, nothing, NULL},
    {"scales of k and v swapped", INT8, int8_scales_swapped, "attention"},
    {"zero points of k and v swapped", INT8, int8_zeros_swapped, "attention"},
    {"int8, not causal", INT8, int8_not_causal, "attention"},
    {"int8, masked", INT8, int8_masked, "attention"},
    {"int8, heads first", INT8, int8_heads_first, "attention"},
    {"int8, query elsewhere", INT8, int8_query_elsewhere, "attention"},
    {"int8, one cache", INT8, int8_one_cache, "attention"},
    {"codes from -127", INT8, int8_codes_of_7_bits, "attention"},
    {"codes of another scale", INT8, int8_codes_of_another_scale, "attention"},
    {"scale of another", INT8, int8_scale_of_another, "attention"},
    {"codes put elsewhere", INT8, int8_codes_elsewhere, "attention"},
    {"scales put elsewhere", INT8, int8_scales_elsewhere, "attention"},
    {"band, nothing", BAND, nothing, NULL},
    {"sees what is to come, in a band", BAND, band_swapped, "attention"},
    {"hides what is in a band", BAND, band_hides, "attention"},
    {"keys added to those before", BAND, keys_added, "attention"},
    {"start in a mask, nothing", START, nothing, NULL},
    {"start of the second token", START, start_of_second_token, "attention"},
    {"ring, nothing", RING, nothing, NULL},
    {"a window larger than the ring", RING, window_beyond_ring, "attention"},
    {"a window of nothing", RING, window_of_nothing, "attention"},
    {"what is behind the window", RING, behind_window, "attention"},
    {"what is to come", RING, sees_the_future, "attention"},
    {"not the token itself", RING, hides_itself, "attention"},
    {"not the first token", RING, hides_the_first, "attention"},
    {"a ring that ends early", RING, goes_around_early, "attention"},
    {"mask inverted", RING, mask_inverted, "attention"},
    {"mask swapped", RING, mask_swapped, "attention"},
    {"empty places hold token 0", RING, empty_is_zero, "attention"},
    {"places forgotten from elsewhere", RING, forgets_from_elsewhere, "attention"},
    {"another place forgotten", RING, forgets_another_place, "attention"},
    {"rows put elsewhere", RING, rows_elsewhere, "attention"},
    {"distance negated", RING, distance_negated, "attention"},
    {"distance doubled", RING, distance_doubled, "attention"},
    {"list not kept", RING, list_not_kept, "attention"},
    {"list added to", RING, list_added_to, "attention"},
    {"ring and causal", RING, ring_and_causal, "attention"},
    {"positions from elsewhere", RING, positions_from_elsewhere, "attention"},
    {"rows at positions from elsewhere", RING, rows_from_elsewhere, "attention"},
    {"one ring for both", RING, ring_for_both, "attention"},
    {"steps longer than the ring", RING, long_steps, "attention"},
    {"ring of int8, nothing", RING_OF_INT8, nothing, NULL},
    {"a window larger than the ring of int8", RING_OF_INT8, window_beyond_ring, "attention"},
    {"ring of int8, not the first token", RING_OF_INT8, hides_the_first, "attention"},
    {"a ring of int8 that ends early", RING_OF_INT8, goes_around_early, "attention"},
    {"ring of int8, mask inverted", RING_OF_INT8, mask_inverted, "attention"},
    {"ring of int8, list not kept", RING_OF_INT8, list_not_kept, "attention"},
    {"ring of int8, scales of k and v swapped", RING_OF_INT8, int8_scales_swapped, "attention"},
    {"ring of int8 and causal", RING_OF_INT8, int8_causal, "attention"},
    {"one ring of int8 for both", RING_OF_INT8, int8_one_cache, "attention"},
    {"scales put to other places", RING_OF_INT8, int8_ring_scales_elsewhere, "attention"},
    {"sinks, nothing", SINK, nothing, NULL},
    {"rope keeps more tokens than it shifts by", SINK, rope_keeps_more, "rope"},
    {"rope shifts by twice as much", SINK, rope_shifts_more, "rope"},
    {"sin does not wrap", SINK, sin_does_not_wrap, "rope"},
    {"places keep more tokens than they shift by", SINK, places_keep_more, "attention"},
    {"places go around early", SINK, places_go_around_early, "attention"},
    {"places shift back by twice as much", SINK, places_shift_back_more, "attention"},
    {"places swapped", SINK, places_swapped, "attention"},
    {"more sinks seen than kept", SINK, sees_more_sinks, "attention"},
    {"all but the sinks", SINK, sees_all_but_sinks, "attention"},
    {"filled or before", SINK, sinks_or_empty, "attention"},
    {"sinks in the window only", SINK, sinks_in_window, "attention"},
    {"a window larger than the ring behind sinks", SINK, window_beyond_sink_ring, "attention"},
    {"steps longer than the ring behind sinks", SINK, long_sink_steps, "attention"},
    {"layer norm, nothing", LAYER_NORM, nothing, NULL},
    {"layer norm over another size", LAYER_NORM, layer_over_another_size, "layernorm"},
    {"means for rows", LAYER_NORM, means_for_rows, "layernorm"},
    {"split, nothing", SPLIT, nothing, NULL},
    {"halves of a split swapped", SPLIT, halves_of_split_swapped, "glu"},
    {"a split of another size", SPLIT, split_of_another_size, "glu"},
    {"quotient, nothing", QUOTIENT, nothing, NULL},
    {"quotient turned over", QUOTIENT, quotient_turned_over, "scale"},
    {"halves of sin differ", "stock/ty_qwen3.pte", sin_halves_differ, "rope"},
};

static int count(const wick_graph *g, const char *op) {
    int n = 0;
    for (size_t i = 0; i < g->n_node; i++) n += !strcmp(wick_op_name(g->nodes[i].op), op);
    return n;
}

static void test_changes(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        subject s = open_stock(cases[i].file);
        wick_raised before, after;
        wick_error why = {0};
        assert_ok(wick_raise(s.p, s.m, &before, err));
        cases[i].change(&s);
        wick_status status = wick_raise(s.p, s.m, &after, &why);
        if (!cases[i].gone) {
            assert_int_equal(status, WICK_OK);
            assert_int_equal(after.n_left, 0);
        } else if (status == WICK_OK) {
            if (count(after.graph, cases[i].gone) >= count(before.graph, cases[i].gone))
                fail_msg("%s: every %s is still there", cases[i].name, cases[i].gone);
        } else {
            assert_int_equal(status, WICK_EUNSUPPORTED);
            if (!strstr(why.message, "cannot be raised")) fail_msg("%s: \"%s\"", cases[i].name, why.message);
        }
        wick_raised_release(&before);
        wick_raised_release(&after);
        wick_program_close(s.p);
    }
}

/* The window of the graph is the program's. */
static void test_window(void **state) {
    (void)state;
    static const int64_t windows[] = {1, 2, 15, 16, 32};
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        subject s = open_stock(RING);
        wick_raised raised;
        int64_t sum = 0;
        scalar_of(&s, WICK_I_LT_SCALAR, 1)->i = windows[i];
        assert_ok(wick_raise(s.p, s.m, &raised, err));
        assert_int_equal(raised.n_left, 0);
        for (size_t k = 0; k < raised.graph->n_node; k++)
            if (raised.graph->nodes[k].op == WICK_OP_attention) sum += raised.graph->nodes[k].attrs.attention.window;
        assert_int_equal(sum, windows[i]);
        wick_raised_release(&raised);
        wick_program_close(s.p);
    }
}

/* A table's codes are as wide as its operator says, with an argument for the result's type or without. */
static void test_table_bits(void **state) {
    (void)state;
    static const struct {
        wick_instr_op op;
        int bits;
    } forms[] = {{WICK_I_EMBEDDING_4BIT, 4},       {WICK_I_EMBEDDING_2BIT, 2},       {WICK_I_EMBEDDING_BYTE, 8},
                 {WICK_I_EMBEDDING_4BIT_PLAIN, 4}, {WICK_I_EMBEDDING_2BIT_PLAIN, 2}, {WICK_I_EMBEDDING_BYTE_PLAIN, 8}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        subject s = open_stock("stock/st_8da4w_emb4.pte");
        wick_raised raised;
        wick_pte_instr *look = instr(&s, WICK_I_EMBEDDING_4BIT, 0);
        s.m->ops[look->index] = forms[i].op;
        if (i >= 3) look->args[6] = look->args[7]; /* the result comes where the type was */
        wick_pte_tensor *table = s.pte->values[look->args[0]].tensor;
        table->dims[1] = 64 * forms[i].bits / 8;
        if (forms[i].bits == 8) {
            table->scalar_type = WICK_ST_CHAR;
            table->dims[0] = s.pte->values[look->args[1]].tensor->dims[0] = 256; /* the bytes that are there */
        }
        assert_ok(wick_raise(s.p, s.m, &raised, err));
        assert_int_equal(raised.n_left, 0);
        const wick_node *n = raised.graph->nodes;
        while (n->op != WICK_OP_embedding) n++;
        const wick_value *v = &raised.graph->values[n->in[1]];
        assert_int_equal(v->scheme.bits, forms[i].bits);
        assert_int_equal(v->scheme.group, 32);
        assert_int_equal(v->scheme.packing, forms[i].bits == 8 ? WICK_PACK_BYTE : WICK_PACK_HIGH_FIRST);
        assert_int_equal(v->dims[1].c, 64);
        wick_raised_release(&raised);
        wick_program_close(s.p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_changes), cmocka_unit_test(test_window), cmocka_unit_test(test_table_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
