/* `.ptd` data files. */
#include "fuzz.h"
#include "program/ptd.h"

#include <stdlib.h>

static uint64_t sum;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wick_ptd_set set = {0};
    wick_error err = {0};
    wick_status status = wick_ptd_add_memory(&set, (wick_bytes){data, size}, "input", &err);
    if (status != WICK_OK && !err.message[0]) abort();
    for (size_t i = 0; i < set.n_entry; i++) {
        const wick_ptd_entry *e = &set.entries[i];
        if (wick_ptd_find(&set, e->key) != e) abort();
        if (e->data.size) sum += e->data.data[0] + e->data.data[e->data.size - 1];
    }
    wick_ptd_release(&set);
    return 0;
}
