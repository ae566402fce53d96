/* Programs with fields that Wick's writer never writes, or never so: built table by table. One method "m" of one value, by default a
 * float tensor of one element without memory. */
#include "pte_hostile.h"

#include "base/bytes.h"
#include "program/flatbuf.h"

typedef struct mini {
    uint32_t version, n_rank, n_order, memory_id, storage_offset, n_share, n_chain, n_instr;
    int kind, scalar_type, dynamism, layout, location, device, arena_device, instr_kind, data_location;
    uint64_t mutable_segment;
    bool no_content, planned, extra, no_args, no_data, nul_name;
    const char *name, *overload, *tensor_name; /* of the method; of an operator */
} mini;

static const mini plain = {.n_rank = 1, .n_order = 1, .kind = WICK_EV_TENSOR, .scalar_type = WICK_ST_FLOAT, .name = "m"};

/* ---------------------------------------------------------------- building */

static wick_fbb_ref text(wick_fbb *b, const char *s) { return s ? wick_fbb_string(b, s, strlen(s)) : 0; }

static wick_fbb_ref tensor(wick_fbb *b, const mini *m) {
    static const int32_t dims[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    static const uint8_t order[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    wick_fbb_ref plan = 0, extra = 0, sizes = wick_fbb_vector(b, dims, 4, m->n_rank, 4),
                 orders = wick_fbb_vector(b, order, 1, m->n_order, 1);
    if (m->planned) {
        wick_fbb_table_begin(b);
        wick_fbb_add_u32(b, 0, m->memory_id, 0);
        plan = wick_fbb_table_end(b);
    }
    if (m->extra) {
        wick_fbb_ref name = text(b, m->tensor_name);
        wick_fbb_table_begin(b);
        wick_fbb_add_u64(b, 0, m->mutable_segment, 0);
        wick_fbb_add_ref(b, 1, name);
        wick_fbb_add_u8(b, 2, (uint8_t)m->location, 0);
        wick_fbb_add_u8(b, 3, (uint8_t)m->device, 0);
        extra = wick_fbb_table_end(b);
    }
    wick_fbb_table_begin(b);
    wick_fbb_add_u8(b, 0, (uint8_t)m->scalar_type, 0);
    wick_fbb_add_u32(b, 1, m->storage_offset, 0);
    wick_fbb_add_ref(b, 2, sizes);
    wick_fbb_add_ref(b, 3, orders);
    wick_fbb_add_ref(b, 6, plan);
    wick_fbb_add_u8(b, 7, (uint8_t)m->layout, 0);
    wick_fbb_add_u8(b, 8, (uint8_t)m->dynamism, 0);
    wick_fbb_add_ref(b, 9, extra);
    return wick_fbb_table_end(b);
}

/* The value, and n_share more that are the same table. */
static wick_fbb_ref values(wick_fbb *b, const mini *m) {
    wick_fbb_ref content = m->no_content ? 0 : tensor(b, m), *all = calloc(m->n_share + 1, sizeof *all);
    assert_non_null(all);
    wick_fbb_table_begin(b);
    wick_fbb_add_u8(b, 0, (uint8_t)m->kind, 0);
    wick_fbb_add_ref(b, 1, content);
    all[0] = wick_fbb_table_end(b);
    for (uint32_t i = 0; i < m->n_share; i++) all[i + 1] = all[0];
    wick_fbb_ref list = wick_fbb_vector_refs(b, all, m->n_share + 1);
    free(all);
    return list;
}

/* One chain of one instruction of the kind, or n_chain chains that share n_instr of them. */
static wick_fbb_ref chains(wick_fbb *b, const mini *m) {
    wick_fbb_ref chain[8], args = 0;
    uint32_t n = m->n_chain ? m->n_instr : 1;
    wick_fbb_ref *list = calloc(n, sizeof *list);
    assert_non_null(list);
    if (!m->no_args) {
        wick_fbb_table_begin(b);
        args = wick_fbb_table_end(b);
    }
    wick_fbb_table_begin(b);
    wick_fbb_add_u8(b, 0, (uint8_t)m->instr_kind, 0);
    wick_fbb_add_ref(b, 1, args);
    list[0] = wick_fbb_table_end(b);
    for (uint32_t i = 1; i < n; i++) list[i] = list[0];
    wick_fbb_ref instrs = wick_fbb_vector_refs(b, list, n);
    free(list);
    for (uint32_t i = 0; i == 0 || i < m->n_chain; i++) {
        wick_fbb_table_begin(b);
        wick_fbb_add_ref(b, 2, instrs);
        chain[i] = wick_fbb_table_end(b);
    }
    return wick_fbb_vector_refs(b, chain, m->n_chain ? m->n_chain : 1);
}

static wick_fbb_ref delegates(wick_fbb *b, const mini *m) {
    wick_fbb_ref id = text(b, "XnnpackBackend"), data = 0, list[1];
    if (!m->no_data) {
        wick_fbb_table_begin(b);
        wick_fbb_add_u8(b, 0, (uint8_t)m->data_location, 0);
        data = wick_fbb_table_end(b);
    }
    wick_fbb_table_begin(b);
    wick_fbb_add_ref(b, 0, id);
    wick_fbb_add_ref(b, 1, data);
    list[0] = wick_fbb_table_end(b);
    return wick_fbb_vector_refs(b, list, 1);
}

static wick_fbb_ref devices(wick_fbb *b, const mini *m) {
    wick_fbb_table_begin(b);
    wick_fbb_add_u8(b, 1, (uint8_t)m->arena_device, 0);
    wick_fbb_ref one = wick_fbb_table_end(b);
    return wick_fbb_vector_refs(b, &one, 1);
}

static wick_fbb_ref operators(wick_fbb *b, const mini *m) {
    wick_fbb_ref name = text(b, "aten::add"), overload = text(b, m->overload);
    wick_fbb_table_begin(b);
    wick_fbb_add_ref(b, 0, name);
    wick_fbb_add_ref(b, 1, overload);
    wick_fbb_ref one = wick_fbb_table_end(b);
    return wick_fbb_vector_refs(b, &one, 1);
}

/* The finished file; release it. */
static wick_fbb build(mini m) {
    static const int64_t arenas[2] = {0, 64};
    wick_fbb b = {0};
    wick_fbb_ref name = m.nul_name ? wick_fbb_string(&b, "m\0x", 3) : text(&b, m.name), value_list = values(&b, &m);
    wick_fbb_ref sizes = wick_fbb_vector(&b, arenas, 8, 2, 8), device_list = m.arena_device ? devices(&b, &m) : 0;
    wick_fbb_ref chain_list = m.instr_kind ? chains(&b, &m) : 0, operator_list = m.overload ? operators(&b, &m) : 0;
    wick_fbb_ref delegate_list = m.no_data || m.data_location ? delegates(&b, &m) : 0;
    wick_fbb_table_begin(&b);
    wick_fbb_add_ref(&b, 0, name);
    wick_fbb_add_ref(&b, 2, value_list);
    wick_fbb_add_ref(&b, 5, chain_list);
    wick_fbb_add_ref(&b, 6, operator_list);
    wick_fbb_add_ref(&b, 7, delegate_list);
    wick_fbb_add_ref(&b, 8, sizes);
    wick_fbb_add_ref(&b, 9, device_list);
    wick_fbb_ref plan = wick_fbb_table_end(&b), plans = wick_fbb_vector_refs(&b, &plan, 1);
    wick_fbb_table_begin(&b);
    wick_fbb_add_u32(&b, 0, m.version, 0);
    wick_fbb_add_ref(&b, 1, plans);
    assert_true(wick_fbb_finish(&b, wick_fbb_table_end(&b), "ET12", 0));
    return b;
}

static void refuse(const char *what, mini m, const char *sentence) {
    wick_fbb b = build(m);
    hostile_expect(what, wick_fbb_bytes(&b), b.size, sentence);
    wick_fbb_release(&b);
}

/* ---------------------------------------------------------------- what is refused */

#define REFUSE(sentence, ...)                                                                                                              \
    do {                                                                                                                                   \
        mini m = plain;                                                                                                                    \
        __VA_ARGS__;                                                                                                                       \
        refuse(#__VA_ARGS__, m, sentence);                                                                                                 \
    } while (0)

static void values_and_tensors(void) {
    REFUSE(NULL, m.n_rank = m.n_order = 8);
    REFUSE("a tensor of 9 dimensions, Wick handles 8", m.n_rank = m.n_order = 9); /* more than any array of dimensions has */
    REFUSE("1 sizes, but a dim_order of 2", m.n_order = 2);
    REFUSE("2 sizes, but a dim_order of 1", m.n_rank = 2);
    REFUSE("has element type 9", m.scalar_type = 9);
    REFUSE("has element type -1", m.scalar_type = -1);
    REFUSE("a shape without upper bound", m.dynamism = WICK_DYNAMIC_UNBOUND);
    REFUSE("a shape without upper bound", m.dynamism = 7);
    REFUSE("has a storage offset", m.storage_offset = 4);
    REFUSE("is not a strided tensor", m.layout = 1);
    REFUSE("planned in arena 0", m.planned = true);
    REFUSE(NULL, m.planned = true, m.memory_id = 1);
    REFUSE("4 bytes at 0 of arena 2 lie outside it (2 arenas, 0 bytes)", m.planned = true, m.memory_id = 2);
    REFUSE("mutable data segment 4294967295", m.extra = true, m.mutable_segment = UINT32_MAX);
    REFUSE("mutable data segment 4294967296", m.extra = true, m.mutable_segment = (uint64_t)1 << 32);
    REFUSE("unknown data location 2", m.extra = true, m.location = 2);
    REFUSE("no name to find it by", m.extra = true, m.location = 1);
    REFUSE("no name to find it by", m.extra = true, m.location = 1, m.tensor_name = "");
    REFUSE("lives on a device of type 1", m.extra = true, m.device = 1);
    REFUSE("value 0 is of unknown kind 12", m.kind = 12);
    REFUSE("value 0 is of unknown kind 0", m.kind = WICK_EV_NONE); /* taken for null by some readers, not by others */
    REFUSE("value 0 of kind 5 has no content", m.no_content = true);
    REFUSE(NULL, m.kind = WICK_EV_NULL, m.no_content = true);
    REFUSE("plans memory on a device of type 1", m.arena_device = 1);
}

static void methods_and_instructions(void) {
    REFUSE("is of schema version 1", m.version = 1);
    REFUSE("contains a NUL byte", m.nul_name = true);
    REFUSE("a method has a name of 0 bytes", m.name = NULL);
    REFUSE("instruction 0 is of unknown kind 6", m.instr_kind = 6);
    REFUSE("instruction 0 of kind 5 has no content", m.instr_kind = WICK_IK_FREE, m.no_args = true);
    REFUSE(NULL, m.instr_kind = WICK_IK_FREE);
    REFUSE("more than 4194304 instructions", m.instr_kind = WICK_IK_FREE, m.n_chain = 5, m.n_instr = 1 << 20);
    REFUSE("delegate 0 has no data", m.no_data = true);
    REFUSE("delegate 0 has no data", m.data_location = 2);
    REFUSE("delegate 0 has no data", m.data_location = -1);
    REFUSE("delegate 0 has its data in segment 0, there are 0", m.data_location = 1);
    REFUSE("aten::add.nothing, which Wick does not have", m.overload = "nothing");
    /* A table that many share is paid for each time: a small file cannot become a large program. */
    REFUSE(NULL, m.n_share = 100);
    REFUSE("shared more often than their size allows", m.n_share = 100000);
}

/* Chains run one after the other, and jumps stay in theirs: here each chain has two that go to its first instruction. */
static void two_chains(void) {
    mini m = plain;
    m.planned = true, m.memory_id = 1, m.instr_kind = WICK_IK_JUMP_FALSE, m.n_chain = 2, m.n_instr = 2;
    wick_fbb b = build(m);
    wick_program *p;
    assert_ok(wick_program_open_memory((wick_bytes){wick_fbb_bytes(&b), b.size}, "chains.pte", NULL, &p, err));
    assert_int_equal(p->pte.methods[0].n_instr, 4);
    for (uint32_t i = 0; i < 4; i++) assert_int_equal(p->pte.methods[0].instrs[i].target, i / 2 * 2);
    wick_program_close(p);
    wick_fbb_release(&b);
}

void test_hostile_fields(void **state) {
    (void)state;
    values_and_tensors();
    methods_and_instructions();
    two_chains();
}
