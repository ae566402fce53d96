/* chat_store.h: chats on disk, so that nothing said is lost.
 *
 * One SQLite database in the user's data folder, with a write-ahead log: a message is a row, committed before the program goes on,
 * so a killed process or a dead battery loses no finished message. Every chat is kept as it grows and has a number; /save makes
 * a copy with a name, beside which the evaluated state of the session may lie ("states/NUMBER.kv"). Numbers are never used twice, so a
 * state left behind belongs to no other chat. Several processes may share the database. */
#ifndef WICK_APP_CHAT_STORE_H
#define WICK_APP_CHAT_STORE_H

#include "chat_log.h"

typedef struct chat_store chat_store;

wick_status chat_store_open(chat_store **out, wick_error *err);
void chat_store_close(chat_store *store);

/* A new chat with all messages of `log`. A name takes the place of the chat that had it; NULL: no name. */
wick_status chat_store_add(chat_store *store, const char *name, const char *model, const chat_log *log, int64_t *id, wick_error *err);
/* Writes message i of the log; what the chat had from there on is gone. */
wick_status chat_store_put(chat_store *store, int64_t id, const chat_log *log, size_t i, wick_error *err);
/* Keeps the first n messages. */
wick_status chat_store_cut(chat_store *store, int64_t id, size_t n, wick_error *err);
wick_status chat_store_set_system(chat_store *store, int64_t id, const char *system, wick_error *err);
wick_status chat_store_set_settings(chat_store *store, int64_t id, const char *settings, wick_error *err);

typedef struct chat_entry {
    int64_t id, n_message, updated; /* seconds since 1970 */
    char name[64];                  /* "": none */
    char title[64], model[64];      /* beginning of the first message, model's file name; cut where too long */
} chat_entry;

/* By number or name; NULL: the one that was last talked in. WICK_ENOTFOUND: there is none. */
wick_status chat_store_find(chat_store *store, const char *key, chat_entry *out, wick_error *err);
/* Newest first. */
wick_status chat_store_list(chat_store *store, void (*fn)(void *user, const chat_entry *entry), void *user, wick_error *err);
wick_status chat_store_load(chat_store *store, int64_t id, chat_log *out, wick_error *err);
wick_status chat_store_remove(chat_store *store, int64_t id, wick_error *err);

/* Where the evaluated state of a chat lies, if it was kept; to be freed (base/mem.h); NULL: no memory. */
char *chat_store_state_path(const chat_store *store, int64_t id);

/* 1..63 bytes, at least one character that is no digit (numbers are numbers of chats), no control characters. */
bool chat_store_name_valid(const char *name);

#endif
