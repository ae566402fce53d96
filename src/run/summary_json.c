#include "base/mem.h"
#include "run/summary.h"

#include <string.h>

static void put_string(wick_json *j, const char *s) { wick_json_string(j, s, strlen(s)); }

static void put_int(wick_json *j, const char *key, int64_t v) {
    wick_json_key(j, key);
    wick_json_int(j, v);
}

static void put_text(wick_json *j, const char *key, const char *s) {
    wick_json_key(j, key);
    put_string(j, s);
}

static void put_value(wick_json *j, const wick_pte_value *v) {
    switch (v->kind) {
    case WICK_EV_INT: wick_json_int(j, v->i); break;
    case WICK_EV_BOOL: wick_json_bool(j, v->i != 0); break;
    case WICK_EV_DOUBLE: wick_json_double(j, v->d); break;
    case WICK_EV_STRING: put_string(j, v->s); break;
    case WICK_EV_TENSOR:
        wick_json_open(j, '{');
        put_text(j, "dtype", wick_scalar_name(v->tensor->scalar_type));
        wick_json_key(j, "shape");
        wick_json_open(j, '[');
        for (int i = 0; i < v->tensor->rank; i++) wick_json_int(j, v->tensor->dims[i]);
        wick_json_close(j, ']');
        wick_json_key(j, "dynamic");
        wick_json_bool(j, v->tensor->dynamism != WICK_STATIC);
        wick_json_close(j, '}');
        break;
    default: wick_json_null(j);
    }
}

static void put_values(wick_json *j, const char *key, const wick_pte_method *m, const int32_t *list, uint32_t n) {
    wick_json_key(j, key);
    wick_json_open(j, '[');
    for (uint32_t i = 0; i < n; i++) put_value(j, &m->values[list[i]]);
    wick_json_close(j, ']');
}

static void put_tally(wick_json *j, const char *key, const wick_tally *t) {
    wick_json_key(j, key);
    wick_json_open(j, '{');
    for (size_t i = 0; i < t->n; i++) put_int(j, t->rows[i].name, t->rows[i].n);
    wick_json_close(j, '}');
}

static void put_plan(wick_json *j, const wick_method_summary *m) {
    wick_json_key(j, "left");
    wick_json_open(j, '[');
    for (size_t i = 0; i < m->graph.n_left; i++) {
        wick_json_open(j, '{');
        put_text(j, "op", m->graph.left[i].op);
        put_int(j, "instruction", m->graph.left[i].origin.instruction);
        put_int(j, "node", m->graph.left[i].origin.xnn_node);
        put_text(j, "reason", m->graph.left[i].reason);
        wick_json_close(j, '}');
    }
    wick_json_close(j, ']');
    wick_strbuf graph = {0};
    wick_graph_print(m->graph.graph, &graph);
    if (graph.data) put_text(j, "graph", graph.data);
    if (graph.failed) j->out->failed = true;
    wick_strbuf_release(&graph);
}

static void put_needs(wick_json *j, const char *kind, const wick_tally *t, const char *(*device_of)(const char *name)) {
    for (size_t i = 0; i < t->n; i++) {
        const char *device = device_of(t->rows[i].name);
        wick_json_open(j, '{');
        put_text(j, kind, t->rows[i].name);
        put_int(j, "calls", t->rows[i].n);
        wick_json_key(j, "device");
        if (device)
            put_string(j, device);
        else
            wick_json_null(j);
        wick_json_close(j, '}');
    }
}

static void put_method(wick_json *j, const wick_method_summary *m, const wick_describe_options *options) {
    const wick_pte_method *p = m->method->pte;
    wick_json_open(j, '{');
    put_text(j, "name", p->name);
    put_values(j, "inputs", p, p->inputs, p->n_input);
    put_values(j, "outputs", p, p->outputs, p->n_output);
    put_int(j, "instructions", p->n_instr);
    put_int(j, "delegates", p->n_delegate);
    put_int(j, "planned_memory", (int64_t)m->arena_size);
    put_tally(j, "delegate_calls", &m->delegates);
    wick_json_key(j, "made_for");
    wick_json_open(j, '[');
    put_needs(j, "backend", &m->delegates, wick_backend_device);
    put_needs(j, "library", &m->libraries, wick_operator_device);
    wick_json_close(j, ']');
    put_tally(j, "delegated", &m->nodes);
    put_tally(j, "not_delegated", &m->kernels);
    bool refused = m->refused.code != WICK_OK;
    put_text(j, "plan", refused ? "refused" : !m->raised ? "vm" : m->graph.n_left ? "mixed" : "raised");
    if (refused || !m->raised)
        put_text(j, "why", refused ? m->refused.message : m->why_not.message);
    else if (options->show_plan)
        put_plan(j, m);
    wick_json_close(j, '}');
}

static void put_weights(wick_json *j, const wick_summary *s) {
    wick_json_key(j, "weights");
    wick_json_open(j, '[');
    for (size_t i = 0; i < s->layers.n; i++) {
        wick_json_open(j, '{');
        put_text(j, "kind", s->layers.rows[i].name);
        put_int(j, "count", s->layers.rows[i].n);
        put_int(j, "bytes", (int64_t)s->layers.rows[i].bytes);
        wick_json_close(j, '}');
    }
    wick_json_close(j, ']');
}

static void put_number(wick_json *j, const char *key, double v) {
    wick_json_key(j, key);
    wick_json_double(j, v);
}

static void put_estimates(wick_json *j, const wick_summary *s) {
    const wick_speed_summary *v = &s->speed;
    if (!s->estimated) return;
    wick_json_key(j, "memory");
    wick_json_open(j, '{');
    put_int(j, "packed_weights", (int64_t)s->memory.packed);
    put_int(j, "mapped_tables", (int64_t)s->memory.mapped);
    put_int(j, "kv_cache_f16", (int64_t)s->memory.kv_f16);
    put_int(j, "activations", (int64_t)s->memory.activations);
    wick_json_close(j, '}');
    wick_json_key(j, "speed");
    wick_json_open(j, '{');
    put_int(j, "weights_per_token", (int64_t)v->weights);
    put_int(j, "cache_per_token_at_end", (int64_t)v->cache);
    if (v->memory.rate > 0) {
        put_int(j, "threads", v->memory.threads);
        put_int(j, "measured_over", (int64_t)v->memory.buffer);
        put_number(j, "bytes_per_second", v->memory.rate);
        put_number(j, "tokens_per_second_at_beginning", wick_speed_bound(v, 0));
        put_number(j, "tokens_per_second_at_end", wick_speed_bound(v, v->cache));
    }
    wick_json_close(j, '}');
}

void wick_summary_json(const wick_summary *s, const wick_describe_options *options, wick_strbuf *out) {
    const wick_pte *p = &s->program->pte;
    wick_json json = {out, false}, *j = &json;
    wick_json_open(j, '{');
    put_text(j, "file", s->program->path);
    put_text(j, "format", "pte");
    put_int(j, "file_size", (int64_t)p->file_size);
    put_int(j, "schema_version", p->version);
    put_int(j, "extended_header", p->header_size);
    put_int(j, "structure_size", (int64_t)p->flatbuffer_size);
    put_int(j, "constant_size", (int64_t)s->constant_size);
    put_int(j, "delegate_size", (int64_t)s->delegate_size);
    put_int(j, "named_size", (int64_t)s->named_size);
    wick_json_key(j, "named_data");
    wick_json_open(j, '[');
    for (uint32_t i = 0; i < p->n_named; i++) put_string(j, p->named[i].key);
    wick_json_close(j, ']');
    wick_json_key(j, "metadata");
    wick_json_open(j, '{');
    for (uint32_t i = 0; i < p->n_method; i++)
        if (s->program->methods[i].is_metadata)
            put_values(j, p->methods[i].name, &p->methods[i], p->methods[i].outputs, p->methods[i].n_output);
    wick_json_close(j, '}');
    wick_json_key(j, "sampling_defaults"); /* JSON in itself, and whoever made the file may have made it wrong: so as text */
    if (s->sampling)
        put_string(j, s->sampling);
    else
        wick_json_null(j);
    wick_json_key(j, "methods");
    wick_json_open(j, '[');
    for (size_t i = 0; i < s->n_method; i++) put_method(j, &s->methods[i], options);
    wick_json_close(j, ']');
    put_weights(j, s);
    put_estimates(j, s);
    wick_json_key(j, "remarks");
    wick_json_open(j, '[');
    for (size_t i = 0; i < s->n_odd; i++) put_string(j, s->odd[i]);
    wick_json_close(j, ']');
    wick_json_close(j, '}');
    wick_strbuf_putc(out, '\n');
}
