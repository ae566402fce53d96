/* chat_log.h: a conversation: a system message and settings, then messages of the user and of the model, as they were said.
 *
 * The list is all there is to a chat: every turn states it whole, so taking messages back, answering again or going on with an
 * old chat are changes of this list and nothing else. Contents are kept byte for byte. */
#ifndef WICK_APP_CHAT_LOG_H
#define WICK_APP_CHAT_LOG_H

#include "wick.h"

typedef enum chat_role { CHAT_USER, CHAT_ASSISTANT } chat_role;
const char *chat_role_name(chat_role role); /* "user", "assistant" */

typedef struct chat_message {
    chat_role role;
    char *content; /* owned */
    bool stopped;  /* the user ended it, or it was cut off */
} chat_message;

typedef struct chat_log {
    char *system;   /* owned; NULL: none */
    char *settings; /* owned; NULL: none. What /set parameter changed, as lines of NAME VALUE */
    chat_message *messages;
    size_t n_message, cap;
} chat_log;

void chat_log_release(chat_log *log);
wick_status chat_log_add(chat_log *log, chat_role role, const char *content, bool stopped, wick_error *err);
/* Forgets everything after the first n messages. */
void chat_log_cut(chat_log *log, size_t n);
/* NULL or "": none. */
wick_status chat_log_set_system(chat_log *log, const char *text, wick_error *err);
wick_status chat_log_set_settings(chat_log *log, const char *text, wick_error *err);

#endif
