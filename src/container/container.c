#include "container/container_impl.h"

#include "base/checked.h"
#include "base/file.h"
#include "base/mem.h"

#include <stdlib.h>

/* ---------------------------------------------------------------- storage */

struct wick_container_text {
    struct wick_container_text *next;
    size_t used, cap;
    char data[];
};

char *wick_container_text(wick_container *c, const void *s, size_t n) {
    struct wick_container_text *t = c->text;
    if (!t || t->cap - t->used <= n) {
        size_t cap = n < 32768 ? 65536 : n + 1;
        t = wick_alloc(sizeof *t + cap);
        if (!t) return NULL;
        t->next = c->text, t->used = 0, t->cap = cap;
        c->text = t;
    }
    char *copy = t->data + t->used;
    if (n) memcpy(copy, s, n);
    copy[n] = 0;
    t->used += n + 1;
    return copy;
}

wick_status wick_container_add_tensor(wick_container *c, const wick_tensor *t, wick_error *err) {
    if (c->n_tensor >= WICK_MAX_TENSORS) return wick_fail(err, WICK_ELIMIT, "%s: more than %d tensors", c->path, WICK_MAX_TENSORS);
    if (!WICK_GROW(c->tensors, c->n_tensor, c->tensor_cap)) return wick_fail_nomem(err);
    c->tensors[c->n_tensor++] = *t;
    return WICK_OK;
}

wick_status wick_container_add_meta(wick_container *c, const wick_meta *m, wick_error *err) {
    if (!WICK_GROW(c->metas, c->n_meta, c->meta_cap)) return wick_fail_nomem(err);
    c->metas[c->n_meta++] = *m;
    return WICK_OK;
}

static wick_status build_tables(wick_container *c, wick_error *err) {
    for (size_t i = 0; i < c->n_tensor; i++) {
        const char *name = c->tensors[i].name;
        if (wick_table_get(&c->by_name, name, strlen(name), NULL))
            return wick_fail(err, WICK_EFORMAT, "%s: the tensor '%s' is there twice", c->path, name);
        if (!wick_table_set(&c->by_name, name, strlen(name), i)) return wick_fail_nomem(err);
    }
    for (size_t i = 0; i < c->n_meta; i++) {
        const char *key = c->metas[i].key;
        if (wick_table_get(&c->meta_by_key, key, strlen(key), NULL))
            return wick_fail(err, WICK_EFORMAT, "%s: the metadata key '%s' is there twice", c->path, key);
        if (!wick_table_set(&c->meta_by_key, key, strlen(key), i)) return wick_fail_nomem(err);
    }
    return WICK_OK;
}

static int by_address(const void *a, const void *b) {
    const wick_tensor *x = *(const wick_tensor *const *)a, *y = *(const wick_tensor *const *)b;
    if (x->data != y->data) return x->data < y->data ? -1 : 1;
    return (x->size > y->size) - (x->size < y->size); /* empty tensors first: they share bytes with nobody */
}

wick_status wick_container_check_layout(const wick_container *c, int i_file, const uint8_t *begin, const uint8_t *end, bool dense,
                                        wick_error *err) {
    const wick_tensor **order = WICK_NEW_ARRAY(const wick_tensor *, c->n_tensor);
    if (!order) return wick_fail_nomem(err);
    size_t n = 0;
    for (size_t i = 0; i < c->n_tensor; i++)
        if (c->tensors[i].file == i_file) order[n++] = &c->tensors[i];
    qsort(order, n, sizeof *order, by_address);
    wick_status status = WICK_OK;
    const uint8_t *at = begin;
    for (size_t i = 0; i < n && status == WICK_OK; i++) {
        if (order[i]->data < at)
            status = wick_fail(err, WICK_EFORMAT, "the tensors '%s' and '%s' share bytes", order[i - 1]->name, order[i]->name);
        else if (dense && order[i]->data > at)
            status = wick_fail(err, WICK_EFORMAT, "%zu unused bytes before the tensor '%s'", (size_t)(order[i]->data - at), order[i]->name);
        at = order[i]->data + order[i]->size;
    }
    if (status == WICK_OK && dense && at != end)
        status = wick_fail(err, WICK_EFORMAT, "%zu unused bytes after the last tensor", (size_t)(end - at));
    wick_free(order);
    return status;
}

/* ---------------------------------------------------------------- opening */

static wick_status container_new(const char *path, int n_file, wick_container **out, wick_error *err) {
    wick_container *c = WICK_NEW(wick_container);
    if (!c) return wick_fail_nomem(err);
    c->path = wick_strdup(path);
    c->files = n_file ? WICK_NEW_ARRAY(wick_mapping, (size_t)n_file) : NULL;
    if (!c->path || (n_file && !c->files)) {
        wick_container_close(c);
        return wick_fail_nomem(err);
    }
    c->n_file = n_file;
    *out = c;
    return WICK_OK;
}

void wick_container_close(wick_container *c) {
    if (!c) return;
    for (int i = 0; i < c->n_file && !c->borrowed; i++) wick_os_unmap(&c->files[i]);
    wick_free(c->files);
    wick_free(c->tensors);
    wick_free(c->metas);
    wick_table_release(&c->by_name);
    wick_table_release(&c->meta_by_key);
    for (struct wick_container_text *t = c->text, *next; t; t = next) {
        next = t->next;
        wick_free(t);
    }
    wick_free(c->path);
    wick_free(c);
}

/* What a file that is no checkpoint is, for the message. */
static const char *foreign(wick_bytes f) {
    if (f.size >= 8 && !memcmp(f.data + 4, "ET12", 4)) return "is a .pte program, not a checkpoint";
    if (f.size >= 4 && !memcmp(f.data, "PK\3\4", 4))
        return "is a zip archive, as torch.save writes them; Wick reads safetensors, GGUF and llama2.c files: save the weights as "
               "safetensors";
    if (f.size >= 4 && wick_load_u32(f.data) == 0x616b3432)
        return "is a llama2.c file of version 1 or 2; Wick reads version 0, which export.py writes with --version 0";
    if (f.size >= 2 && f.data[0] == 0x80 && f.data[1] <= 5) return "is a Python pickle; Wick reads safetensors, GGUF and llama2.c files";
    if (f.size == 0) return "is empty";
    return "is no checkpoint that Wick knows: neither GGUF nor safetensors nor llama2.c";
}

static wick_status read_file(wick_container *c, wick_error *err) {
    wick_bytes f = {c->files[0].data, c->files[0].size};
    if (f.size >= 4 && !memcmp(f.data, "GGUF", 4)) {
        c->kind = WICK_CONTAINER_GGUF;
        WICK_TRY(wick_gguf_read(c, c->path, err));
    } else if (wick_llama2c_probe(f)) {
        c->kind = WICK_CONTAINER_LLAMA2C;
        WICK_TRY(wick_llama2c_read(c, c->path, err));
    } else if (f.size >= 9 && f.data[8] == '{' && memcmp(f.data, "PK", 2) && wick_load_u64(f.data) <= (uint64_t)1 << 40) {
        c->kind = WICK_CONTAINER_SAFETENSORS;
        WICK_TRY(wick_safetensors_read(c, 0, c->path, err));
    } else {
        return wick_fail(err, WICK_EFORMAT, "%s: this %s", c->path, foreign(f));
    }
    return build_tables(c, err);
}

static wick_status open_folder(const char *path, wick_container **out, wick_error *err) {
    wick_container *c = NULL;
    wick_status status = WICK_OK;
    char *single = wick_path_join(path, "model.safetensors"), *index = wick_path_join(path, "model.safetensors.index.json");
    if (!single || !index) {
        status = wick_fail_nomem(err);
        goto out;
    }
    if (wick_os_path_kind(single) == WICK_PATH_FILE) {
        status = wick_container_open(single, out, err);
        goto out;
    }
    if (wick_os_path_kind(index) != WICK_PATH_FILE) {
        status = wick_fail(err, WICK_ENOTFOUND, "%s: the folder holds neither model.safetensors nor model.safetensors.index.json", path);
        goto out;
    }
    WICK_CHECK_GOTO(container_new(path, 0, &c, err));
    c->kind = WICK_CONTAINER_SAFETENSORS;
    WICK_CHECK_GOTO(wick_safetensors_read_index(c, path, index, err));
    WICK_CHECK_GOTO(build_tables(c, err));
    *out = c;
    c = NULL;
out:
    wick_container_close(c);
    wick_free(single);
    wick_free(index);
    return status;
}

wick_status wick_container_open(const char *path, wick_container **out, wick_error *err) {
    *out = NULL;
    if (wick_os_path_kind(path) == WICK_PATH_FOLDER) return open_folder(path, out, err);
    wick_container *c = NULL;
    WICK_TRY(container_new(path, 1, &c, err));
    wick_status status = wick_os_map(path, false, &c->files[0], err);
    if (status == WICK_OK) status = read_file(c, err);
    if (status != WICK_OK) {
        wick_container_close(c);
        return status;
    }
    *out = c;
    return WICK_OK;
}

wick_status wick_container_open_memory(wick_bytes data, const char *name, wick_container **out, wick_error *err) {
    *out = NULL;
    wick_container *c = NULL;
    WICK_TRY(container_new(name, 1, &c, err));
    c->borrowed = true;
    c->files[0] = (wick_mapping){data.data, data.size, false};
    wick_status status = read_file(c, err);
    if (status != WICK_OK) {
        wick_container_close(c);
        return status;
    }
    *out = c;
    return WICK_OK;
}

/* ---------------------------------------------------------------- looking up */

const wick_tensor *wick_container_find(const wick_container *c, const char *name) {
    uint64_t i;
    return wick_table_get(&c->by_name, name, strlen(name), &i) ? &c->tensors[i] : NULL;
}

const wick_meta *wick_container_meta(const wick_container *c, const char *key) {
    uint64_t i;
    return wick_table_get(&c->meta_by_key, key, strlen(key), &i) ? &c->metas[i] : NULL;
}

wick_status wick_container_int(const wick_container *c, const char *key, int64_t fallback, int64_t *out, wick_error *err) {
    const wick_meta *m = wick_container_meta(c, key);
    if (m && m->kind != WICK_META_INT && m->kind != WICK_META_BOOL)
        return wick_fail(err, WICK_EFORMAT, "%s: the metadata key '%s' is no integer", c->path, key);
    *out = m ? m->i : fallback;
    return WICK_OK;
}

wick_status wick_container_float(const wick_container *c, const char *key, double fallback, double *out, wick_error *err) {
    const wick_meta *m = wick_container_meta(c, key);
    if (m && m->kind != WICK_META_INT && m->kind != WICK_META_FLOAT)
        return wick_fail(err, WICK_EFORMAT, "%s: the metadata key '%s' is no number", c->path, key);
    *out = !m ? fallback : m->kind == WICK_META_INT ? (double)m->i : m->f;
    return WICK_OK;
}
