/* An export in which any allocation fails, those inside of libraries (JSON, YAML, regular expressions) too: the allocator of the
 * process is interposed. Every run must end in an error, leave no block behind and no file. */
#include "export/lowered.h"

#include <stdatomic.h>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t align, size_t n);
extern void __libc_free(void *p);

static _Atomic int64_t countdown; /* > 0: allocations that still succeed, plus one; 0: all succeed; -1: all fail */
static _Atomic int64_t n_live;

static bool refuse(void) {
    int64_t n = atomic_load(&countdown);
    if (n == 0) return false;
    if (n > 0) n = atomic_fetch_sub(&countdown, 1) - 1;
    if (n == 0) atomic_store(&countdown, -1);
    return n <= 0;
}

static void *counted(void *p) {
    if (p) atomic_fetch_add(&n_live, 1);
    return p;
}

void *malloc(size_t n) { return refuse() ? NULL : counted(__libc_malloc(n)); }
void *calloc(size_t n, size_t size) { return refuse() ? NULL : counted(__libc_calloc(n, size)); }
void *aligned_alloc(size_t align, size_t n) { return refuse() ? NULL : counted(__libc_memalign(align, n)); }
int posix_memalign(void **out, size_t align, size_t n) { return (*out = aligned_alloc(align, n)) ? 0 : 12; }
void *realloc(void *p, size_t n) {
    if (refuse()) return NULL;
    void *moved = __libc_realloc(p, n);
    return p ? moved : counted(moved);
}
void free(void *p) {
    if (p) atomic_fetch_sub(&n_live, 1);
    __libc_free(p);
}

static wick_status attempt(const char *checkpoint, const char *output, wick_error *err) {
    wick_export_options o = wick_export_options_default();
    o.checkpoint = checkpoint;
    o.output = output;
    o.max_seq_len = 16;
    o.metadata = "{\"get_eos_ids\": [1, 2], \"name\": \"x\"}";
    o.threads = 1;
    return wick_export(&o, NULL, NULL, err);
}

static void sweep(const char *checkpoint, const char *folder_name) {
    const char *folder = folder_new(folder_name);
    char output[1100];
    snprintf(output, sizeof output, "%s/a.pte", folder);
    wick_error why = {0};
    assert_int_equal(attempt(checkpoint, output, &why), WICK_OK); /* libraries set themselves up once */
    remove(output);
    wick_status status = WICK_ENOMEM;
    for (int64_t n = 1; status != WICK_OK; n += 1 + n / 512) {
        int64_t live = atomic_load(&n_live);
        atomic_store(&countdown, n);
        status = attempt(checkpoint, output, &why);
        atomic_store(&countdown, 0);
        assert_int_equal(atomic_load(&n_live), live);
        assert_int_equal(files_in(folder), status == WICK_OK);
        assert_true(status == WICK_OK || why.message[0]);
    }
}

static void any_allocation_may_fail(void **state) {
    (void)state;
    sweep(test_data(STORIES), "stories");
    sweep(test_data("logits/tiny_llama3"), "llama3");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void) {
    puts("skipped: the allocator cannot be interposed here");
    return 0;
}

#endif
