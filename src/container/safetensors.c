/* safetensors (github.com/huggingface/safetensors): u64 length of the header, the header as JSON, then the bytes.
 *
 *     { "__metadata__": {"key": "text", ..},
 *       "name": {"dtype": "F32", "shape": [out, in], "data_offsets": [begin, end]}, .. }
 *
 * Offsets count from the end of the header; tensors fill the rest of the file without gaps and without overlaps. A large
 * checkpoint is a folder of such files with model.safetensors.index.json: {"weight_map": {"name": "file", ..}}. */
#include "container/container_impl.h"

#include "base/checked.h"
#include "base/file.h"
#include "base/mem.h"
#include "container/json_memory.h"

enum { MAX_HEADER = 100 << 20, MAX_SHARDS = 4096 };

static wick_status bad(wick_error *err, const char *file, const char *tensor, const char *what) {
    return wick_fail(err, WICK_EFORMAT, "%s: the tensor '%s': %s", file, tensor, what);
}

static wick_status read_tensor(wick_container *c, int i_file, const char *file, const char *name, json_t *j, wick_bytes data,
                               wick_error *err) {
    json_t *shape = json_object_get(j, "shape"), *offsets = json_object_get(j, "data_offsets");
    const char *dtype = json_string_value(json_object_get(j, "dtype"));
    if (!dtype || !json_is_array(shape) || !json_is_array(offsets) || json_array_size(offsets) != 2)
        return bad(err, file, name, "no dtype, shape and two data_offsets");
    const wick_tensor_format *f = wick_safetensors_format(dtype);
    if (!f) return wick_fail(err, WICK_EUNSUPPORTED, "%s: the tensor '%s' has the unknown dtype '%.40s'", file, name, dtype);
    if (json_array_size(shape) > WICK_MAX_RANK)
        return wick_fail(err, WICK_ELIMIT, "%s: the tensor '%s' has %zu dimensions (at most %d)", file, name, json_array_size(shape),
                         WICK_MAX_RANK);
    wick_tensor t = {.type = f->type, .raw_type = f->raw, .rank = (int)json_array_size(shape), .file = i_file};
    for (int i = 0; i < t.rank; i++) {
        json_t *d = json_array_get(shape, (size_t)i);
        if (!json_is_integer(d) || json_integer_value(d) < 0) return bad(err, file, name, "a dimension is no natural number");
        t.dims[i] = json_integer_value(d);
    }
    json_t *jb = json_array_get(offsets, 0), *je = json_array_get(offsets, 1);
    json_int_t begin = json_integer_value(jb), end = json_integer_value(je);
    if (!json_is_integer(jb) || !json_is_integer(je) || begin < 0 || end < begin) return bad(err, file, name, "impossible data_offsets");
    if ((uint64_t)end > data.size)
        return wick_fail(err, WICK_EFORMAT, "%s: the tensor '%s' ends at byte %lld of %zu bytes of data", file, name, (long long)end,
                         data.size);
    if (!wick_tensor_byte_size(f, t.rank, t.dims, &t.size) || t.size != (uint64_t)(end - begin))
        return bad(err, file, name, "shape and data_offsets disagree");
    t.data = data.data + begin;
    t.name = wick_container_text(c, name, strlen(name));
    return t.name ? wick_container_add_tensor(c, &t, err) : wick_fail_nomem(err);
}

/* Shards repeat metadata such as {"format": "pt"}: the first file's counts. */
static wick_status read_metadata(wick_container *c, int i_file, const char *file, json_t *j, wick_error *err) {
    if (!json_is_object(j)) return wick_fail(err, WICK_EFORMAT, "%s: __metadata__ is no object", file);
    const char *key;
    json_t *value;
    if (i_file == 0) json_object_foreach(j, key, value) {
            if (!json_is_string(value)) return wick_fail(err, WICK_EFORMAT, "%s: the metadata key '%.100s' is no text", file, key);
            wick_meta m = {.kind = WICK_META_STRING};
            m.key = wick_container_text(c, key, strlen(key));
            m.s.size = json_string_length(value);
            m.s.data = (const uint8_t *)wick_container_text(c, json_string_value(value), m.s.size);
            if (!m.key || !m.s.data) return wick_fail_nomem(err);
            WICK_TRY(wick_container_add_meta(c, &m, err));
        }
    return WICK_OK;
}

static wick_status load_json(const void *data, size_t size, const char *file, json_t **out, wick_error *err) {
    json_error_t je;
    *out = json_loadb(data, size, JSON_REJECT_DUPLICATES, &je);
    if (!*out && wick_json_no_memory(&je)) return wick_fail_nomem(err);
    if (!*out) return wick_fail(err, WICK_EFORMAT, "%s: byte %d of the JSON: %s", file, je.position, je.text);
    if (json_is_object(*out)) return WICK_OK;
    json_decref(*out);
    *out = NULL;
    return wick_fail(err, WICK_EFORMAT, "%s: the JSON is no object", file);
}

wick_status wick_safetensors_read(wick_container *c, int i_file, const char *name, wick_error *err) {
    wick_bytes f = {c->files[i_file].data, c->files[i_file].size};
    if (f.size < 8) return wick_fail(err, WICK_EFORMAT, "%s: %zu bytes are no safetensors header", name, f.size);
    uint64_t n = wick_load_u64(f.data);
    if (n > f.size - 8 || n > MAX_HEADER)
        return wick_fail(err, WICK_EFORMAT, "%s: a header of %llu bytes in a file of %zu (headers have at most %d)", name,
                         (unsigned long long)n, f.size, MAX_HEADER);
    json_t *header = NULL;
    wick_bytes data = {f.data + 8 + n, f.size - 8 - (size_t)n};
    wick_status status = load_json(f.data + 8, (size_t)n, name, &header, err);
    const char *key;
    json_t *value;
    if (status == WICK_OK) json_object_foreach(header, key, value) {
            if (!strcmp(key, "__metadata__"))
                status = read_metadata(c, i_file, name, value, err);
            else if (strlen(key) == 0 || strlen(key) > WICK_MAX_KEY)
                status = wick_fail(err, WICK_ELIMIT, "%s: a tensor name of %zu bytes (1 to %d)", name, strlen(key), WICK_MAX_KEY);
            else
                status = read_tensor(c, i_file, name, key, value, data, err);
            if (status != WICK_OK) break;
        }
    json_decref(header);
    if (status == WICK_OK) {
        status = wick_container_check_layout(c, i_file, data.data, data.data + data.size, true, err);
        if (status != WICK_OK) wick_error_context(err, status, "%s", name);
    }
    return status;
}

/* ---------------------------------------------------------------- shards */

/* The number of a shard in `files`, which grows; -1: no memory. The table's keys are the strings of the JSON. */
static int64_t shard_index(wick_table *shards, const char **files, size_t *n_file, const char *file) {
    uint64_t i;
    if (wick_table_get(shards, file, strlen(file), &i)) return (int64_t)i;
    if (!wick_table_set(shards, file, strlen(file), *n_file)) return -1;
    files[*n_file] = file;
    return (int64_t)(*n_file)++;
}

static wick_status map_shards(wick_container *c, const char *folder, const char *const *files, size_t n_file, wick_error *err) {
    c->files = WICK_NEW_ARRAY(wick_mapping, n_file);
    if (!c->files) return wick_fail_nomem(err);
    for (size_t i = 0; i < n_file; i++) {
        char *path = wick_path_join(folder, files[i]);
        if (!path) return wick_fail_nomem(err);
        wick_status status = wick_os_map(path, false, &c->files[i], err);
        if (status == WICK_OK) {
            c->n_file = (int)i + 1;
            status = wick_safetensors_read(c, (int)i, path, err);
        }
        wick_free(path);
        WICK_TRY(status);
    }
    return WICK_OK;
}

/* Every name of the index must be in the file that the index says. */
static wick_status check_index(const wick_container *c, json_t *map, wick_table *shards, const char *index_path, wick_error *err) {
    wick_table names = {0};
    wick_status status = WICK_OK;
    for (size_t i = 0; i < c->n_tensor && status == WICK_OK; i++)
        if (!wick_table_set(&names, c->tensors[i].name, strlen(c->tensors[i].name), i)) status = wick_fail_nomem(err);
    const char *key;
    json_t *value;
    if (status == WICK_OK) json_object_foreach(map, key, value) {
            uint64_t i, file = 0;
            wick_table_get(shards, json_string_value(value), json_string_length(value), &file);
            if (wick_table_get(&names, key, strlen(key), &i) && (uint64_t)c->tensors[i].file == file) continue;
            status = wick_fail(err, WICK_EMISMATCH, "%s: the tensor '%s' is not in '%s'", index_path, key, json_string_value(value));
            break;
        }
    wick_table_release(&names);
    return status;
}

static wick_status collect_shards(json_t *map, const char *index_path, wick_table *shards, const char **files, size_t *n_file,
                                  wick_error *err) {
    const char *key;
    json_t *value;
    json_object_foreach(map, key, value) {
        const char *file = json_string_value(value);
        if (!file || !*file || *file == '.' || strpbrk(file, "/\\"))
            return wick_fail(err, WICK_EFORMAT, "%s: '%.100s' is to be in '%.100s', which is no file of this folder", index_path, key,
                             file ? file : "(no text)");
        if (*n_file == MAX_SHARDS && !wick_table_get(shards, file, strlen(file), NULL))
            return wick_fail(err, WICK_ELIMIT, "%s: more than %d files", index_path, MAX_SHARDS);
        if (shard_index(shards, files, n_file, file) < 0) return wick_fail_nomem(err);
    }
    if (*n_file == 0) return wick_fail(err, WICK_EFORMAT, "%s: the weight_map is empty", index_path);
    return WICK_OK;
}

wick_status wick_safetensors_read_index(wick_container *c, const char *folder, const char *index_path, wick_error *err) {
    wick_status status = WICK_OK;
    wick_mapping index = {0};
    wick_table shards = {0};
    json_t *root = NULL;
    size_t n_file = 0;
    const char **files = WICK_NEW_ARRAY(const char *, MAX_SHARDS);
    if (!files) return wick_fail_nomem(err);
    WICK_CHECK_GOTO(wick_os_map(index_path, false, &index, err));
    if (index.size > MAX_HEADER) {
        status = wick_fail(err, WICK_ELIMIT, "%s: %zu bytes (at most %d)", index_path, index.size, MAX_HEADER);
        goto out;
    }
    WICK_CHECK_GOTO(load_json(index.data, index.size, index_path, &root, err));
    json_t *map = json_object_get(root, "weight_map");
    if (!json_is_object(map)) {
        status = wick_fail(err, WICK_EFORMAT, "%s: no object 'weight_map'", index_path);
        goto out;
    }
    WICK_CHECK_GOTO(collect_shards(map, index_path, &shards, files, &n_file, err));
    WICK_CHECK_GOTO(map_shards(c, folder, files, n_file, err));
    status = check_index(c, map, &shards, index_path, err);
out:
    json_decref(root);
    wick_table_release(&shards);
    wick_os_unmap(&index);
    wick_free(files);
    return status;
}
