/* fuzz_tokenizer.h: what is done with a tokenizer that opened: every path that bytes of a file can steer. */
#ifndef WICK_FUZZ_TOKENIZER_H
#define WICK_FUZZ_TOKENIZER_H

#include "fuzz.h"

#include "base/error.h"
#include "text/tok_spec.h"

#include <stdlib.h>
#include <string.h>

/* Every token's bytes lie in the text. */
static void use_spans(const wick_tokenizer *t, const char *text, size_t size) {
    int32_t *ids;
    wick_span *spans;
    size_t n;
    wick_error err;
    if (wick_tokenizer_encode_spans(t, text, size, 3, &ids, &spans, &n, &err) != WICK_OK) return;
    for (size_t i = 0; i < n; i++)
        if (spans[i].from > spans[i].to || spans[i].to > size) abort();
    wick_tokens_free(ids);
    wick_spans_free(spans);
}

static void use_tokenizer(const wick_tokenizer *t) {
    static const char *const texts[] = {"Hello, world! 12 345\n\n  it's  <s> </s>[CLS] \xe2\x96\x81 x",
                                        "\xc3\xa9t\xc3\xa9 \xe6\xbc\xa2\xe5\xad\x97 \xf0\x9f\x98\x80\t\xff\xc3",
                                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ""};
    wick_error err;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int32_t *ids;
        size_t n, size;
        char *text;
        wick_decoder *d;
        if (wick_tokenizer_encode(t, texts[i], strlen(texts[i]), 3, &ids, &n, &err) != WICK_OK) continue;
        if (wick_tokenizer_decode(t, ids, n, false, &text, &size, &err) == WICK_OK) wick_text_free(text);
        if (wick_decoder_new(t, true, &d, &err) == WICK_OK) {
            const char *part;
            for (size_t k = 0; k < n; k++)
                if (wick_decoder_push(d, ids[k], &part, &size, &err) != WICK_OK) break;
            (void)wick_decoder_finish(d, &part, &size, &err);
            wick_decoder_free(d);
        }
        wick_tokens_free(ids);
        use_spans(t, texts[i], strlen(texts[i]));
    }
}

/* A file of any kind, then the compiled form of what it became. */
static inline int fuzz_tokenizer_file(const uint8_t *data, size_t size) {
    wick_tokenizer *t, *again;
    wick_error err;
    if (wick_tokenizer_from_memory(data, size, &t, &err) != WICK_OK) return 0;
    use_tokenizer(t);
    size_t blob_size;
    const void *blob = wick_tokenizer_blob(t, &blob_size);
    if (wick_tokenizer_from_blob(blob, blob_size, &again, &err) == WICK_OK) wick_tokenizer_free(again);
    wick_tokenizer_free(t);
    return 0;
}

#endif
