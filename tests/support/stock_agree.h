/* stock_agree.h: does an executor agree with what the stock runtime recorded for a program?
 *
 * A reference (tests/data/stock/NAME.json) holds four prompts, the 32 greedy tokens that stock chose after each, the margin of each
 * choice (best minus second logit), all logits after the first prompt, and how far stock differs from itself between ways of
 * prefilling. The executor follows stock's tokens (free-running text proves nothing for quantized activations). The rules:
 *
 *   fp32, int8 weights   same argmax where the margin exceeds 1e-3; logits within 1e-3
 *   bf16, fp16           same argmax where the margin exceeds 0.25; KL of the first logits at most 1e-3
 *   8da4w                same argmax where the margin exceeds max(2 x stock's own worst flip, 0.1); other flips at most 2 x stock's own
 *                        + 2 % of the steps; KL of the first logits at most max(3 x stock's own worst, 2e-2)
 */
#ifndef WICK_TESTS_STOCK_AGREE_H
#define WICK_TESTS_STOCK_AGREE_H

#include "support/support.h"

typedef struct stock_executor {
    void *user;
    /* Begins a new sequence. */
    wick_status (*reset)(void *user, wick_error *err);
    /* Evaluates tokens[from, to) of the sequence; logits of the last one into logits[n_vocab]. */
    wick_status (*step)(void *user, const int32_t *tokens, size_t from, size_t to, float *logits, wick_error *err);
} stock_executor;

typedef enum stock_way { STOCK_WHOLE, STOCK_SINGLE, STOCK_CHUNKS } stock_way; /* prompt at once, token by token, chunks of 8 */

typedef struct stock_report {
    int n_step, n_flip;
    double worst_flip; /* largest margin of a flip */
    double first_diff; /* largest difference among the logits after the first prompt */
    double first_kl;
    double top_diff;   /* largest difference of the logit that stock chose */
    const char *fault; /* NULL: agrees; else the rule that is broken (static) */
} stock_report;

/* Path of NAME.pte, NAME.json ... in tests/data/stock, else in $WICK_STOCK_DIR, else NULL. */
const char *stock_file(const char *name);

/* Fails the test on errors of the executor; judges the rest in the report. */
stock_report stock_compare(const char *json_path, stock_way way, const stock_executor *e);

#endif
