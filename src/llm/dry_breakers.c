/* What ends a repeat for DRY: texts, of which the sampler needs the tokens. */
#include "base/mem.h"
#include "llm/prompt.h"
#include "text/tok_decode.h"

#include <string.h>

/* What sentences, speakers and list items begin with: these repeat by right. */
static const char *const usual[] = {"\n", ":", "\"", "*"};

typedef struct search {
    const wick_tokenizer *tokenizer;
    const char *const *texts;
    size_t n;
    bool *found; /* [n]: some token has it */
    wick_pieces work[2];
    wick_strbuf once, twice;
} search;

static void release(search *s) {
    wick_pieces_release(&s->work[0]);
    wick_pieces_release(&s->work[1]);
    wick_strbuf_release(&s->once);
    wick_strbuf_release(&s->twice);
    wick_free(s->found);
}

/* A token as it stands within a text: some decoders drop a space at the beginning, so it is looked at where it follows itself. */
static wick_status text_of(search *s, int32_t id, const char **text, wick_error *err) {
    const int32_t ids[2] = {id, id};
    WICK_TRY(wick_decode_into(s->tokenizer, ids, 1, false, s->work, &s->once, err));
    WICK_TRY(wick_decode_into(s->tokenizer, ids, 2, false, s->work, &s->twice, err));
    wick_strbuf_puts(&s->once, ""); /* there may have been nothing yet */
    wick_strbuf_puts(&s->twice, "");
    if (s->once.failed || s->twice.failed) return wick_fail_nomem(err);
    bool goes_on = s->twice.size > s->once.size && (!s->once.size || memcmp(s->once.data, s->twice.data, s->once.size) == 0);
    *text = goes_on ? s->twice.data + s->once.size : s->once.data;
    return WICK_OK;
}

static bool has_breaker(search *s, const char *text) {
    bool any = false;
    for (size_t i = 0; i < s->n; i++)
        if (strstr(text, s->texts[i])) any = s->found[i] = true;
    return any;
}

static wick_status find(search *s, int32_t n_vocab, wick_sampler_options *o, int32_t **ids, wick_error *err) {
    size_t n = o->n_dry_breakers, cap = n;
    if (n && !(*ids = wick_memdup(o->dry_breakers, n * sizeof **ids))) return wick_fail_nomem(err);
    for (int32_t id = 0; id < n_vocab; id++) {
        const char *text = NULL;
        WICK_TRY(text_of(s, id, &text, err));
        if (!has_breaker(s, text)) continue;
        if (!WICK_GROW(*ids, n, cap)) return wick_fail_nomem(err);
        (*ids)[n++] = id;
    }
    for (size_t i = 0; i < s->n; i++)
        if (!s->found[i] && s->texts != usual)
            return wick_fail(err, WICK_EINVAL, "DRY sequence breaker \"%.60s\": no token has it; a breaker lies within one token",
                             s->texts[i]);
    o->dry_breakers = *ids;
    o->n_dry_breakers = n;
    return WICK_OK;
}

wick_status wick_dry_breakers(const wick_generate_options *options, const wick_tokenizer *tokenizer, int64_t n_vocab,
                              wick_sampler_options *sampler, int32_t **ids, wick_error *err) {
    search s = {.tokenizer = tokenizer, .texts = options->dry_breakers, .n = options->n_dry_breakers};
    *ids = NULL;
    if (!s.texts && !sampler->n_dry_breakers) s.texts = usual, s.n = sizeof usual / sizeof *usual;
    for (size_t i = 0; i < s.n; i++)
        if (!*s.texts[i]) return wick_fail(err, WICK_EINVAL, "a DRY sequence breaker is empty");
    if (sampler->dry_multiplier <= 0 || !s.n) return WICK_OK;
    if (!tokenizer && s.texts != usual)
        return wick_fail(err, WICK_EINVAL, "DRY sequence breakers need a tokenizer, and the model has none");
    if (!tokenizer) return WICK_OK;
    int64_t known = wick_tokenizer_n_vocab(tokenizer);
    s.found = WICK_NEW_ARRAY(bool, s.n);
    wick_status status = s.found ? find(&s, (int32_t)(known < n_vocab ? known : n_vocab), sampler, ids, err) : wick_fail_nomem(err);
    release(&s);
    return status;
}
