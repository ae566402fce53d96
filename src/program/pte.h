/* pte.h: the ExecuTorch program format as plain structs.
 *
 * File: one FlatBuffer ("ET12", schema/program.fbs of pytorch/executorch), a 32-byte extended header between its first 8
 * bytes and the rest, then raw segments:
 *
 *     0   u32 root offset          8   "eh00"             16  u64 program size (FlatBuffer, header included)
 *     4   "ET12"                   12  u32 header length  24  u64 offset of the first segment
 *                                                         32  u64 bytes of all segments (absent in 24-byte headers)
 *
 * A program is a set of methods; a method is a table of values and a list of instructions over them. Nothing in it is
 * about language models.
 *
 * The reader fills these structs from a verified file (pte_read.c), the writer takes them (pte_write.c); a program read and
 * written again runs the same. Structs are arrays plus counts, owned by one arena in wick_pte; strings are terminated. */
#ifndef WICK_PROGRAM_PTE_H
#define WICK_PROGRAM_PTE_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/source.h"
#include "base/table.h"

typedef enum wick_scalar_type { /* numbers of the format (ATen) */
                                WICK_ST_BYTE = 0,
                                WICK_ST_CHAR = 1,
                                WICK_ST_SHORT = 2,
                                WICK_ST_INT = 3,
                                WICK_ST_LONG = 4,
                                WICK_ST_HALF = 5,
                                WICK_ST_FLOAT = 6,
                                WICK_ST_DOUBLE = 7,
                                WICK_ST_BOOL = 11,
                                WICK_ST_BFLOAT16 = 15,
                                WICK_ST_UINT16 = 27
} wick_scalar_type;
/* Bytes of one element; 0: a type that Wick does not hold in memory. */
size_t wick_scalar_size(int scalar_type);
const char *wick_scalar_name(int scalar_type); /* "Float", as the stock tools print it */

typedef enum wick_evalue_kind { /* tags of the format; 0 is in no program */
                                WICK_EV_NONE = 0,
                                WICK_EV_NULL = 1,
                                WICK_EV_INT = 2,
                                WICK_EV_BOOL = 3,
                                WICK_EV_DOUBLE = 4,
                                WICK_EV_TENSOR = 5,
                                WICK_EV_STRING = 6,
                                WICK_EV_INT_LIST = 7,
                                WICK_EV_DOUBLE_LIST = 8,
                                WICK_EV_BOOL_LIST = 9,
                                WICK_EV_TENSOR_LIST = 10,
                                WICK_EV_OPTIONAL_TENSOR_LIST = 11
} wick_evalue_kind;

typedef enum wick_dynamism { WICK_STATIC = 0, WICK_DYNAMIC_BOUND = 1, WICK_DYNAMIC_UNBOUND = 2 } wick_dynamism;

typedef struct wick_pte_tensor {
    int scalar_type;
    int rank;
    int32_t dims[WICK_MAX_RANK]; /* upper bounds if dynamic */
    uint8_t dim_order[WICK_MAX_RANK];
    wick_dynamism dynamism;
    uint32_t data_buffer_idx; /* > 0: constant, or initial value if planned too */
    uint32_t memory_id;       /* 1-based arena; 0: not planned */
    uint64_t memory_offset;
    bool external;            /* its data is in a `.ptd` under `name` */
    uint32_t mutable_segment; /* which mutable_data_segments entry holds the initial value */
    const char *name;         /* fully qualified name, or NULL */
    bool requires_grad;
} wick_pte_tensor;

typedef struct wick_pte_value {
    wick_evalue_kind kind;
    int64_t i;               /* INT, BOOL */
    double d;                /* DOUBLE */
    const char *s;           /* STRING */
    wick_pte_tensor *tensor; /* TENSOR */
    /* Lists. INT_LIST, TENSOR_LIST, OPTIONAL_TENSOR_LIST: value indices in `items` (-1: none, optional lists only).
     * BOOL_LIST: the values themselves in `items`. DOUBLE_LIST: in `doubles`. */
    int64_t *items;
    double *doubles;
    uint32_t n;
} wick_pte_value;

typedef enum wick_instr_kind { /* tags of the format */
                               WICK_IK_KERNEL = 1,
                               WICK_IK_DELEGATE = 2,
                               WICK_IK_MOVE = 3,
                               WICK_IK_JUMP_FALSE = 4,
                               WICK_IK_FREE = 5
} wick_instr_kind;

typedef struct wick_pte_instr {
    wick_instr_kind kind;
    int32_t index;  /* KERNEL: operator; DELEGATE: delegate; MOVE: from; JUMP_FALSE: condition; FREE: value */
    int32_t target; /* MOVE: to; JUMP_FALSE: destination instruction */
    int32_t *args;  /* KERNEL, DELEGATE: value indices */
    uint32_t n_arg;
} wick_pte_instr;

typedef struct wick_pte_operator {
    const char *name;     /* "aten::add" */
    const char *overload; /* "out", or "" */
} wick_pte_operator;

typedef struct wick_pte_spec {
    const char *key;
    wick_bytes value;
} wick_pte_spec;

typedef struct wick_pte_delegate {
    const char *id;   /* "XnnpackBackend" */
    bool inline_data; /* else a segment */
    uint32_t index;   /* into inline_blobs or segments */
    wick_pte_spec *specs;
    uint32_t n_spec;
} wick_pte_delegate;

typedef struct wick_pte_method {
    const char *name;
    const char *container_in, *container_out; /* Python's pytree strings, kept for rewriting; may be "" */
    wick_pte_value *values;
    uint32_t n_value;
    int32_t *inputs, *outputs;
    uint32_t n_input, n_output;
    wick_pte_instr *instrs;
    uint32_t n_instr;
    wick_pte_operator *operators;
    uint32_t n_operator;
    wick_pte_delegate *delegates;
    uint32_t n_delegate;
    int64_t *arena_sizes; /* [n_arena], entry 0 reserved */
    uint32_t n_arena;
} wick_pte_method;

/* Offsets of single tensors inside one segment. */
typedef struct wick_pte_offsets {
    uint32_t segment;
    uint64_t *offsets;
    uint32_t n;
} wick_pte_offsets;

typedef struct wick_pte_named {
    char *key;
    uint32_t segment;
    uint32_t hash_size; /* WRITER: > 0: the last hash_size (<= 64) characters of key become the first hex digits of the segment's sha256 */
} wick_pte_named;

typedef struct wick_pte_segment {
    wick_source *pieces; /* one after the other, each at its offset; a segment read from a file has one resident piece */
    uint64_t *offsets;   /* of the pieces, ascending */
    uint32_t n_piece;
    uint64_t size;
    const struct wick_xnn *xnn; /* WRITER: not NULL: the segment is this payload, serialized when the keys that it uses are final
                              (no pieces; size is filled in by the writer) */
    uint64_t alignment;         /* WRITER: of the segment in the file; 0: the writer's default (4096) */
    uint32_t job;               /* WRITER: segments with the same job > 0 are produced by one thread, in order */
    uint64_t file_offset;       /* READER: from the start of the file */
} wick_pte_segment;

typedef struct wick_pte {
    uint32_t version;
    wick_pte_method *methods;
    uint32_t n_method;
    wick_pte_segment *segments;
    uint32_t n_segment;
    bool has_constant_segment;
    wick_pte_offsets constants; /* index 0 reserved */
    wick_pte_offsets *mutables;
    uint32_t n_mutable;
    wick_pte_named *named;
    uint32_t n_named;
    wick_table named_by_key;  /* READER: key -> index into named */
    wick_bytes *inline_blobs; /* inline delegate data */
    uint32_t n_inline;
    wick_bytes *constant_buffers; /* files before the constant segment */
    uint32_t n_constant_buffer;
    /* the file, READER */
    uint64_t flatbuffer_size, segment_base, file_size;
    uint32_t header_size; /* 0: none; 24 or 32 */
    void *arena;          /* owner of every array and string above */
} wick_pte;

/* ---------------------------------------------------------------- memory of the structs */

/* Bump allocation that lives until wick_pte_release. Zeroed; NULL: none. */
void *wick_pte_alloc(wick_pte *p, size_t count, size_t size);
char *wick_pte_strdup(wick_pte *p, const char *s, size_t n);
void wick_pte_release(wick_pte *p);

/* ---------------------------------------------------------------- reading */

/* Parses and verifies a whole file: structure, all index ranges, tensor sizes against their storage, list items, instruction
 * targets. Bytes are borrowed. What an operator means is checked by wick_pte_check. */
wick_status wick_pte_read(wick_bytes file, const char *name, wick_pte *out, wick_error *err);

/* The bytes of a constant tensor of this program (not external); false: it has none. The range was verified. */
bool wick_pte_constant(const wick_pte *p, const wick_pte_tensor *t, wick_bytes *out);
/* The initial bytes of a planned tensor. */
bool wick_pte_initial(const wick_pte *p, const wick_pte_tensor *t, wick_bytes *out);
/* Elements and bytes of a tensor at its upper bound; false: overflow. */
bool wick_pte_tensor_size(const wick_pte_tensor *t, uint64_t *n_element, uint64_t *n_byte);
const wick_pte_method *wick_pte_method_find(const wick_pte *p, const char *name);
/* Value of a metadata method (no instructions): number of outputs, 0 if there is no such method. */
uint32_t wick_pte_metadata(const wick_pte *p, const char *name, const wick_pte_value *out[], uint32_t max);
bool wick_pte_named_find(const wick_pte *p, const char *key, wick_bytes *out);

/* ---------------------------------------------------------------- checking */

/* Checks the structs themselves: index ranges, list items, instruction targets, tensor sizes against their storage. Both the
 * reader (at the end of wick_pte_read) and the writer (before anything else) rely on it. */
wick_status wick_pte_verify(const wick_pte *p, const char *name, wick_error *err);

enum {
    /* Operators that instr.def does not know are passed over (inspect reports them). */
    WICK_CHECK_ALLOW_UNKNOWN = 1,
    /* What holds for files that Wick writes, and need not for others, where one arena range may have several names: two planned
     * tensors that are alive at the same time do not overlap, nothing is read before it is written, and no integer that an
     * instruction writes is read before that (it would be a constant that two uses share). Straight-line methods only. */
    WICK_CHECK_PLAN = 2,
};

/* Checks every instruction of every method against instr.def (arity, kinds of arguments, repeated out), that operands have
 * storage, and that nothing writes a constant. Shared by the reader (after wick_pte_read) and the writer (before writing). */
wick_status wick_pte_check(const wick_pte *p, const char *name, unsigned flags, wick_error *err);

/* ---------------------------------------------------------------- writing */

/* SHA-256 as its caller has it (the core links no library for it): a state of state_size bytes, aligned for any type. */
typedef struct wick_sha256 {
    size_t state_size;
    void (*init)(void *state);
    void (*update)(void *state, const void *data, uint64_t size);
    void (*finish)(void *state, uint8_t digest[32]);
} wick_sha256;

typedef struct wick_pte_write_options {
    int threads;                                             /* 0: what the machine gives */
    const wick_sha256 *sha256;                               /* needed if a wick_pte_named has a hash_size */
    bool (*progress)(void *user, double done, double total); /* bytes; false cancels; one call at a time, from any of the threads */
    void *user;
} wick_pte_write_options;

/* Size that the file will have, without producing any content. Fills in the sizes of segments that are payloads. */
wick_status wick_pte_file_size(wick_pte *p, uint64_t *size, wick_error *err);
/* Checks, lays out, makes sure of the disk space, produces segments in parallel straight into the file, then the FlatBuffer
 * (its size does not depend on the hashes in it), flushes and renames. The bytes do not depend on the number of threads. */
wick_status wick_pte_write(wick_pte *p, const char *path, const wick_pte_write_options *options, wick_error *err);

#endif
