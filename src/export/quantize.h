/* quantize.h: weights of a checkpoint as the parts of graph constants, read and quantized when the writer asks.
 *
 * wick_quantizer_part turns a wick_weight and a wick_scheme into a wick_part whose sources produce the bytes of the file:
 *
 *   PLAIN                 fp32, row by row, or transposed [n_col, n_row] for aten::mm
 *   INT 4, LOW_FIRST      nibbles [n_row, n_col / 2], low = even k, code + 8; one scale per group        (XNNPACK qbint4)
 *   INT 8, BYTE           int8 [n_row, n_col]; one scale per row (group 0) or group                      (embedding_byte)
 *   INT 4 / 2, HIGH_FIRST packed as quantized_decomposed::embedding_4bit / 2bit want them
 *
 * with scales [n_row, n_group] of scheme.scale_dtype. Codes and scales are those of torchao's HQQ_SCALE_ONLY (hqq.h), byte for
 * byte what ExecuTorch's exporter writes. The unit of quantization is the weight: its rows share one stopping rule, so q, k and v
 * that become one stacked constant are three weights, three parts.
 *
 * Cost. One pass over the tensor makes codes and scales together. The source of the codes keeps the scales (5 bytes per group at
 * most) until the source of the scales has been read once: ask for a weight's codes, then its scales, and nothing is computed
 * twice. In any other order, or again, the result is the same and costs another pass. Scratch memory is some rows, whatever the size
 * of the tensor. Sources may be read from any thread, several at once. The bytes depend on nothing but the weights. */
#ifndef WICK_EXPORT_QUANTIZE_H
#define WICK_EXPORT_QUANTIZE_H

#include "export/checkpoint.h"
#include "wick_export.h"

typedef struct wick_quantizer wick_quantizer;

/* checkpoint_dtype: what weights are rounded to before anything else. KEEP leaves them as stored; the scales are then rounded to
 * the type that the tensor is stored in (bf16 and f16 checkpoints), as stock does. */
/* container: the file of the weights; what has been read of it is given back to the system, so that exporting does not fill the memory with
 * the checkpoint. NULL: its pages stay. */
wick_status wick_quantizer_new(wick_export_dtype checkpoint_dtype, const wick_container *container, wick_quantizer **out, wick_error *err);
/* Sources made by it must not be read any more. */
void wick_quantizer_free(wick_quantizer *z);

/* The part for a weight. `transposed` is for PLAIN only. part->name is the tensor's name. WICK_EUNSUPPORTED if the scheme cannot
 * take this weight: ask wick_scheme_fits first and leave it float. */
wick_status wick_quantizer_part(wick_quantizer *z, const wick_weight *w, wick_scheme scheme, bool transposed, wick_part *part,
                                wick_error *err);

/* Can rows of n_col numbers be stored in this scheme: groups divide a row, packed codes fill whole bytes. */
bool wick_scheme_fits(const wick_scheme *scheme, int64_t n_col);
/* Codes per scale of a row. */
static inline int64_t wick_scheme_group(const wick_scheme *s, int64_t n_col) { return s->group ? s->group : n_col; }

/* The two schemes of the recommended recipe. */
static inline wick_scheme wick_scheme_fp32(void) { return (wick_scheme){.kind = WICK_SCHEME_PLAIN, .scale_dtype = WICK_F32}; }
static inline wick_scheme wick_scheme_8da4w(int64_t group) {
    return (wick_scheme){.kind = WICK_SCHEME_INT, .bits = 4, .group = group, .scale_dtype = WICK_BF16, .packing = WICK_PACK_LOW_FIRST};
}
static inline wick_scheme wick_scheme_embedding8(int64_t group) {
    return (wick_scheme){.kind = WICK_SCHEME_INT, .bits = 8, .group = group, .scale_dtype = WICK_F32, .packing = WICK_PACK_BYTE};
}

#endif
