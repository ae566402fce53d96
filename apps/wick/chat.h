/* chat.h: a chat that is going on: verb_chat.c opens it, chat_turn.c answers, chat_command.c obeys.
 *
 * The conversation is a list of messages (chat_log.h). Every turn gives the whole list to wick_generate with the same session: what
 * was evaluated before is found again as a common prefix, and there is no position, no half-sent system message, no second BOS to
 * get wrong. Answers go to stdout, everything else to stderr. */
#ifndef WICK_APP_CHAT_H
#define WICK_APP_CHAT_H

#include "chat_line.h"
#include "chat_log.h"
#include "chat_store.h"
#include "run_options.h"

#include "base/error.h"

typedef struct chat {
    const run_options *options;
    wick_model *model;
    wick_session *session;
    wick_tokenizer *tokenizer;
    chat_line *line;
    chat_store *store;            /* NULL: nothing is kept */
    wick_template *chat_template; /* NULL: the model's */
    const char *format;           /* which chat format is used, or why none is */
    bool raw;                     /* none: the text is continued as it is */
    chat_log log;
    int64_t id;                     /* number of this chat in the store; 0: it has none yet */
    size_t i_first;                 /* messages before this one no longer fit into the context */
    wick_generate_options generate; /* what is the same for every answer: /set parameter changes it */
    wick_generate_options initial;  /* as the program began */
    uint64_t n_answer;              /* answers begun: each has its own seed, or /retry would say the same again */
    double load_seconds;
    bool terminal; /* somebody is typing */
    bool verbose, quiet;
    bool out_of_sight; /* it was said that the model no longer sees all of the conversation */
    bool failed;       /* something went wrong: the exit status of a run without a terminal */
    bool leave;
} chat;

/* Adds a message of the user and answers it. */
void chat_say(chat *c, const char *text);
/* Answers the last message again. */
void chat_retry(chat *c);

/* "/word rest". */
void chat_command(chat *c, const char *text);

/* What the model would be given now (its tokens, lent: wick_tokens_free). */
wick_status chat_prompt(const chat *c, size_t i_first, int32_t **ids, size_t *n, wick_error *err);

/* Starts anew with another log (taken); id: its number in the store. */
void chat_replace_log(chat *c, chat_log *log, int64_t id);
/* A new chat. The system message stays: who set it wants it until he says otherwise. */
bool chat_begin_anew(chat *c);
/* Goes on with a kept chat: its messages, and its evaluated state where there is one. key: chat_store_find. */
void chat_resume(chat *c, const char *key);

/* Prints what was said. Models (and files that were pasted) may hold anything, also what would move a terminal's cursor or rename its
 * window: control characters but tab and newline are left out there. A pipe gets every byte. */
void chat_print(const char *text, size_t size);
/* A line on stderr, dimmed on a terminal. */
void chat_note(const chat *c, const char *format, ...) WICK_PRINTF(2, 3);
/* "wick chat: SENTENCE"; remembers that something failed. */
void chat_complain(chat *c, const char *format, ...) WICK_PRINTF(2, 3);
/* "context [####......] 412 of 1024 tokens (40 %)"; without an end, how much of the conversation the model sees. */
void chat_show_meter(const chat *c);
/* The model, if its context has no end (and --ctx gave it none); else NULL. */
const wick_model_info *chat_endless(const chat *c);

#endif
