#include "store_print.h"

#include <stdio.h>
#include <string.h>

static void put_text(wick_json *j, const char *key, const char *text) {
    wick_json_key(j, key);
    wick_json_string(j, text, strlen(text));
}

static void put_file(wick_json *j, const manifest_file *f) {
    wick_json_open(j, '{');
    put_text(j, "name", f->name);
    wick_json_key(j, "size");
    wick_json_int(j, (int64_t)f->size);
    put_text(j, "sha256", f->sha256);
    put_text(j, "url", f->url);
    wick_json_close(j, '}');
}

void store_put_json(wick_json *j, const store_model *m) {
    char modified[32];
    manifest_time_text(m->modified, modified);
    wick_json_open(j, '{');
    put_text(j, "name", m->name);
    put_text(j, "path", m->path);
    wick_json_key(j, "size");
    wick_json_int(j, (int64_t)m->size);
    put_text(j, "quantization", m->about.quantization);
    wick_json_key(j, "context");
    wick_json_int(j, m->about.context);
    put_text(j, "source", m->about.source);
    put_text(j, "revision", m->about.revision);
    put_text(j, "modified", modified);
    wick_json_key(j, "partial");
    wick_json_bool(j, m->partial);
    wick_json_key(j, "files");
    wick_json_open(j, '[');
    for (size_t i = 0; i < m->about.n_files; i++) put_file(j, &m->about.files[i]);
    wick_json_close(j, ']');
    wick_json_close(j, '}');
}

void store_print_json(const store_model *m) {
    wick_strbuf text = {0};
    wick_json j = {&text, false};
    store_put_json(&j, m);
    if (text.data) puts(text.data);
    wick_strbuf_release(&text);
}
