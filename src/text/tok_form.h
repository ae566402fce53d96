/* tok_form.h: Unicode normalization forms, as Hugging Face's library applies them. */
#ifndef WICK_TEXT_TOK_FORM_H
#define WICK_TEXT_TOK_FORM_H

#include "text/tok_edit.h"

/* NFC, NFD, NFKC or NFKD (kind: WICK_NORM_*) of what the edit has still to read. */
wick_status wick_form(wick_edit *e, uint32_t kind, wick_error *err);
/* True if the form of a text is surely the text itself. */
bool wick_form_already(uint32_t kind, const char *s, size_t n);

#endif
