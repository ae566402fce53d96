/* What libFuzzer does to programs between two runs: mostly numbers of the structure (places.h), so that the file stays one that
 * readers go deep into; now and then bytes anywhere. */
#include "fuzz.h"

#include "places.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

static uint64_t next(uint64_t *state) {
    *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
    return *state >> 11;
}

static void change(const places *p, uint8_t *data, size_t size, uint64_t *state) {
    size_t i = next(state) % p->n;
    const place *at = &p->items[i];
    unsigned k = (unsigned)(next(state) % (PLACE_N_TRY + 4));
    if (k < PLACE_N_TRY)
        place_try(p, i, k, data, size);
    else if (k < PLACE_N_TRY + 2)
        place_store(at, data, next(state) % 64);
    else
        place_store(at, data, place_load(&p->items[next(state) % p->n], data));
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    uint64_t state = 88172645463325252u ^ ((uint64_t)seed << 20 | seed);
    places p;
    if (next(&state) % 8 == 0 || !places_find(data, size, &p)) return LLVMFuzzerMutate(data, size, max_size);
    for (uint64_t n = p.n ? 1 + next(&state) % 3 : 0; n; n--) change(&p, data, size, &state);
    if (!p.n) size = LLVMFuzzerMutate(data, size, max_size);
    places_release(&p);
    return size;
}
