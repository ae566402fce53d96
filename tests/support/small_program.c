#include "support/small_program.h"

#include <sodium.h>

static void sha_init(void *s) { crypto_hash_sha256_init(s); }
static void sha_update(void *s, const void *data, uint64_t size) { crypto_hash_sha256_update(s, data, size); }
static void sha_finish(void *s, uint8_t digest[32]) { crypto_hash_sha256_final(s, digest); }
const wick_sha256 small_sha256 = {sizeof(crypto_hash_sha256_state), sha_init, sha_update, sha_finish};

static const float c_data[4] = {1, 2, 3, 4}, b_data[3] = {-1, 0, 1}, m_data[3] = {10, 20, 30};

static wick_status read_constant(void *user, void *dst, wick_error *err) {
    (void)user, (void)err;
    memcpy(dst, c_data, sizeof c_data);
    return WICK_OK;
}

/* One row of W. */
static wick_status read_filter(void *user, void *dst, wick_error *err) {
    (void)err;
    float row[4], i = (float)(intptr_t)user;
    for (int k = 0; k < 4; k++) row[k] = i + (float)k / 4;
    memcpy(dst, row, sizeof row);
    return WICK_OK;
}

/* ---------------------------------------------------------------- values */

static bool tensor(wick_pte *p, wick_pte_value *v, int rank, int32_t d0, int32_t d1, wick_dynamism dynamism) {
    wick_pte_tensor *t = wick_pte_alloc(p, 1, sizeof *t);
    if (!t) return false;
    *t = (wick_pte_tensor){.scalar_type = WICK_ST_FLOAT, .rank = rank, .dims = {d0, d1}, .dim_order = {0, 1}, .dynamism = dynamism};
    *v = (wick_pte_value){.kind = WICK_EV_TENSOR, .tensor = t};
    return true;
}

static wick_pte_value list(wick_pte *p, wick_evalue_kind kind, uint32_t n, int64_t a, int64_t b) {
    int64_t *items = wick_pte_alloc(p, n, sizeof *items);
    if (items && n > 0) items[0] = a;
    if (items && n > 1) items[1] = b;
    return (wick_pte_value){.kind = items ? kind : WICK_EV_NULL, .items = items, .n = n};
}

static bool values(wick_pte *p, wick_pte_method *m) {
    wick_pte_value *v = m->values = wick_pte_alloc(p, SMALL_N_VALUE, sizeof *v);
    double *doubles = wick_pte_alloc(p, 2, sizeof *doubles);
    if (!v || !doubles) return false;
    m->n_value = SMALL_N_VALUE;
    if (!tensor(p, &v[SMALL_X], 2, 5, 4, WICK_DYNAMIC_BOUND) || !tensor(p, &v[SMALL_Y], 2, 5, 3, WICK_DYNAMIC_BOUND) ||
        !tensor(p, &v[SMALL_T], 2, 5, 4, WICK_DYNAMIC_BOUND) || !tensor(p, &v[SMALL_U], 2, 5, 3, WICK_DYNAMIC_BOUND) ||
        !tensor(p, &v[SMALL_M], 1, 3, 0, WICK_STATIC) || !tensor(p, &v[SMALL_C], 1, 4, 0, WICK_STATIC))
        return false;
    v[SMALL_M].tensor->memory_id = v[SMALL_T].tensor->memory_id = v[SMALL_U].tensor->memory_id = v[SMALL_Y].tensor->memory_id = 1;
    v[SMALL_M].tensor->data_buffer_idx = v[SMALL_C].tensor->data_buffer_idx = 1;
    v[SMALL_M].tensor->name = "m";
    v[SMALL_T].tensor->memory_offset = v[SMALL_Y].tensor->memory_offset = 64;
    v[SMALL_U].tensor->memory_offset = 192;
    v[SMALL_N] = (wick_pte_value){.kind = WICK_EV_INT};
    v[SMALL_FLAG] = (wick_pte_value){.kind = WICK_EV_BOOL};
    v[SMALL_I0] = (wick_pte_value){.kind = WICK_EV_INT};
    v[SMALL_I1] = (wick_pte_value){.kind = WICK_EV_INT, .i = 1};
    v[SMALL_I5] = (wick_pte_value){.kind = WICK_EV_INT, .i = 5};
    v[SMALL_INTS] = list(p, WICK_EV_INT_LIST, 2, SMALL_I0, SMALL_N);
    v[12] = (wick_pte_value){.kind = WICK_EV_NULL};
    v[13] = (wick_pte_value){.kind = WICK_EV_DOUBLE, .d = 2.5};
    v[14] = (wick_pte_value){.kind = WICK_EV_STRING, .s = "none"};
    doubles[0] = -0.5, doubles[1] = 1e300;
    v[15] = (wick_pte_value){.kind = WICK_EV_DOUBLE_LIST, .doubles = doubles, .n = 2};
    v[16] = list(p, WICK_EV_BOOL_LIST, 2, 1, 0);
    v[17] = list(p, WICK_EV_TENSOR_LIST, 2, SMALL_X, SMALL_C);
    v[18] = list(p, WICK_EV_OPTIONAL_TENSOR_LIST, 2, -1, SMALL_C);
    v[19] = list(p, WICK_EV_INT_LIST, 0, 0, 0);
    return true;
}

/* ---------------------------------------------------------------- instructions */

static bool call(wick_pte *p, wick_pte_instr *in, wick_instr_kind kind, int32_t index, uint32_t n, const int32_t *args) {
    *in = (wick_pte_instr){.kind = kind, .index = index, .args = wick_pte_alloc(p, n, sizeof *args), .n_arg = n};
    if (in->args) memcpy(in->args, args, n * sizeof *args);
    return in->args != NULL;
}

static bool forward(wick_pte *p, wick_pte_method *m, unsigned flags) {
    static wick_pte_operator operators[] = {{"aten::sym_size", "int"}, {"executorch_prim::eq", "Scalar"}, {"aten::add", "out"}};
    static wick_pte_delegate delegate = {.id = "XnnpackBackend", .index = SMALL_SEG_PAYLOAD};
    static int32_t inputs[] = {SMALL_X}, outputs[] = {SMALL_Y};
    static int64_t arenas[] = {0, 256 + 64};
    wick_pte_instr *in = m->instrs = wick_pte_alloc(p, 7, sizeof *in);
    m->name = "forward", m->container_in = "in", m->container_out = "";
    m->operators = operators, m->n_operator = 3;
    m->delegates = &delegate, m->n_delegate = 1;
    m->inputs = inputs, m->n_input = 1, m->outputs = outputs, m->n_output = 1;
    m->arena_sizes = arenas, m->n_arena = 2;
    if (!in || !values(p, m)) return false;
    m->n_instr = flags & SMALL_STRAIGHT ? 5 : 7;
    in[5] = (wick_pte_instr){.kind = WICK_IK_JUMP_FALSE, .index = SMALL_FLAG, .target = 7};
    return call(p, &in[0], WICK_IK_KERNEL, 0, 3, (int32_t[]){SMALL_X, SMALL_I0, SMALL_N}) &&
           call(p, &in[1], WICK_IK_KERNEL, 1, 3, (int32_t[]){SMALL_N, SMALL_I5, SMALL_FLAG}) &&
           call(p, &in[2], WICK_IK_KERNEL, 2, 5, (int32_t[]){SMALL_X, SMALL_C, SMALL_I1, SMALL_T, SMALL_T}) &&
           call(p, &in[3], WICK_IK_DELEGATE, 0, 2, (int32_t[]){SMALL_T, SMALL_U}) &&
           call(p, &in[4], WICK_IK_KERNEL, 2, 5, (int32_t[]){SMALL_U, SMALL_M, SMALL_I1, SMALL_Y, SMALL_Y}) &&
           call(p, &in[6], WICK_IK_KERNEL, 2, 5, (int32_t[]){SMALL_Y, SMALL_M, SMALL_I1, SMALL_Y, SMALL_Y});
}

static void metadata(wick_pte_method *m) {
    static wick_pte_value answer = {.kind = WICK_EV_INT, .i = 42};
    static int32_t outputs[] = {0};
    static int64_t arenas[] = {0};
    *m = (wick_pte_method){.name = "get_answer",
                           .container_in = "",
                           .container_out = "",
                           .values = &answer,
                           .n_value = 1,
                           .outputs = outputs,
                           .n_output = 1,
                           .arena_sizes = arenas,
                           .n_arena = 1};
}

/* ---------------------------------------------------------------- data */

static const wick_xnn *payload(void) {
    static wick_xnn_value v[] = {
        {.dtype = WICK_XD_FP32, .rank = 2, .dims = {5, 4}, .external_id = 0, .flags = 1},
        {.dtype = WICK_XD_FP32, .rank = 2, .dims = {3, 4}, .constant = 1, .external_id = WICK_XNN_NONE},
        {.dtype = WICK_XD_FP32, .rank = 1, .dims = {3}, .constant = 2, .external_id = WICK_XNN_NONE},
        {.dtype = WICK_XD_FP32, .rank = 2, .dims = {5, 3}, .external_id = 1, .flags = 2},
    };
    static wick_xnn_node node = {.op = WICK_XNN_FULLY_CONNECTED,
                                 .n_in = 3,
                                 .in = {0, 1, 2, WICK_XNN_NONE, WICK_XNN_NONE},
                                 .out = 3,
                                 .out2 = WICK_XNN_NONE,
                                 .debug_handle = 7};
    static wick_xnn_constant constants[] = {
        {0}, {.key = "", .size = 48, .key_named = 1}, {.size = 12, .bytes = {(const uint8_t *)b_data, 12}}};
    static const wick_xnn x = {.version = "0",
                               .values = v,
                               .n_value = 4,
                               .nodes = &node,
                               .n_node = 1,
                               .constants = constants,
                               .n_constant = 3,
                               .n_extern = 2,
                               .n_input = 1};
    return &x;
}

static bool segments(wick_pte *p) {
    static uint64_t zero[1] = {0}, at_64[1] = {64}, rows[3] = {0, 16, 32}, constants[2] = {0, 64}, mutables[2] = {0, 0};
    static wick_pte_offsets mutable_data = {SMALL_SEG_MUTABLE, mutables, 2};
    wick_source *pieces = wick_pte_alloc(p, 6, sizeof *pieces);
    wick_pte_segment *s = p->segments = wick_pte_alloc(p, SMALL_N_SEGMENT, sizeof *s);
    p->named = wick_pte_alloc(p, 2, sizeof *p->named);
    if (!pieces || !s || !p->named) return false;
    pieces[0] = (wick_source){16, NULL, read_constant, NULL};
    pieces[1] = wick_source_resident(m_data, sizeof m_data);
    for (intptr_t i = 0; i < 3; i++) pieces[2 + i] = (wick_source){16, NULL, read_filter, (void *)i};
    pieces[5] = wick_source_resident("a note", 6);
    s[SMALL_SEG_CONSTANTS] = (wick_pte_segment){.pieces = &pieces[0], .offsets = at_64, .n_piece = 1, .size = 80};
    s[SMALL_SEG_MUTABLE] = (wick_pte_segment){.pieces = &pieces[1], .offsets = zero, .n_piece = 1, .size = 12, .job = 3};
    s[SMALL_SEG_PAYLOAD] = (wick_pte_segment){.xnn = payload()};
    s[SMALL_SEG_FILTER] = (wick_pte_segment){.pieces = &pieces[2], .offsets = rows, .n_piece = 3, .size = 48, .job = 3};
    s[SMALL_SEG_NOTE] = (wick_pte_segment){.pieces = &pieces[5], .offsets = zero, .n_piece = 1, .size = 6, .alignment = 64};
    p->n_segment = SMALL_N_SEGMENT;
    p->named[0] = (wick_pte_named){wick_pte_strdup(p, "filter.----------------", 23), SMALL_SEG_FILTER, 16};
    p->named[1] = (wick_pte_named){wick_pte_strdup(p, "wick.note", 9), SMALL_SEG_NOTE, 0};
    p->n_named = 2;
    p->has_constant_segment = true;
    p->constants = (wick_pte_offsets){SMALL_SEG_CONSTANTS, constants, 2};
    p->mutables = &mutable_data;
    p->n_mutable = 1;
    return p->named[0].key && p->named[1].key;
}

bool small_program(wick_pte *p, unsigned flags) {
    *p = (wick_pte){0};
    p->methods = wick_pte_alloc(p, 2, sizeof *p->methods);
    if (!p->methods || !segments(p) || !forward(p, &p->methods[0], flags)) return false;
    metadata(&p->methods[1]);
    p->n_method = 2;
    return true;
}
