/* Streaming decode.
 *
 * In the byte domain a token is its bytes, and only an unfinished character is held back. Elsewhere decoders look at
 * neighbours (the first token loses its space, runs of bytes are judged as a whole, the last token loses its suffix), so a
 * window of tokens is decoded and what is new in it comes out. The window begins with a token that has come out already and
 * has text of its own: then the rules for the first token change nothing that is still to come. */
#include "base/mem.h"
#include "base/utf8.h"
#include "text/tok_decode.h"

#include <string.h>

enum { MAX_WINDOW = 256 };

struct wick_decoder {
    const wick_tokenizer *t;
    bool skip_special;
    wick_strbuf pending; /* byte domain: what no character has come of */
    wick_strbuf out;
    int32_t window[MAX_WINDOW];
    size_t n_window, emitted; /* bytes of the window's text that have come out */
    wick_pieces work[2];
    wick_strbuf text;
};

wick_status wick_decoder_new(const wick_tokenizer *t, bool skip_special, wick_decoder **out, wick_error *err) {
    *out = WICK_NEW(wick_decoder);
    if (!*out) return wick_fail_nomem(err);
    (*out)->t = t;
    (*out)->skip_special = skip_special;
    return WICK_OK;
}

void wick_decoder_free(wick_decoder *d) {
    if (!d) return;
    wick_strbuf_release(&d->pending);
    wick_strbuf_release(&d->out);
    wick_strbuf_release(&d->text);
    for (int i = 0; i < 2; i++) wick_pieces_release(&d->work[i]);
    wick_free(d);
}

static wick_status give(wick_decoder *d, const char **text, size_t *size, wick_error *err) {
    if (d->out.failed) return wick_fail_nomem(err);
    *text = d->out.data ? d->out.data : "";
    *size = d->out.size;
    return WICK_OK;
}

/* ---- bytes */

static void push_bytes(wick_decoder *d, wick_bytes p) {
    wick_strbuf_add(&d->pending, p.data, p.size);
    if (d->pending.failed || !d->pending.size) return;
    size_t whole = wick_utf8_complete(d->pending.data, d->pending.size);
    wick_put_lossy(&d->out, d->pending.data, whole);
    memmove(d->pending.data, d->pending.data + whole, d->pending.size - whole);
    d->pending.size -= whole;
}

/* An unfinished character that stays one. */
static void put_pending(wick_decoder *d) {
    wick_put_lossy(&d->out, d->pending.data ? d->pending.data : "", d->pending.size);
    wick_strbuf_reset(&d->pending);
}

/* ---- windows */

static int byte_of(const wick_tokenizer *t, int32_t id) { return wick_piece_byte(wick_tok_text(t, (uint32_t)id)); }

/* How many tokens at the window's end are bytes of a character that is not finished: 0 to 3. */
static size_t unfinished(const wick_decoder *d) {
    char tail[3];
    size_t n = 0;
    while (n < 3 && n < d->n_window && byte_of(d->t, d->window[d->n_window - 1 - n]) >= 0) n++;
    for (size_t i = 0; i < n; i++) tail[i] = (char)byte_of(d->t, d->window[d->n_window - n + i]);
    return n - wick_utf8_complete(tail, n);
}

/* Text that a later token could still change: an unfinished character, and bytes, where a run of them is judged as a whole. */
static bool open_end(const wick_decoder *d) {
    const wick_tokenizer *t = d->t;
    if (d->n_window && byte_of(t, d->window[d->n_window - 1]) >= 0) return !(t->config.flags & WICK_TOK_SENTENCEPIECE) || unfinished(d);
    return d->text.size >= 3 && !memcmp(d->text.data + d->text.size - 3, "\xef\xbf\xbd", 3);
}

/* Lets out the text of all but the last `keep` tokens. These stay, behind the token or the bytes of the character before them. */
static wick_status flush_window(wick_decoder *d, size_t keep, wick_error *err) {
    size_t n = d->n_window - keep, from = n - 1;
    if (keep) WICK_TRY(wick_decode_into(d->t, d->window, n, d->skip_special, d->work, &d->text, err));
    /* a run that turns out to be invalid behind its 256th byte has another text than what came out of it: no part of a character */
    while (d->emitted < d->text.size && (d->text.data[d->emitted] & 0xc0) == 0x80) d->emitted++;
    if (d->text.size > d->emitted) wick_strbuf_add(&d->out, d->text.data + d->emitted, d->text.size - d->emitted);
    d->emitted = d->text.size;
    while (from && n - from < 4 && (byte_of(d->t, d->window[from]) & ~0x3f) == 0x80) from--;
    WICK_TRY(wick_decode_into(d->t, d->window + from, n - from, d->skip_special, d->work, &d->text, err));
    if (d->text.size || d->n_window == MAX_WINDOW) {
        d->n_window -= from;
        memmove(d->window, d->window + from, d->n_window * sizeof *d->window);
        d->emitted = d->text.size;
    }
    return WICK_OK;
}

static wick_status push_window(wick_decoder *d, int32_t id, wick_error *err) {
    d->window[d->n_window++] = id;
    WICK_TRY(wick_decode_into(d->t, d->window, d->n_window, d->skip_special, d->work, &d->text, err));
    bool full = d->n_window == MAX_WINDOW; /* a run of bytes may be longer: its whole characters */
    if (open_end(d) && !full) return WICK_OK;
    return flush_window(d, full ? unfinished(d) : 0, err);
}

wick_status wick_decoder_push(wick_decoder *d, int32_t id, const char **text, size_t *size, wick_error *err) {
    const wick_tokenizer *t = d->t;
    *text = "";
    *size = 0;
    if (id < 0 || (uint32_t)id >= t->config.n_token || !(t->token_flags[id] & WICK_TOKEN_PRESENT)) return WICK_OK;
    wick_strbuf_reset(&d->out);
    if (d->skip_special && t->token_flags[id] & WICK_TOKEN_SPECIAL) {
        if (wick_decodes_apart(t, id)) put_pending(d);
        return give(d, text, size, err);
    }
    if (t->config.flags & WICK_TOK_BYTE_DOMAIN)
        push_bytes(d, wick_tok_text(t, (uint32_t)id));
    else if (t->config.flags & WICK_TOK_DECODE_JOIN) {
        if (d->n_window) wick_strbuf_putc(&d->out, ' ');
        d->n_window = 1;
        wick_bytes p = wick_tok_text(t, (uint32_t)id);
        wick_put_lossy(&d->out, (const char *)p.data, p.size);
    } else
        WICK_TRY(push_window(d, id, err));
    return d->pending.failed ? wick_fail_nomem(err) : give(d, text, size, err);
}

wick_status wick_decoder_finish(wick_decoder *d, const char **text, size_t *size, wick_error *err) {
    wick_status status = WICK_OK;
    wick_strbuf_reset(&d->out);
    if (d->t->config.flags & WICK_TOK_BYTE_DOMAIN)
        put_pending(d);
    else if (d->n_window && !(d->t->config.flags & WICK_TOK_DECODE_JOIN)) {
        status = wick_decode_into(d->t, d->window, d->n_window, d->skip_special, d->work, &d->text, err);
        if (status == WICK_OK) status = flush_window(d, 0, err);
    }
    wick_strbuf_reset(&d->pending);
    d->n_window = d->emitted = 0;
    *text = "";
    *size = 0;
    return status == WICK_OK ? give(d, text, size, err) : status;
}
