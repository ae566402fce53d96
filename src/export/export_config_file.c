/* Reading a configuration file: YAML by libyaml's events, JSON by jansson. Both become the same calls: a dotted path, a value.
 *
 * YAML is taken without anchors, aliases and tags: no configuration needs them, and a small file could unfold into a large one. */
#include "base/limits.h"
#include "base/mem.h"
#include "base/os.h"
#include "container/json_memory.h"
#include "export/export_config.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

typedef struct reader {
    wick_export_config *config;
    const char *file;
    bool *seen; /* per field */
    char path[WICK_CONFIG_PATH];
    size_t path_size;
} reader;

/* Appends a key to the path. */
static wick_status push(reader *r, const char *key, size_t size, const char *where, wick_error *err) {
    size_t dot = r->path_size > 0;
    if (size == 0 || memchr(key, 0, size) || r->path_size + dot + size >= WICK_CONFIG_PATH)
        return wick_fail(err, WICK_EINVAL, "%s: no option has a name like '%s.%.40s'", where, r->path, key);
    snprintf(r->path + r->path_size, WICK_CONFIG_PATH - r->path_size, "%s%.*s", dot ? "." : "", (int)size, key);
    r->path_size += dot + size;
    return WICK_OK;
}

static void pop(reader *r, size_t size) {
    r->path[size] = 0;
    r->path_size = size;
}

static wick_status value(reader *r, const wick_config_value *v, const char *where, wick_error *err) {
    const wick_config_field *f = wick_config_find(r->path);
    if (f) {
        bool *seen = &r->seen[f - wick_config_fields];
        if (*seen) return wick_fail(err, WICK_EINVAL, "%s: %s is there twice", where, r->path);
        *seen = true;
    }
    return wick_config_apply(r->config, r->path, v, where, err);
}

/* May a mapping stand here? */
static wick_status enter(const reader *r, const char *where, wick_error *err) {
    if (r->path_size == 0 || wick_config_is_group(r->path)) return WICK_OK;
    if (wick_config_find(r->path)) return wick_fail(err, WICK_EINVAL, "%s: %s is an option, not a group of options", where, r->path);
    return wick_config_unknown(r->path, where, err);
}

/* ---------------------------------------------------------------- YAML */

typedef struct yaml {
    reader r;
    yaml_parser_t parser;
    yaml_event_t event;
    bool have_event;
    size_t outer[WICK_MAX_NESTING]; /* path sizes of the mappings that are open */
    int depth;
    bool want_key;
    int list_depth; /* > 0: inside a list, whose items are counted only */
    size_t n_item;
    char where[300];
} yaml;

static wick_status next_event(yaml *y, wick_error *err) {
    if (y->have_event) yaml_event_delete(&y->event);
    y->have_event = false;
    if (!yaml_parser_parse(&y->parser, &y->event)) {
        if (y->parser.error == YAML_MEMORY_ERROR) return wick_fail_nomem(err);
        return wick_fail(err, WICK_EFORMAT, "%s:%zu: %s", y->r.file, y->parser.problem_mark.line + 1,
                         y->parser.problem ? y->parser.problem : "no YAML");
    }
    y->have_event = true;
    snprintf(y->where, sizeof y->where, "%s:%zu", y->r.file, y->event.start_mark.line + 1);
    return WICK_OK;
}

/* Anchors, aliases and tags. */
static const char *refused(const yaml_event_t *e) {
    if (e->type == YAML_ALIAS_EVENT) return "an alias";
    if (e->type == YAML_SCALAR_EVENT) return e->data.scalar.anchor ? "an anchor" : e->data.scalar.tag ? "a tag" : NULL;
    if (e->type == YAML_MAPPING_START_EVENT) return e->data.mapping_start.anchor ? "an anchor" : e->data.mapping_start.tag ? "a tag" : NULL;
    if (e->type == YAML_SEQUENCE_START_EVENT)
        return e->data.sequence_start.anchor ? "an anchor" : e->data.sequence_start.tag ? "a tag" : NULL;
    return NULL;
}

static wick_status on_scalar(yaml *y, wick_error *err) {
    const char *text = (const char *)y->event.data.scalar.value;
    size_t size = y->event.data.scalar.length;
    bool plain = y->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (y->depth == 0) {
        if (plain && size == 0) return WICK_OK; /* an empty file says nothing */
        return wick_fail(err, WICK_EINVAL, "%s: a single value, expected groups of options", y->where);
    }
    if (y->want_key) {
        y->want_key = false;
        return push(&y->r, text, size, y->where, err);
    }
    if (memchr(text, 0, size)) return wick_fail(err, WICK_EINVAL, "%s: %s holds a NUL", y->where, y->r.path);
    wick_config_value v = {.text = text, .is_null = plain && (!size || !strcasecmp(text, "null") || !strcmp(text, "~"))};
    WICK_TRY(value(&y->r, &v, y->where, err));
    pop(&y->r, y->outer[y->depth - 1]);
    y->want_key = true;
    return WICK_OK;
}

static wick_status on_mapping(yaml *y, wick_error *err) {
    if (y->want_key) return wick_fail(err, WICK_EINVAL, "%s: a group as the name of an option", y->where);
    if (y->depth == WICK_MAX_NESTING) return wick_fail(err, WICK_ELIMIT, "%s: nested more than %d deep", y->where, WICK_MAX_NESTING);
    WICK_TRY(enter(&y->r, y->where, err));
    y->outer[y->depth++] = y->r.path_size;
    y->want_key = true;
    return WICK_OK;
}

static void on_mapping_end(yaml *y) {
    y->depth--;
    y->want_key = y->depth > 0;
    pop(&y->r, y->depth ? y->outer[y->depth - 1] : 0);
}

static wick_status on_list_end(yaml *y, wick_error *err) {
    WICK_TRY(value(&y->r, &(wick_config_value){.text = "", .is_list = true, .n_item = y->n_item}, y->where, err));
    pop(&y->r, y->outer[y->depth - 1]);
    y->want_key = true;
    return WICK_OK;
}

/* Inside a list: only its items are counted. */
static wick_status in_list(yaml *y, wick_error *err) {
    bool opens = y->event.type == YAML_SEQUENCE_START_EVENT || y->event.type == YAML_MAPPING_START_EVENT;
    bool closes = y->event.type == YAML_SEQUENCE_END_EVENT || y->event.type == YAML_MAPPING_END_EVENT;
    if (!closes && y->list_depth == 1) y->n_item++;
    y->list_depth += opens - closes;
    if (y->list_depth > WICK_MAX_NESTING) return wick_fail(err, WICK_ELIMIT, "%s: nested more than %d deep", y->where, WICK_MAX_NESTING);
    return y->list_depth ? WICK_OK : on_list_end(y, err);
}

static wick_status on_event(yaml *y, wick_error *err) {
    if (refused(&y->event)) return wick_fail(err, WICK_EUNSUPPORTED, "%s: %s; write the value itself", y->where, refused(&y->event));
    if (y->list_depth) return in_list(y, err);
    switch (y->event.type) {
    case YAML_SCALAR_EVENT: return on_scalar(y, err);
    case YAML_MAPPING_START_EVENT: return on_mapping(y, err);
    case YAML_MAPPING_END_EVENT: on_mapping_end(y); return WICK_OK;
    case YAML_SEQUENCE_START_EVENT:
        if (y->depth == 0 || y->want_key) return wick_fail(err, WICK_EINVAL, "%s: a list where a name is expected", y->where);
        y->list_depth = 1, y->n_item = 0;
        return WICK_OK;
    default: return WICK_OK;
    }
}

static wick_status read_yaml(reader r, wick_bytes text, wick_error *err) {
    yaml y = {.r = r};
    int n_document = 0;
    if (!yaml_parser_initialize(&y.parser)) return wick_fail_nomem(err);
    yaml_parser_set_input_string(&y.parser, text.data, text.size);
    wick_status status = WICK_OK;
    do {
        WICK_CHECK_GOTO(next_event(&y, err));
        if (y.event.type == YAML_DOCUMENT_START_EVENT && n_document++) {
            status = wick_fail(err, WICK_EINVAL, "%s: a second document", y.where);
            goto out;
        }
        WICK_CHECK_GOTO(on_event(&y, err));
    } while (y.event.type != YAML_STREAM_END_EVENT);
out:
    if (y.have_event) yaml_event_delete(&y.event);
    yaml_parser_delete(&y.parser);
    return status;
}

/* ---------------------------------------------------------------- JSON */

static wick_status read_json_value(reader *r, json_t *j, wick_error *err) {
    char number[40];
    wick_config_value v = {.text = number, .is_null = json_is_null(j)};
    if (json_is_string(j))
        v.text = json_string_value(j);
    else if (json_is_boolean(j))
        v.text = json_is_true(j) ? "true" : "false";
    else if (json_is_integer(j))
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(j));
    else if (json_is_real(j))
        snprintf(number, sizeof number, "%.17g", json_real_value(j));
    else
        v.is_list = json_is_array(j), v.n_item = json_array_size(j), v.text = "";
    return value(r, &v, r->file, err);
}

/* The depth of groups is bounded by the length of a path. */
static wick_status read_json_group(reader *r, json_t *group, wick_error *err) {
    const char *key;
    json_t *j;
    size_t outer = r->path_size;
    json_object_foreach(group, key, j) {
        WICK_TRY(push(r, key, strlen(key), r->file, err));
        if (json_is_object(j)) {
            WICK_TRY(enter(r, r->file, err));
            WICK_TRY(read_json_group(r, j, err));
        } else {
            WICK_TRY(read_json_value(r, j, err));
        }
        pop(r, outer);
    }
    return WICK_OK;
}

static wick_status read_json(reader r, wick_bytes text, wick_error *err) {
    json_error_t je;
    json_t *root = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &je);
    if (!root && wick_json_no_memory(&je)) return wick_fail_nomem(err);
    if (!root) return wick_fail(err, WICK_EFORMAT, "%s:%d: %s", r.file, je.line, je.text);
    wick_status status = read_json_group(&r, root, err);
    json_decref(root);
    return status;
}

/* ---------------------------------------------------------------- file */

wick_status wick_config_read(wick_export_config *c, wick_bytes text, const char *name, wick_error *err) {
    if (text.size > WICK_MAX_YAML)
        return wick_fail(err, WICK_ELIMIT, "%s: %zu bytes of configuration (at most %u)", name, text.size, WICK_MAX_YAML);
    reader r = {.config = c, .file = name, .seen = WICK_NEW_ARRAY(bool, wick_config_n_field)};
    if (!r.seen) return wick_fail_nomem(err);
    c->options.qmode = "fp32";
    c->options.embedding_quantize = "fp32";
    c->options.group_size = 128;
    c->options.backend = WICK_BACKEND_PORTABLE;
    size_t blank = 0;
    while (blank < text.size && strchr(" \t\r\n", text.data[blank]) && text.data[blank]) blank++;
    bool json = blank < text.size && text.data[blank] == '{';
    wick_status status = json ? read_json(r, text, err) : read_yaml(r, text, err);
    wick_free(r.seen);
    return status;
}

wick_status wick_export_config_file(wick_export_config *c, const char *path, wick_error *err) {
    wick_mapping m;
    WICK_TRY(wick_os_map(path, false, &m, err));
    wick_status status = wick_config_read(c, (wick_bytes){m.data, m.size}, path, err);
    wick_os_unmap(&m);
    return status;
}
