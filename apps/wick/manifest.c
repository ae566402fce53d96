#include "manifest.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/strbuf.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { VERSION = 1, MAX_FILES = 4096, MAX_TEXT = 4096, MAX_NAME = 150 };
#define MAX_SIZE ((size_t)4 << 20) /* bytes of a manifest: MAX_FILES with generous addresses */

/* ---------------------------------------------------------------- names */

bool manifest_name_valid(const char *name) {
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-";
    size_t n = strlen(name);
    return n > 0 && n <= MAX_NAME && name[0] != '.' && name[0] != '-' && strspn(name, allowed) == n;
}

bool manifest_file_name_valid(const char *name) {
    size_t n = strlen(MANIFEST_CHECKPOINT);
    return manifest_name_valid(strncmp(name, MANIFEST_CHECKPOINT, n) == 0 ? name + n : name);
}

/* ---------------------------------------------------------------- memory */

wick_status manifest_set(char **field, const char *text, wick_error *err) {
    char *copy = wick_strdup(text ? text : "");
    if (!copy) return wick_fail_nomem(err);
    wick_free(*field);
    *field = copy;
    return WICK_OK;
}

wick_status manifest_init(manifest *m, wick_error *err) {
    *m = (manifest){0};
    char **const fields[] = {&m->source, &m->revision, &m->recipe, &m->model, &m->quantization};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (!(*fields[i] = wick_strdup(""))) {
            manifest_release(m);
            return wick_fail_nomem(err);
        }
    return WICK_OK;
}

static void release_file(manifest_file *f) {
    wick_free(f->name);
    wick_free(f->url);
    wick_free(f->etag);
}

void manifest_release(manifest *m) {
    wick_free(m->source);
    wick_free(m->revision);
    wick_free(m->recipe);
    wick_free(m->model);
    wick_free(m->quantization);
    for (size_t i = 0; i < m->n_files; i++) release_file(&m->files[i]);
    wick_free(m->files);
    *m = (manifest){0};
}

manifest_file *manifest_find(manifest *m, const char *name, bool add) {
    for (size_t i = 0; i < m->n_files; i++)
        if (strcmp(m->files[i].name, name) == 0) return &m->files[i];
    if (!add || !WICK_GROW(m->files, m->n_files, m->cap_files)) return NULL;
    manifest_file f = {.name = wick_strdup(name), .url = wick_strdup(""), .etag = wick_strdup("")};
    if (!f.name || !f.url || !f.etag) {
        release_file(&f);
        return NULL;
    }
    m->files[m->n_files++] = f;
    return &m->files[m->n_files - 1];
}

void manifest_forget(manifest *m, const char *name) {
    manifest_file *f = manifest_find(m, name, false);
    if (!f) return;
    release_file(f);
    size_t after = (size_t)(m->files + m->n_files - (f + 1));
    memmove(f, f + 1, after * sizeof *f);
    m->n_files--;
}

/* ---------------------------------------------------------------- reading */

/* A text without control characters; one that is absent is "". */
static wick_status read_text(const json_t *object, const char *key, char **out, wick_error *err) {
    const json_t *v = json_object_get(object, key);
    if (!v) return manifest_set(out, "", err);
    const char *text = json_string_value(v);
    if (!text || json_string_length(v) != strlen(text) || json_string_length(v) > MAX_TEXT)
        return wick_fail(err, WICK_EFORMAT, "\"%s\" should be a text of at most %d bytes", key, MAX_TEXT);
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127) return wick_fail(err, WICK_EFORMAT, "\"%s\" has control characters", key);
    return manifest_set(out, text, err);
}

static wick_status read_number(const json_t *object, const char *key, int64_t *out, wick_error *err) {
    const json_t *v = json_object_get(object, key);
    *out = json_integer_value(v);
    if (v && (!json_is_integer(v) || *out < 0)) return wick_fail(err, WICK_EFORMAT, "\"%s\" should be a whole number from 0", key);
    return WICK_OK;
}

static wick_status read_time(const json_t *object, int64_t *out, wick_error *err) {
    const char *text = json_string_value(json_object_get(object, "pulled")), *end;
    struct tm tm = {0};
    *out = 0;
    if (!text) return WICK_OK;
    end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (!end || *end || tm.tm_year < 70) return wick_fail(err, WICK_EFORMAT, "\"pulled\" should be a time such as 2026-01-15T12:34:56Z");
    *out = (int64_t)timegm(&tm);
    return WICK_OK;
}

static wick_status read_file(const json_t *object, manifest *m, wick_error *err) {
    const char *name = json_string_value(json_object_get(object, "name"));
    const char *sha256 = json_string_value(json_object_get(object, "sha256"));
    int64_t size;
    if (!name || !manifest_file_name_valid(name))
        return wick_fail(err, WICK_EFORMAT, "\"files\": '%.60s' is no file name", name ? name : "");
    if (manifest_find(m, name, false)) return wick_fail(err, WICK_EFORMAT, "\"files\": '%s' stands there twice", name);
    manifest_file *f = manifest_find(m, name, true);
    if (!f) return wick_fail_nomem(err);
    WICK_TRY(read_text(object, "url", &f->url, err));
    WICK_TRY(read_text(object, "etag", &f->etag, err));
    WICK_TRY(read_number(object, "size", &size, err));
    f->size = (uint64_t)size;
    f->partial = json_is_true(json_object_get(object, "partial"));
    if (sha256 && sha256[0] && !digest_parse(sha256, f->sha256))
        return wick_fail(err, WICK_EFORMAT, "\"sha256\" of %s: expected 64 hexadecimal digits", name);
    return WICK_OK;
}

static wick_status read_object(const json_t *object, manifest *m, wick_error *err) {
    const json_t *version = json_object_get(object, "version"), *files = json_object_get(object, "files");
    if (!json_is_object(object)) return wick_fail(err, WICK_EFORMAT, "expected one JSON object");
    if (!json_is_integer(version) || json_integer_value(version) != VERSION)
        return wick_fail(err, WICK_EUNSUPPORTED, "\"version\" is not %d: another Wick wrote this", VERSION);
    WICK_TRY(read_text(object, "source", &m->source, err));
    WICK_TRY(read_text(object, "revision", &m->revision, err));
    WICK_TRY(read_text(object, "recipe", &m->recipe, err));
    WICK_TRY(read_text(object, "model", &m->model, err));
    WICK_TRY(read_text(object, "quantization", &m->quantization, err));
    WICK_TRY(read_number(object, "context", &m->context, err));
    WICK_TRY(read_time(object, &m->pulled, err));
    if (m->model[0] && !manifest_name_valid(m->model)) return wick_fail(err, WICK_EFORMAT, "\"model\": '%.60s' is no file name", m->model);
    if (json_array_size(files) > MAX_FILES) return wick_fail(err, WICK_ELIMIT, "\"files\": more than %d", MAX_FILES);
    for (size_t i = 0; i < json_array_size(files); i++) WICK_TRY(read_file(json_array_get(files, i), m, err));
    return WICK_OK;
}

wick_status manifest_parse(manifest *out, wick_bytes text, const char *name, wick_error *err) {
    json_error_t fault;
    *out = (manifest){0};
    if (text.size > MAX_SIZE) return wick_fail(err, WICK_ELIMIT, "%s: %zu bytes, expected at most %zu", name, text.size, MAX_SIZE);
    json_t *object = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &fault);
    if (!object) return wick_fail(err, WICK_EFORMAT, "%s: line %d: %s", name, fault.line, fault.text);
    wick_status status = manifest_init(out, err);
    if (status == WICK_OK && (status = read_object(object, out, err)) != WICK_OK) {
        wick_error_context(err, status, "%s", name);
        manifest_release(out);
    }
    json_decref(object);
    return status;
}

wick_status manifest_load(manifest *out, const char *folder, wick_error *err) {
    char *path = wick_path_join(folder, MANIFEST_NAME);
    wick_mapping text;
    *out = (manifest){0};
    if (!path) return wick_fail_nomem(err);
    wick_status status = wick_os_map(path, true, &text, err);
    if (status == WICK_OK) {
        status = manifest_parse(out, (wick_bytes){text.data, text.size}, path, err);
        wick_os_unmap(&text);
    }
    wick_free(path);
    return status;
}

/* ---------------------------------------------------------------- writing */

void manifest_time_text(int64_t seconds, char out[32]) {
    time_t t = (time_t)seconds;
    struct tm tm = {0};
    gmtime_r(&t, &tm);
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void put_text(json_t *object, const char *key, const char *text) {
    if (text[0]) json_object_set_new(object, key, json_string(text));
}

static json_t *file_object(const manifest_file *f) {
    json_t *o = json_object();
    put_text(o, "name", f->name);
    put_text(o, "url", f->url);
    put_text(o, "etag", f->etag);
    json_object_set_new(o, "size", json_integer((json_int_t)f->size));
    put_text(o, "sha256", f->sha256);
    if (f->partial) json_object_set_new(o, "partial", json_true());
    return o;
}

static json_t *manifest_object(const manifest *m) {
    char pulled[32];
    json_t *o = json_object(), *files = json_array();
    json_object_set_new(o, "version", json_integer(VERSION));
    put_text(o, "source", m->source);
    put_text(o, "revision", m->revision);
    put_text(o, "recipe", m->recipe);
    put_text(o, "model", m->model);
    put_text(o, "quantization", m->quantization);
    if (m->context) json_object_set_new(o, "context", json_integer(m->context));
    manifest_time_text(m->pulled, pulled);
    if (m->pulled) put_text(o, "pulled", pulled);
    for (size_t i = 0; i < m->n_files; i++) json_array_append_new(files, file_object(&m->files[i]));
    json_object_set_new(o, "files", files);
    return o;
}

wick_status manifest_save(const manifest *m, const char *folder, wick_error *err) {
    json_t *object = manifest_object(m);
    char *text = json_dumps(object, JSON_INDENT(2)), *path = wick_path_join(folder, MANIFEST_NAME);
    wick_strbuf b = {0};
    if (text) wick_strbuf_printf(&b, "%s\n", text);
    wick_status status = b.size && path ? wick_file_write(path, b.data, b.size, err) : wick_fail_nomem(err);
    wick_strbuf_release(&b);
    free(text);
    wick_free(path);
    json_decref(object);
    return status;
}
