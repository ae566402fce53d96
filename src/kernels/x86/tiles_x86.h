/* tiles_x86.h: what the integer products of the x86 levels share. */
#ifndef WICK_KERNELS_X86_TILES_X86_H
#define WICK_KERNELS_X86_TILES_X86_H

#include <stdint.h>
#include <string.h>

enum { ROW_BLOCK = 8 }; /* tiles that pass while a panel stays in the cache */

/* Four codes as one number, to be broadcast. */
static inline __attribute__((always_inline)) int32_t codes4(const int8_t *p) {
    int32_t v;
    memcpy(&v, p, 4);
    return v;
}

/* The compiler turns chains of integer sums into trees and keeps what it loaded for a second use, and then lacks registers:
 * half the speed on AVX2. What passes through these is opaque to it. */
#define KEEP_ORDER(vector)  __asm__("" : "+x"(vector))
#define LOAD_AGAIN(pointer) __asm__ volatile("" : "+r"(pointer))

/* X(R) for every height of a tile. */
#define EACH_TILE(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)

#endif
