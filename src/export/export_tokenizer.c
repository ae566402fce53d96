/* The tokenizer travels compiled: whatever kind of file it was, a program carries the blob of text/tok_format.h. */
#include "export/export.h"

#include "base/mem.h"
#include "text/tokenizer.h"

#include <string.h>

/* A tokenizer that was only found lying beside the model is a convenience: if it cannot be read, the program is made without it, and
 * the report says so. One that was asked for must work. */
wick_status wick_export_tokenizer(wick_export_job *e, wick_error *err) {
    const char *asked = e->options->tokenizer, *path = asked ? asked : e->checkpoint->tokenizer;
    wick_error why = {0};
    if (!path || !*path) return WICK_OK;
    wick_status status = wick_tokenizer_open(path, &e->tokenizer, &why);
    if (status == WICK_OK) return WICK_OK;
    if (asked || status == WICK_ENOMEM) return wick_fail(err, status, "%s", why.message);
    e->tokenizer_problem = wick_strdup(why.message);
    return e->tokenizer_problem ? WICK_OK : wick_fail_nomem(err);
}

wick_bytes wick_export_tokenizer_blob(const wick_export_job *e) {
    return e->tokenizer ? (wick_bytes){e->tokenizer->blob, e->tokenizer->blob_size} : (wick_bytes){0};
}
