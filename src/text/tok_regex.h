/* tok_regex.h: patterns that have no hand-written splitter, run by PCRE2.
 *
 * Patterns in tokenizer.json have Oniguruma's Ruby syntax and meaning; they are rewritten to PCRE2's: `(?m:` is dot-all, `^` and
 * `$` match at every line, \s and \w and \d are Unicode properties. tiktoken's patterns mean what Rust's regex means.
 * Matching has a step limit: a pattern that backtracks without end is an error, not a hang. */
#ifndef WICK_TEXT_TOK_REGEX_H
#define WICK_TEXT_TOK_REGEX_H

#include "base/error.h"

typedef struct wick_regex wick_regex;

wick_status wick_regex_new(const char *pattern, size_t size, bool ruby, wick_regex **out, wick_error *err);
void wick_regex_free(wick_regex *r);
/* The first match at or after `at`: *from < *to, or *from = *to for an empty match; *from = SIZE_MAX: none. */
wick_status wick_regex_find(wick_regex *r, const char *s, size_t n, size_t at, size_t *from, size_t *to, wick_error *err);

#endif
