/* Chats that were kept: going on with one, copies with a name, the list. */
#include "chat_saved.h"
#include "chat.h"
#include "chat_parameter.h"

#include "base/mem.h"
#include "base/os.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static bool has_store(chat *c) {
    if (!c->store) chat_complain(c, "chats are not kept in this run");
    return c->store;
}

void chat_replace_log(chat *c, chat_log *log, int64_t id) {
    chat_log_release(&c->log);
    c->log = *log;
    *log = (chat_log){0};
    c->id = id;
    c->i_first = 0;
    c->out_of_sight = false;
}

bool chat_begin_anew(chat *c) {
    wick_error err;
    chat_log fresh = {0};
    if (chat_log_set_system(&fresh, c->log.system, &err) != WICK_OK || chat_log_set_settings(&fresh, c->log.settings, &err) != WICK_OK) {
        chat_log_release(&fresh);
        chat_complain(c, "%s", err.message);
        return false;
    }
    chat_replace_log(c, &fresh, 0);
    return true;
}

/* The evaluated state only saves time: without it, or where the library refuses it, the next turn evaluates the conversation. */
static void load_state(chat *c, int64_t id) {
    wick_error err;
    char *path = chat_store_state_path(c->store, id);
    if (path && wick_os_path_kind(path) == WICK_PATH_FILE && wick_session_load(c->session, path, &err) != WICK_OK)
        chat_note(c, "(the evaluated state is not used: %s)", err.message);
    wick_free(path);
}

/* A chat with a name stays as it was saved: what is said now belongs to a new one, which begins as its copy. */
void chat_resume(chat *c, const char *key) {
    wick_error err;
    chat_entry e;
    chat_log log;
    if (!has_store(c)) return;
    if (chat_store_find(c->store, key, &e, &err) != WICK_OK || chat_store_load(c->store, e.id, &log, &err) != WICK_OK) {
        chat_complain(c, "%s", err.message);
        return;
    }
    chat_replace_log(c, &log, e.name[0] ? 0 : e.id);
    chat_apply_settings(c);
    load_state(c, e.id);
    chat_note(c, "(chat %" PRId64 "%s%s, %" PRId64 " messages: %s)", e.id, e.name[0] ? " " : "", e.name, e.n_message, e.title);
    if (c->log.n_message && c->log.messages[c->log.n_message - 1].role == CHAT_USER)
        chat_note(c, "(its last message has no answer: /retry asks again)");
}

static void print_entry(void *user, const chat_entry *e) {
    char when[32] = "";
    time_t t = (time_t)e->updated;
    struct tm parts;
    (void)user;
    if (localtime_r(&t, &parts)) strftime(when, sizeof when, "%Y-%m-%d %H:%M", &parts);
    printf("%6" PRId64 "  %-16s  %4" PRId64 " messages  %-16s  %s\n", e->id, when, e->n_message, e->name[0] ? e->name : "-", e->title);
}

void chat_list_command(chat *c, const char *rest) {
    wick_error err;
    (void)rest;
    if (has_store(c) && chat_store_list(c->store, print_entry, NULL, &err) != WICK_OK) chat_complain(c, "%s", err.message);
    fflush(stdout);
}

void chat_load_command(chat *c, const char *rest) {
    if (*rest)
        chat_resume(c, rest);
    else
        chat_list_command(c, rest);
}

void chat_save_command(chat *c, const char *rest) {
    wick_error err;
    int64_t id;
    if (!has_store(c)) return;
    if (!*rest) {
        chat_complain(c, "/save NAME: the chat is kept anyway, a name makes a copy of how it is now");
        return;
    }
    if (!chat_store_name_valid(rest)) {
        chat_complain(c, "/save: a name has 1 to 63 bytes and something that is no digit (numbers are numbers of chats)");
        return;
    }
    if (chat_store_add(c->store, rest, c->options->model, &c->log, &id, &err) != WICK_OK) {
        chat_complain(c, "%s", err.message);
        return;
    }
    char *path = chat_store_state_path(c->store, id);
    size_t n;
    wick_session_tokens(c->session, &n);
    bool with_state = path && n && wick_session_save(c->session, path, &err) == WICK_OK;
    if (n && !with_state) chat_note(c, "(without the evaluated state: %s)", path ? err.message : "out of memory");
    chat_note(c, "(saved as %s: %zu messages%s; /load %s brings it back)", rest, c->log.n_message, with_state ? ", evaluated state" : "",
              rest);
    wick_free(path);
}

void chat_delete_command(chat *c, const char *rest) {
    wick_error err;
    chat_entry e;
    if (!has_store(c)) return;
    if (!*rest) {
        chat_complain(c, "/delete NAME or NUMBER: /load lists them");
        return;
    }
    if (chat_store_find(c->store, rest, &e, &err) != WICK_OK || chat_store_remove(c->store, e.id, &err) != WICK_OK) {
        chat_complain(c, "%s", err.message);
        return;
    }
    if (e.id == c->id) chat_begin_anew(c); /* or its messages would be kept again with the next one */
    chat_note(c, "(deleted: %s)", e.name[0] ? e.name : e.title);
}
