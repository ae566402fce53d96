/* wick tokenize: text to token ids and back. */
#include "jsonl.h"
#include "option.h"
#include "run_options.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A program carries its tokenizer, or has it beside it; everything else is a tokenizer file. */
static wick_status open_tokenizer(const char *path, wick_model **model, wick_tokenizer **out, wick_error *err) {
    run_options o = {.model = path};
    if (!store_is_program(path)) return wick_tokenizer_open(path, out, err);
    wick_model_options m = wick_model_options_default();
    WICK_TRY(wick_model_open(path, &m, model, err));
    return run_open_tokenizer(&o, *model, out, err);
}

static bool flag_of(const json_t *q, const char *key, bool fallback) {
    const json_t *v = json_object_get(q, key);
    return json_is_boolean(v) ? json_is_true(v) : fallback;
}

static wick_status decode_line(const wick_tokenizer *t, const json_t *q, json_t *answer, wick_error *err) {
    const json_t *list = json_object_get(q, "ids");
    size_t n = json_array_size(list), size;
    int32_t *ids = malloc((n + 1) * sizeof *ids);
    char *text = NULL;
    if (!ids) return wick_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        json_int_t id = json_integer_value(json_array_get(list, i));
        ids[i] = id >= 0 && id < INT32_MAX ? (int32_t)id : -1;
    }
    wick_status status = wick_tokenizer_decode(t, ids, n, flag_of(q, "skip_special", false), &text, &size, err);
    free(ids);
    if (status == WICK_OK) json_object_set_new(answer, "text", json_stringn(text, size));
    wick_text_free(text);
    return status;
}

static wick_status encode_text(const wick_tokenizer *t, const char *text, size_t size, unsigned flags, json_t *ids_out, wick_error *err) {
    int32_t *ids;
    size_t n;
    WICK_TRY(wick_tokenizer_encode(t, text, size, flags, &ids, &n, err));
    for (size_t i = 0; i < n; i++) json_array_append_new(ids_out, json_integer(ids[i]));
    wick_tokens_free(ids);
    return WICK_OK;
}

/* Ranges of bytes of valid UTF-8 as ranges of characters. NULL: no memory. */
static json_t *in_characters(const char *text, size_t size, const wick_span *spans, size_t n) {
    size_t *before = malloc((size + 1) * sizeof *before), count = 0; /* characters that begin before each byte */
    if (!before) return NULL;
    for (size_t i = 0; i <= size; i++) {
        before[i] = count;
        count += i < size && ((unsigned char)text[i] & 0xc0) != 0x80;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_pack("[I,I]", (json_int_t)before[spans[i].from], (json_int_t)before[spans[i].to]));
    free(before);
    return list;
}

static wick_status encode_with_offsets(const wick_tokenizer *t, const json_t *text, unsigned flags, json_t *a, wick_error *err) {
    int32_t *ids;
    wick_span *spans;
    size_t n, size = json_string_length(text);
    json_t *list = json_array();
    json_object_set_new(a, "ids", list);
    WICK_TRY(wick_tokenizer_encode_spans(t, json_string_value(text), size, flags, &ids, &spans, &n, err));
    for (size_t i = 0; i < n; i++) json_array_append_new(list, json_integer(ids[i]));
    json_t *offsets = in_characters(json_string_value(text), size, spans, n);
    wick_tokens_free(ids);
    wick_spans_free(spans);
    return json_object_set_new(a, "offsets", offsets) == 0 ? WICK_OK : wick_fail_nomem(err);
}

static wick_status answer(void *user, const json_t *q, json_t *a, wick_error *err) {
    const wick_tokenizer *t = user;
    const json_t *text = json_object_get(q, "text");
    if (json_is_array(json_object_get(q, "ids"))) return decode_line(t, q, a, err);
    if (!json_is_string(text)) return wick_fail(err, WICK_EFORMAT, "the object should have \"text\" (a string) or \"ids\" (a list)");
    unsigned flags =
        (flag_of(q, "special", true) ? WICK_ENCODE_PARSE_SPECIAL : 0) | (flag_of(q, "add_special", true) ? WICK_ENCODE_ADD_SPECIAL : 0);
    if (flag_of(q, "offsets", false)) return encode_with_offsets(t, text, flags, a, err);
    json_t *ids = json_array();
    json_object_set_new(a, "ids", ids);
    return encode_text(t, json_string_value(text), json_string_length(text), flags, ids, err);
}

static wick_status print_ids(const wick_tokenizer *t, const char *text, wick_error *err) {
    int32_t *ids;
    size_t n;
    WICK_TRY(wick_tokenizer_encode(t, text, strlen(text), WICK_ENCODE_PARSE_SPECIAL | WICK_ENCODE_ADD_SPECIAL, &ids, &n, err));
    for (size_t i = 0; i < n; i++) printf("%s%d", i ? " " : "", ids[i]);
    printf("\n");
    wick_tokens_free(ids);
    return WICK_OK;
}

static int convert(const char *path, const char *out) {
    wick_error err = {0};
    return wick_tokenizer_convert(path, out, &err) == WICK_OK ? APP_OK : app_fail(&app_verb_tokenize, err.message);
}

static int tokenize_main(int argc, char **argv) {
    const char *path = NULL, *out = NULL;
    bool jsonl = false;
    const app_option options[] = {
        {"tokenizer", 't', "tokenizer_model", APP_PATH, &path, "FILE", APP_ANY,
         "tokenizer.json, .model, .tiktoken, .bin, .gguf, a folder with one of them, a .pte, or a pulled model's name"},
        {"output_path", 'o', NULL, APP_PATH, &out, "FILE", APP_ANY, "write a SentencePiece .model as ExecuTorch's tokenizer.bin"},
        {"jsonl", 0, NULL, APP_FLAG, &jsonl, "", APP_ANY, "answer one JSON object per line of standard input"},
        {0},
    };
    int n, status;
    if (!app_parse(&app_verb_tokenize, options, argc, argv, &n, &status)) return status;
    if (!path) return app_usage_error(&app_verb_tokenize, "no tokenizer given (--tokenizer FILE)");
    if (out && (jsonl || n)) return app_usage_error(&app_verb_tokenize, "--output_path takes no text and no --jsonl");
    if (out) return convert(path, out);
    if (jsonl ? n != 0 : n != 1) return app_usage_error(&app_verb_tokenize, jsonl ? "--jsonl takes no text" : "give one text, or --jsonl");
    wick_model *model = NULL;
    wick_tokenizer *t = NULL;
    wick_error err = {0};
    wick_status code = store_resolve_option(&path, &err);
    if (code == WICK_OK) code = open_tokenizer(path, &model, &t, &err);
    if (code == WICK_OK && !jsonl) code = print_ids(t, argv[1], &err);
    if (code == WICK_OK && jsonl && !jsonl_run(answer, t)) code = wick_fail(&err, WICK_EIO, "standard output cannot be written");
    wick_tokenizer_free(t);
    wick_model_close(model);
    return code == WICK_OK ? APP_OK : app_fail(&app_verb_tokenize, err.message);
}

const app_verb app_verb_tokenize = {
    "tokenize", "--tokenizer FILE [TEXT | --jsonl | -o tokenizer.bin]", "text to token ids and back",
    "With --jsonl each line of standard input is an object, and gets one line of output:\n"
    "  {\"text\", \"special\"?, \"add_special\"?} -> {\"ids\"}    (both true unless said otherwise)\n"
    "  {\"ids\", \"skip_special\"?}               -> {\"text\"}   (false unless said otherwise)\n"
    "With \"offsets\": true the answer to a text also has \"offsets\", the characters that each token stands for.\n"
    "What is wrong with a line is answered as {\"error\": \"...\"}.\n",
    tokenize_main};
