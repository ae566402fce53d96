/* chat_parameter.h: what /set parameter changes and /show parameters prints: the sampler's numbers, the length of answers, the seed, and
 * stop strings. */
#ifndef WICK_APP_CHAT_PARAMETER_H
#define WICK_APP_CHAT_PARAMETER_H

#include "chat.h"

/* "NAME VALUE". */
void chat_set_parameter(chat *c, const char *text);
void chat_show_parameters(chat *c);

/* Makes the parameters those that the chat was kept with; what this run was told by options stays. */
void chat_apply_settings(chat *c);

/* Splits "word rest" in place of copying: *n is the length of the word, the result is where the rest begins. */
const char *chat_after_word(const char *text, size_t *n);
bool chat_is_word(const char *text, size_t n, const char *word);

#endif
