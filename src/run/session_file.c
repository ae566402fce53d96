/* A session in a file, little-endian:
 *
 *     0   "WICKSTAT"      8  u32 version (1)    12  u32 element size of the cache (2 or 4)
 *     16  u64 fingerprint of the program        24  u64 tokens n
 *     32  u64 bytes of state                    40  u64 logits (0, or the width of the vocabulary)
 *     48  i32 tokens[n], state (backend.h: canonical form), f32 logits
 *     end u64 hash of everything before
 *
 * The file is written whole and renamed; a file that is not exactly this is refused before the session changes. */
#include "base/bytes.h"
#include "base/checked.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/table.h"
#include "run/session.h"

#include <string.h>

enum { VERSION = 1, HEAD = 48, TAIL = 8 };
static const char magic[8] = {'W', 'I', 'C', 'K', 'S', 'T', 'A', 'T'};

static uint32_t element_size(const wick_session *s) { return s->options.kv_dtype == WICK_KV_F32 ? 4 : 2; }

static wick_status no_state(const wick_session *s, wick_error *err) {
    return wick_fail(err, WICK_EUNSUPPORTED, "%s: only sessions of fully raised programs can be saved and loaded", s->model->path);
}

wick_status wick_session_save(const wick_session *s, const char *path, wick_error *err) {
    if (!s->state || s->host) return no_state(s, err);
    uint64_t n = s->n_token, state = s->model->backend->export_size(s->state, (int64_t)n),
             n_logit = s->logits ? (uint64_t)s->model->info.n_vocab : 0;
    uint64_t size = HEAD + n * 4 + state + n_logit * 4 + TAIL;
    uint8_t *bytes = wick_alloc((size_t)size);
    if (!bytes) return wick_fail_nomem(err);
    memcpy(bytes, magic, 8);
    wick_store_u32(bytes + 8, VERSION);
    wick_store_u32(bytes + 12, element_size(s));
    wick_store_u64(bytes + 16, wick_run_fingerprint(s->model));
    wick_store_u64(bytes + 24, n);
    wick_store_u64(bytes + 32, state);
    wick_store_u64(bytes + 40, n_logit);
    uint8_t *at = bytes + HEAD;
    for (uint64_t i = 0; i < n; i++, at += 4) wick_store_u32(at, (uint32_t)s->tokens[i]);
    s->model->backend->export_state(s->state, (int64_t)n, at);
    at += state;
    if (n_logit) memcpy(at, s->logits, (size_t)n_logit * 4);
    wick_store_u64(bytes + size - TAIL, wick_hash(bytes, (size_t)(size - TAIL), VERSION));
    wick_status status = wick_file_write(path, bytes, (size_t)size, err);
    wick_free(bytes);
    return status;
}

/* ---------------------------------------------------------------- loading */

typedef struct saved {
    uint32_t cache; /* element size */
    uint64_t fingerprint, n, state_size, n_logit;
    const uint8_t *tokens, *state, *logits;
} saved;

/* Size and checksum: what every file of ours fulfils. */
static wick_status parse(const wick_mapping *file, const char *path, saved *out, wick_error *err) {
    const uint8_t *b = file->data;
    if (file->size < HEAD + TAIL || memcmp(b, magic, 8) != 0) return wick_fail(err, WICK_EFORMAT, "%s: not a saved session", path);
    if (wick_load_u32(b + 8) != VERSION)
        return wick_fail(err, WICK_EUNSUPPORTED, "%s: a saved session of version %u, expected %d", path, wick_load_u32(b + 8), VERSION);
    out->cache = wick_load_u32(b + 12);
    out->fingerprint = wick_load_u64(b + 16);
    out->n = wick_load_u64(b + 24);
    out->state_size = wick_load_u64(b + 32);
    out->n_logit = wick_load_u64(b + 40);
    uint64_t left = file->size - HEAD - TAIL, tokens, logits;
    bool ok = wick_mul_u64(out->n, 4, &tokens) && wick_mul_u64(out->n_logit, 4, &logits) && tokens <= left &&
              out->state_size <= left - tokens && logits == left - tokens - out->state_size;
    if (!ok)
        return wick_fail(err, WICK_EFORMAT, "%s: its %zu bytes are not what %llu tokens and %llu bytes of state need", path, file->size,
                         (unsigned long long)out->n, (unsigned long long)out->state_size);
    if (wick_load_u64(b + file->size - TAIL) != wick_hash(b, file->size - TAIL, VERSION))
        return wick_fail(err, WICK_EFORMAT, "%s: the checksum is wrong: the file is damaged", path);
    out->tokens = b + HEAD;
    out->state = out->tokens + tokens;
    out->logits = out->state + out->state_size;
    return WICK_OK;
}

static wick_status check_fits(const wick_session *s, const char *path, const saved *f, wick_error *err) {
    if (f->fingerprint != wick_run_fingerprint(s->model))
        return wick_fail(err, WICK_EMISMATCH, "%s: saved by a session of another program than %s", path, s->model->path);
    if (f->cache != element_size(s))
        return wick_fail(err, WICK_EMISMATCH, "%s: saved with a cache of %u-byte numbers, the session's has %u", path, f->cache,
                         element_size(s));
    if (f->n > (uint64_t)s->capacity)
        return wick_fail(err, WICK_ELIMIT, "%s: holds %llu tokens, the session at most %lld", path, (unsigned long long)f->n,
                         (long long)s->capacity);
    if (f->n_logit && (f->n_logit != (uint64_t)s->model->info.n_vocab || !f->n))
        return wick_fail(err, WICK_EFORMAT, "%s: %llu logits, expected %lld", path, (unsigned long long)f->n_logit,
                         (long long)s->model->info.n_vocab);
    for (uint64_t i = 0; i < f->n; i++) {
        uint32_t id = wick_load_u32(f->tokens + 4 * i);
        if (id > INT32_MAX || (s->model->n_token_id && id >= (uint64_t)s->model->n_token_id))
            return wick_fail(err, WICK_EFORMAT, "%s: token %llu is %u, but the program's ids go from 0 to %lld", path,
                             (unsigned long long)i, id, (long long)s->model->n_token_id - 1);
    }
    return WICK_OK;
}

static wick_status bring_back(wick_session *s, const wick_mapping *file, const char *path, wick_error *err) {
    saved f = {0};
    WICK_TRY(parse(file, path, &f, err));
    WICK_TRY(check_fits(s, path, &f, err));
    wick_status status = s->model->backend->import_state(s->state, (int64_t)f.n, f.state, f.state_size, err);
    if (status != WICK_OK) return wick_error_context(err, status, "%s", path);
    for (uint64_t i = 0; i < f.n; i++) s->tokens[i] = (int32_t)wick_load_u32(f.tokens + 4 * i);
    s->n_token = (size_t)f.n;
    if (f.n_logit) memcpy(s->kept_logits, f.logits, (size_t)f.n_logit * 4);
    s->logits = f.n_logit ? s->kept_logits : NULL;
    return WICK_OK;
}

wick_status wick_session_load(wick_session *s, const char *path, wick_error *err) {
    wick_mapping file;
    if (!s->state || s->host) return no_state(s, err);
    WICK_TRY(wick_os_map(path, true, &file, err));
    wick_status status = bring_back(s, &file, path, err);
    wick_os_unmap(&file);
    return status;
}
