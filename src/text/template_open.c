/* Opening templates: which kind of file it is, found by content. */
#include "base/file.h"
#include "base/mem.h"
#include "base/os.h"
#include "container/container.h"
#include "text/read_json.h"

#include <string.h>

/* A JSON object begins with a key or ends at once; a template that begins with '{' goes on with '%', '{' or '#'. */
static bool is_object(wick_bytes d) {
    size_t i = 0;
    while (i < d.size && d.data[i] && strchr(" \t\r\n", d.data[i])) i++;
    if (i == d.size || d.data[i++] != '{') return false;
    while (i < d.size && d.data[i] && strchr(" \t\r\n", d.data[i])) i++;
    return i < d.size && (d.data[i] == '"' || d.data[i] == '}');
}

/* "chat_template" is a text, or a list of named texts of which "default" is the one for chat. */
static wick_status from_config(wick_bytes data, wick_template **out, wick_error *err) {
    json_t *j;
    WICK_TRY(wick_json_load(data, &j, err));
    const json_t *source = json_object_get(j, "chat_template");
    for (size_t i = 0; i < json_array_size(source); i++) {
        const json_t *item = json_array_get(source, i);
        if (!wick_json_is(json_object_get(item, "name"), "default")) continue;
        source = json_object_get(item, "template");
        break;
    }
    wick_bytes text = wick_json_text(source);
    wick_status status = text.data ? wick_template_new((const char *)text.data, text.size, out, err)
                                   : wick_fail(err, WICK_ENOTFOUND, "it has no \"chat_template\"");
    json_decref(j);
    return status;
}

static wick_status from_gguf(const char *path, wick_template **out, wick_error *err) {
    wick_container *c;
    WICK_TRY(wick_container_open(path, &c, err));
    const wick_meta *m = wick_container_meta(c, "tokenizer.chat_template");
    wick_status status = m && m->kind == WICK_META_STRING ? wick_template_new((const char *)m->s.data, m->s.size, out, err)
                                                          : wick_fail(err, WICK_ENOTFOUND, "it has no \"tokenizer.chat_template\"");
    wick_container_close(c);
    return status;
}

/* The op-by-op plan packs no weights, so this costs little. */
static wick_status from_program(const char *path, wick_template **out, wick_error *err) {
    wick_model *model;
    wick_model_options options = wick_model_options_default();
    options.plan = WICK_PLAN_VM;
    WICK_TRY(wick_model_open(path, &options, &model, err));
    wick_status status = wick_template_from_model(model, out, err);
    wick_model_close(model);
    return status;
}

static wick_status open_file(const char *path, wick_template **out, wick_error *err) {
    wick_mapping m;
    WICK_TRY(wick_os_map(path, false, &m, err));
    wick_bytes d = {m.data, m.size};
    wick_status status = WICK_OK;
    if (d.size >= 4 && !memcmp(d.data, "GGUF", 4))
        status = from_gguf(path, out, err);
    else if (d.size >= 8 && !memcmp(d.data + 4, "ET", 2))
        status = from_program(path, out, err);
    else if (is_object(d))
        status = from_config(d, out, err);
    else
        status = wick_template_new((const char *)d.data, d.size, out, err);
    wick_os_unmap(&m);
    return status == WICK_OK ? WICK_OK : wick_error_context(err, status, "%s", path);
}

wick_status wick_template_open(const char *path, wick_template **out, wick_error *err) {
    *out = NULL;
    if (!path) return wick_fail(err, WICK_EINVAL, "there is no path to open");
    if (wick_os_path_kind(path) != WICK_PATH_FOLDER) return open_file(path, out, err);
    static const char *const names[] = {"chat_template.jinja", "chat_template.json", "tokenizer_config.json"};
    char *file;
    WICK_TRY(wick_path_first(path, names, sizeof names / sizeof *names, &file, err));
    if (!file)
        return wick_fail(err, WICK_ENOTFOUND, "%s: the folder has no chat_template.jinja, chat_template.json or tokenizer_config.json",
                         path);
    wick_status status = open_file(file, out, err);
    wick_free(file);
    return status;
}

wick_status wick_template_from_model(const wick_model *model, wick_template **out, wick_error *err) {
    const void *source;
    size_t size;
    *out = NULL;
    if (!wick_model_data_get(model, "wick.chat_template", &source, &size))
        return wick_fail(err, WICK_ENOTFOUND, "the model carries no chat template");
    return wick_template_new(source, size, out, err);
}
