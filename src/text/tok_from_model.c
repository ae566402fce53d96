/* The tokenizer inside a model. */
#include "base/error.h"

wick_status wick_tokenizer_from_model(const wick_model *model, wick_tokenizer **out, wick_error *err) {
    const void *blob;
    size_t size;
    *out = NULL;
    if (!wick_model_data_get(model, "wick.tokenizer", &blob, &size))
        return wick_fail(err, WICK_ENOTFOUND, "the model carries no tokenizer: name one, for example with --tokenizer");
    WICK_TRY(wick_tokenizer_from_blob(blob, size, out, err));
    int64_t have = wick_tokenizer_n_vocab(*out), rows = wick_model_info_get(model)->n_vocab;
    if (rows > 0 && have > rows) {
        wick_tokenizer_free(*out);
        *out = NULL;
        return wick_fail(err, WICK_EMISMATCH, "the tokenizer has %lld tokens, the model only %lld", (long long)have, (long long)rows);
    }
    return WICK_OK;
}
