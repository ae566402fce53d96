/* The table: the reference first, then each level overwrites what it has. */
#include "base/cpu.h"
#include "kernels/levels.h"

#define USE_REF(field, type)        k->field = wick_##field##_ref;
#define USE_AVX2(field, type)       k->field = wick_##field##_avx2;
#define USE_AVX512VNNI(field, type) k->field = wick_##field##_avx512vnni;

void wick_kernels_init(wick_kernels *k, uint32_t cpu_mask) {
    k->level = "reference";
    WICK_INTEGER_KERNELS(USE_REF)
    WICK_LANES_KERNELS(USE_REF)
    k->kv_store_f32 = wick_kv_store_f32_ref;
#if defined(__x86_64__)
    if (!(cpu_mask & WICK_CPU_AVX2)) return;
    k->level = "avx2";
    WICK_INTEGER_KERNELS(USE_AVX2)
    WICK_LANES_KERNELS(USE_AVX2)
    if (!(cpu_mask & WICK_CPU_AVX512VNNI)) return;
    k->level = "avx512vnni";
    WICK_INTEGER_KERNELS(USE_AVX512VNNI)
    WICK_LANES_KERNELS(USE_AVX512VNNI)
#endif
    (void)cpu_mask;
}
