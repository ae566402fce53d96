/* dump_raise FILE.pte [METHOD] [DATA.ptd...]: prints the graph that raise makes of a program and what it left. For looking at by people. */
#include "base/os.h"
#include "raise/raise.h"

#include <stdio.h>

int main(int argc, char **argv) {
    wick_error err = {0};
    wick_program *p = NULL;
    wick_raised raised = {0};
    wick_strbuf text = {0};
    if (argc < 2) return fprintf(stderr, "usage: dump_raise FILE.pte [METHOD] [DATA.ptd...]\n"), 2;
    wick_program_options options = {.data_paths = (const char *const *)argv + 3, .n_data_path = argc > 3 ? (size_t)(argc - 3) : 0};
    double start = wick_os_seconds();
    wick_status status = wick_program_open(argv[1], &options, &p, &err);
    const wick_program_method *method = status == WICK_OK ? wick_program_method_find(p, argc > 2 ? argv[2] : "forward") : NULL;
    if (status == WICK_OK && !method) status = wick_fail(&err, WICK_ENOTFOUND, "there is no such method");
    double opened = wick_os_seconds();
    if (status == WICK_OK) status = wick_raise(p, method, &raised, &err);
    if (status == WICK_OK) {
        double done = wick_os_seconds();
        wick_graph_print(raised.graph, &text);
        fputs(text.data, stdout);
        for (size_t i = 0; i < raised.n_left; i++) {
            const wick_left *l = &raised.left[i];
            printf("left @%d.%d %s: %s\n", l->origin.instruction, l->origin.xnn_node, l->op, l->reason);
        }
        printf("%zu nodes, %zu left; layers %lld, sequence %lld, context %lld, vocabulary %lld\n", raised.graph->n_node, raised.n_left,
               (long long)raised.graph->n_layer, (long long)raised.graph->max_seq_len, (long long)raised.graph->max_context,
               (long long)raised.graph->n_vocab);
        fprintf(stderr, "open %.1f ms, raise %.1f ms\n", (opened - start) * 1e3, (done - opened) * 1e3);
    } else {
        fprintf(stderr, "%s\n", err.message);
    }
    wick_strbuf_release(&text);
    wick_raised_release(&raised);
    wick_program_close(p);
    return status != WICK_OK;
}
