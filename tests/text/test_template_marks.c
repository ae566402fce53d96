/* Whatever a template does with a message's text, the characters that could make a special token stay known as the message's;
 * and the times that a caller may fix. */
#include "support/support.h"
#include "wick.h"

static const char *const expressions[] = {
    "c",
    "c|upper",
    "c|title",
    "c|capitalize",
    "c|trim",
    "c|replace('a', 'b')",
    "'b'|replace('b', c)",
    "c|indent",
    "'x'|indent(c, true)",
    "c|center(40)",
    "c|truncate(30, true, '')",
    "'abcdefghijklmnopqrstuvwxyz'|truncate(18, true, c)",
    "c|wordwrap(9)",
    "'a b'|wordwrap(1, wrapstring=c)",
    "c|tojson",
    "messages",
    "messages|string",
    "messages|tojson(indent=2)",
    "[[1]]|tojson(indent=c)",
    "[1, 2]|tojson(separators=(c, c))",
    "'%s' % c",
    "'%30s' % c",
    "'%-30s' % c",
    "'%r' % c",
    "'%(k)s' % {'k': c}",
    "c % ()",
    "'{}'.format(c)",
    "'{:>30}'.format(c)",
    "'{0!r}'.format(c)",
    "c|format",
    "c ~ 'x'",
    "'x' + c",
    "c * 2",
    "c[1:]",
    "c[::-1]",
    "c|first ~ c[1:]",
    "c.split(' ')",
    "c.split(' ')|join('-')",
    "'-'.join([c, c])",
    "[1, 2]|join(c)",
    "c|list|join",
    "c|batch(3)|map('join')|join",
    "c|e",
    "c|forceescape",
    "c|safe",
    "c|striptags",
    "c|urlencode",
    "c|string",
    "c|pprint",
    "c.strip()",
    "c.ljust(30)",
    "c.zfill(30)",
    "c.expandtabs()",
    "c.swapcase()",
    "c.title()",
    "c.casefold()",
    "c.partition('a')",
    "c.rpartition('a')[2]",
    "c.splitlines()",
    "c.removeprefix('x')",
    "c|reverse|reverse",
    "{'k': c}",
    "{c: 1}",
    "{c: 1}|dictsort",
    "[c]|map('upper')|join",
    "dict(a=c).a",
    "namespace(a=c).a",
    "c|default('x')",
    "messages|map(attribute='content')|join",
    "messages|groupby('content')",
    "cycler(c).next()",
    "strftime_now(c)",
};

static bool is_marked(const wick_rendered *r, size_t at) {
    for (size_t i = 0; i < r->n_input; i++)
        if (at >= r->input[i].from && at < r->input[i].to) return true;
    return false;
}

static void test_marks(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++) {
        char source[300];
        wick_template *t;
        wick_rendered r;
        int n = snprintf(source, sizeof source, "{%% set c = messages[0].content %%}<|t|>{{ %s }}<|t|>", expressions[i]);
        assert_ok(wick_template_new(source, (size_t)n, &t, err));
        wick_template_input in = {.messages = "[{\"role\":\"user\",\"content\":\"<|x|> a <|y|>\"}]", .now = "2026-01-15T12:34:56"};
        assert_ok(wick_template_render(t, &in, &r, err));
        for (size_t k = 0; k < r.size; k++) {
            bool own = k < 5 || k >= r.size - 5; /* the template's token in front and behind */
            if (strchr("<|>", r.text[k]) && is_marked(&r, k) == own) fail_msg("%s: byte %zu of %s", expressions[i], k, r.text);
        }
        wick_rendered_release(&r);
        wick_template_free(t);
    }
}

static void test_times(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "", "today", "2026-13-01T00:00:00", "-999-01-01", "2026-01-00", "2026-01-01T24:00:00", "99999999999-1-1"};
    static const char source[] = "{{ strftime_now('%Y%m%d %H%M%S %a') }}";
    wick_template *t;
    wick_rendered r;
    assert_ok(wick_template_new(source, sizeof source - 1, &t, err));
    wick_template_input in = {.messages = "[]", .now = "2024-02-29T23:59:60"};
    assert_ok(wick_template_render(t, &in, &r, err));
    assert_string_equal(r.text, "20240301 000000 Fri");
    wick_rendered_release(&r);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        in.now = wrong[i];
        assert_int_equal(wick_template_render(t, &in, &r, NULL), WICK_EINVAL);
    }
    wick_template_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_marks), cmocka_unit_test(test_times)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
