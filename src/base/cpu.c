#include "base/cpu.h"

#include <stddef.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

static const struct level {
    const char *name;
    uint32_t flags;
} levels[] = {
    {"reference", 0},
#if defined(__x86_64__)
    {"avx2", WICK_CPU_AVX2},
    {"avx512vnni", WICK_CPU_AVX2 | WICK_CPU_AVX512VNNI},
#elif defined(__aarch64__)
    {"neon", WICK_CPU_NEON},
    {"dotprod", WICK_CPU_NEON | WICK_CPU_DOTPROD},
    {"i8mm", WICK_CPU_NEON | WICK_CPU_DOTPROD | WICK_CPU_I8MM},
#endif
};
enum { N_LEVEL = sizeof levels / sizeof *levels };

#if defined(__x86_64__)
/* CPUID leaf 1, ECX bit 29: a name that clang 14 does not know. */
static bool has_f16c(void) {
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & 1u << 29);
}
#endif

uint32_t wick_cpu_detect(void) {
    uint32_t flags = 0;
#if defined(__x86_64__)
    __builtin_cpu_init(); /* looks at the operating system's part too (XGETBV) */
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") && has_f16c())
        flags |= WICK_CPU_AVX2;
    if (flags && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni"))
        flags |= WICK_CPU_AVX512VNNI;
#elif defined(__aarch64__)
    flags |= WICK_CPU_NEON;
#if defined(__linux__)
    if (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) flags |= WICK_CPU_DOTPROD;
    if (getauxval(AT_HWCAP2) & HWCAP2_I8MM) flags |= WICK_CPU_I8MM;
#endif
#endif
    return flags;
}

bool wick_cpu_level(const char *name, uint32_t *flags) {
    if (!name) {
        *flags = UINT32_MAX;
        return true;
    }
    for (size_t i = 0; i < N_LEVEL; i++)
        if (strcmp(levels[i].name, name) == 0) {
            *flags = levels[i].flags;
            return true;
        }
    return false;
}

const char *const *wick_cpu_level_names(void) {
    static const char *const names[] = {
        "reference",
#if defined(__x86_64__)
        "avx2",
        "avx512vnni",
#elif defined(__aarch64__)
        "neon",
        "dotprod",
        "i8mm",
#endif
        NULL
    };
    return names;
}
