/* The hinge: what is raised from a lowered graph prints as that graph, for every configuration. */
#include "export/lowered.h"

#include "raise/raise.h"

static char *printed(const wick_graph *g) {
    wick_strbuf b = {0};
    wick_graph_print(g, &b);
    assert_false(b.failed);
    return wick_strbuf_take(&b, NULL);
}

/* The first line in which two texts differ. */
static void assert_same_text(const char *a, const char *b, const char *name) {
    int line = 1;
    while (*a && *b) {
        size_t n = strcspn(a, "\n"), m = strcspn(b, "\n");
        if (n != m || memcmp(a, b, n) != 0) fail_msg("%s, line %d:\n  built  %.*s\n  raised %.*s", name, line, (int)n, a, (int)m, b);
        a += n + (a[n] != 0), b += m + (b[m] != 0), line++;
    }
    assert_string_equal(a, b);
}

static void turn(const char *checkpoint, bool quantized, const char *embedding, wick_export_backend backend, int64_t s, int64_t c) {
    char name[300];
    snprintf(name, sizeof name, "%.120s %s %s embedding %s S=%lld C=%lld", checkpoint, quantized ? "8da4w" : "fp32",
             backend == WICK_BACKEND_PORTABLE ? "portable" : "XNNPACK", embedding, (long long)s, (long long)c);
    wick_export_options o = wick_export_options_default();
    o.checkpoint = checkpoint;
    o.output = test_tmp("hinge.pte");
    o.qmode = quantized ? "8da4w" : "fp32";
    o.embedding_quantize = embedding;
    o.backend = backend;
    o.max_seq_len = s;
    o.max_context = c;
    assert_ok(wick_export(&o, NULL, NULL, err));

    wick_recipe recipe = quantized ? recipe_8da4w(s, c) : recipe_fp32(s, c);
    recipe.embedding = strcmp(embedding, "fp32") == 0 ? wick_scheme_fp32() : wick_scheme_embedding8(0);
    wick_lower_options options = {.backend = backend};
    lowered l;
    assert_ok(lowered_make(&l, checkpoint, &recipe, &options, err));

    wick_program *p;
    wick_raised r;
    assert_ok(wick_program_open(o.output, NULL, &p, err));
    assert_ok(wick_raise(p, wick_program_method_find(p, "forward"), &r, err));
    for (size_t i = 0; i < r.n_left; i++)
        fail_msg("%s: instruction %d, node %d (%s) was left: %s", name, r.left[i].origin.instruction, r.left[i].origin.xnn_node,
                 r.left[i].op, r.left[i].reason);
    char *a = printed(l.graph), *b = printed(r.graph);
    assert_same_text(a, b, name);
    assert_int_equal(r.graph->max_seq_len, s);
    assert_int_equal(r.graph->max_context, c);
    wick_free(a);
    wick_free(b);
    wick_raised_release(&r);
    wick_program_close(p);
    lowered_release(&l);
}

static void raised_prints_as_built(void **state) {
    (void)state;
    static const char *const checkpoints[] = {STORIES, "logits/tiny_llama", "logits/tiny_llama_bf16", "logits/tiny_llama3",
                                              "logits/tiny_smollm2"};
    static const char *const embeddings[] = {"fp32", "8,0"};
    for (size_t i = 0; i < sizeof checkpoints / sizeof *checkpoints; i++)
        for (int e = 0; e < 2; e++) {
            const char *checkpoint = test_data(checkpoints[i]);
            turn(checkpoint, false, embeddings[e], WICK_BACKEND_PORTABLE, 128, 128);
            turn(checkpoint, false, embeddings[e], WICK_BACKEND_XNNPACK, 128, 128);
            turn(checkpoint, true, embeddings[e], WICK_BACKEND_XNNPACK, 128, 128);
        }
    const char *stories = test_data(STORIES);
    turn(stories, true, "8,0", WICK_BACKEND_XNNPACK, 1, 77);
    turn(stories, false, "fp32", WICK_BACKEND_PORTABLE, 1, 77);
    turn(stories, true, "8,0", WICK_BACKEND_XNNPACK, 3, 1000);
    const char *smollm2 = getenv("WICK_SMOLLM2"); /* the GGUF that tools/get_smollm2 fetches */
    if (smollm2) turn(smollm2, true, "8,0", WICK_BACKEND_XNNPACK, 2048, 2048);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(raised_prints_as_built)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
