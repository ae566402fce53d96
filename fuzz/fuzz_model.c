/* The whole way of a program: opened, raised, packed, a few tokens evaluated, in the plan that Wick chooses and in the vm; and
 * explained, as `wick inspect` does. */
#include "fuzz.h"

#include "base/error.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BUDGET = 64 << 20 };

static void need_sentence(wick_status status, const wick_error *err) {
    if (status != WICK_OK && !err->message[0]) abort();
}

static float sum;
static void look(const float *logits, int64_t n) {
    for (int64_t i = 0; i < n; i++) sum += logits[i];
}

/* Steps of several tokens and of one, going back, starting over. */
static void run(wick_model *model) {
    static const int32_t tokens[] = {1, 2, 3, 0, 5, 6};
    wick_session_options o = wick_session_options_default();
    wick_session *s;
    wick_error err = {0};
    o.threads = 1;
    wick_status status = wick_session_new(model, &o, &s, &err);
    need_sentence(status, &err);
    if (status != WICK_OK) return;
    const size_t ends[] = {4, 5, 3, 6};
    for (size_t i = 0; status == WICK_OK && i < sizeof ends / sizeof *ends; i++) status = wick_session_sync(s, tokens, ends[i], &err);
    need_sentence(status, &err);
    if (status == WICK_OK) look(wick_session_logits(s), wick_model_info_get(model)->n_vocab);
    wick_session_free(s);
}

static bool swallow(void *user, const char *text, size_t size) {
    (void)text;
    *(size_t *)user += size;
    return true;
}

/* The input as a file. It is read, not mapped: a block of exactly its size, where AddressSanitizer sees any read past the end. */
static const char *file_of(const uint8_t *data, size_t size) {
    static char path[64];
    static int fd = -1;
    if (fd < 0) {
        fd = memfd_create("fuzz", 0);
        if (fd < 0) abort();
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size) abort();
    return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const wick_plan plans[] = {WICK_PLAN_AUTO, WICK_PLAN_VM};
    const char *path = file_of(data, size);
    wick_describe_options d = wick_describe_options_default();
    wick_error err = {0};
    size_t n_text = 0;
    wick_mem_budget(BUDGET);
    d.show_plan = d.show_instructions = true;
    wick_status status = wick_program_describe(path, &d, swallow, &n_text, &err);
    need_sentence(status, &err);
    for (size_t i = 0; status == WICK_OK && i < sizeof plans / sizeof *plans; i++) {
        wick_model_options o = wick_model_options_default();
        wick_model *model;
        o.no_mmap = true;
        o.threads = 1;
        o.cpu = "reference"; /* whose bounds are every level's */
        o.plan = plans[i];
        wick_error why = {0};
        wick_status opened = wick_model_open(path, &o, &model, &why);
        need_sentence(opened, &why);
        if (opened == WICK_OK) run(model);
        if (opened == WICK_OK) wick_model_close(model);
    }
    wick_mem_budget(0);
    return 0;
}
