/* GGUF files, as containers and as checkpoints. */
#include "fuzz_container.h"

#include "export/checkpoint.h"
#include "export/quantize.h"

#include <stdlib.h>

static double sum;

/* A checkpoint that opens has every weight that its architecture needs: the parts can be made, and small ones read. */
static void use_checkpoint(const wick_checkpoint *c) {
    wick_quantizer *z;
    wick_error err = {0};
    if (wick_quantizer_new(WICK_DTYPE_KEEP, NULL, &z, &err) != WICK_OK) return;
    for (int r = 0; r < WICK_N_ROLE; r++) {
        const wick_weight *w = r < WICK_ROLE_ATTN_NORM ? &c->weights[r] : &c->layers[c->arch.n_layer - 1].weights[r];
        wick_part part;
        if (!wick_weight_present(w)) continue;
        if (wick_quantizer_part(z, w, wick_scheme_fp32(), false, &part, &err) != WICK_OK) continue;
        if (part.data.size > 1 << 20) continue;
        float *x = malloc((size_t)part.data.size);
        if (x && part.data.read(part.data.user, x, &err) == WICK_OK) sum += (double)x[0];
        free(x);
    }
    wick_quantizer_free(z);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wick_checkpoint *c;
    wick_error err = {0};
    fuzz_container(data, size);
    wick_status status = wick_checkpoint_open_memory((wick_bytes){data, size}, "input", &c, &err);
    if (status != WICK_OK && !err.message[0]) abort();
    if (status == WICK_OK) use_checkpoint(c);
    wick_checkpoint_close(c);
    return 0;
}
