/* base: errors, memory accounting, UTF-8, halves, tables, files, the pool. */
#include "base/cpu.h"
#include "base/file.h"
#include "base/half.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/pool.h"
#include "base/strbuf.h"
#include "base/table.h"
#include "base/utf8.h"
#include "support/support.h"

#include <math.h>
#include <stdatomic.h>
#include <unistd.h>

static void test_error(void **state) {
    (void)state;
    wick_error err;
    assert_int_equal(wick_fail(&err, WICK_EFORMAT, "byte %d is\nodd", 7), WICK_EFORMAT);
    assert_string_equal(err.message, "byte 7 is?odd");
    wick_error_context(&err, WICK_EFORMAT, "%s", "file.pte");
    assert_string_equal(err.message, "file.pte: byte 7 is?odd");
    assert_int_equal(wick_fail(NULL, WICK_EIO, "nobody listens"), WICK_EIO);
    assert_string_equal(wick_status_name(WICK_ECANCELED), "ECANCELED");
}

static void test_memory(void **state) {
    (void)state;
    wick_mem_stats before = wick_mem_stats_get();
    char *p = wick_strndup("hello", 3);
    assert_string_equal(p, "hel");
    assert_int_equal(wick_mem_stats_get().n_live, before.n_live + 1);
    p = wick_realloc(p, 1000, 1);
    assert_int_equal(wick_mem_stats_get().bytes_live, before.bytes_live + 1000);
    wick_free(p);
    void *a = wick_alloc_aligned(100000, 4096);
    assert_int_equal((uintptr_t)a % 4096, 0);
    wick_free_aligned(a);
    assert_int_equal(wick_mem_stats_get().bytes_live, before.bytes_live);
    assert_null(wick_calloc(SIZE_MAX / 2, 3));
    wick_mem_fail_at(2);
    p = wick_alloc(1);
    assert_non_null(p);
    assert_null(wick_alloc(1));
    wick_mem_fail_at(0);
    wick_free(p);
    wick_mem_budget(before.bytes_live + 10);
    assert_null(wick_alloc(11));
    wick_mem_budget(0);
}

static void test_utf8(void **state) {
    (void)state;
    uint32_t boundaries[] = {0, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff};
    for (size_t i = 0; i < sizeof boundaries / sizeof *boundaries; i++) {
        char s[4];
        size_t n = wick_utf8_encode(boundaries[i], s), used;
        uint32_t cp;
        assert_true(wick_utf8_decode(s, n, &cp, &used));
        assert_int_equal(cp, boundaries[i]);
        assert_int_equal(used, n);
        if (n > 1) assert_int_equal(wick_utf8_complete(s, n - 1), 0);
        assert_int_equal(wick_utf8_complete(s, n), n);
    }
    const char *bad[] = {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80", "\xe2\x82", "\xff"};
    size_t subpart[] = {1, 1, 1, 1, 2, 1};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t used;
        assert_false(wick_utf8_decode(bad[i], strlen(bad[i]), NULL, &used));
        assert_int_equal(used, subpart[i]);
    }
}

static void test_half(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 0x10000; h++) {
        float f = wick_f16_to_f32((uint16_t)h), b = wick_bf16_to_f32((uint16_t)h);
        if (!isnan(f)) assert_int_equal(wick_f32_to_f16(f), h);
        if (!isnan(b)) assert_int_equal(wick_f32_to_bf16(b), h);
    }
    assert_int_equal(wick_f32_to_f16(65520.0f), 0x7c00);
    assert_int_equal(wick_f32_to_f16(65519.0f), 0x7bff);
    assert_int_equal(wick_f32_to_f16(1.0f + 0x1p-11f), 0x3c00); /* tie to even */
    assert_true(isnan(wick_f16_to_f32(wick_f32_to_f16(NAN))));
}

static void test_table(void **state) {
    (void)state;
    wick_table t = {0};
    static char keys[1000][8];
    for (int i = 0; i < 1000; i++) {
        snprintf(keys[i], sizeof keys[i], "k%d", i);
        assert_true(wick_table_set(&t, keys[i], strlen(keys[i]), (uint64_t)i));
    }
    uint64_t v;
    assert_true(wick_table_get(&t, "k517", 4, &v));
    assert_int_equal(v, 517);
    assert_false(wick_table_get(&t, "k1000", 5, &v));
    wick_table_release(&t);
}

static void test_json(void **state) {
    (void)state;
    wick_strbuf b = {0};
    wick_json j = {&b, false};
    wick_json_open(&j, '{');
    wick_json_key(&j, "a\"");
    wick_json_open(&j, '[');
    wick_json_int(&j, -1);
    wick_json_double(&j, 0.5);
    wick_json_double(&j, NAN);
    wick_json_close(&j, ']');
    wick_json_key(&j, "s");
    wick_json_string(&j, "\n\x01\xff\xc3\xa4", 5);
    wick_json_close(&j, '}');
    assert_string_equal(b.data, "{\"a\\\"\":[-1,0.5,null],\"s\":\"\\n\\u0001\xef\xbf\xbd\xc3\xa4\"}");
    wick_strbuf_release(&b);
}

static void test_outfile(void **state) {
    (void)state;
    const char *path = test_tmp("out.bin");
    assert_ok(wick_file_write(path, "old", 3, err));
    wick_outfile f;
    assert_ok(wick_outfile_open(&f, path, 6, err));
    assert_ok(wick_outfile_write(&f, 3, "def", 3, err));
    wick_mapping m;
    assert_ok(wick_os_map(path, false, &m, err));
    assert_memory_equal(m.data, "old", 3);
    wick_os_unmap(&m);
    assert_ok(wick_outfile_write(&f, 0, "abc", 3, err));
    assert_ok(wick_outfile_commit(&f, err));
    assert_ok(wick_os_map(path, true, &m, err));
    assert_int_equal(m.size, 6);
    assert_memory_equal(m.data, "abcdef", 6);
    wick_os_unmap(&m);
    assert_ok(wick_outfile_open(&f, path, 0, err));
    wick_outfile_abort(&f);
    assert_int_equal(wick_os_path_kind(path), WICK_PATH_FILE);
    wick_error err;
    assert_int_equal(wick_outfile_open(&f, path, UINT64_MAX / 2, &err), WICK_EIO);
    assert_int_equal(wick_os_map(test_tmp("absent"), false, &m, &err), WICK_ENOTFOUND);
}

typedef struct sum_job {
    wick_pool *pool;
    _Atomic uint64_t first, second;
    bool wrong;
} sum_job;

static void sum_part(void *arg, int i, int n) {
    sum_job *job = arg;
    size_t from, to;
    wick_split(1000, 16, i, n, &from, &to);
    for (size_t k = from; k < to; k++) job->first += k;
    wick_pool_barrier(job->pool);
    if (job->first != 499500) job->wrong = true;
    wick_pool_barrier(job->pool);
    job->second += 1;
}

static void test_pool(void **state) {
    (void)state;
    for (int n = 1; n <= 5; n++) {
        sum_job job = {0};
        assert_ok(wick_pool_new(n, &job.pool, err));
        for (int round = 0; round < 50; round++) {
            job.first = 0;
            wick_pool_run(job.pool, sum_part, &job);
            if (round == 25) usleep(20000); /* long enough for the workers to sleep */
        }
        assert_false(job.wrong);
        assert_int_equal(job.second, 50 * n);
        wick_pool_free(job.pool);
    }
    wick_pool *pool;
    wick_error err;
    assert_int_equal(wick_pool_new(-1, &pool, &err), WICK_EINVAL);
}

static void test_cpu(void **state) {
    (void)state;
    uint32_t flags;
    assert_true(wick_cpu_level("reference", &flags));
    assert_int_equal(flags, 0);
    assert_false(wick_cpu_level("abacus", &flags));
    assert_true(wick_os_cpu_count() >= 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error),   cmocka_unit_test(test_memory), cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_half),    cmocka_unit_test(test_table),  cmocka_unit_test(test_json),
        cmocka_unit_test(test_outfile), cmocka_unit_test(test_pool),   cmocka_unit_test(test_cpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
