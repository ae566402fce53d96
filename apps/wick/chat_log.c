#include "chat_log.h"

#include "base/error.h"
#include "base/mem.h"

const char *chat_role_name(chat_role role) { return role == CHAT_USER ? "user" : "assistant"; }

void chat_log_cut(chat_log *log, size_t n) {
    while (log->n_message > n) wick_free(log->messages[--log->n_message].content);
}

void chat_log_release(chat_log *log) {
    chat_log_cut(log, 0);
    wick_free(log->messages);
    wick_free(log->system);
    wick_free(log->settings);
    *log = (chat_log){0};
}

wick_status chat_log_add(chat_log *log, chat_role role, const char *content, bool stopped, wick_error *err) {
    if (!WICK_GROW(log->messages, log->n_message, log->cap)) return wick_fail_nomem(err);
    char *copy = wick_strdup(content);
    if (!copy) return wick_fail_nomem(err);
    log->messages[log->n_message++] = (chat_message){role, copy, stopped};
    return WICK_OK;
}

static wick_status set_text(char **field, const char *text, wick_error *err) {
    char *copy = NULL;
    if (text && *text && !(copy = wick_strdup(text))) return wick_fail_nomem(err);
    wick_free(*field);
    *field = copy;
    return WICK_OK;
}

wick_status chat_log_set_system(chat_log *log, const char *text, wick_error *err) { return set_text(&log->system, text, err); }
wick_status chat_log_set_settings(chat_log *log, const char *text, wick_error *err) { return set_text(&log->settings, text, err); }
