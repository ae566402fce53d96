#include "export/export.h"

wick_status wick_export_tokenizer(wick_export_job *e, wick_error *err) {
    (void)e, (void)err;
    return WICK_OK;
}

void wick_export_tokenizer_release(wick_export_job *e) { (void)e; }
