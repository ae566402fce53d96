/* What the nodes and dtypes of XNNPACK payloads are called, and how each node's table is laid out. */
#include "program/xnn.h"

#include "base/checked.h"

/* Tables of the schema; the aliases of one table share a line. */
#define UNARY(name_, known)                                                                                                                \
    { .name = name_, .n_in = 1, .in = {0}, .out = 1, .flags = 2, .list = -1, .list2 = -1, .alpha = -1, .axis = -1, .known_flags = known }
#define BINARY(name_)                                                                                                                      \
    { .name = name_, .n_in = 2, .in = {0, 1}, .out = 2, .flags = 3, .list = -1, .list2 = -1, .alpha = -1, .axis = -1 }
#define CAT(name_, n)                                                                                                                      \
    { .name = name_, .n_in = n, .in = {1, 2, 3, 4, 7}, .out = 5, .flags = 6, .list = -1, .list2 = -1, .alpha = -1, .axis = 0 }
#define SHAPE(name_)                                                                                                                       \
    { .name = name_, .n_in = 1, .in = {2}, .out = 3, .flags = 4, .list = 1, .list2 = -1, .alpha = -1, .axis = -1, .has_num_dims = true }
#define CONV(name_, known)                                                                                                                 \
    {                                                                                                                                      \
        .name = name_, .n_in = 3, .in = {15, 16, 17}, .out = 18, .flags = 19, .list = -1, .list2 = -1, .alpha = -1, .axis = -1,            \
        .n_number = 15, .last_optional = true, .known_flags = known                                                                        \
    }
#define POOL(name_)                                                                                                                        \
    { .name = name_, .n_in = 1, .in = {10}, .out = 11, .flags = 12, .list = -1, .list2 = -1, .alpha = -1, .axis = -1, .n_number = 10 }
#define FIRST_ALPHA(name_)                                                                                                                 \
    { .name = name_, .n_in = 1, .in = {1}, .out = 2, .flags = 3, .list = -1, .list2 = -1, .alpha = 0, .axis = -1 }

enum { TRANSPOSE_WEIGHTS = 1, KEEP_DIMS = 0x40, ALIGN_CORNERS = 8 };

static const wick_xnn_format formats[WICK_XNN_N_OP] = {
    [WICK_XNN_ADD] = BINARY("Add"),
    [WICK_XNN_FULLY_CONNECTED] = {.name = "FullyConnected",
                                  .n_in = 3,
                                  .in = {0, 1, 2},
                                  .out = 3,
                                  .flags = 4,
                                  .list = -1,
                                  .list2 = -1,
                                  .alpha = -1,
                                  .axis = -1,
                                  .last_optional = true,
                                  .known_flags = TRANSPOSE_WEIGHTS},
    [WICK_XNN_SOFTMAX] = UNARY("Softmax", 0),
    [WICK_XNN_SIGMOID] = UNARY("Sigmoid", 0),
    [WICK_XNN_TRANSPOSE] = SHAPE("StaticTranspose"),
    [WICK_XNN_CLAMP] = UNARY("Clamp", 0),
    [WICK_XNN_CONV2D] = CONV("Conv2d", 0),
    [WICK_XNN_DIV] = BINARY("Div"),
    [WICK_XNN_RESIZE_BILINEAR] = {.name = "StaticResizeBilinear2D",
                                  .n_in = 1,
                                  .in = {2},
                                  .out = 3,
                                  .flags = 4,
                                  .list = -1,
                                  .list2 = -1,
                                  .alpha = -1,
                                  .axis = -1,
                                  .n_number = 2,
                                  .known_flags = ALIGN_CORNERS},
    [WICK_XNN_CONSTANT_PAD] =
        {.name = "StaticConstantPad", .n_in = 1, .in = {3}, .out = 4, .flags = 5, .list = 0, .list2 = 1, .alpha = 2, .axis = -1},
    [WICK_XNN_AVG_POOL2D] = POOL("AvgPooling2d"),
    [WICK_XNN_MINIMUM] = BINARY("Minimum"),
    [WICK_XNN_DEPTHWISE_CONV2D] = CONV("DepthwiseConv2d", 0),
    [WICK_XNN_MAX_POOL2D] = POOL("MaxPooling2d"),
    [WICK_XNN_MULTIPLY] = BINARY("Multiply"),
    [WICK_XNN_SUBTRACT] = BINARY("Subtract"),
    [WICK_XNN_FLOOR] = UNARY("Floor", 0),
    [WICK_XNN_CONVERT] = UNARY("Convert", 0),
    [WICK_XNN_GLOBAL_AVG_POOL2D] = UNARY("GlobalAvgPooling2d", KEEP_DIMS),
    [WICK_XNN_RESHAPE] = SHAPE("StaticReshape"),
    [WICK_XNN_ARGMAX_POOL2D] = {.name = "ArgMaxPooling2d",
                                .n_in = 1,
                                .in = {6},
                                .out = 7,
                                .flags = 9,
                                .list = -1,
                                .list2 = -1,
                                .alpha = -1,
                                .axis = -1,
                                .n_number = 6},
    [WICK_XNN_SQUARE_ROOT] = UNARY("SquareRoot", 0),
    [WICK_XNN_CEILING] = UNARY("Ceiling", 0),
    [WICK_XNN_HARDSWISH] = UNARY("Hardswish", 0),
    [WICK_XNN_LEAKY_RELU] = FIRST_ALPHA("LeakyReLU"),
    [WICK_XNN_MAXIMUM] = BINARY("Maximum"),
    [WICK_XNN_NEGATE] = UNARY("Negate", 0),
    [WICK_XNN_SQUARE] = UNARY("Square", 0),
    [WICK_XNN_ELU] = FIRST_ALPHA("ELU"),
    [WICK_XNN_ABS] = UNARY("Abs", 0),
    [WICK_XNN_PRELU] = BINARY("PReLU"),
    [WICK_XNN_CONCATENATE2] = CAT("Concatenate2", 2),
    [WICK_XNN_CONCATENATE3] = CAT("Concatenate3", 3),
    [WICK_XNN_CONCATENATE4] = CAT("Concatenate4", 4),
    [WICK_XNN_SLICE] = {.name = "StaticSlice",
                        .n_in = 1,
                        .in = {3},
                        .out = 4,
                        .flags = 5,
                        .list = 1,
                        .list2 = 2,
                        .alpha = -1,
                        .axis = -1,
                        .has_num_dims = true},
    [WICK_XNN_SDPA] = {.name = "ScaledDotProductAttention",
                       .n_in = 5,
                       .in = {0, 1, 2, 3, 4},
                       .out = 5,
                       .flags = 6,
                       .list = -1,
                       .list2 = -1,
                       .alpha = -1,
                       .axis = -1},
    [WICK_XNN_BATCH_MATMUL] = BINARY("BatchMatrixMultiply"),
    [WICK_XNN_CONCATENATE5] = CAT("Concatenate5", 5),
    [WICK_XNN_CONV_TRANSPOSE2D] = CONV("ConvTranspose2d", 0),
    [WICK_XNN_RECIPROCAL_SQUARE_ROOT] = UNARY("ReciprocalSquareRoot", 0),
    [WICK_XNN_LOG] = UNARY("Log", 0),
    [WICK_XNN_GELU] = UNARY("Gelu", 0),
    [WICK_XNN_TANH] = UNARY("Tanh", 0),
    [WICK_XNN_EXP] = UNARY("Exp", 0),
    [WICK_XNN_SIN] = UNARY("Sin", 0),
    [WICK_XNN_COPY] = UNARY("Copy", 0),
    [WICK_XNN_COS] = UNARY("Cos", 0),
};

const wick_xnn_format *wick_xnn_format_get(int op) { return op > 0 && op < WICK_XNN_N_OP ? &formats[op] : NULL; }

const char *wick_xnn_op_name(int op) { return op > 0 && op < WICK_XNN_N_OP ? formats[op].name : "?"; }

static const struct {
    const char *name;
    uint8_t bits;
} dtypes[] = {
    [WICK_XD_INVALID] = {"invalid", 0}, [WICK_XD_FP32] = {"fp32", 32},       [WICK_XD_FP16] = {"fp16", 16},
    [WICK_XD_QINT8] = {"qint8", 8},     [WICK_XD_QUINT8] = {"quint8", 8},    [WICK_XD_QINT32] = {"qint32", 32},
    [WICK_XD_QCINT8] = {"qcint8", 8},   [WICK_XD_QCINT32] = {"qcint32", 32}, [WICK_XD_QCINT4] = {"qcint4", 4},
    [WICK_XD_QDINT8] = {"qdint8", 8},   [WICK_XD_QBINT4] = {"qbint4", 4},    [WICK_XD_QPINT8] = {"qpint8", 8},
    [WICK_XD_INT32] = {"int32", 32},    [WICK_XD_PFP32] = {"pfp32", 32},     [WICK_XD_BF16] = {"bf16", 16},
};

size_t wick_xnn_dtype_bits(int dtype) { return dtype > 0 && dtype <= WICK_XD_BF16 ? dtypes[dtype].bits : 0; }
const char *wick_xnn_dtype_name(int dtype) { return dtype >= 0 && dtype <= WICK_XD_BF16 ? dtypes[dtype].name : "?"; }

bool wick_xnn_value_size(const wick_xnn_value *v, uint64_t *size) {
    size_t bits = wick_xnn_dtype_bits(v->dtype);
    uint64_t n = 1;
    if (!bits || v->dtype == WICK_XD_QDINT8 || v->dtype == WICK_XD_QPINT8 || v->dtype == WICK_XD_PFP32) return false;
    for (int i = 0; i < v->rank; i++) {
        /* Rows of 4-bit codes begin at a byte. */
        uint64_t dim = bits == 4 && i == v->rank - 1 ? ((uint64_t)v->dims[i] + 1) / 2 : v->dims[i];
        if (!wick_mul_u64(n, dim, &n)) return false;
    }
    return wick_mul_u64(n, bits == 4 ? 1 : bits / 8, size);
}
