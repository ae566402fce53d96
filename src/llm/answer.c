#include "llm/answer.h"

#include "base/mem.h"

#include <math.h>

enum { MAX_BANS_OF_A_PLACE = 1024, MAX_TAKEN_BACK = 1 << 16 };

wick_status wick_answer_init(wick_answer *a, size_t limit, wick_error *err) {
    a->i_stop = -1;
    if (!a->tokenizer) return WICK_OK;
    if (a->watch->n_banned && !(a->ends = WICK_NEW_ARRAY(size_t, limit))) return wick_fail_nomem(err);
    return wick_decoder_new(a->tokenizer, true, &a->decoder, err);
}

void wick_answer_release(wick_answer *a) {
    wick_decoder_free(a->decoder);
    wick_strbuf_release(&a->text);
    wick_free(a->ends);
    wick_free(a->bans);
}

static void deliver(wick_answer *a, size_t end) {
    if (end <= a->delivered) return;
    const char *text = a->text.data + a->delivered;
    size_t size = end - a->delivered;
    a->delivered = end;
    if (a->on_text && !a->on_text(a->user, text, size)) a->canceled = true;
}

/* ---------------------------------------------------------------- going back */

/* Whether the text of the first n tokens goes beyond a byte, unfinished characters included. */
static wick_status reaches(const wick_answer *a, size_t n, size_t byte, bool *yes, wick_error *err) {
    char *text;
    size_t size;
    WICK_TRY(wick_tokenizer_decode(a->tokenizer, a->tokens, n, true, &text, &size, err));
    wick_text_free(text);
    *yes = size > byte;
    return WICK_OK;
}

/* The token that the text at a byte begins in. Its text may have come out with a later token, but what the reader has is not taken back. */
static wick_status token_at(const wick_answer *a, size_t byte, size_t *i, wick_error *err) {
    size_t k = 0;
    while (k + 1 < a->n_token && a->ends[k] <= byte) k++;
    for (bool earlier = true; k; k--) {
        if ((k > 1 ? a->ends[k - 2] : 0) < a->delivered) break;
        WICK_TRY(reaches(a, k, byte, &earlier, err));
        if (!earlier) break;
    }
    *i = k;
    return WICK_OK;
}

static wick_status ban(wick_answer *a, size_t place, const char *string, wick_error *err) {
    size_t here = 1;
    while (a->n_ban && a->bans[a->n_ban - 1].place > place) a->n_ban--;
    for (size_t i = a->n_ban; i && a->bans[i - 1].place == place; i--) here++;
    if (here > MAX_BANS_OF_A_PLACE || ++a->n_taken_back > MAX_TAKEN_BACK)
        return wick_fail(err, WICK_ELIMIT, "there seems to be no answer without the banned string \"%.60s\": %zu tries", string,
                         a->n_taken_back);
    if (!WICK_GROW(a->bans, a->n_ban, a->ban_cap)) return wick_fail_nomem(err);
    a->bans[a->n_ban++] = (wick_ban){place, a->tokens[place]};
    return WICK_OK;
}

/* The decoder's state after n tokens is made again from the beginning: strings are rarely banned and more rarely met. */
static wick_status decode_again(wick_answer *a, size_t n, wick_error *err) {
    const char *text;
    size_t size;
    WICK_TRY(wick_decoder_finish(a->decoder, &text, &size, err));
    for (size_t i = 0; i < n; i++) WICK_TRY(wick_decoder_push(a->decoder, a->tokens[i], &text, &size, err));
    a->text.size = n ? a->ends[n - 1] : 0;
    a->n_token = n;
    return WICK_OK;
}

static wick_status take_back(wick_answer *a, const wick_sighting *s, wick_error *err) {
    size_t i;
    WICK_TRY(token_at(a, s->at, &i, err));
    WICK_TRY(ban(a, i, a->watch->banned[s->i], err));
    return decode_again(a, i, err);
}

/* ---------------------------------------------------------------- going on */

/* The end of the last token whose text is clear of strings. */
static size_t token_boundary(const wick_answer *a, size_t clear) {
    for (size_t n = a->n_token; n; n--)
        if (a->ends[n - 1] <= clear) return a->ends[n - 1];
    return 0;
}

static wick_status look(wick_answer *a, bool may_go_back, wick_growth *growth, wick_error *err) {
    if (a->text.failed) return wick_fail_nomem(err);
    wick_sighting s = wick_watch_look(a->watch, a->text.data, a->delivered, a->text.size);
    if (s.found && s.banned && may_go_back) {
        *growth = WICK_TAKEN_BACK;
        return take_back(a, &s, err);
    }
    if (s.found && !s.banned) {
        *growth = WICK_STOPPED;
        a->i_stop = (int64_t)s.i;
        a->text.size = s.at;
        a->text.data[s.at] = 0;
    }
    deliver(a, a->ends && *growth == WICK_GROWS ? token_boundary(a, s.at) : s.at);
    return WICK_OK;
}

wick_status wick_answer_add(wick_answer *a, int32_t token, wick_growth *growth, wick_error *err) {
    const char *text;
    size_t size;
    *growth = WICK_GROWS;
    a->tokens[a->n_token++] = token;
    if (!a->decoder) return WICK_OK;
    WICK_TRY(wick_decoder_push(a->decoder, token, &text, &size, err));
    wick_strbuf_add(&a->text, text, size);
    if (a->ends) a->ends[a->n_token - 1] = a->text.size;
    return size ? look(a, true, growth, err) : WICK_OK;
}

void wick_answer_end(wick_answer *a, int32_t token) {
    a->tokens[a->n_token++] = token;
    if (a->ends) a->ends[a->n_token - 1] = a->text.size;
}

wick_status wick_answer_finish(wick_answer *a, wick_error *err) {
    const char *text;
    size_t size;
    wick_growth growth = WICK_GROWS;
    if (!a->decoder || a->i_stop >= 0) return WICK_OK;
    WICK_TRY(wick_decoder_finish(a->decoder, &text, &size, err));
    wick_strbuf_add(&a->text, text, size);
    if (size) WICK_TRY(look(a, false, &growth, err)); /* an unfinished character has become U+FFFD */
    if (a->text.failed) return wick_fail_nomem(err);
    deliver(a, a->text.size);
    return WICK_OK;
}

/* ---------------------------------------------------------------- bans */

bool wick_answer_has_bans(const wick_answer *a) { return a->n_ban && a->bans[a->n_ban - 1].place == a->n_token; }

void wick_answer_mask(const wick_answer *a, float *logits, size_t n_vocab) {
    for (size_t i = 0; i < a->n_ban; i++)
        if (a->bans[i].place == a->n_token && a->bans[i].token >= 0 && (size_t)a->bans[i].token < n_vocab)
            logits[a->bans[i].token] = -INFINITY;
}
