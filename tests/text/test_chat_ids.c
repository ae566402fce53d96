/* The tokens of conversations are those that transformers gives: for the first turn, the second and a new chat (tests/data/text/chat). */
#include "support/support.h"
#include "wick.h"

#include <jansson.h>

static char *dump(const json_t *j) { return json_dumps(j, JSON_ENCODE_ANY); }

static void check(const json_t *line) {
    char path[300];
    static wick_tokenizer *tokenizer;
    static wick_template *chat;
    static wick_rendered r;
    static int32_t *ids;
    static size_t n;
    snprintf(path, sizeof path, "text/tokenizer/trained/%s", json_string_value(json_object_get(line, "tokenizer")));
    assert_ok(wick_tokenizer_open(test_data(path), &tokenizer, err));
    snprintf(path, sizeof path, "text/template/templates/%s.jinja", json_string_value(json_object_get(line, "template")));
    assert_ok(wick_template_open(test_data(path), &chat, err));
    json_t *variables = json_pack("{sb}", "add_generation_prompt", 1);
    static const char *const names[] = {"bos_token", "eos_token"};
    for (int i = 0; i < 2; i++) {
        json_t *text = json_object_get(line, names[i]);
        if (json_is_string(text)) json_object_set(variables, names[i], text);
    }
    char *m = dump(json_object_get(line, "messages")), *v = dump(variables);
    wick_template_input in = {.messages = m, .variables = v};
    assert_ok(wick_template_render(chat, &in, &r, err));
    assert_ok(wick_tokenizer_encode_rendered(tokenizer, &r, &ids, &n, err));
    const json_t *want = json_object_get(line, "ids");
    const char *name = json_string_value(json_object_get(line, "template")), *turn = json_string_value(json_object_get(line, "turn"));
    if (n != json_array_size(want)) fail_msg("%s, %s turn: %zu tokens, expected %zu", name, turn, n, json_array_size(want));
    for (size_t i = 0; i < n; i++)
        if (ids[i] != json_integer_value(json_array_get(want, i))) fail_msg("%s, %s turn: token %zu is %d", name, turn, i, ids[i]);
    wick_tokens_free(ids);
    wick_rendered_release(&r);
    wick_template_free(chat);
    wick_tokenizer_free(tokenizer);
    json_decref(variables);
    free(m);
    free(v);
}

static void test_ids(void **state) {
    (void)state;
    size_t size;
    int n = 0;
    char *cases = (char *)test_read(test_data("text/chat/ids.jsonl"), &size);
    for (char *line = cases, *end; *line; line = end + 1, n++) {
        end = strchr(line, '\n');
        assert_non_null(end);
        json_t *j = json_loadb(line, (size_t)(end - line), 0, NULL);
        assert_non_null(j);
        check(j);
        json_decref(j);
    }
    assert_int_equal(n, 48);
    free(cases);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ids)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
