#include "support/small_data.h"

#include "program/flatbuf.h"
#include "program/pte.h"
#include "support/support.h"

small_data small_data_of(const char *key, const float *bytes, int32_t rows, int32_t columns) {
    uint32_t rank = columns ? 2 : 1;
    return (small_data){.key = key,
                        .key_size = strlen(key),
                        .bytes = bytes,
                        .n_rank = rank,
                        .n_order = rank,
                        .header = 40,
                        .dims = {rows, columns},
                        .order = {0, 1},
                        .scalar_type = WICK_ST_FLOAT,
                        .size = (uint64_t)rows * (uint64_t)(columns ? columns : 1) * 4,
                        .magic = "FH01"};
}

static wick_fbb_ref layout(wick_fbb *b, const small_data *d) {
    int32_t dims[16] = {d->dims[0], d->dims[1]};
    uint8_t order[16] = {d->order[0], d->order[1]};
    wick_fbb_ref sizes = wick_fbb_vector(b, dims, 4, d->n_rank, 4), orders = wick_fbb_vector(b, order, 1, d->n_order, 1);
    wick_fbb_table_begin(b);
    wick_fbb_add_u8(b, 0, (uint8_t)d->scalar_type, 0);
    wick_fbb_add_ref(b, 1, sizes);
    wick_fbb_add_ref(b, 2, orders);
    return wick_fbb_table_end(b);
}

static void structure(wick_fbb *b, const small_data *d) {
    wick_fbb_ref tensor_layout = d->raw ? 0 : layout(b, d), key = wick_fbb_string(b, d->key, d->key_size);
    wick_fbb_table_begin(b);
    wick_fbb_add_ref(b, 0, key);
    wick_fbb_add_u32(b, 1, d->segment, 0);
    wick_fbb_add_ref(b, 2, tensor_layout);
    wick_fbb_ref named = wick_fbb_table_end(b), named_list = wick_fbb_vector_refs(b, &named, 1);
    wick_fbb_table_begin(b);
    wick_fbb_add_u64(b, 0, d->offset, 0);
    wick_fbb_add_u64(b, 1, d->size, 0);
    wick_fbb_ref segment = wick_fbb_table_end(b), segments = wick_fbb_vector_refs(b, &segment, 1);
    wick_fbb_table_begin(b);
    wick_fbb_add_u32(b, 0, d->version, 0);
    wick_fbb_add_ref(b, 1, segments);
    wick_fbb_add_ref(b, 2, named_list);
    assert_true(wick_fbb_finish(b, wick_fbb_table_end(b), "FT01", 48));
}

uint8_t *small_data_file(const small_data *d, size_t *size) {
    wick_fbb b = {0};
    size_t n_byte = 4;
    for (uint32_t i = 0; i < 2; i++) n_byte *= d->dims[i] > 0 && d->dims[i] < 1000 ? (size_t)d->dims[i] : 1;
    if (d->bytes == NULL) n_byte = 16;
    structure(&b, d);
    *size = b.size + n_byte;
    uint8_t *file = calloc(*size, 1);
    assert_non_null(file);
    memcpy(file, wick_fbb_bytes(&b), b.size);
    memcpy(file + 8, d->magic, 4);
    wick_store_u32(file + 12, d->header);
    wick_store_u64(file + 16, d->at);
    wick_store_u64(file + 24, b.size + d->flatbuffer_size);
    wick_store_u64(file + 32, d->base ? d->base : b.size);
    wick_store_u64(file + 40, d->segments_size ? d->segments_size : n_byte);
    if (d->bytes) memcpy(file + b.size, d->bytes, n_byte);
    wick_fbb_release(&b);
    return file;
}
