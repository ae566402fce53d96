/* answer.h: an answer as it grows: its tokens, their text, and how much of it the reader has.
 *
 * Tokens come one at a time. Each brings some text, perhaps none; what could be the beginning of a watched string (watch.h) is kept
 * from the reader for now. A stop string ends the answer before itself. For a banned string the answer goes back to the token that the
 * string begins in, as if it had never been chosen, and that token is banned from that place: the caller states the shorter text to
 * session and sampler and chooses anew. Whole tokens are held back then, so that nothing need be taken back from the reader.
 *
 * Bans are made in growing order of place; going back drops those of later places, because other text will stand before them. */
#ifndef WICK_LLM_ANSWER_H
#define WICK_LLM_ANSWER_H

#include "base/strbuf.h"
#include "llm/watch.h"

typedef struct wick_ban {
    size_t place; /* index of a token of the answer */
    int32_t token;
} wick_ban;

typedef struct wick_answer {
    const wick_tokenizer *tokenizer; /* NULL: no text */
    const wick_watch *watch;
    wick_text_fn *on_text; /* NULL: nobody reads along */
    void *user;
    wick_decoder *decoder;
    int32_t *tokens; /* [limit], borrowed */
    size_t n_token;
    wick_strbuf text;
    size_t *ends;     /* [limit]: how long the text was after each token; only where strings are banned */
    size_t delivered; /* bytes that the reader has */
    wick_ban *bans;
    size_t n_ban, ban_cap, n_taken_back;
    int64_t i_stop; /* which stop string ended it, -1: none */
    bool canceled;  /* by the reader */
} wick_answer;

typedef enum wick_growth { WICK_GROWS, WICK_STOPPED, WICK_TAKEN_BACK } wick_growth;

/* The fields above `decoder` and `tokens` are set by the caller; limit: most tokens. */
wick_status wick_answer_init(wick_answer *a, size_t limit, wick_error *err);
void wick_answer_release(wick_answer *a);

/* Adds a token. WICK_TAKEN_BACK: n_token is smaller now, and what was taken back includes this token. */
wick_status wick_answer_add(wick_answer *a, int32_t token, wick_growth *growth, wick_error *err);
/* The token that ends the answer: it counts, but has no text. */
void wick_answer_end(wick_answer *a, int32_t token);
/* Gives the reader what was held back, unless a stop string ended the answer. */
wick_status wick_answer_finish(wick_answer *a, wick_error *err);

/* Whether anything is banned from the place of the next token; forbids that in logits [n_vocab]. */
bool wick_answer_has_bans(const wick_answer *a);
void wick_answer_mask(const wick_answer *a, float *logits, size_t n_vocab);

#endif
