/* Writing ExecuTorch's tokenizer.bin: int32 count, BOS, EOS, longest piece, then float score, int32 length and bytes of each piece.
 *
 * The form has no flags and says nothing of normalization: a reader knows what a piece is from its id, as read_llama2c.c does. */
#include "base/file.h"
#include "text/tok_spec.h"

#include <string.h>

static void put_u32(wick_strbuf *b, uint32_t v) {
    uint8_t x[4];
    wick_store_u32(x, v);
    wick_strbuf_add(b, x, 4);
}

/* A piece as the file holds it: BOS and EOS under their usual names, spaces for U+2581. */
static void put_text(const wick_tok_spec *s, size_t id, wick_strbuf *out) {
    const char *text = s->pool.data + s->tokens[id].at;
    size_t size = s->tokens[id].size;
    wick_strbuf_reset(out);
    if ((int64_t)id == s->config.bos_id)
        text = "<s>", size = 3;
    else if ((int64_t)id == s->config.eos_id)
        text = "</s>", size = 4;
    wick_replace_text((wick_bytes){(const uint8_t *)"\xe2\x96\x81", 3}, (wick_bytes){(const uint8_t *)" ", 1}, text, size, out);
}

static wick_status put_file(const wick_tok_spec *s, wick_strbuf *out, wick_error *err) {
    wick_strbuf text = {0};
    size_t longest = 0;
    if (!(s->config.flags & WICK_TOK_SENTENCEPIECE))
        return wick_fail(err, WICK_EUNSUPPORTED,
                         "a tokenizer.bin holds the pieces of a SentencePiece model, this tokenizer is of another kind");
    put_u32(out, (uint32_t)s->n_token);
    put_u32(out, (uint32_t)s->config.bos_id);
    put_u32(out, (uint32_t)s->config.eos_id);
    put_u32(out, 0);
    for (size_t id = 0; id < s->n_token; id++) {
        float score = (float)s->tokens[id].score;
        uint32_t bits;
        memcpy(&bits, &score, 4);
        put_text(s, id, &text);
        if (text.size > longest) longest = text.size;
        put_u32(out, bits);
        put_u32(out, (uint32_t)text.size);
        wick_strbuf_add(out, text.data, text.size);
    }
    bool failed = text.failed || out->failed;
    wick_strbuf_release(&text);
    if (failed) return wick_fail_nomem(err);
    wick_store_u32((uint8_t *)out->data + 12, (uint32_t)longest);
    return WICK_OK;
}

wick_status wick_tokenizer_convert(const char *path, const char *bin_path, wick_error *err) {
    wick_tok_spec s;
    wick_strbuf out = {0};
    if (!path || !bin_path) return wick_fail(err, WICK_EINVAL, "there is no path to convert from or to");
    wick_spec_init(&s);
    wick_status status = wick_spec_read_file(path, &s, err);
    if (status == WICK_OK && (status = put_file(&s, &out, err)) != WICK_OK) wick_error_context(err, status, "%s", path);
    if (status == WICK_OK) status = wick_file_write(bin_path, out.data, out.size, err);
    wick_strbuf_release(&out);
    wick_spec_release(&s);
    return status;
}
