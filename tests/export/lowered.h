/* lowered.h: stories260K built and lowered in memory, for tests. */
#ifndef WICK_TESTS_EXPORT_LOWERED_H
#define WICK_TESTS_EXPORT_LOWERED_H

#include "export/build.h"
#include "export/lower.h"
#include "program/program.h"
#include "support/support.h"

#include "base/mem.h"
#include "base/os.h"

#include <sys/stat.h>

#define STORIES "../../examples/models/stories260K/stories260K.bin"

typedef struct lowered {
    wick_checkpoint *checkpoint;
    wick_quantizer *quantizer;
    wick_graph *graph;
    wick_pte program;
} lowered;

static inline wick_recipe recipe_fp32(int64_t s, int64_t c) { return (wick_recipe){wick_scheme_fp32(), wick_scheme_fp32(), s, c}; }
static inline wick_recipe recipe_8da4w(int64_t s, int64_t c) {
    return (wick_recipe){wick_scheme_8da4w(32), wick_scheme_embedding8(0), s, c};
}

static inline void lowered_release(lowered *l) {
    wick_pte_release(&l->program);
    wick_graph_free(l->graph);
    wick_quantizer_free(l->quantizer);
    wick_checkpoint_close(l->checkpoint);
    *l = (lowered){0};
}

/* On failure everything is released. */
static inline wick_status lowered_make(lowered *l, const char *checkpoint, const wick_recipe *recipe, const wick_lower_options *options,
                                       wick_error *err) {
    *l = (lowered){0};
    wick_status status = wick_checkpoint_open(checkpoint, NULL, &l->checkpoint, err);
    if (status == WICK_OK) status = wick_quantizer_new(WICK_DTYPE_KEEP, NULL, &l->quantizer, err);
    if (status == WICK_OK) status = wick_build(l->checkpoint, l->quantizer, recipe, &l->graph, err);
    if (status == WICK_OK) status = wick_lower(l->graph, options, &l->program, err);
    if (status != WICK_OK) lowered_release(l);
    return status;
}

/* ---- a folder of its own, to see what an export leaves behind ---- */
static inline const char *folder_new(const char *name) {
    static char folder[1024];
    snprintf(folder, sizeof folder, "%s", test_tmp(name));
    assert_int_equal(mkdir(folder, 0700), 0);
    return folder;
}

static inline bool count_file(void *user, const char *name) {
    (void)name;
    ++*(int *)user;
    return true;
}

static inline int files_in(const char *folder) {
    int n = 0;
    assert_ok(wick_os_list(folder, count_file, &n, err));
    return n;
}

#endif
