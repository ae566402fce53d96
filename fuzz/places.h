/* places.h: where the numbers of a program file are that give it its structure: header fields, references, vtables, lengths, and
 * every field that the schemas know. Random bytes seldom hit these few; who wants to lie to a reader changes exactly them.
 *
 * It walks `.pte`, `.ptd` and XNNPACK payloads (alone, or inside a program) by a description of the schemas of its own, not by
 * the reader's code, which is what is tested. The walk trusts nothing: the file may be damaged already. */
#ifndef WICK_FUZZ_PLACES_H
#define WICK_FUZZ_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum place_kind {
    PLACE_SCALAR,    /* a field of a table or header, an item of a vector of numbers */
    PLACE_REFERENCE, /* u32 from its own place to a table, vector or string */
    PLACE_COUNT,     /* items of a vector, characters of a string */
    PLACE_VTABLE,    /* i32 from a table back to its vtable */
    PLACE_SLOT       /* u16 of a vtable: its size, the table's size, where a field is */
} place_kind;

typedef struct place {
    uint64_t at;
    const char *table, *field;
    uint8_t width; /* bytes */
    uint8_t kind;  /* place_kind */
} place;

typedef struct places {
    place *items; /* by ascending `at`, none twice */
    size_t n, cap;
    uint64_t *edges; /* where tables, vectors, strings, vtables, segments begin or end; ascending, none twice */
    size_t n_edge, edge_cap;
} places;

/* Empty for files of other formats. False: no memory. */
bool places_find(const uint8_t *data, size_t size, places *out);
void places_release(places *p);

/* The values that are worth a try in one place: 0 (for a reference: itself), -1, the largest and the smallest, neighbours of what
 * is there, what the next place of the same name has (and so overlaps with), and for references the same target as that one, the
 * table that holds them and the end of the file; for numbers 1, 2, 3. */
enum { PLACE_N_TRY = 14 };
/* Writes the k-th of them into data. False: that is what was there before. */
bool place_try(const places *p, size_t i, unsigned k, uint8_t *data, size_t size);

static inline uint64_t place_load(const place *p, const uint8_t *data) {
    uint64_t v = 0;
    for (int i = 0; i < p->width; i++) v |= (uint64_t)data[p->at + (uint64_t)i] << 8 * i;
    return v;
}

static inline void place_store(const place *p, uint8_t *data, uint64_t v) {
    for (int i = 0; i < p->width; i++) data[p->at + (uint64_t)i] = (uint8_t)(v >> 8 * i);
}

#endif
