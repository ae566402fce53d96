/* SentencePiece's normalizer, and the precompiled map of characters that it and Hugging Face's Precompiled read.
 *
 * The map: u32 size of the trie in bytes, a double-array trie (darts-clone units), then NUL-terminated texts; the value of a
 * key is the offset of its text. Every step in the trie is checked against its size. */
#include "base/bytes.h"
#include "base/utf8.h"
#include "text/tok_chars.h"
#include "text/tokenizer.h"

#include <string.h>

wick_status wick_charsmap_check(wick_bytes map, wick_error *err) {
    if (!map.size) return WICK_OK;
    if (map.size < 8) return wick_fail(err, WICK_EFORMAT, "the map of characters is %zu bytes long, shorter than its header", map.size);
    uint32_t trie = wick_load_u32(map.data);
    if (trie % 4 || trie < 4 || trie > map.size - 4)
        return wick_fail(err, WICK_EFORMAT, "the map of characters says that its trie has %u bytes of %zu", trie, map.size);
    if (trie + 4 == map.size || map.data[map.size - 1])
        return wick_fail(err, WICK_EFORMAT, "the texts of the map of characters are not terminated");
    if (!wick_utf8_valid((const char *)map.data + 4 + trie, map.size - 4 - trie))
        return wick_fail(err, WICK_EFORMAT, "the texts of the map of characters are not UTF-8");
    return WICK_OK;
}

/* Walks s through the trie; calls for each key that is a prefix: its length and text, stopping at the first if asked. */
static size_t walk(wick_bytes map, const char *s, size_t n, bool first, const char **to, size_t *to_size) {
    if (!map.size) return 0;
    uint32_t n_unit = wick_load_u32(map.data) / 4, found = 0;
    const uint8_t *units = map.data + 4, *texts = units + (size_t)n_unit * 4;
    size_t text_size = map.size - 4 - (size_t)n_unit * 4, length = 0;
    uint32_t unit = wick_load_u32(units), at = 0;
    at ^= unit >> 10 << ((unit & 1u << 9) >> 6);
    for (size_t i = 0; i < n && s[i]; i++) {
        at ^= (uint8_t)s[i];
        if (at >= n_unit) break;
        unit = wick_load_u32(units + (size_t)at * 4);
        if ((unit & (1u << 31 | 0xff)) != (uint8_t)s[i]) break;
        at ^= unit >> 10 << ((unit & 1u << 9) >> 6);
        if (!(unit >> 8 & 1)) continue;
        if (at >= n_unit) break;
        found = wick_load_u32(units + (size_t)at * 4) & 0x7fffffff;
        length = i + 1;
        if (first) break;
    }
    if (!length || found >= text_size || (texts[found] & 0xc0) == 0x80) return 0;
    *to = (const char *)texts + found;
    *to_size = strlen(*to); /* checked: the last byte of the map is 0 */
    return length;
}

/* Whether some key begins with this byte. */
static bool begins_key(wick_bytes map, uint8_t c) {
    if (!map.size || !c) return false;
    uint32_t root = wick_load_u32(map.data + 4), at = (root >> 10 << ((root & 1u << 9) >> 6)) ^ c;
    return at < wick_load_u32(map.data) / 4 && (wick_load_u32(map.data + 4 + (size_t)at * 4) & (1u << 31 | 0xff)) == c;
}

size_t wick_charsmap_prefix(wick_bytes map, const char *s, size_t n, const char **to, size_t *to_size) {
    return walk(map, s, n, false, to, to_size);
}

bool wick_charsmap_shortest(wick_bytes map, const char *s, size_t n, const char **to, size_t *to_size) {
    return walk(map, s, n, true, to, to_size) > 0;
}

/* ---- SentencePiece's rules for white space */

#define META "\xe2\x96\x81"

typedef struct step {
    const char *text;
    size_t size, used;
} step;

/* The next part: a user-defined piece as it is, else the longest entry of the map, else one character. */
static step next_part(const wick_tokenizer *t, wick_bytes map, const char *s, size_t n) {
    int32_t user = wick_added_longest(t, 1, s, n);
    if (user >= 0) return (step){s, t->added[1][user].size, t->added[1][user].size};
    step p = {0};
    p.used = wick_charsmap_prefix(map, s, n, &p.text, &p.size);
    if (!p.used) p = (step){s, wick_char_size(s[0]), wick_char_size(s[0])};
    return p;
}

static bool ends_with(const wick_strbuf *b, const char *tail, size_t n) { return b->size >= n && !memcmp(b->data + b->size - n, tail, n); }

/* What a part becomes: all of it belongs to the whole part. */
static void put_part(wick_edit *e, const step *p, const char *space, size_t space_size) {
    wick_span whole = {0, 0};
    size_t first = e->to ? e->to->n : 0;
    if (e->from && p->used) whole = (wick_span){e->from[e->at].from, e->from[e->at + p->used - 1].to};
    for (size_t i = 0, end; i < p->size; i = end) {
        bool is_space = p->text[i] == ' ';
        for (end = i + 1; !is_space && end < p->size && p->text[end] != ' ';) end++;
        wick_edit_put(e, is_space ? space : p->text + i, is_space ? space_size : end - i, WICK_EDIT_BEFORE);
    }
    for (size_t i = first; e->from && i < e->to->n; i++) e->to->at[i] = whole;
    wick_edit_skip(e, p->used);
}

/* Marks the bytes that begin neither a user-defined piece nor an entry of the map: a character that begins so stays as it is. */
static void find_plain(const wick_tokenizer *t, wick_bytes map, bool plain[256]) {
    for (int b = 0; b < 256; b++) plain[b] = !(t->added_first[1][b >> 3] >> (b & 7) & 1) && !begins_key(map, (uint8_t)b);
}

wick_status wick_normalize_sentencepiece(const wick_tokenizer *t, const wick_tok_op *op, wick_edit *e, wick_error *err) {
    wick_bytes map = wick_tok_op_a(t, op);
    bool keep = op->flags & WICK_OP_EXTRA_SPACES, dummy = op->flags & WICK_OP_DUMMY_PREFIX, suffix = op->flags & WICK_OP_SUFFIX;
    const char *space = op->flags & WICK_OP_ESCAPE ? META : " ";
    size_t space_size = strlen(space);
    while (!keep && e->at < e->n) {
        step p = next_part(t, map, e->in + e->at, e->n - e->at);
        if (p.size != 1 || p.text[0] != ' ') break;
        wick_edit_skip(e, p.used);
    }
    if (e->at == e->n) return WICK_OK;
    if (dummy && !suffix) wick_edit_put(e, space, space_size, WICK_EDIT_BEFORE);
    bool after_space = !keep, plain[256];
    find_plain(t, map, plain);
    while (e->at < e->n) {
        size_t same = e->at;
        while (same < e->n && e->in[same] != ' ' && plain[(unsigned char)e->in[same]]) same += wick_char_size(e->in[same]);
        if (same > e->at) {
            wick_edit_keep(e, same - e->at);
            after_space = false;
            continue;
        }
        step p = next_part(t, map, e->in + e->at, e->n - e->at);
        while (after_space && p.size && p.text[0] == ' ') p.text++, p.size--;
        put_part(e, &p, space, space_size);
        if (p.size) after_space = p.text[p.size - 1] == ' ';
        if (keep) after_space = false;
    }
    while (!keep && e->out->size && ends_with(e->out, space, space_size)) wick_edit_unput(e, space_size);
    if (dummy && suffix) wick_edit_put(e, space, space_size, WICK_EDIT_AFTER);
    return e->out->failed ? wick_fail_nomem(err) : WICK_OK;
}
