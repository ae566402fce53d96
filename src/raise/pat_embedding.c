/* Embeddings: plain tables, and tables of codes with a scale per row or per group of a row. */
#include "raise/raise_int.h"

static bool is_zero(const wick_raiser *r, wick_value_id v) {
    double x;
    return v < 0 || (wick_r_uniform(r->g, wick_r_strip(r, v), &x) && x == 0);
}

/* v[0]: table, v[1]: scales or -1, v[2]: tokens; n: V, K, group */
static bool match_embedding(wick_raiser *r, const wick_node *n, wick_match *m) {
    bool plain = n->n_in == 2;
    wick_value_id table = wick_r_in(r, n, 0), scales = plain ? -1 : wick_r_in(r, n, 1), tokens = wick_r_in(r, n, n->n_in - 1);
    const wick_value *t = wick_r_value(r, table), *s = wick_r_value(r, scales);
    m->v[0] = table;
    m->v[1] = scales;
    m->v[2] = wick_r_strip(r, tokens);
    m->n[0] = t->dims[0].c;
    m->n[1] = wick_value_width(wick_r_value(r, n->out));
    if (t->kind != WICK_VALUE_CONST || t->rank != 2 || t->n_part != 1) return false;
    if (m->v[2] != r->g->tokens && !wick_r_is(r, m->v[2], WICK_OP_gather_ids)) return false;
    if (plain) return t->dtype == WICK_F32 || t->dtype == WICK_F16 || t->dtype == WICK_BF16;
    bool whole_bytes = n->attrs.fine.number == 8; /* signed; smaller codes are bits */
    if ((t->dtype != WICK_I8 && (whole_bytes || t->dtype != WICK_U8)) || !is_zero(r, wick_r_in(r, n, 2))) return false;
    if (!s || s->kind != WICK_VALUE_CONST || s->n_part != 1 || s->rank < 1 || s->rank > 2 || s->dims[0].c != m->n[0]) return false;
    if (s->dtype != WICK_F32 && s->dtype != WICK_BF16 && s->dtype != WICK_F16) return false;
    int64_t n_group = s->rank == 2 ? s->dims[1].c : 1;
    if (n_group < 1 || m->n[1] % n_group) return false;
    m->n[2] = n_group == 1 ? 0 : m->n[1] / n_group;
    return true;
}

static wick_value_id build_embedding(wick_raiser *r, const wick_node *n, const wick_match *m) {
    wick_value_id table = m->v[0];
    if (m->v[1] >= 0) {
        wick_part part = r->g->values[table].parts[0];
        part.scales = r->g->values[m->v[1]].parts[0].data;
        int bits = (int)n->attrs.fine.number;
        wick_scheme scheme = {WICK_SCHEME_INT, bits, m->n[2], r->g->values[m->v[1]].dtype,
                              bits == 8 ? WICK_PACK_BYTE : WICK_PACK_HIGH_FIRST};
        table = wick_graph_const(r->g, WICK_F32, 2, m->n, scheme, &part, 1);
    }
    if (table < 0) return -1;
    return wick_r_like(r, wick_r_op(r, WICK_OP_embedding, (wick_attrs){.linear = {0}}, 2, (wick_value_id[]){m->v[2], table}), n->out);
}

const wick_pattern wick_pat_embedding[] = {{"embedding", WICK_OP_f_embedding, match_embedding, build_embedding}};
const size_t wick_n_pat_embedding = sizeof wick_pat_embedding / sizeof *wick_pat_embedding;
