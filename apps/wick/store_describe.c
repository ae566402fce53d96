#include "store.h"

#include "base/strbuf.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

bool store_is_program(const char *path) {
    char head[8] = {0};
    FILE *f = fopen(path, "rb");
    bool program = f && fread(head, 1, sizeof head, f) == sizeof head && memcmp(head + 4, "ET", 2) == 0;
    if (f) fclose(f);
    return program;
}

static bool collect(void *user, const char *text, size_t size) {
    wick_strbuf *b = user;
    wick_strbuf_add(b, text, size);
    return !b->failed;
}

/* The kind of the linear layers that hold most bytes, without the word "linear". */
static const char *main_kind(const json_t *weights) {
    const char *best = "";
    json_int_t most = -1;
    for (size_t i = 0; i < json_array_size(weights); i++) {
        const json_t *w = json_array_get(weights, i);
        const char *kind = json_string_value(json_object_get(w, "kind"));
        json_int_t bytes = json_integer_value(json_object_get(w, "bytes"));
        if (!kind || strncmp(kind, "linear ", 7) != 0 || bytes <= most) continue;
        best = kind + 7;
        most = bytes;
    }
    return best;
}

static int64_t metadata_number(const json_t *metadata, const char *key) {
    const json_t *v = json_object_get(metadata, key);
    json_int_t n = json_integer_value(json_is_array(v) ? json_array_get(v, 0) : v);
    return n > 0 ? n : 0;
}

wick_status store_describe(const char *path, manifest *about, wick_error *err) {
    wick_strbuf text = {0};
    wick_describe_options o = wick_describe_options_default();
    o.json = true;
    wick_status status = wick_program_describe(path, &o, collect, &text, err);
    json_t *j = status == WICK_OK && text.data ? json_loadb(text.data, text.size, 0, NULL) : NULL;
    if (status == WICK_OK && !j) status = wick_fail_nomem(err);
    if (j) {
        const json_t *metadata = json_object_get(j, "metadata");
        about->context = metadata_number(metadata, "get_max_context_len");
        if (!about->context) about->context = metadata_number(metadata, "get_max_seq_len");
        status = manifest_set(&about->quantization, main_kind(json_object_get(j, "weights")), err);
    }
    json_decref(j);
    wick_strbuf_release(&text);
    return status;
}
