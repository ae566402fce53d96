/* tool_rewrite [payloads] IN OUT: reads a program and writes it again; with "payloads", XNNPACK delegates are serialized anew
 * from what was read of them, else their bytes are kept. Data files are not needed: their keys are kept. */
#include "program/program.h"

#include <stdio.h>

static void renew_payloads(wick_program *p) {
    for (uint32_t i = 0; i < p->pte.n_method; i++) {
        const wick_program_method *m = &p->methods[i];
        for (uint32_t k = 0; k < m->pte->n_delegate; k++) {
            const wick_pte_delegate *d = &m->pte->delegates[k];
            if (d->inline_data || strcmp(d->id, "XnnpackBackend") != 0) continue;
            wick_pte_segment *s = &p->pte.segments[d->index];
            s->xnn = &m->delegates[k];
            s->n_piece = 0;
        }
    }
}

int main(int argc, char **argv) {
    wick_error err = {0};
    wick_program *p = NULL;
    wick_program_options options = {.allow_unknown = true};
    bool payloads = argc == 4 && strcmp(argv[1], "payloads") == 0;
    if (argc != 3 + payloads) return 2;
    wick_status status = wick_program_open(argv[1 + payloads], &options, &p, &err);
    if (status == WICK_OK && payloads) renew_payloads(p);
    if (status == WICK_OK) status = wick_pte_write(&p->pte, argv[2 + payloads], NULL, &err);
    wick_program_close(p);
    if (status == WICK_OK) return 0;
    fprintf(stderr, "%s\n", err.message);
    return 1;
}
