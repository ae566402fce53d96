/* Packing of weights into panels: once per load. The layouts are described in kernels.h. */
#include "kernels/kernels.h"

#include "base/half.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

static int64_t n_block(int64_t k) { return (k + 63) / 64; }

size_t wick_q4_panel_size(int64_t k) { return (size_t)n_block(k) * WICK_Q4_BLOCK; }
size_t wick_q8_panel_size(int64_t k) { return (size_t)n_block(k) * 64 * WICK_PANEL; }
size_t wick_float_panel_size(int64_t k, size_t element_size) { return (size_t)k * WICK_PANEL * element_size; }

/* ---------------------------------------------------------------- q4 */

/* The 32 nibbles (value + 8) of a row from k = begin on; 8 beyond the row. */
static void nibbles(const uint8_t *row, int64_t begin, int64_t k, uint8_t out[WICK_GROUP]) {
    for (int i = 0; i < WICK_GROUP; i += 2) {
        uint8_t b = begin + i < k ? row[(begin + i) / 2] : 0x88;
        out[i] = b & 15;
        out[i + 1] = begin + i + 1 < k ? b >> 4 : 8;
    }
}

void wick_q4_pack_panel(const uint8_t *const rows[WICK_PANEL], const uint16_t *const scale_rows[WICK_PANEL], int64_t k, int64_t group,
                        uint8_t *panel, float *colsum) {
    for (int c = 0; c < WICK_PANEL; c++) {
        float total = 0;
        for (int64_t g = 0; g < 2 * n_block(k); g++) {
            uint8_t *block = panel + g / 2 * WICK_Q4_BLOCK, *lines = block + g % 2 * 256 + 4 * c, q[WICK_GROUP];
            bool real = rows[c] && g * WICK_GROUP < k;
            if (real)
                nibbles(rows[c], g * WICK_GROUP, k, q);
            else
                memset(q, 8, sizeof q);
            uint16_t scale = real ? scale_rows[c][g * WICK_GROUP / group] : 0;
            int sum = -8 * WICK_GROUP;
            for (int j = 0; j < 4; j++)
                for (int i = 0; i < 4; i++) {
                    uint8_t low = q[4 * j + i], high = q[16 + 4 * j + i];
                    lines[64 * j + i] = (uint8_t)(low | high << 4);
                    sum += low + high;
                }
            memcpy(block + 512 + 4 * c + g % 2 * 2, &scale, 2);
            if (real) total = fmaf((float)sum, wick_bf16_to_f32(scale), total);
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
