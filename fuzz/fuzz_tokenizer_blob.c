/* Compiled tokenizers, as they lie in program files. */
#include "fuzz_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wick_tokenizer *t;
    wick_error err;
    if (wick_tokenizer_from_blob(data, size, &t, &err) != WICK_OK) return 0;
    use_tokenizer(t);
    wick_tokenizer_free(t);
    return 0;
}
