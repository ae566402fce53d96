#include "base/mem.h"
#include "run/summary.h"

wick_describe_options wick_describe_options_default(void) { return (wick_describe_options){0}; }

wick_status wick_program_describe(const char *path, const wick_describe_options *options, wick_write_fn *write, void *user,
                                  wick_error *err) {
    wick_program *program = NULL;
    wick_summary summary = {0};
    wick_strbuf text = {0};
    wick_status status = WICK_OK;
    wick_program_options open = {.data_paths = options->data_paths, .n_data_path = options->n_data_paths};
    wick_summary_options o = {.measure = !options->no_speed, .threads = options->threads};
    if (wick_program_open(path, &open, &program, &o.refused) != WICK_OK) { /* there may be much to say of it nevertheless */
        open.allow_unknown = true;
        WICK_CHECK_GOTO(wick_program_open(path, &open, &program, err));
    }
    WICK_CHECK_GOTO(wick_summary_make(program, &o, &summary, err));
    (options->json ? wick_summary_json : wick_summary_text)(&summary, options, &text);
    if (text.failed)
        status = wick_fail_nomem(err);
    else if (!write(user, text.data, text.size))
        status = wick_fail(err, WICK_ECANCELED, "%s: the listing was not taken", path);
out:
    wick_strbuf_release(&text);
    wick_summary_release(&summary);
    wick_program_close(program);
    return status;
}
