/* Timings of the kernels: each level and shape in turn, beside what the machine can do in the same seconds.
 *
 * A shape is timed in rounds; in a round every level runs once, then the machine's limit is measured: the integer or fp32
 * arithmetic of the widest vectors for what computes (register to register), a plain read loop over the same bytes for what
 * waits for memory. The figures are medians over the rounds, in CPU time, so that a busy machine disturbs them less. */
#include "base/cpu.h"
#include "base/mem.h"
#include "check_kernels.h"

#include <time.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { N_ROUND = 11, MAX_LEVEL = 8 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, int n) {
    qsort(x, (size_t)n, sizeof *x, by_value);
    return x[n / 2];
}

/* ---------------------------------------------------------------- limits of the machine */

/* 1e9 multiply-adds per second of the widest integer dot product or fp32 fma; 0: not known for this processor. */
#if defined(__x86_64__)
#define TWELVE(X)     X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define DECLARE512(i) __m512i s##i = _mm512_setzero_si512();
#define DOT512(i)     __asm__ volatile("vpdpbusd %1, %1, %0" : "+v"(s##i) : "v"(one));
#define FMA512(i)     __asm__ volatile("vfmadd231ps %1, %1, %0" : "+v"(s##i) : "v"(one));
#define DECLARE256(i) __m256i s##i = _mm256_setzero_si256();
#define DOT256(i)     __asm__ volatile("vpmaddubsw %1, %1, %0" : "=x"(s##i) : "x"(one));
#define FMA256(i)     __asm__ volatile("vfmadd231ps %1, %1, %0" : "+x"(s##i) : "x"(one));
#define DEFINE_RATE(name, isa, declare, type, step, mac)                                                                                   \
    __attribute__((target(isa))) static double name(void) {                                                                                \
        enum { N = 500000 }; /* a few ms */                                                                                                \
        type one = {0};                                                                                                                    \
        TWELVE(declare)                                                                                                                    \
        const double start = now();                                                                                                        \
        for (int n = 0; n < N; n++) {                                                                                                      \
            TWELVE(step)                                                                                                                   \
        }                                                                                                                                  \
        return (double)N * 12 * (mac) / (now() - start) * 1e-9;                                                                            \
    }
DEFINE_RATE(dot512, "avx512f,avx512bw,avx512vnni", DECLARE512, __m512i, DOT512, 64)
DEFINE_RATE(fma512, "avx512f", DECLARE512, __m512i, FMA512, 16)
DEFINE_RATE(dot256, "avx2", DECLARE256, __m256i, DOT256, 32)
DEFINE_RATE(fma256, "avx2,fma", DECLARE256, __m256i, FMA256, 8)

static double dot_rate(void) {
    return wick_cpu_detect() & WICK_CPU_AVX512VNNI ? dot512() : wick_cpu_detect() & WICK_CPU_AVX2 ? dot256() : 0;
}
static double fma_rate(void) {
    return wick_cpu_detect() & WICK_CPU_AVX512VNNI ? fma512() : wick_cpu_detect() & WICK_CPU_AVX2 ? fma256() : 0;
}
#else
static double dot_rate(void) { return 0; }
static double fma_rate(void) { return 0; }
#endif

/* GB/s of reading `size` bytes once, in one stream. */
static double read_rate(const void *p, size_t size) {
    typedef uint64_t lanes __attribute__((vector_size(64)));
    const lanes *v = p;
    lanes a = {0}, b = {0}, c = {0}, d = {0};
    const double start = now();
    for (size_t i = 0; i + 4 <= size / sizeof(lanes); i += 4) {
        a ^= v[i];
        b ^= v[i + 1];
        c ^= v[i + 2];
        d ^= v[i + 3];
    }
    a ^= b ^ c ^ d;
    __asm__ volatile("" : : "r"(a[0] ^ a[1] ^ a[2] ^ a[3] ^ a[4] ^ a[5] ^ a[6] ^ a[7]));
    return (double)size / (now() - start) * 1e-9;
}

/* ---------------------------------------------------------------- shapes */

typedef enum limit_kind { LIMIT_DOT, LIMIT_FMA, LIMIT_READ } limit_kind;
typedef struct shape {
    const char *kernel, *what;
    limit_kind limit;
    int64_t n_row, k, n_col; /* products; attention: rows, d, keys; rows: k numbers */
} shape;

static const shape shapes[] = {
    {"gemm_q4", "decode, 1 row", LIMIT_READ, 1, 2048, 49152},
    {"gemm_q4", "4 rows", LIMIT_READ, 4, 2048, 49152},
    {"gemm_q4", "12 rows, in cache", LIMIT_DOT, 12, 2048, 256},
    {"gemm_q4", "prefill, 192 rows", LIMIT_DOT, 192, 2048, 1024},
    {"gemm_q4", "prefill, 192 rows, deep", LIMIT_DOT, 192, 8192, 512},
    {"gemm_q8", "decode, 1 row", LIMIT_READ, 1, 2048, 24576},
    {"gemm_q8", "prefill, 192 rows", LIMIT_DOT, 192, 2048, 1024},
    {"gemm_f32", "decode, 1 row", LIMIT_READ, 1, 2048, 8192},
    {"gemm_f32", "prefill, 192 rows", LIMIT_FMA, 192, 2048, 512},
    {"gemm_f16", "decode, 1 row", LIMIT_READ, 1, 2048, 16384},
    {"gemm_f16", "prefill, 192 rows", LIMIT_FMA, 192, 2048, 512},
    {"gemm_bf16", "decode, 1 row", LIMIT_READ, 1, 2048, 16384},
    {"gemm_bf16", "prefill, 192 rows", LIMIT_FMA, 192, 2048, 512},
    {"attend_f16", "decode, 4 rows, in memory", LIMIT_READ, 4, 64, 262144},
    {"attend_f16", "prefill, 96 rows", LIMIT_FMA, 96, 64, 512},
    {"attend_f16", "prefill, 96 rows, d = 128", LIMIT_FMA, 96, 128, 512},
    {"attend_f32", "prefill, 96 rows", LIMIT_FMA, 96, 64, 512},
    {"quantize_row", "one row", LIMIT_READ, 1, 2048, 1},
    {"rmsnorm", "one row", LIMIT_READ, 1, 2048, 1},
    {"silu_glu", "one row", LIMIT_READ, 1, 8192, 1},
    {"gelu_glu", "one row", LIMIT_READ, 1, 8192, 1},
    {"rope_half", "32 heads of 64", LIMIT_READ, 1, 2048, 1},
    {"dequant_row", "one row", LIMIT_READ, 1, 2048, 1},
    {"kv_store_f16", "8 heads of 64", LIMIT_READ, 1, 512, 1},
};

typedef struct workspace {
    uint8_t *weights, *keys; /* keys: second half of the cache */
    size_t weight_size;
    float *x, *y, *z; /* inputs, outputs, per-column numbers (ones) */
    int8_t *codes;
    int32_t *starts;
    wick_qtile tiles[16];
    float *scratch;
    float turn[64]; /* rope: cosines and sines of one angle */
} workspace;

enum { MAX_BYTES = 64 << 20 };

/* Weights with ordinary scales: denormal ones cost an assist per operation on Intel. */
static void fill_weights(workspace *w, const shape *s, test_rng *rng) {
    if (strcmp(s->kernel, "gemm_q4") == 0 || strcmp(s->kernel, "gemm_q8") == 0) {
        for (size_t i = 0; i < w->weight_size; i += 8) {
            uint64_t v = test_rng_next(rng);
            if (s->kernel[6] == '4' && i % WICK_Q4_BLOCK >= 512) v = 0x3c103c203c303c40u;
            memcpy(w->weights + i, &v, 8);
        }
    } else {
        const bool f32 = strstr(s->kernel, "f32") != NULL, f16 = strstr(s->kernel, "f16") != NULL && !strstr(s->kernel, "bf16");
        for (size_t i = 0; i < w->weight_size; i += 2) {
            const uint16_t one = (uint16_t)((f16 ? 0x3000 : 0x3c00) | (test_rng_next(rng) & 0x80ff));
            memcpy(w->weights + i, &one, 2);
            if (f32) memcpy(w->weights + (i | 2), &one, 2);
        }
    }
}

static size_t size_of(const shape *s) {
    const size_t panels = (size_t)s->n_col / 16;
    if (strcmp(s->kernel, "gemm_q4") == 0) return panels * wick_q4_panel_size(s->k);
    if (strcmp(s->kernel, "gemm_q8") == 0) return panels * wick_q8_panel_size(s->k);
    if (strncmp(s->kernel, "gemm_", 5) == 0) return panels * wick_float_panel_size(s->k, strstr(s->kernel, "f32") ? 4 : 2);
    if (strncmp(s->kernel, "attend", 6) == 0) return (size_t)s->k * (size_t)s->n_col * (strstr(s->kernel, "f32") ? 8 : 4);
    return (size_t)s->k * 4;
}

static void make_tiles(workspace *w, const shape *s, const wick_kernels *k) {
    for (int64_t i = 0; i < wick_n_tile(s->n_row); i++) {
        const int64_t begin = wick_tile_begin(s->n_row, i), height = wick_tile_begin(s->n_row, i + 1) - begin;
        float *numbers = w->scratch + 3 * begin;
        int8_t *codes = w->codes + begin * s->k;
        int32_t *starts = w->starts + begin * s->k / 32;
        for (int64_t r = 0; r < height; r++)
            k->quantize_row(w->x + r, s->k, s->k, codes + 32 * r, 32 * height, starts + r, height, numbers + r, numbers + height + r,
                            (int32_t *)(void *)(numbers + 2 * height) + r);
        w->tiles[i] = (wick_qtile){(int)height, s->k, codes, starts, numbers, numbers + height, (int32_t *)(void *)(numbers + 2 * height)};
    }
}

static void run_attend(const wick_kernels *k, const shape *s, workspace *w) {
    int64_t first[WICK_ATTEND_ROWS] = {0}, limit[WICK_ATTEND_ROWS];
    wick_attend_args a = {.q = w->x,
                          .q_stride = s->k,
                          .n_row = (int)s->n_row,
                          .d = s->k,
                          .k = w->weights,
                          .v = w->weights + w->weight_size / 2,
                          .first = first,
                          .limit = limit,
                          .scale = 0.125f,
                          .m = w->z,
                          .l = w->z + 128,
                          .o = w->y,
                          .o_stride = s->k};
    for (int r = 0; r < s->n_row; r++) limit[r] = s->n_col;
    for (int64_t chunk = 0; chunk < s->n_col; chunk += WICK_KEY_CHUNK) {
        a.key_from = chunk;
        a.key_to = chunk + WICK_KEY_CHUNK;
        (strstr(s->kernel, "f16") ? k->attend_f16 : k->attend_f32)(&a, w->scratch);
    }
}

static void run_shape(const wick_kernels *k, const shape *s, workspace *w) {
    const char *name = s->kernel;
    const int64_t panels = s->n_col / 16, n = s->k;
    if (strcmp(name, "gemm_q4") == 0)
        k->gemm_q4(wick_n_tile(s->n_row), w->tiles, panels, w->weights, w->z, NULL, w->y, s->n_col);
    else if (strcmp(name, "gemm_q8") == 0)
        k->gemm_q8(wick_n_tile(s->n_row), w->tiles, panels, w->weights, w->z, (const int32_t *)(const void *)w->z, NULL, w->y, s->n_col);
    else if (strcmp(name, "gemm_f32") == 0)
        k->gemm_f32(s->n_row, n, w->x, n + 16, panels, w->weights, NULL, w->y, s->n_col);
    else if (strcmp(name, "gemm_f16") == 0)
        k->gemm_f16(s->n_row, n, w->x, n + 16, panels, w->weights, NULL, w->y, s->n_col);
    else if (strcmp(name, "gemm_bf16") == 0)
        k->gemm_bf16(s->n_row, n, w->x, n + 16, panels, w->weights, NULL, w->y, s->n_col);
    else if (strncmp(name, "attend", 6) == 0)
        run_attend(k, s, w);
    else if (strcmp(name, "quantize_row") == 0)
        k->quantize_row(w->x, n, n, w->codes, 32, w->starts, 1, w->y, w->y + 1, w->starts + n);
    else if (strcmp(name, "rmsnorm") == 0)
        k->rmsnorm(w->x, w->z, 0, 1e-5f, n, w->y);
    else if (strcmp(name, "silu_glu") == 0)
        k->silu_glu(w->x, w->x + n, n, w->y);
    else if (strcmp(name, "gelu_glu") == 0)
        k->gelu_glu(w->x, w->x + n, n, w->y);
    else if (strcmp(name, "rope_half") == 0)
        k->rope_half(w->y, n / 64, 64, 64, w->turn, w->turn + 32);
    else if (strcmp(name, "dequant_row") == 0)
        k->dequant_row(w->codes, 0.01f, n, w->y);
    else
        for (int64_t h = 0; h < n / 64; h++)
            k->kv_store_f16(w->x + 64 * h, w->x + n + 64 * h, 5, 64, w->weights + 8192 * h, w->keys + 8192 * h);
}

/* Multiply-adds of a call; 0: counted in bytes. */
static double macs_of(const shape *s) {
    if (s->limit == LIMIT_READ) return 0;
    return (strncmp(s->kernel, "attend", 6) == 0 ? 2.0 : 1.0) * (double)s->n_row * (double)s->k * (double)s->n_col;
}

/* ---------------------------------------------------------------- the run */

/* Seconds of one call, calls repeated for about 5 ms. */
static double time_call(const wick_kernels *k, const shape *s, workspace *w) {
    double start = now(), passed;
    int n = 0;
    do {
        run_shape(k, s, w);
        n++;
        passed = now() - start;
    } while (passed < 5e-3);
    return passed / n;
}

static void bench_shape(const shape *s, workspace *w, const wick_kernels *levels, int n_level) {
    static double time[MAX_LEVEL][N_ROUND], limit[N_ROUND];
    test_rng rng = {1};
    w->weight_size = size_of(s);
    fill_weights(w, s, &rng);
    if (s->kernel[0] == 'g' && strchr(s->kernel, 'q')) make_tiles(w, s, levels + n_level - 1);
    for (int i = 0; i < N_ROUND; i++) {
        limit[i] = s->limit == LIMIT_DOT ? dot_rate() : s->limit == LIMIT_FMA ? fma_rate() : read_rate(w->weights, w->weight_size);
        for (int j = 0; j < n_level; j++)
            if (j || i == 0) time[j][i] = time_call(levels + j, s, w); /* the reference once: it is slow */
    }
    const double machine = median(limit, N_ROUND), amount = macs_of(s) > 0 ? macs_of(s) : (double)w->weight_size;
    for (int j = 0; j < n_level; j++) {
        const double t = j ? median(time[j], N_ROUND) : time[0][0], rate = amount / t * 1e-9;
        if (j == 0) time[0][0] = t;
        printf("%-13s %-26s %-11s %10.1f us %8.2f %s %7.1fx", s->kernel, s->what, levels[j].level, t * 1e6, rate,
               macs_of(s) > 0 ? "GMAC/s" : "GB/s  ", time[0][0] / t);
        if (machine > 0)
            printf("  %3.0f %% of %.1f\n", 100 * rate / machine, machine);
        else
            printf("\n");
    }
}

int check_bench(const char *filter, int argc, char **argv) {
    (void)argc, (void)argv;
    static wick_kernels levels[MAX_LEVEL];
    int n_level = 0;
    for (const char *const *name = wick_cpu_level_names(); *name && n_level < MAX_LEVEL; name++) {
        uint32_t mask = 0;
        wick_cpu_level(*name, &mask);
        wick_kernels_init(levels + n_level, mask);
        if (!(mask & ~wick_cpu_detect()) && strcmp(levels[n_level].level, *name) == 0) n_level++;
    }
    const int64_t n_number = 200 * (8192 + 16);
    workspace w = {.weights = wick_alloc_aligned(2 * MAX_BYTES, 64),
                   .x = wick_alloc_aligned((size_t)n_number * 4, 64),
                   .y = wick_alloc_aligned((size_t)n_number * 8, 64),
                   .z = wick_alloc_aligned(49152 * 4, 64),
                   .codes = wick_alloc_aligned((size_t)n_number, 64),
                   .starts = wick_alloc_aligned((size_t)n_number, 64),
                   .scratch = wick_alloc_aligned(1 << 20, 64)};
    if (!w.weights || !w.x || !w.y || !w.z || !w.codes || !w.starts || !w.scratch) return 1;
    w.keys = w.weights + MAX_BYTES;
    test_rng rng = {3};
    check_fill_floats(w.x, (size_t)n_number, FILL_RANDOM, &rng);
    for (int i = 0; i < 49152; i++) w.z[i] = 1;
    for (int i = 0; i < 32; i++) w.turn[i] = 0.6f, w.turn[i + 32] = 0.8f;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (!filter || strstr(shapes[i].kernel, filter)) bench_shape(shapes + i, &w, levels, n_level);
    wick_free_aligned(w.weights), wick_free_aligned(w.x), wick_free_aligned(w.y), wick_free_aligned(w.z);
    wick_free_aligned(w.codes), wick_free_aligned(w.starts), wick_free_aligned(w.scratch);
    return 0;
}
