/* Chat templates for models that carry none.
 *
 * Written for conversations: a system message perhaps, then user and assistant in turn. For those they render what the published
 * template of the model renders, spaces, trimming and default system messages included; tools and the like are the business of
 * templates that come with a model. A tokenizer tells the format by tokens that only that family has. */
#include "base/error.h"

#include <string.h>

typedef struct builtin {
    const char *name;
    const char *tokens[3]; /* a tokenizer that has all of these is taken for one of the family; none: known by name alone */
    const char *source;
} builtin;

/* ChatML with a system message of one's own where the conversation has none. */
#define CHATML(system)                                                                                                                     \
    "{% if messages and messages[0].role != 'system' %}{{ '" system "' }}{% endif %}"                                                      \
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"                                 \
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"

/* The first two parts of what Mistral's v3 and Tekken templates say: the system message stands before the last message, if a user's. */
#define MISTRAL(open, answer)                                                                                                              \
    "{{ bos_token }}{% set system = messages[0].content + '\n\n' if messages and messages[0].role == 'system' else '' %}"                  \
    "{% for m in messages %}{% if m.role == 'user' %}{{ '" open "' + (system if loop.last else '') + m.content + '[/INST]' }}"             \
    "{% elif m.role == 'assistant' %}{{ " answer " + eos_token }}{% endif %}{% endfor %}"

static const builtin all[] = {
    {"phi4",
     {"<|im_start|>", "<|im_sep|>"},
     "{% for m in messages %}{{ '<|im_start|>' + m.role + '<|im_sep|>' + m.content + '<|im_end|>' }}{% endfor %}"
     "{% if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}"},
    {"qwen3",
     {"<|im_start|>", "<think>", "<tool_call>"},
     "{% for m in messages %}{% set text = m.content %}{% set thought = '' %}"
     "{% if m.role == 'assistant' and '</think>' in text %}"
     "{% set thought = text.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') %}"
     "{% set text = text.split('</think>')[-1].lstrip('\n') %}{% endif %}"
     "{% if m.role == 'assistant' and loop.last %}"
     "{% set text = '<think>\n' + thought.strip('\n') + '\n</think>\n\n' + text.lstrip('\n') %}{% endif %}"
     "{{ '<|im_start|>' + m.role + '\n' + text + '<|im_end|>\n' }}{% endfor %}"
     "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
     "{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\n\n</think>\n\n' }}{% endif %}{% endif %}"},
    {"qwen2.5",
     {"<|im_start|>", "<|object_ref_start|>", "<tool_call>"},
     CHATML("<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n")},
    {"smollm2",
     {"<|im_start|>", "<repo_name>", "<jupyter_start>"},
     CHATML("<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n")},
    {"chatml", {"<|im_start|>", "<|im_end|>"}, CHATML("")},
    {"llama3",
     {"<|start_header_id|>", "<|eot_id|>"},
     "{% for m in messages %}{{ (bos_token if loop.first else '') + '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' }}"
     "{{ m.content|trim + '<|eot_id|>' }}{% endfor %}"
     "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"},
    {"gemma",
     {"<start_of_turn>", "<end_of_turn>"},
     "{{ bos_token }}{% set ns = namespace(system='') %}{% for m in messages %}"
     "{% if m.role == 'system' %}{% set ns.system = m.content + '\n\n' %}{% else %}"
     "{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\n' + ns.system + m.content|trim + '<end_of_turn>\n' }}"
     "{% set ns.system = '' %}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"},
    {"granite",
     {"<|start_of_role|>", "<|end_of_role|>"},
     "{% for m in messages %}{{ '<|start_of_role|>' + m.role + '<|end_of_role|>' + m.content + '<|end_of_text|>\n' }}"
     "{% if loop.last and add_generation_prompt %}{{ '<|start_of_role|>assistant<|end_of_role|>' }}{% endif %}{% endfor %}"},
    {"command-r",
     {"<|START_OF_TURN_TOKEN|>", "<|CHATBOT_TOKEN|>"},
     "{{ bos_token }}{% set roles = {'system': 'SYSTEM', 'user': 'USER', 'assistant': 'CHATBOT'} %}{% for m in messages %}"
     "{{ '<|START_OF_TURN_TOKEN|><|' + roles[m.role] + '_TOKEN|>' }}"
     "{{ (m.content if m.role == 'system' else m.content.strip()) + '<|END_OF_TURN_TOKEN|>' }}{% endfor %}"
     "{% if add_generation_prompt %}{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}{% endif %}"},
    {"deepseek-r1",
     {"<｜User｜>", "<｜Assistant｜>"},
     "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}{% elif m.role == 'user' %}"
     "{{ '<｜User｜>' + m.content }}{% else %}{{ '<｜Assistant｜>' + m.content.split('</think>')[-1] + '<｜end▁of▁sentence｜>' }}"
     "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\n' }}{% endif %}"},
    {"glm4",
     {"[gMASK]", "<sop>", "<|observation|>"},
     "[gMASK]<sop>{% for m in messages %}{% if m.content %}{{ '<|' + m.role + '|>\n' + m.content }}{% endif %}{% endfor %}"
     "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"},
    {"phi4-mini",
     {"<|user|>", "<|end|>", "<|endofprompt|>"},
     "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|end|>' }}{% endfor %}"
     "{{ '<|assistant|>' if add_generation_prompt else eos_token }}"},
    {"phi3",
     {"<|user|>", "<|end|>", "<|assistant|>"},
     "{% for m in messages %}{% if m.content or m.role != 'system' %}{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}{% endif %}"
     "{% endfor %}{{ '<|assistant|>\n' if add_generation_prompt else eos_token }}"},
    {"mistral-v7",
     {"[SYSTEM_PROMPT]", "[INST]"},
     "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' + m.content + '[/INST]' }}"
     "{% elif m.role == 'system' %}{{ '[SYSTEM_PROMPT] ' + m.content + '[/SYSTEM_PROMPT]' }}{% else %}{{ ' ' + m.content + eos_token }}"
     "{% endif %}{% endfor %}"},
    {"mistral-tekken", {"[INST]", "<SPECIAL_20>"}, MISTRAL("[INST]", "m.content")},
    {"mistral-v3", {"[INST]", "[/INST]"}, MISTRAL("[INST] ", "' ' + m.content|trim")},
    {"mistral-v1",
     {0},
     "{{ bos_token }}{% set ns = namespace(system='') %}{% for m in messages %}{% if m.role == 'system' %}"
     "{% set ns.system = m.content + '\n\n' %}{% elif m.role == 'user' %}{{ ' [INST] ' + ns.system + m.content + ' [/INST]' }}"
     "{% set ns.system = '' %}{% else %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}"},
    {"llama2",
     {0},
     "{% set ns = namespace(system='') %}{% for m in messages %}"
     "{% if m.role == 'system' %}{% set ns.system = '<<SYS>>\n' + m.content + '\n<</SYS>>\n\n' %}"
     "{% elif m.role == 'user' %}{{ bos_token + '[INST] ' + (ns.system + m.content)|trim + ' [/INST]' }}{% set ns.system = '' %}"
     "{% else %}{{ ' ' + m.content|trim + ' ' + eos_token }}{% endif %}{% endfor %}"},
    {"deepseek2",
     {0},
     "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ 'User: ' + m.content + '\n\n' }}"
     "{% elif m.role == 'assistant' %}{{ 'Assistant: ' + m.content + eos_token }}{% else %}{{ m.content + '\n\n' }}{% endif %}"
     "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"},
    {"glm-edge",
     {0},
     "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}"
     "{% endif %}"},
    {"zephyr",
     {0},
     "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + eos_token + '\n' }}{% endfor %}"
     "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"},
    {"vicuna",
     {0},
     "{{ bos_token }}{% if messages and messages[0].role != 'system' %}A chat between a curious user and an artificial intelligence "
     "assistant. The assistant gives helpful, detailed, and polite answers to the user's questions. {% endif %}{% for m in messages %}"
     "{% if m.role == 'user' %}{{ 'USER: ' + m.content + ' ' }}{% elif m.role == 'assistant' %}{{ 'ASSISTANT: ' + m.content + eos_token }}"
     "{% else %}{{ m.content + ' ' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"},
    {"alpaca",
     {0},
     "{{ bos_token }}{% if messages and messages[0].role != 'system' %}Below is an instruction that describes a task. Write a response "
     "that appropriately completes the request.\n\n{% endif %}"
     "{% for m in messages %}{% if m.role == 'user' %}{{ '### Instruction:\n' + m.content + '\n\n' }}{% elif m.role == 'assistant' %}"
     "{{ '### Response:\n' + m.content + eos_token + '\n\n' }}{% else %}{{ m.content + '\n\n' }}{% endif %}{% endfor %}"
     "{% if add_generation_prompt %}{{ '### Response:\n' }}{% endif %}"},
};
enum { N_ALL = sizeof all / sizeof *all };

const char *wick_template_builtin(const char *name) {
    for (size_t i = 0; i < N_ALL; i++)
        if (!strcmp(all[i].name, name)) return all[i].source;
    return NULL;
}

const char *wick_template_builtin_name(size_t i) { return i < N_ALL ? all[i].name : NULL; }

const char *wick_template_recognize(const wick_tokenizer *tokenizer) {
    for (size_t i = 0; i < N_ALL; i++) {
        bool has_all = all[i].tokens[0];
        for (int k = 0; k < 3 && has_all && all[i].tokens[k]; k++)
            has_all = wick_tokenizer_id(tokenizer, all[i].tokens[k], strlen(all[i].tokens[k])) >= 0;
        if (has_all) return all[i].name;
    }
    return NULL;
}
