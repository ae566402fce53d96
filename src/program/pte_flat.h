/* pte_flat.h: the FlatBuffer of a program, for the writer. */
#ifndef WICK_PROGRAM_PTE_FLAT_H
#define WICK_PROGRAM_PTE_FLAT_H

#include "program/flatbuf.h"
#include "program/pte.h"

enum { WICK_PTE_HEADER_SIZE = 32 };

/* Builds it with room for the extended header, which the caller fills. offsets: of the segments, relative to the first. The size
 * depends on everything but the characters of the keys. Release *b in any case. */
wick_status wick_pte_flat(const wick_pte *p, const uint64_t *offsets, wick_fbb *b, wick_error *err);

#endif
