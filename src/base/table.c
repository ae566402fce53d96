#include "base/table.h"

#include "base/mem.h"

#include <string.h>

uint64_t wick_hash(const void *data, size_t size, uint64_t seed) {
    const unsigned char *p = data;
    uint64_t h = 0xcbf29ce484222325u ^ seed;
    for (size_t i = 0; i < size; i++) h = (h ^ p[i]) * 0x100000001b3u;
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
    return h ^ h >> 32;
}

/* The address of a function differs from run to run where addresses are randomised: key enough against prepared names. */
static uint64_t key_of_process(void) { return (uint64_t)(uintptr_t)&wick_hash * 0x9e3779b97f4a7c15u; }

static wick_table_slot *find(const wick_table *t, const void *key, size_t size, uint64_t hash) {
    for (size_t i = (size_t)hash & (t->cap - 1);; i = (i + 1) & (t->cap - 1)) {
        wick_table_slot *s = &t->slots[i];
        if (!s->key || (s->hash == hash && s->size == size && memcmp(s->key, key, size) == 0)) return s;
    }
}

static bool grow(wick_table *t) {
    wick_table bigger = {.cap = t->cap ? t->cap * 2 : 16};
    bigger.slots = WICK_NEW_ARRAY(wick_table_slot, bigger.cap);
    if (!bigger.slots) return false;
    for (size_t i = 0; i < t->cap; i++)
        if (t->slots[i].key) *find(&bigger, t->slots[i].key, t->slots[i].size, t->slots[i].hash) = t->slots[i];
    wick_free(t->slots);
    t->slots = bigger.slots;
    t->cap = bigger.cap;
    return true;
}

bool wick_table_set(wick_table *t, const void *key, size_t size, uint64_t value) {
    if (t->n >= t->cap / 4 * 3 && !grow(t)) return false;
    uint64_t hash = wick_hash(key, size, key_of_process());
    wick_table_slot *s = find(t, key, size, hash);
    if (!s->key) t->n++;
    *s = (wick_table_slot){key, size, hash, value};
    return true;
}

bool wick_table_get(const wick_table *t, const void *key, size_t size, uint64_t *value) {
    if (!t->cap) return false;
    const wick_table_slot *s = find(t, key, size, wick_hash(key, size, key_of_process()));
    if (s->key && value) *value = s->value;
    return s->key != NULL;
}

void wick_table_release(wick_table *t) {
    wick_free(t->slots);
    *t = (wick_table){0};
}
