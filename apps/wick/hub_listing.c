#include "hub_listing.h"

#include "base/mem.h"

#include <jansson.h>
#include <string.h>

enum { MAX_FILES = 100000, MAX_PATH = 1000 };

void hub_listing_release(hub_listing *l) {
    for (size_t i = 0; i < l->n_files; i++) wick_free(l->files[i].path);
    wick_free(l->files);
    wick_free(l->commit);
    *l = (hub_listing){0};
}

wick_status hub_listing_add(hub_listing *l, const char *path, uint64_t size, const char *sha256, wick_error *err) {
    if (l->n_files >= MAX_FILES) return wick_fail(err, WICK_ELIMIT, "more than %d files", MAX_FILES);
    if (!WICK_GROW(l->files, l->n_files, l->cap_files)) return wick_fail_nomem(err);
    hub_file f = {.path = wick_strdup(path), .size = size};
    if (!f.path) return wick_fail_nomem(err);
    digest_parse(sha256, f.sha256);
    l->files[l->n_files++] = f;
    return WICK_OK;
}

/* A path that can be asked for: no control characters, no way up. Others are left out, as if the repository had no such file. */
static bool path_plain(const char *path, size_t n) {
    if (n == 0 || n > MAX_PATH || n != strlen(path) || path[0] == '/' || strstr(path, "..") || strstr(path, "//")) return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)path[i] < ' ' || path[i] == 127 || path[i] == '\\') return false;
    return true;
}

static wick_status read_sibling(const json_t *o, hub_listing *l, wick_error *err) {
    const json_t *path = json_object_get(o, "rfilename"), *size = json_object_get(o, "size"), *lfs = json_object_get(o, "lfs");
    if (!json_is_string(path)) return wick_fail(err, WICK_EFORMAT, "an entry of \"siblings\" has no \"rfilename\"");
    if (json_is_object(lfs) && json_is_integer(json_object_get(lfs, "size"))) size = json_object_get(lfs, "size");
    json_int_t n = json_is_integer(size) ? json_integer_value(size) : -1;
    if (json_is_integer(size) && n < 0) return wick_fail(err, WICK_EFORMAT, "an entry of \"siblings\" has a negative \"size\"");
    if (!path_plain(json_string_value(path), json_string_length(path))) return WICK_OK;
    const char *sha256 = json_string_value(json_object_get(lfs, "sha256"));
    return hub_listing_add(l, json_string_value(path), n < 0 ? UINT64_MAX : (uint64_t)n, sha256 ? sha256 : "", err);
}

/* A commit stands in URLs: 40 (or 64) hexadecimal digits. */
static bool commit_plain(const char *text) {
    size_t n = strlen(text);
    return (n == 40 || n == 64) && strspn(text, "0123456789abcdef") == n;
}

static wick_status read_listing(const json_t *o, hub_listing *l, wick_error *err) {
    const char *commit = json_string_value(json_object_get(o, "sha"));
    const json_t *siblings = json_object_get(o, "siblings");
    if (!commit || !commit_plain(commit)) return wick_fail(err, WICK_EFORMAT, "no \"sha\" of a commit: this is no answer of a hub");
    if (!json_is_array(siblings)) return wick_fail(err, WICK_EFORMAT, "no list \"siblings\": this is no answer of a hub");
    l->commit = wick_strdup(commit);
    if (!l->commit) return wick_fail_nomem(err);
    for (size_t i = 0; i < json_array_size(siblings); i++) WICK_TRY(read_sibling(json_array_get(siblings, i), l, err));
    return WICK_OK;
}

wick_status hub_listing_parse(hub_listing *out, wick_bytes text, const char *name, wick_error *err) {
    json_error_t fault;
    *out = (hub_listing){0};
    json_t *o = json_loadb((const char *)text.data, text.size, 0, &fault);
    if (!o) return wick_fail(err, WICK_EFORMAT, "%s: line %d of the answer: %s", name, fault.line, fault.text);
    wick_status status = read_listing(o, out, err);
    if (status != WICK_OK) {
        wick_error_context(err, status, "%s", name);
        hub_listing_release(out);
    }
    json_decref(o);
    return status;
}
