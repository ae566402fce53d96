/* xnn.h: the payload of an XNNPACK delegate as plain structs.
 *
 * Blob: 4 zero bytes, "XH00", u16 header length (30), u32 FlatBuffer offset and size, u32 constant offset, u64 constant
 * size; then a FlatBuffer "XN01" (older: "XN00"; schema: backends/xnnpack/serialization/schema.fbs of pytorch/executorch),
 * then optional inline constants. A blob without header is the FlatBuffer alone.
 *
 * A delegate is a subgraph: values (tensors) and nodes over them in topological order. External values correspond to the
 * arguments of the DelegateCall by external_id: inputs first, then outputs. Dims are upper bounds where a size depends on
 * the number of tokens. */
#ifndef WICK_PROGRAM_XNN_H
#define WICK_PROGRAM_XNN_H

#include "program/pte.h"

#define WICK_XNN_NONE 0xffffffffu /* no value (optional operand), internal value (external_id) */

typedef enum wick_xnn_dtype {
    WICK_XD_INVALID = 0,
    WICK_XD_FP32 = 1,
    WICK_XD_FP16 = 2,
    WICK_XD_QINT8 = 3,
    WICK_XD_QUINT8 = 4,
    WICK_XD_QINT32 = 5,
    WICK_XD_QCINT8 = 6,
    WICK_XD_QCINT32 = 7,
    WICK_XD_QCINT4 = 8,
    WICK_XD_QDINT8 = 9,
    WICK_XD_QBINT4 = 10,
    WICK_XD_QPINT8 = 11,
    WICK_XD_INT32 = 12,
    WICK_XD_PFP32 = 13,
    WICK_XD_BF16 = 14
} wick_xnn_dtype;

typedef enum wick_xnn_op { /* tags of XNodeUnion */
                           WICK_XNN_ADD = 1,
                           WICK_XNN_FULLY_CONNECTED = 2,
                           WICK_XNN_SOFTMAX = 3,
                           WICK_XNN_SIGMOID = 4,
                           WICK_XNN_TRANSPOSE = 5,
                           WICK_XNN_CLAMP = 6,
                           WICK_XNN_CONV2D = 7,
                           WICK_XNN_DIV = 8,
                           WICK_XNN_RESIZE_BILINEAR = 9,
                           WICK_XNN_CONSTANT_PAD = 10,
                           WICK_XNN_AVG_POOL2D = 11,
                           WICK_XNN_MINIMUM = 12,
                           WICK_XNN_DEPTHWISE_CONV2D = 13,
                           WICK_XNN_MAX_POOL2D = 14,
                           WICK_XNN_MULTIPLY = 15,
                           WICK_XNN_SUBTRACT = 16,
                           WICK_XNN_FLOOR = 17,
                           WICK_XNN_CONVERT = 18,
                           WICK_XNN_GLOBAL_AVG_POOL2D = 19,
                           WICK_XNN_RESHAPE = 20,
                           WICK_XNN_ARGMAX_POOL2D = 21,
                           WICK_XNN_SQUARE_ROOT = 22,
                           WICK_XNN_CEILING = 23,
                           WICK_XNN_HARDSWISH = 24,
                           WICK_XNN_LEAKY_RELU = 25,
                           WICK_XNN_MAXIMUM = 26,
                           WICK_XNN_NEGATE = 27,
                           WICK_XNN_SQUARE = 28,
                           WICK_XNN_ELU = 29,
                           WICK_XNN_ABS = 30,
                           WICK_XNN_PRELU = 31,
                           WICK_XNN_CONCATENATE2 = 32,
                           WICK_XNN_CONCATENATE3 = 33,
                           WICK_XNN_CONCATENATE4 = 34,
                           WICK_XNN_SLICE = 35,
                           WICK_XNN_SDPA = 36,
                           WICK_XNN_BATCH_MATMUL = 37,
                           WICK_XNN_CONCATENATE5 = 38,
                           WICK_XNN_CONV_TRANSPOSE2D = 39,
                           WICK_XNN_RECIPROCAL_SQUARE_ROOT = 40,
                           WICK_XNN_LOG = 41,
                           WICK_XNN_GELU = 42,
                           WICK_XNN_TANH = 43,
                           WICK_XNN_EXP = 44,
                           WICK_XNN_SIN = 45,
                           WICK_XNN_COPY = 46,
                           WICK_XNN_COS = 47,
                           WICK_XNN_N_OP
} wick_xnn_op;
const char *wick_xnn_op_name(int op); /* "FullyConnected" */

typedef enum wick_xnn_quant { /* tags of XNNQuantParams */
                              WICK_XQ_NONE = 0,
                              WICK_XQ_PER_CHANNEL = 1,
                              WICK_XQ_PER_TENSOR = 2,
                              WICK_XQ_PER_TOKEN_DYNAMIC = 3,
                              WICK_XQ_PER_CHANNEL_GROUP = 4
} wick_xnn_quant;

typedef struct wick_xnn_value {
    int dtype; /* wick_xnn_dtype */
    int rank;
    uint32_t dims[WICK_MAX_RANK];
    uint32_t constant;    /* index into constants; 0: not a constant */
    uint32_t external_id; /* position in the DelegateCall; WICK_XNN_NONE: internal */
    uint32_t flags;       /* 1 external input, 2 external output */
    bool quantized;       /* serialized as XNNQuantizedTensorValue */
    wick_xnn_quant quant;
    float scale;          /* PER_TENSOR */
    int32_t zero_point;   /* PER_TENSOR */
    int32_t num_nonbatch; /* PER_TOKEN_DYNAMIC */
    int32_t channel_dim, group_size;
    float *scales;           /* scales stored in the table itself (old files), else NULL and scale_constant */
    uint16_t *scales_bf16;   /* deprecated form */
    uint32_t n_scale;        /* items of the table's own vectors, or num_scales */
    uint32_t scale_constant; /* index into constants; 0: none */
} wick_xnn_value;

enum { WICK_XNN_MAX_IN = 5 };

typedef struct wick_xnn_node {
    int op;                       /* wick_xnn_op */
    uint32_t in[WICK_XNN_MAX_IN]; /* value ids; WICK_XNN_NONE: absent (bias) */
    int n_in;
    uint32_t out;
    uint32_t out2; /* ARGMAX_POOL2D: the indices; else WICK_XNN_NONE */
    uint32_t flags, debug_handle;
    bool has_min_max;
    float out_min, out_max;
    int n_list; /* RESHAPE: new shape (one 0: inferred), TRANSPOSE: perm, SLICE: offsets, then sizes in list2
                   (0: the rest), CONSTANT_PAD: before, then after in list2 */
    uint32_t list[WICK_MAX_RANK], list2[WICK_MAX_RANK];
    int32_t axis;      /* CONCATENATE*: counted from the end if negative */
    float alpha;       /* LEAKY_RELU, ELU; CONSTANT_PAD: the value */
    uint32_t conv[16]; /* CONV*, POOL*, RESIZE: the table's numbers in the order of the schema */
} wick_xnn_node;

typedef struct wick_xnn_constant {
    uint64_t offset, size; /* READER: as the file says; offset counts from the constant region */
    const char *key;       /* named data; NULL: inline */
    wick_bytes bytes;      /* READER: resolved (empty: missing, where that was allowed). WRITER: content of an inline constant */
    uint32_t key_named;    /* WRITER: 1 + index into pte.named whose key, and segment's size, it is; 0: `key` and `size` as they are */
} wick_xnn_constant;

typedef struct wick_xnn {
    const char *version;    /* "0" */
    bool old_schema;        /* identifier "XN00" */
    wick_xnn_value *values; /* id_out equals the index */
    uint32_t n_value;
    wick_xnn_node *nodes;
    uint32_t n_node;
    wick_xnn_constant *constants; /* 0 reserved */
    uint32_t n_constant;
    uint32_t n_extern, n_input; /* inputs have external ids below n_input, outputs the others; an unused argument has no value */
} wick_xnn;

/* How the table of a node is laid out: which field holds what; -1: it has none. The reader and the writer go by it. */
typedef struct wick_xnn_format {
    const char *name; /* "FullyConnected" */
    int8_t n_in, in[WICK_XNN_MAX_IN];
    int8_t out, flags;
    int8_t list, list2, alpha, axis;
    int8_t n_number;      /* fields 0 .. n_number - 1 are u32 that go to conv */
    bool last_optional;   /* the last input may be absent (bias) */
    bool has_num_dims;    /* field 0 repeats the length of the lists */
    uint32_t known_flags; /* bits of `flags` that mean something to Wick */
} wick_xnn_format;
/* NULL: no such node. */
const wick_xnn_format *wick_xnn_format_get(int op);

/* Parses and verifies one payload: structure, ids, topological order, ranges, quantization parameters, shapes that the
 * nodes imply, constants against named data of `pte` and of the data files (ptd may be NULL). A constant that neither has is
 * an error unless allow_missing. Memory comes from pte's arena. */
struct wick_ptd_set;
wick_status wick_xnn_read(wick_pte *pte, const struct wick_ptd_set *ptd, wick_bytes blob, const char *name, bool allow_missing,
                          wick_xnn *out, wick_error *err);

/* Verifies the structs themselves, as wick_xnn_read does after parsing: the writer calls it on graphs that it is given. */
wick_status wick_xnn_check(const wick_xnn *x, const char *name, wick_error *err);
/* The rule of base/scales.h for scales that are constants of a checked payload, where `bytes` has them. Apart, because no index
 * hangs on it, and it reads one thirty-second of the weights. */
wick_status wick_xnn_check_scales(const wick_xnn *x, const char *name, wick_error *err);

/* Bytes that a constant of this dtype and these dims has; false: overflow, or not a dtype of constants. */
bool wick_xnn_value_size(const wick_xnn_value *v, uint64_t *size);
size_t wick_xnn_dtype_bits(int dtype); /* 0: unknown */
const char *wick_xnn_dtype_name(int dtype);

/* Serializes into fresh memory (give it back with wick_free). The size does not depend on the characters of the keys. */
wick_status wick_xnn_write(const wick_pte *pte, const wick_xnn *x, wick_bytes *out, wick_error *err);

#endif
