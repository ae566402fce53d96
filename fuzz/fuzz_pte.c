/* Whole `.pte` files: reading, checking, parsing of delegates, and everything that consumers look up. */
#include "fuzz.h"
#include "program/program.h"

#include <stdlib.h>

static uint64_t sum;

static void look(wick_bytes b) {
    if (b.size) sum += b.data[0] + b.data[b.size - 1];
}

static void use(const wick_program *p) {
    wick_bytes bytes;
    for (uint32_t i = 0; i < p->pte.n_method; i++) {
        const wick_pte_method *m = p->methods[i].pte;
        for (uint32_t k = 0; k < m->n_value; k++) {
            const wick_pte_value *v = &m->values[k];
            if (v->kind != WICK_EV_TENSOR) continue;
            if (wick_program_constant(p, v->tensor, &bytes)) look(bytes);
            if (wick_program_initial(p, v->tensor, &bytes)) look(bytes);
        }
        for (uint32_t k = 0; k < m->n_delegate; k++) {
            const wick_xnn *x = &p->methods[i].delegates[k];
            for (uint32_t j = 1; j < x->n_constant; j++) look(x->constants[j].bytes);
            for (uint32_t j = 0; j < x->n_node; j++)
                if (x->nodes[j].out >= x->n_value) abort();
        }
    }
    for (uint32_t i = 0; i < p->pte.n_named; i++)
        if (!wick_pte_named_find(&p->pte, p->pte.named[i].key, &bytes)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (int allow = 0; allow < 2; allow++) {
        wick_program *p;
        wick_program_options options = {.allow_unknown = allow};
        wick_error err = {0};
        wick_status status = wick_program_open_memory((wick_bytes){data, size}, "input", &options, &p, &err);
        if (status == WICK_OK) {
            use(p);
            wick_error plan;
            (void)wick_pte_check(&p->pte, "input", WICK_CHECK_PLAN | WICK_CHECK_ALLOW_UNKNOWN, &plan);
            wick_program_close(p);
        } else if (!err.message[0]) {
            abort();
        }
    }
    return 0;
}
