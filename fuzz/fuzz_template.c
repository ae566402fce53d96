/* Chat templates: the source is the input. */
#include "fuzz.h"

#include "wick.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const wick_template_input input = {
        .messages = "[{\"role\":\"system\",\"content\":\"Be "
                    "brief.\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"h\xc3\xa9y <|x|>\"}]},"
                    "{\"role\":\"assistant\",\"content\":null,\"reasoning\":\"so\",\"tool_calls\":[{\"function\":{\"name\":\"f\","
                    "\"arguments\":{\"a\":1.5}}}]}]",
        .tools = "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\",\"parameters\":{\"type\":\"object\"}}}]",
        .variables = "{\"add_generation_prompt\":true,\"bos_token\":\"<s>\",\"n\":3}",
        .now = "2026-01-15T12:34:56"};
    wick_template *t;
    wick_rendered r;
    wick_error err;
    if (wick_template_new((const char *)data, size, &t, &err) != WICK_OK) return 0;
    if (wick_template_render(t, &input, &r, &err) == WICK_OK) wick_rendered_release(&r);
    wick_template_free(t);
    return 0;
}
