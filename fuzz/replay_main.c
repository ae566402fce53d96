/* Runs a fuzzer without libFuzzer: over every file of a corpus folder, over shortened copies of each and over copies with
 * single bits flipped (the same ones every time). Input is copied to a block of exactly its size, so that AddressSanitizer
 * sees any read past the end. */
#include "fuzz.h"

#include "base/os.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVERY_CUT = 4096, N_CUT = 400, N_FLIP = 800 }; /* short seeds are cut at every byte, others N_CUT times */

static size_t n_run;

static void run(const uint8_t *data, size_t size) {
    uint8_t *copy = calloc(size ? size : 1, 1);
    if (!copy) abort();
    if (size) memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    n_run++;
}

static void mutate(uint8_t *data, size_t size) {
    size_t n_cut = size <= EVERY_CUT ? size : N_CUT;
    for (size_t i = 0; i < n_cut; i++) run(data, size * i / n_cut);
    uint64_t state = 88172645463325252u;
    for (int i = 0; i < N_FLIP && size; i++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        /* Half of the flips near the start, where headers and tables of contents are. */
        size_t range = i % 2 && size > 512 ? 512 : size, at = (size_t)(state >> 8) % range;
        uint8_t bit = (uint8_t)(1u << (state & 7));
        data[at] ^= bit;
        run(data, size);
        data[at] ^= bit;
    }
}

static bool file(void *user, const char *name) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", (const char *)user, name);
    wick_mapping m;
    wick_error err;
    if (name[0] == '.') return true;
    if (wick_os_map(path, true, &m, &err) != WICK_OK) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    run(m.data, m.size);
    mutate((uint8_t *)(uintptr_t)m.data, m.size);
    wick_os_unmap(&m);
    return true;
}

int main(int argc, char **argv) {
    wick_error err;
    if (argc != 2) {
        fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
        return 2;
    }
    run(NULL, 0);
    if (wick_os_list(argv[1], file, argv[1], &err) != WICK_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("%zu inputs\n", n_run);
    return 0;
}
