/* wick.h: run language models from ExecuTorch `.pte` programs.
 *
 * Three tiers, each built on the next one's functions and on nothing hidden:
 *
 *   1. One call.  wick_model_open, wick_generate: text in, text out.
 *   2. Sessions.  The caller owns the token sequence and states it whole each time; the session keeps the longest
 *                 common prefix of what it has already evaluated and computes the rest. There is no position to
 *                 get wrong: editing an old message, retrying an answer or branching a chat is the same call.
 *   3. Parts.     Tokenizer, chat template and sampler, usable without a model.
 *
 * Conventions
 *   - Strings are UTF-8. Where a length follows a pointer, NUL bytes are ordinary bytes; elsewhere strings end in NUL.
 *   - Functions that can fail return a wick_status and take a `wick_error *err` last (NULL is allowed). On failure
 *     nothing has changed and *err holds one sentence that names the file, the place, what was found and expected.
 *   - `_open/_new` give ownership to the caller, `_close/_free` take it back and accept NULL. `_get` functions lend.
 *   - Option structs are made by their `_default()` function and then changed: fields may be added at the end.
 *   - A handle is used by one thread at a time; different handles are independent. A model may be shared by any
 *     number of sessions in any threads; it must outlive them.
 *   - The library prints nothing, exits never and keeps no global state.
 */
#ifndef WICK_H
#define WICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WICK_VERSION_MAJOR  0
#define WICK_VERSION_MINOR  1
#define WICK_VERSION_PATCH  0
#define WICK_VERSION_STRING "0.1.0"

/* Version of the library that runs, "0.1.0". */
const char *wick_version(void);

/* ---------------------------------------------------------------- errors */

#define WICK_STATUS_LIST(X)                                                                                                                \
    X(OK, "success")                                                                                                                       \
    X(EINVAL, "the call itself is wrong (a bug in the caller)")                                                                            \
    X(ENOMEM, "out of memory, or over the memory budget")                                                                                  \
    X(EIO, "reading or writing failed")                                                                                                    \
    X(ENOTFOUND, "a file, method, tensor or key does not exist")                                                                           \
    X(EFORMAT, "the input is malformed")                                                                                                   \
    X(EUNSUPPORTED, "the input is well-formed, but asks for something Wick does not do")                                                   \
    X(ELIMIT, "a stated limit (context length, size, depth) is exceeded")                                                                  \
    X(EMISMATCH, "two inputs do not belong together")                                                                                      \
    X(ECANCELED, "a callback asked to stop")                                                                                               \
    X(EINTERNAL, "a defect of Wick")

typedef enum wick_status {
#define WICK_STATUS_ENUM(name, text) WICK_##name,
    WICK_STATUS_LIST(WICK_STATUS_ENUM)
#undef WICK_STATUS_ENUM
} wick_status;

typedef struct wick_error {
    wick_status code;
    char message[500]; /* one sentence, UTF-8, always terminated */
} wick_error;

/* The name of a status ("EFORMAT"), and what it means. Never NULL. */
const char *wick_status_name(wick_status status);
const char *wick_status_text(wick_status status);

/* ---------------------------------------------------------------- models */

typedef struct wick_model wick_model;

/* Who executes the program. */
typedef enum wick_plan {
    WICK_PLAN_AUTO,   /* coarse ops where the program could be raised, op by op where it could not */
    WICK_PLAN_RAISED, /* refuse the program unless every instruction was raised */
    WICK_PLAN_MIXED,  /* what AUTO does, said explicitly */
    WICK_PLAN_VM,     /* every instruction as the stock runtime does it, reference kernels: slow, the oracle */
} wick_plan;

typedef struct wick_model_options {
    wick_plan plan;                /* WICK_PLAN_AUTO */
    const char *method;            /* NULL: "forward" */
    const char *const *data_paths; /* external weights, `.ptd`; borrowed during the call */
    size_t n_data_paths;
    int threads;     /* for packing the weights; 0: what the machine (cgroup, affinity) gives */
    const char *cpu; /* highest CPU level to use ("reference", "avx2", "avx512vnni", ...); NULL: the best */
    bool no_mmap;    /* read the file into memory instead of mapping it */
} wick_model_options;

wick_model_options wick_model_options_default(void);

/* Opens, verifies, raises and packs a program. The file may be deleted afterwards. */
wick_status wick_model_open(const char *path, const wick_model_options *options, wick_model **out, wick_error *err);
void wick_model_close(wick_model *model);

/* What a model says of itself; all strings live as long as the model. */
typedef struct wick_model_info {
    int64_t n_vocab;        /* width of a row of logits */
    int64_t max_seq_len;    /* most tokens per step that the program was made for */
    int64_t max_context;    /* most tokens in the KV cache */
    int64_t n_layers;       /* 0: unknown */
    int64_t bos_id;         /* -1: none */
    const int64_t *eos_ids; /* any of these ends an answer */
    size_t n_eos;
    bool uses_kv_cache;    /* false: every step evaluates the whole sequence */
    wick_plan plan;        /* RAISED, MIXED or VM: how it is executed */
    uint64_t weights_size; /* bytes held for weights after packing */
    double load_seconds;   /* all of wick_model_open; of it: */
    double verify_seconds; /* reading and checking the program */
    double raise_seconds;  /* finding its coarse ops (or setting up the op-by-op interpreter) */
    double pack_seconds;   /* bringing the weights into the order that this machine multiplies in */
    /* Attention sinks: the program's cache and its positions go around, so that a sequence has no end and max_context is no limit.
     * Attention sees the first n_first tokens and the newest n_last. */
    bool endless;
    int64_t n_first, n_last;
} wick_model_info;

const wick_model_info *wick_model_info_get(const wick_model *model);

/* Named data that the program carries ("wick.tokenizer", "wick.chat_template", ...); false if it has none. Lent. */
bool wick_model_data_get(const wick_model *model, const char *key, const void **data, size_t *size);

typedef struct wick_describe_options {
    bool json;              /* one JSON object instead of text */
    bool show_plan;         /* what was raised, what was left and why, the raised graph */
    bool show_instructions; /* every instruction and delegate node */
    const char *const *data_paths;
    size_t n_data_paths;
    bool no_speed; /* do not measure how fast memory is: nothing of the text depends on the machine */
    int threads;   /* that would run the program; 0: what the machine gives */
} wick_describe_options;

wick_describe_options wick_describe_options_default(void);

/* Receives consecutive pieces of text, not terminated; returning false stops the call with WICK_ECANCELED. */
typedef bool wick_write_fn(void *user, const char *text, size_t size);

/* Explains a `.pte` without running it: methods, inputs and outputs, metadata, delegates, quantization, memory. */
wick_status wick_program_describe(const char *path, const wick_describe_options *options, wick_write_fn *write, void *user,
                                  wick_error *err);

/* Explains a checkpoint (GGUF, safetensors, llama2.c; a file or a folder): tensors, types, metadata. show_instructions lists
 * every tensor. */
wick_status wick_checkpoint_describe(const char *path, const wick_describe_options *options, wick_write_fn *write, void *user,
                                     wick_error *err);

/* ---------------------------------------------------------------- sessions */

typedef struct wick_session wick_session;

typedef enum wick_kv_dtype { WICK_KV_F16, WICK_KV_F32 } wick_kv_dtype;

typedef struct wick_session_options {
    int threads;            /* 0: what the machine gives */
    int64_t context;        /* tokens the session can hold; 0: all that the program was made for, 2^20 of an endless one */
    wick_kv_dtype kv_dtype; /* F16; F32 for comparisons */
    int64_t prefill_chunk;  /* most tokens evaluated in one step; 0: Wick's choice. Results do not depend on it. */
} wick_session_options;

wick_session_options wick_session_options_default(void);

wick_status wick_session_new(wick_model *model, const wick_session_options *options, wick_session **out, wick_error *err);
void wick_session_free(wick_session *session);

/* The model that a session runs. */
wick_model *wick_session_model_get(const wick_session *session);

/* Called during a long evaluation, between its steps and often within them, on the thread that asked for it; returning false stops it
 * with WICK_ECANCELED (the steps that are done are kept). */
typedef bool wick_progress_fn(void *user, double done, double total);

/* States the token sequence. Keeps the longest common prefix of what was evaluated before, drops the rest, evaluates
 * what is new, and leaves the logits of the last token in wick_session_logits. n >= 1. */
wick_status wick_session_sync(wick_session *session, const int32_t *tokens, size_t n, wick_error *err);

/* The same, for one more token at the end. */
wick_status wick_session_step(wick_session *session, int32_t token, wick_error *err);

/* Installs a progress callback for wick_session_sync; NULL removes it. */
void wick_session_on_progress(wick_session *session, wick_progress_fn *fn, void *user);

/* Logits after the last evaluated token, fp32 [n_vocab]; NULL before the first. Lent until the next call. */
const float *wick_session_logits(const wick_session *session);

/* The tokens that the session holds; lent until the next call. */
const int32_t *wick_session_tokens(const wick_session *session, size_t *n);
int64_t wick_session_capacity(const wick_session *session);

/* Forgets everything after the first n tokens (n = 0: all). */
wick_status wick_session_rewind(wick_session *session, size_t n, wick_error *err);

/* Keeps the evaluated state in a file and brings it back: bound to the model by a fingerprint of its program. */
wick_status wick_session_save(const wick_session *session, const char *path, wick_error *err);
wick_status wick_session_load(wick_session *session, const char *path, wick_error *err);

/* ---------------------------------------------------------------- tokenizers */

typedef struct wick_tokenizer wick_tokenizer;

/* A tokenizer.json, SentencePiece .model, .tiktoken, tekken.json, llama2.c .bin, a GGUF or a folder that holds one of them: the kind is
 * found by content. (The tokenizer of a `.pte`: wick_tokenizer_from_model.) */
wick_status wick_tokenizer_open(const char *path, wick_tokenizer **out, wick_error *err);
/* The tokenizer inside a model; WICK_ENOTFOUND if it carries none. */
wick_status wick_tokenizer_from_model(const wick_model *model, wick_tokenizer **out, wick_error *err);
/* A compiled tokenizer, the contents of a program's "wick.tokenizer". Borrowed where it is aligned to 8 bytes (else copied): it
 * must outlive the tokenizer, as the model must for wick_tokenizer_from_model. */
wick_status wick_tokenizer_from_blob(const void *blob, size_t size, wick_tokenizer **out, wick_error *err);
/* Writes the vocabulary of a SentencePiece model (a .model, or a GGUF or tokenizer.bin that came from one) as ExecuTorch's
 * tokenizer.bin, byte for byte what ExecuTorch's own converter makes of the .model. */
wick_status wick_tokenizer_convert(const char *path, const char *bin_path, wick_error *err);
/* The compiled form of any tokenizer, the same bytes for the same file; lent. */
const void *wick_tokenizer_blob(const wick_tokenizer *tokenizer, size_t *size);
void wick_tokenizer_free(wick_tokenizer *tokenizer);

enum {
    WICK_ENCODE_PARSE_SPECIAL = 1, /* the text of a special token becomes its id; off: it is ordinary text */
    WICK_ENCODE_ADD_SPECIAL = 2,   /* add what the tokenizer's own rule adds (BOS, EOS, [CLS] ...) */
};

/* Encodes text. *ids is allocated with the tokenizer's allocator: give it back with wick_tokens_free. */
wick_status wick_tokenizer_encode(const wick_tokenizer *tokenizer, const char *text, size_t size, unsigned flags, int32_t **ids, size_t *n,
                                  wick_error *err);
void wick_tokens_free(int32_t *ids);

/* A range of bytes [from, to). */
typedef struct wick_span {
    size_t from, to;
} wick_span;

/* The same, and for each token the bytes of the text that it stands for, by the rules of Hugging Face's offsets: whole characters, [0, 0)
 * for what ADD_SPECIAL adds. Give *spans back with wick_spans_free. Slower than encoding alone. */
wick_status wick_tokenizer_encode_spans(const wick_tokenizer *tokenizer, const char *text, size_t size, unsigned flags, int32_t **ids,
                                        wick_span **spans, size_t *n, wick_error *err);
void wick_spans_free(wick_span *spans);

/* Decodes ids to text (allocated, terminated, *size without the NUL). Give it back with wick_text_free. */
wick_status wick_tokenizer_decode(const wick_tokenizer *tokenizer, const int32_t *ids, size_t n, bool skip_special, char **text,
                                  size_t *size, wick_error *err);
void wick_text_free(char *text);

int64_t wick_tokenizer_n_vocab(const wick_tokenizer *tokenizer); /* highest id + 1 */
int32_t wick_tokenizer_bos(const wick_tokenizer *tokenizer);     /* -1: none */
int32_t wick_tokenizer_eos(const wick_tokenizer *tokenizer);     /* -1: none */
bool wick_tokenizer_is_special(const wick_tokenizer *tokenizer, int32_t id);
/* The id whose text is exactly `piece`, -1 if there is none. */
int32_t wick_tokenizer_id(const wick_tokenizer *tokenizer, const char *piece, size_t size);

/* Streaming decode: text comes out in whole UTF-8 characters, as soon as no later token can change it. */
typedef struct wick_decoder wick_decoder;
wick_status wick_decoder_new(const wick_tokenizer *tokenizer, bool skip_special, wick_decoder **out, wick_error *err);
void wick_decoder_free(wick_decoder *decoder);
/* Adds a token; *text (lent until the next call) is what became certain, possibly empty. */
wick_status wick_decoder_push(wick_decoder *decoder, int32_t id, const char **text, size_t *size, wick_error *err);
/* What is left at the end (an unfinished character becomes U+FFFD); the decoder starts anew. */
wick_status wick_decoder_finish(wick_decoder *decoder, const char **text, size_t *size, wick_error *err);

/* ---------------------------------------------------------------- samplers */

typedef struct wick_sampler wick_sampler;

typedef struct wick_logit_bias {
    int32_t token;
    float bias; /* added to the logit; -INFINITY: never */
} wick_logit_bias;

/* Steps run in `order`; a step whose option is at its "off" value does nothing. Penalties and biases see all logits and come
 * first. Arrays are copied. One seed, one text: on any machine, with any number of threads. */
typedef struct wick_sampler_options {
    float temperature;    /* 0: always the most likely token (the lowest id of equals); 0.8 */
    int top_k;            /* 0: off */
    float top_p;          /* 1: off */
    float min_p;          /* 0: off */
    float repeat_penalty; /* 1: off */
    int repeat_last_n;    /* 64: window of all three penalties; -1: everything (at most 65536) */
    uint64_t seed;        /* one seed, one text */
    const char *order;    /* NULL or "llamacpp": penalties;dry;top_n_sigma;top_k;typical;top_p;min_p;xtc;temperature. "hf": temperature
                             before the truncations. Or step names of your own, joined by ';' */
    float frequency_penalty, presence_penalty; /* 0: off */
    float typical_p;                           /* 1: off */
    float top_n_sigma;                         /* 0: off */
    float xtc_probability, xtc_threshold;      /* 0: off; 0.1 */
    float dry_multiplier, dry_base;            /* 0: off; 1.75 */
    int dry_allowed_length, dry_last_n;        /* 2; -1: everything (at most 65536) */
    const int32_t *dry_breakers;               /* tokens that end a repeat; wick_generate_options has them as text */
    size_t n_dry_breakers;
    int mirostat;                            /* 0: off, 1, 2: instead of the truncations */
    float mirostat_tau, mirostat_eta;        /* 5, 0.1 */
    float dynatemp_range, dynatemp_exponent; /* 0: off; 1 */
    const wick_logit_bias *biases;
    size_t n_biases;
    const int32_t *end_ids; /* impossible until min_tokens tokens have been sampled and accepted */
    size_t n_end_ids;
    int64_t min_tokens;
    int min_keep; /* 1: truncations leave at least this many candidates */
} wick_sampler_options;

wick_sampler_options wick_sampler_options_default(void);
/* The default, changed to what the model's makers recommend where the model carries that ("wick.generation", from
 * generation_config.json or the GGUF). On failure *out is the default. */
wick_status wick_sampler_options_from_model(const wick_model *model, wick_sampler_options *out, wick_error *err);

/* The numbers among the options by name: for command lines, settings, requests. */
typedef struct wick_sampler_field {
    const char *name; /* as in the struct */
    bool whole;
    double least, most;
    const char *help; /* one line, with the default */
} wick_sampler_field;
const wick_sampler_field *wick_sampler_field_get(size_t i); /* NULL: there are i */
double wick_sampler_option(const wick_sampler_options *options, size_t i_field);
wick_status wick_sampler_option_set(wick_sampler_options *options, size_t i_field, double value, wick_error *err);

wick_status wick_sampler_new(const wick_sampler_options *options, size_t n_vocab, wick_sampler **out, wick_error *err);
void wick_sampler_free(wick_sampler *sampler);
/* Tells the sampler of a token that is part of the text (prompt tokens too, if penalties shall see them). */
void wick_sampler_accept(wick_sampler *sampler, int32_t token);
/* States the whole text instead: tokens [n], of which the last n_drawn were sampled. Chance goes on from where it is. */
void wick_sampler_set_text(wick_sampler *sampler, const int32_t *tokens, size_t n, size_t n_drawn);
/* Chooses a token from logits [n_vocab]; NaN counts as impossible. Does not accept it. Allocates nothing. */
int32_t wick_sampler_sample(wick_sampler *sampler, const float *logits);

/* Log probabilities from logits as the model gave them: of `token` to *logprob (NULL: not wanted), and of the n_top most likely
 * tokens to `top`, most likely first. Returns how many. */
typedef struct wick_logprob {
    int32_t token;
    float logprob;
} wick_logprob;
size_t wick_logprobs(const float *logits, size_t n_vocab, int32_t token, float *logprob, wick_logprob *top, size_t n_top);

/* ---------------------------------------------------------------- chat templates */

/* The Jinja source that comes with a model, rendered as `transformers` renders it: in a sandbox with limits on steps, depth,
 * memory and output. A template may be rendered any number of times. */
typedef struct wick_template wick_template;
wick_status wick_template_new(const char *source, size_t size, wick_template **out, wick_error *err);
/* A template file, a tokenizer_config.json, a chat_template.json, a GGUF, a `.pte` or a folder that holds one of them: the kind is
 * found by content. */
wick_status wick_template_open(const char *path, wick_template **out, wick_error *err);
/* The template inside a model; WICK_ENOTFOUND if it carries none. */
wick_status wick_template_from_model(const wick_model *model, wick_template **out, wick_error *err);
void wick_template_free(wick_template *chat_template);
/* Templates for models that carry none, by name: the source (NULL: unknown), the i-th name (NULL: there are i), and the name of the one
 * whose special tokens a tokenizer has (NULL: none). They are for conversations without tools. */
const char *wick_template_builtin(const char *name);
const char *wick_template_builtin_name(size_t i);
const char *wick_template_recognize(const wick_tokenizer *tokenizer);

typedef struct wick_template_input {
    const char *messages;  /* JSON array of objects with "role", "content" ... */
    const char *tools;     /* JSON array; NULL: none */
    const char *variables; /* JSON object of further variables (add_generation_prompt, bos_token, enable_thinking ...); NULL: none */
    const char *now;       /* local time for strftime_now, "2026-01-15T12:34:56"; NULL: the clock */
} wick_template_input;

typedef struct wick_rendered {
    char *text; /* owned, terminated */
    size_t size;
    wick_span *input; /* owned: what came from messages and tools; the rest is the template's own */
    size_t n_input;
} wick_rendered;

/* WICK_EINVAL: the template refused (raise_exception); its words are the message. */
wick_status wick_template_render(const wick_template *chat_template, const wick_template_input *input, wick_rendered *out, wick_error *err);
void wick_rendered_release(wick_rendered *rendered);

/* Encodes a rendered conversation: special tokens that the template wrote become their ids, the same characters in what
 * a user wrote stay text. The tokens are otherwise those of the whole text. */
wick_status wick_tokenizer_encode_rendered(const wick_tokenizer *tokenizer, const wick_rendered *rendered, int32_t **ids, size_t *n,
                                           wick_error *err);

/* ---------------------------------------------------------------- chat */

typedef struct wick_message {
    const char *role; /* "system", "user", "assistant" */
    const char *content;
} wick_message;

/* True if there is a chat format for the model: its own template, or a built-in one that fits the tokenizer (NULL: the model's). *what
 * (lent, static; NULL: not wanted) says which it is: "the model's own", the name of a built-in one, or what is missing. */
bool wick_chat_available(const wick_model *model, const wick_tokenizer *tokenizer, const char **what);

/* ---------------------------------------------------------------- one call */

typedef enum wick_finish { WICK_FINISH_STOP, WICK_FINISH_LENGTH, WICK_FINISH_CANCELED } wick_finish;

/* Receives the answer as it grows, in whole UTF-8 characters, never a part of a stop string or of a banned one; returning false ends
 * it with WICK_FINISH_CANCELED. */
typedef bool wick_text_fn(void *user, const char *text, size_t size);

/* Sees every chosen token, with the logits it was chosen from ([n_vocab], lent during the call), also those that a banned string
 * makes it take back. */
typedef bool wick_token_fn(void *user, int32_t token, const float *logits);

typedef struct wick_generate_options {
    const wick_message *messages; /* a conversation, rendered by a template; wins over prompt */
    size_t n_messages;
    const wick_template *chat_template; /* NULL: the model's own, else the built-in one that its tokenizer is recognized by */
    const char *prompt;                 /* raw text, continued as it is */
    const int32_t *tokens;              /* ready token ids, nothing is added to them; win over both */
    size_t n_tokens;
    int n_bos, n_eos;        /* raw text only: how many BOS / EOS ids to put before / after; -1: the tokenizer's rule */
    int64_t max_new_tokens;  /* 0: until the model stops or the context is full; of an endless model: max_context tokens */
    bool ignore_eos;         /* go on after what wick_end_tokens lists */
    const char *const *stop; /* text that ends the answer and is not part of it; the text of a special token stands for that token */
    size_t n_stop;
    const char *const *banned; /* text that may not occur: where it begins, another token is chosen */
    size_t n_banned;
    const char *const *dry_breakers; /* text that ends a repeat for DRY, by way of every token that has it; NULL: newline, colon, quotation
                                        mark and asterisk, unless the sampler's options name tokens */
    size_t n_dry_breakers;
    const int32_t *forced; /* continuation to follow instead of sampling, at least max_new_tokens ids; nothing can be banned then */
    size_t n_forced;
    wick_sampler_options sampler;
    const wick_tokenizer *tokenizer; /* NULL: the model's own */
    wick_text_fn *on_text;
    wick_token_fn *on_token;
    void *user;
} wick_generate_options;

wick_generate_options wick_generate_options_default(void);

typedef struct wick_generate_result {
    wick_finish finish;
    size_t n_prompt;        /* tokens of the prompt */
    size_t n_cached;        /* of these, taken from the session's state */
    size_t n_predicted;     /* tokens of the answer, with what ended it: the end token, or those of the stop string */
    int64_t i_stop;         /* which stop string ended it; -1: none */
    double prompt_seconds;  /* evaluating the prompt */
    double first_seconds;   /* from the call to the first token */
    double predict_seconds; /* from the first token to the last */
    int32_t *prompt_tokens; /* [n_prompt], owned */
    int32_t *tokens;        /* [n_predicted], owned */
    char *text;             /* the answer, owned, terminated; NULL without a tokenizer */
} wick_generate_result;

void wick_generate_result_release(wick_generate_result *result);

/* Every token that ends an answer, ascending, each once: what the program names (its exporter collected generation_config.json, the
 * tokenizer's configuration or the GGUF's ids), the tokenizer's EOS, its special tokens of known meaning ("<|im_end|>",
 * "<|eot_id|>" ...), and the one that the chat template (NULL: the model's) puts after an answer. tokenizer: NULL: what the program
 * names alone. Give them back with wick_tokens_free. */
wick_status wick_end_tokens(const wick_model *model, const wick_tokenizer *tokenizer, const wick_template *chat_template, int32_t **ids,
                            size_t *n, wick_error *err);

/* Continues the session's state with a prompt, a conversation or tokens. Give the same session again for the next turn:
 * what both turns share is not evaluated twice. result may be NULL when the callbacks are enough. */
wick_status wick_generate(wick_session *session, const wick_generate_options *options, wick_generate_result *result, wick_error *err);

/* The tokens that wick_generate would evaluate first for these options: to count them, or to show them. Give them back with
 * wick_tokens_free. */
wick_status wick_generate_prompt(const wick_model *model, const wick_generate_options *options, int32_t **ids, size_t *n, wick_error *err);

#ifdef __cplusplus
}
#endif
#endif
