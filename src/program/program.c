#include "program/program.h"

#include "base/mem.h"

#include <stdio.h>

/* ---------------------------------------------------------------- delegates */

static wick_status refuse(const wick_program *p, const wick_pte_method *m, const char *id, wick_error *err) {
    const char *device = wick_backend_device(id);
    return wick_fail(
        err, WICK_EUNSUPPORTED,
        "%s: method \"%s\" needs the backend %.60s (%s): export the model again with `wick export`, or for the XNNPACK backend", p->path,
        m->name, id, device ? device : "not one that Wick has");
}

static wick_bytes blob_of(const wick_pte *p, const wick_pte_delegate *d) {
    if (d->inline_data) return p->inline_blobs[d->index];
    return (wick_bytes){p->segments[d->index].pieces[0].bytes, (size_t)p->segments[d->index].size};
}

/* Payloads that were parsed already: by their place (segments, then inline blobs), and by their bytes. */
typedef struct parsed {
    const wick_xnn **by_place;
    const wick_xnn **list;
    size_t n;
    wick_table by_bytes; /* -> index into list */
    uint64_t size, max_size;
} parsed;

static wick_status read_payload(wick_program *p, const wick_program_options *options, parsed *seen, const wick_pte_delegate *d,
                                const char *place, wick_xnn *out, wick_error *err) {
    const wick_xnn **known = &seen->by_place[d->inline_data ? p->pte.n_segment + d->index : d->index];
    wick_bytes blob = blob_of(&p->pte, d);
    uint64_t i;
    /* Segments that overlap could make a small file a day's reading. */
    if (!*known && blob.size > seen->max_size - seen->size)
        return wick_fail(err, WICK_EFORMAT, "%s: the payload of %zu bytes overlaps others: the whole file has %llu", place, blob.size,
                         (unsigned long long)seen->max_size);
    if (!*known) seen->size += blob.size;
    if (!*known && wick_table_get(&seen->by_bytes, blob.data, blob.size, &i)) *known = seen->list[i];
    if (*known) {
        *out = **known;
        return WICK_OK;
    }
    WICK_TRY(wick_xnn_read(&p->pte, &p->ptd, blob, place, options->allow_unknown, out, err));
    if (!options->scales_later) WICK_TRY(wick_xnn_check_scales(out, place, err));
    if (!wick_table_set(&seen->by_bytes, blob.data, blob.size, seen->n)) return wick_fail_nomem(err);
    *known = seen->list[seen->n++] = out;
    return WICK_OK;
}

/* A DelegateCall passes one tensor per argument of the payload. What a payload calls fp32 may not be a tensor of integers. */
static wick_status check_call(const wick_program *p, const wick_pte_method *m, uint32_t i_instr, const wick_xnn *x, wick_error *err) {
    const wick_pte_instr *in = &m->instrs[i_instr];
    if (in->n_arg != x->n_extern)
        return wick_fail(err, WICK_EFORMAT, "%s: method \"%s\": instruction %u passes %u arguments, delegate %d takes %u", p->path, m->name,
                         i_instr, in->n_arg, in->index, x->n_extern);
    for (uint32_t i = 0; i < in->n_arg; i++)
        if (m->values[in->args[i]].kind != WICK_EV_TENSOR)
            return wick_fail(err, WICK_EFORMAT, "%s: method \"%s\": instruction %u: argument %u of delegate %d is not a tensor", p->path,
                             m->name, i_instr, i, in->index);
    for (uint32_t i = 0; i < x->n_value; i++) {
        const wick_xnn_value *v = &x->values[i];
        if (!v->flags) continue;
        const wick_pte_tensor *t = m->values[in->args[v->external_id]].tensor;
        bool is_constant = !t->memory_id && (t->external || t->data_buffer_idx);
        if (t->rank != v->rank && !(t->rank == 0 && v->rank == 1 && v->dims[0] == 1))
            return wick_fail(err, WICK_EFORMAT, "%s: method \"%s\": instruction %u: argument %u has %d dimensions, delegate %d expects %d",
                             p->path, m->name, i_instr, v->external_id, t->rank, in->index, v->rank);
        for (int k = 0; k < t->rank; k++)
            if ((uint32_t)t->dims[k] != v->dims[k])
                return wick_fail(err, WICK_EFORMAT,
                                 "%s: method \"%s\": instruction %u: dimension %d of argument %u is %d, delegate %d expects %u", p->path,
                                 m->name, i_instr, k, v->external_id, t->dims[k], in->index, v->dims[k]);
        size_t bytes = wick_xnn_dtype_bits(v->dtype) / 8;
        /* XNNPACK counts with 32 bits where the program has indices of 64. */
        bool index = v->dtype == WICK_XD_INT32 && t->scalar_type == WICK_ST_LONG;
        if (bytes != wick_scalar_size(t->scalar_type) && !index)
            return wick_fail(err, WICK_EFORMAT, "%s: method \"%s\": instruction %u: argument %u is of type %s, delegate %d expects %s",
                             p->path, m->name, i_instr, v->external_id, wick_scalar_name(t->scalar_type), in->index,
                             wick_xnn_dtype_name(v->dtype));
        if (v->flags == 2 && is_constant)
            return wick_fail(err, WICK_EFORMAT, "%s: method \"%s\": instruction %u: delegate %d writes value %d, which is a constant",
                             p->path, m->name, i_instr, in->index, in->args[v->external_id]);
    }
    return WICK_OK;
}

enum { PLACE = 200 };
static void put_place(const wick_program *p, const wick_pte_method *m, uint32_t i_delegate, char place[PLACE]) {
    snprintf(place, PLACE, "%.120s: delegate %u of method \"%.40s\"", p->path, i_delegate, m->name);
}

static wick_status read_delegates(wick_program *p, const wick_program_options *options, parsed *seen, wick_program_method *pm,
                                  wick_error *err) {
    const wick_pte_method *m = pm->pte;
    for (uint32_t i = 0; i < m->n_delegate; i++) {
        const wick_pte_delegate *d = &m->delegates[i];
        if (strcmp(d->id, "XnnpackBackend") != 0) {
            if (options->allow_unknown) continue;
            return refuse(p, m, d->id, err);
        }
        char place[PLACE];
        put_place(p, m, i, place);
        WICK_TRY(read_payload(p, options, seen, d, place, &pm->delegates[i], err));
    }
    for (uint32_t i = 0; i < m->n_instr; i++) {
        const wick_pte_instr *in = &m->instrs[i];
        if (in->kind != WICK_IK_DELEGATE || strcmp(m->delegates[in->index].id, "XnnpackBackend") != 0) continue;
        WICK_TRY(check_call(p, m, i, &pm->delegates[in->index], err));
    }
    return WICK_OK;
}

wick_status wick_program_check_scales(const wick_program *p, const wick_program_method *m, wick_error *err) {
    for (uint32_t i = 0; i < m->pte->n_delegate; i++) {
        char place[PLACE];
        put_place(p, m->pte, i, place);
        WICK_TRY(wick_xnn_check_scales(&m->delegates[i], place, err));
    }
    return WICK_OK;
}

/* ---------------------------------------------------------------- external data */

/* An external tensor is named data of the program itself or an entry of a data file. */
static bool external_bytes(const wick_program *p, const wick_pte_tensor *t, wick_bytes *out) {
    uint64_t n, size;
    if (!t->external || !wick_pte_tensor_size(t, &n, &size)) return false;
    const wick_ptd_entry *e = wick_ptd_find(&p->ptd, t->name);
    wick_bytes bytes;
    if (e)
        bytes = e->data;
    else if (!wick_pte_named_find(&p->pte, t->name, &bytes))
        return false;
    if (size > bytes.size) return false;
    *out = (wick_bytes){bytes.data, (size_t)size};
    return true;
}

static wick_status check_external(const wick_program *p, const wick_pte_method *m, uint32_t i, bool allow_missing, wick_error *err) {
    const wick_pte_tensor *t = m->values[i].tensor;
    wick_bytes bytes;
    if (m->values[i].kind != WICK_EV_TENSOR || !t->external) return WICK_OK;
    const wick_ptd_entry *e = wick_ptd_find(&p->ptd, t->name);
    if (!external_bytes(p, t, &bytes)) {
        if (!e && allow_missing) return WICK_OK;
        return wick_fail(err, e ? WICK_EMISMATCH : WICK_ENOTFOUND, "%s: method \"%s\": tensor \"%.100s\" %s", p->path, m->name, t->name,
                         e ? "is smaller in the data file than in the program"
                           : "is in a data file (.ptd) that was not given (--data_paths)");
    }
    bool same =
        !e || !e->has_layout ||
        (e->scalar_type == t->scalar_type && e->rank == t->rank && memcmp(e->dims, t->dims, sizeof e->dims[0] * (size_t)t->rank) == 0 &&
         memcmp(e->dim_order, t->dim_order, (size_t)t->rank) == 0);
    if (same) return WICK_OK;
    return wick_fail(err, WICK_EMISMATCH, "%s: method \"%s\": tensor \"%.100s\" has another type or shape in the data file", p->path,
                     m->name, t->name);
}

bool wick_program_constant(const wick_program *p, const wick_pte_tensor *t, wick_bytes *out) {
    if (t->memory_id) return false;
    return t->external ? external_bytes(p, t, out) : wick_pte_constant(&p->pte, t, out);
}

bool wick_program_initial(const wick_program *p, const wick_pte_tensor *t, wick_bytes *out) {
    if (!t->memory_id) return false;
    return t->external ? external_bytes(p, t, out) : wick_pte_initial(&p->pte, t, out);
}

/* ---------------------------------------------------------------- opening */

static wick_status bind_method(wick_program *p, const wick_pte_method *m, const wick_program_options *options, wick_program_method *pm,
                               wick_error *err) {
    pm->pte = m;
    pm->is_metadata = m->n_instr == 0;
    pm->ops = WICK_NEW_ARRAY(wick_instr_op, m->n_operator);
    pm->delegates = WICK_NEW_ARRAY(wick_xnn, m->n_delegate);
    if (!pm->ops || !pm->delegates) return wick_fail_nomem(err);
    for (uint32_t i = 0; i < m->n_operator; i++) pm->ops[i] = wick_instr_op_find(m->operators[i].name, m->operators[i].overload);
    for (uint32_t i = 0; i < m->n_value; i++) WICK_TRY(check_external(p, m, i, options->allow_unknown, err));
    return WICK_OK;
}

static wick_status bind(wick_program *p, wick_bytes file, const wick_program_options *options, wick_error *err) {
    for (size_t i = 0; i < options->n_data_path; i++) WICK_TRY(wick_ptd_add(&p->ptd, options->data_paths[i], options->no_mmap, err));
    WICK_TRY(wick_pte_read(file, p->path, &p->pte, err));
    WICK_TRY(wick_pte_check(&p->pte, p->path, options->allow_unknown ? WICK_CHECK_ALLOW_UNKNOWN : 0, err));
    p->methods = WICK_NEW_ARRAY(wick_program_method, p->pte.n_method);
    if (!p->methods) return wick_fail_nomem(err);
    size_t n_delegate = 0;
    for (uint32_t i = 0; i < p->pte.n_method; i++) {
        WICK_TRY(bind_method(p, &p->pte.methods[i], options, &p->methods[i], err));
        n_delegate += p->pte.methods[i].n_delegate;
    }
    parsed seen = {.by_place = WICK_NEW_ARRAY(const wick_xnn *, (size_t)p->pte.n_segment + p->pte.n_inline),
                   .list = WICK_NEW_ARRAY(const wick_xnn *, n_delegate),
                   .max_size = file.size};
    wick_status status = seen.by_place && seen.list ? WICK_OK : wick_fail_nomem(err);
    for (uint32_t i = 0; status == WICK_OK && i < p->pte.n_method; i++) status = read_delegates(p, options, &seen, &p->methods[i], err);
    wick_free(seen.by_place);
    wick_free(seen.list);
    wick_table_release(&seen.by_bytes);
    return status;
}

static wick_status open_any(const char *path, const wick_bytes *memory, const wick_program_options *options, wick_program **out,
                            wick_error *err) {
    const wick_program_options none = {0};
    if (!options) options = &none;
    *out = NULL;
    wick_program *p = WICK_NEW(wick_program);
    if (!p) return wick_fail_nomem(err);
    p->path = wick_strdup(path);
    wick_status status = p->path ? WICK_OK : wick_fail_nomem(err);
    if (status == WICK_OK && !memory) status = wick_os_map(path, options->no_mmap, &p->file, err);
    if (status == WICK_OK) status = bind(p, memory ? *memory : (wick_bytes){p->file.data, p->file.size}, options, err);
    if (status == WICK_OK)
        *out = p;
    else
        wick_program_close(p);
    return status;
}

wick_status wick_program_open(const char *path, const wick_program_options *options, wick_program **out, wick_error *err) {
    return open_any(path, NULL, options, out, err);
}

wick_status wick_program_open_memory(wick_bytes file, const char *name, const wick_program_options *options, wick_program **out,
                                     wick_error *err) {
    return open_any(name, &file, options, out, err);
}

void wick_program_close(wick_program *p) {
    if (!p) return;
    for (uint32_t i = 0; p->methods && i < p->pte.n_method; i++) {
        wick_free(p->methods[i].ops);
        wick_free(p->methods[i].delegates);
    }
    wick_free(p->methods);
    wick_pte_release(&p->pte);
    wick_ptd_release(&p->ptd);
    if (p->file.data) wick_os_unmap(&p->file);
    wick_free(p->path);
    wick_free(p);
}

const wick_program_method *wick_program_method_find(const wick_program *p, const char *name) {
    for (uint32_t i = 0; i < p->pte.n_method; i++)
        if (strcmp(p->pte.methods[i].name, name) == 0) return &p->methods[i];
    return NULL;
}
