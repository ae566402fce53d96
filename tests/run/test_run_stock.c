/* Sessions on programs of the stock exporter, in every plan and with 1 and 2 threads, agree with what the stock runtime answered (rules:
 * stock_agree.h); the number of threads changes no bit. Nothing may be left of these programs when they are raised. Programs that are not
 * in tests/data are looked for in WICK_STOCK_DIR and skipped visibly. Arguments are files (without .pte) to be compared instead; behind a
 * leading "vm:" those of which something may be left. */
#include "base/table.h"
#include "support/stock_agree.h"

#include "wick.h"

typedef struct executor {
    wick_session *session;
    int64_t n_vocab;
    uint64_t hash; /* of all logits */
} executor;

static wick_status reset(void *user, wick_error *err) { return wick_session_rewind(((executor *)user)->session, 0, err); }

static wick_status step(void *user, const int32_t *tokens, size_t from, size_t to, float *logits, wick_error *err) {
    executor *e = user;
    (void)from;
    WICK_TRY(wick_session_sync(e->session, tokens, to, err));
    memcpy(logits, wick_session_logits(e->session), (size_t)e->n_vocab * sizeof *logits);
    e->hash = wick_hash(logits, (size_t)e->n_vocab * sizeof *logits, e->hash);
    return WICK_OK;
}

static const char *const way_names[] = {"whole", "single", "chunks"};
static const char *const plan_names[] = {"auto", "raised", "mixed", "vm"};

static int n_fault;
static char **given; /* arguments, NULL at the end; none: the list below */

static uint64_t compare(wick_model *model, const char *name, const char *json, int threads, stock_way way) {
    wick_session_options so = wick_session_options_default();
    so.threads = threads;
    so.kv_dtype = WICK_KV_F32;
    executor e = {.n_vocab = wick_model_info_get(model)->n_vocab};
    assert_ok(wick_session_new(model, &so, &e.session, err));
    stock_executor x = {&e, reset, step};
    stock_report r = stock_compare(json, way, &x);
    print_message("%-22s %-6s %-6s %d threads: %d steps, %d flips (margin %.3g), first logits %.2g (KL %.2g), chosen logits %.2g%s%s\n",
                  name, plan_names[wick_model_info_get(model)->plan], way_names[way], threads, r.n_step, r.n_flip, r.worst_flip,
                  r.first_diff, r.first_kl, r.top_diff, r.fault ? ": " : "", r.fault ? r.fault : "");
    wick_session_free(e.session);
    n_fault += r.fault != NULL;
    return e.hash;
}

/* A program and its reference in one plan. data: an external file or NULL; method: NULL is the first. */
static void agree(const char *name, const char *path, const char *json, const char *data, const char *method, wick_plan plan) {
    wick_model_options o = wick_model_options_default();
    wick_model *model = NULL;
    wick_error error = {0};
    o.plan = plan;
    o.method = method;
    o.data_paths = &data;
    o.n_data_paths = data ? 1 : 0;
    if (wick_model_open(path, &o, &model, &error)) {
        print_message("%-22s FAILED in plan %s: %s\n", name, plan_names[plan], error.message);
        n_fault++;
        return;
    }
    for (stock_way way = STOCK_WHOLE; way <= STOCK_CHUNKS; way++) {
        if (plan == WICK_PLAN_VM && way != STOCK_CHUNKS) continue; /* slow, and the same code for every step */
        uint64_t one = compare(model, name, json, 1, way);
        if (one != compare(model, name, json, 2, way)) fail_msg("%s: with two threads other bits", name);
    }
    wick_model_close(model);
}

typedef struct program {
    const char *name, *data, *method;
} program;

static void agree_kept(const program *p, wick_plan plan) {
    char file[128], json[128];
    snprintf(file, sizeof file, "%s.pte", p->name);
    snprintf(json, sizeof json, p->method ? "%s.%s.json" : "%s.json", p->name, p->method);
    const char *path = stock_file(file), *reference = stock_file(json), *data = p->data ? stock_file(p->data) : NULL;
    if (path && reference && (data || !p->data))
        agree(p->name, path, reference, data, p->method, plan);
    else
        print_message("skipped: %s is not here (WICK_STOCK_DIR)\n", file);
}

static void agree_given(const char *file, wick_plan plan) {
    char path[1024], json[1024];
    bool partly = !strncmp(file, "vm:", 3);
    if (partly && plan == WICK_PLAN_RAISED) return;
    if (partly) file += 3;
    const char *slash = strrchr(file, '/');
    snprintf(path, sizeof path, "%s.pte", file);
    snprintf(json, sizeof json, "%s.json", file);
    agree(slash ? slash + 1 : file, path, json, NULL, NULL, plan);
}

static const program programs[] = {
    {"st_fp32_sdpa", NULL, NULL},
    {"st_8da4w_xnn", NULL, NULL},
    {"st_8da4w_rec", NULL, NULL},
    {"st_8da4w_emb4", NULL, NULL},
    {"st_seq_lt_ctx", NULL, NULL},
    {"ty_smollm2", NULL, NULL},
    {"ty_smollm2_fp32", NULL, NULL},
    {"sm_rec", NULL, NULL},
    {"st_8da4w_qkv", NULL, NULL},
    {"st_8da4w_sink", NULL, NULL},
    {"st_8da4w_lgattn", NULL, NULL},
    {"st_fp32", NULL, NULL},
    {"st_fp32_nokv", NULL, NULL},
    {"st_fp32_static", NULL, NULL},
    {"st_bf16", NULL, NULL},
    {"st_int8", NULL, NULL},
    {"st_multi", NULL, NULL},
    {"st_multi", NULL, "lora_forward"},
    {"st_ptd", "st_ptd_weights.ptd", NULL},
    {"st_lora", NULL, NULL},
    {"st_prune", NULL, NULL},
    {"ty_qwen2", NULL, NULL},
    {"ty_qwen2_fp32", NULL, NULL},
    {"ty_qwen3", NULL, NULL},
    {"ty_qwen3_fp32", NULL, NULL},
    {"ty_phi4", NULL, NULL},
    {"ty_phi4_fp32", NULL, NULL},
    {"ty_lfm2", NULL, NULL},
    {"ty_lfm2_fp32", NULL, NULL},
    {"ty_fp16_emb2", NULL, NULL},
    {"ty_ring_int8", NULL, NULL},
    {"ty_sink", NULL, NULL}, /* recorded far behind its context */
    /* older exporters, by tests/interop/old_exports.py */
    {"oe010_llama_plain", NULL, NULL},
    {"oe010_llama_both", NULL, NULL},
    {"oe010_llama_q", NULL, NULL},
    {"oe010_qwen3_q", NULL, NULL},
    {"oe010_phi3_q", NULL, NULL},
    {"oe010_olmo_q", NULL, NULL},
    {"oe010_granite_q", NULL, NULL},
    {"oe110_llama_q", NULL, NULL},
    {"oe110_llama_bstatic", NULL, NULL},
    {"oe010_gemma3_both", NULL, NULL},
    {"et060_rec", NULL, NULL},
    {"et060_kv", NULL, NULL},
};

static void all(wick_plan plan) {
    n_fault = 0;
    for (char **file = given; *file; file++) agree_given(*file, plan);
    for (size_t i = 0; !*given && i < sizeof programs / sizeof *programs; i++) agree_kept(&programs[i], plan);
    assert_int_equal(n_fault, 0);
}

static void raised(void **state) {
    (void)state;
    all(WICK_PLAN_RAISED);
}

static void mixed(void **state) {
    (void)state;
    all(WICK_PLAN_MIXED);
}

static void vm(void **state) {
    (void)state;
    all(WICK_PLAN_VM);
}

int main(int argc, char **argv) {
    given = argv + (argc > 0);
    const struct CMUnitTest tests[] = {cmocka_unit_test(raised), cmocka_unit_test(mixed), cmocka_unit_test(vm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
