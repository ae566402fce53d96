/* Packing of weights into panels: once per load. The layouts are described in kernels.h. */
#include "kernels/kernels.h"

#include "base/bytes.h"
#include "base/half.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

static int64_t n_block(int64_t k) { return (k + 63) / 64; }

size_t wick_q4_panel_size(int64_t k) { return (size_t)n_block(k) * WICK_Q4_BLOCK; }
size_t wick_q8_panel_size(int64_t k) { return (size_t)n_block(k) * 64 * WICK_PANEL; }
size_t wick_float_panel_size(int64_t k, size_t element_size) { return (size_t)k * WICK_PANEL * element_size; }

/* Vectors of the compiler: every processor has sixteen bytes. */
typedef uint8_t bytes16 __attribute__((vector_size(16)));
typedef uint32_t lanes4 __attribute__((vector_size(16)));
typedef int32_t ints4 __attribute__((vector_size(16)));
typedef float floats4 __attribute__((vector_size(16)));

enum { QUAD = 4 }; /* columns that are packed together: as many 32-bit lanes as a vector has */

/* Four columns with four lines of each become four lines with four columns of each. */
static void transpose(lanes4 x[QUAD]) {
    lanes4 a = __builtin_shufflevector(x[0], x[1], 0, 4, 1, 5), b = __builtin_shufflevector(x[2], x[3], 0, 4, 1, 5);
    lanes4 c = __builtin_shufflevector(x[0], x[1], 2, 6, 3, 7), d = __builtin_shufflevector(x[2], x[3], 2, 6, 3, 7);
    x[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
    x[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
    x[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5);
    x[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
}

/* The sum of the four bytes of each lane. */
static lanes4 sum_bytes(bytes16 x) {
    lanes4 y = (lanes4)x, pairs = (y & 0x00ff00ff) + (y >> 8 & 0x00ff00ff);
    return (pairs & 0xffff) + (pairs >> 16);
}

/* ---------------------------------------------------------------- q4 */

/* 32 nibbles (value + 8, low = even k) of each of four columns to their lanes in a group: byte t = q[t] | q[16 + t] << 4, four
 * bytes a line. Returns the sums of the nibbles. */
static lanes4 pack_quad(const uint8_t *const rows[QUAD], uint8_t *lines) {
    lanes4 x[QUAD];
    bytes16 sum = {0};
    for (int c = 0; c < QUAD; c++) {
        bytes16 row;
        memcpy(&row, rows[c], sizeof row);
        bytes16 even = row & 15, odd = row >> 4;
        bytes16 first = __builtin_shufflevector(even, odd, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        bytes16 second = __builtin_shufflevector(even, odd, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        x[c] = (lanes4)first | (lanes4)second << 4;
    }
    transpose(x);
    for (int j = 0; j < QUAD; j++) {
        bytes16 line = (bytes16)x[j];
        sum += (line & 15) + (line >> 4); /* at most 4 * 30 */
        memcpy(lines + 64 * j, &line, sizeof line);
    }
    return sum_bytes(sum);
}

/* A group that the row ends in, filled up with q = 0. */
static const uint8_t *short_group(const uint8_t *row, int64_t n, uint8_t whole[16]) {
    memset(whole, 0x88, 16);
    for (int64_t i = 0; i < n; i++) {
        int shift = i % 2 ? 4 : 0;
        whole[i / 2] = (uint8_t)((whole[i / 2] & ~(15 << shift)) | (row[i / 2] >> shift & 15) << shift);
    }
    return whole;
}

/* Four columns of a panel from the first group to the last: four streams, which is what a processor fetches ahead. A product of a
 * sum (9 bits) and a bf16 scale (8 bits) is exact in fp32, so adding it is the fma of the definition. */
static void pack_columns(const uint8_t *const rows[QUAD], const uint16_t *const scale_rows[QUAD], int64_t k, int64_t group, uint8_t *panel,
                         float *colsum) {
    static const uint8_t zeros[16] = {0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88};
    floats4 total = {0};
    for (int64_t g = 0; g < 2 * n_block(k); g++) {
        int64_t left = k - g * WICK_GROUP, i_scale = g * WICK_GROUP / group;
        uint8_t *block = panel + g / 2 * WICK_Q4_BLOCK, whole[QUAD][16];
        const uint8_t *at[QUAD];
        lanes4 scales = {0};
        for (int c = 0; c < QUAD; c++) {
            bool some = rows[c] && left > 0;
            const uint8_t *row = some ? rows[c] + g * (WICK_GROUP / 2) : zeros;
            at[c] = some && left < WICK_GROUP ? short_group(row, left, whole[c]) : row;
            uint16_t scale = some ? scale_rows[c][i_scale] : 0;
            scales[c] = (uint32_t)scale << 16;
            memcpy(block + 512 + 4 * c + g % 2 * 2, &scale, 2);
        }
        ints4 sums = (ints4)pack_quad(at, block + g % 2 * 256) - 8 * WICK_GROUP;
        total += __builtin_convertvector(sums, floats4) * (floats4)scales;
    }
    memcpy(colsum, &total, sizeof total);
}

void wick_q4_pack_panel(const uint8_t *const rows[WICK_PANEL], const uint16_t *const scale_rows[WICK_PANEL], int64_t k, int64_t group,
                        uint8_t *panel, float *colsum) {
    for (int c = 0; c < WICK_PANEL; c += QUAD) pack_columns(rows + c, scale_rows + c, k, group, panel + 4 * c, colsum + c);
}

/* ---------------------------------------------------------------- q8 */

/* Sixteen codes of each of four columns to four lines; the codes that lie beyond the row are 0. Returns the sums of codes + 128. */
static lanes4 pack_codes(const int8_t *const rows[QUAD], int64_t from, int64_t k, uint8_t *lines) {
    lanes4 x[QUAD], sum = {0};
    for (int c = 0; c < QUAD; c++) {
        bytes16 codes = {0};
        int64_t left = rows[c] ? k - from : 0;
        if (left >= 16)
            memcpy(&codes, rows[c] + from, 16);
        else if (left > 0)
            memcpy(&codes, rows[c] + from, (size_t)left);
        x[c] = (lanes4)(codes ^ 128);
    }
    transpose(x);
    for (int j = 0; j < QUAD; j++) {
        memcpy(lines + 64 * j, &x[j], sizeof x[j]);
        sum += sum_bytes((bytes16)x[j]);
    }
    return sum;
}

void wick_q8_pack_panel(const int8_t *const rows[WICK_PANEL], int64_t k, uint8_t *panel, int32_t *wsum) {
    int64_t n = 64 * n_block(k);
    for (int c = 0; c < WICK_PANEL; c += QUAD) {
        lanes4 sum = {0};
        for (int64_t i = 0; i < n; i += 16) sum += pack_codes(rows + c, i, k, panel + i / 4 * 64 + 4 * c);
        sum -= (uint32_t)(128 * n);
        memcpy(wsum + c, &sum, sizeof sum);
    }
}

/* ---------------------------------------------------------------- floats */

/* The size is a constant where this is called: a copy of one element is a load and a store. */
static inline void pack_elements(const void *const rows[WICK_PANEL], int64_t k, size_t size, size_t stride, uint8_t *to) {
    for (int64_t i = 0; i < k; i++)
        for (int c = 0; c < WICK_PANEL; c++, to += size) {
            if (rows[c])
                memcpy(to, (const uint8_t *)rows[c] + (size_t)i * stride, size);
            else
                memset(to, 0, size);
        }
}

void wick_float_pack_panel(const void *const rows[WICK_PANEL], int64_t k, size_t element_size, size_t element_stride, void *panel) {
    if (element_size == 2)
        pack_elements(rows, k, 2, element_stride, panel);
    else
        pack_elements(rows, k, 4, element_stride, panel);
}
