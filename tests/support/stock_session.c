#include "support/stock_session.h"

#include "support/stock_agree.h"

wick_model *stock_model(const char *name, const char *cpu, wick_plan plan) {
    wick_model_options o = wick_model_options_default();
    wick_model *model = NULL;
    o.cpu = cpu;
    o.threads = 1;
    o.plan = plan;
    const char *path = stock_file(name);
    if (!path) fail_msg("%s is missing", name);
    assert_ok(wick_model_open(path, &o, &model, err));
    return model;
}

wick_session *open_session(wick_model *model, int threads, int64_t chunk, int64_t context) {
    wick_session_options o = wick_session_options_default();
    wick_session *s = NULL;
    o.threads = threads;
    o.prefill_chunk = chunk;
    o.context = context;
    assert_ok(wick_session_new(model, &o, &s, err));
    return s;
}
