/* Runs a fuzzer without libFuzzer: over every file of a corpus folder, over shortened copies of each, over copies with single bits
 * flipped and, for programs, over copies with one number of their structure changed (the same ones every time). Input is copied to a
 * block of exactly its size, so that AddressSanitizer sees any read past the end.
 *
 * usage: replay CORPUS [TRIES]: at most TRIES changed numbers per seed, spread evenly, and half as many cuts and flips (default: all
 * numbers). */
#include "fuzz.h"

#include "base/os.h"
#include "places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVERY_CUT = 4096, N_CUT = 400, N_FLIP = 800 }; /* short seeds are cut at every byte, others N_CUT times and at edges */

static size_t n_run, max_tries = SIZE_MAX;
/* What is being run, for whoever looks at a crash. */
static struct {
    const char *seed, *how, *table, *field;
    size_t at, number;
} now;

/* AddressSanitizer's, where it is linked in. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void tell(void) {
    fprintf(stderr, "%s: %s at byte %zu (%s %s, number %zu)\n", now.seed, now.how, now.at, now.table, now.field, now.number);
}

static void run(const uint8_t *data, size_t size) {
    uint8_t *copy = calloc(size ? size : 1, 1);
    if (!copy) abort();
    if (size) memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    n_run++;
}

static void note(const char *how, size_t at, const place *p, size_t number) {
    now.how = how, now.at = at, now.number = number;
    now.table = p ? p->table : "", now.field = p ? p->field : "";
}

static void cut(uint8_t *data, size_t size, const places *p) {
    size_t n = size <= EVERY_CUT ? size : N_CUT, n_edge = size <= EVERY_CUT ? 0 : p->n_edge, step = 1;
    if (n > max_tries / 4) n = max_tries / 4;
    while (n_edge / step > max_tries / 12) step++;
    for (size_t i = 0; i < n; i++) note("cut", size * i / n, NULL, 0), run(data, now.at);
    for (size_t i = 0; i < n_edge; i += step)
        for (uint64_t at = p->edges[i] ? p->edges[i] - 1 : 0; at <= p->edges[i] + 1 && at < size; at++)
            note("cut", (size_t)at, NULL, 0), run(data, now.at);
}

static void flip(uint8_t *data, size_t size) {
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i < N_FLIP && i < max_tries / 4 && size; i++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        /* Half of the flips near the start, where headers and tables of contents are. */
        size_t range = i % 2 && size > 512 ? 512 : size, at = (size_t)(state >> 8) % range;
        uint8_t bit = (uint8_t)(1u << (state & 7));
        note("flipped", at, NULL, bit);
        data[at] ^= bit;
        run(data, size);
        data[at] ^= bit;
    }
}

static void change(uint8_t *data, size_t size, const places *p) {
    size_t all = p->n * PLACE_N_TRY, n = all < max_tries ? all : max_tries;
    for (size_t i = 0; i < n; i++) {
        /* Evenly spread; the value goes on by one from place to place. */
        size_t k = n == all ? i : (size_t)((unsigned long long)all * i / n), number = (n == all ? k : i) % PLACE_N_TRY;
        const place *at = &p->items[k / PLACE_N_TRY];
        uint64_t was = place_load(at, data);
        note("changed", (size_t)at->at, at, number);
        if (place_try(p, k / PLACE_N_TRY, (unsigned)number, data, size)) run(data, size);
        place_store(at, data, was);
    }
}

static bool file(void *user, const char *name) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", (const char *)user, name);
    wick_mapping m;
    wick_error err;
    places p;
    if (name[0] == '.') return true;
    if (wick_os_map(path, true, &m, &err) != WICK_OK) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    uint8_t *data = (uint8_t *)(uintptr_t)m.data;
    if (!places_find(data, m.size, &p)) abort();
    now.seed = path;
    note("as it is", 0, NULL, 0);
    run(data, m.size);
    cut(data, m.size, &p);
    flip(data, m.size);
    change(data, m.size, &p);
    places_release(&p);
    wick_os_unmap(&m);
    return true;
}

int main(int argc, char **argv) {
    wick_error err;
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s CORPUS [TRIES]\n", argv[0]);
        return 2;
    }
    if (argc == 3) max_tries = (size_t)strtoull(argv[2], NULL, 10);
    if (__sanitizer_set_death_callback) __sanitizer_set_death_callback(tell);
    now.seed = "empty", note("as it is", 0, NULL, 0);
    run(NULL, 0);
    if (wick_os_list(argv[1], file, argv[1], &err) != WICK_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("%zu inputs\n", n_run);
    return 0;
}
