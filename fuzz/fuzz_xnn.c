/* XNNPACK payloads on their own; named data is absent, so keys resolve to nothing. */
#include "fuzz.h"
#include "program/xnn.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (int allow = 0; allow < 2; allow++) {
        wick_pte p = {0};
        wick_xnn x;
        wick_error err = {0};
        wick_status status = wick_xnn_read(&p, NULL, (wick_bytes){data, size}, "input", allow, &x, &err);
        if (status == WICK_OK) status = wick_xnn_check_scales(&x, "input", &err);
        if (status != WICK_OK && !err.message[0]) abort();
        if (status == WICK_OK)
            for (uint32_t i = 0; i < x.n_node; i++)
                for (int k = 0; k < x.nodes[i].n_in; k++)
                    if (x.nodes[i].in[k] >= x.n_value && x.nodes[i].in[k] != WICK_XNN_NONE) abort();
        wick_pte_release(&p);
    }
    return 0;
}
