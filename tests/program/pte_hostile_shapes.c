/* What nodes of a payload may say about shapes: one graph of one node per rule, as it is right and as it lies. */
#include "pte_hostile.h"

enum { R = WICK_MAX_RANK };

/* dims may go on behind the rank: what a rule would read that trusts a rank which another thing has. */
typedef struct shaped {
    int rank;
    uint32_t dims[R];
} shaped;

typedef struct lie {
    int op, n_list, axis;
    shaped in[3], out; /* inputs of rank -1: absent */
    uint32_t list[R], list2[R], conv[16];
    bool fits;
    uint32_t flags;
} lie;

#define NONE                                                                                                                               \
    {                                                                                                                                      \
        -1, {                                                                                                                              \
            0                                                                                                                              \
        }                                                                                                                                  \
    }
#define D1(a)                                                                                                                              \
    {                                                                                                                                      \
        1, { a }                                                                                                                           \
    }
#define D2(...)                                                                                                                            \
    {                                                                                                                                      \
        2, { __VA_ARGS__ }                                                                                                                 \
    }
#define D3(...)                                                                                                                            \
    {                                                                                                                                      \
        3, { __VA_ARGS__ }                                                                                                                 \
    }
#define D4(...)                                                                                                                            \
    {                                                                                                                                      \
        4, { __VA_ARGS__ }                                                                                                                 \
    }
/* padding t r b l, kernel h w, step h w, dilation h w, channels in and out of a group, groups */
#define WINDOW(k, step, dilation)                                                                                                          \
    { 1, 1, 1, 1, k, k, step, step, dilation, dilation, 4, 6, 1 }

static const lie lies[] = {
    /* x W' + b: columns, rows, bias; the filter transposed */
    {.op = WICK_XNN_FULLY_CONNECTED, .in = {D2(5, 4), D2(3, 4), D1(3)}, .out = D2(5, 3), .fits = true},
    {.op = WICK_XNN_FULLY_CONNECTED, .in = {D2(5, 4), D2(4, 3), D1(3)}, .out = D2(5, 3), .flags = 1, .fits = true},
    {.op = WICK_XNN_FULLY_CONNECTED, .in = {D2(5, 4), D2(4, 3), D1(3)}, .out = D2(5, 3)},
    {.op = WICK_XNN_FULLY_CONNECTED, .in = {D2(5, 4), D3(3, 4, 1), NONE}, .out = D2(5, 3)},
    {.op = WICK_XNN_FULLY_CONNECTED, .in = {{0, {0}}, D2(3, 0), NONE}, .out = D3(0, 0, 0)},
    {.op = WICK_XNN_FULLY_CONNECTED, .in = {D2(5, 4), D2(3, 4), D1(2)}, .out = D2(5, 3)},
    {.op = WICK_XNN_FULLY_CONNECTED, .in = {D2(5, 4), D2(0, 4), {0, {0}}}, .out = D2(5, 0)},
    {.op = WICK_XNN_FULLY_CONNECTED, .in = {D2(5, 4), D2(3, 4), D2(2, 3)}, .out = D2(5, 3)},
    {.op = WICK_XNN_FULLY_CONNECTED, .in = {D2(5, 4), D2(3, 4), NONE}, .out = D2(6, 3)},
    /* broadcasting */
    {.op = WICK_XNN_ADD, .in = {D2(5, 4), D1(4)}, .out = D2(5, 4), .fits = true},
    {.op = WICK_XNN_ADD, .in = {D2(5, 1), D2(1, 4)}, .out = D2(5, 4), .fits = true},
    {.op = WICK_XNN_ADD, .in = {D2(5, 4), D1(3)}, .out = D2(5, 4)},
    {.op = WICK_XNN_ADD, .in = {D2(5, 4), D1(4)}, .out = D1(4)},
    {.op = WICK_XNN_MULTIPLY, .in = {D2(5, 4), D2(4, 4)}, .out = D2(5, 4)},
    {.op = WICK_XNN_SIGMOID, .in = {D2(5, 4)}, .out = D2(5, 5)},
    /* reshaping: as many elements, one hole */
    {.op = WICK_XNN_RESHAPE, .n_list = 2, .list = {4, 0}, .in = {D2(2, 6)}, .out = D2(4, 3), .fits = true},
    {.op = WICK_XNN_RESHAPE, .n_list = 2, .list = {0, 0}, .in = {D2(2, 6)}, .out = D2(0, 12)},
    {.op = WICK_XNN_RESHAPE, .n_list = 2, .list = {5, 0}, .in = {D2(2, 6)}, .out = D2(5, 2)},
    {.op = WICK_XNN_RESHAPE, .n_list = 2, .list = {4, 4}, .in = {D2(2, 6)}, .out = D2(4, 4)},
    {.op = WICK_XNN_RESHAPE, .n_list = 2, .list = {1, 0}, .in = {D2(1u << 30, 1u << 29)}, .out = D2(1, 0)},
    /* permuting, slicing, joining, padding */
    {.op = WICK_XNN_TRANSPOSE, .n_list = 2, .list = {1, 0}, .in = {D2(5, 4)}, .out = D2(4, 5), .fits = true},
    {.op = WICK_XNN_TRANSPOSE, .n_list = 2, .list = {1, 1}, .in = {D2(5, 4)}, .out = D2(4, 4)},
    {.op = WICK_XNN_TRANSPOSE, .n_list = 2, .list = {1, 40}, .in = {D2(5, 4)}, .out = D2(4, 0)},
    {.op = WICK_XNN_TRANSPOSE, .n_list = 1, .list = {1, 0}, .in = {D2(5, 4)}, .out = D2(4, 5)},
    {.op = WICK_XNN_SLICE, .n_list = 2, .list = {1, 2}, .list2 = {4, 0}, .in = {D2(5, 4)}, .out = D2(4, 2), .fits = true},
    {.op = WICK_XNN_SLICE, .n_list = 2, .list = {2, 2}, .list2 = {4, 2}, .in = {D2(5, 4)}, .out = D2(4, 2)},
    {.op = WICK_XNN_SLICE, .n_list = 1, .list2 = {5, 4}, .in = {D2(5, 4)}, .out = D2(5, 4)},
    {.op = WICK_XNN_CONCATENATE2, .axis = -1, .in = {D2(5, 4), D2(5, 3)}, .out = D2(5, 7), .fits = true},
    {.op = WICK_XNN_CONCATENATE2, .axis = 2, .in = {D2(5, 4), D2(5, 4)}, .out = D2(5, 4)},
    {.op = WICK_XNN_CONCATENATE2, .axis = -3, .in = {D2(5, 4), D2(5, 4)}, .out = D4(5, 4, 0, 0)},
    {.op = WICK_XNN_CONCATENATE2, .axis = 1, .in = {D2(5, 4), D3(5, 3, 0)}, .out = D2(5, 7)},
    {.op = WICK_XNN_CONCATENATE2, .axis = 1, .in = {D2(5, 4), D2(6, 3)}, .out = D2(5, 7)},
    {.op = WICK_XNN_CONCATENATE3, .axis = 0, .in = {D1(0x7fffffff), D1(0x7fffffff), D1(7)}, .out = D1(5)},
    {.op = WICK_XNN_CONSTANT_PAD, .n_list = 2, .list = {0, 1}, .list2 = {0, 2}, .in = {D2(5, 4)}, .out = D2(5, 7), .fits = true},
    {.op = WICK_XNN_CONSTANT_PAD, .n_list = 1, .in = {D2(5, 4)}, .out = D2(5, 4)},
    {.op = WICK_XNN_CONSTANT_PAD, .n_list = 1, .list = {0xffffffffu}, .list2 = {0}, .in = {D1(5)}, .out = D1(4)},
    /* a b in batches */
    {.op = WICK_XNN_BATCH_MATMUL, .in = {D3(2, 5, 4), D3(1, 4, 3)}, .out = D3(2, 5, 3), .fits = true},
    {.op = WICK_XNN_BATCH_MATMUL, .in = {D3(2, 5, 4), D3(2, 5, 3)}, .out = D3(2, 5, 3)},
    {.op = WICK_XNN_BATCH_MATMUL, .in = {D3(2, 5, 4), D3(3, 4, 3)}, .out = D3(3, 5, 3)},
    {.op = WICK_XNN_BATCH_MATMUL, .in = {D1(4), D2(4, 3)}, .out = D2(1, 3)},
    {.op = WICK_XNN_BATCH_MATMUL, .in = {D2(5, 1), D1(4)}, .out = D2(5, 4)},
    /* convolving: one filter for all channels, one per channel */
    {.op = WICK_XNN_CONV2D, .in = {D4(1, 5, 5, 4), D4(6, 3, 3, 4), D1(6)}, .out = D4(1, 5, 5, 6), .conv = WINDOW(3, 1, 1), .fits = true},
    {.op = WICK_XNN_CONV2D, .in = {D3(1, 5, 5, 4), D4(6, 3, 3, 4), D1(6)}, .out = D4(1, 5, 5, 6), .conv = WINDOW(3, 1, 1)},
    {.op = WICK_XNN_CONV2D, .in = {D4(1, 5, 5, 4), D3(6, 3, 3, 4), D1(6)}, .out = D4(1, 5, 5, 6), .conv = WINDOW(3, 1, 1)},
    {.op = WICK_XNN_CONV2D, .in = {D4(1, 5, 5, 4), D4(6, 2, 3, 4), D1(6)}, .out = D4(1, 5, 5, 6), .conv = WINDOW(3, 1, 1)},
    {.op = WICK_XNN_CONV2D, .in = {D4(1, 5, 5, 4), D4(6, 3, 2, 4), D1(6)}, .out = D4(1, 5, 5, 6), .conv = WINDOW(3, 1, 1)},
    {.op = WICK_XNN_CONV2D, .in = {D4(1, 5, 5, 4), D4(5, 3, 3, 4), D1(6)}, .out = D4(1, 5, 5, 6), .conv = WINDOW(3, 1, 1)},
    {.op = WICK_XNN_CONV2D, .in = {D4(1, 5, 5, 3), D4(6, 3, 3, 4), D1(6)}, .out = D4(1, 5, 5, 6), .conv = WINDOW(3, 1, 1)},
    {.op = WICK_XNN_CONV2D, .in = {D4(1, 5, 5, 4), D4(6, 3, 3, 4), D1(5)}, .out = D4(1, 5, 5, 6), .conv = WINDOW(3, 1, 1)},
    {.op = WICK_XNN_CONV2D, .in = {D4(1, 5, 5, 4), D4(6, 3, 3, 4), D2(6, 1)}, .out = D4(1, 5, 5, 6), .conv = WINDOW(3, 1, 1)},
    {.op = WICK_XNN_CONV2D, .in = {D4(1, 5, 5, 4), D4(6, 8, 8, 4), D1(6)}, .out = D4(1, 0, 0, 6), .conv = WINDOW(8, 1, 1)},
    {.op = WICK_XNN_CONV2D, .in = {D4(1, 5, 5, 4), D4(6, 0, 0, 4), D1(6)}, .out = D4(1, 8, 8, 6), .conv = WINDOW(0, 1, 0)},
    {.op = WICK_XNN_CONV2D, .in = {D4(1, 5, 5, 4), D4(6, 3, 3, 4), D1(6)}, .out = D4(1, 5, 5, 6), .conv = WINDOW(3, 0, 1)},
    {.op = WICK_XNN_CONV2D, .in = {D4(1, 5, 5, 4), D4(6, 3, 3, 4), D1(6)}, .out = D4(1, 7, 7, 6), .conv = WINDOW(3, 1, 0)},
    {.op = WICK_XNN_CONV2D,
     .in = {D4(1, 5, 5, 0), D4(6, 3, 3, 0), D1(6)},
     .out = D4(1, 5, 5, 6),
     .conv = {1, 1, 1, 1, 3, 3, 1, 1, 1, 1, 0, 6, 1}},
    {.op = WICK_XNN_CONV2D,
     .in = {D4(1, 5, 5, 4), D4(0, 3, 3, 4), D1(0)},
     .out = D4(1, 5, 5, 0),
     .conv = {1, 1, 1, 1, 3, 3, 1, 1, 1, 1, 4, 0, 1}},
    {.op = WICK_XNN_CONV2D,
     .in = {D4(1, 5, 5, 0), D4(0, 3, 3, 4), D1(0)},
     .out = D4(1, 5, 5, 0),
     .conv = {1, 1, 1, 1, 3, 3, 1, 1, 1, 1, 4, 6, 0}},
    {.op = WICK_XNN_CONV2D,
     .in = {D4(1, 1, 1, 1), D4(1, 1, 1, 1), NONE},
     .out = D4(1, 1, 1, 1),
     .conv = {0x80000000u, 0, 0x80000000u, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1}}, /* 2^32 + 1 rows */
    {.op = WICK_XNN_DEPTHWISE_CONV2D,
     .in = {D4(1, 5, 5, 4), D4(1, 3, 3, 4), D1(4)},
     .out = D4(1, 5, 5, 4),
     .conv = {1, 1, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1, 4},
     .fits = true},
    {.op = WICK_XNN_DEPTHWISE_CONV2D,
     .in = {D4(1, 5, 5, 4), D4(2, 3, 3, 4), D1(4)},
     .out = D4(1, 5, 5, 4),
     .conv = {1, 1, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1, 4}},
};

static int inputs_of(const lie *l) {
    const wick_xnn_format *f = wick_xnn_format_get(l->op);
    return f ? f->n_in : 0;
}

static wick_status check(const lie *l, wick_error *err) {
    wick_xnn_value values[4];
    wick_xnn_node node = {
        .op = l->op, .n_in = inputs_of(l), .out2 = WICK_XNN_NONE, .flags = l->flags, .n_list = l->n_list, .axis = l->axis};
    uint32_t n = 0;
    for (int i = 0; i < WICK_XNN_MAX_IN; i++) {
        node.in[i] = i < node.n_in && l->in[i].rank >= 0 ? n : WICK_XNN_NONE;
        if (node.in[i] == WICK_XNN_NONE) continue;
        values[n] = (wick_xnn_value){.dtype = WICK_XD_FP32, .rank = l->in[i].rank, .external_id = n, .flags = 1};
        memcpy(values[n++].dims, l->in[i].dims, sizeof l->in[i].dims);
    }
    values[n] = (wick_xnn_value){.dtype = WICK_XD_FP32, .rank = l->out.rank, .external_id = n, .flags = 2};
    memcpy(values[n].dims, l->out.dims, sizeof l->out.dims);
    node.out = n;
    memcpy(node.list, l->list, sizeof node.list);
    memcpy(node.list2, l->list2, sizeof node.list2);
    memcpy(node.conv, l->conv, sizeof node.conv);
    wick_xnn x = {.version = "0", .values = values, .n_value = n + 1, .nodes = &node, .n_node = 1, .n_extern = n + 1, .n_input = n};
    return wick_xnn_check(&x, "bad", err);
}

/* What no payload can say, but a caller of the writer might. */
static void no_such_graphs(void) {
    wick_xnn_value v[2] = {{.dtype = WICK_XD_FP32, .rank = 1, .dims = {3}, .external_id = 0, .flags = 1},
                           {.dtype = WICK_XD_FP32, .rank = 1, .dims = {3}, .external_id = 1, .flags = 2}};
    const wick_xnn_node sigmoid = {.op = WICK_XNN_SIGMOID, .n_in = 1, .in = {0}, .out = 1, .out2 = WICK_XNN_NONE};
    wick_xnn_node node = sigmoid;
    wick_xnn x = {.version = "0", .values = v, .n_value = 2, .nodes = &node, .n_node = 1, .n_extern = 2, .n_input = 1};
    wick_error refused;
    assert_ok(wick_xnn_check(&x, "bad", err));
#define REFUSE(sentence, change, back)                                                                                                     \
    change;                                                                                                                                \
    refused.message[0] = 0;                                                                                                                \
    assert_int_not_equal(wick_xnn_check(&x, "bad", &refused), WICK_OK);                                                                    \
    if (!strstr(refused.message, sentence)) fail_msg("%s: \"%s\" does not say \"%s\"", #change, refused.message, sentence);                \
    back
    REFUSE("node 0 is of unknown kind 99", node.op = 99, node = sigmoid);
    REFUSE("node 0 is of unknown kind", node.n_in = 2, node = sigmoid);
    REFUSE("node 0 is of unknown kind", node.n_list = -1, node = sigmoid);
    REFUSE("node 0 is of unknown kind", node.n_list = WICK_MAX_RANK + 1, node = sigmoid);
    REFUSE("input 0 is value 2, which has no content", node.in[0] = 2, node = sigmoid);
    REFUSE("writes value 2, which does not exist", node.out = 2, node = sigmoid);
    REFUSE("writes value 1000, which does not exist", node.out = 1000, node = sigmoid);
    REFUSE("value 0 is of unknown type", v[0].rank = -1, v[0].rank = 1);
    REFUSE("value 0 is of unknown type", v[0].rank = WICK_MAX_RANK + 1, v[0].rank = 1);
    REFUSE("are more than a delegate may have", x.n_extern = WICK_MAX_XNN_EXTERNS + 1, x.n_extern = 2);
    REFUSE("are more than a delegate may have", x.n_value = WICK_MAX_XNN_VALUES + 1, x.n_value = 2);
#undef REFUSE
}

void test_hostile_shapes(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        wick_error err = {0};
        bool fits = check(&lies[i], &err) == WICK_OK;
        if (fits != lies[i].fits) fail_msg("%s (number %zu): %s", wick_xnn_op_name(lies[i].op), i, fits ? "was accepted" : err.message);
        if (!fits && !strstr(err.message, "the shapes of its inputs")) fail_msg("number %zu: \"%s\"", i, err.message);
    }
    no_such_graphs();
}
