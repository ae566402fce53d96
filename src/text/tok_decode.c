/* Decoding: ids to pieces, pieces through the decoders, pieces to text. */
#include "text/tok_decode.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "text/tok_chars.h"

#include <string.h>

#define FFFD "\xef\xbf\xbd"

void wick_pieces_release(wick_pieces *p) {
    wick_strbuf_release(&p->text);
    wick_free(p->ends);
    *p = (wick_pieces){0};
}

static void reset(wick_pieces *p) {
    wick_strbuf_reset(&p->text);
    p->n = 0;
}

/* Ends the piece that was being written to p->text. */
static bool end_piece(wick_pieces *p) {
    if (p->text.failed || !WICK_GROW(p->ends, p->n, p->cap)) return false;
    p->ends[p->n++] = p->text.size;
    return true;
}

static wick_bytes piece(const wick_pieces *p, size_t i) {
    size_t from = i ? p->ends[i - 1] : 0;
    return (wick_bytes){(const uint8_t *)(p->text.data ? p->text.data : "") + from, p->ends[i] - from};
}

void wick_put_lossy(wick_strbuf *out, const char *s, size_t n) {
    for (size_t i = 0, used; i < n; i += used) {
        size_t from = i;
        while (i < n && ((unsigned char)s[i] < 0x80 ? (used = 1) : wick_utf8_decode(s + i, n - i, NULL, &used))) i += used;
        wick_strbuf_add(out, s + from, i - from);
        if (i == n) break;
        wick_strbuf_puts(out, FFFD);
    }
}

/* ---- decoders: `in` to `out`, both lists of pieces */

int wick_piece_byte(wick_bytes p) {
    if (p.size != 6 || memcmp(p.data, "<0x", 3) != 0 || p.data[5] != '>') return -1;
    int v = 0;
    for (int i = 3; i < 5; i++) {
        int c = p.data[i], d = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
        if (d < 0) return -1;
        v = v * 16 + d;
    }
    return v;
}

/* A run that is not valid as a whole is one U+FFFD for each of its bytes. */
static bool byte_fallback(const wick_pieces *in, wick_pieces *out) {
    for (size_t i = 0; i < in->n;) {
        size_t j = i, from = out->text.size;
        for (int b; j < in->n && (b = wick_piece_byte(piece(in, j))) >= 0; j++) wick_strbuf_putc(&out->text, (char)b);
        if (j > i) {
            if (out->text.failed) return false;
            if (!wick_utf8_valid(out->text.data + from, out->text.size - from)) {
                out->text.size = from;
                for (size_t k = i; k < j; k++) wick_strbuf_puts(&out->text, FFFD);
            }
        } else {
            wick_bytes p = piece(in, j++);
            wick_strbuf_add(&out->text, p.data, p.size);
        }
        if (!end_piece(out)) return false;
        i = j;
    }
    return true;
}

static void byte_level(const wick_pieces *in, wick_pieces *out) {
    wick_strbuf bytes = {0};
    for (size_t i = 0; i < in->n; i++) {
        wick_bytes p = piece(in, i);
        char *mapped = wick_alloc(p.size + 1);
        size_t n = mapped ? wick_alphabet_bytes((const char *)p.data, p.size, mapped) : 0;
        if (!mapped)
            bytes.failed = true;
        else if (n == SIZE_MAX)
            wick_strbuf_add(&bytes, p.data, p.size);
        else
            wick_strbuf_add(&bytes, mapped, n);
        wick_free(mapped);
    }
    wick_put_lossy(&out->text, bytes.data ? bytes.data : "", bytes.size);
    out->text.failed = out->text.failed || bytes.failed;
    wick_strbuf_release(&bytes);
}

static void strip(const wick_tok_op *op, wick_bytes content, wick_bytes p, wick_strbuf *out) {
    uint32_t start = op->value & 0xffff, stop = op->value >> 16;
    for (; start && content.size && p.size >= content.size && !memcmp(p.data, content.data, content.size); start--)
        p.data += content.size, p.size -= content.size;
    for (; stop && content.size && p.size >= content.size && !memcmp(p.data + p.size - content.size, content.data, content.size); stop--)
        p.size -= content.size;
    wick_strbuf_add(out, p.data, p.size);
}

static void metaspace(const wick_tok_op *op, wick_bytes with, wick_bytes p, bool first, wick_strbuf *out) {
    bool drop = first && op->value != WICK_PREPEND_NEVER;
    wick_replace_text(with, (wick_bytes){(const uint8_t *)" ", drop ? 0 : 1}, (const char *)p.data, p.size, out);
}

/* English tidying as BERT's tokenizers do it, in this order. */
static void clean_up(wick_strbuf *b, wick_strbuf *other) {
    static const char *const pairs[][2] = {{" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
                                           {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
                                           {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        wick_bytes what = {(const uint8_t *)pairs[i][0], strlen(pairs[i][0])}, with = {(const uint8_t *)pairs[i][1], strlen(pairs[i][1])};
        wick_strbuf_reset(other);
        wick_replace_text(what, with, b->data ? b->data : "", b->size, other);
        wick_strbuf swap = *b;
        *b = *other;
        *other = swap;
    }
}

static bool wordpiece(const wick_tok_op *op, wick_bytes prefix, wick_bytes p, bool first, wick_strbuf *out) {
    wick_strbuf b = {0}, other = {0};
    if (!first && prefix.size && p.size >= prefix.size && !memcmp(p.data, prefix.data, prefix.size))
        p.data += prefix.size, p.size -= prefix.size;
    else if (!first && prefix.size)
        wick_strbuf_putc(&b, ' ');
    wick_strbuf_add(&b, p.data, p.size);
    if (op->flags & WICK_OP_CLEAN) clean_up(&b, &other);
    wick_strbuf_add(out, b.data, b.size);
    bool ok = !b.failed && !other.failed;
    wick_strbuf_release(&b);
    wick_strbuf_release(&other);
    return ok;
}

/* Connectionist temporal classification: repeats and pads vanish. */
static bool ctc(const wick_tokenizer *t, const wick_tok_op *op, const wick_pieces *in, wick_pieces *out) {
    wick_strbuf b = {0}, other = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < in->n; i++) {
        wick_bytes p = piece(in, i), last = i ? piece(in, i - 1) : (wick_bytes){0};
        if (i && p.size == last.size && !memcmp(p.data, last.data, p.size)) continue;
        wick_strbuf_reset(&b);
        wick_replace_text(wick_tok_op_a(t, op), (wick_bytes){0}, (const char *)p.data, p.size, &b);
        if (op->flags & WICK_OP_CLEAN) {
            clean_up(&b, &other);
            wick_strbuf_reset(&other);
            wick_replace_text(wick_tok_op_b(t, op), (wick_bytes){(const uint8_t *)" ", 1}, b.data ? b.data : "", b.size, &other);
            wick_strbuf_add(&out->text, other.data, other.size);
        } else
            wick_strbuf_add(&out->text, b.data, b.size);
        ok = !b.failed && !other.failed && ((out->n ? out->ends[out->n - 1] : 0) == out->text.size || end_piece(out));
    }
    wick_strbuf_release(&b);
    wick_strbuf_release(&other);
    return ok;
}

/* Decoders that change one piece at a time. */
static wick_status each(const wick_tokenizer *t, uint32_t i_op, wick_bytes p, size_t i, size_t n, wick_strbuf *out, wick_error *err) {
    const wick_tok_op *op = &t->ops[WICK_STAGE_DECODE][i_op];
    wick_bytes a = wick_tok_op_a(t, op), b = wick_tok_op_b(t, op);
    switch (op->kind) {
    case WICK_DEC_REPLACE:
        if (op->flags & WICK_OP_REGEX)
            return wick_replace_regex(t->regexes[WICK_STAGE_DECODE][i_op], b, (const char *)p.data, p.size, out, err);
        wick_replace_text(a, b, (const char *)p.data, p.size, out);
        return WICK_OK;
    case WICK_DEC_STRIP: strip(op, a, p, out); return WICK_OK;
    case WICK_DEC_METASPACE: metaspace(op, a, p, i == 0, out); return WICK_OK;
    case WICK_DEC_WORDPIECE: return wordpiece(op, a, p, i == 0, out) ? WICK_OK : wick_fail_nomem(err);
    default: /* BPE */
        wick_replace_text(a, (wick_bytes){(const uint8_t *)" ", i + 1 < n}, (const char *)p.data, p.size, out);
        return WICK_OK;
    }
}

static wick_status run_decoder(const wick_tokenizer *t, uint32_t i_op, const wick_pieces *in, wick_pieces *out, wick_error *err) {
    const wick_tok_op *op = &t->ops[WICK_STAGE_DECODE][i_op];
    bool ok = true;
    reset(out);
    switch (op->kind) {
    case WICK_DEC_BYTE_FALLBACK: ok = byte_fallback(in, out); break;
    case WICK_DEC_CTC: ok = ctc(t, op, in, out); break;
    case WICK_DEC_FUSE:
        wick_strbuf_add(&out->text, in->text.data, in->n ? in->ends[in->n - 1] : 0);
        ok = end_piece(out);
        break;
    case WICK_DEC_BYTE_LEVEL:
        byte_level(in, out);
        ok = end_piece(out);
        break;
    default:
        for (size_t i = 0; ok && i < in->n; i++) {
            WICK_TRY(each(t, i_op, piece(in, i), i, in->n, &out->text, err));
            ok = end_piece(out);
        }
    }
    return ok ? WICK_OK : wick_fail_nomem(err);
}

/* ---- SentencePiece's own decoder */

#define META "\xe2\x96\x81"

/* Bytes: valid characters as they are, one U+FFFD for each byte that belongs to none. */
static size_t put_byte_run(const wick_tokenizer *t, const int32_t *ids, size_t i, size_t n, wick_strbuf *out) {
    wick_strbuf run = {0};
    for (; i < n && t->token_flags[ids[i]] & WICK_TOKEN_BYTE; i++)
        wick_strbuf_putc(&run, (char)wick_piece_byte(wick_tok_text(t, (uint32_t)ids[i])));
    for (size_t k = 0, used; k < run.size; k += used) {
        bool valid = wick_utf8_decode(run.data + k, run.size - k, NULL, &used);
        if (valid)
            wick_strbuf_add(out, run.data + k, used);
        else
            wick_strbuf_puts(out, FFFD), used = 1;
    }
    out->failed = out->failed || run.failed;
    wick_strbuf_release(&run);
    return i;
}

static void decode_sentencepiece(const wick_tokenizer *t, const wick_tok_op *op, const int32_t *ids, size_t n, wick_strbuf *out) {
    bool eat = (op->flags & WICK_OP_DUMMY_PREFIX) || !(op->flags & WICK_OP_EXTRA_SPACES), expect = true, seen = false;
    for (size_t i = 0; i < n;) {
        if (t->token_flags[ids[i]] & WICK_TOKEN_BYTE) {
            i = put_byte_run(t, ids, i, n, out);
            continue;
        }
        if (seen || out->size) expect = false;
        uint32_t id = (uint32_t)ids[i++];
        wick_bytes p = wick_tok_text(t, id);
        seen = false;
        if (t->token_flags[id] & WICK_TOKEN_CONTROL) continue;
        if (t->token_flags[id] & WICK_TOKEN_UNKNOWN)
            p = wick_tok_op_a(t, op);
        else if (expect && eat && p.size >= 3 && !memcmp(p.data, META, 3)) {
            p.data += 3, p.size -= 3;
            seen = op->flags & WICK_OP_EXTRA_SPACES;
        }
        if (t->token_flags[id] & WICK_TOKEN_UNKNOWN)
            wick_strbuf_add(out, p.data, p.size);
        else
            wick_replace_text((wick_bytes){(const uint8_t *)META, 3}, (wick_bytes){(const uint8_t *)" ", 1}, (const char *)p.data, p.size,
                              out);
    }
}

/* ---- whole lists of ids */

static bool wanted(const wick_tokenizer *t, int32_t id, bool skip_special) {
    if (id < 0 || (uint32_t)id >= t->config.n_token || !(t->token_flags[id] & WICK_TOKEN_PRESENT)) return false;
    return !(skip_special && t->token_flags[id] & WICK_TOKEN_SPECIAL);
}

bool wick_decodes_apart(const wick_tokenizer *t, int32_t id) {
    return t->config.flags & WICK_TOK_DECODE_APART && id >= 0 && (uint32_t)id < t->config.n_token &&
           t->token_flags[id] & WICK_TOKEN_SPECIAL;
}

static void put_bytes(const wick_pieces *p, wick_strbuf *out) { wick_put_lossy(out, p->text.data ? p->text.data : "", p->text.size); }

wick_status wick_decode_into(const wick_tokenizer *t, const int32_t *ids, size_t n, bool skip_special, wick_pieces work[2],
                             wick_strbuf *out, wick_error *err) {
    uint32_t n_op = t->n_op[WICK_STAGE_DECODE];
    reset(&work[0]);
    wick_strbuf_reset(out);
    if (n_op && t->ops[WICK_STAGE_DECODE][0].kind == WICK_DEC_SENTENCEPIECE) {
        int32_t *kept = wick_alloc((n + 1) * sizeof *kept);
        size_t n_kept = 0;
        if (!kept) return wick_fail_nomem(err);
        for (size_t i = 0; i < n; i++)
            if (wanted(t, ids[i], skip_special)) kept[n_kept++] = ids[i];
        decode_sentencepiece(t, &t->ops[WICK_STAGE_DECODE][0], kept, n_kept, out);
        wick_free(kept);
        return out->failed ? wick_fail_nomem(err) : WICK_OK;
    }
    bool bytes = t->config.flags & WICK_TOK_BYTE_DOMAIN;
    for (size_t i = 0; i < n; i++) {
        if (!wanted(t, ids[i], skip_special)) {
            if (wick_decodes_apart(t, ids[i])) {
                put_bytes(&work[0], out);
                reset(&work[0]);
            }
            continue;
        }
        wick_bytes p = wick_tok_text(t, (uint32_t)ids[i]);
        wick_strbuf_add(&work[0].text, p.data, p.size);
        if (!bytes && !end_piece(&work[0])) return wick_fail_nomem(err);
    }
    if (work[0].text.failed) return wick_fail_nomem(err);
    if (bytes) {
        put_bytes(&work[0], out);
        return out->failed ? wick_fail_nomem(err) : WICK_OK;
    }
    for (uint32_t i = 0; i < n_op; i++) WICK_TRY(run_decoder(t, i, &work[i & 1], &work[~i & 1], err));
    const wick_pieces *last = &work[n_op & 1];
    for (size_t i = 0; i < last->n; i++) {
        wick_bytes p = piece(last, i);
        if (i && t->config.flags & WICK_TOK_DECODE_JOIN) wick_strbuf_putc(out, ' ');
        wick_put_lossy(out, (const char *)p.data, p.size);
    }
    return out->failed ? wick_fail_nomem(err) : WICK_OK;
}

wick_status wick_tokenizer_decode(const wick_tokenizer *t, const int32_t *ids, size_t n, bool skip_special, char **text, size_t *size,
                                  wick_error *err) {
    wick_pieces work[2] = {{{0}, NULL, 0, 0}, {{0}, NULL, 0, 0}};
    wick_strbuf out = {0};
    *text = NULL;
    if (size) *size = 0;
    wick_status status = wick_decode_into(t, ids, n, skip_special, work, &out, err);
    if (status == WICK_OK && !(*text = wick_strbuf_take(&out, size))) status = wick_fail_nomem(err);
    wick_strbuf_release(&out);
    for (int i = 0; i < 2; i++) wick_pieces_release(&work[i]);
    return status;
}
