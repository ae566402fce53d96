/* Making files that lie. */
#include "pte_hostile.h"

#include "base/checked.h"
#include "base/mem.h"
#include "program/pte_flat.h"

void hostile_expect(const char *name, const uint8_t *file, size_t size, const char *sentence) {
    uint8_t *copy = malloc(size ? size : 1);
    wick_program *q;
    wick_error err = {0};
    assert_non_null(copy);
    if (size) memcpy(copy, file, size);
    wick_status status = wick_program_open_memory((wick_bytes){copy, size}, "bad.pte", NULL, &q, &err);
    if (sentence) {
        if (status == WICK_OK) fail_msg("%s was accepted", name);
        if (!strstr(err.message, sentence)) fail_msg("%s: \"%s\" does not say \"%s\"", name, err.message, sentence);
        if (strncmp(err.message, "bad.pte: ", 9) != 0) fail_msg("%s: \"%s\" does not begin with the file's name", name, err.message);
    } else {
        if (status != WICK_OK) fail_msg("%s: %s", name, err.message);
        wick_program_close(q);
    }
    free(copy);
}

static place find(const uint8_t *file, size_t size, const char *table, const char *field, place_kind kind, size_t n) {
    places all;
    place found = {0};
    assert_true(places_find(file, size, &all));
    for (size_t i = 0; i < all.n && !found.width; i++) {
        const place *p = &all.items[i];
        if (p->kind == kind && strcmp(p->table, table) == 0 && strcmp(p->field, field) == 0 && n-- == 0) found = *p;
    }
    if (!found.width) fail_msg("the file has no %s of %s", field, table);
    places_release(&all);
    return found;
}

void hostile_set(uint8_t *file, size_t size, const char *table, const char *field, place_kind kind, size_t n, uint64_t value) {
    place p = find(file, size, table, field, kind, n);
    place_store(&p, file, value);
}

uint64_t hostile_get(const uint8_t *file, size_t size, const char *table, const char *field, place_kind kind, size_t n) {
    place p = find(file, size, table, field, kind, n);
    return place_load(&p, file);
}

uint8_t *hostile_assemble(const wick_pte *p, wick_bytes payload, size_t *size) {
    uint64_t offsets[SMALL_N_SEGMENT], at = 0;
    wick_fbb b;
    for (uint32_t i = 0; i < p->n_segment; i++) {
        offsets[i] = at;
        at = wick_align_up(at + p->segments[i].size, 64);
    }
    assert_ok(wick_pte_flat(p, offsets, &b, err));
    size_t base = (b.size + 63) / 64 * 64;
    *size = base + (size_t)at;
    uint8_t *file = calloc(*size, 1);
    assert_non_null(file);
    memcpy(file, wick_fbb_bytes(&b), b.size);
    memcpy(file + 8, "eh00", 4);
    wick_store_u32(file + 12, 32);
    wick_store_u64(file + 16, b.size);
    wick_store_u64(file + 24, base);
    wick_store_u64(file + 32, at);
    memcpy(file + base + offsets[SMALL_SEG_PAYLOAD], payload.data, payload.size);
    wick_fbb_release(&b);
    return file;
}

static void run_case(const hostile_case *c) {
    wick_pte p;
    hostile_graph g;
    wick_bytes payload;
    size_t size;
    assert_true(small_program(&p, 0));
    g.x = *p.segments[SMALL_SEG_PAYLOAD].xnn;
    memset(g.values, 0, sizeof g.values);
    memcpy(g.values, g.x.values, g.x.n_value * sizeof *g.values);
    memcpy(g.constants, g.x.constants, g.x.n_constant * sizeof *g.constants);
    g.node = g.x.nodes[0];
    g.x.values = g.values, g.x.nodes = &g.node, g.x.constants = g.constants;
    p.segments[SMALL_SEG_PAYLOAD].size = 0;
    /* The file's own copies: small_program shares static ones. */
    wick_pte_method m = p.methods[0];
    wick_pte_delegate delegate = m.delegates[0];
    wick_pte_offsets mutables = p.mutables[0];
    int64_t arenas[] = {0, m.arena_sizes[1]};
    m.delegates = &delegate;
    m.arena_sizes = arenas;
    p.methods[0] = m;
    p.mutables = &mutables;
    if (c->change) c->change(&p, &g);
    assert_ok(wick_xnn_write(&p, &g.x, &payload, err));
    if (!p.segments[SMALL_SEG_PAYLOAD].size) p.segments[SMALL_SEG_PAYLOAD].size = payload.size;
    if (p.segments[SMALL_SEG_PAYLOAD].size < payload.size) payload.size = (size_t)p.segments[SMALL_SEG_PAYLOAD].size;
    uint8_t *file = hostile_assemble(&p, payload, &size);
    if (c->patch) c->patch(file, &size);
    hostile_expect(c->name, file, size, c->sentence);
    free(file);
    wick_free((void *)(uintptr_t)payload.data);
    wick_pte_release(&p);
}

void hostile_run(const hostile_case *cases, size_t n) {
    uint64_t live = wick_mem_stats_get().n_live;
    for (size_t i = 0; i < n; i++) run_case(&cases[i]);
    assert_int_equal(wick_mem_stats_get().n_live, live);
}

uint8_t *hostile_small(size_t *size) {
    wick_pte p;
    wick_bytes payload;
    assert_true(small_program(&p, 0));
    assert_ok(wick_xnn_write(&p, p.segments[SMALL_SEG_PAYLOAD].xnn, &payload, err));
    p.segments[SMALL_SEG_PAYLOAD].size = payload.size;
    uint8_t *file = hostile_assemble(&p, payload, size);
    wick_free((void *)(uintptr_t)payload.data);
    wick_pte_release(&p);
    return file;
}
