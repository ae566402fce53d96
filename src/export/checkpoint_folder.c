/* What lies beside the weights in a Hugging Face folder: generation_config.json, tokenizer_config.json, the tokenizer, the template. */
#include "export/checkpoint_family.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static wick_status add_ids(wick_checkpoint *c, json_t *ids, wick_error *err) {
    if (json_is_integer(ids)) WICK_TRY(wick_checkpoint_add_eos(c, json_integer_value(ids), err));
    for (size_t i = 0; i < json_array_size(ids); i++)
        if (json_is_integer(json_array_get(ids, i))) WICK_TRY(wick_checkpoint_add_eos(c, json_integer_value(json_array_get(ids, i)), err));
    return WICK_OK;
}

static wick_status read_generation(wick_checkpoint *c, const char *folder, wick_error *err) {
    json_t *j;
    WICK_TRY(wick_json_file(folder, "generation_config.json", false, &j, err));
    if (!j) return WICK_OK;
    wick_status status = add_ids(c, json_object_get(j, "eos_token_id"), err);
    json_t *bos = json_object_get(j, "bos_token_id");
    if (c->bos_id < 0 && json_is_integer(bos)) c->bos_id = json_integer_value(bos);
    if (status == WICK_OK) status = wick_checkpoint_sampling_hf(c, j, err);
    json_decref(j);
    return status;
}

static const char *token_text(json_t *j) {
    return json_is_object(j) ? json_string_value(json_object_get(j, "content")) : json_string_value(j);
}

/* The id of a special token's text, from the list in tokenizer_config.json; -1: not there. */
static int64_t token_id(json_t *config, json_t *token) {
    const char *text = token_text(token), *key;
    json_t *value;
    if (text) json_object_foreach(json_object_get(config, "added_tokens_decoder"), key, value) {
            const char *content = token_text(value);
            char *end;
            errno = 0;
            long long id = strtoll(key, &end, 10);
            if (content && !strcmp(content, text) && end != key && !*end && !errno) return id;
        }
    return -1;
}

/* A template is a text, or a list of named texts of which "default" is the one for chat. */
static const char *pick_template(json_t *j) {
    if (json_is_string(j)) return json_string_value(j);
    for (size_t i = 0; i < json_array_size(j); i++) {
        json_t *item = json_array_get(j, i);
        const char *name = json_string_value(json_object_get(item, "name"));
        if (name && !strcmp(name, "default")) return json_string_value(json_object_get(item, "template"));
    }
    return NULL;
}

static wick_status set_text(char **out, const char *text, wick_error *err) {
    if (!text || *out) return WICK_OK;
    *out = wick_strdup(text);
    return *out ? WICK_OK : wick_fail_nomem(err);
}

static wick_status read_tokenizer_config(wick_checkpoint *c, const char *folder, wick_error *err) {
    json_t *j;
    WICK_TRY(wick_json_file(folder, "tokenizer_config.json", false, &j, err));
    if (!j) return WICK_OK;
    wick_status status = wick_checkpoint_add_eos(c, token_id(j, json_object_get(j, "eos_token")), err);
    if (c->bos_id < 0) c->bos_id = token_id(j, json_object_get(j, "bos_token"));
    if (status == WICK_OK) status = set_text(&c->chat_template, pick_template(json_object_get(j, "chat_template")), err);
    json_decref(j);
    return status;
}

/* Newer folders hold the template as a file of its own, which then wins. */
static wick_status read_template(wick_checkpoint *c, const char *folder, wick_error *err) {
    wick_status status = WICK_OK;
    wick_mapping m = {0};
    json_t *j = NULL;
    char *path = *folder ? wick_path_join(folder, "chat_template.jinja") : wick_strdup("chat_template.jinja");
    if (!path) return wick_fail_nomem(err);
    if (wick_os_path_kind(path) == WICK_PATH_FILE) {
        WICK_CHECK_GOTO(wick_os_map(path, false, &m, err));
        c->chat_template = wick_strndup((const char *)m.data, m.size);
        if (!c->chat_template) status = wick_fail_nomem(err);
    } else {
        WICK_CHECK_GOTO(wick_json_file(folder, "chat_template.json", false, &j, err));
        if (j) status = set_text(&c->chat_template, pick_template(json_object_get(j, "chat_template")), err);
    }
out:
    json_decref(j);
    wick_os_unmap(&m);
    wick_free(path);
    return status;
}

static wick_status find_tokenizer(wick_checkpoint *c, const char *folder, wick_error *err) {
    char own[32];
    snprintf(own, sizeof own, "tok%lld.bin", (long long)c->arch.n_vocab); /* llama2.c calls them so */
    const char *const names[] = {"tokenizer.json", "tokenizer.model", "tekken.json", own, "tokenizer.bin"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = *folder ? wick_path_join(folder, names[i]) : wick_strdup(names[i]);
        if (!path) return wick_fail_nomem(err);
        if (wick_os_path_kind(path) == WICK_PATH_FILE) {
            c->tokenizer = path;
            return WICK_OK;
        }
        wick_free(path);
    }
    return WICK_OK;
}

wick_status wick_checkpoint_extras_folder(wick_checkpoint *c, const char *folder, wick_error *err) {
    WICK_TRY(find_tokenizer(c, folder, err));
    if (c->container->kind == WICK_CONTAINER_LLAMA2C) return WICK_OK;
    WICK_TRY(read_generation(c, folder, err));
    WICK_TRY(read_template(c, folder, err));
    return read_tokenizer_config(c, folder, err);
}
