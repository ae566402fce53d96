/* The memory planner. State lies at the start of the arena, for ever. Then every activation, the largest first, goes to the lowest
 * offset at which it meets nobody that lives at the same time. Large ones decide the size, small ones find the gaps: on models
 * this is within a few per cent of the sum of what is alive at the busiest instruction, and it is a page of code. A value written
 * and one read by the same instruction both count as alive there. */
#include "export/lower_program.h"

#include "base/checked.h"
#include "base/mem.h"

#include <stdlib.h>

enum { ALIGN = 64 };

typedef struct block {
    uint64_t offset, size;
    int64_t first, last;
    int32_t value;
} block;

static int by_size(const void *a, const void *b) {
    const block *x = a, *y = b;
    if (x->size != y->size) return x->size > y->size ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

static int by_offset(const void *a, const void *b) {
    const block *const *x = a, *const *y = b;
    return ((*x)->offset > (*y)->offset) - ((*x)->offset < (*y)->offset);
}

static uint64_t tensor_size(wick_lower_state *lw, int32_t v) {
    uint64_t n_element, n_byte;
    if (!wick_pte_tensor_size(lw->values[v].tensor, &n_element, &n_byte) || n_byte > INT64_MAX / 4)
        wick_lower_fail(lw, WICK_ELIMIT, "a tensor of the program is larger than 2^61 bytes");
    return lw->status == WICK_OK ? wick_align_up(n_byte, ALIGN) : 0;
}

static void place(wick_lower_state *lw, int32_t v, uint64_t offset) {
    lw->values[v].tensor->memory_id = 1;
    lw->values[v].tensor->memory_offset = offset;
}

/* The lowest offset >= base at which b fits between the placed blocks that live together with it; busy is scratch. */
static uint64_t lowest_gap(const block *placed, size_t n, const block *b, uint64_t base, const block **busy) {
    size_t n_busy = 0;
    for (size_t i = 0; i < n; i++)
        if (placed[i].last >= b->first && b->last >= placed[i].first) busy[n_busy++] = &placed[i];
    qsort(busy, n_busy, sizeof *busy, by_offset);
    uint64_t at = base;
    for (size_t i = 0; i < n_busy; i++) {
        if (busy[i]->offset >= at && busy[i]->offset - at >= b->size) break;
        if (busy[i]->offset + busy[i]->size > at) at = busy[i]->offset + busy[i]->size;
    }
    return at;
}

uint64_t wick_lower_plan(wick_lower_state *lw) {
    if (lw->status != WICK_OK) return 0;
    block *blocks = WICK_NEW_ARRAY(block, lw->n_value);
    const block **busy = WICK_NEW_ARRAY(const block *, lw->n_value);
    uint64_t top = 0;
    size_t n = 0;
    if (!blocks || !busy) {
        lw->status = wick_fail_nomem(lw->err);
        goto out;
    }
    for (size_t i = 0; i < lw->n_value; i++) {
        const wick_life *life = &lw->lives[i];
        if (life->kind == WICK_LIFE_STATE) {
            place(lw, (int32_t)i, top);
            top += tensor_size(lw, (int32_t)i);
        } else if (life->kind == WICK_LIFE_PLANNED) {
            blocks[n++] = (block){0, tensor_size(lw, (int32_t)i), life->first, life->last, (int32_t)i};
        }
        if (top > INT64_MAX / 4) wick_lower_fail(lw, WICK_ELIMIT, "the caches of the program are larger than 2^61 bytes");
        if (lw->status != WICK_OK) goto out;
    }
    uint64_t base = top;
    qsort(blocks, n, sizeof *blocks, by_size);
    for (size_t i = 0; i < n; i++) {
        blocks[i].offset = lowest_gap(blocks, i, &blocks[i], base, busy);
        place(lw, blocks[i].value, blocks[i].offset);
        if (blocks[i].offset + blocks[i].size > top) top = blocks[i].offset + blocks[i].size;
    }
out:
    wick_free(blocks);
    wick_free(busy);
    return top;
}
