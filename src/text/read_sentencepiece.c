/* SentencePiece's .model: a protocol buffer, read field by field.
 *
 * ModelProto { repeated SentencePiece pieces = 1; TrainerSpec = 2; NormalizerSpec = 3; ... }
 * SentencePiece { string piece = 1; float score = 2; Type type = 3 (1 normal, 2 unknown, 3 control, 4 user, 5 unused, 6 byte) }
 * TrainerSpec { model_type = 3 (1 unigram, 2 bpe); treat_whitespace_as_suffix = 24; byte_fallback = 35; unk_id = 40; unk_surface = 44;
 * bos_piece = 46; eos_piece = 47 }   NormalizerSpec { precompiled_charsmap = 2; add_dummy_prefix = 3; remove_extra_whitespaces = 4;
 * escape_whitespaces = 5 } */
#include "base/limits.h"
#include "text/tok_spec.h"

#include <string.h>

typedef struct field {
    uint32_t number;
    uint64_t value;   /* varint or fixed */
    wick_bytes bytes; /* length-delimited */
} field;

static uint64_t varint(wick_reader *r) {
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        uint8_t b = wick_read_u8(r);
        v |= (uint64_t)(b & 127) << shift;
        if (!(b & 128)) return v;
    }
    r->failed = true;
    return 0;
}

/* The next field; false at the end or when the data is no message (r->failed). */
static bool next_field(wick_reader *r, field *f) {
    if (!wick_reader_left(r)) return false;
    uint64_t tag = varint(r);
    *f = (field){.number = (uint32_t)(tag >> 3)};
    switch (tag & 7) {
    case 0: f->value = varint(r); break;
    case 1: f->value = wick_read_u64(r); break;
    case 2: {
        uint64_t size = varint(r);
        f->bytes = (wick_bytes){wick_read_bytes(r, size), (size_t)size};
        break;
    }
    case 5: f->value = wick_read_u32(r); break;
    default: r->failed = true;
    }
    return !r->failed && f->number;
}

typedef struct spec_message {
    bool suffix, bytes, dummy, remove_extra, escape;
    uint64_t model_type;
    int32_t unk;
    wick_bytes unk_surface, bos_piece, eos_piece, charsmap;
} spec_message;

static wick_status malformed(wick_error *err, const char *where) {
    return wick_fail(err, WICK_EFORMAT, "%s is not a message of a SentencePiece model", where);
}

static wick_status read_trainer(wick_bytes b, spec_message *m, wick_error *err) {
    wick_reader r = wick_reader_init(b.data, b.size);
    for (field f; next_field(&r, &f);) {
        switch (f.number) {
        case 3: m->model_type = f.value; break;
        case 24: m->suffix = f.value != 0; break;
        case 35: m->bytes = f.value != 0; break;
        case 40: m->unk = (int32_t)f.value; break;
        case 44: m->unk_surface = f.bytes; break;
        case 46: m->bos_piece = f.bytes; break;
        case 47: m->eos_piece = f.bytes; break;
        default: break;
        }
    }
    return r.failed ? malformed(err, "the trainer specification") : WICK_OK;
}

static wick_status read_normalizer(wick_bytes b, spec_message *m, wick_error *err) {
    wick_reader r = wick_reader_init(b.data, b.size);
    for (field f; next_field(&r, &f);) {
        switch (f.number) {
        case 2: m->charsmap = f.bytes; break;
        case 3: m->dummy = f.value != 0; break;
        case 4: m->remove_extra = f.value != 0; break;
        case 5: m->escape = f.value != 0; break;
        default: break;
        }
    }
    return r.failed ? malformed(err, "the normalizer specification") : WICK_OK;
}

static wick_status read_piece(wick_bytes b, wick_tok_spec *s, wick_error *err) {
    static const uint32_t flags[] = {0, 0, WICK_TOKEN_UNKNOWN, WICK_TOKEN_CONTROL, WICK_TOKEN_USER, WICK_TOKEN_UNUSED, WICK_TOKEN_BYTE};
    wick_reader r = wick_reader_init(b.data, b.size);
    wick_bytes text = {0};
    uint32_t bits = 0;
    uint64_t type = 1;
    for (field f; next_field(&r, &f);) {
        if (f.number == 1) text = f.bytes;
        if (f.number == 2) bits = (uint32_t)f.value;
        if (f.number == 3) type = f.value;
    }
    if (r.failed || type > 6) return malformed(err, "a piece");
    float score;
    memcpy(&score, &bits, 4);
    return wick_spec_token_set(s, s->n_token, text.data, text.size, flags[type], score, err);
}

/* The control piece with this text, -1: none. The reference asks the pieces for BOS and EOS, not the trainer's numbers. */
static int32_t control_id(const wick_tok_spec *s, wick_bytes text) {
    for (size_t i = 0; i < s->n_token; i++)
        if (s->tokens[i].flags & WICK_TOKEN_CONTROL && s->tokens[i].size == text.size &&
            !memcmp(s->pool.data + s->tokens[i].at, text.data, text.size))
            return (int32_t)i;
    return -1;
}

wick_status wick_read_sentencepiece(wick_bytes data, wick_tok_spec *s, wick_error *err) {
    wick_reader r = wick_reader_init(data.data, data.size);
    spec_message m = {.model_type = 1,
                      .dummy = true,
                      .remove_extra = true,
                      .escape = true,
                      .unk = 0,
                      .unk_surface = {(const uint8_t *)" \xe2\x81\x87 ", 5},
                      .bos_piece = {(const uint8_t *)"<s>", 3},
                      .eos_piece = {(const uint8_t *)"</s>", 4}};
    for (field f; next_field(&r, &f);) {
        if (f.number == 1) WICK_TRY(read_piece(f.bytes, s, err));
        if (f.number == 2) WICK_TRY(read_trainer(f.bytes, &m, err));
        if (f.number == 3) WICK_TRY(read_normalizer(f.bytes, &m, err));
    }
    if (r.failed || !s->n_token) return malformed(err, "the file");
    if (m.model_type != 1 && m.model_type != 2)
        return wick_fail(err, WICK_EUNSUPPORTED, "SentencePiece model type %llu is neither unigram nor BPE",
                         (unsigned long long)m.model_type);
    wick_tok_config *c = &s->config;
    c->model = m.model_type == 1 ? WICK_TOK_UNIGRAM : WICK_TOK_BPE;
    c->flags = WICK_TOK_SENTENCEPIECE | WICK_TOK_FUSE_UNK | (m.bytes ? WICK_TOK_BYTE_FALLBACK : 0);
    for (size_t i = 0; i < s->n_token; i++) /* the piece decides, whatever the trainer's number says */
        if (s->tokens[i].flags & WICK_TOKEN_UNKNOWN) m.unk = (int32_t)i;
    if (m.unk >= 0 && (size_t)m.unk < s->n_token) c->unk_id = (uint32_t)m.unk;
    c->bos_id = control_id(s, m.bos_piece);
    c->eos_id = control_id(s, m.eos_piece);
    uint32_t flags = (m.dummy ? WICK_OP_DUMMY_PREFIX : 0) | (m.remove_extra ? 0 : WICK_OP_EXTRA_SPACES) | (m.escape ? WICK_OP_ESCAPE : 0) |
                     (m.suffix ? WICK_OP_SUFFIX : 0);
    return wick_spec_sentencepiece(s, flags, m.charsmap, m.unk_surface, err);
}
