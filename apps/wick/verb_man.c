/* wick man: the manual page, made from the same tables and texts as --help. */
#include "option.h"

#include "wick.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* When the fixed words of the page were last changed. */
#define PAGE_DATE "2026-11-21"

/* ---------------------------------------------------------------- roff */

/* Characters that mean something to roff, or that it would make prettier: they are to be copied and typed. */
static void put_text(const char *text, size_t n) {
    for (size_t i = 0; i < n; i++) {
        switch (text[i]) {
        case '\\': printf("\\e"); break;
        case '-': printf("\\-"); break;
        case '\'': printf("\\(aq"); break;
        case '`': printf("\\(ga"); break;
        case '"': printf("\\(dq"); break;
        case '~': printf("\\(ti"); break;
        case '^': printf("\\(ha"); break;
        case '.': printf(i == 0 ? "\\&." : "."); break;
        default: putchar(text[i]);
        }
    }
}

static void put(const char *text) { put_text(text, strlen(text)); }

/* Paragraphs; lines that begin with two spaces are shown as they are. */
static void put_details(const char *text) {
    bool example = false, paragraph = false;
    while (*text) {
        size_t n = strcspn(text, "\n");
        bool shown = n > 2 && strncmp(text, "  ", 2) == 0;
        if (shown != example) printf(shown ? ".PP\n.EX\n" : ".EE\n");
        if (!shown && n && !paragraph) printf(".PP\n");
        if (n) {
            put_text(text, n);
            putchar('\n');
        }
        example = shown;
        paragraph = !shown && n > 0;
        text += n + (text[n] == '\n');
    }
    if (example) printf(".EE\n");
}

static void put_option(void *user, const app_option *o) {
    (void)user;
    printf(".TP\n");
    if (o->letter) printf("\\fB\\-%c\\fR, ", o->letter);
    printf("\\fB\\-\\-%s\\fR", o->name);
    if (o->type != APP_FLAG) {
        printf(" \\fI");
        put(o->value);
        printf("\\fR");
    }
    putchar('\n');
    put(o->help);
    if (o->alias) {
        printf(" (also \\fB\\-\\-");
        put(o->alias);
        printf("\\fR)");
    }
    putchar('\n');
}

/* ---------------------------------------------------------------- the page */

static void put_verb(const app_verb *v) {
    printf(".SS wick %s%s", v->name, v->usage[0] ? " " : "");
    put(v->usage);
    printf("\n%c%s.\n", toupper((unsigned char)v->summary[0]), v->summary + 1);
    if (v->details) put_details(v->details);
    app_each_option(v, put_option, NULL);
}

static void put_environment(void) {
    static const struct {
        const char *name, *text;
    } variables[] = {
        {"WICK_MODELS", "Folder of the models that have a name."},
        {"XDG_DATA_HOME, XDG_STATE_HOME", "Where models and chats, and the history of what was typed, are kept, in a folder wick."},
        {"HF_TOKEN", "Token for repositories of the hub that need an account. It is sent to the hub and to nobody else."},
        {"HF_ENDPOINT", "Address of another hub than https://huggingface.co."},
        {"CURL_CA_BUNDLE, SSL_CERT_FILE", "File of the certificate authorities to trust instead of the system's."},
        {"https_proxy, no_proxy", "As for curl."},
        {"HF_HUB_OFFLINE", "1: wick pull does not use the network."},
    };
    printf(".SH ENVIRONMENT\n");
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        printf(".TP\n.B ");
        put(variables[i].name);
        putchar('\n');
        put(variables[i].text);
        putchar('\n');
    }
}

static void put_files(void) {
    printf(".SH FILES\n.TP\n.I \\(ti/.local/share/wick/models/NAME/\nA model: its program, what belongs to it, and wick.json, which says "
           "where it came from.\n"
           ".TP\n.I \\(ti/.local/share/wick/chats.db\nChats (SQLite).\n"
           ".SH EXIT STATUS\n0: done. 1: failed; one sentence on standard error says why. 2: the command line is wrong. 130: interrupted.\n"
           ".SH SEE ALSO\n.BR bash (1),\n.BR zsh (1),\n.BR fish (1)\nfor completion\n");
}

static int man_main(int argc, char **argv) {
    const app_option options[] = {{0}};
    int n, status;
    if (!app_parse(&app_verb_man, options, argc, argv, &n, &status)) return status;
    if (n) return app_usage_error(&app_verb_man, "unexpected argument '%s'", argv[1]);
    printf(".TH WICK 1 " PAGE_DATE " \"wick %s\" \"User Commands\"\n", wick_version());
    printf(".SH NAME\nwick \\- language models from checkpoint to answer, on this machine\n"
           ".SH SYNOPSIS\n.B wick\n.I VERB\n.RI [ OPTIONS ]\n\\&...\n.br\n.B wick\n.I VERB\n.B \\-\\-help\n"
           ".SH DESCRIPTION\nText goes to standard output, everything else to standard error. Options are written \\fB\\-\\-name\\fR "
           "\\fIvalue\\fR or\n"
           "\\fB\\-\\-name=\\fIvalue\\fR; \\(aq\\-\\(aq and \\(aq_\\(aq in names are the same. Flags can be turned off: "
           "\\fB\\-\\-noname\\fR. What follows\n"
           "\\fB\\-\\-\\fR is no option.\n.SH VERBS\n");
    for (const app_verb *const *v = app_verbs; *v; v++) put_verb(*v);
    put_environment();
    put_files();
    return APP_OK;
}

const app_verb app_verb_man = {"man", "", "print the manual page",
                               "'make install' installs it. Without that:\n\n"
                               "  wick man | man -l -\n",
                               man_main};
