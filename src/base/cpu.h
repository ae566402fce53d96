/* cpu.h: what instruction sets this processor (and its operating system) can run.
 *
 * Levels are ordered: a level implies the ones before it on the same architecture. A mask of allowed levels lets one test
 * program walk through all of them in one process. */
#ifndef WICK_BASE_CPU_H
#define WICK_BASE_CPU_H

#include <stdbool.h>
#include <stdint.h>

typedef enum wick_cpu_flag {
    WICK_CPU_REFERENCE = 0,
    WICK_CPU_AVX2 = 1 << 0,       /* AVX2, FMA, F16C, BMI2 */
    WICK_CPU_AVX512VNNI = 1 << 1, /* AVX512 F BW DQ VL VNNI */
    WICK_CPU_NEON = 1 << 8,
    WICK_CPU_DOTPROD = 1 << 9,
    WICK_CPU_I8MM = 1 << 10,
} wick_cpu_flag;

/* Flags of this machine. */
uint32_t wick_cpu_detect(void);

/* The flags up to and including a named level ("reference", "avx2", "avx512vnni", "neon", "dotprod", "i8mm"), or NULL for
 * all that the machine has. False: no such level on this build; *flags may exceed what the machine has (mask with detect). */
bool wick_cpu_level(const char *name, uint32_t *flags);
/* The levels of this build in ascending order, NULL-terminated. */
const char *const *wick_cpu_level_names(void);

#endif
