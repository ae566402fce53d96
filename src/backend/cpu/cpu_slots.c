/* Memory of values: slots whose lives do not meet share a block. Slots come in the order in which they are first written,
 * so one pass that takes the best-fitting free block is enough. */
#include "backend/cpu/cpu_plan.h"
#include "base/mem.h"

static int64_t row_size(const cpu_slot *s) { return s->kind == CPU_SLOT_CODES ? s->width + s->width / 8 + 12 : s->width * 4; }

static int32_t find_block(const wick_backend_plan *p, const cpu_slot *s, int64_t size) {
    int32_t best = -1;
    for (size_t i = 0; i < p->n_block; i++) {
        const cpu_block *k = &p->blocks[i], *have = best >= 0 ? &p->blocks[best] : NULL;
        if (k->host_value >= 0 || k->last != s->last || k->end >= s->first) continue;
        bool fits = k->row_size >= size, had = have && have->row_size >= size;
        if (!have || (fits && (!had || k->row_size < have->row_size)) || (!fits && !had && k->row_size > have->row_size)) best = (int32_t)i;
    }
    return best;
}

/* True if all that the row ops of a phase write is read in the same phase: every thread may do them for itself. */
static bool stays(const wick_backend_plan *p, const cpu_phase *ph) {
    if (!ph->n_op || ph->main != CPU_MAIN_LINEAR) return false;
    for (int32_t i = ph->first_op; i < ph->first_op + ph->n_op; i++) {
        if (p->ops[i].out.slot < 0) return false;
        const cpu_slot *s = &p->slots[p->ops[i].out.slot];
        if (s->first != s->end) return false;
    }
    return true;
}

static void place_local(wick_backend_plan *p) {
    for (size_t i = 0; i < p->n_phase; i++) {
        cpu_phase *ph = &p->phases[i];
        int64_t at = 0;
        ph->ops_local = stays(p, ph);
        for (int32_t j = ph->first_op; ph->ops_local && j < ph->first_op + ph->n_op; j++) {
            cpu_slot *s = &p->slots[p->ops[j].out.slot];
            if (s->local) continue; /* an op in place */
            s->local = true;
            s->local_offset = at;
            at += (row_size(s) + 63) / 64 * 64;
        }
        if (at > p->local_size) p->local_size = at;
    }
}

wick_status cpu_slots_place(wick_backend_plan *p, wick_error *err) {
    for (size_t i = 0; i < p->n_slot; i++) {
        cpu_slot *s = &p->slots[i];
        bool is_host = s->kind == CPU_SLOT_HOST;
        int64_t size = is_host ? 0 : (row_size(s) + 63) / 64 * 64;
        s->block = is_host ? -1 : find_block(p, s, size);
        if (s->block < 0) {
            if (!WICK_GROW(p->blocks, p->n_block, p->block_cap)) return wick_fail_nomem(err);
            p->blocks[p->n_block] = (cpu_block){.last = s->last, .host_value = is_host ? s->value : -1};
            s->block = (int32_t)p->n_block++;
        }
        cpu_block *k = &p->blocks[s->block];
        if (k->row_size < size) k->row_size = size;
        k->end = s->end;
    }
    place_local(p);
    return WICK_OK;
}
