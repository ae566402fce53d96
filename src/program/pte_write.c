/* The writer of `.pte` files.
 *
 * Order of work: verify and check; sizes (payloads are serialized once for theirs); layout; disk space; content of segments in
 * parallel, straight into the file, hashing those whose keys ask for it; payloads, whose keys are final now; FlatBuffer;
 * flush and rename. A thread holds one piece at a time. */
#include "base/checked.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/pool.h"
#include "program/pte_flat.h"
#include "program/xnn.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    DEFAULT_ALIGN = 4096,
    TAIL = 64,      /* zero bytes at the end: kernels read a little past their operands */
    STEP = 4 << 20, /* bytes written between two reports of progress */
};

/* Segments that one thread produces, in order. */
typedef struct unit {
    uint32_t first, n; /* in writer.order */
    uint64_t size;
} unit;

typedef struct writer {
    wick_pte *p;
    const wick_pte_write_options *options;
    const char *path;
    uint64_t *offsets; /* of segments, from the first one */
    uint64_t segment_base, segments_size, flatbuffer_size, file_size;
    uint32_t *order; /* segments with pieces, sorted by unit */
    uint32_t n_order;
    unit *units;
    uint32_t n_unit;
    bool *hashed;           /* [n_segment] */
    uint8_t (*digests)[32]; /* [n_segment] */
    wick_outfile file;
    atomic_uint next_unit;
    atomic_bool stop;
    pthread_mutex_t reporting; /* guards done and the callback */
    uint64_t done;
    uint64_t total;
    wick_error *thread_errors; /* [n_thread] */
} writer;

/* ---------------------------------------------------------------- layout */

static wick_status size_payloads(writer *w, wick_error *err) {
    for (uint32_t i = 0; i < w->p->n_segment; i++) {
        wick_pte_segment *s = &w->p->segments[i];
        wick_bytes blob;
        if (!s->xnn) continue;
        for (uint32_t k = 0; k < s->xnn->n_constant; k++)
            if (s->xnn->constants[k].key_named > w->p->n_named)
                return wick_fail(err, WICK_EINVAL, "%s: segment %u: constant %u names data %u of %u", w->path, i, k,
                                 s->xnn->constants[k].key_named, w->p->n_named);
        WICK_TRY(wick_xnn_check(s->xnn, w->path, err));
        WICK_TRY(wick_xnn_check_scales(s->xnn, w->path, err));
        WICK_TRY(wick_xnn_write(w->p, s->xnn, &blob, err));
        s->size = blob.size;
        wick_free((void *)(uintptr_t)blob.data);
    }
    return WICK_OK;
}

static wick_status place_segments(writer *w, wick_error *err) {
    uint64_t at = 0, base_align = DEFAULT_ALIGN;
    bool empty = true;
    for (uint32_t i = 0; i < w->p->n_segment; i++) {
        const wick_pte_segment *s = &w->p->segments[i];
        uint64_t align = s->alignment ? s->alignment : DEFAULT_ALIGN;
        if ((align & (align - 1)) || align > 1u << 20 || s->size > INT64_MAX / 4 || at > INT64_MAX / 4)
            return wick_fail(err, WICK_EINVAL, "%s: segment %u: %llu bytes aligned to %llu", w->path, i, (unsigned long long)s->size,
                             (unsigned long long)align);
        if (align > base_align) base_align = align;
        w->offsets[i] = wick_align_up(at, align);
        at = w->offsets[i] + s->size;
        empty = empty && s->size == 0;
        uint64_t end = 0;
        for (uint32_t k = 0; k < s->n_piece; k++) {
            if (s->offsets[k] < end || !wick_in_range(s->offsets[k], s->pieces[k].size, s->size))
                return wick_fail(err, WICK_EINVAL, "%s: segment %u: piece %u does not fit behind the one before it", w->path, i, k);
            end = s->offsets[k] + s->pieces[k].size;
        }
    }
    wick_fbb b;
    wick_status status = wick_pte_flat(w->p, w->offsets, &b, err);
    w->flatbuffer_size = b.size;
    wick_fbb_release(&b);
    w->segments_size = empty ? 0 : at;
    w->segment_base = empty ? 0 : wick_align_up(w->flatbuffer_size, base_align);
    w->file_size = (empty ? w->flatbuffer_size : w->segment_base + w->segments_size) + TAIL;
    return status;
}

static wick_status lay_out(writer *w, wick_error *err) {
    w->offsets = WICK_NEW_ARRAY(uint64_t, w->p->n_segment);
    if (!w->offsets) return wick_fail_nomem(err);
    WICK_TRY(size_payloads(w, err));
    WICK_TRY(wick_pte_verify(w->p, w->path, err));
    return place_segments(w, err);
}

wick_status wick_pte_file_size(wick_pte *p, uint64_t *size, wick_error *err) {
    writer w = {.p = p, .path = "program"};
    wick_status status = lay_out(&w, err);
    if (status == WICK_OK) *size = w.file_size;
    wick_free(w.offsets);
    return status;
}

/* ---------------------------------------------------------------- units of work */

static int by_job(const void *a, const void *b, const wick_pte *p) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b, jx = p->segments[x].job, jy = p->segments[y].job;
    return jx != jy ? (jx < jy ? -1 : 1) : x < y ? -1 : x > y;
}

/* Heap sort, for it takes a context. */
static void sort_by_job(uint32_t *order, uint32_t n, const wick_pte *p) {
    for (uint32_t end = n, start = n / 2; end > 1;) {
        if (start) {
            start--;
        } else {
            uint32_t top = order[0];
            order[0] = order[--end];
            order[end] = top;
        }
        for (uint32_t root = start, child; (child = 2 * root + 1) < end; root = child) {
            if (child + 1 < end && by_job(&order[child], &order[child + 1], p) < 0) child++;
            if (by_job(&order[root], &order[child], p) >= 0) break;
            uint32_t swap = order[root];
            order[root] = order[child];
            order[child] = swap;
        }
    }
}

/* The largest first, so that no thread begins a long one when the others have finished. */
static int by_size(const void *a, const void *b) {
    const unit *x = a, *y = b;
    return x->size != y->size ? (x->size > y->size ? -1 : 1) : x->first < y->first ? -1 : x->first > y->first;
}

static wick_status plan_units(writer *w, wick_error *err) {
    const wick_pte *p = w->p;
    w->order = WICK_NEW_ARRAY(uint32_t, p->n_segment);
    w->units = WICK_NEW_ARRAY(unit, p->n_segment);
    w->hashed = WICK_NEW_ARRAY(bool, p->n_segment);
    w->digests = wick_calloc(p->n_segment, sizeof *w->digests);
    if (!w->order || !w->units || !w->hashed || !w->digests) return wick_fail_nomem(err);
    for (uint32_t i = 0; i < p->n_named; i++) {
        const wick_pte_named *n = &p->named[i];
        if (!n->hash_size) continue;
        if (n->hash_size > 64 || n->hash_size > strlen(n->key) || !w->options->sha256 || p->segments[n->segment].xnn)
            return wick_fail(err, WICK_EINVAL, "%s: the key \"%.100s\" cannot hold %u digits of a hash", w->path, n->key, n->hash_size);
        w->hashed[n->segment] = true;
    }
    for (uint32_t i = 0; i < p->n_segment; i++) {
        if (!p->segments[i].xnn) w->order[w->n_order++] = i;
        w->total += p->segments[i].size;
    }
    sort_by_job(w->order, w->n_order, p);
    for (uint32_t i = 0; i < w->n_order; i++) {
        const wick_pte_segment *s = &p->segments[w->order[i]];
        bool joins = i && s->job && s->job == p->segments[w->order[i - 1]].job;
        if (!joins) w->units[w->n_unit++] = (unit){i, 0, 0};
        w->units[w->n_unit - 1].n++;
        w->units[w->n_unit - 1].size += s->size;
    }
    qsort(w->units, w->n_unit, sizeof *w->units, by_size);
    return WICK_OK;
}

/* ---------------------------------------------------------------- production */

/* What one thread holds. */
typedef struct hands {
    writer *w;
    uint8_t *buffer;
    size_t cap;
    void *hash; /* state of the sha256, or NULL */
    wick_error *err;
} hands;

static wick_status report(writer *w, uint64_t bytes, wick_error *err) {
    bool go_on = true;
    pthread_mutex_lock(&w->reporting); /* counted and told under one lock: the callback sees numbers that only grow, one at a time */
    w->done += bytes;
    if (w->options->progress) go_on = w->options->progress(w->options->user, (double)w->done, (double)w->total);
    pthread_mutex_unlock(&w->reporting);
    if (!go_on) return wick_fail(err, WICK_ECANCELED, "%s: canceled", w->path);
    if (atomic_load(&w->stop)) return wick_fail(err, WICK_ECANCELED, "%s: canceled", w->path);
    return WICK_OK;
}

static void hash(const hands *h, const void *data, uint64_t size) {
    if (h->hash) h->w->options->sha256->update(h->hash, data, size);
}

static void hash_zeros(const hands *h, uint64_t size) {
    static const uint8_t zeros[4096];
    for (; h->hash && size; size -= size < sizeof zeros ? size : sizeof zeros) hash(h, zeros, size < sizeof zeros ? size : sizeof zeros);
}

static wick_status produce_piece(hands *h, const wick_source *piece, uint64_t file_offset) {
    const uint8_t *bytes = piece->bytes;
    if (!bytes && piece->size) {
        if (piece->size > h->cap) {
            wick_free(h->buffer);
            h->cap = 0;
            h->buffer = wick_alloc((size_t)piece->size);
            if (!h->buffer)
                return wick_fail(h->err, WICK_ENOMEM, "%s: no memory for a tensor of %llu bytes", h->w->path,
                                 (unsigned long long)piece->size);
            h->cap = (size_t)piece->size;
        }
        WICK_TRY(piece->read(piece->user, h->buffer, h->err));
        bytes = h->buffer;
    }
    for (uint64_t at = 0; at < piece->size;) {
        size_t n = piece->size - at < STEP ? (size_t)(piece->size - at) : STEP;
        hash(h, bytes + at, n);
        WICK_TRY(wick_outfile_write(&h->w->file, file_offset + at, bytes + at, n, h->err));
        WICK_TRY(report(h->w, n, h->err));
        at += n;
    }
    return WICK_OK;
}

static wick_status produce_segment(hands *h, uint32_t i) {
    writer *w = h->w;
    const wick_pte_segment *s = &w->p->segments[i];
    void *state = h->hash;
    if (!w->hashed[i]) h->hash = NULL;
    if (h->hash) w->options->sha256->init(h->hash);
    uint64_t end = 0;
    wick_status status = WICK_OK;
    for (uint32_t k = 0; k < s->n_piece && status == WICK_OK; k++) {
        hash_zeros(h, s->offsets[k] - end);
        status = produce_piece(h, &s->pieces[k], w->segment_base + w->offsets[i] + s->offsets[k]);
        end = s->offsets[k] + s->pieces[k].size;
    }
    hash_zeros(h, s->size - end);
    if (h->hash) w->options->sha256->finish(h->hash, w->digests[i]);
    h->hash = state;
    return status;
}

static void produce(void *arg, int i_thread, int n_thread) {
    (void)n_thread;
    writer *w = arg;
    hands h = {.w = w, .err = &w->thread_errors[i_thread]};
    wick_status status = WICK_OK;
    if (w->options->sha256) {
        h.hash = wick_alloc(w->options->sha256->state_size);
        if (!h.hash) status = wick_fail_nomem(h.err);
    }
    for (uint32_t u; status == WICK_OK && !atomic_load(&w->stop) && (u = atomic_fetch_add(&w->next_unit, 1)) < w->n_unit;)
        for (uint32_t k = 0; k < w->units[u].n && status == WICK_OK; k++) status = produce_segment(&h, w->order[w->units[u].first + k]);
    if (status != WICK_OK) atomic_store(&w->stop, true);
    wick_free(h.buffer);
    wick_free(h.hash);
}

static wick_status produce_all(writer *w, wick_error *err) {
    wick_pool *pool;
    WICK_TRY(wick_pool_new(w->options->threads, &pool, err));
    int n = wick_pool_size(pool);
    w->thread_errors = WICK_NEW_ARRAY(wick_error, n);
    wick_status status = w->thread_errors ? WICK_OK : wick_fail_nomem(err);
    if (status == WICK_OK) wick_pool_run(pool, produce, w);
    /* The cause, before those that it stopped. */
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; status == WICK_OK && i < n; i++)
            if (w->thread_errors[i].code != WICK_OK && (pass || w->thread_errors[i].code != WICK_ECANCELED)) {
                status = w->thread_errors[i].code;
                if (err) *err = w->thread_errors[i];
            }
    wick_free(w->thread_errors);
    wick_pool_free(pool);
    return status;
}

/* ---------------------------------------------------------------- what depends on hashes */

static wick_status finish_keys(writer *w, wick_error *err) {
    static const char digits[] = "0123456789abcdef";
    wick_table seen = {0};
    wick_status status = WICK_OK;
    for (uint32_t i = 0; i < w->p->n_named && status == WICK_OK; i++) {
        wick_pte_named *n = &w->p->named[i];
        size_t size = strlen(n->key);
        for (uint32_t k = 0; k < n->hash_size; k++) {
            uint8_t byte = w->digests[n->segment][k / 2];
            n->key[size - n->hash_size + k] = digits[k % 2 ? byte & 15 : byte >> 4];
        }
        if (wick_table_get(&seen, n->key, size, NULL))
            status = wick_fail(err, WICK_EINVAL, "%s: two blobs have the key \"%.100s\"", w->path, n->key);
        else if (!wick_table_set(&seen, n->key, size, i))
            status = wick_fail_nomem(err);
    }
    wick_table_release(&seen);
    return status;
}

static wick_status write_payloads(writer *w, wick_error *err) {
    for (uint32_t i = 0; i < w->p->n_segment; i++) {
        const wick_pte_segment *s = &w->p->segments[i];
        wick_bytes blob;
        if (!s->xnn) continue;
        WICK_TRY(wick_xnn_write(w->p, s->xnn, &blob, err));
        wick_status status = wick_outfile_write(&w->file, w->segment_base + w->offsets[i], blob.data, blob.size, err);
        wick_free((void *)(uintptr_t)blob.data);
        WICK_TRY(status);
        WICK_TRY(report(w, s->size, err));
    }
    return WICK_OK;
}

static wick_status write_flatbuffer(writer *w, wick_error *err) {
    static const uint8_t tail[TAIL];
    wick_fbb b;
    wick_status status = wick_pte_flat(w->p, w->offsets, &b, err);
    if (status == WICK_OK) {
        uint8_t *bytes = (uint8_t *)(uintptr_t)wick_fbb_bytes(&b);
        memcpy(bytes + 8, "eh00", 4);
        wick_store_u32(bytes + 12, WICK_PTE_HEADER_SIZE);
        wick_store_u64(bytes + 16, w->flatbuffer_size);
        wick_store_u64(bytes + 24, w->segment_base);
        wick_store_u64(bytes + 32, w->segments_size);
        status = wick_outfile_write(&w->file, 0, bytes, b.size, err);
    }
    wick_fbb_release(&b);
    WICK_TRY(status);
    return wick_outfile_write(&w->file, w->file_size - TAIL, tail, TAIL, err);
}

/* ---------------------------------------------------------------- all of it */

static wick_status write_all(writer *w, wick_error *err) {
    WICK_TRY(lay_out(w, err));
    WICK_TRY(wick_pte_check(w->p, w->path, WICK_CHECK_ALLOW_UNKNOWN, err));
    WICK_TRY(plan_units(w, err));
    WICK_TRY(wick_outfile_open(&w->file, w->path, w->file_size, err));
    wick_status status;
    WICK_CHECK_GOTO(produce_all(w, err));
    WICK_CHECK_GOTO(finish_keys(w, err));
    WICK_CHECK_GOTO(write_payloads(w, err));
    WICK_CHECK_GOTO(write_flatbuffer(w, err));
    return wick_outfile_commit(&w->file, err);
out:
    wick_outfile_abort(&w->file);
    return status;
}

wick_status wick_pte_write(wick_pte *p, const char *path, const wick_pte_write_options *options, wick_error *err) {
    const wick_pte_write_options none = {0};
    writer w = {.p = p, .options = options ? options : &none, .path = path, .reporting = PTHREAD_MUTEX_INITIALIZER};
    wick_status status = write_all(&w, err);
    wick_free(w.offsets);
    wick_free(w.order);
    wick_free(w.units);
    wick_free(w.hashed);
    wick_free(w.digests);
    return status;
}
