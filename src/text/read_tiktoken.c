/* tiktoken's rank files: "base64(bytes) SP rank" lines. The pattern and the special tokens are not in the file: a JSON file beside
 * it says them ({"pat_str", "special_tokens"}), or the ranks are those of a published vocabulary. */
#include "base/limits.h"
#include "base/mem.h"
#include "text/read_json.h"
#include "text/tok_base64.h"
#include "text/tok_split.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

typedef struct line_reader {
    const uint8_t *p, *end;
    int number;
} line_reader;

/* One line: its bytes and rank. */
static wick_status read_line(line_reader *l, wick_strbuf *bytes, uint64_t *rank, wick_error *err) {
    wick_strbuf_reset(bytes);
    l->number++;
    l->p = wick_base64_add(l->p, l->end, bytes);
    if (l->p == l->end || *l->p != ' ') return wick_fail(err, WICK_EFORMAT, "line %d is not base64, a space and a rank", l->number);
    const uint8_t *digits = ++l->p;
    for (*rank = 0; l->p < l->end && *l->p >= '0' && *l->p <= '9' && l->p - digits < 12; l->p++)
        *rank = *rank * 10 + (uint64_t)(*l->p - '0');
    if (l->p == digits) return wick_fail(err, WICK_EFORMAT, "line %d has no rank", l->number);
    while (l->p < l->end && (*l->p == '\r' || *l->p == '\n')) l->p++;
    return bytes->failed ? wick_fail_nomem(err) : WICK_OK;
}

static wick_status read_ranks(wick_bytes data, wick_tok_spec *s, wick_error *err) {
    line_reader l = {data.data, data.data + data.size, 0};
    wick_strbuf bytes = {0};
    wick_status status = WICK_OK;
    while (l.p < l.end && status == WICK_OK) {
        uint64_t rank = 0;
        status = read_line(&l, &bytes, &rank, err);
        if (status == WICK_OK) status = wick_spec_token_set(s, rank, bytes.data ? bytes.data : "", bytes.size, 0, 0, err);
    }
    wick_strbuf_release(&bytes);
    return status;
}

static wick_status add_special(wick_tok_spec *s, uint64_t id, const char *text, wick_error *err) {
    size_t n = strlen(text);
    if (id < s->n_token && s->tokens[id].flags & WICK_TOKEN_PRESENT)
        return wick_fail(err, WICK_EFORMAT, "the special token \"%.60s\" has the rank %llu of another token", text, (unsigned long long)id);
    WICK_TRY(wick_spec_token_set(s, id, text, n, WICK_TOKEN_SPECIAL | WICK_TOKEN_ADDED_ONLY, 0, err));
    return wick_spec_added(s, (uint32_t)id, text, n, WICK_ADDED_SPECIAL, err);
}

static wick_status set_pattern(wick_tok_spec *s, const char *pattern, size_t size, wick_error *err) {
    WICK_TRY(wick_spec_pattern(s, pattern, size, WICK_SPLIT_ISOLATED, WICK_OP_PLAIN_PATTERN, err));
    return wick_spec_op(s, WICK_STAGE_DECODE, (wick_tok_op){.kind = WICK_DEC_BYTE_LEVEL}, (wick_bytes){0}, (wick_bytes){0}, err);
}

static wick_status read_sidecar(wick_bytes data, wick_tok_spec *s, wick_error *err) {
    json_t *root, *id;
    const char *text;
    wick_status status = WICK_OK;
    WICK_TRY(wick_json_load(data, &root, err));
    wick_bytes pattern = wick_json_text(json_object_get(root, "pat_str"));
    if (!pattern.data)
        status = wick_fail(err, WICK_EFORMAT, "the JSON beside the ranks has no pat_str");
    else
        status = set_pattern(s, (const char *)pattern.data, pattern.size, err);
    json_object_foreach(json_object_get(root, "special_tokens"), text, id) {
        if (status == WICK_OK && (!json_is_integer(id) || json_integer_value(id) < 0))
            status = wick_fail(err, WICK_EFORMAT, "special_tokens: \"%.60s\" has no id", text);
        if (status == WICK_OK) status = add_special(s, (uint64_t)json_integer_value(id), text, err);
    }
    json_decref(root);
    return status;
}

static wick_status llama3(wick_tok_spec *s, wick_error *err) {
    static const char *const first[] = {"<|begin_of_text|>",
                                        "<|end_of_text|>",
                                        "<|reserved_special_token_0|>",
                                        "<|reserved_special_token_1|>",
                                        "<|finetune_right_pad_id|>",
                                        "<|reserved_special_token_2|>",
                                        "<|start_header_id|>",
                                        "<|end_header_id|>",
                                        "<|eom_id|>",
                                        "<|eot_id|>",
                                        "<|python_tag|>"};
    enum { N_FIRST = sizeof first / sizeof *first };
    const char *pattern = wick_splitter_pattern(WICK_SPLITTER_P3);
    size_t n = s->n_token;
    WICK_TRY(set_pattern(s, pattern, strlen(pattern), err));
    for (size_t i = 0; i < 256; i++) {
        char name[48];
        snprintf(name, sizeof name, "<|reserved_special_token_%zu|>", i - 8);
        WICK_TRY(add_special(s, n + i, i < N_FIRST ? first[i] : name, err));
    }
    s->config.bos_id = (int32_t)n;
    s->config.eos_id = (int32_t)n + 9;
    return wick_spec_around(s, false, s->config.bos_id, err);
}

/* The published vocabularies: by the number of ranks and the SHA-256 of the file. */
static const struct {
    const char *name;
    size_t n_rank;
    const char *sha256;
    wick_splitter_kind splitter;
    const char *special[6];
    uint32_t id[6];
} known[] = {
    {"r50k_base",
     50256,
     "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
     WICK_SPLITTER_GPT2,
     {"<|endoftext|>"},
     {50256}},
    {"p50k_base",
     50280,
     "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
     WICK_SPLITTER_GPT2,
     {"<|endoftext|>"},
     {50256}},
    {"cl100k_base",
     100256,
     "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
     WICK_SPLITTER_CL100K,
     {"<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|endofprompt|>"},
     {100257, 100258, 100259, 100260, 100276}},
    {"o200k_base",
     199998,
     "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
     WICK_SPLITTER_O200K,
     {"<|endoftext|>", "<|endofprompt|>"},
     {199999, 200018}},
};

static bool has_sha256(wick_bytes data, const char *want) {
    uint8_t hash[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof hash + 1];
    crypto_hash_sha256(hash, data.data, data.size);
    return !strcmp(sodium_bin2hex(hex, sizeof hex, hash, sizeof hash), want);
}

/* A file without its rule: one of the published ones, or Llama 3's, whose family has many vocabularies. */
static wick_status read_known(wick_bytes data, wick_tok_spec *s, wick_error *err) {
    size_t n_rank = 0, i = 0;
    for (size_t id = 0; id < s->n_token; id++) n_rank += (s->tokens[id].flags & WICK_TOKEN_PRESENT) != 0;
    while (i < sizeof known / sizeof *known && known[i].n_rank != n_rank) i++;
    if (i == sizeof known / sizeof *known) return llama3(s, err);
    if (!has_sha256(data, known[i].sha256))
        return wick_fail(err, WICK_EUNSUPPORTED,
                         "it has %zu ranks as %s has, but other bytes: say its rule in a JSON file beside it, FILE.json: "
                         "{\"pat_str\": ..., \"special_tokens\": {...}}",
                         n_rank, known[i].name);
    const char *pattern = wick_splitter_pattern(known[i].splitter);
    WICK_TRY(set_pattern(s, pattern, strlen(pattern), err));
    for (size_t k = 0; k < 6 && known[i].special[k]; k++) WICK_TRY(add_special(s, known[i].id[k], known[i].special[k], err));
    s->config.eos_id = (int32_t)known[i].id[0];
    return WICK_OK;
}

wick_status wick_read_tiktoken(wick_bytes data, wick_bytes sidecar, wick_tok_spec *s, wick_error *err) {
    WICK_TRY(read_ranks(data, s, err));
    s->config.model = WICK_TOK_BPE;
    s->config.flags = WICK_TOK_BYTE_DOMAIN | WICK_TOK_IGNORE_MERGES;
    WICK_TRY(wick_spec_implied_merges(s, 0, true, true, err));
    return sidecar.data ? read_sidecar(sidecar, s, err) : read_known(data, s, err);
}
