/* tool_small_program OUT: writes the program of tests/support/small_program.h. */
#include "support/small_program.h"

#include <stdio.h>

int main(int argc, char **argv) {
    wick_pte p;
    wick_error err = {0};
    wick_pte_write_options options = {.sha256 = &small_sha256};
    if (argc != 2 || !small_program(&p, 0)) return 2;
    wick_status status = wick_pte_write(&p, argv[1], &options, &err);
    wick_pte_release(&p);
    if (status == WICK_OK) return 0;
    fprintf(stderr, "%s\n", err.message);
    return 1;
}
