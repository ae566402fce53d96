#include "support/vm_case.h"

#include "base/half.h"

#include <math.h>

/* ---------------------------------------------------------------- building */

static wick_pte_value *add(vm_case *c, wick_evalue_kind kind) {
    assert_true(c->n_value < VM_CASE_VALUES);
    wick_pte_value *v = &c->values[c->n_value++];
    *v = (wick_pte_value){.kind = kind};
    return v;
}
static int32_t last(const vm_case *c) { return (int32_t)c->n_value - 1; }

int32_t vm_case_tensor(vm_case *c, int type, int rank, const int32_t *dims) {
    wick_pte_value *v = add(c, WICK_EV_TENSOR);
    wick_pte_tensor *t = &c->tensors[last(c)];
    *t = (wick_pte_tensor){.scalar_type = type, .rank = rank, .dynamism = WICK_DYNAMIC_BOUND, .memory_id = c->n_value};
    assert_in_range(rank, 0, WICK_MAX_RANK);
    for (int i = 0; i < WICK_MAX_RANK; i++) t->dims[i] = i < rank ? dims[i] : 0, t->dim_order[i] = (uint8_t)i;
    v->tensor = t;
    return last(c);
}
int32_t vm_case_int(vm_case *c, int64_t v) { return add(c, WICK_EV_INT)->i = v, last(c); }
int32_t vm_case_double(vm_case *c, double v) { return add(c, WICK_EV_DOUBLE)->d = v, last(c); }
int32_t vm_case_null(vm_case *c) { return add(c, WICK_EV_NULL), last(c); }

static int32_t add_list(vm_case *c, wick_evalue_kind kind, int n, const int64_t *items) {
    wick_pte_value *v = add(c, kind);
    v->n = (uint32_t)n;
    v->items = malloc((size_t)n * sizeof *items + 1);
    assert_non_null(v->items);
    if (n) memcpy(v->items, items, (size_t)n * sizeof *items);
    return last(c);
}

int32_t vm_case_ints(vm_case *c, int n, const int64_t *list) {
    int64_t items[VM_CASE_VALUES];
    for (int i = 0; i < n; i++) items[i] = vm_case_int(c, list[i]);
    return add_list(c, WICK_EV_INT_LIST, n, items);
}

int32_t vm_case_tensors(vm_case *c, int n, const int32_t *values) {
    int64_t items[VM_CASE_VALUES];
    for (int i = 0; i < n; i++) items[i] = values[i];
    return add_list(c, WICK_EV_OPTIONAL_TENSOR_LIST, n, items);
}

void vm_case_arg(vm_case *c, int32_t value) { c->args[c->n_arg++] = value; }

/* ---------------------------------------------------------------- running */

static size_t bytes_of(const wick_pte_tensor *t) {
    size_t n = wick_scalar_size(t->scalar_type);
    for (int i = 0; i < t->rank; i++) n *= (size_t)t->dims[i];
    return n;
}

wick_status vm_case_open(vm_case *c, wick_error *err) {
    const char *dot = strchr(c->name, '.');
    snprintf(c->op_name, sizeof c->op_name, "%.*s", dot ? (int)(dot - c->name) : (int)strlen(c->name), c->name);
    c->op = (wick_pte_operator){c->op_name, dot ? dot + 1 : ""};
    c->ops[0] = wick_instr_op_find(c->op.name, c->op.overload);
    c->instr = (wick_pte_instr){.kind = WICK_IK_KERNEL, .args = c->args, .n_arg = c->n_arg};
    for (uint32_t i = 0; i < c->n_value; i++)
        c->arenas[i + 1] = c->values[i].kind == WICK_EV_TENSOR ? (int64_t)bytes_of(&c->tensors[i]) : 0;
    c->method = (wick_pte_method){.name = "test",
                                  .values = c->values,
                                  .n_value = c->n_value,
                                  .instrs = &c->instr,
                                  .n_instr = 1,
                                  .operators = &c->op,
                                  .n_operator = 1,
                                  .arena_sizes = c->arenas,
                                  .n_arena = c->n_value + 1};
    c->program_method = (wick_program_method){.pte = &c->method, .ops = c->ops};
    wick_status status = wick_vm_new(&c->program, &c->program_method, &c->vm, err);
    if (status != WICK_OK) return status;
    for (uint32_t i = 0; i < c->n_value; i++) {
        wick_vm_tensor t;
        if (c->values[i].kind != WICK_EV_TENSOR || !c->content[i] || c->expected[i]) continue;
        WICK_TRY(wick_vm_value(c->vm, (int32_t)i, &t, err));
        if (bytes_of(&c->tensors[i])) memcpy(t.data, c->content[i], bytes_of(&c->tensors[i]));
    }
    return WICK_OK;
}

wick_status vm_case_run(vm_case *c, wick_error *err) {
    WICK_TRY(vm_case_open(c, err));
    return wick_vm_step(c->vm, 0, -1, err);
}

void vm_case_close(vm_case *c) {
    wick_vm_free(c->vm);
    c->vm = NULL;
}

void vm_case_release(vm_case *c) {
    vm_case_close(c);
    for (uint32_t i = 0; i < c->n_value; i++) {
        free(c->content[i]);
        free(c->values[i].items);
        free((char *)c->values[i].s);
    }
    memset(c, 0, sizeof *c);
}

/* ---------------------------------------------------------------- vectors */

static const struct {
    const char *name;
    int type;
} types[] = {{"f32", WICK_ST_FLOAT}, {"f64", WICK_ST_DOUBLE}, {"f16", WICK_ST_HALF}, {"bf16", WICK_ST_BFLOAT16}, {"i64", WICK_ST_LONG},
             {"i32", WICK_ST_INT},   {"i8", WICK_ST_CHAR},    {"u8", WICK_ST_BYTE},  {"b8", WICK_ST_BOOL}};

static bool is_real(int type) {
    return type == WICK_ST_FLOAT || type == WICK_ST_DOUBLE || type == WICK_ST_HALF || type == WICK_ST_BFLOAT16;
}

static void put(void *data, int type, size_t i, const char *text, char **end) {
    double d = is_real(type) ? strtod(text, end) : 0;
    long long n = is_real(type) ? 0 : strtoll(text, end, 10);
    switch (type) {
    case WICK_ST_FLOAT: ((float *)data)[i] = (float)d; break;
    case WICK_ST_DOUBLE: ((double *)data)[i] = d; break;
    case WICK_ST_HALF: ((uint16_t *)data)[i] = wick_f32_to_f16((float)d); break;
    case WICK_ST_BFLOAT16: ((uint16_t *)data)[i] = wick_f32_to_bf16((float)d); break;
    case WICK_ST_LONG: ((int64_t *)data)[i] = n; break;
    case WICK_ST_INT: ((int32_t *)data)[i] = (int32_t)n; break;
    default: ((uint8_t *)data)[i] = (uint8_t)n; break;
    }
}

static double get(const void *data, int type, size_t i) {
    switch (type) {
    case WICK_ST_FLOAT: return ((const float *)data)[i];
    case WICK_ST_DOUBLE: return ((const double *)data)[i];
    case WICK_ST_HALF: return wick_f16_to_f32(((const uint16_t *)data)[i]);
    case WICK_ST_BFLOAT16: return wick_bf16_to_f32(((const uint16_t *)data)[i]);
    case WICK_ST_LONG: return (double)((const int64_t *)data)[i];
    case WICK_ST_INT: return ((const int32_t *)data)[i];
    case WICK_ST_CHAR: return ((const int8_t *)data)[i];
    default: return ((const uint8_t *)data)[i];
    }
}

/* "T type dims : values" */
static int32_t read_tensor(vm_case *c, const char *line) {
    char type_name[8], dims_text[64];
    int32_t dims[WICK_MAX_RANK];
    int type = -1, rank = 0;
    assert_int_equal(sscanf(line, "%*c %7s %63s :", type_name, dims_text), 2);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (!strcmp(types[i].name, type_name)) type = types[i].type;
    for (char *p = dims_text; *p && *p != '-'; p += *p == ',') dims[rank++] = (int32_t)strtol(p, &p, 10);
    int32_t v = vm_case_tensor(c, type, rank, dims);
    size_t n = bytes_of(&c->tensors[v]) / wick_scalar_size(type);
    c->content[v] = calloc(n + 1, 8);
    assert_non_null(c->content[v]);
    char *at = strchr(line, ':') + 1;
    for (size_t i = 0; i < n; i++) put(c->content[v], type, i, at, &at);
    c->expected[v] = line[0] == 't';
    return v;
}

static int32_t read_ints(vm_case *c, char *at) {
    int64_t list[32];
    int n = 0;
    for (char *end; n < 32; n++, at = end) {
        list[n] = strtoll(at, &end, 10);
        if (end == at) break;
    }
    return vm_case_ints(c, n, list);
}

static int32_t read_value(vm_case *c, char *line, size_t size, FILE *f) {
    char kind = line[0];
    if (kind == 'T' || kind == 't') return read_tensor(c, line);
    if (kind == 'L') return read_ints(c, line + 1);
    if (kind == 'D') return vm_case_double(c, strtod(line + 1, NULL));
    if (kind == 'N') return vm_case_null(c);
    if (kind == 'I') return vm_case_int(c, strtoll(line + 1, NULL, 10));
    if (kind == 'X') {
        int32_t values[32];
        int n = atoi(line + 1);
        for (int i = 0; i < n; i++) {
            assert_non_null(fgets(line, (int)size, f));
            values[i] = line[0] == 'N' ? -1 : read_tensor(c, line);
        }
        return vm_case_tensors(c, n, values);
    }
    wick_pte_value *v = add(c, kind == 'B' ? WICK_EV_BOOL : WICK_EV_STRING);
    v->i = atoi(line + 1);
    if (kind == 'S') v->s = strdup(line + 2);
    return last(c);
}

bool vm_case_read(vm_case *c, FILE *f) {
    static char line[1 << 16];
    memset(c, 0, sizeof *c);
    if (!fgets(line, sizeof line, f)) return false;
    assert_int_equal(sscanf(line, "op %lf %127s", &c->tolerance, c->name), 2);
    while (fgets(line, sizeof line, f) && strncmp(line, "end", 3)) {
        line[strcspn(line, "\n")] = 0;
        int32_t v = read_value(c, line, sizeof line, f); /* before args: lists make values of their own */
        vm_case_arg(c, v);
    }
    return true;
}

static void check_tensor(const vm_case *c, uint32_t value) {
    const wick_pte_tensor *want = &c->tensors[value];
    wick_vm_tensor got;
    assert_ok(wick_vm_value(c->vm, (int32_t)value, &got, err));
    size_t n = bytes_of(want) / wick_scalar_size(want->scalar_type);
    for (int i = 0; i < want->rank; i++)
        if (got.dims[i] != want->dims[i]) fail_msg("%s: dimension %d is %d, expected %d", c->name, i, got.dims[i], want->dims[i]);
    for (size_t i = 0; i < n; i++) {
        double a = get(got.data, want->scalar_type, i), b = get(c->content[value], want->scalar_type, i);
        bool whole = !is_real(want->scalar_type);
        bool same = whole
                        ? !memcmp((char *)got.data + i * wick_scalar_size(want->scalar_type),
                                  (char *)c->content[value] + i * wick_scalar_size(want->scalar_type), wick_scalar_size(want->scalar_type))
                        : a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= c->tolerance * fmax(1, fabs(b));
        if (!same) fail_msg("%s: element %zu is %.9g, expected %.9g", c->name, i, a, b);
    }
}

void vm_case_check(const vm_case *c) {
    for (uint32_t i = 0; i < c->n_value; i++)
        if (c->expected[i]) check_tensor(c, i);
}
