/* Pre-tokenizers by name: a table, and the steps that its rows stand for. */
#include "text/gguf_pre.h"
#include "text/tok_split.h"

#include <string.h>

enum { NFC = 1, DIGITS = 2, WHOLE_WORDS = 4, BOS = 8 }; /* DIGITS: each by itself, before all else; WHOLE_WORDS: ignore_merges */

typedef struct cut {
    uint32_t kind, flags, value; /* of a wick_tok_op; 0: no more */
    const char *pattern;         /* of a SPLIT that isolates its matches */
} cut;

typedef struct named_pre {
    const char *names; /* with spaces between */
    wick_splitter_kind splitter;
    uint32_t flags;
    const cut *cuts; /* instead of a splitter: each cuts what the one before left */
} named_pre;

#define SPLIT(text)                                                                                                                        \
    { .kind = WICK_PRE_SPLIT, .pattern = text }
#define BYTES                                                                                                                              \
    { .kind = WICK_PRE_BYTE_LEVEL }
/* Letters with case, as deepseek-llm's file spells them: a list of an older Unicode. */
/* clang-format off */ /* it is of two minds about the width of these lines */
#define CASED_LETTERS \
    "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅ" \
    "ὐ-ὗὙὛὝὟ-\u1f7dᾀ-ᾴᾶ-ᾼ\u1fbeῂ-ῄῆ-ῌῐ-\u1fd3ῖ-\u1fdbῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212a-ℭℯ-ℴℹℼ-ℿ" \
    "ⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃"
/* clang-format on */
#define HAN_TO_HANGUL "[一-龥ࠀ-一가-\ud7ff]+"

/* Its digits are looked for among the characters that stand for bytes: bytes 0xb2 and 0xbc are numbers there. */
static const cut falcon[] = {{.kind = WICK_PRE_PUNCTUATION, .value = WICK_SPLIT_CONTIGUOUS},
                             {.kind = WICK_PRE_BYTE_LEVEL, .flags = WICK_OP_USE_REGEX},
                             {.kind = WICK_PRE_DIGITS},
                             SPLIT("[0-9][0-9][0-9]"),
                             {0}};
static const cut deepseek_coder[] = {
    SPLIT("[\r\n]"), SPLIT("\\s?\\p{L}+"), SPLIT("\\s?\\p{P}+"), SPLIT(HAN_TO_HANGUL), SPLIT("\\p{N}"), BYTES, {0}};
static const cut deepseek_llm[] = {SPLIT("[\r\n]"),
                                   SPLIT("\\s?[" CASED_LETTERS "]+"),
                                   SPLIT("\\s?[!-/:-~！-／：-～‘-‟\u3000-。]+"),
                                   SPLIT("\\s+$"),
                                   SPLIT(HAN_TO_HANGUL),
                                   SPLIT("\\p{N}+"),
                                   BYTES,
                                   {0}};
static const cut deepseek_v3[] = {
    SPLIT("\\p{N}{1,3}"),
    SPLIT("[一-龥\u3040-ゟ゠-ヿ]+"),
    SPLIT("[!-/:-@\\[-`{-~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"),
    BYTES,
    {0}};

static const named_pre pres[] = {
    {"default gpt-2 phi-2 exaone4 gigachat granite-docling jais mellum trillion", WICK_SPLITTER_GPT2, 0, NULL},
    {"mpt olmo", WICK_SPLITTER_GPT2, NFC, NULL},
    {"smollm starcoder refact command-r codeshell exaone minerva-7b", WICK_SPLITTER_GPT2, DIGITS, NULL},
    {"llama-bpe llama3 llama-v3 smaug-bpe lfm2 falcon3 falcon-h1 pixtral midm-2.0", WICK_SPLITTER_P3, WHOLE_WORDS | BOS, NULL},
    {"dbrx", WICK_SPLITTER_P3, WHOLE_WORDS, NULL},
    {"glm4 chatglm-bpe", WICK_SPLITTER_P3, 0, NULL},
    {"qwen2 deepseek-r1-qwen stablelm2", WICK_SPLITTER_QWEN, NFC, NULL},
    {"grok-2 hunyuan megrez solar-open", WICK_SPLITTER_QWEN, 0, NULL},
    {"qwen35", WICK_SPLITTER_QWEN35, NFC, NULL},
    {"gpt-4o minimax-m2", WICK_SPLITTER_O200K, 0, NULL},
    {"llama4", WICK_SPLITTER_O200K, BOS, NULL},
    {"tekken", WICK_SPLITTER_TEKKEN, WHOLE_WORDS | BOS, NULL},
    {"falcon", WICK_SPLITTER_NONE, 0, falcon},
    {"deepseek-coder", WICK_SPLITTER_NONE, 0, deepseek_coder},
    {"deepseek-llm", WICK_SPLITTER_NONE, 0, deepseek_llm},
    {"deepseek-v3 hunyuan-dense joyai-llm", WICK_SPLITTER_NONE, 0, deepseek_v3},
};

static wick_status add_cut(wick_tok_spec *s, const cut *c, wick_error *err) {
    const wick_bytes none = {0};
    if (c->kind == WICK_PRE_SPLIT) return wick_spec_pattern(s, c->pattern, strlen(c->pattern), WICK_SPLIT_ISOLATED, 0, err);
    return wick_spec_op(s, WICK_STAGE_PRE, (wick_tok_op){.kind = c->kind, .flags = c->flags, .value = c->value}, none, none, err);
}

static bool among(wick_bytes name, const char *names) {
    for (size_t n; *names; names += n + (names[n] == ' ')) {
        n = strcspn(names, " ");
        if (n == name.size && !memcmp(names, name.data, n)) return true;
    }
    return false;
}

static const named_pre *find(wick_bytes name) {
    for (size_t i = 0; i < sizeof pres / sizeof *pres; i++)
        if (among(name, pres[i].names)) return &pres[i];
    return NULL;
}

wick_status wick_gguf_pre(wick_tok_spec *s, wick_bytes name, bool *bos, wick_error *err) {
    const wick_bytes none = {0};
    const named_pre *pre = find(name.size ? name : (wick_bytes){(const uint8_t *)"default", 7});
    if (!pre)
        return wick_fail(err, WICK_EUNSUPPORTED, "tokenizer.ggml.pre is \"%.*s\", which Wick has no splitter for",
                         (int)(name.size < 60 ? name.size : 60), name.data);
    *bos = pre->flags & BOS;
    if (pre->flags & WHOLE_WORDS) s->config.flags |= WICK_TOK_IGNORE_MERGES;
    if (pre->flags & NFC) WICK_TRY(wick_spec_op(s, WICK_STAGE_NORMALIZE, (wick_tok_op){.kind = WICK_NORM_NFC}, none, none, err));
    if (pre->flags & DIGITS) WICK_TRY(add_cut(s, &(cut){.kind = WICK_PRE_DIGITS, .flags = WICK_OP_INDIVIDUAL}, err));
    const cut splitter[] = {SPLIT(wick_splitter_pattern(pre->splitter)), BYTES, {0}};
    for (const cut *c = pre->cuts ? pre->cuts : splitter; c->kind; c++) WICK_TRY(add_cut(s, c, err));
    return WICK_OK;
}
