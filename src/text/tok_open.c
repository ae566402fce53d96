/* Opening tokenizers: which kind of file it is, found by content. */
#include "base/file.h"
#include "base/mem.h"
#include "container/container.h"
#include "text/tok_format.h"
#include "text/tok_spec.h"

#include <string.h>

static bool starts(wick_bytes d, const char *magic, size_t n) { return d.size >= n && !memcmp(d.data, magic, n); }

/* The first byte that is not white space. */
static int first_char(wick_bytes d) {
    for (size_t i = 0; i < d.size; i++)
        if (!strchr(" \t\r\n", d.data[i]) || !d.data[i]) return d.data[i];
    return -1;
}

/* "base64 SP number" up to the first newline. */
static bool is_tiktoken(wick_bytes d) {
    size_t i = 0, digits = 0;
    while (i < d.size && i < 1024 && d.data[i] > ' ' && d.data[i] < 0x7f) i++;
    if (!i || i >= d.size || d.data[i++] != ' ') return false;
    for (; i < d.size && d.data[i] >= '0' && d.data[i] <= '9'; i++) digits++;
    return digits && (i == d.size || d.data[i] == '\n' || d.data[i] == '\r');
}

/* A file beside this one; data NULL: there is none. */
static wick_mapping beside(const char *path, const char *name, bool append) {
    wick_mapping m = {0};
    const char *slash = strrchr(path, '/');
    wick_strbuf other = {0};
    if (append)
        wick_strbuf_puts(&other, path);
    else if (slash)
        wick_strbuf_add(&other, path, (size_t)(slash - path) + 1);
    wick_strbuf_puts(&other, name);
    if (!other.failed && wick_os_path_kind(other.data) == WICK_PATH_FILE && wick_os_map(other.data, false, &m, NULL) != WICK_OK)
        m = (wick_mapping){0};
    wick_strbuf_release(&other);
    return m;
}

static wick_status read_json_file(const char *path, wick_bytes data, wick_tok_spec *s, wick_error *err) {
    WICK_TRY(wick_read_tokenizer_json(data, s, err));
    wick_mapping config = path ? beside(path, "tokenizer_config.json", false) : (wick_mapping){0};
    if (!config.data) return WICK_OK;
    wick_status status = wick_read_tokenizer_config((wick_bytes){config.data, config.size}, s, err);
    wick_os_unmap(&config);
    return status == WICK_OK ? WICK_OK : wick_error_context(err, status, "tokenizer_config.json");
}

static wick_status read_tiktoken_file(const char *path, wick_bytes data, wick_tok_spec *s, wick_error *err) {
    wick_mapping sidecar = path ? beside(path, ".json", true) : (wick_mapping){0};
    wick_status status = wick_read_tiktoken(data, (wick_bytes){sidecar.data, sidecar.size}, s, err);
    if (sidecar.data) wick_os_unmap(&sidecar);
    return status;
}

static wick_status read_gguf_file(const char *path, wick_tok_spec *s, wick_error *err) {
    wick_container *c;
    WICK_TRY(wick_container_open(path, &c, err));
    wick_status status = wick_read_gguf_tokenizer(c, s, err);
    wick_container_close(c);
    return status;
}

static wick_status read_gguf_memory(wick_bytes data, wick_tok_spec *s, wick_error *err) {
    wick_container *c;
    WICK_TRY(wick_container_open_memory(data, "GGUF", &c, err));
    wick_status status = wick_read_gguf_tokenizer(c, s, err);
    wick_container_close(c);
    return status;
}

static wick_status read_file(const char *path, wick_bytes data, wick_tok_spec *s, wick_error *err) {
    if (starts(data, "GGUF", 4)) return read_gguf_file(path, s, err);
    if (first_char(data) == '{') return read_json_file(path, data, s, err);
    if (is_tiktoken(data)) return read_tiktoken_file(path, data, s, err);
    if (data.size && data.data[0] == 0x0a && !wick_is_llama2c(data)) return wick_read_sentencepiece(data, s, err);
    if (wick_is_llama2c(data)) return wick_read_llama2c(data, s, err);
    return wick_fail(
        err, WICK_EFORMAT,
        "this is no tokenizer that Wick knows: tokenizer.json, SentencePiece, tiktoken, tekken.json, llama2.c, GGUF or a compiled one");
}

wick_status wick_spec_read_file(const char *path, wick_tok_spec *s, wick_error *err) {
    wick_mapping m;
    WICK_TRY(wick_os_map(path, false, &m, err));
    wick_status status = read_file(path, (wick_bytes){m.data, m.size}, s, err);
    wick_os_unmap(&m);
    return status == WICK_OK ? WICK_OK : wick_error_context(err, status, "%s", path);
}

static wick_status open_file(const char *path, wick_tokenizer **out, wick_error *err) {
    wick_mapping m;
    wick_tok_spec s;
    wick_status status = WICK_OK;
    WICK_TRY(wick_os_map(path, false, &m, err));
    wick_spec_init(&s);
    wick_bytes data = {m.data, m.size};
    if (starts(data, WICK_TOK_MAGIC, 8)) {
        void *copy = wick_memdup(m.data, m.size);
        status = copy ? wick_tok_view(copy, m.size, copy, out, err) : wick_fail_nomem(err);
    } else {
        WICK_CHECK_GOTO(read_file(path, data, &s, err));
        WICK_CHECK_GOTO(wick_spec_open(&s, out, err));
    }
out:
    wick_spec_release(&s);
    wick_os_unmap(&m);
    return status == WICK_OK ? WICK_OK : wick_error_context(err, status, "%s", path);
}

wick_status wick_tokenizer_open(const char *path, wick_tokenizer **out, wick_error *err) {
    *out = NULL;
    if (!path) return wick_fail(err, WICK_EINVAL, "there is no path to open");
    if (wick_os_path_kind(path) != WICK_PATH_FOLDER) return open_file(path, out, err);
    static const char *const names[] = {"tokenizer.json", "tokenizer.model", "tekken.json", "tokenizer.bin", "tiktoken.model"};
    char *file;
    WICK_TRY(wick_path_first(path, names, sizeof names / sizeof *names, &file, err));
    if (!file)
        return wick_fail(err, WICK_ENOTFOUND,
                         "%s: the folder has no tokenizer.json, tokenizer.model, tekken.json, tokenizer.bin or tiktoken.model", path);
    wick_status status = open_file(file, out, err);
    wick_free(file);
    return status;
}

wick_status wick_tokenizer_from_memory(const void *data, size_t size, wick_tokenizer **out, wick_error *err) {
    wick_tok_spec s;
    *out = NULL;
    wick_spec_init(&s);
    wick_bytes d = {data, size};
    wick_status status = starts(d, "GGUF", 4) ? read_gguf_memory(d, &s, err) : read_file(NULL, d, &s, err);
    if (status == WICK_OK) status = wick_spec_open(&s, out, err);
    wick_spec_release(&s);
    return status;
}

/* ---- compiled tokenizers */

const void *wick_tokenizer_blob(const wick_tokenizer *t, size_t *size) {
    *size = t->blob_size;
    return t->blob;
}

wick_status wick_tokenizer_from_blob(const void *blob, size_t size, wick_tokenizer **out, wick_error *err) {
    return wick_tok_view(blob, size, NULL, out, err);
}
