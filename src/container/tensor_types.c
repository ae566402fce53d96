/* Types of tensors: how each format stores them, and how they become fp32. */
#include "container/container_impl.h"

#include "base/checked.h"
#include "base/half.h"

/* GGUF (ggml.h of ggml-org/ggml, enum ggml_type): numbers, block lengths and block sizes. Types that Wick does not compute with
 * are here all the same: their tensors must be measured to check the file, and named in messages. */
static const wick_tensor_format gguf_formats[] = {
    {0, "F32", WICK_TENSOR_F32, 1, 4},
    {1, "F16", WICK_TENSOR_F16, 1, 2},
    {2, "Q4_0", WICK_TENSOR_Q4_0, 32, 18},
    {3, "Q4_1", WICK_TENSOR_Q4_1, 32, 20},
    {6, "Q5_0", WICK_TENSOR_OTHER, 32, 22},
    {7, "Q5_1", WICK_TENSOR_OTHER, 32, 24},
    {8, "Q8_0", WICK_TENSOR_Q8_0, 32, 34},
    {9, "Q8_1", WICK_TENSOR_OTHER, 32, 36},
    {10, "Q2_K", WICK_TENSOR_OTHER, 256, 84},
    {11, "Q3_K", WICK_TENSOR_OTHER, 256, 110},
    {12, "Q4_K", WICK_TENSOR_OTHER, 256, 144},
    {13, "Q5_K", WICK_TENSOR_OTHER, 256, 176},
    {14, "Q6_K", WICK_TENSOR_OTHER, 256, 210},
    {15, "Q8_K", WICK_TENSOR_OTHER, 256, 292},
    {16, "IQ2_XXS", WICK_TENSOR_OTHER, 256, 66},
    {17, "IQ2_XS", WICK_TENSOR_OTHER, 256, 74},
    {18, "IQ3_XXS", WICK_TENSOR_OTHER, 256, 98},
    {19, "IQ1_S", WICK_TENSOR_OTHER, 256, 50},
    {20, "IQ4_NL", WICK_TENSOR_OTHER, 32, 18},
    {21, "IQ3_S", WICK_TENSOR_OTHER, 256, 110},
    {22, "IQ2_S", WICK_TENSOR_OTHER, 256, 82},
    {23, "IQ4_XS", WICK_TENSOR_OTHER, 256, 136},
    {24, "I8", WICK_TENSOR_I8, 1, 1},
    {25, "I16", WICK_TENSOR_I16, 1, 2},
    {26, "I32", WICK_TENSOR_I32, 1, 4},
    {27, "I64", WICK_TENSOR_I64, 1, 8},
    {28, "F64", WICK_TENSOR_F64, 1, 8},
    {29, "IQ1_M", WICK_TENSOR_OTHER, 256, 56},
    {30, "BF16", WICK_TENSOR_BF16, 1, 2},
    {34, "TQ1_0", WICK_TENSOR_OTHER, 256, 54},
    {35, "TQ2_0", WICK_TENSOR_OTHER, 256, 66},
    {39, "MXFP4", WICK_TENSOR_OTHER, 32, 17},
};

static const wick_tensor_format safetensors_formats[] = {
    {0x1000, "F32", WICK_TENSOR_F32, 1, 4},       {0x1001, "F16", WICK_TENSOR_F16, 1, 2},
    {0x1002, "BF16", WICK_TENSOR_BF16, 1, 2},     {0x1003, "F64", WICK_TENSOR_F64, 1, 8},
    {0x1004, "I8", WICK_TENSOR_I8, 1, 1},         {0x1005, "U8", WICK_TENSOR_U8, 1, 1},
    {0x1006, "I16", WICK_TENSOR_I16, 1, 2},       {0x1007, "I32", WICK_TENSOR_I32, 1, 4},
    {0x1008, "I64", WICK_TENSOR_I64, 1, 8},       {0x1009, "BOOL", WICK_TENSOR_BOOL, 1, 1},
    {0x100a, "U16", WICK_TENSOR_OTHER, 1, 2},     {0x100b, "U32", WICK_TENSOR_OTHER, 1, 4},
    {0x100c, "U64", WICK_TENSOR_OTHER, 1, 8},     {0x100d, "F8_E4M3", WICK_TENSOR_OTHER, 1, 1},
    {0x100e, "F8_E5M2", WICK_TENSOR_OTHER, 1, 1}, {0x100f, "F8_E8M0", WICK_TENSOR_OTHER, 1, 1},
    {0x1010, "C64", WICK_TENSOR_OTHER, 1, 8},
};

#define N_OF(a) (sizeof(a) / sizeof *(a))

const wick_tensor_format *wick_tensor_format_by_raw(uint32_t raw) {
    for (size_t i = 0; i < N_OF(gguf_formats); i++)
        if (gguf_formats[i].raw == raw) return &gguf_formats[i];
    for (size_t i = 0; i < N_OF(safetensors_formats); i++)
        if (safetensors_formats[i].raw == raw) return &safetensors_formats[i];
    return NULL;
}

const wick_tensor_format *wick_safetensors_format(const char *label) {
    for (size_t i = 0; i < N_OF(safetensors_formats); i++)
        if (!strcmp(safetensors_formats[i].label, label)) return &safetensors_formats[i];
    return NULL;
}

const char *wick_tensor_type_name(wick_tensor_type type) {
    static const char *const names[] = {"F32", "F16", "BF16", "F64",  "I8",   "U8",   "I16",
                                        "I32", "I64", "BOOL", "Q4_0", "Q4_1", "Q8_0", "other"};
    return (size_t)type < N_OF(names) ? names[type] : "?";
}

const char *wick_tensor_type_label(const wick_tensor *t) {
    const wick_tensor_format *f = wick_tensor_format_by_raw(t->raw_type);
    return f ? f->label : wick_tensor_type_name(t->type);
}

bool wick_tensor_byte_size(const wick_tensor_format *f, int rank, const int64_t *dims, uint64_t *size) {
    uint64_t n = 1;
    for (int i = 0; i < rank; i++)
        if (dims[i] < 0 || !wick_mul_u64(n, (uint64_t)dims[i], &n)) return false;
    int64_t row = rank ? dims[rank - 1] : 1;
    if (row % f->n_block || n > INT64_MAX) return false;
    return wick_mul_u64(n / f->n_block, f->block_size, size);
}

uint64_t wick_tensor_count(const wick_tensor *t) {
    uint64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= (uint64_t)t->dims[i];
    return n;
}

/* ---------------------------------------------------------------- to fp32 */

enum { BLOCK = 32 };

static void from_q4_0(const uint8_t *p, uint64_t n_block, float *out) {
    for (uint64_t b = 0; b < n_block; b++, p += 18, out += BLOCK) {
        float d = wick_f16_to_f32(wick_load_u16(p));
        for (int j = 0; j < BLOCK / 2; j++) {
            out[j] = (float)((p[2 + j] & 15) - 8) * d;
            out[j + BLOCK / 2] = (float)((p[2 + j] >> 4) - 8) * d;
        }
    }
}

static void from_q4_1(const uint8_t *p, uint64_t n_block, float *out) {
    for (uint64_t b = 0; b < n_block; b++, p += 20, out += BLOCK) {
        float d = wick_f16_to_f32(wick_load_u16(p)), m = wick_f16_to_f32(wick_load_u16(p + 2));
        for (int j = 0; j < BLOCK / 2; j++) {
            out[j] = (float)(p[4 + j] & 15) * d + m;
            out[j + BLOCK / 2] = (float)(p[4 + j] >> 4) * d + m;
        }
    }
}

static void from_q8_0(const uint8_t *p, uint64_t n_block, float *out) {
    for (uint64_t b = 0; b < n_block; b++, p += 34, out += BLOCK) {
        float d = wick_f16_to_f32(wick_load_u16(p));
        for (int j = 0; j < BLOCK; j++) out[j] = (float)(int8_t)p[2 + j] * d;
    }
}

wick_status wick_tensor_to_f32(const wick_tensor *t, uint64_t from, uint64_t n, float *out, wick_error *err) {
    if (!wick_in_range(from, n, wick_tensor_count(t)))
        return wick_fail(err, WICK_EINVAL, "elements %llu..%llu of the tensor '%s', which has %llu", (unsigned long long)from,
                         (unsigned long long)(from + n), t->name, (unsigned long long)wick_tensor_count(t));
    const uint8_t *p = t->data;
    switch (t->type) {
    case WICK_TENSOR_F32:
        for (uint64_t i = 0; i < n; i++) out[i] = wick_load_f32(p + 4 * (from + i));
        return WICK_OK;
    case WICK_TENSOR_F16:
        for (uint64_t i = 0; i < n; i++) out[i] = wick_f16_to_f32(wick_load_u16(p + 2 * (from + i)));
        return WICK_OK;
    case WICK_TENSOR_BF16:
        for (uint64_t i = 0; i < n; i++) out[i] = wick_bf16_to_f32(wick_load_u16(p + 2 * (from + i)));
        return WICK_OK;
    case WICK_TENSOR_F64:
        for (uint64_t i = 0; i < n; i++) out[i] = (float)wick_load_f64(p + 8 * (from + i));
        return WICK_OK;
    case WICK_TENSOR_Q4_0:
    case WICK_TENSOR_Q4_1:
    case WICK_TENSOR_Q8_0:
        if (from % BLOCK || n % BLOCK) return wick_fail(err, WICK_EINVAL, "the tensor '%s' is stored in blocks of %d", t->name, BLOCK);
        if (t->type == WICK_TENSOR_Q4_0) from_q4_0(p + from / BLOCK * 18, n / BLOCK, out);
        if (t->type == WICK_TENSOR_Q4_1) from_q4_1(p + from / BLOCK * 20, n / BLOCK, out);
        if (t->type == WICK_TENSOR_Q8_0) from_q8_0(p + from / BLOCK * 34, n / BLOCK, out);
        return WICK_OK;
    default:
        return wick_fail(err, WICK_EUNSUPPORTED,
                         "the tensor '%s' is stored as %s; Wick reads F32, F16, BF16, F64, Q8_0, Q4_0 and Q4_1 weights", t->name,
                         wick_tensor_type_label(t));
    }
}
