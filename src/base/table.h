/* table.h: a hash table from byte strings to 64-bit numbers (indices, usually). Keys are borrowed.
 *
 * Open addressing with linear probing and a hash keyed per table, so that a hostile file cannot choose colliding names
 * without knowing the process's key. */
#ifndef WICK_BASE_TABLE_H
#define WICK_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct wick_table_slot {
    const void *key; /* NULL: free */
    size_t size;
    uint64_t hash, value;
} wick_table_slot;

typedef struct wick_table {
    wick_table_slot *slots;
    size_t n, cap; /* cap: 0 or a power of two */
} wick_table;

void wick_table_release(wick_table *t);
/* Adds or replaces; false: no memory. The key must outlive the table. */
bool wick_table_set(wick_table *t, const void *key, size_t size, uint64_t value);
/* False if there is no such key. *value may be NULL. */
bool wick_table_get(const wick_table *t, const void *key, size_t size, uint64_t *value);

/* 64-bit hash of bytes, the same everywhere and always (FNV-1a with a final mix): for fingerprints, not for secrets. */
uint64_t wick_hash(const void *data, size_t size, uint64_t seed);

#endif
