/* places_schema.h: the schemas of program.fbs, flat_tensor.fbs and XNNPACK's schema.fbs as tables of fields, for places.c.
 * A field is written F(name, kind of content, type): its id is its position; a union takes two, its type and its content. */
#ifndef WICK_FUZZ_PLACES_SCHEMA_H
#define WICK_FUZZ_PLACES_SCHEMA_H

typedef enum content {
    C_END, /* no such field */
    C_1,   /* numbers of so many bytes */
    C_2,
    C_4,
    C_8,
    C_STRING,
    C_TABLE,
    C_UNION, /* type: the first of a row of types by tag */
    C_VEC_1, /* bytes: only the length is a place */
    C_VEC_2,
    C_VEC_4,
    C_VEC_8,
    C_VEC_TABLE,
} content;

typedef enum type {
    T_NONE,
    T_PROGRAM,
    T_PLAN,
    T_META,
    T_EVALUE,
    T_CHAIN,
    T_INSTR,
    T_OPERATOR,
    T_DELEGATE,
    T_REFERENCE,
    T_SPEC,
    T_DEVICE,
    T_BYTES,
    T_OFFSETS,
    T_SEGMENT,
    T_NAMED,
    T_ALLOCATION,
    T_EXTRA,
    /* KernelTypes, from tag 1 */
    T_NULL,
    T_INT,
    T_BOOL,
    T_DOUBLE,
    T_TENSOR,
    T_STRING,
    T_INT_LIST,
    T_DOUBLE_LIST,
    T_BOOL_LIST,
    T_TENSOR_LIST,
    T_OPTIONAL_LIST,
    /* InstructionArguments, from tag 1 */
    T_KERNEL,
    T_DELEGATE_CALL,
    T_MOVE,
    T_JUMP,
    T_FREE,
    /* data files */
    T_FLAT,
    T_FLAT_NAMED,
    T_FLAT_LAYOUT,
    /* payloads */
    T_GRAPH,
    T_CONSTANT,
    T_XVALUE,
    T_XTENSOR, /* XValueUnion, from tag 1 */
    T_XQUANTIZED,
    T_PER_CHANNEL, /* XNNQuantParams, from tag 1 */
    T_PER_TENSOR,
    T_PER_TOKEN,
    T_PER_GROUP,
    T_XNODE,
    T_MIN_MAX,
    /* XNodeUnion: what its tables have in common. Those with lists have a type of their own */
    T_NODE,
    T_NODE_LIST,  /* StaticTranspose, StaticReshape: list in field 1 */
    T_NODE_LISTS, /* StaticSlice: lists in fields 1 and 2 */
    T_NODE_PAD,   /* StaticConstantPad: lists in fields 0 and 1 */
    N_TYPE
} type;

typedef struct table_field {
    const char *name;
    content content;
    type type;
} table_field;

enum { MAX_FIELD = 20 };

typedef struct table_type {
    const char *name;
    table_field fields[MAX_FIELD];
} table_type;

#define F1(name)                                                                                                                           \
    { name, C_1, T_NONE }
#define F2(name)                                                                                                                           \
    { name, C_2, T_NONE }
#define F4(name)                                                                                                                           \
    { name, C_4, T_NONE }
#define F8(name)                                                                                                                           \
    { name, C_8, T_NONE }
#define FS(name)                                                                                                                           \
    { name, C_STRING, T_NONE }
#define FT(name, type)                                                                                                                     \
    { name, C_TABLE, type }
#define FU(name, first)                                                                                                                    \
    {name "_type", C_1, T_NONE}, { name, C_UNION, first }
#define FV(name, width)                                                                                                                    \
    { name, C_VEC_##width, T_NONE }
#define FVT(name, type)                                                                                                                    \
    { name, C_VEC_TABLE, type }
#define EIGHT_NUMBERS F4("0"), F4("1"), F4("2"), F4("3"), F4("4"), F4("5"), F4("6"), F4("7")

static const table_type types[N_TYPE] = {
    [T_PROGRAM] = {"Program",
                   {F4("version"), FVT("execution_plan", T_PLAN), FVT("constant_buffer", T_BYTES), FVT("backend_delegate_data", T_BYTES),
                    FVT("segments", T_SEGMENT), FT("constant_segment", T_OFFSETS), FVT("mutable_data_segments", T_OFFSETS),
                    FVT("named_data", T_NAMED)}},
    [T_PLAN] = {"ExecutionPlan",
                {FS("name"), FT("container_meta_type", T_META), FVT("values", T_EVALUE), FV("inputs", 4), FV("outputs", 4),
                 FVT("chains", T_CHAIN), FVT("operators", T_OPERATOR), FVT("delegates", T_DELEGATE), FV("non_const_buffer_sizes", 8),
                 FVT("non_const_buffer_device", T_DEVICE)}},
    [T_META] = {"ContainerMetadata", {FS("encoded_inp_str"), FS("encoded_out_str")}},
    [T_EVALUE] = {"EValue", {FU("val", T_NULL)}},
    [T_CHAIN] = {"Chain", {FV("inputs", 4), FV("outputs", 4), FVT("instructions", T_INSTR)}},
    [T_INSTR] = {"Instruction", {FU("instr_args", T_KERNEL)}},
    [T_OPERATOR] = {"Operator", {FS("name"), FS("overload")}},
    [T_DELEGATE] = {"BackendDelegate", {FS("id"), FT("processed", T_REFERENCE), FVT("compile_specs", T_SPEC)}},
    [T_REFERENCE] = {"BackendDelegateDataReference", {F1("location"), F4("index")}},
    [T_SPEC] = {"CompileSpec", {FS("key"), FV("value", 1)}},
    [T_DEVICE] = {"NonConstBufferDevice", {F4("buffer_idx"), F1("device_type"), F1("device_index")}},
    [T_BYTES] = {"Buffer", {FV("data", 1)}},
    [T_OFFSETS] = {"SubsegmentOffsets", {F4("segment_index"), FV("offsets", 8)}},
    [T_SEGMENT] = {"DataSegment", {F8("offset"), F8("size")}},
    [T_NAMED] = {"NamedData", {FS("key"), F4("segment_index")}},
    [T_ALLOCATION] = {"AllocationDetails", {F4("memory_id"), F4("memory_offset_low"), F4("memory_offset_high")}},
    [T_EXTRA] = {"ExtraTensorInfo",
                 {F8("mutable_data_segments_idx"), FS("fully_qualified_name"), F1("location"), F1("device_type"), F1("device_index")}},
    [T_NULL] = {"Null", {{0}}},
    [T_INT] = {"Int", {F8("int_val")}},
    [T_BOOL] = {"Bool", {F1("bool_val")}},
    [T_DOUBLE] = {"Double", {F8("double_val")}},
    [T_TENSOR] = {"Tensor",
                  {F1("scalar_type"), F4("storage_offset"), FV("sizes", 4), FV("dim_order", 1), F1("requires_grad"), F4("data_buffer_idx"),
                   FT("allocation_info", T_ALLOCATION), F1("layout"), F1("shape_dynamism"), FT("extra_tensor_info", T_EXTRA)}},
    [T_STRING] = {"String", {FS("string_val")}},
    [T_INT_LIST] = {"IntList", {FV("items", 8)}},
    [T_DOUBLE_LIST] = {"DoubleList", {FV("items", 8)}},
    [T_BOOL_LIST] = {"BoolList", {FV("items", 1)}},
    [T_TENSOR_LIST] = {"TensorList", {FV("items", 4)}},
    [T_OPTIONAL_LIST] = {"OptionalTensorList", {FV("items", 4)}},
    [T_KERNEL] = {"KernelCall", {F4("op_index"), FV("args", 4)}},
    [T_DELEGATE_CALL] = {"DelegateCall", {F4("delegate_index"), FV("args", 4)}},
    [T_MOVE] = {"MoveCall", {F4("move_from"), F4("move_to")}},
    [T_JUMP] = {"JumpFalseCall", {F4("cond_value_index"), F4("destination_instruction")}},
    [T_FREE] = {"FreeCall", {F4("value_index")}},
    [T_FLAT] = {"FlatTensor", {F4("version"), FVT("segments", T_SEGMENT), FVT("named_data", T_FLAT_NAMED)}},
    [T_FLAT_NAMED] = {"NamedData", {FS("key"), F4("segment_index"), FT("tensor_layout", T_FLAT_LAYOUT)}},
    [T_FLAT_LAYOUT] = {"TensorLayout", {F1("scalar_type"), FV("sizes", 4), FV("dim_order", 1)}},
    [T_GRAPH] = {"XNNGraph",
                 {FS("version"), FVT("xnodes", T_XNODE), FVT("xvalues", T_XVALUE), F4("num_externs"), FV("input_ids", 4),
                  FV("output_ids", 4), FVT("constant_buffer", T_BYTES), FV("mem_buffer_sizes", 4), FVT("constant_data", T_CONSTANT)}},
    [T_CONSTANT] = {"ConstantDataOffset", {F8("offset"), F8("size"), FS("named_key")}},
    [T_XVALUE] = {"XValue", {FU("xvalue_union", T_XTENSOR)}},
    [T_XTENSOR] = {"XNNTensorValue",
                   {F2("datatype"), F4("num_dims"), FV("dims", 4), F4("constant_buffer_idx"), F4("external_id"), F4("flags"), F4("id_out"),
                    F2("dq_datatype")}},
    [T_XQUANTIZED] = {"XNNQuantizedTensorValue", {FT("tensor_value", T_XTENSOR), FU("quant_params", T_PER_CHANNEL)}},
    [T_PER_CHANNEL] = {"PerChannelQuant", {FV("scale", 4), F4("channel_dim"), F4("scale_buffer_idx"), F4("num_scales")}},
    [T_PER_TENSOR] = {"PerTensorQuant", {F4("scale"), F4("zero_point")}},
    [T_PER_TOKEN] = {"PerTokenDynamicQuant", {F4("num_nonbatch_dims")}},
    [T_PER_GROUP] = {"PerChannelGroupQuant",
                     {FV("scale", 4), F4("channel_dim"), F4("group_size"), FV("scale_bf16", 2), F4("scale_buffer_idx"), F4("num_scales")}},
    [T_XNODE] = {"XNode", {FU("xnode_union", T_NODE), F4("debug_handle"), FT("output_min_max", T_MIN_MAX)}},
    [T_MIN_MAX] = {"OutputMinMax", {F4("output_min"), F4("output_max")}},
    [T_NODE] = {"a node",
                {EIGHT_NUMBERS, F4("8"), F4("9"), F4("10"), F4("11"), F4("12"), F4("13"), F4("14"), F4("15"), F4("16"), F4("17"), F4("18"),
                 F4("19")}},
    [T_NODE_LIST] = {"a node", {F4("num_dims"), FV("list", 4), F4("input"), F4("output"), F4("flags")}},
    [T_NODE_LISTS] = {"a node", {F4("num_dims"), FV("offsets", 4), FV("sizes", 4), F4("input"), F4("output"), F4("flags")}},
    [T_NODE_PAD] = {"a node", {FV("pre", 4), FV("post", 4), F4("value"), F4("input"), F4("output"), F4("flags")}},
};

#endif
