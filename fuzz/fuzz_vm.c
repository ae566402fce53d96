/* Running what the reader accepts: every method of a program takes a few steps in the vm, whole and in pieces. */
#include "base/mem.h"
#include "fuzz.h"
#include "vm/vm.h"

#include <stdlib.h>

enum { MAX_INPUTS = 8, MAX_OUTPUTS = 16, MAX_ELEMENTS = 4096 };

static void need_sentence(wick_status status, const wick_error *err) {
    if (status != WICK_OK && !err->message[0]) abort();
}

/* Three tokens for what is dynamic, the exact shape for what is not; small numbers in it. */
static bool make_input(const wick_pte_tensor *t, int64_t position, wick_vm_tensor *in, int64_t *space) {
    uint64_t n = 1;
    *in = (wick_vm_tensor){.scalar_type = t->scalar_type, .rank = t->rank, .data = space};
    for (int i = 0; i < t->rank; i++) {
        in->dims[i] = t->dynamism != WICK_STATIC && t->dims[i] > 3 ? 3 : t->dims[i];
        if (in->dims[i] < 0 || n * (uint64_t)in->dims[i] > MAX_ELEMENTS) return false;
        n *= (uint64_t)in->dims[i];
    }
    for (int i = 0; i < MAX_ELEMENTS; i++) space[i] = position + i;
    return true;
}

static void run(const wick_program *p, const wick_program_method *m) {
    static int64_t space[MAX_INPUTS][MAX_ELEMENTS];
    wick_vm_tensor in[MAX_INPUTS] = {{0}}, out[MAX_OUTPUTS];
    wick_error err = {0};
    wick_vm *vm;
    uint32_t n_input = m->pte->n_input, n_output = m->pte->n_output;
    if (n_input > MAX_INPUTS || n_output > MAX_OUTPUTS) return;
    wick_status status = wick_vm_new(p, m, &vm, &err);
    need_sentence(status, &err);
    if (status != WICK_OK) return;
    for (int step = 0; step < 2; step++) {
        bool fits = true;
        for (uint32_t i = 0; i < n_input; i++) {
            const wick_pte_value *v = &m->pte->values[m->pte->inputs[i]];
            if (v->kind == WICK_EV_TENSOR) fits = make_input(v->tensor, i ? 3 * step : 0, &in[i], space[i]) && fits;
        }
        if (fits) need_sentence(wick_vm_run(vm, in, n_input, out, n_output, &err), &err);
    }
    wick_vm_reset(vm);
    need_sentence(wick_vm_integers(vm, 2, 1, &err), &err);
    for (uint32_t i = 0; i < m->pte->n_instr && i < 256; i++) {
        const wick_pte_instr *instr = &m->pte->instrs[i];
        uint32_t n_node = instr->kind == WICK_IK_DELEGATE ? m->delegates[instr->index].n_node : 0;
        for (uint32_t k = 0; k < n_node && k < 16; k++) need_sentence(wick_vm_step(vm, (int32_t)i, (int32_t)k, &err), &err);
        if (!n_node) need_sentence(wick_vm_step(vm, (int32_t)i, -1, &err), &err);
    }
    wick_vm_free(vm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wick_program *p;
    wick_program_options options = {0};
    wick_mem_budget((uint64_t)256 << 20);
    if (wick_program_open_memory((wick_bytes){data, size}, "input", &options, &p, NULL) == WICK_OK) {
        for (uint32_t i = 0; i < p->pte.n_method; i++)
            if (!p->methods[i].is_metadata) run(p, &p->methods[i]);
        wick_program_close(p);
    }
    wick_mem_budget(0);
    return 0;
}
