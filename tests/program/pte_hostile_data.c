/* Data files (.ptd) that lie. */
#include "pte_hostile.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "program/ptd.h"
#include "support/small_data.h"

#include <unistd.h>

/* ---------------------------------------------------------------- a file of one tensor, and its lies */

static void refuse(const char *what, const small_data *m, const char *sentence) {
    wick_ptd_set set = {0};
    wick_error err = {0};
    size_t size;
    uint8_t *file = small_data_file(m, &size);
    wick_status status = wick_ptd_add_memory(&set, (wick_bytes){file, size}, "bad.ptd", &err);
    if (!sentence && status != WICK_OK) fail_msg("%s: %s", what, err.message);
    if (sentence && status == WICK_OK) fail_msg("%s was accepted", what);
    if (sentence && !strstr(err.message, sentence)) fail_msg("%s: \"%s\" does not say \"%s\"", what, err.message, sentence);
    wick_ptd_release(&set);
    free(file);
}

#define REFUSE(sentence, ...)                                                                                                              \
    do {                                                                                                                                   \
        small_data m = small_data_of("w", NULL, 2, 2);                                                                                     \
        __VA_ARGS__;                                                                                                                       \
        refuse(#__VA_ARGS__, &m, sentence);                                                                                                \
    } while (0)

static void fields(void) {
    static char long_key[WICK_MAX_KEY + 2];
    memset(long_key, 'x', sizeof long_key - 1);
    REFUSE(NULL, m.n_rank = 2);
    REFUSE(NULL, m.raw = true);
    REFUSE(NULL, m.key = long_key, m.key_size = WICK_MAX_KEY);
    REFUSE("malformed key of 0 bytes", m.key_size = 0);
    REFUSE("malformed key of 4097 bytes", m.key = long_key, m.key_size = WICK_MAX_KEY + 1);
    REFUSE("malformed key of 3 bytes", m.key = "a\0b", m.key_size = 3);
    REFUSE("type 6, 9 dimensions and an order of 9", m.n_rank = m.n_order = 9);
    REFUSE("2 dimensions and an order of 1", m.n_order = 1);
    REFUSE("type 9, 2 dimensions", m.scalar_type = 9);
    REFUSE("the size of \"w\" overflows", m.dims[0] = -1);
    REFUSE("the size of \"w\" overflows", m.dims[0] = -1, m.dims[1] = 0, m.scalar_type = WICK_ST_CHAR);
    REFUSE("the size of \"w\" overflows", m.dims[0] = 0x7fffffff, m.dims[1] = 0x7fffffff, m.scalar_type = WICK_ST_LONG);
    REFUSE("the dim_order of \"w\" is not a permutation", m.order[1] = 0);
    REFUSE("the dim_order of \"w\" is not a permutation", m.order[1] = 200);
    REFUSE("\"w\" takes 24 bytes, its segment has 16", m.dims[1] = 3);
    REFUSE("\"w\" is segment 1, the file has 1", m.segment = 1);
    REFUSE("segment 0 claims 17 bytes", m.size = 17);
    REFUSE("segment 0 claims 16 bytes", m.offset = 1);
    REFUSE("segment 0 claims 16 bytes", m.offset = UINT64_MAX - 15);
    REFUSE("is of schema version 1", m.version = 1);
    REFUSE("is not an ExecuTorch data file", m.header = 39);
    REFUSE("is not an ExecuTorch data file", m.magic = "FH02");
    REFUSE("(download incomplete?)", m.at = UINT64_MAX - 8);
    REFUSE("(download incomplete?)", m.at = 17);
    REFUSE("(download incomplete?)", m.flatbuffer_size = 17);
    REFUSE("(download incomplete?)", m.base = UINT64_MAX - 8);
    REFUSE("(download incomplete?)", m.segments_size = 17);
}

static void refuse_data(uint8_t *file, size_t size, const char *sentence) {
    wick_ptd_set set = {0};
    wick_error err = {0};
    assert_int_not_equal(wick_ptd_add_memory(&set, (wick_bytes){file, size}, "bad.ptd", &err), WICK_OK);
    if (!strstr(err.message, sentence)) fail_msg("\"%s\" does not say \"%s\"", err.message, sentence);
    wick_ptd_release(&set);
}

/* A file of holes whose header claims more structure than is ever looked at. */
static void too_much_structure(void) {
    const char *path = test_tmp("large.ptd");
    uint8_t head[64] = {48, 0, 0, 0, 'F', 'T', '0', '1', 'F', 'H', '0', '1', 40};
    wick_ptd_set set = {0};
    wick_error err = {0};
    wick_store_u64(head + 24, (uint64_t)WICK_MAX_FLATBUFFER + 1);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(head, sizeof head, 1, f), 1);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(truncate(path, (off_t)WICK_MAX_FLATBUFFER + 4096), 0);
    assert_int_equal(wick_ptd_add(&set, path, false, &err), WICK_EFORMAT);
    assert_non_null(strstr(err.message, "the header claims 1073741825 bytes at 0"));
    wick_ptd_release(&set);
    assert_int_equal(remove(path), 0);
}

void test_hostile_data(void **state) {
    (void)state;
    size_t size;
    uint8_t *file = test_read(test_data("stock/st_ptd_weights.ptd"), &size), *copy = malloc(size);
    wick_ptd_set set = {0};
    assert_non_null(copy);
    assert_ok(wick_ptd_add_memory(&set, (wick_bytes){file, size}, "a.ptd", err));
    wick_error err;
    assert_int_equal(wick_ptd_add_memory(&set, (wick_bytes){file, size}, "a.ptd", &err), WICK_EFORMAT); /* every key twice */
    assert_non_null(strstr(err.message, "occurs twice"));
    wick_ptd_release(&set);
    refuse_data(file, size - 4096, "(download incomplete?)");
    refuse_data(file, 47, "not an ExecuTorch data file");
    memcpy(copy, file, size), memcpy(copy + 4, "ET12", 4);
    refuse_data(copy, size, "not an ExecuTorch data file");
    memcpy(copy, file, size), wick_store_u64(copy + 16, 0), wick_store_u64(copy + 24, 47);
    refuse_data(copy, size, "(download incomplete?)");
    memcpy(copy, file, size), wick_store_u32(copy, 0xfffffff0u); /* the root was once followed before it was checked */
    refuse_data(copy, size, "past the end");
    memcpy(copy, file, size), wick_store_u64(copy + 16, UINT64_MAX);
    refuse_data(copy, size, "(download incomplete?)");
    memcpy(copy, file, size), wick_store_u64(copy + 32, UINT64_MAX - 100);
    refuse_data(copy, size, "(download incomplete?)");
    free(copy);
    free(file);
    fields();
    too_much_structure();
}

/* ---------------------------------------------------------------- a program and its data */

/* Opens the program with the data file, damaged. */
static void open_with(void (*patch)(uint8_t *file, size_t size), bool inspect, wick_status status, const char *sentence) {
    size_t size;
    uint8_t *file = test_read(test_data("stock/st_ptd_weights.ptd"), &size);
    const char *path = test_tmp("bad.ptd");
    wick_program *p;
    wick_error err = {0};
    if (patch) patch(file, size);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(file, size, 1, f), 1);
    assert_int_equal(fclose(f), 0);
    wick_program_options options = {.data_paths = &path, .n_data_path = patch || !sentence ? 1 : 0, .allow_unknown = inspect};
    assert_int_equal(wick_program_open(test_data("stock/st_ptd.pte"), &options, &p, &err), status);
    if (sentence && !strstr(err.message, sentence)) fail_msg("\"%s\" does not say \"%s\"", err.message, sentence);
    wick_program_close(p);
    free(file);
}

static void other_type(uint8_t *file, size_t size) {
    size_t n = 0;
    while (hostile_get(file, size, "TensorLayout", "scalar_type", PLACE_SCALAR, n) != WICK_ST_FLOAT) n++;
    hostile_set(file, size, "TensorLayout", "scalar_type", PLACE_SCALAR, n, WICK_ST_INT);
}
static void other_shape(uint8_t *file, size_t size) {
    uint64_t n = hostile_get(file, size, "TensorLayout", "sizes", PLACE_SCALAR, 0);
    hostile_set(file, size, "TensorLayout", "sizes", PLACE_SCALAR, 0, n - 1);
}
static void no_layout_and_short(uint8_t *file, size_t size) {
    places all;
    assert_true(places_find(file, size, &all));
    for (size_t i = 0; i < all.n; i++) {
        const place *p = &all.items[i];
        if (p->kind == PLACE_SLOT && strcmp(p->field, "tensor_layout") == 0) place_store(p, file, 0);
        if (p->kind == PLACE_SCALAR && strcmp(p->table, "DataSegment") == 0 && strcmp(p->field, "size") == 0) place_store(p, file, 2);
    }
    places_release(&all);
}
/* The first letter of every key. */
static void other_key(uint8_t *file, size_t size) {
    places all;
    assert_true(places_find(file, size, &all));
    for (size_t i = 0; i < all.n; i++)
        if (all.items[i].kind == PLACE_COUNT && strcmp(all.items[i].field, "key") == 0) file[all.items[i].at + 4] ^= 1;
    places_release(&all);
}

void test_hostile_external(void **state) {
    (void)state;
    open_with(NULL, false, WICK_OK, NULL);
    open_with(NULL, false, WICK_ENOTFOUND, "is in a data file (.ptd) that was not given");
    open_with(other_key, false, WICK_ENOTFOUND, "is in a data file (.ptd) that was not given");
    open_with(other_type, false, WICK_EMISMATCH, "has another type or shape in the data file");
    open_with(other_shape, false, WICK_EMISMATCH, "in the data file");
    open_with(no_layout_and_short, false, WICK_EMISMATCH, "is smaller in the data file than in the program");
    /* What only looks at a program may do without its data, but not with wrong data. */
    open_with(NULL, true, WICK_OK, NULL);
    open_with(no_layout_and_short, true, WICK_EMISMATCH, "is smaller in the data file than in the program");
}
