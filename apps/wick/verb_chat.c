/* wick chat: a conversation. */
#include "chat.h"
#include "progress.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct chat_options {
    run_options run;
    const char *resume;
    bool go_on, no_save, no_history;
} chat_options;

static bool parse(const app_verb *verb, int argc, char **argv, chat_options *o, int *status) {
    app_option table[RUN_COMMON_MAX + 5];
    *o = (chat_options){0};
    size_t n = run_common_options(&o->run, table);
    const app_option own[] = {
        {"continue", 0, NULL, APP_FLAG, &o->go_on, "", APP_ANY, "go on with the last chat"},
        {"load", 0, NULL, APP_TEXT, &o->resume, "CHAT", APP_ANY, "go on with a kept chat: its name or number"},
        {"no_save", 0, NULL, APP_FLAG, &o->no_save, "", APP_ANY, "keep nothing of this chat"},
        {"no_history", 0, NULL, APP_FLAG, &o->no_history, "", APP_ANY, "do not keep what is typed in the history file"},
        {0},
    };
    memcpy(table + n, own, sizeof own);
    int n_positional;
    if (!app_parse(verb, table, argc, argv, &n_positional, status)) return false;
    int at = 1;
    if (n_positional && !o->run.model) o->run.model = argv[at++], n_positional--;
    if (n_positional) {
        *status = app_usage_error(verb, "unexpected argument '%s'", argv[at]);
        return false;
    }
    return run_options_check(verb, &o->run, status);
}

static wick_status open_model(chat *c, run_options *o, wick_error *err) {
    double started = app_seconds();
    WICK_TRY(run_open_model(o, &c->model, err));
    wick_session_options s = run_session_options(c->options);
    WICK_TRY(wick_session_new(c->model, &s, &c->session, err));
    WICK_TRY(run_open_tokenizer(c->options, c->model, &c->tokenizer, err));
    WICK_TRY(run_open_template(c->options, &c->chat_template, err));
    c->format = c->options->chat_template;
    if (c->options->raw)
        c->raw = true, c->format = "asked not to use it";
    else if (!c->chat_template)
        c->raw = !wick_chat_available(c->model, c->tokenizer, &c->format);
    c->load_seconds = app_seconds() - started;
    return WICK_OK;
}

static wick_status open_all(chat *c, chat_options *o, wick_error *err) {
    c->options = &o->run;
    WICK_TRY(open_model(c, &o->run, err));
    WICK_TRY(chat_line_new(!o->no_history && !o->no_save, &c->line, err));
    WICK_TRY(chat_log_set_system(&c->log, o->run.system, err));
    c->terminal = chat_line_is_terminal(c->line);
    wick_error fault;
    c->generate = run_generate_options(&o->run, c->model, &fault);
    c->generate.tokenizer = c->tokenizer;
    c->generate.chat_template = c->chat_template;
    c->initial = c->generate;
    if (fault.code != WICK_OK) chat_complain(c, "the model's sampling defaults are not used: %s", fault.message);
    c->verbose = o->run.verbose;
    if (o->no_save) return WICK_OK;
    if (chat_store_open(&c->store, &fault) != WICK_OK) chat_complain(c, "this chat is not kept: %s", fault.message);
    return WICK_OK;
}

static void greet(chat *c) {
    if (c->raw) chat_note(c, "(plain continuation, no chat format: %s)", c->format);
    if (!c->raw && !c->chat_template && wick_template_builtin(c->format))
        chat_note(c, "(the model carries no chat format; its tokenizer is one for %s. --raw continues the text as it is)", c->format);
    if (c->terminal) chat_note(c, "/help tells what there is besides talking; Ctrl-D or /bye leaves");
}

/* --system beside a kept chat wins over the message that the chat had. */
static void resume(chat *c, const chat_options *o) {
    if (!o->go_on && !o->resume) return;
    chat_resume(c, o->resume);
    if (!o->run.system) return;
    wick_error err;
    if (chat_log_set_system(&c->log, o->run.system, &err) != WICK_OK ||
        (c->store && c->id && chat_store_set_system(c->store, c->id, c->log.system, &err) != WICK_OK))
        chat_complain(c, "%s", err.message);
}

static int talk(chat *c) {
    wick_strbuf text = {0};
    int status = APP_OK;
    while (!c->leave) {
        chat_input input = chat_line_read(c->line, &text);
        if (input == CHAT_INPUT_END) {
            if (c->terminal) putchar('\n');
            break;
        } else if (input == CHAT_INPUT_MESSAGE) {
            chat_say(c, text.data);
        } else if (input == CHAT_INPUT_COMMAND) {
            chat_command(c, text.data);
        } else if (c->terminal) {
            fputs("\n", stdout);
            chat_note(c, "(Ctrl-D or /bye leaves)");
        }
        if (!c->terminal && (input == CHAT_INPUT_INTERRUPTED || chat_interrupt_seen())) {
            status = APP_INTERRUPTED;
            break;
        }
    }
    wick_strbuf_release(&text);
    if (status == APP_OK && !c->terminal && c->failed) status = APP_FAILED;
    return status;
}

static int chat_main(int argc, char **argv) {
    chat_options o;
    int status;
    if (!parse(&app_verb_chat, argc, argv, &o, &status)) return status;
    umask(077); /* what is said here is nobody else's business */
    chat c = {0};
    wick_error err = {0};
    if (open_all(&c, &o, &err) == WICK_OK) {
        chat_interrupt_catch();
        greet(&c);
        resume(&c, &o);
        status = talk(&c);
    } else {
        status = app_fail(&app_verb_chat, err.message);
    }
    chat_log_release(&c.log);
    chat_store_close(c.store);
    chat_line_free(c.line);
    wick_template_free(c.chat_template);
    wick_tokenizer_free(c.tokenizer);
    wick_session_free(c.session);
    wick_model_close(c.model);
    return status;
}

const app_verb app_verb_chat = {
    "chat", "MODEL [OPTIONS]", "talk with a model",
    "Type a message; /help lists the commands. Ctrl-C stops an answer, Ctrl-D leaves. Chats are kept as they grow, in\n"
    "$XDG_DATA_HOME/wick/chats.db (~/.local/share/wick); --no_save keeps nothing. Without a terminal each line of standard input is\n"
    "a message. Sampling begins with what the model's makers recommend, where the model carries that; options and /set win.\n\n"
    "  wick chat smollm2.pte --system \"Answer in one sentence.\"\n"
    "  wick chat smollm2.pte --continue\n"
    "  printf 'Hello!\\nTell me more.\\n' | wick chat smollm2.pte --no_save\n\n"
    "MODEL is a .pte, or the name of a pulled model ('wick list').\n",
    chat_main};
