/* Tokenizers against the reference vectors: ids, offsets, both decodings, the streaming decoder, and the compiled form.
 *
 * tests/data/text holds a part of the set; WICK_VECTORS_DIR names a folder with all of it (tokenizer/trained, tokenizer/cases), and
 * WICK_TOKENIZERS_DIR one with real tokenizers (NAME.json, NAME.model, NAME.gguf ...), which are not ours to keep. */
#include "base/os.h"
#include "support/support.h"
#include "wick.h"

#include <jansson.h>

static const char *find_tokenizer(const char *root, const char *name) {
    static char path[1024];
    snprintf(path, sizeof path, "%s/tokenizer/trained/%s", root, name);
    if (wick_os_path_kind(path) == WICK_PATH_FILE) return path;
    const char *real = getenv("WICK_TOKENIZERS_DIR");
    static const char *const tails[] = {".json", ".model", ".tiktoken", ".gguf", ".bin"};
    for (size_t i = 0; real && i < sizeof tails / sizeof *tails; i++) {
        snprintf(path, sizeof path, "%s/%s%s", real, name, tails[i]);
        if (wick_os_path_kind(path) == WICK_PATH_FILE) return path;
    }
    return NULL;
}

typedef struct outcome {
    int n, bad_ids, bad_text, bad_stream, bad_offsets;
} outcome;

static bool same_ids(const json_t *want, const int32_t *ids, size_t n) {
    if (json_array_size(want) != n) return false;
    for (size_t i = 0; i < n; i++)
        if (json_integer_value(json_array_get(want, i)) != ids[i]) return false;
    return true;
}

static bool same_text(const json_t *want, const char *text, size_t n) {
    return json_string_length(want) == n && !memcmp(json_string_value(want), text, n);
}

static bool stream_agrees(const wick_tokenizer *t, const int32_t *ids, size_t n, bool skip, const json_t *want) {
    wick_decoder *d;
    assert_ok(wick_decoder_new(t, skip, &d, err));
    char *all = malloc(json_string_length(want) + 1);
    size_t size = 0, room = json_string_length(want);
    bool ok = true;
    for (size_t i = 0; i <= n; i++) {
        const char *text;
        size_t k;
        if (i < n)
            assert_ok(wick_decoder_push(d, ids[i], &text, &k, err));
        else
            assert_ok(wick_decoder_finish(d, &text, &k, err));
        if (k > room - size)
            ok = false;
        else
            memcpy(all + size, text, k), size += k;
    }
    ok = ok && same_text(want, all, size);
    free(all);
    wick_decoder_free(d);
    return ok;
}

/* WICK_SHOW=1 prints what differs. */
static void show(const char *what, const json_t *line) {
    if (!getenv("WICK_SHOW")) return;
    char *text = json_dumps(line, JSON_COMPACT);
    printf("  %s: %s\n", what, text);
    free(text);
}

static void show_ids(const int32_t *ids, size_t n) {
    if (!getenv("WICK_SHOW")) return;
    printf("   got");
    for (size_t i = 0; i < n; i++) printf(" %d", ids[i]);
    printf("\n");
}

/* Offsets of the reference count characters. */
static bool same_offsets(const json_t *want, const char *text, const wick_span *spans, size_t n) {
    if (json_array_size(want) != n) return false;
    for (size_t i = 0; i < n; i++) {
        const json_t *pair = json_array_get(want, i);
        size_t ends[2] = {spans[i].from, spans[i].to};
        for (size_t k = 0; k < 2; k++) {
            json_int_t characters = 0;
            for (size_t at = 0; at < ends[k]; at++) characters += ((unsigned char)text[at] & 0xc0) != 0x80;
            if (json_integer_value(json_array_get(pair, k)) != characters) return false;
        }
    }
    return true;
}

static void check_offsets(const wick_tokenizer *t, const json_t *line, unsigned flags, outcome *o) {
    const json_t *want = json_object_get(line, "offsets"), *text = json_object_get(line, "text");
    int32_t *ids;
    wick_span *spans;
    size_t n;
    if (!want) return;
    assert_ok(wick_tokenizer_encode_spans(t, json_string_value(text), json_string_length(text), flags, &ids, &spans, &n, err));
    if (!same_ids(json_object_get(line, "ids"), ids, n) || !same_offsets(want, json_string_value(text), spans, n))
        o->bad_offsets++, show("offsets", line);
    wick_tokens_free(ids);
    wick_spans_free(spans);
}

static void check_case(const wick_tokenizer *t, const json_t *line, outcome *o) {
    const json_t *text = json_object_get(line, "text"), *want = json_object_get(line, "ids");
    int32_t *ids;
    size_t n;
    o->n++;
    if (json_is_string(text)) {
        unsigned flags = (json_is_true(json_object_get(line, "special")) ? WICK_ENCODE_PARSE_SPECIAL : 0) |
                         (json_is_true(json_object_get(line, "add_special")) ? WICK_ENCODE_ADD_SPECIAL : 0);
        assert_ok(wick_tokenizer_encode(t, json_string_value(text), json_string_length(text), flags, &ids, &n, err));
        if (!same_ids(want, ids, n)) o->bad_ids++, show("ids", line), show_ids(ids, n);
        wick_tokens_free(ids);
        check_offsets(t, line, flags, o);
    }
    n = json_array_size(want);
    ids = malloc((n + 1) * sizeof *ids);
    for (size_t i = 0; i < n; i++) ids[i] = (int32_t)json_integer_value(json_array_get(want, i));
    for (int skip = 0; skip < 2; skip++) {
        const json_t *expect = json_object_get(line, skip ? "decoded_skip_special" : "decoded");
        char *decoded;
        size_t size;
        assert_ok(wick_tokenizer_decode(t, ids, n, skip, &decoded, &size, err));
        if (!same_text(expect, decoded, size)) {
            o->bad_text++, show(skip ? "skip" : "text", line);
            if (getenv("WICK_SHOW")) printf("   got [%s]\n", decoded);
        } else if (!stream_agrees(t, ids, n, skip, expect))
            o->bad_stream++, show("stream", line);
        wick_text_free(decoded);
    }
    free(ids);
}

static outcome check_lines(const wick_tokenizer *t, char *text) {
    outcome o = {0};
    for (char *line = text, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        assert_non_null(end);
        json_t *j = json_loadb(line, (size_t)(end - line), JSON_ALLOW_NUL, NULL);
        assert_non_null(j);
        check_case(t, j, &o);
        json_decref(j);
    }
    return o;
}

/* The compiled form, from memory at an odd address: opens to the same tokenizer, and compiles to the same bytes. */
static wick_tokenizer *recompiled(wick_tokenizer *t, uint8_t **copy) {
    size_t size, again;
    const void *blob = wick_tokenizer_blob(t, &size);
    *copy = malloc(size + 1);
    memcpy(*copy + 1, blob, size);
    wick_tokenizer *second;
    assert_ok(wick_tokenizer_from_blob(*copy + 1, size, &second, err));
    assert_memory_equal(wick_tokenizer_blob(second, &again), blob, size);
    assert_int_equal(again, size);
    return second;
}

typedef struct run_state {
    const char *root;
    int n_file, n_case, n_bad;
} run_state;

static void run_tokenizer(run_state *r, const char *tok, const char *file, char *cases) {
    wick_tokenizer *t;
    wick_error err = {0};
    uint8_t *copy;
    if (wick_tokenizer_open(file, &t, &err) != WICK_OK) {
        printf("%-24s %s\n", tok, err.message);
        r->n_bad++;
        return;
    }
    wick_tokenizer *second = recompiled(t, &copy);
    outcome o = check_lines(second, cases);
    printf("%-24s %4d cases, wrong: ids %d, text %d, stream %d, offsets %d\n", tok, o.n, o.bad_ids, o.bad_text, o.bad_stream,
           o.bad_offsets);
    r->n_file++;
    r->n_case += o.n;
    r->n_bad += o.bad_ids + o.bad_text + o.bad_stream + o.bad_offsets;
    wick_tokenizer_free(second);
    wick_tokenizer_free(t);
    free(copy);
}

static bool run_file(void *user, const char *name) {
    run_state *r = user;
    char path[1024], tok[256] = "";
    snprintf(path, sizeof path, "%s/tokenizer/cases/%s", r->root, name);
    size_t size;
    char *cases = (char *)test_read(path, &size);
    sscanf(cases, "{\"tok\":\"%255[^\"]\"", tok);
    const char *only = getenv("WICK_ONLY"), *file = find_tokenizer(r->root, tok);
    if (only && !strstr(tok, only))
        file = NULL;
    else if (!file)
        printf("%-24s skipped: the tokenizer is not here\n", tok);
    if (file) run_tokenizer(r, tok, file, cases);
    free(cases);
    return true;
}

static void test_vectors(void **state) {
    (void)state;
    run_state r = {.root = getenv("WICK_VECTORS_DIR")};
    if (!r.root) r.root = WICK_TEST_DATA "/text";
    char folder[1024];
    snprintf(folder, sizeof folder, "%s/tokenizer/cases", r.root);
    assert_ok(wick_os_list(folder, run_file, &r, err));
    printf("%d tokenizers, %d cases, %d wrong\n", r.n_file, r.n_case, r.n_bad);
    assert_true(getenv("WICK_ONLY") || r.n_file >= 10);
    assert_int_equal(r.n_bad, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
