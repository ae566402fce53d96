/* pte_reader.h: what the two halves of the reader share: pte_read.c (the file and what methods have in common) and
 * pte_method.c (one method). Every function records the first fault in r->fb and does nothing after it. */
#ifndef WICK_PROGRAM_PTE_READER_H
#define WICK_PROGRAM_PTE_READER_H

#include "program/flatbuf.h"
#include "program/pte.h"

typedef struct wick_pte_reader {
    wick_fb fb;
    wick_pte *pte;
    const char *method; /* being read, for messages */
} wick_pte_reader;

/* Records that the file is well-formed but asks for something that Wick does not do. */
void wick_pte_unsupported(wick_pte_reader *r, const char *format, ...) WICK_PRINTF(2, 3);
/* Zeroed array in the program's memory; NULL and a recorded fault when there is none left. */
void *wick_pte_reader_array(wick_pte_reader *r, size_t count, size_t size);
/* A terminated copy of a string field; "" if it is absent. `what` names it in messages. */
char *wick_pte_reader_text(wick_pte_reader *r, wick_bytes s, const char *what);
/* A vector of i32. */
int32_t *wick_pte_reader_indices(wick_pte_reader *r, wick_fb_table t, int id, uint32_t *n);

void wick_pte_read_method(wick_pte_reader *r, wick_fb_table t, wick_pte_method *m);

#endif
