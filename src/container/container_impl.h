/* container_impl.h: what the readers of the three formats share. Only files of this folder include it.
 *
 * A reader gets a container whose files are mapped, and adds tensors and metadata; container.c then builds the two tables,
 * which is where double names show. */
#ifndef WICK_CONTAINER_IMPL_H
#define WICK_CONTAINER_IMPL_H

#include "container/container.h"

/* How a format stores a type: `n_block` elements in `block_size` bytes. */
typedef struct wick_tensor_format {
    uint32_t raw;
    const char *label;
    wick_tensor_type type;
    uint32_t n_block, block_size;
} wick_tensor_format;

enum { WICK_RAW_SAFETENSORS = 0x1000 }; /* raw types of safetensors are numbered from here, GGUF's are its own */

/* NULL: not known. */
const wick_tensor_format *wick_tensor_format_by_raw(uint32_t raw);
const wick_tensor_format *wick_safetensors_format(const char *label);

/* Bytes of a tensor of these dims; false: overflow, or the innermost dimension does not fill whole blocks. */
bool wick_tensor_byte_size(const wick_tensor_format *f, int rank, const int64_t *dims, uint64_t *size);

/* A terminated copy that lives as long as the container; NULL: no memory. */
char *wick_container_text(wick_container *c, const void *s, size_t n);

wick_status wick_container_add_tensor(wick_container *c, const wick_tensor *t, wick_error *err);
wick_status wick_container_add_meta(wick_container *c, const wick_meta *m, wick_error *err);

/* No two tensors of a file share bytes; `dense`: and together they fill [begin, end) without gaps. */
wick_status wick_container_check_layout(const wick_container *c, int i_file, const uint8_t *begin, const uint8_t *end, bool dense,
                                        wick_error *err);

/* The readers. files[i_file] is mapped; `name` stands in messages. */
wick_status wick_gguf_read(wick_container *c, const char *name, wick_error *err);
wick_status wick_safetensors_read(wick_container *c, int i_file, const char *name, wick_error *err);
wick_status wick_llama2c_read(wick_container *c, const char *name, wick_error *err);

/* Does the header describe a llama2.c file of exactly this size? */
bool wick_llama2c_probe(wick_bytes file);

/* Maps every shard that an index file names, and reads them. c->files is filled. */
wick_status wick_safetensors_read_index(wick_container *c, const char *folder, const char *index_path, wick_error *err);

#endif
