/* Chat templates against what transformers and jinja2 rendered. WICK_VECTORS_DIR names a folder with the full set (template/...). */
#include "base/os.h"
#include "support/support.h"
#include "wick.h"

#include <jansson.h>

typedef struct run_state {
    const char *root;
    int n_case, n_bad;
} run_state;

static char *dump(const json_t *j) { return j ? json_dumps(j, JSON_ENCODE_ANY) : NULL; }

static wick_status render(const json_t *line, const char *source, size_t size, wick_rendered *out, wick_error *err) {
    wick_template *t;
    char *messages = dump(json_object_get(line, "messages")), *tools = dump(json_object_get(line, "tools")),
         *kwargs = dump(json_object_get(line, "kwargs"));
    wick_template_input in = {messages, tools, kwargs, json_string_value(json_object_get(line, "now"))};
    wick_status status = wick_template_new(source, size, &t, err);
    if (status == WICK_OK) {
        status = wick_template_render(t, &in, out, err);
        wick_template_free(t);
    }
    free(messages);
    free(tools);
    free(kwargs);
    return status;
}

static bool check(const json_t *line, const char *source, size_t size, const char *label) {
    wick_rendered r = {0};
    wick_error err = {0};
    wick_status status = render(line, source, size, &r, &err);
    const json_t *want = json_object_get(line, "text");
    bool right = want ? status == WICK_OK && json_string_length(want) == r.size && !memcmp(json_string_value(want), r.text, r.size)
                      : status != WICK_OK;
    if (!right && getenv("WICK_SHOW")) {
        printf("---- %s\n", label);
        if (!strcmp(label, "snippets.jsonl")) printf("source: %.*s\n", (int)size, source);
        char *expected = want ? json_dumps(want, JSON_ENCODE_ANY) : dump(json_object_get(line, "message"));
        printf("%s: %.1500s\n", want ? "expected" : "expected an error", expected);
        json_t *got = status == WICK_OK ? json_stringn(r.text, r.size) : NULL;
        char *shown = got ? json_dumps(got, JSON_ENCODE_ANY) : NULL;
        printf("got: %.1500s\n", shown ? shown : err.message);
        free(expected);
        free(shown);
        json_decref(got);
    }
    wick_rendered_release(&r);
    return right;
}

static bool run_file(void *user, const char *name) {
    run_state *r = user;
    char path[1024];
    size_t size, n = 0, bad = 0;
    snprintf(path, sizeof path, "%s/template/cases/%s", r->root, name);
    char *cases = (char *)test_read(path, &size);
    for (char *line = cases, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        assert_non_null(end);
        json_t *j = json_loadb(line, (size_t)(end - line), JSON_ALLOW_NUL, NULL);
        assert_non_null(j);
        const json_t *source = json_object_get(j, "source");
        n++;
        if (source)
            bad += !check(j, json_string_value(source), json_string_length(source), name);
        else {
            size_t template_size;
            const char *file = json_string_value(json_object_get(j, "template"));
            snprintf(path, sizeof path, "%s/template/templates/%s", r->root, file);
            char *text = (char *)test_read(path, &template_size);
            bad += !check(j, text, template_size, file);
            free(text);
        }
        json_decref(j);
    }
    printf("%-24s %4zu cases, %zu wrong\n", name, n, bad);
    r->n_case += (int)n;
    r->n_bad += (int)bad;
    free(cases);
    return true;
}

static void test_vectors(void **state) {
    (void)state;
    run_state r = {.root = getenv("WICK_VECTORS_DIR")};
    if (!r.root) r.root = WICK_TEST_DATA "/text";
    char folder[1024];
    snprintf(folder, sizeof folder, "%s/template/cases", r.root);
    assert_ok(wick_os_list(folder, run_file, &r, err));
    printf("%d cases, %d wrong\n", r.n_case, r.n_bad);
    assert_true(r.n_case > 500);
    assert_int_equal(r.n_bad, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
