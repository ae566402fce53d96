/* llama2.c's tokenizer.bin and ExecuTorch's form of it: a SentencePiece BPE vocabulary without flags.
 *
 * llama2.c: int32 longest piece, then float score, int32 length, bytes for each token. ExecuTorch: int32 count, BOS, EOS, longest
 * piece, then the same. Only one reading ends exactly at the end of the file. */
#include "base/limits.h"
#include "text/tok_spec.h"

#include <string.h>

/* Counts the tokens from an offset on; 0: they do not end at the end of the file. */
static size_t count_tokens(wick_bytes data, size_t at) {
    wick_reader r = wick_reader_init(data.data, data.size);
    size_t n = 0;
    wick_read_bytes(&r, at);
    while (wick_reader_left(&r)) {
        wick_read_f32(&r);
        uint32_t size = wick_read_u32(&r);
        wick_read_bytes(&r, size);
        if (r.failed || n++ >= WICK_MAX_VOCAB) return 0;
    }
    return r.failed ? 0 : n;
}

bool wick_is_llama2c(wick_bytes data) {
    if (data.size < 20) return false;
    return (wick_load_u32(data.data) < 1 << 16 && count_tokens(data, 4) >= 3) || count_tokens(data, 16) == wick_load_u32(data.data);
}

/* Pieces hold spaces where SentencePiece has U+2581. */
static wick_status add_token(wick_tok_spec *s, size_t id, const char *text, size_t size, float score, uint32_t flags, wick_error *err) {
    wick_strbuf b = {0};
    wick_replace_text((wick_bytes){(const uint8_t *)" ", 1}, (wick_bytes){(const uint8_t *)"\xe2\x96\x81", 3}, text, size, &b);
    wick_status status = b.failed ? wick_fail_nomem(err) : wick_spec_token_set(s, id, b.data ? b.data : "", b.size, flags, score, err);
    wick_strbuf_release(&b);
    return status;
}

static wick_status add_tokens(wick_tok_spec *s, wick_bytes data, size_t at, size_t n, wick_error *err) {
    wick_reader r = wick_reader_init(data.data, data.size);
    wick_read_bytes(&r, at);
    for (size_t i = 0; i < n; i++) {
        float score = wick_read_f32(&r);
        uint32_t size = wick_read_u32(&r);
        const char *text = (const char *)wick_read_bytes(&r, size);
        char byte[8];
        uint32_t flags = 0;
        if (i == 0)
            text = "<unk>", size = 5, flags = WICK_TOKEN_UNKNOWN;
        else if (i < 3)
            text = i == 1 ? "<s>" : "</s>", size = (uint32_t)strlen(text), flags = WICK_TOKEN_CONTROL;
        else if (i < 259) {
            static const char hex[] = "0123456789ABCDEF";
            memcpy(byte, (char[]){'<', '0', 'x', hex[(i - 3) >> 4], hex[(i - 3) & 15], '>'}, 6);
            text = byte, size = 6, flags = WICK_TOKEN_BYTE;
        }
        WICK_TRY(add_token(s, i, text, size, score, flags, err));
    }
    return WICK_OK;
}

wick_status wick_read_llama2c(wick_bytes data, wick_tok_spec *s, wick_error *err) {
    size_t at = 4, n = data.size >= 20 ? count_tokens(data, 4) : 0;
    int32_t bos = 1, eos = 2;
    if (n < 3 && data.size >= 20) {
        at = 16;
        n = count_tokens(data, 16);
        bos = (int32_t)wick_load_u32(data.data + 4);
        eos = (int32_t)wick_load_u32(data.data + 8);
    }
    if (n < 3)
        return wick_fail(err, WICK_EFORMAT,
                         "a llama2.c tokenizer should be a list of score, length and piece; this one does not end where the file ends");
    s->config.model = WICK_TOK_BPE;
    s->config.flags = WICK_TOK_SENTENCEPIECE | WICK_TOK_BYTE_FALLBACK | WICK_TOK_FUSE_UNK;
    s->config.unk_id = 0;
    s->config.bos_id = bos >= 0 && (size_t)bos < n ? bos : -1;
    s->config.eos_id = eos >= 0 && (size_t)eos < n ? eos : -1;
    WICK_TRY(add_tokens(s, data, at, n, err));
    return wick_spec_sentencepiece(s, WICK_OP_DUMMY_PREFIX | WICK_OP_EXTRA_SPACES | WICK_OP_ESCAPE, (wick_bytes){0},
                                   (wick_bytes){(const uint8_t *)" \xe2\x81\x87 ", 5}, err);
}
