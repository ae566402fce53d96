/* The stages of a tokenizer.json: one function for each of its four lists. */
#include "base/limits.h"
#include "base/mem.h"
#include "text/read_json.h"
#include "text/tok_base64.h"

#include <string.h>

typedef struct stage_reader {
    wick_tok_spec *s;
    wick_error *err;
} stage_reader;

typedef wick_status read_step_fn(stage_reader *r, const json_t *j);

/* A step, or a Sequence of steps under a key. */
static wick_status read_steps(stage_reader *r, const json_t *j, const char *key, read_step_fn *read, int depth) {
    if (!j || json_is_null(j)) return WICK_OK;
    if (depth > 16) return wick_fail(r->err, WICK_ELIMIT, "sequences of steps are nested deeper than 16");
    const json_t *list = json_object_get(j, key);
    if (!json_is_array(list)) return read(r, j);
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) WICK_TRY(read_steps(r, item, key, read, depth + 1));
    return WICK_OK;
}

static wick_status unknown_step(stage_reader *r, const json_t *j, const char *what) {
    const json_t *type = json_object_get(j, "type");
    return wick_fail(r->err, WICK_EUNSUPPORTED, "the %s \"%.60s\" is not known", what,
                     json_is_string(type) ? json_string_value(type) : "?");
}

static bool type_is(const json_t *j, const char *type) { return wick_json_is(json_object_get(j, "type"), type); }

static uint32_t flag(const json_t *j, const char *key, bool fallback, uint32_t bit) { return wick_json_flag(j, key, fallback) ? bit : 0; }

/* {"String": ...} or {"Regex": ...}, or a plain string in old files. */
static wick_status pattern_of(stage_reader *r, const json_t *j, wick_bytes *text, bool *regex) {
    const json_t *p = json_object_get(j, "pattern");
    *regex = json_is_object(p) && json_object_get(p, "Regex");
    *text = wick_json_text(json_is_object(p) ? json_object_get(p, *regex ? "Regex" : "String") : p);
    return text->data ? WICK_OK : wick_fail(r->err, WICK_EFORMAT, "a step has no pattern");
}

static wick_status replace_step(stage_reader *r, const json_t *j, int stage, uint32_t kind) {
    wick_bytes what;
    bool regex;
    WICK_TRY(pattern_of(r, j, &what, &regex));
    wick_tok_op op = {.kind = kind, .flags = regex ? WICK_OP_REGEX : 0};
    return wick_spec_op(r->s, stage, op, what, wick_json_text(json_object_get(j, "content")), r->err);
}

/* ---- normalizers */

static wick_status precompiled_step(stage_reader *r, const json_t *j) {
    wick_bytes text = wick_json_text(json_object_get(j, "precompiled_charsmap"));
    wick_strbuf map = {0};
    wick_status status = WICK_OK;
    if (text.size && wick_base64_add(text.data, text.data + text.size, &map) != text.data + text.size)
        status = wick_fail(r->err, WICK_EFORMAT, "precompiled_charsmap is not base64");
    else if (map.failed)
        status = wick_fail_nomem(r->err);
    else
        status = wick_spec_op(r->s, WICK_STAGE_NORMALIZE, (wick_tok_op){.kind = WICK_NORM_PRECOMPILED},
                              (wick_bytes){(const uint8_t *)map.data, map.size}, (wick_bytes){0}, r->err);
    wick_strbuf_release(&map);
    return status;
}

static wick_status read_normalizer(stage_reader *r, const json_t *j) {
    static const struct {
        const char *name;
        uint32_t kind;
    } plain[] = {{"NFC", WICK_NORM_NFC},         {"NFD", WICK_NORM_NFD},
                 {"NFKC", WICK_NORM_NFKC},       {"NFKD", WICK_NORM_NFKD},
                 {"Lowercase", WICK_NORM_LOWER}, {"StripAccents", WICK_NORM_STRIP_ACCENTS},
                 {"Nmt", WICK_NORM_NMT},         {"ByteLevel", WICK_NORM_BYTE_LEVEL}};
    wick_tok_op op = {0};
    wick_bytes a = {0};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (type_is(j, plain[i].name)) op.kind = plain[i].kind;
    if (type_is(j, "Replace")) return replace_step(r, j, WICK_STAGE_NORMALIZE, WICK_NORM_REPLACE);
    if (type_is(j, "Precompiled")) return precompiled_step(r, j);
    if (type_is(j, "Prepend")) {
        op.kind = WICK_NORM_PREPEND;
        a = wick_json_text(json_object_get(j, "prepend"));
    } else if (type_is(j, "Strip")) {
        op.kind = WICK_NORM_STRIP;
        op.flags = flag(j, "strip_left", true, WICK_OP_LEFT) | flag(j, "strip_right", true, WICK_OP_RIGHT);
    } else if (type_is(j, "BertNormalizer")) {
        bool lower = wick_json_flag(j, "lowercase", true);
        op.kind = WICK_NORM_BERT;
        op.flags = flag(j, "clean_text", true, WICK_OP_CLEAN) | flag(j, "handle_chinese_chars", true, WICK_OP_CHINESE) |
                   flag(j, "strip_accents", lower, WICK_OP_ACCENTS) | (lower ? WICK_OP_LOWER : 0);
    }
    if (!op.kind) return unknown_step(r, j, "normalizer");
    return wick_spec_op(r->s, WICK_STAGE_NORMALIZE, op, a, (wick_bytes){0}, r->err);
}

/* ---- pre-tokenizers */

static wick_status behavior_of(stage_reader *r, const json_t *j, uint32_t *out) {
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
    const json_t *b = json_object_get(j, "behavior");
    *out = WICK_SPLIT_ISOLATED;
    if (!b) return WICK_OK;
    for (uint32_t i = 0; i < 5; i++)
        if (wick_json_is(b, names[i])) return *out = i, WICK_OK;
    return wick_fail(r->err, WICK_EFORMAT, "a pre-tokenizer has an unknown behavior");
}

static wick_status split_step(stage_reader *r, const json_t *j) {
    wick_bytes what;
    bool regex;
    uint32_t behavior, flags = flag(j, "invert", false, WICK_OP_INVERT);
    WICK_TRY(pattern_of(r, j, &what, &regex));
    WICK_TRY(behavior_of(r, j, &behavior));
    if (regex) return wick_spec_pattern(r->s, (const char *)what.data, what.size, behavior, flags, r->err);
    return wick_spec_op(r->s, WICK_STAGE_PRE, (wick_tok_op){.kind = WICK_PRE_SPLIT, .flags = flags, .value = behavior}, what,
                        (wick_bytes){0}, r->err);
}

/* prepend_scheme, or add_prefix_space in old files. */
static uint32_t scheme_of(const json_t *j) {
    const json_t *s = json_object_get(j, "prepend_scheme");
    if (wick_json_is(s, "first")) return WICK_PREPEND_FIRST;
    if (wick_json_is(s, "never")) return WICK_PREPEND_NEVER;
    if (wick_json_is(s, "always")) return WICK_PREPEND_ALWAYS;
    return wick_json_flag(j, "add_prefix_space", true) ? WICK_PREPEND_ALWAYS : WICK_PREPEND_NEVER;
}

static wick_status read_pre(stage_reader *r, const json_t *j) {
    wick_tok_op op = {0};
    wick_bytes a = {0};
    if (type_is(j, "Split")) return split_step(r, j);
    if (type_is(j, "ByteLevel")) {
        op.kind = WICK_PRE_BYTE_LEVEL;
        op.flags = flag(j, "add_prefix_space", true, WICK_OP_PREFIX_SPACE) | flag(j, "use_regex", true, WICK_OP_USE_REGEX);
    } else if (type_is(j, "Digits")) {
        op.kind = WICK_PRE_DIGITS;
        op.flags = flag(j, "individual_digits", false, WICK_OP_INDIVIDUAL);
    } else if (type_is(j, "Punctuation")) {
        op.kind = WICK_PRE_PUNCTUATION;
        WICK_TRY(behavior_of(r, j, &op.value));
    } else if (type_is(j, "Metaspace")) {
        op.kind = WICK_PRE_METASPACE;
        op.value = scheme_of(j);
        op.flags = flag(j, "split", true, WICK_OP_SPLIT);
        a = wick_json_text(json_object_get(j, "replacement"));
    } else if (type_is(j, "CharDelimiterSplit")) {
        op.kind = WICK_PRE_CHAR_DELIMITER;
        a = wick_json_text(json_object_get(j, "delimiter"));
    } else if (type_is(j, "FixedLength")) {
        const json_t *n = json_object_get(j, "length");
        op.kind = WICK_PRE_FIXED;
        op.value = json_is_integer(n) && json_integer_value(n) > 0 && json_integer_value(n) < 1 << 30 ? (uint32_t)json_integer_value(n) : 5;
    } else if (type_is(j, "Whitespace"))
        op.kind = WICK_PRE_WHITESPACE;
    else if (type_is(j, "WhitespaceSplit"))
        op.kind = WICK_PRE_WHITESPACE_SPLIT;
    else if (type_is(j, "BertPreTokenizer"))
        op.kind = WICK_PRE_BERT;
    else if (type_is(j, "UnicodeScripts"))
        op.kind = WICK_PRE_SCRIPTS;
    if (!op.kind) return unknown_step(r, j, "pre-tokenizer");
    return wick_spec_op(r->s, WICK_STAGE_PRE, op, a, (wick_bytes){0}, r->err);
}

/* ---- decoders */

static uint32_t small_int(const json_t *j, const char *key) {
    const json_t *v = json_object_get(j, key);
    return json_is_integer(v) && json_integer_value(v) > 0 && json_integer_value(v) < 0xffff ? (uint32_t)json_integer_value(v) : 0;
}

static wick_status read_decoder(stage_reader *r, const json_t *j) {
    wick_tok_op op = {0};
    wick_bytes a = {0}, b = {0};
    if (type_is(j, "Replace")) return replace_step(r, j, WICK_STAGE_DECODE, WICK_DEC_REPLACE);
    if (type_is(j, "ByteLevel"))
        op.kind = WICK_DEC_BYTE_LEVEL;
    else if (type_is(j, "ByteFallback"))
        op.kind = WICK_DEC_BYTE_FALLBACK;
    else if (type_is(j, "Fuse"))
        op.kind = WICK_DEC_FUSE;
    else if (type_is(j, "Strip")) {
        op.kind = WICK_DEC_STRIP;
        op.value = small_int(j, "start") | small_int(j, "stop") << 16;
        a = wick_json_text(json_object_get(j, "content"));
    } else if (type_is(j, "Metaspace")) {
        op.kind = WICK_DEC_METASPACE;
        op.value = scheme_of(j);
        a = wick_json_text(json_object_get(j, "replacement"));
    } else if (type_is(j, "WordPiece")) {
        op.kind = WICK_DEC_WORDPIECE;
        op.flags = flag(j, "cleanup", true, WICK_OP_CLEAN);
        a = wick_json_text(json_object_get(j, "prefix"));
    } else if (type_is(j, "BPEDecoder")) {
        op.kind = WICK_DEC_BPE;
        a = wick_json_text(json_object_get(j, "suffix"));
    } else if (type_is(j, "CTC")) {
        op.kind = WICK_DEC_CTC;
        op.flags = flag(j, "cleanup", true, WICK_OP_CLEAN);
        a = wick_json_text(json_object_get(j, "pad_token"));
        b = wick_json_text(json_object_get(j, "word_delimiter_token"));
    }
    if (!op.kind) return unknown_step(r, j, "decoder");
    return wick_spec_op(r->s, WICK_STAGE_DECODE, op, a, b, r->err);
}

/* ---- post-processors: what they put around one text */

static wick_status add_around(stage_reader *r, bool suffix, const json_t *id) {
    if (!json_is_integer(id) || json_integer_value(id) < 0 || (uint64_t)json_integer_value(id) >= r->s->n_token)
        return wick_fail(r->err, WICK_EFORMAT, "the post-processor puts a token around a text that is not in the vocabulary");
    return wick_spec_around(r->s, suffix, (int32_t)json_integer_value(id), r->err);
}

static wick_status read_template(stage_reader *r, const json_t *j) {
    size_t i, k;
    json_t *item, *id;
    int n_text = 0;
    json_array_foreach(json_object_get(j, "single"), i, item) {
        const json_t *special = json_object_get(item, "SpecialToken");
        if (!special) {
            n_text++;
            continue;
        }
        const json_t *name = json_object_get(special, "id");
        const json_t *entry = json_is_string(name) ? json_object_get(json_object_get(j, "special_tokens"), json_string_value(name)) : NULL;
        json_array_foreach(json_object_get(entry, "ids"), k, id) WICK_TRY(add_around(r, n_text > 0, id));
    }
    if (n_text != 1) return wick_fail(r->err, WICK_EUNSUPPORTED, "the post-processor's template has the text %d times", n_text);
    return WICK_OK;
}

static wick_status read_post(stage_reader *r, const json_t *j) {
    if ((type_is(j, "ByteLevel") || type_is(j, "RobertaProcessing")) && wick_json_flag(j, "trim_offsets", true))
        r->s->config.flags |= WICK_TOK_TRIM_OFFSETS | flag(j, "add_prefix_space", true, WICK_TOK_KEEP_PREFIX);
    if (type_is(j, "ByteLevel")) return WICK_OK;
    if (type_is(j, "TemplateProcessing")) return read_template(r, j);
    if (type_is(j, "BertProcessing") || type_is(j, "RobertaProcessing")) {
        WICK_TRY(add_around(r, false, json_array_get(json_object_get(j, "cls"), 1)));
        return add_around(r, true, json_array_get(json_object_get(j, "sep"), 1));
    }
    return unknown_step(r, j, "post-processor");
}

wick_status wick_json_stages(const json_t *root, wick_tok_spec *s, wick_error *err) {
    stage_reader r = {s, err};
    WICK_TRY(read_steps(&r, json_object_get(root, "normalizer"), "normalizers", read_normalizer, 0));
    WICK_TRY(read_steps(&r, json_object_get(root, "pre_tokenizer"), "pretokenizers", read_pre, 0));
    WICK_TRY(read_steps(&r, json_object_get(root, "post_processor"), "processors", read_post, 0));
    WICK_TRY(read_steps(&r, json_object_get(root, "decoder"), "decoders", read_decoder, 0));
    if (!s->n_op[WICK_STAGE_DECODE]) s->config.flags |= WICK_TOK_DECODE_JOIN;
    return WICK_OK;
}
