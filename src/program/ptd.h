/* ptd.h: external weights ("FlatTensor" files): named tensors beside a program.
 *
 * File: u32 root offset, "FT01", then "FH01", u32 header length (40), u64 FlatBuffer offset, u64 FlatBuffer size, u64 segment
 * base, u64 segment size; FlatBuffer (extension/flat_tensor/serialize/flat_tensor.fbs of pytorch/executorch); segments. */
#ifndef WICK_PROGRAM_PTD_H
#define WICK_PROGRAM_PTD_H

#include "base/os.h"
#include "base/table.h"
#include "program/pte.h"

typedef struct wick_ptd_entry {
    const char *key; /* terminated */
    wick_bytes data;
    bool has_layout; /* else opaque bytes */
    int scalar_type, rank;
    int32_t dims[WICK_MAX_RANK];
    uint8_t dim_order[WICK_MAX_RANK];
} wick_ptd_entry;

typedef struct wick_ptd_set {
    wick_mapping *files;
    size_t n_file;
    wick_ptd_entry *entries;
    size_t n_entry, entry_cap;
    wick_table by_key;
    char **names; /* storage of the keys */
    size_t n_name, name_cap;
} wick_ptd_set;

/* Adds a file; a key that another file already has is an error that names both. */
wick_status wick_ptd_add(wick_ptd_set *set, const char *path, bool no_mmap, wick_error *err);
wick_status wick_ptd_add_memory(wick_ptd_set *set, wick_bytes file, const char *name, wick_error *err);
void wick_ptd_release(wick_ptd_set *set);
const wick_ptd_entry *wick_ptd_find(const wick_ptd_set *set, const char *key);

#endif
