/* gguf_pre.h: pre-tokenizers by the names that GGUFs of byte-level BPE give (tokenizer.ggml.pre; the names are llama.cpp's). A name stands
 * for the normalizer and the cuts of the tokenizer.json that the GGUF was made from. */
#ifndef WICK_TEXT_GGUF_PRE_H
#define WICK_TEXT_GGUF_PRE_H

#include "text/tok_spec.h"

/* Adds the steps of `name` (empty: "default") to the spec. *bos: whether such models put BOS in front where the metadata do not say.
 * WICK_EUNSUPPORTED: no such name. */
wick_status wick_gguf_pre(wick_tok_spec *s, wick_bytes name, bool *bos, wick_error *err);

#endif
