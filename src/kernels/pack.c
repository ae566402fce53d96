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

/* ---------------------------------------------------------------- q4 */

/* Bytes 0..3 of x at bytes 0, 2, 4, 6. */
static uint64_t spread(uint32_t x) {
    uint64_t y = x;
    y = (y | y << 16) & 0x0000ffff0000ffffu;
    return (y | y << 8) & 0x00ff00ff00ff00ffu;
}

static int sum_bytes(uint64_t x) { return (int)((x * 0x0101010101010101u) >> 56); }

/* 32 nibbles (value + 8, low = even k) to one lane of a group: byte t = q[t] | q[16 + t] << 4, four bytes a line. Returns the sum of
 * the nibbles. Eight bytes at a time: this loop is most of the time that a model takes to load. */
static int pack_group(const uint8_t row[16], uint8_t *lines) {
    const uint64_t low = 0x0f0f0f0f0f0f0f0fu;
    uint64_t a = wick_load_u64(row), b = wick_load_u64(row + 8);
    uint64_t even = (a & low) | (b & low) << 4, odd = (a >> 4 & low) | (b & ~low);
    for (int h = 0; h < 2; h++, even >>= 32, odd >>= 32) {
        uint64_t both = spread((uint32_t)even) | spread((uint32_t)odd) << 8;
        wick_store_u32(lines + 128 * h, (uint32_t)both);
        wick_store_u32(lines + 128 * h + 64, (uint32_t)(both >> 32));
    }
    return sum_bytes((a & low) + (a >> 4 & low)) + sum_bytes((b & low) + (b >> 4 & low));
}

/* The same for a group that the row ends in, or (row NULL) for a column that does not exist: q = 0 there. */
static int pack_short_group(const uint8_t *row, int64_t n, uint8_t *lines) {
    uint8_t whole[16];
    memset(whole, 0x88, sizeof whole);
    for (int64_t i = 0; i < n; i++) {
        int shift = i % 2 ? 4 : 0;
        whole[i / 2] = (uint8_t)((whole[i / 2] & ~(15 << shift)) | (row[i / 2] >> shift & 15) << shift);
    }
    return pack_group(whole, lines);
}

void wick_q4_pack_panel(const uint8_t *const rows[WICK_PANEL], const uint16_t *const scale_rows[WICK_PANEL], int64_t k, int64_t group,
                        uint8_t *panel, float *colsum) {
    for (int c = 0; c < WICK_PANEL; c++) {
        float total = 0;
        for (int64_t g = 0; g < 2 * n_block(k); g++) {
            int64_t left = rows[c] ? k - g * WICK_GROUP : 0;
            uint8_t *block = panel + g / 2 * WICK_Q4_BLOCK, *lines = block + g % 2 * 256 + 4 * c;
            const uint8_t *row = left > 0 ? rows[c] + g * WICK_GROUP / 2 : NULL;
            int sum = left >= WICK_GROUP ? pack_group(row, lines) : pack_short_group(row, left > 0 ? left : 0, lines);
            uint16_t scale = left > 0 ? scale_rows[c][g * WICK_GROUP / group] : 0;
            memcpy(block + 512 + 4 * c + g % 2 * 2, &scale, 2);
            if (left > 0) total = fmaf((float)(sum - 8 * WICK_GROUP), wick_bf16_to_f32(scale), total);
        }
        colsum[c] = total;
    }
}

/* ---------------------------------------------------------------- q8 */

void wick_q8_pack_panel(const int8_t *const rows[WICK_PANEL], int64_t k, uint8_t *panel, int32_t *wsum) {
    memset(panel, 128, wick_q8_panel_size(k));
    for (int c = 0; c < WICK_PANEL; c++) {
        int32_t sum = 0;
        for (int64_t i = 0; rows[c] && i < k; i++) {
            panel[i / 4 * 64 + c * 4 + i % 4] = (uint8_t)(rows[c][i] + 128);
            sum += rows[c][i];
        }
        wsum[c] = sum;
    }
}

/* ---------------------------------------------------------------- floats */

void wick_float_pack_panel(const void *const rows[WICK_PANEL], int64_t k, size_t element_size, size_t element_stride, void *panel) {
    uint8_t *to = panel;
    for (int64_t i = 0; i < k; i++)
        for (int c = 0; c < WICK_PANEL; c++, to += element_size) {
            if (rows[c])
                memcpy(to, (const uint8_t *)rows[c] + (size_t)i * element_stride, element_size);
            else
                memset(to, 0, element_size);
        }
}
