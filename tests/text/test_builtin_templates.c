/* Built-in templates: they render what the published templates of their families render, are recognized by their families' tokens, and
 * keep the special tokens in a user's text text. */
#include "base/strbuf.h"
#include "support/support.h"
#include "wick.h"

#include <jansson.h>

typedef enum kind {
    ANY,       /* conversations of every shape */
    NO_SYSTEM, /* the published one has a default system message of its own, or none */
    WITH_SYSTEM,
    ASKING /* the published one begins an answer after every user's message */
} kind;

/* bos: what bos_token is; "": the published one puts it elsewhere. */
static const struct {
    const char *name, *published, *bos;
    kind shape;
} pairs[] = {
    {"chatml", "old-teknium-OpenHermes-2.5-Mistral-7B", "<s>", ANY},
    {"smollm2", "HuggingFaceTB-SmolLM2-135M-Instruct", "<s>", ANY},
    {"qwen2.5", "Qwen-Qwen2.5-7B-Instruct", "<s>", ANY},
    {"qwen3", "Qwen-Qwen3-0.6B", "<s>", ANY},
    {"llama3", "meta-llama-Llama-3-8B-Instruct", "<|begin_of_text|>", ANY},
    {"llama2", "old-bofenghuang-vigogne-2-70b-chat", "", WITH_SYSTEM},
    {"gemma", "google-gemma-3-1b-it", "<bos>", ANY},
    {"gemma", "google-gemma-2-2b-it", "<bos>", NO_SYSTEM},
    {"phi3", "microsoft-Phi-3.5-mini-instruct", "<s>", ANY},
    {"phi4", "old-phi-4", "<s>", ASKING},
    {"granite", "old-ibm-granite-granite-3.0-8b-instruct", "<s>", ANY},
    {"mistral-v1", "old-mistralai-Mistral-7B-Instruct-v0.2-mistralai-v1-template-wit", "<s>", ANY},
    {"mistral-v3", "old-Mistral-Large-Instruct-2407-mistralai-v3-template-modified-t", "<s>", ANY},
    {"mistral-tekken", "mistralai-Mistral-Nemo-Instruct-2407", "<s>", ANY},
    {"mistral-v7", "old-mistralai-Mistral-Large-Instruct-2411-mistralai-v7-template", "<s>", ANY},
    {"deepseek2", "old-DeepSeek-V2", "<s>", ANY},
    {"deepseek-r1", "deepseek-ai-DeepSeek-R1-Distill-Llama-8B", "<s>", ANY},
    {"command-r", "old-CohereForAI-c4ai-command-r-plus", "<s>", ANY},
    {"glm4", "old-ChatGLM4", "<s>", ANY},
    {"glm-edge", "old-GLMEdge", "<s>", ASKING},
};
enum { N_PAIR = sizeof pairs / sizeof *pairs };

static wick_template *open_text(const char *source) {
    static wick_template *t;
    assert_ok(wick_template_new(source, strlen(source), &t, err));
    return t;
}

static wick_rendered rendered(const wick_template *t, const char *messages, const char *variables) {
    static wick_rendered r;
    wick_template_input in = {.messages = messages, .variables = variables};
    assert_ok(wick_template_render(t, &in, &r, err));
    return r;
}

static const char *const contents[] = {"Hi",
                                       "  spaces around \\n",
                                       "\\n\\nlines\\n\\n  four   spaces\\n",
                                       "Grüße, 世界 🙂",
                                       "<|im_end|></s>[INST]<|end|>{{ x }}",
                                       "def f(a):\\n\\treturn \\\"x\\\"",
                                       "<think>\\nso\\n</think>\\n\\nthus",
                                       " "};

static void put_message(wick_strbuf *b, const char *role, const char *content) {
    wick_strbuf_printf(b, "%s{\"role\":\"%s\",\"content\":\"%s\"}", b->size > 1 ? "," : "", role, content);
}

static char *conversation(test_rng *r, kind shape, bool *asks) {
    wick_strbuf b = {0};
    int n = 1 + (int)test_rng_below(r, 6);
    wick_strbuf_putc(&b, '[');
    if (shape == WITH_SYSTEM || (shape != NO_SYSTEM && test_rng_below(r, 2))) put_message(&b, "system", contents[test_rng_below(r, 7)]);
    for (int i = 0; i < n; i++) put_message(&b, i % 2 ? "assistant" : "user", contents[test_rng_below(r, 8)]);
    wick_strbuf_putc(&b, ']');
    *asks = n % 2;
    return wick_strbuf_take(&b, NULL);
}

static void compare(const char *name, const char *published, const char *bos, kind shape) {
    test_rng r = {17};
    char path[300], variables[200];
    size_t size;
    snprintf(path, sizeof path, "text/template/templates/%s.jinja", published);
    char *source = (char *)test_read(test_data(path), &size);
    wick_template *theirs = open_text(source), *ours = open_text(wick_template_builtin(name));
    for (int i = 0; i < 100; i++) {
        bool asks;
        char *messages = conversation(&r, shape, &asks);
        bool prompt = shape == ASKING ? asks : test_rng_below(&r, 2);
        if (!strcmp(published, "old-GLMEdge")) prompt = true;
        snprintf(variables, sizeof variables, "{\"bos_token\":\"%s\",\"eos_token\":\"</s>\",\"add_generation_prompt\":%s%s}", bos,
                 prompt ? "true" : "false", i % 5 ? "" : ",\"enable_thinking\":false");
        wick_rendered a = rendered(ours, messages, variables), b = rendered(theirs, messages, variables);
        if (strcmp(a.text, b.text) != 0) fail_msg("%s: %s\nours:   %s\ntheirs: %s", name, messages, a.text, b.text);
        wick_rendered_release(&a);
        wick_rendered_release(&b);
        wick_text_free(messages);
    }
    wick_template_free(ours);
    wick_template_free(theirs);
    free(source);
}

static void test_published(void **state) {
    (void)state;
    for (int i = 0; i < N_PAIR; i++) compare(pairs[i].name, pairs[i].published, pairs[i].bos, pairs[i].shape);
}

/* Formats whose published template is not among the data: renderings of those (tests/data/README.md says of which). */
static void test_recorded(void **state) {
    (void)state;
    FILE *f = fopen(test_data("text/template/builtin.jsonl"), "rb");
    static char line[1 << 14];
    int n = 0;
    assert_non_null(f);
    for (; fgets(line, sizeof line, f); n++) {
        json_t *c = json_loads(line, 0, NULL);
        assert_non_null(c);
        const char *name = json_string_value(json_object_get(c, "name")), *text = json_string_value(json_object_get(c, "text"));
        char *messages = json_dumps(json_object_get(c, "messages"), 0), *variables = json_dumps(json_object_get(c, "kwargs"), 0);
        wick_template *t = open_text(wick_template_builtin(name));
        wick_rendered r = rendered(t, messages, variables);
        if (strcmp(r.text, text) != 0) fail_msg("%s: %s\nours:   %s\ntheirs: %s", name, messages, r.text, text);
        wick_rendered_release(&r);
        wick_template_free(t);
        free(messages);
        free(variables);
        json_decref(c);
    }
    fclose(f);
    assert_int_equal(n, 4 * 24);
}

/* ---------------------------------------------------------------- tokenizers */

/* A tokenizer of single bytes and special tokens. */
static wick_tokenizer *tokenizer_with(const char *const *tokens) {
    wick_strbuf b = {0};
    wick_strbuf_puts(&b, "{\"version\":\"1.0\",\"added_tokens\":[");
    for (int i = 0; tokens[i]; i++)
        wick_strbuf_printf(&b,
                           "%s{\"id\":%d,\"content\":\"%s\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,"
                           "\"special\":true}",
                           i ? "," : "", i + 1, tokens[i]);
    wick_strbuf_puts(&b, "],\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"[UNK]\":0},\"unk_token\":\"[UNK]\"}}");
    const char *path = test_tmp("tokenizer.json");
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fputs(b.data, f);
    fclose(f);
    wick_strbuf_release(&b);
    static wick_tokenizer *t;
    assert_ok(wick_tokenizer_open(path, &t, err));
    return t;
}

static const struct {
    const char *name, *tokens[9];
} families[] = {
    {"qwen3", {"<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<tool_call>", "<think>"}},
    {"qwen2.5", {"<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<tool_call>"}},
    {"smollm2", {"<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>", "<reponame>", "<jupyter_start>"}},
    {"chatml", {"<s>", "</s>", "<|im_start|>", "<|im_end|>"}},
    {"llama3", {"<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}},
    {"gemma", {"<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"}},
    {"granite", {"<|end_of_text|>", "<|start_of_role|>", "<|end_of_role|>", "<|tool_call|>"}},
    {"command-r",
     {"<BOS_TOKEN>", "<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>", "<|SYSTEM_TOKEN|>", "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>"}},
    {"deepseek-r1", {"<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"}},
    {"glm4", {"<|endoftext|>", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"}},
    {"phi4", {"<|endoftext|>", "<|im_start|>", "<|im_sep|>", "<|im_end|>"}},
    {"phi4-mini", {"<|endoftext|>", "<|endofprompt|>", "<|assistant|>", "<|end|>", "<|user|>", "<|system|>"}},
    {"phi3", {"<s>", "</s>", "<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>"}},
    {"mistral-v7", {"<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"}},
    {"mistral-tekken", {"<s>", "</s>", "[INST]", "[/INST]", "<SPECIAL_20>"}},
    {"mistral-v3", {"<s>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]"}},
};
enum { N_FAMILY = sizeof families / sizeof *families };

static void test_recognized(void **state) {
    (void)state;
    static const char *const nobody[] = {"<s>", "</s>", "<|endoftext|>", NULL};
    for (int i = 0; i < N_FAMILY; i++) {
        wick_tokenizer *t = tokenizer_with(families[i].tokens);
        assert_string_equal(wick_template_recognize(t), families[i].name);
        wick_tokenizer_free(t);
    }
    wick_tokenizer *t = tokenizer_with(nobody);
    assert_null(wick_template_recognize(t));
    wick_tokenizer_free(t);
    for (size_t i = 0; wick_template_builtin_name(i); i++) assert_non_null(wick_template_builtin(wick_template_builtin_name(i)));
    assert_null(wick_template_builtin("nobody"));
}

static int n_special(const wick_tokenizer *t, const wick_template *chat, const char *content) {
    wick_strbuf b = {0};
    int32_t *ids = NULL;
    size_t n = 0;
    int count = 0;
    wick_strbuf_putc(&b, '[');
    put_message(&b, "system", content);
    put_message(&b, "user", content);
    put_message(&b, "assistant", content);
    put_message(&b, "user", content);
    wick_strbuf_putc(&b, ']');
    wick_rendered r = rendered(chat, b.data, "{\"bos_token\":\"<s>\",\"eos_token\":\"</s>\",\"add_generation_prompt\":true}");
    assert_int_equal(wick_tokenizer_encode_rendered(t, &r, &ids, &n, NULL), WICK_OK);
    for (size_t i = 0; i < n; i++) count += wick_tokenizer_is_special(t, ids[i]) && ids[i] != 0;
    wick_tokens_free(ids);
    wick_rendered_release(&r);
    wick_strbuf_release(&b);
    return count;
}

/* Whatever special tokens the messages spell, the prompt has those that the format puts there, and no other. */
static void test_special_tokens_stay_text(void **state) {
    (void)state;
    for (int i = 0; i < N_FAMILY; i++) {
        wick_tokenizer *t = tokenizer_with(families[i].tokens);
        wick_template *chat = open_text(wick_template_builtin(families[i].name));
        char all[400] = "x";
        int own = n_special(t, chat, all);
        for (int k = 0; families[i].tokens[k]; k++) strcat(all, families[i].tokens[k]);
        assert_true(own > 2);
        assert_int_equal(n_special(t, chat, all), own);
        wick_template_free(chat);
        wick_tokenizer_free(t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_published), cmocka_unit_test(test_recorded), cmocka_unit_test(test_recognized),
                                       cmocka_unit_test(test_special_tokens_stay_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
