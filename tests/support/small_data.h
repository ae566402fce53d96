/* small_data.h: a data file (.ptd) of one tensor, as it is right or with any of its numbers changed. */
#ifndef WICK_TESTS_SMALL_DATA_H
#define WICK_TESTS_SMALL_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct small_data {
    const char *key;
    size_t key_size;
    const void *bytes; /* of the tensor */
    uint32_t version, segment, n_rank, n_order, header;
    int32_t dims[2];
    uint8_t order[2];
    int scalar_type;
    uint64_t offset, size; /* of the segment */
    /* What the header says; 0: the truth. flatbuffer_size is added to the truth. */
    uint64_t base, segments_size, at, flatbuffer_size;
    bool raw; /* no layout */
    const char *magic;
} small_data;

/* A float tensor of the key: dims[1] 0: of one dimension. */
small_data small_data_of(const char *key, const float *bytes, int32_t rows, int32_t columns);
/* The file; free() it. */
uint8_t *small_data_file(const small_data *d, size_t *size);

#endif
