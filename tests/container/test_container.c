/* Containers: the numbers and metadata that other readers see in the same files, and what damaged files lead to. */
#include "support/lib_alloc.h"
#include "support/support.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "container/container.h"

#include <sys/stat.h>

static wick_container *open_data(const char *name) {
    wick_container *c;
    assert_ok(wick_container_open(test_data(name), &c, err));
    return c;
}

/* The tensors' numbers against a file of fp32, bit for bit. */
static void check_numbers(const wick_container *c, const char *const *names, size_t n, const char *expected) {
    size_t size, at = 0;
    uint8_t *want = test_read(test_data(expected), &size);
    for (size_t i = 0; i < n; i++) {
        const wick_tensor *t = wick_container_find(c, names[i]);
        assert_non_null(t);
        uint64_t count = wick_tensor_count(t);
        float *got = malloc(count * 4 + 4);
        assert_ok(wick_tensor_to_f32(t, 0, count, got, err));
        assert_true(at + count * 4 <= size);
        if (memcmp(got, want + at, count * 4)) fail_msg("%s differs", names[i]);
        /* The same from the middle. */
        uint64_t from = count >= 64 ? 64 : count / 2;
        assert_ok(wick_tensor_to_f32(t, from, count - from, got, err));
        assert_memory_equal(got, want + at + from * 4, (count - from) * 4);
        at += count * 4;
        free(got);
    }
    assert_int_equal(at, size);
    free(want);
}

static void test_gguf_types(void **state) {
    (void)state;
    static const char *const names[] = {"t.f32", "t.f16", "t.bf16", "t.q8_0", "t.q4_0", "t.q4_1"};
    wick_container *c = open_data("container/types.gguf");
    assert_int_equal(c->kind, WICK_CONTAINER_GGUF);
    assert_int_equal(c->version, 3);
    check_numbers(c, names, 6, "container/types_gguf.f32");
    const wick_tensor *t = wick_container_find(c, "t.i32");
    assert_int_equal(t->rank, 2);
    assert_int_equal(t->dims[0], 2); /* outermost first */
    assert_int_equal(t->dims[1], 3);
    float x;
    wick_error err = {0};
    assert_int_equal(wick_tensor_to_f32(t, 0, 1, &x, &err), WICK_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "'t.i32' is stored as I32"));
    assert_int_equal(wick_tensor_to_f32(wick_container_find(c, "t.q4_0"), 16, 32, &x, &err), WICK_EINVAL);
    assert_int_equal(wick_tensor_to_f32(wick_container_find(c, "t.f32"), 190, 3, &x, &err), WICK_EINVAL);
    wick_container_close(c);
}

static int64_t meta_int(const wick_container *c, const char *key) {
    int64_t v;
    assert_ok(wick_container_int(c, key, -7, &v, err));
    return v;
}

static double meta_float(const wick_container *c, const char *key) {
    double v;
    assert_ok(wick_container_float(c, key, -7, &v, err));
    return v;
}

static void test_gguf_metadata(void **state) {
    (void)state;
    wick_container *c = open_data("container/types.gguf");
    assert_int_equal(meta_int(c, "k.u8"), 200);
    assert_int_equal(meta_int(c, "k.i8"), -100);
    assert_int_equal(meta_int(c, "k.u16"), 60000);
    assert_int_equal(meta_int(c, "k.i16"), -30000);
    assert_int_equal(meta_int(c, "k.u32"), 4000000000);
    assert_int_equal(meta_int(c, "k.i32"), -2000000000);
    assert_int_equal(meta_int(c, "k.u64"), (int64_t)1 << 62);
    assert_int_equal(meta_int(c, "k.i64"), -((int64_t)1 << 62));
    assert_int_equal(meta_int(c, "k.bool"), 1);
    assert_int_equal(meta_int(c, "k.absent"), -7);
    assert_true(meta_float(c, "k.f32") == 1.5);
    assert_true(meta_float(c, "k.f64") == 0.1);
    assert_true(meta_float(c, "k.u8") == 200);
    assert_true(meta_float(c, "k.absent") == -7);
    wick_error err = {0};
    int64_t i;
    double f;
    assert_int_equal(wick_container_int(c, "k.f32", 0, &i, &err), WICK_EFORMAT);
    assert_int_equal(wick_container_float(c, "k.string", 0, &f, &err), WICK_EFORMAT);
    const wick_meta *m = wick_container_meta(c, "k.string");
    assert_int_equal(m->kind, WICK_META_STRING);
    assert_int_equal(m->s.size, 6);
    assert_memory_equal(m->s.data, "h\xc3\xa9llo", 6);

    static const char *const strings[] = {"a", "", "ccc"};
    static const int64_t ints[] = {1, -2, 3};
    static const double floats[] = {0.5, 0.25};
    wick_meta_item item;
    uint64_t at = 0, n = 0;
    for (m = wick_container_meta(c, "k.strings"); wick_meta_next(m, &at, &item); n++) {
        assert_int_equal(item.s.size, strlen(strings[n]));
        assert_memory_equal(item.s.data, strings[n], item.s.size);
    }
    assert_int_equal(n, 3);
    assert_int_equal(m->n_item, 3);
    for (at = 0, n = 0, m = wick_container_meta(c, "k.ints"); wick_meta_next(m, &at, &item); n++) assert_int_equal(item.i, ints[n]);
    assert_int_equal(n, 3);
    for (at = 0, n = 0, m = wick_container_meta(c, "k.floats"); wick_meta_next(m, &at, &item); n++) assert_true(item.f == floats[n]);
    assert_int_equal(n, 2);
    wick_container_close(c);
}

static void test_safetensors_types(void **state) {
    (void)state;
    static const char *const names[] = {"f32", "f16", "bf16", "f64", "scalar"};
    wick_container *c = open_data("container/types.safetensors");
    assert_int_equal(c->kind, WICK_CONTAINER_SAFETENSORS);
    check_numbers(c, names, 5, "container/types_safetensors.f32");
    assert_int_equal(wick_container_find(c, "bf16")->rank, 3);
    assert_int_equal(wick_container_find(c, "empty")->size, 0);
    assert_int_equal(wick_container_find(c, "scalar")->rank, 0);
    assert_string_equal(wick_tensor_type_label(wick_container_find(c, "f8")), "F8_E4M3");
    const wick_meta *m = wick_container_meta(c, "note");
    assert_int_equal(m->s.size, 3);
    assert_memory_equal(m->s.data, "h\xc3\xa9", 3);
    float x;
    wick_error err = {0};
    assert_int_equal(wick_tensor_to_f32(wick_container_find(c, "f8"), 0, 1, &x, &err), WICK_EUNSUPPORTED);
    wick_container_close(c);
}

static void test_shards(void **state) {
    (void)state;
    wick_container *c = open_data("container/micro_hf");
    assert_int_equal(c->n_file, 2);
    assert_int_equal(c->n_tensor, 21);
    assert_int_equal(wick_container_find(c, "model.layers.0.mlp.up_proj.weight")->file, 0);
    assert_int_equal(wick_container_find(c, "model.layers.1.mlp.up_proj.weight")->file, 1);
    wick_container_close(c);
}

static void write_text(const char *path, const char *text) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fwrite(text, 1, strlen(text), f);
    fclose(f);
}

static void test_bad_index(void **state) {
    (void)state;
    static const struct {
        const char *index, *says;
    } cases[] = {
        {"{\"weight_map\": {\"a\": \"../x.safetensors\"}}", "which is no file of this folder"},
        {"{\"weight_map\": {\"a\": \"/etc/passwd\"}}", "which is no file of this folder"},
        {"{\"weight_map\": {\"a\": 3}}", "which is no file of this folder"},
        {"{\"weight_map\": {\"a\": \"absent.safetensors\"}}", "cannot open"},
        {"{\"weight_map\": {}}", "the weight_map is empty"},
        {"{\"weight_map\": []}", "no object 'weight_map'"},
        {"[]", "the JSON is no object"},
        {"{", "byte 1 of the JSON"},
        {"{\"weight_map\": {\"zzz\": \"s.safetensors\"}}", "the tensor 'zzz' is not in 's.safetensors'"},
    };
    mkdir(test_tmp("index"), 0777);
    size_t size;
    uint8_t *shard = test_read(test_data("container/types.safetensors"), &size);
    FILE *f = fopen(test_tmp("index/s.safetensors"), "wb");
    assert_non_null(f);
    fwrite(shard, 1, size, f);
    fclose(f);
    free(shard);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wick_container *c;
        wick_error err = {0};
        write_text(test_tmp("index/model.safetensors.index.json"), cases[i].index);
        assert_int_not_equal(wick_container_open(test_tmp("index"), &c, &err), WICK_OK);
        assert_null(c);
        if (!strstr(err.message, cases[i].says)) fail_msg("%s: %s", cases[i].index, err.message);
    }
}

/* ---------------------------------------------------------------- files made here */

typedef struct file {
    uint8_t data[1024];
    size_t size;
} file;

static void put(file *f, const void *data, size_t n) {
    memcpy(f->data + f->size, data, n);
    f->size += n;
}
static void put_u32(file *f, uint32_t v) { wick_store_u32(f->data + f->size, v), f->size += 4; }
static void put_u64(file *f, uint64_t v) { wick_store_u64(f->data + f->size, v), f->size += 8; }
static void put_string(file *f, const char *s) { put_u64(f, strlen(s)), put(f, s, strlen(s)); }

static void put_tensor(file *f, const char *name, uint32_t rank, uint64_t dim, uint32_t type, uint64_t offset) {
    put_string(f, name);
    put_u32(f, rank);
    for (uint32_t i = 0; i < rank && i < 4; i++) put_u64(f, dim);
    put_u32(f, type);
    put_u64(f, offset);
}

static file gguf_head(uint32_t version, uint64_t n_tensor, uint64_t n_meta) {
    file f = {.size = 0};
    put(&f, "GGUF", 4);
    put_u32(&f, version);
    put_u64(&f, n_tensor);
    put_u64(&f, n_meta);
    return f;
}

static void refuse(const file *f, const char *says) {
    wick_container *c;
    wick_error err = {0};
    assert_int_not_equal(wick_container_open_memory((wick_bytes){f->data, f->size}, "x", &c, &err), WICK_OK);
    if (!strstr(err.message, says)) fail_msg("'%s' instead of '%s'", err.message, says);
    assert_memory_equal(err.message, "x: ", 3);
}

static void refuse_tensor(uint32_t rank, uint64_t dim, uint32_t type, uint64_t offset, const char *says) {
    file f = gguf_head(3, 1, 0);
    put_tensor(&f, "t", rank, dim, type, offset);
    f.size = (f.size + 31) / 32 * 32 + 64;
    refuse(&f, says);
}

static void test_bad_gguf(void **state) {
    (void)state;
    file f = gguf_head(1, 0, 0);
    refuse(&f, "GGUF version 1");
    f = gguf_head(3u << 24, 0, 0);
    refuse(&f, "big-endian");
    f = gguf_head(3, 1 << 30, 0);
    refuse(&f, "1073741824 tensors");
    f = gguf_head(3, 0, UINT64_MAX);
    refuse(&f, "18446744073709551615 metadata keys");
    refuse_tensor(5, 1, 0, 0, "has 5 dimensions");
    refuse_tensor(1, 0, 0, 0, "dimension 0 of the tensor 't' is 0");
    refuse_tensor(1, UINT64_MAX, 0, 0, "dimension 0");
    refuse_tensor(4, (uint64_t)1 << 40, 0, 0, "do not fit its type");
    refuse_tensor(1, 33, 2, 0, "do not fit its type Q4_0");
    refuse_tensor(1, 4, 77, 0, "unknown type 77");
    refuse_tensor(1, 4, 0x1000, 0, "unknown type");
    refuse_tensor(1, 4, 0, 4, "no multiple of 32");
    refuse_tensor(1, 4, 0, 96, "runs over the end");
    refuse_tensor(1, 17, 0, 0, "runs over the end");

    f = gguf_head(3, 2, 0); /* two tensors in one place */
    put_tensor(&f, "a", 1, 4, 0, 0);
    put_tensor(&f, "b", 1, 4, 0, 0);
    f.size = 256;
    refuse(&f, "share bytes");
    f = gguf_head(3, 2, 0);
    put_tensor(&f, "a", 1, 4, 0, 0);
    put_tensor(&f, "a", 1, 4, 0, 32);
    f.size = 256;
    refuse(&f, "the tensor 'a' is there twice");
    for (uint64_t n = 5; n > 4; n = n == 5 ? UINT64_MAX : 0) { /* strings that end after the file */
        f = gguf_head(3, 0, 1);
        put_string(&f, "k");
        put_u32(&f, 8);
        put_u64(&f, n);
        f.size += 4;
        refuse(&f, "runs over the end");
        f = gguf_head(3, 0, 1);
        put_string(&f, "k");
        put_u32(&f, 9);
        put_u32(&f, 4);
        put_u64(&f, n);
        f.size += 16;
        refuse(&f, "runs over the end");
    }
    f = gguf_head(3, 0, 1);
    put_string(&f, "k");
    put_u32(&f, 9);
    put_u32(&f, 9);
    put_u64(&f, 0);
    refuse(&f, "items of type 9");
    f = gguf_head(3, 0, 1);
    put_string(&f, "k");
    put_u32(&f, 13);
    refuse(&f, "type 13");
    f = gguf_head(3, 0, 1);
    put_string(&f, "general.alignment");
    put_u32(&f, 4);
    put_u32(&f, 24);
    refuse(&f, "no power of two");
}

static void refuse_header(const char *json, size_t n_data, const char *says) {
    file f = {.size = 0};
    put_u64(&f, strlen(json));
    put(&f, json, strlen(json));
    f.size += n_data;
    refuse(&f, says);
}

static void test_bad_safetensors(void **state) {
    (void)state;
    refuse_header("{", 0, "byte 1 of the JSON");
    refuse_header("{\"a\": 3}", 0, "no dtype, shape and two data_offsets");
    refuse_header("{\"a\": {\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8, "shape and data_offsets disagree");
    refuse_header("{\"a\": {\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "unknown dtype 'F31'");
    refuse_header("{\"a\": {\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "no natural number");
    refuse_header("{\"a\": {\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4, "no natural number");
    refuse_header("{\"a\": {\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, "impossible data_offsets");
    refuse_header("{\"a\": {\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 3, "ends at byte 4 of 3");
    refuse_header("{\"a\": {\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 5, "1 unused bytes after the last tensor");
    refuse_header("{\"a\": {\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "4 unused bytes before");
    refuse_header(
        "{\"a\": {\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\": {\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
        4, "share bytes");
    refuse_header(
        "{\"a\": {\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\": {\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
        4, "of the JSON");
    refuse_header("{\"a\": {\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, "9 dimensions");
    refuse_header("{\"a\": {\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}", 0, "disagree");
    refuse_header("{\"__metadata__\": 1}", 0, "__metadata__ is no object");
    refuse_header("{\"__metadata__\": {\"a\": 1}}", 0, "'a' is no text");
    refuse_header("{\"a\\u0000b\": 1}", 0, "of the JSON");
    file f = {.size = 0};
    put_u64(&f, (uint64_t)1 << 39);
    put(&f, "{}", 2);
    refuse(&f, "a header of 549755813888 bytes");
}

static void test_other_files(void **state) {
    (void)state;
    static const struct {
        const char *bytes, *says;
    } cases[] = {{"", "this is empty"},
                 {"abcdET12....", "is a .pte program"},
                 {"PK\3\4........", "zip archive"},
                 {"24ka........", "version 1 or 2"},
                 {"hello", "neither GGUF nor safetensors nor llama2.c"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        file f = {.size = 0};
        put(&f, cases[i].bytes, strlen(cases[i].bytes));
        refuse(&f, cases[i].says);
    }
    wick_container *c;
    wick_error err = {0};
    assert_int_equal(wick_container_open(test_tmp("absent"), &c, &err), WICK_ENOTFOUND);
    mkdir(test_tmp("empty"), 0777);
    assert_int_equal(wick_container_open(test_tmp("empty"), &c, &err), WICK_ENOTFOUND);
    assert_non_null(strstr(err.message, "neither model.safetensors nor"));
}

static void test_llama2c(void **state) {
    (void)state;
    /* dim 4, hidden 3, one layer, two heads, one key/value head, vocabulary 5 with its own classifier, context 2. */
    int32_t head[7] = {4, 3, 1, 2, 1, -5, 2};
    int n = 5 * 4 + 4 + 16 + 8 + 8 + 16 + 4 + 12 + 12 + 12 + 4 + 2 * 2 + 5 * 4;
    file f = {.size = 0};
    put(&f, head, sizeof head);
    for (int i = 0; i < n; i++) {
        float x = (float)i;
        put(&f, &x, 4);
    }
    wick_container *c;
    assert_ok(wick_container_open_memory((wick_bytes){f.data, f.size}, "x", &c, err));
    assert_int_equal(c->kind, WICK_CONTAINER_LLAMA2C);
    float x;
    assert_ok(wick_tensor_to_f32(wick_container_find(c, "wcls"), 0, 1, &x, err));
    assert_true(x == (float)(n - 20));
    assert_ok(wick_tensor_to_f32(wick_container_find(c, "layers.0.w2"), 0, 1, &x, err));
    assert_true(x == 20 + 4 + 16 + 8 + 8 + 16 + 4 + 12);
    assert_int_equal(meta_int(c, "llama2c.vocab_size"), 5);
    wick_container_close(c);
    f.size--;
    refuse(&f, "neither GGUF");
}

/* ---------------------------------------------------------------- damage and want */

static void read_everything(const wick_container *c) {
    for (size_t i = 0; i < c->n_tensor; i++) {
        const wick_tensor *t = &c->tensors[i];
        uint64_t n = wick_tensor_count(t);
        float *x = malloc(n * 4 + 4);
        wick_error err;
        assert_true(t->name[0] && (n == 0 || x != NULL));
        (void)wick_tensor_to_f32(t, 0, n, x, &err);
        free(x);
    }
    for (size_t i = 0; i < c->n_meta; i++) {
        wick_meta_item item;
        for (uint64_t at = 0; wick_meta_next(&c->metas[i], &at, &item);) {
        }
    }
}

static void damage(const char *name) {
    size_t size;
    uint8_t *data = test_read(test_data(name), &size);
    wick_container *c;
    size_t end = 0; /* of the last tensor; GGUF files are padded behind it */
    assert_ok(wick_container_open_memory((wick_bytes){data, size}, "x", &c, err));
    for (size_t i = 0; i < c->n_tensor; i++) {
        size_t e = (size_t)(c->tensors[i].data + c->tensors[i].size - data);
        end = e > end ? e : end;
    }
    wick_container_close(c);
    wick_error err;
    for (size_t n = 0; n < end; n++) {
        uint8_t *part = malloc(n + 1);
        memcpy(part, data, n);
        if (wick_container_open_memory((wick_bytes){part, n}, "x", &c, &err) == WICK_OK)
            fail_msg("%s opens with %zu of %zu bytes", name, n, size);
        free(part);
    }
    for (size_t bit = 0; bit < size * 8; bit++) {
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (wick_container_open_memory((wick_bytes){data, size}, "x", &c, &err) == WICK_OK) {
            read_everything(c);
            wick_container_close(c);
        }
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free(data);
}

static void test_damage(void **state) {
    (void)state;
    damage("container/types.safetensors");
    damage("container/types.gguf");
}

static void want(const char *name) {
    uint64_t live = wick_mem_stats_get().n_live;
    for (uint64_t i = 1;; i++) {
        wick_container *c;
        wick_error err = {0};
        wick_mem_fail_at(i);
        wick_status status = wick_container_open(test_data(name), &c, &err);
        wick_mem_fail_at(0);
        wick_container_close(c);
        assert_int_equal(wick_mem_stats_get().n_live, live);
        if (status == WICK_OK) break;
        assert_int_equal(status, WICK_ENOMEM);
        assert_true(i < 500);
    }
#ifdef TEST_HAS_LIB_ALLOC
    for (uint64_t i = 1;; i++) {
        wick_container *c;
        wick_error err = {0};
        test_lib_fail_at(i);
        wick_status status = wick_container_open(test_data(name), &c, &err);
        test_lib_fail_at(0);
        wick_container_close(c);
        assert_int_equal(wick_mem_stats_get().n_live, live);
        if (status == WICK_OK) break;
        assert_true(err.message[0]); /* jansson takes some of these for a wrong input */
        assert_true(i < 5000);
    }
#endif
}

static void test_no_memory(void **state) {
    (void)state;
    want("container/types.gguf");
    want("container/types.safetensors");
    want("container/micro_hf");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gguf_types),      cmocka_unit_test(test_gguf_metadata), cmocka_unit_test(test_safetensors_types),
        cmocka_unit_test(test_shards),          cmocka_unit_test(test_bad_index),     cmocka_unit_test(test_bad_gguf),
        cmocka_unit_test(test_bad_safetensors), cmocka_unit_test(test_other_files),   cmocka_unit_test(test_llama2c),
        cmocka_unit_test(test_damage),          cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
