/* Payloads of delegates whose structs lie. */
#include "pte_hostile.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "program/flatbuf.h"

static void many_arguments(wick_pte *p, hostile_graph *g) { (void)p, g->x.n_extern = 4097, g->x.n_input = 4097; }
static void far_extern(wick_pte *p, hostile_graph *g) { (void)p, g->values[0].external_id = 2; }
static void twice_extern(wick_pte *p, hostile_graph *g) { (void)p, g->values[1] = g->values[0]; }
static void unknown_value_flag(wick_pte *p, hostile_graph *g) { (void)p, g->values[0].flags = 0x80000001u; }
static void unknown_node_flag(wick_pte *p, hostile_graph *g) { (void)p, g->node.flags = 0x80000000u; }
static void far_operand(wick_pte *p, hostile_graph *g) { (void)p, g->node.in[1] = 4; }
static void empty_operand(wick_pte *p, hostile_graph *g) { (void)p, g->node.in[0] = 3; }
static void writes_input(wick_pte *p, hostile_graph *g) { (void)p, g->node.out = 0; }
static void writes_weights(wick_pte *p, hostile_graph *g) { (void)p, g->node.out = 1; }
static void constant_far(wick_pte *p, hostile_graph *g) { (void)p, g->values[1].constant = 3; }
static void constant_short(wick_pte *p, hostile_graph *g) {
    (void)p, g->values[1].dims[0] = g->values[2].dims[0] = g->values[3].dims[1] = 4;
}
static void constant_missing(wick_pte *p, hostile_graph *g) { (void)p, g->constants[1].key_named = 0, g->constants[1].key = "nobody"; }
static void inline_far(wick_pte *p, hostile_graph *g) { (void)p, g->constants[2].bytes.size = 8; }
static void shapes_differ(wick_pte *p, hostile_graph *g) { (void)p, g->values[3].dims[1] = 2; }
static void size_wrap(wick_pte *p, hostile_graph *g) {
    (void)p, g->values[1].dims[0] = g->values[1].dims[1] = 0x7fffffff, g->values[1].dims[2] = 0x7fffffff, g->values[1].rank = 3;
}
static void unknown_dtype(wick_pte *p, hostile_graph *g) { (void)p, g->values[0].dtype = 99; }
static void no_parameters(wick_pte *p, hostile_graph *g) { (void)p, g->values[1].dtype = WICK_XD_QCINT8; }
static void no_scales(wick_pte *p, hostile_graph *g) {
    (void)p;
    g->values[1].dtype = WICK_XD_QCINT8;
    g->values[1].quantized = true;
    g->values[1].quant = WICK_XQ_PER_CHANNEL;
}
static void group_of_zero(wick_pte *p, hostile_graph *g) {
    (void)p;
    g->values[1].dtype = WICK_XD_QBINT4;
    g->values[1].quantized = true;
    g->values[1].quant = WICK_XQ_PER_CHANNEL_GROUP;
}
static void zero_scale(wick_pte *p, hostile_graph *g) {
    static float scales[3] = {1, 0, 1};
    no_scales(p, g);
    g->values[1].scales = scales;
    g->values[1].n_scale = 3;
}

/* ---------------------------------------------------------------- values */

/* The weights as int8 with a scale per row, in the table itself. */
static void per_row(wick_pte *p, hostile_graph *g) {
    static float scales[3] = {1, 2, 3};
    no_scales(p, g);
    g->values[1].scales = scales, g->values[1].n_scale = 3;
    g->constants[1].key_named = 0, g->constants[1].key = NULL, g->constants[1].bytes = (wick_bytes){(const uint8_t *)scales, 12};
}
/* The same, with the scales as a constant of their own. */
static float row_scales[3];
static void scales_apart(wick_pte *p, hostile_graph *g) {
    per_row(p, g);
    row_scales[0] = row_scales[1] = row_scales[2] = 1;
    g->x.n_constant = 4;
    g->constants[3] = (wick_xnn_constant){.bytes = {(const uint8_t *)row_scales, 12}};
    g->values[1].scales = NULL, g->values[1].scale_constant = 3;
}
static void scales_far(wick_pte *p, hostile_graph *g) { scales_apart(p, g), g->values[1].scale_constant = 4; }
static void scales_short(wick_pte *p, hostile_graph *g) { scales_apart(p, g), g->constants[3].bytes.size = 8; }
static void scales_nan(wick_pte *p, hostile_graph *g) { scales_apart(p, g), memset(&row_scales[1], 0xff, 4); }
static void channel_negative(wick_pte *p, hostile_graph *g) { per_row(p, g), g->values[1].channel_dim = -1; }
static void channel_far(wick_pte *p, hostile_graph *g) { per_row(p, g), g->values[1].channel_dim = 2; }
static void other_parameters(wick_pte *p, hostile_graph *g) { per_row(p, g), g->values[1].quant = WICK_XQ_PER_TENSOR; }
/* Int4 in groups along 64 columns. */
static void groups(wick_pte *p, hostile_graph *g) {
    static uint8_t codes[256];
    static uint16_t scales[6] = {0x3f80, 0x3f80, 0x3f80, 0x3f80, 0x3f80, 0x3f80};
    (void)p;
    g->values[1] = (wick_xnn_value){.dtype = WICK_XD_QBINT4, .rank = 2, .dims = {3, 64}, .constant = 1, .external_id = WICK_XNN_NONE};
    g->values[1].quantized = true, g->values[1].quant = WICK_XQ_PER_CHANNEL_GROUP, g->values[1].group_size = 32;
    g->values[1].scales_bf16 = scales, g->values[1].n_scale = 6;
    g->constants[1] = (wick_xnn_constant){.bytes = {codes, 256}};
}
static void groups_of_33(wick_pte *p, hostile_graph *g) { groups(p, g), g->values[1].group_size = 33, g->values[1].dims[1] = 66; }
static void groups_of_48(wick_pte *p, hostile_graph *g) { groups(p, g), g->values[1].group_size = 96; }
static void groups_negative(wick_pte *p, hostile_graph *g) { groups(p, g), g->values[1].group_size = -32; }
static void groups_of_columns(wick_pte *p, hostile_graph *g) { groups(p, g), g->values[1].channel_dim = 1; }
static void groups_of_cubes(wick_pte *p, hostile_graph *g) { groups(p, g), g->values[1].rank = 3, g->values[1].dims[2] = 1; }
static void groups_many(wick_pte *p, hostile_graph *g) { groups(p, g), g->values[1].n_scale = 5; }
static void groups_denormal(wick_pte *p, hostile_graph *g) {
    static uint16_t scales[6] = {0x3f80, 0x3f80, 0x007f, 0x3f80, 0x3f80, 0x3f80};
    groups(p, g), g->values[1].scales_bf16 = scales;
}
static void rows(wick_pte *p, hostile_graph *g, int32_t n) {
    (void)p;
    g->x.n_value = 5;
    g->values[4] = (wick_xnn_value){.dtype = WICK_XD_QDINT8, .rank = 2, .dims = {5, 4}, .external_id = WICK_XNN_NONE, .quantized = true};
    g->values[4].quant = WICK_XQ_PER_TOKEN_DYNAMIC, g->values[4].num_nonbatch = n;
}
static void rows_of_1(wick_pte *p, hostile_graph *g) { rows(p, g, 1); }
static void rows_of_0(wick_pte *p, hostile_graph *g) { rows(p, g, 0); }
static void rows_of_3(wick_pte *p, hostile_graph *g) { rows(p, g, 3); }
static void whole(wick_pte *p, hostile_graph *g, float scale, int32_t zero) {
    rows(p, g, 1);
    g->values[4].dtype = WICK_XD_QINT8, g->values[4].quant = WICK_XQ_PER_TENSOR, g->values[4].scale = scale, g->values[4].zero_point = zero;
}
static void whole_fits(wick_pte *p, hostile_graph *g) { whole(p, g, 1, -128); }
static void zero_low(wick_pte *p, hostile_graph *g) { whole(p, g, 1, -129); }
static void zero_high(wick_pte *p, hostile_graph *g) { whole(p, g, 1, 128); }
static void whole_zero(wick_pte *p, hostile_graph *g) { whole(p, g, 0, 0); }
static void sized(hostile_graph *g, uint32_t a, uint32_t b, uint32_t c) {
    g->x.n_value = 5;
    g->values[4] = (wick_xnn_value){.dtype = WICK_XD_FP32, .rank = 3, .dims = {a, b, c}, .external_id = WICK_XNN_NONE};
}
static void size_fits(wick_pte *p, hostile_graph *g) { (void)p, sized(g, 1 << 30, 1 << 29, 1); }
static void size_of_31_bits(wick_pte *p, hostile_graph *g) { (void)p, sized(g, 0x80000000u, 1, 1); }
static void size_of_89_bits(wick_pte *p, hostile_graph *g) { (void)p, sized(g, 1 << 30, 1 << 29, 1 << 30); }
static void size_of_60_bits(wick_pte *p, hostile_graph *g) { (void)p, sized(g, 1 << 30, 1 << 30, 1); }
static void internal_argument(wick_pte *p, hostile_graph *g) { sized(g, 1, 1, 1), (void)p, g->values[4].external_id = 0; }
static void unnumbered_argument(wick_pte *p, hostile_graph *g) { sized(g, 1, 1, 1), (void)p, g->values[4].flags = 1; }
static void three_flags(wick_pte *p, hostile_graph *g) { (void)p, g->values[0].flags = 3; }
static void constant_argument(wick_pte *p, hostile_graph *g) { (void)p, g->values[0].constant = 2; }
/* An input with a number behind that of the output. */
static void input_last(wick_pte *p, hostile_graph *g) { (void)p, g->values[0].external_id = 1, g->values[3].external_id = 0; }
static void constant_of_activations(wick_pte *p, hostile_graph *g) { rows(p, g, 1), g->values[4].constant = 1; }

/* ---------------------------------------------------------------- nodes */

static void nobody_writes(wick_pte *p, hostile_graph *g) {
    (void)p, g->x.n_value = 5, g->values[4] = g->values[3], g->node.out = 4;
    g->values[4].flags = 0, g->values[4].external_id = WICK_XNN_NONE;
}
static void far_result(wick_pte *p, hostile_graph *g) { (void)p, g->node.out = 4; }
static void absent_input(wick_pte *p, hostile_graph *g) { (void)p, g->node.in[1] = WICK_XNN_NONE; }
static void absent_bias(wick_pte *p, hostile_graph *g) { (void)p, g->node.in[2] = WICK_XNN_NONE; }
static void int8_by_float(wick_pte *p, hostile_graph *g) { rows(p, g, 1), g->values[0].dtype = WICK_XD_QDINT8, g->node.in[0] = 4; }
static void to_int8(wick_pte *p, hostile_graph *g) { rows(p, g, 1), g->values[4].dims[1] = 3, g->node.out = 4; }

/* ---------------------------------------------------------------- constants */

static void key_of_nothing(wick_pte *p, hostile_graph *g) { (void)p, g->constants[1].key_named = 0, g->constants[1].key = ""; }
static void key_too_long(wick_pte *p, hostile_graph *g) {
    static char key[WICK_MAX_KEY + 2];
    memset(key, 'x', sizeof key - 1);
    (void)p, g->constants[1].key_named = 0, g->constants[1].key = key;
}
static void key_too_short(wick_pte *p, hostile_graph *g) {
    (void)p, g->constants[1].key_named = 0, g->constants[1].key = "wick.note", g->constants[1].size = 48;
}

/* ---------------------------------------------------------------- the call */

static void number_passed(wick_pte *p, hostile_graph *g) { (void)g, p->methods[0].instrs[3].args[1] = SMALL_N; }
static void flat_passed(wick_pte *p, hostile_graph *g) { (void)g, p->methods[0].values[SMALL_U].tensor->rank = 1; }
/* The result goes to where a constant is. */
static void constant_written(wick_pte *p, hostile_graph *g) {
    static uint64_t offsets[] = {0, 0};
    wick_pte_tensor *u = p->methods[0].values[SMALL_U].tensor;
    (void)g, u->memory_id = 0, u->data_buffer_idx = 1, p->constants.offsets = offsets;
}

/* ---------------------------------------------------------------- bytes */

static uint8_t *payload(uint8_t *file, size_t size) {
    for (size_t i = 0; i + 4 < size; i++)
        if (memcmp(file + i, "XH00", 4) == 0) return file + i - 4;
    fail_msg("no payload");
    return NULL;
}
static void blob_short(wick_pte *p, hostile_graph *g) { (void)g, p->segments[SMALL_SEG_PAYLOAD].size = 24; }
static void blob_of_4(wick_pte *p, hostile_graph *g) { (void)g, p->segments[SMALL_SEG_PAYLOAD].size = 4; }
static void blob_header(uint8_t *file, size_t *size) { wick_store_u16(payload(file, *size) + 8, 29); }
static void blob_flatbuffer(uint8_t *file, size_t *size) { wick_store_u32(payload(file, *size) + 14, 0x100000); }
static void blob_without_constants(uint8_t *file, size_t *size) {
    blob_flatbuffer(file, size), wick_store_u64(payload(file, *size) + 22, 0);
}
static void blob_constants(uint8_t *file, size_t *size) { wick_store_u64(payload(file, *size) + 22, 0x100000); }
static void blob_overlap(uint8_t *file, size_t *size) {
    wick_store_u32(payload(file, *size) + 18, 32), wick_store_u64(payload(file, *size) + 22, 16);
}
static void blob_identifier(uint8_t *file, size_t *size) { memcpy(payload(file, *size) + 36, "XN02", 4); }
static void set(uint8_t *file, size_t size, const char *table, const char *field, size_t n, uint64_t value) {
    hostile_set(file, size, table, field, PLACE_SCALAR, n, value);
}
static void key_with_nul(uint8_t *file, size_t *size) {
    for (uint8_t *at = payload(file, *size); at + 8 < file + *size; at++)
        if (memcmp(at, "filter.-", 8) == 0) at[3] = 0;
}
static void inline_offset(uint8_t *file, size_t *size) { set(file, *size, "ConstantDataOffset", "size", 0, 4096); }
static void parameters_unknown(uint8_t *file, size_t *size) { set(file, *size, "XNNQuantizedTensorValue", "quant_params_type", 0, 5); }
static void parameters_none(uint8_t *file, size_t *size) { set(file, *size, "XNNQuantizedTensorValue", "quant_params_type", 0, 0); }
static void parameters_empty(uint8_t *file, size_t *size) {
    hostile_set(file, *size, "XNNQuantizedTensorValue", "quant_params", PLACE_SLOT, 0, 0);
}
static void value_kind(uint8_t *file, size_t *size) { set(file, *size, "XValue", "xvalue_union_type", 0, 3); }
static void value_none(uint8_t *file, size_t *size) { set(file, *size, "XValue", "xvalue_union_type", 0, 0); }
static void value_empty(uint8_t *file, size_t *size) { hostile_set(file, *size, "XValue", "xvalue_union", PLACE_SLOT, 0, 0); }
static void dims_claimed(uint8_t *file, size_t *size) { set(file, *size, "XNNTensorValue", "num_dims", 0, 9); }
static void dims_many(uint8_t *file, size_t *size) {
    set(file, *size, "XNNTensorValue", "num_dims", 0, 9);
    hostile_set(file, *size, "XNNTensorValue", "dims", PLACE_COUNT, 0, 9);
}
static void node_kind(uint8_t *file, size_t *size) { set(file, *size, "XNode", "xnode_union_type", 0, 48); }
static void node_empty(uint8_t *file, size_t *size) { hostile_set(file, *size, "XNode", "xnode_union", PLACE_SLOT, 0, 0); }
static void id_twice(uint8_t *file, size_t *size) {
    set(file, *size, "XNNTensorValue", "id_out", 2, hostile_get(file, *size, "XNNTensorValue", "id_out", PLACE_SCALAR, 1));
}
static void id_unknown(uint8_t *file, size_t *size) { set(file, *size, "XNNTensorValue", "id_out", 2, 1000); }
/* A node that only copies the shape, whose list is as long as it says. */
static void slice_node(wick_pte *p, hostile_graph *g) {
    (void)p;
    g->node = (wick_xnn_node){.op = WICK_XNN_SLICE, .n_in = 1, .in = {0}, .out = 3, .out2 = WICK_XNN_NONE, .n_list = 2, .list2 = {5, 3}};
}
static void list_claimed(uint8_t *file, size_t *size) { set(file, *size, "a node", "num_dims", 0, 1); }
static void lists_differ(uint8_t *file, size_t *size) { hostile_set(file, *size, "a node", "sizes", PLACE_COUNT, 0, 1); }
static void list_long(uint8_t *file, size_t *size) { hostile_set(file, *size, "a node", "sizes", PLACE_COUNT, 0, 9); }

/* ---------------------------------------------------------------- overlaps */

/* Four delegates, one per segment but the first; and each of these segments from the payload's place to the end. */
static void four_delegates(wick_pte *p, hostile_graph *g) {
    static uint8_t filler[65536];
    wick_pte_delegate *all = wick_pte_alloc(p, 4, sizeof *all);
    assert_non_null(all);
    g->constants[2].bytes = (wick_bytes){filler, sizeof filler};
    for (uint32_t i = 0; i < 4; i++) all[i] = p->methods[0].delegates[0], all[i].index = i + 1;
    p->methods[0].delegates = all, p->methods[0].n_delegate = 4;
}
static void all_the_same(uint8_t *file, size_t *size) {
    uint64_t base = wick_load_u64(file + 24), offset = (uint64_t)(payload(file, *size) - file) - base;
    for (size_t i = 0; i < 4; i++) {
        hostile_set(file, *size, "DataSegment", "offset", PLACE_SCALAR, i, offset);
        hostile_set(file, *size, "DataSegment", "size", PLACE_SCALAR, i, *size - base - offset - 8 * i);
    }
}

static const hostile_case cases[] = {
    HOSTILE_CHANGE(many_arguments, "claims 4097 arguments, at most 4096"),
    HOSTILE_CHANGE(far_extern, "argument 2 of 2"),
    HOSTILE_CHANGE(twice_extern, "two values are argument 0"),
    HOSTILE_CHANGE(unknown_value_flag, "flags 2147483649"),
    HOSTILE_CHANGE(unknown_node_flag, "has flags 0x80000000, Wick knows 0x1"),
    HOSTILE_CHANGE(far_operand, "names a value that does not exist"),
    HOSTILE_CHANGE(empty_operand, "has no content at that point"),
    HOSTILE_CHANGE(writes_input, "has content already"),
    HOSTILE_CHANGE(writes_weights, "has content already"),
    HOSTILE_CHANGE(constant_far, "constant 3 of 3"),
    HOSTILE_CHANGE(constant_short, "value 1 takes 64 bytes, constant 1 has 48"),
    HOSTILE_CHANGE(constant_missing, "wants the data \"nobody\""),
    HOSTILE_CHANGE(inline_far, "value 2 takes 12 bytes, constant 2 has 8"),
    HOSTILE_CHANGE(shapes_differ, "do not give that of its output"),
    HOSTILE_CHANGE(size_wrap, "the size of value 1 overflows"),
    HOSTILE_CHANGE(unknown_dtype, "unknown type 99"),
    HOSTILE_CHANGE(no_parameters, "has no quantization parameters"),
    HOSTILE_CHANGE(no_scales, "has 0 scales, its shape needs 3"),
    HOSTILE_CHANGE(group_of_zero, "groups of 0 along 4 columns"),
    HOSTILE_CHANGE(zero_scale, "scale that is not a positive normal number"),
    HOSTILE_CHANGE(per_row, NULL),
    HOSTILE_CHANGE(scales_apart, NULL),
    HOSTILE_CHANGE(scales_far, "scales are constant 4 of 4"),
    HOSTILE_CHANGE(scales_short, "its scales take 12 bytes, constant 3 has 8"),
    HOSTILE_CHANGE(scales_nan, "scale that is not a positive normal number"),
    HOSTILE_CHANGE(channel_negative, "channel dimension -1 of 2"),
    HOSTILE_CHANGE(channel_far, "channel dimension 2 of 2"),
    HOSTILE_CHANGE(other_parameters, "of type qcint8 has quantization parameters of kind 2"),
    HOSTILE_CHANGE(groups, "do not go together"), /* the parameters are right, the node's shapes are not */
    HOSTILE_CHANGE(groups_of_33, "groups of 33 along 66 columns"),
    HOSTILE_CHANGE(groups_of_48, "groups of 96 along 64 columns"),
    HOSTILE_CHANGE(groups_negative, "groups of -32 along 64 columns"),
    HOSTILE_CHANGE(groups_of_columns, "groups of 32 along 64 columns"),
    HOSTILE_CHANGE(groups_of_cubes, "groups of 32 along 0 columns"),
    HOSTILE_CHANGE(groups_many, "has 5 scales, its shape needs 6"),
    HOSTILE_CHANGE(groups_denormal, "scale that is not a positive normal number"),
    HOSTILE_CHANGE(rows_of_1, NULL),
    HOSTILE_CHANGE(rows_of_0, "rows of 0 of its 2 dimensions"),
    HOSTILE_CHANGE(rows_of_3, "rows of 3 of its 2 dimensions"),
    HOSTILE_CHANGE(whole_fits, NULL),
    HOSTILE_CHANGE(zero_low, "zero point -129"),
    HOSTILE_CHANGE(zero_high, "zero point 128"),
    HOSTILE_CHANGE(whole_zero, "scale 0, zero point 0"),
    HOSTILE_CHANGE(size_fits, NULL),
    HOSTILE_CHANGE(size_of_31_bits, "the size of value 4 overflows"),
    HOSTILE_CHANGE(size_of_89_bits, "the size of value 4 overflows"),
    HOSTILE_CHANGE(size_of_60_bits, "the size of value 4 overflows"),
    HOSTILE_CHANGE(internal_argument, "value 4: flags 0, argument 0 of 2"),
    HOSTILE_CHANGE(unnumbered_argument, "value 4: flags 1, argument 4294967295 of 2"),
    HOSTILE_CHANGE(three_flags, "value 0: flags 3"),
    HOSTILE_CHANGE(constant_argument, "value 0: flags 1, argument 0 of 2, constant 2"),
    HOSTILE_CHANGE(input_last, "argument 1 comes after the first output"),
    HOSTILE_CHANGE(constant_of_activations, "of type qdint8 is constant 1 of 3"),
    HOSTILE_CHANGE(nobody_writes, "no node writes value 3, which is output 1"),
    HOSTILE_CHANGE(far_result, "names a value that does not exist"),
    HOSTILE_CHANGE(absent_input, "input 1 is value 4294967295, which has no content"),
    HOSTILE_CHANGE(absent_bias, NULL),
    HOSTILE_CHANGE(int8_by_float, "has no quantization parameters"),
    HOSTILE_CHANGE(to_int8, "cannot take fp32 and give qdint8"),
    HOSTILE_CHANGE(key_of_nothing, "malformed key of 0 bytes"),
    HOSTILE_CHANGE(key_too_long, "malformed key of 4097 bytes"),
    HOSTILE_CHANGE(key_too_short, "claims 48 bytes, its data \"wick.note\" has 6"),
    HOSTILE_CHANGE(number_passed, "argument 1 of delegate 0 is not a tensor"),
    HOSTILE_CHANGE(flat_passed, "argument 1 has 1 dimensions, delegate 0 expects 2"),
    HOSTILE_CHANGE(constant_written, "delegate 0 writes value 3, which is a constant"),
    HOSTILE_CHANGE(blob_short, "the XNNPACK header needs 30 bytes"),
    HOSTILE_CHANGE(blob_of_4, "a FlatBuffer has at least 8 bytes, this one has 4"),
    HOSTILE_PATCH(blob_header, "the XNNPACK header needs 30 bytes"),
    HOSTILE_PATCH(blob_flatbuffer, "the XNNPACK header claims 1048576 bytes"),
    HOSTILE_PATCH(blob_without_constants, "the XNNPACK header claims 1048576 bytes"),
    HOSTILE_PATCH(blob_constants, "and 1048576 bytes of constants"),
    HOSTILE_PATCH(blob_overlap, "and 16 bytes of constants at 32"),
    HOSTILE_PATCH(blob_identifier, "found identifier \"XN02\" at byte 4, expected \"XN01\""),
    HOSTILE_PATCH(key_with_nul, "malformed key of 23 bytes"),
    HOSTILE_PATCH(inline_offset, "claims 4096 bytes at 0, the payload has 16 bytes of constants"),
    {"parameters_unknown", per_row, parameters_unknown, "quantization parameters of unknown kind 5"},
    {"parameters_none", per_row, parameters_none, "quantization parameters of unknown kind 0"},
    {"parameters_empty", per_row, parameters_empty, "quantization parameters of unknown kind 1"},
    HOSTILE_PATCH(value_kind, "a value of unknown kind 3"),
    HOSTILE_PATCH(value_none, "a value of unknown kind 0"),
    HOSTILE_PATCH(value_empty, "a value of unknown kind 1"),
    HOSTILE_PATCH(dims_claimed, "a value claims 9 dimensions and lists 2"),
    HOSTILE_PATCH(dims_many, "a value claims 9 dimensions and lists 9, at most 8"),
    HOSTILE_PATCH(node_kind, "node 0 is of unknown kind 48"),
    HOSTILE_PATCH(node_empty, "node 0 is of unknown kind 2"),
    HOSTILE_PATCH(id_twice, "two values have the id"),
    HOSTILE_PATCH(id_unknown, "names a value that does not exist"),
    {"all_the_same", four_delegates, all_the_same, "overlaps others"},
    {"slice_node", slice_node, NULL, NULL},
    {"list_claimed", slice_node, list_claimed, "claims 1 dimensions and lists 2 and 2"},
    {"lists_differ", slice_node, lists_differ, "lists 2 and 1"},
    {"list_long", slice_node, list_long, "has 9 items, at most 8 are allowed"},
};

/* A value that says in a field of 2023 that it is quantized on the way. */
static void old_quantization(void) {
    wick_fbb b = {0};
    wick_pte p = {0};
    wick_xnn x;
    wick_error err = {0};
    wick_fbb_table_begin(&b);
    wick_fbb_add_u16(&b, 0, WICK_XD_FP32, 0);
    wick_fbb_add_u32(&b, 4, WICK_XNN_NONE, 0);
    wick_fbb_add_u16(&b, 7, WICK_XD_QDINT8, 0);
    wick_fbb_ref tensor = wick_fbb_table_end(&b);
    wick_fbb_table_begin(&b);
    wick_fbb_add_u8(&b, 0, 1, 0);
    wick_fbb_add_ref(&b, 1, tensor);
    wick_fbb_ref value = wick_fbb_table_end(&b), values = wick_fbb_vector_refs(&b, &value, 1);
    wick_fbb_table_begin(&b);
    wick_fbb_add_ref(&b, 2, values);
    assert_true(wick_fbb_finish(&b, wick_fbb_table_end(&b), "XN00", 0));
    assert_int_equal(wick_xnn_read(&p, NULL, (wick_bytes){wick_fbb_bytes(&b), b.size}, "bad", false, &x, &err), WICK_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "quantized dynamically in the form of 2023"));
    wick_pte_release(&p);
    wick_fbb_release(&b);
}

void test_hostile_payload(void **state) {
    (void)state;
    HOSTILE_RUN(cases);
    old_quantization();
}
