/* What `inspect` says of a checkpoint: kind, tensors by type, metadata. */
#include "base/mem.h"
#include "base/strbuf.h"
#include "container/container.h"

#include <inttypes.h>
#include <string.h>

static const char *const kind_names[] = {"safetensors", "GGUF", "llama2.c"};
enum { SHOWN_STRING = 100, SHOWN_TENSORS = 12 };

typedef struct type_row {
    const char *name;
    int64_t n, bytes;
} type_row;

/* Tensors and bytes per type; returns the number of rows (at most one per type and raw type seen, 64 kept). */
static size_t tally(const wick_container *c, type_row rows[64]) {
    size_t n = 0;
    for (size_t i = 0; i < c->n_tensor; i++) {
        const char *name = wick_tensor_type_name(c->tensors[i].type);
        size_t at = 0;
        while (at < n && strcmp(rows[at].name, name) != 0) at++;
        if (at == 64) continue;
        if (at == n) rows[n++] = (type_row){name, 0, 0};
        rows[at].n++;
        rows[at].bytes += (int64_t)c->tensors[i].size;
    }
    return n;
}

static size_t shown(const wick_bytes *s) { return s->size < SHOWN_STRING ? s->size : SHOWN_STRING; }

static void put_meta(wick_strbuf *out, const wick_meta *m) {
    wick_strbuf_printf(out, "  %-44s ", m->key);
    switch (m->kind) {
    case WICK_META_INT: wick_strbuf_printf(out, "%" PRId64, m->i); break;
    case WICK_META_BOOL: wick_strbuf_puts(out, m->i ? "true" : "false"); break;
    case WICK_META_FLOAT: wick_strbuf_printf(out, "%g", m->f); break;
    case WICK_META_ARRAY: wick_strbuf_printf(out, "%" PRIu64 " items", m->n_item); break;
    case WICK_META_STRING:
        for (size_t i = 0; i < shown(&m->s); i++) wick_strbuf_putc(out, m->s.data[i] < 0x20 ? ' ' : (char)m->s.data[i]);
        if (m->s.size > SHOWN_STRING) wick_strbuf_printf(out, "... (%zu bytes)", m->s.size);
        break;
    }
    wick_strbuf_putc(out, '\n');
}

static void put_tensor(wick_strbuf *out, const wick_tensor *t) {
    wick_strbuf_printf(out, "  %-52s %-5s [", t->name, wick_tensor_type_name(t->type));
    for (int i = 0; i < t->rank; i++) wick_strbuf_printf(out, "%s%" PRId64, i ? ", " : "", t->dims[i]);
    wick_strbuf_puts(out, "]\n");
}

static void describe_text(const wick_container *c, bool all, wick_strbuf *out) {
    type_row rows[64];
    size_t n = tally(c, rows);
    int64_t bytes = 0;
    for (size_t i = 0; i < n; i++) bytes += rows[i].bytes;
    wick_strbuf_printf(out, "%s: %s checkpoint, %zu tensors, %.1f MB of weights", c->path, kind_names[c->kind], c->n_tensor,
                       (double)bytes / 1e6);
    if (c->n_file > 1) wick_strbuf_printf(out, " in %d files", c->n_file);
    wick_strbuf_puts(out, "\n\ntypes\n");
    for (size_t i = 0; i < n; i++)
        wick_strbuf_printf(out, "  %6" PRId64 "  %-6s %.1f MB\n", rows[i].n, rows[i].name, (double)rows[i].bytes / 1e6);
    if (c->n_meta) wick_strbuf_puts(out, "\nmetadata\n");
    for (size_t i = 0; i < c->n_meta; i++) put_meta(out, &c->metas[i]);
    wick_strbuf_puts(out, "\ntensors\n");
    size_t end = all || c->n_tensor < SHOWN_TENSORS ? c->n_tensor : SHOWN_TENSORS;
    for (size_t i = 0; i < end; i++) put_tensor(out, &c->tensors[i]);
    if (end < c->n_tensor) wick_strbuf_printf(out, "  ... %zu more (--instructions lists all)\n", c->n_tensor - end);
}

static void json_meta(wick_json *j, const wick_meta *m) {
    wick_json_key(j, m->key);
    switch (m->kind) {
    case WICK_META_INT: wick_json_int(j, m->i); break;
    case WICK_META_BOOL: wick_json_bool(j, m->i != 0); break;
    case WICK_META_FLOAT: wick_json_double(j, m->f); break;
    case WICK_META_STRING: wick_json_string(j, (const char *)m->s.data, m->s.size); break;
    case WICK_META_ARRAY:
        wick_json_open(j, '{');
        wick_json_key(j, "items");
        wick_json_int(j, (int64_t)m->n_item);
        wick_json_close(j, '}');
        break;
    }
}

static void json_string(wick_json *j, const char *key, const char *s) {
    wick_json_key(j, key);
    wick_json_string(j, s, strlen(s));
}

static void describe_json(const wick_container *c, wick_strbuf *out) {
    wick_json json = {out, false}, *j = &json;
    wick_json_open(j, '{');
    json_string(j, "file", c->path);
    json_string(j, "format", kind_names[c->kind]);
    wick_json_key(j, "metadata");
    wick_json_open(j, '{');
    for (size_t i = 0; i < c->n_meta; i++) json_meta(j, &c->metas[i]);
    wick_json_close(j, '}');
    wick_json_key(j, "tensors");
    wick_json_open(j, '[');
    for (size_t i = 0; i < c->n_tensor; i++) {
        const wick_tensor *t = &c->tensors[i];
        wick_json_open(j, '{');
        json_string(j, "name", t->name);
        json_string(j, "type", wick_tensor_type_name(t->type));
        wick_json_key(j, "shape");
        wick_json_open(j, '[');
        for (int k = 0; k < t->rank; k++) wick_json_int(j, t->dims[k]);
        wick_json_close(j, ']');
        wick_json_key(j, "bytes");
        wick_json_int(j, (int64_t)t->size);
        wick_json_close(j, '}');
    }
    wick_json_close(j, ']');
    wick_json_close(j, '}');
    wick_strbuf_putc(out, '\n');
}

wick_status wick_checkpoint_describe(const char *path, const wick_describe_options *options, wick_write_fn *write, void *user,
                                     wick_error *err) {
    wick_container *c = NULL;
    WICK_TRY(wick_container_open(path, &c, err));
    wick_strbuf out = {0};
    if (options->json)
        describe_json(c, &out);
    else
        describe_text(c, options->show_instructions, &out);
    wick_status status = WICK_OK;
    if (out.failed)
        status = wick_fail_nomem(err);
    else if (!write(user, out.data, out.size))
        status = wick_fail(err, WICK_ECANCELED, "%s: the listing was not taken", path);
    wick_strbuf_release(&out);
    wick_container_close(c);
    return status;
}
