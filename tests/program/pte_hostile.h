/* pte_hostile.h: what the parts of test_pte_hostile share. Each part makes files that lie, one per check of the readers, and expects
 * each to be refused with the sentence that says what is wrong. tools/mutate_checks takes the checks away one by one and sees to it
 * that these tests notice. */
#ifndef WICK_TESTS_PROGRAM_PTE_HOSTILE_H
#define WICK_TESTS_PROGRAM_PTE_HOSTILE_H

#include "fuzz/places.h"
#include "support/small_program.h"
#include "support/support.h"

/* Opens the bytes (in a block of exactly their size) as "bad.pte". sentence: part of what must be said; NULL: accepted. */
void hostile_expect(const char *name, const uint8_t *file, size_t size, const char *sentence);

/* Writes a number of the file's structure: the n-th place of that name. */
void hostile_set(uint8_t *file, size_t size, const char *table, const char *field, place_kind kind, size_t n, uint64_t value);
uint64_t hostile_get(const uint8_t *file, size_t size, const char *table, const char *field, place_kind kind, size_t n);

/* The bytes of a program, assembled without any check; free() them. payload: of segment SMALL_SEG_PAYLOAD, whose size is set. */
uint8_t *hostile_assemble(const wick_pte *p, wick_bytes payload, size_t *size);
/* The small program, as it is. */
uint8_t *hostile_small(size_t *size);

/* A payload whose structs may be changed, in the small program. */
typedef struct hostile_graph {
    wick_xnn x;
    wick_xnn_value values[8];
    wick_xnn_node node;
    wick_xnn_constant constants[4];
} hostile_graph;
typedef void hostile_change(wick_pte *p, hostile_graph *g);
typedef void hostile_patch(uint8_t *file, size_t *size);
typedef struct hostile_case {
    const char *name;
    hostile_change *change; /* of the structs, before they are written */
    hostile_patch *patch;   /* of the bytes, after that */
    const char *sentence;   /* NULL: accepted */
} hostile_case;
void hostile_run(const hostile_case *cases, size_t n);
#define HOSTILE_CHANGE(fn, sentence)                                                                                                       \
    { #fn, fn, NULL, sentence }
#define HOSTILE_PATCH(fn, sentence)                                                                                                        \
    { #fn, NULL, fn, sentence }
#define HOSTILE_RUN(cases) hostile_run(cases, sizeof cases / sizeof *cases)

/* The parts. */
void test_hostile_program(void **state);
void test_hostile_bytes(void **state);
void test_hostile_fields(void **state);
void test_hostile_structs(void **state);
void test_hostile_payload(void **state);
void test_hostile_shapes(void **state);
void test_hostile_data(void **state);
void test_hostile_external(void **state);

#endif
