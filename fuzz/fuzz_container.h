/* fuzz_container.h: opens a container and touches all that it promises: what the fuzzers of the three formats share. */
#ifndef WICK_FUZZ_CONTAINER_H
#define WICK_FUZZ_CONTAINER_H

#include "fuzz.h"

#include "container/container.h"

#include <math.h>
#include <stdlib.h>

static double sum; /* so that what is read is used */

static inline void fuzz_container(const uint8_t *data, size_t size) {
    wick_container *c;
    wick_error err = {0};
    if (wick_container_open_memory((wick_bytes){data, size}, "input", &c, &err) != WICK_OK) {
        if (c || !err.message[0]) abort();
        return;
    }
    for (size_t i = 0; i < c->n_tensor; i++) {
        const wick_tensor *t = &c->tensors[i];
        uint64_t n = wick_tensor_count(t);
        float x[64];
        if (wick_container_find(c, t->name) != t || t->size > size) abort();
        for (uint64_t from = 0; from + 32 <= n && from < 4096; from += 32)
            if (wick_tensor_to_f32(t, from, 32, x, &err) == WICK_OK) sum += (double)x[31];
        if (n >= 32 && wick_tensor_to_f32(t, (n - 32) / 32 * 32, 32, x, &err) == WICK_OK) sum += (double)x[0];
    }
    for (size_t i = 0; i < c->n_meta; i++) {
        wick_meta_item item;
        if (wick_container_meta(c, c->metas[i].key) != &c->metas[i]) abort();
        for (uint64_t at = 0; wick_meta_next(&c->metas[i], &at, &item);)
            if (item.s.size) sum += item.s.data[item.s.size - 1];
    }
    wick_container_close(c);
}

#endif
