#include "export/lower_program.h"

#include "base/checked.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *overload, *args;
} operators[] = {
    [WICK_I_UNKNOWN] = {"", "", ""},
#define WICK_INSTR(id, name, overload, args) [WICK_I_##id] = {name, overload, args},
#include "program/instr.def"
};

void wick_lower_fail(wick_lower_state *lw, wick_status status, const char *format, ...) {
    if (lw->status != WICK_OK) return;
    char text[sizeof lw->err->message];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    lw->status = wick_fail(lw->err, status, "%s", text);
}

static void *no_memory(wick_lower_state *lw) {
    if (lw->status == WICK_OK) lw->status = wick_fail_nomem(lw->err);
    return NULL;
}

static void *arena(wick_lower_state *lw, size_t count, size_t size) {
    if (lw->status != WICK_OK) return NULL;
    void *p = wick_pte_alloc(lw->p, count, size);
    return p ? p : no_memory(lw);
}

static void *arena_copy(wick_lower_state *lw, const void *data, size_t count, size_t size) {
    void *p = arena(lw, count, size);
    if (p && count) memcpy(p, data, count * size);
    return p;
}

/* ---------------------------------------------------------------- values */

static int32_t add_value(wick_lower_state *lw, wick_pte_value v) {
    if (lw->status != WICK_OK) return 0;
    if (!WICK_GROW(lw->values, lw->n_value, lw->value_cap) || !WICK_GROW(lw->lives, lw->n_value, lw->life_cap)) {
        no_memory(lw);
        return 0;
    }
    lw->lives[lw->n_value] = (wick_life){.base = -1};
    lw->values[lw->n_value] = v;
    return (int32_t)lw->n_value++;
}

/* Scalars that a program reads: one value for one number. There are about ten, so looking through all values of the right kind is
 * cheap enough only because symbols are rare; a symbol is marked by its life and never found. */
static int32_t scalar(wick_lower_state *lw, wick_pte_value want) {
    for (size_t i = 0; i < lw->n_value; i++) {
        const wick_pte_value *v = &lw->values[i];
        if (v->kind == want.kind && v->i == want.i && v->d == want.d && lw->lives[i].kind == WICK_LIFE_NONE) return (int32_t)i;
    }
    return add_value(lw, want);
}

int32_t wick_lower_int(wick_lower_state *lw, int64_t v) { return scalar(lw, (wick_pte_value){.kind = WICK_EV_INT, .i = v}); }
int32_t wick_lower_bool(wick_lower_state *lw, bool v) { return scalar(lw, (wick_pte_value){.kind = WICK_EV_BOOL, .i = v}); }
int32_t wick_lower_double(wick_lower_state *lw, double v) { return scalar(lw, (wick_pte_value){.kind = WICK_EV_DOUBLE, .d = v}); }
int32_t wick_lower_null(wick_lower_state *lw) { return scalar(lw, (wick_pte_value){.kind = WICK_EV_NULL}); }

int32_t wick_lower_symbol(wick_lower_state *lw) {
    int32_t i = add_value(lw, (wick_pte_value){.kind = WICK_EV_INT});
    if (lw->status == WICK_OK) lw->lives[i].kind = WICK_LIFE_SYMBOL;
    return i;
}

static int32_t list(wick_lower_state *lw, wick_evalue_kind kind, const int32_t *items, uint32_t n) {
    int64_t *wide = arena(lw, n, sizeof *wide);
    if (!wide) return 0;
    for (uint32_t i = 0; i < n; i++) wide[i] = items[i];
    return add_value(lw, (wick_pte_value){.kind = kind, .items = wide, .n = n});
}

int32_t wick_lower_int_list(wick_lower_state *lw, const int32_t *items, uint32_t n) { return list(lw, WICK_EV_INT_LIST, items, n); }
int32_t wick_lower_tensor_list(wick_lower_state *lw, const int32_t *items, uint32_t n) { return list(lw, WICK_EV_TENSOR_LIST, items, n); }

/* ---------------------------------------------------------------- tensors */

int32_t wick_lower_tensor(wick_lower_state *lw, int scalar_type, int rank, const int64_t *dims) {
    wick_pte_tensor *t = arena(lw, 1, sizeof *t);
    if (!t) return 0;
    t->scalar_type = scalar_type;
    t->rank = rank;
    for (int i = 0; i < rank; i++) {
        int64_t n = dims[i] == WICK_BOUND ? lw->g->max_seq_len : dims[i];
        if (n < 0 || n > INT32_MAX) wick_lower_fail(lw, WICK_ELIMIT, "a tensor dimension of %lld does not fit the format", (long long)n);
        t->dims[i] = (int32_t)n;
        t->dim_order[i] = (uint8_t)i;
        if (dims[i] == WICK_BOUND) t->dynamism = WICK_DYNAMIC_BOUND;
    }
    return add_value(lw, (wick_pte_value){.kind = WICK_EV_TENSOR, .tensor = t});
}

int32_t wick_lower_temp(wick_lower_state *lw, int rank, const int64_t *dims) {
    int32_t i = wick_lower_tensor(lw, WICK_ST_FLOAT, rank, dims);
    int64_t now = (int64_t)lw->n_instr;
    if (lw->status == WICK_OK) lw->lives[i] = (wick_life){WICK_LIFE_PLANNED, now, now, -1};
    return i;
}

int32_t wick_lower_cache(wick_lower_state *lw, int rank, const int64_t *dims) {
    int32_t i = wick_lower_tensor(lw, WICK_ST_FLOAT, rank, dims);
    if (lw->status == WICK_OK) lw->lives[i].kind = WICK_LIFE_STATE;
    return i;
}

/* ---------------------------------------------------------------- constants */

static bool same_source(const wick_source *a, const wick_source *b) {
    return a->size == b->size && a->bytes == b->bytes && a->read == b->read && a->user == b->user;
}

/* A constant made of the same sources: a table that is both embedding and head is stored once. 0: none. */
static uint32_t find_constant(const wick_lower_state *lw, const wick_source *pieces, int n_piece) {
    for (size_t i = 0; i < lw->n_constant; i++) {
        size_t first = lw->constant_pieces[i], end = i + 1 < lw->n_constant ? lw->constant_pieces[i + 1] : lw->n_piece;
        if (end - first != (size_t)n_piece) continue;
        int same = 0;
        while (same < n_piece && same_source(&lw->pieces[first + (size_t)same], &pieces[same])) same++;
        if (same == n_piece) return (uint32_t)i + 1;
    }
    return 0;
}

/* Index of the constant in the format's sense: 0 is reserved. */
static uint32_t add_constant(wick_lower_state *lw, const wick_source *pieces, int n_piece) {
    uint32_t found = find_constant(lw, pieces, n_piece);
    if (found) return found;
    uint64_t at = wick_align_up(lw->constants_size, 64);
    if (!WICK_GROW(lw->constant_offsets, lw->n_constant, lw->constant_cap) ||
        !WICK_GROW(lw->constant_pieces, lw->n_constant, lw->constant_piece_cap)) {
        no_memory(lw);
        return 0;
    }
    lw->constant_offsets[lw->n_constant] = at;
    lw->constant_pieces[lw->n_constant++] = (uint32_t)lw->n_piece;
    for (int i = 0; i < n_piece; i++) {
        if (!WICK_GROW(lw->pieces, lw->n_piece, lw->piece_cap) || !WICK_GROW(lw->piece_offsets, lw->n_piece, lw->piece_offset_cap)) {
            no_memory(lw);
            return 0;
        }
        lw->pieces[lw->n_piece] = pieces[i];
        lw->piece_offsets[lw->n_piece++] = at;
        at += pieces[i].size;
    }
    lw->constants_size = at;
    return (uint32_t)lw->n_constant;
}

int32_t wick_lower_constant(wick_lower_state *lw, int scalar_type, int rank, const int64_t *dims, const wick_source *pieces, int n_piece) {
    int32_t i = wick_lower_tensor(lw, scalar_type, rank, dims);
    if (lw->status != WICK_OK) return 0;
    uint64_t n_element, n_byte, given = 0;
    for (int k = 0; k < n_piece; k++) given += pieces[k].size;
    if (!wick_pte_tensor_size(lw->values[i].tensor, &n_element, &n_byte) || n_byte != given)
        wick_lower_fail(lw, WICK_EINTERNAL, "a constant has %llu bytes, its shape another number", (unsigned long long)given);
    if (lw->status != WICK_OK) return 0;
    uint32_t index = add_constant(lw, pieces, n_piece);
    lw->values[i].tensor->data_buffer_idx = index;
    return i;
}

/* ---------------------------------------------------------------- instructions */

static int32_t operator_index(wick_lower_state *lw, wick_instr_op op) {
    for (size_t i = 0; i < lw->n_operator; i++)
        if (lw->operator_ids[i] == (int)op) return (int32_t)i;
    if (!WICK_GROW(lw->operators, lw->n_operator, lw->operator_cap) || !WICK_GROW(lw->operator_ids, lw->n_operator, lw->operator_id_cap)) {
        no_memory(lw);
        return 0;
    }
    lw->operator_ids[lw->n_operator] = (int)op;
    lw->operators[lw->n_operator] = (wick_pte_operator){operators[op].name, operators[op].overload};
    return (int32_t)lw->n_operator++;
}

/* The value, and whatever a view of it shows, is needed by the instruction that comes next. */
static void touch(wick_lower_state *lw, int32_t v) {
    while (lw->lives[v].base >= 0) v = lw->lives[v].base;
    if (lw->lives[v].kind == WICK_LIFE_PLANNED) lw->lives[v].last = (int64_t)lw->n_instr;
    const wick_pte_value *value = &lw->values[v];
    if (value->kind != WICK_EV_TENSOR_LIST) return;
    for (uint32_t i = 0; i < value->n; i++) {
        int32_t item = (int32_t)value->items[i];
        while (lw->lives[item].base >= 0) item = lw->lives[item].base;
        if (lw->lives[item].kind == WICK_LIFE_PLANNED) lw->lives[item].last = (int64_t)lw->n_instr;
    }
}

static void add_instr(wick_lower_state *lw, wick_instr_kind kind, int32_t index, const int32_t *args, int n, bool repeat) {
    int32_t *copy = arena(lw, (size_t)n + repeat, sizeof *copy);
    if (!copy) return;
    memcpy(copy, args, (size_t)n * sizeof *copy);
    if (repeat) copy[n] = args[n - 1];
    for (int i = 0; i < n; i++) touch(lw, args[i]);
    if (!WICK_GROW(lw->instrs, lw->n_instr, lw->instr_cap)) {
        no_memory(lw);
        return;
    }
    lw->instrs[lw->n_instr++] = (wick_pte_instr){.kind = kind, .index = index, .args = copy, .n_arg = (uint32_t)n + repeat};
}

void wick_lower_call(wick_lower_state *lw, wick_instr_op op, const int32_t *args, int n) {
    if (lw->status != WICK_OK) return;
    size_t letters = 0;
    for (const char *p = operators[op].args; *p; p++) letters += *p != '?' && *p != '=';
    bool repeat = strchr(operators[op].args, '=') != NULL;
    if ((size_t)n != letters) {
        wick_lower_fail(lw, WICK_EINTERNAL, "lowering gave %d arguments to %s.%s, which takes %zu", n, operators[op].name,
                        operators[op].overload, letters);
        return;
    }
    int32_t index = operator_index(lw, op);
    add_instr(lw, WICK_IK_KERNEL, index, args, n, repeat);
}

void wick_lower_delegate(wick_lower_state *lw, const wick_xnn *x, const int32_t *args, int n) {
    if (lw->status != WICK_OK) return;
    if (!WICK_GROW(lw->blobs, lw->n_blob, lw->blob_cap) || !WICK_GROW(lw->delegates, lw->n_delegate, lw->delegate_cap)) {
        no_memory(lw);
        return;
    }
    lw->blobs[lw->n_blob++] = (wick_pte_segment){.xnn = x};
    lw->delegates[lw->n_delegate] = (wick_pte_delegate){.id = "XnnpackBackend", .index = (uint32_t)lw->n_blob}; /* segment 0: constants */
    add_instr(lw, WICK_IK_DELEGATE, (int32_t)lw->n_delegate++, args, n, false);
}

/* ---------------------------------------------------------------- named data */

enum { HASH_DIGITS = 16 };

uint32_t wick_lower_named(wick_lower_state *lw, const char *name, bool hashed, const wick_source *pieces, int n_piece, uint32_t job) {
    size_t n = strlen(name);
    char *key = arena(lw, n + 1 + HASH_DIGITS + 1, 1);
    wick_source *copy = arena_copy(lw, pieces, (size_t)n_piece, sizeof *pieces);
    uint64_t *offsets = arena(lw, (size_t)n_piece, sizeof *offsets), at = 0;
    if (lw->status != WICK_OK) return 0;
    memcpy(key, name, n);
    if (hashed) {
        key[n] = '.';
        memset(key + n + 1, '0', HASH_DIGITS);
    }
    for (int i = 0; i < n_piece; i++) {
        offsets[i] = at;
        at += pieces[i].size;
    }
    if (!WICK_GROW(lw->named, lw->n_named, lw->named_cap) || !WICK_GROW(lw->named_segments, lw->n_named, lw->named_segment_cap)) {
        no_memory(lw);
        return 0;
    }
    lw->named[lw->n_named] = (wick_pte_named){.key = key, .hash_size = hashed ? HASH_DIGITS : 0};
    lw->named_segments[lw->n_named] =
        (wick_pte_segment){.pieces = copy, .offsets = offsets, .n_piece = (uint32_t)n_piece, .size = at, .job = job};
    return (uint32_t)++lw->n_named;
}
