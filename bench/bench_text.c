/* The text layer, one thread: tokenizers over a text file, or, without arguments, samplers over 128k logits.
 *
 *     bench_text [TEXT TOKENIZER...]     beside the peers: bench/encode_text.py BUILD TEXT TOKENIZER... */
#include "base/os.h"
#include "wick.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 5, VOCAB = 128256 };

/* Processor time: one thread, and what other programs do is not measured. */
static double worked(void) { return (double)clock() / CLOCKS_PER_SEC; }

static void bench_tokenizer(const char *path, const char *text, size_t size) {
    wick_tokenizer *from_file, *t;
    wick_error err;
    size_t blob_size, n = 0;
    double start = worked();
    if (wick_tokenizer_open(path, &from_file, &err) != WICK_OK) {
        printf("%s\n", err.message);
        return;
    }
    double load = worked() - start, encode = 1e9, decode = 1e9, open = 1e9;
    const void *blob = wick_tokenizer_blob(from_file, &blob_size);
    for (int round = 0; round < ROUNDS; round++) {
        int32_t *ids;
        char *back;
        start = worked();
        if (wick_tokenizer_from_blob(blob, blob_size, &t, &err) != WICK_OK) exit(1);
        double a = worked();
        if (wick_tokenizer_encode(t, text, size, 0, &ids, &n, &err) != WICK_OK) exit(1);
        double b = worked();
        if (wick_tokenizer_decode(t, ids, n, false, &back, NULL, &err) != WICK_OK) exit(1);
        double c = worked();
        if (a - start < open) open = a - start;
        if (b - a < encode) encode = b - a;
        if (c - b < decode) decode = c - b;
        wick_tokens_free(ids);
        wick_text_free(back);
        wick_tokenizer_free(t);
    }
    printf("%s: %zu tokens, encode %.1f MB/s, decode %.0f MB/s, load %.0f ms; compiled %.1f MB, load %.2f ms\n", path, n,
           (double)size / encode / 1e6, (double)size / decode / 1e6, load * 1e3, (double)blob_size / 1e6, open * 1e3);
    wick_tokenizer_free(from_file);
}

static void bench_sampler(const char *name, wick_sampler_options o, const float *logits) {
    wick_sampler *s;
    double best = 1e9;
    if (wick_sampler_new(&o, VOCAB, &s, NULL) != WICK_OK) exit(1);
    for (int round = 0; round < 40; round++) {
        double start = worked();
        for (int i = 0; i < 10; i++) wick_sampler_accept(s, wick_sampler_sample(s, logits));
        double each = (worked() - start) / 10;
        if (each < best) best = each;
    }
    printf("sampler, %s: %.0f us for %d logits\n", name, best * 1e6, VOCAB);
    wick_sampler_free(s);
}

/* A sum of six uniforms, four standard deviations wide, and a few likely tokens on top: what a model's logits look like. */
static void bench_samplers(void) {
    static float logits[VOCAB];
    uint32_t x = 1;
    for (int i = 0; i < VOCAB; i++) {
        for (int k = 0; k < 6; k++) x = x * 1664525u + 1013904223u, logits[i] += 4 * ((float)(x >> 8) / 16777216.0f - 0.5f);
        if (i % 4001 == 7) logits[i] += 12;
    }
    wick_sampler_options o = wick_sampler_options_default();
    o.temperature = 0;
    bench_sampler("greedy", o, logits);
    o = wick_sampler_options_default(), o.top_k = 40, o.top_p = 0.95f, o.min_p = 0.05f;
    bench_sampler("top_k 40, top_p, min_p", o, logits);
    o.repeat_penalty = 1.1f;
    bench_sampler("the same with a repetition penalty", o, logits);
    o = wick_sampler_options_default(), o.top_p = 0.9f;
    bench_sampler("top_p 0.9 alone", o, logits);
    o.top_p = 0.95f;
    bench_sampler("top_p 0.95 alone, here a nucleus of hundreds", o, logits);
    o = wick_sampler_options_default(), o.typical_p = 0.9f;
    bench_sampler("typical_p alone", o, logits);
    o = wick_sampler_options_default(), o.top_n_sigma = 1;
    bench_sampler("top_n_sigma alone", o, logits);
    o = wick_sampler_options_default(), o.xtc_probability = 1;
    bench_sampler("xtc alone", o, logits);
    o = wick_sampler_options_default(), o.mirostat = 2;
    bench_sampler("mirostat 2", o, logits);
    o = wick_sampler_options_default(), o.order = "hf", o.temperature = 0.6f, o.top_k = 20, o.top_p = 0.95f;
    bench_sampler("temperature, top_k 20, top_p (hf)", o, logits);
    o = wick_sampler_options_default(), o.min_p = 0.05f;
    bench_sampler("min_p alone", o, logits);
    bench_sampler("temperature alone", wick_sampler_options_default(), logits);
}

int main(int argc, char **argv) {
    wick_mapping text;
    wick_error err;
    if (argc < 2) {
        bench_samplers();
        return 0;
    }
    if (wick_os_map(argv[1], true, &text, &err) != WICK_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    for (int i = 2; i < argc; i++) bench_tokenizer(argv[i], (const char *)text.data, text.size);
    wick_os_unmap(&text);
    return 0;
}
