/* What is said to the program instead of the model: "/word argument". */
#include "chat.h"
#include "chat_parameter.h"
#include "chat_saved.h"

#include "base/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct command {
    const char *name, *argument, *help;
    void (*run)(chat *c, const char *rest);
} command;

/* ---------------------------------------------------------------- the system message */

/* It counts from the next answer on: the whole conversation is stated anew each time. */
static void set_system(chat *c, const char *text) {
    wick_error err;
    wick_status status = chat_log_set_system(&c->log, text, &err);
    if (status == WICK_OK && c->store && c->id) status = chat_store_set_system(c->store, c->id, c->log.system, &err);
    if (status != WICK_OK)
        chat_complain(c, "%s", err.message);
    else
        chat_note(c, c->log.system ? "(system message set; it counts from the next answer on)" : "(no system message)");
    c->i_first = 0;
}

static void run_system(chat *c, const char *rest) {
    if (*rest)
        set_system(c, rest);
    else
        printf("%s\n", c->log.system ? c->log.system : "(no system message)");
}

/* ---------------------------------------------------------------- /set */

static void run_set(chat *c, const char *rest) {
    size_t n;
    const char *argument = chat_after_word(rest, &n);
    if (chat_is_word(rest, n, "parameter") && *argument) {
        chat_set_parameter(c, argument);
    } else if (chat_is_word(rest, n, "system")) {
        set_system(c, argument);
    } else if (chat_is_word(rest, n, "verbose")) {
        c->verbose = true, c->quiet = false;
    } else if (chat_is_word(rest, n, "quiet")) {
        c->verbose = false, c->quiet = true;
    } else if (chat_is_word(rest, n, "history")) {
        chat_line_keep_history(c->line, true);
    } else if (chat_is_word(rest, n, "nohistory")) {
        chat_line_keep_history(c->line, false);
    } else {
        chat_complain(c, "/set: expected parameter NAME VALUE, system TEXT, verbose, quiet, history or nohistory");
    }
}

/* ---------------------------------------------------------------- /show */

static void show_ends(const chat *c) {
    int32_t *ids;
    size_t n;
    if (wick_end_tokens(c->model, c->tokenizer, c->chat_template, &ids, &n, NULL) != WICK_OK) return;
    printf("ends at    ");
    for (size_t i = 0; i < n; i++) {
        char *text;
        size_t size;
        if (wick_tokenizer_decode(c->tokenizer, &ids[i], 1, false, &text, &size, NULL) != WICK_OK) break;
        printf("%s %.*s (%d)", i ? "," : "", (int)size, text, ids[i]);
        wick_text_free(text);
    }
    putchar('\n');
    wick_tokens_free(ids);
}

static void show_info(chat *c) {
    const wick_model_info *m = wick_model_info_get(c->model);
    static const char *const plans[] = {"auto", "raised", "mixed", "vm"};
    printf("model       %s\n", c->options->model);
    if (m->n_layers) printf("layers      %" PRId64 "\n", m->n_layers);
    printf("vocabulary  %" PRId64 "\n", m->n_vocab);
    if (chat_endless(c))
        printf("context     without an end: the first %" PRId64 " tokens and the last %" PRId64 " are seen\n", m->n_first, m->n_last);
    else
        printf("context     %" PRId64 " tokens\n", wick_session_capacity(c->session));
    printf("weights     %.1f MB\n", (double)m->weights_size / 1e6);
    printf("executed    %s\n", plans[m->plan]);
    printf("chat format %s\n", c->format);
    show_ends(c);
}

static void show_messages(chat *c) {
    if (c->log.system) printf("system: %s\n", c->log.system);
    for (size_t i = 0; i < c->log.n_message; i++) {
        const chat_message *m = &c->log.messages[i];
        printf("%s%s%s: ", i < c->i_first ? "(left out) " : "", chat_role_name(m->role), m->stopped ? " (stopped)" : "");
        chat_print(m->content, strlen(m->content));
        putchar('\n');
    }
}

/* The text that the model is given, special tokens shown, and its tokens. */
static void show_prompt(chat *c) {
    wick_error err;
    int32_t *ids = NULL;
    size_t n, size;
    char *text = NULL;
    wick_status status = chat_prompt(c, c->i_first, &ids, &n, &err);
    if (status == WICK_OK) status = wick_tokenizer_decode(c->tokenizer, ids, n, false, &text, &size, &err);
    if (status == WICK_OK) {
        chat_print(text, size);
        printf("\n%zu tokens:", n);
        for (size_t i = 0; i < n; i++) printf(" %d", ids[i]);
        putchar('\n');
    } else {
        chat_complain(c, "%s", err.message);
    }
    wick_text_free(text);
    wick_tokens_free(ids);
}

static void run_show(chat *c, const char *rest) {
    if (!*rest || strcmp(rest, "info") == 0)
        show_info(c);
    else if (strcmp(rest, "parameters") == 0)
        chat_show_parameters(c);
    else if (strcmp(rest, "system") == 0)
        run_system(c, "");
    else if (strcmp(rest, "messages") == 0)
        show_messages(c);
    else if (strcmp(rest, "prompt") == 0)
        show_prompt(c);
    else if (strcmp(rest, "context") == 0)
        chat_show_meter(c);
    else
        chat_complain(c, "/show: expected info, parameters, system, messages, prompt or context");
}

/* ---------------------------------------------------------------- the others */

static void run_retry(chat *c, const char *rest) {
    (void)rest;
    chat_retry(c);
}

static void run_undo(chat *c, const char *rest) {
    wick_error err;
    size_t n = c->log.n_message;
    (void)rest;
    while (n && c->log.messages[n - 1].role == CHAT_ASSISTANT) n--;
    if (!n) {
        chat_complain(c, "there is nothing to take back");
        return;
    }
    n--;
    const char *text = c->log.messages[n].content;
    size_t line = strcspn(text, "\r\n\t\033");
    chat_note(c, "(taken back: %.*s)", (int)wick_utf8_complete(text, line < 60 ? line : 60), text);
    chat_log_cut(&c->log, n);
    c->i_first = 0;
    if (c->store && c->id && chat_store_cut(c->store, c->id, n, &err) != WICK_OK) chat_complain(c, "%s", err.message);
}

static void run_clear(chat *c, const char *rest) {
    (void)rest;
    if (chat_begin_anew(c)) chat_note(c, "(a new chat%s)", c->log.system ? " with the same system message" : "");
}

static void run_bye(chat *c, const char *rest) {
    (void)rest;
    c->leave = true;
}

static void run_help(chat *c, const char *rest);

static const command commands[] = {
    {"/set", "WHAT", "parameter NAME VALUE | system TEXT | verbose | quiet | history | nohistory", run_set},
    {"/show", "WHAT", "info | parameters | system | messages | prompt (what the model is given) | context", run_show},
    {"/system", "[TEXT]", "set or show the system message", run_system},
    {"/retry", "", "answer the last message again", run_retry},
    {"/undo", "", "take back the last message and its answer", run_undo},
    {"/clear", "", "begin a new chat; the system message stays", run_clear},
    {"/save", "NAME", "keep a copy of the chat as it is now, with its evaluated state", chat_save_command},
    {"/load", "[NAME|NUMBER]", "go on with a kept chat; without an argument: list them", chat_load_command},
    {"/list", "", "list the kept chats", chat_list_command},
    {"/delete", "NAME|NUMBER", "delete a kept chat", chat_delete_command},
    {"/help", "", "this text (also /?)", run_help},
    {"/bye", "", "leave (also Ctrl-D, /exit, /quit)", run_bye},
};
enum { N_COMMAND = sizeof commands / sizeof *commands };

static const command others[] = {
    {"/?", "", "", run_help}, {"/exit", "", "", run_bye}, {"/quit", "", "", run_bye}, {"/new", "", "", run_clear}};
enum { N_OTHER = sizeof others / sizeof *others };

static void run_help(chat *c, const char *rest) {
    (void)c, (void)rest;
    for (size_t i = 0; i < N_COMMAND; i++) printf("  %-8s %-14s %s\n", commands[i].name, commands[i].argument, commands[i].help);
    printf("\n  \"\"\"text\"\"\"   a message of several lines, taken as it is; a line that ends in \\ also goes on in the next\n"
           "  Ctrl-C        stop the answer (what was said stays); Ctrl-R: search what was typed before\n"
           "\nEvery chat is kept as it grows; 'wick chat --continue' goes on with the last one.\n");
}

static const command *find(const command *list, size_t n_command, const char *text, size_t n) {
    for (size_t i = 0; i < n_command; i++)
        if (chat_is_word(text, n, list[i].name)) return &list[i];
    return NULL;
}

void chat_command(chat *c, const char *text) {
    size_t n;
    const char *rest = chat_after_word(text, &n);
    const command *found = find(commands, N_COMMAND, text, n);
    if (!found) found = find(others, N_OTHER, text, n);
    if (found)
        found->run(c, rest);
    else
        chat_complain(c, "there is no command %.*s; /help lists them", (int)n, text);
    fflush(stdout);
}
