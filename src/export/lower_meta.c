/* Constant methods: what a program says of itself. A getter is a method without instructions whose outputs are its values. */
#include "export/lower_program.h"

#include "base/mem.h"

#include <jansson.h>
#include <string.h>

/* ---------------------------------------------------------------- lists */

static void item_release(wick_metadata *m) {
    wick_free(m->key);
    wick_free(m->ints);
    wick_free(m->text);
    *m = (wick_metadata){0};
}

void wick_metadata_release(wick_metadata_list *list) {
    for (size_t i = 0; i < list->n; i++) item_release(&list->items[i]);
    wick_free(list->items);
    *list = (wick_metadata_list){0};
}

/* Puts m in the place of the item with its key, or at the end. m is owned by the list afterwards, or released. */
static wick_status set(wick_metadata_list *list, wick_metadata m, wick_error *err) {
    size_t i = 0;
    while (m.key && i < list->n && strcmp(list->items[i].key, m.key) != 0) i++;
    if (!m.key || (m.n_int && !m.ints) || (m.kind == WICK_METADATA_STRING && !m.text) ||
        (i == list->n && !WICK_GROW(list->items, list->n, list->cap))) {
        item_release(&m);
        return wick_fail_nomem(err);
    }
    if (i < list->n)
        item_release(&list->items[i]);
    else
        list->n++;
    list->items[i] = m;
    return WICK_OK;
}

wick_status wick_metadata_set_ints(wick_metadata_list *list, const char *key, wick_metadata_kind kind, const int64_t *values, size_t n,
                                   wick_error *err) {
    return set(list, (wick_metadata){wick_strdup(key), kind, wick_memdup(values, n * sizeof *values), n, 0, NULL}, err);
}

/* ---------------------------------------------------------------- JSON */

static wick_status set_list(wick_metadata_list *list, const char *key, const json_t *array, wick_error *err) {
    size_t n = json_array_size(array);
    int64_t *ints = WICK_NEW_ARRAY(int64_t, n);
    if (!ints) return wick_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(array, i);
        if (!json_is_integer(item)) {
            wick_free(ints);
            return wick_fail(err, WICK_EFORMAT, "metadata: item %zu of \"%s\" is not an integer", i, key);
        }
        ints[i] = json_integer_value(item);
    }
    return set(list, (wick_metadata){wick_strdup(key), WICK_METADATA_INT, ints, n, 0, NULL}, err);
}

static wick_status set_member(wick_metadata_list *list, const char *key, const json_t *v, wick_error *err) {
    int64_t number = json_is_integer(v) ? json_integer_value(v) : json_is_true(v);
    if (!*key || strcmp(key, "forward") == 0 || strlen(key) > WICK_MAX_KEY)
        return wick_fail(err, WICK_EFORMAT, "metadata: \"%.100s\" cannot be the name of a method", key);
    switch (json_typeof(v)) {
    case JSON_INTEGER: return wick_metadata_set_ints(list, key, WICK_METADATA_INT, &number, 1, err);
    case JSON_TRUE:
    case JSON_FALSE: return wick_metadata_set_ints(list, key, WICK_METADATA_BOOL, &number, 1, err);
    case JSON_REAL: return set(list, (wick_metadata){wick_strdup(key), WICK_METADATA_DOUBLE, NULL, 0, json_real_value(v), NULL}, err);
    case JSON_STRING:
        return set(list, (wick_metadata){wick_strdup(key), WICK_METADATA_STRING, NULL, 0, 0, wick_strdup(json_string_value(v))}, err);
    case JSON_ARRAY: return set_list(list, key, v, err);
    default:
        return wick_fail(err, WICK_EFORMAT, "metadata: the value of \"%.100s\" is neither a number, boolean, string nor list of integers",
                         key);
    }
}

wick_status wick_metadata_set_json(wick_metadata_list *list, const char *json, wick_error *err) {
    json_error_t where;
    json_t *root = json_loads(json, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(root)) {
        bool parsed = root != NULL;
        json_decref(root);
        return wick_fail(err, WICK_EFORMAT, "metadata: expected a JSON object, found %s", parsed ? "another value" : where.text);
    }
    wick_status status = WICK_OK;
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value) {
        status = set_member(list, key, value, err);
        if (status != WICK_OK) break;
    }
    json_decref(root);
    return status;
}

/* ---------------------------------------------------------------- methods */

static wick_status graph_metadata(const wick_graph *g, wick_metadata_list *list, wick_error *err) {
    const struct {
        const char *key;
        wick_metadata_kind kind;
        int64_t value;
    } known[] = {
        {"get_max_seq_len", WICK_METADATA_INT, g->max_seq_len},
        {"get_max_context_len", WICK_METADATA_INT, g->max_context},
        {"get_n_layers", WICK_METADATA_INT, g->n_layer},
        {"get_vocab_size", WICK_METADATA_INT, g->n_vocab},
        {"use_kv_cache", WICK_METADATA_BOOL, 1},
        {"use_sdpa_with_kv_cache", WICK_METADATA_BOOL, 1},
        {"enable_dynamic_shape", WICK_METADATA_BOOL, 1},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        WICK_TRY(wick_metadata_set_ints(list, known[i].key, known[i].kind, &known[i].value, 1, err));
    return WICK_OK;
}

static wick_status copy_item(wick_metadata_list *list, const wick_metadata *m, wick_error *err) {
    wick_metadata copy = *m;
    copy.key = wick_strdup(m->key);
    copy.ints = m->ints ? wick_memdup(m->ints, m->n_int * sizeof *m->ints) : NULL;
    copy.text = m->text ? wick_strdup(m->text) : NULL;
    return set(list, copy, err);
}

static wick_status make_method(wick_pte *p, const wick_metadata *m, wick_pte_method *out, wick_error *err) {
    bool ints = m->kind == WICK_METADATA_INT || m->kind == WICK_METADATA_BOOL;
    uint32_t n = ints ? (uint32_t)m->n_int : 1;
    wick_pte_value *values = wick_pte_alloc(p, n, sizeof *values);
    int32_t *outputs = wick_pte_alloc(p, n, sizeof *outputs);
    int64_t *arenas = wick_pte_alloc(p, 1, sizeof *arenas);
    char *name = wick_pte_strdup(p, m->key, strlen(m->key));
    char *text = wick_pte_strdup(p, m->text ? m->text : "", m->text ? strlen(m->text) : 0);
    if (!values || !outputs || !arenas || !name || !text) return wick_fail_nomem(err);
    static const wick_evalue_kind kinds[] = {WICK_EV_INT, WICK_EV_BOOL, WICK_EV_DOUBLE, WICK_EV_STRING};
    for (uint32_t i = 0; i < n; i++) {
        values[i] = (wick_pte_value){.kind = kinds[m->kind], .i = ints ? m->ints[i] : 0, .d = m->number, .s = text};
        outputs[i] = (int32_t)i;
    }
    *out = (wick_pte_method){.name = name,
                             .container_in = "",
                             .container_out = "",
                             .values = values,
                             .n_value = n,
                             .outputs = outputs,
                             .n_output = n,
                             .arena_sizes = arenas,
                             .n_arena = 1};
    return WICK_OK;
}

wick_status wick_lower_metadata(wick_pte *p, const wick_pte_method *forward, const wick_graph *g, const wick_metadata_list *more,
                                wick_error *err) {
    wick_metadata_list list = {0};
    wick_status status;
    WICK_CHECK_GOTO(graph_metadata(g, &list, err));
    for (size_t i = 0; more && i < more->n; i++) WICK_CHECK_GOTO(copy_item(&list, &more->items[i], err));
    if (1 + list.n > WICK_MAX_METHODS) {
        status = wick_fail(err, WICK_ELIMIT, "the program would have %zu methods; the limit is %d", 1 + list.n, WICK_MAX_METHODS);
        goto out;
    }
    p->methods = wick_pte_alloc(p, 1 + list.n, sizeof *p->methods);
    if (!p->methods) {
        status = wick_fail_nomem(err);
        goto out;
    }
    p->methods[0] = *forward;
    p->n_method = (uint32_t)(1 + list.n);
    for (size_t i = 0; i < list.n; i++) WICK_CHECK_GOTO(make_method(p, &list.items[i], &p->methods[1 + i], err));
out:
    wick_metadata_release(&list);
    return status;
}
