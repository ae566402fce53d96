#include "completion.h"

#include <stdio.h>
#include <string.h>

static bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

completion_kind completion_of_option(const app_option *o) {
    if (o->type == APP_PATH) return begins(o->value, "MODEL") ? COMPLETE_MODELS : COMPLETE_FILES;
    return o->type == APP_TEXT && strchr(o->value, '|') ? COMPLETE_WORDS : COMPLETE_NOTHING;
}

completion_kind completion_of_verb(const app_verb *verb, const char **words) {
    *words = verb->usage;
    if (begins(verb->usage, "MODEL")) return COMPLETE_MODELS;
    if (begins(verb->usage, "NAME")) return COMPLETE_NAMES;
    if (verb->usage[0] == '[' || verb->usage[0] == '-') return COMPLETE_NOTHING; /* options alone, or text */
    return verb->usage[0] >= 'a' && verb->usage[0] <= 'z' ? COMPLETE_WORDS : COMPLETE_FILES;
}

void completion_print_words(const char *words, char between) {
    for (; *words && *words != ' '; words++) putchar(*words == '|' ? between : *words);
}

/* ---------------------------------------------------------------- bash */

static void bash_name(void *user, const app_option *o) {
    (void)user;
    printf("--%s ", o->name);
}

static void bash_pattern(const app_verb *verb, const app_option *o) {
    printf("    %s:--%s", verb->name, o->name);
    if (o->alias) printf(" | %s:--%s", verb->name, o->alias);
    if (o->letter) printf(" | %s:-%c", verb->name, o->letter);
    printf(")");
}

static void bash_value(void *user, const app_option *o) {
    static const char *const calls[] = {"return", "_wick_files", "_wick_models; _wick_files", "_wick_models", NULL};
    if (o->type == APP_FLAG) return;
    completion_kind kind = completion_of_option(o);
    bash_pattern(user, o);
    if (kind == COMPLETE_WORDS) {
        printf(" _wick_words \"");
        completion_print_words(o->value, ' ');
        printf("\"; return ;;\n");
    } else {
        printf(" %s%s ;;\n", calls[kind], kind == COMPLETE_NOTHING ? "" : "; return");
    }
}

static void bash_positional(const app_verb *verb) {
    const char *words;
    switch (completion_of_verb(verb, &words)) {
    case COMPLETE_MODELS: printf("_wick_models; _wick_files"); break;
    case COMPLETE_NAMES: printf("_wick_models"); break;
    case COMPLETE_FILES: printf("_wick_files"); break;
    case COMPLETE_WORDS:
        printf("_wick_words \"");
        completion_print_words(words, ' ');
        printf("\"");
        break;
    default: printf(":");
    }
}

void completion_bash(void) {
    printf("# bash completion for wick, made by 'wick completion bash'\n"
           "_wick_words() { COMPREPLY+=($(compgen -W \"$1\" -- \"$cur\")); }\n"
           "_wick_models() { _wick_words \"$(\"${COMP_WORDS[0]}\" list --quiet 2>/dev/null)\"; }\n"
           "_wick_files() {\n"
           "    local found\n"
           "    mapfile -t found < <(compgen -f -- \"$cur\")\n"
           "    COMPREPLY+=(\"${found[@]}\")\n"
           "    compopt -o filenames 2>/dev/null\n"
           "}\n"
           "_wick() {\n"
           "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]}\n"
           "    COMPREPLY=()\n"
           "    # bash takes --name=value apart into three words\n"
           "    [[ $cur == = ]] && cur=\n"
           "    [[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD-2]}\n"
           "    if ((COMP_CWORD == 1)); then\n"
           "        _wick_words \"");
    for (const app_verb *const *v = app_verbs; *v; v++) printf("%s ", (*v)->name);
    printf("--help --version\"\n        return\n    fi\n    case $verb:$prev in\n");
    for (const app_verb *const *v = app_verbs; *v; v++) app_each_option(*v, bash_value, (void *)*v);
    printf("    esac\n    case $verb:$cur in\n");
    for (const app_verb *const *v = app_verbs; *v; v++) {
        printf("    %s:-*) _wick_words \"", (*v)->name);
        app_each_option(*v, bash_name, NULL);
        printf("--help\" ;;\n    %s:*) ", (*v)->name);
        bash_positional(*v);
        printf(" ;;\n");
    }
    printf("    esac\n}\ncomplete -F _wick wick\n");
}

/* ---------------------------------------------------------------- zsh */

/* Inside single quotes, and inside the brackets of a specification. */
static void zsh_text(const char *text) {
    for (; *text; text++) {
        if (*text == '\'')
            printf("'\\''");
        else if (strchr("[]:\\", *text))
            printf("\\%c", *text);
        else
            putchar(*text);
    }
}

static void zsh_action(completion_kind kind, const char *words) {
    static const char *const actions[] = {" ", "_files", "_wick_models_and_files", "_wick_models"};
    if (kind != COMPLETE_WORDS) {
        printf("%s", actions[kind]);
        return;
    }
    putchar('(');
    completion_print_words(words, ' ');
    putchar(')');
}

static void zsh_spelling(const app_option *o, const char *name, bool is_long) {
    printf("      '%s%s%s[", o->type == APP_LIST ? "*" : "", is_long ? "--" : "-", name);
    zsh_text(o->help);
    putchar(']');
    if (o->type != APP_FLAG) {
        putchar(':');
        zsh_text(o->value);
        putchar(':');
        zsh_action(completion_of_option(o), o->value);
    }
    printf("' \\\n");
}

static void zsh_option(void *user, const app_option *o) {
    char letter[2] = {o->letter, 0};
    (void)user;
    zsh_spelling(o, o->name, true);
    if (o->letter) zsh_spelling(o, letter, false);
    if (o->alias) zsh_spelling(o, o->alias, true);
}

void completion_zsh(void) {
    printf("#compdef wick\n# zsh completion for wick, made by 'wick completion zsh'\n"
           "_wick_models() {\n"
           "  local -a names\n"
           "  names=(${(f)\"$(wick list --quiet 2>/dev/null)\"})\n"
           "  compadd -a names\n"
           "}\n"
           "_wick_models_and_files() { _wick_models; _files }\n"
           "_wick() {\n"
           "  local -a verbs\n"
           "  verbs=(\n");
    for (const app_verb *const *v = app_verbs; *v; v++) {
        printf("    '%s:", (*v)->name);
        zsh_text((*v)->summary);
        printf("'\n");
    }
    printf("  )\n  if (( CURRENT == 2 )); then\n    _describe verb verbs\n    return\n  fi\n  shift words\n  (( CURRENT-- ))\n  case "
           "$words[1] in\n");
    for (const app_verb *const *v = app_verbs; *v; v++) {
        const char *words;
        completion_kind kind = completion_of_verb(*v, &words);
        printf("    %s) _arguments \\\n", (*v)->name);
        app_each_option(*v, zsh_option, NULL);
        printf("      '--help[explain the verb]' \\\n      '*:argument:");
        zsh_action(kind, words);
        printf("' ;;\n");
    }
    printf("  esac\n}\n"
           "if [[ $funcstack[1] == _wick ]]; then\n  _wick \"$@\"\nelse\n  compdef _wick wick\nfi\n");
}

/* ---------------------------------------------------------------- fish */

static void fish_text(const char *text) {
    putchar('\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\') putchar('\\');
        putchar(*text);
    }
    putchar('\'');
}

static void fish_values(completion_kind kind, const char *words) {
    static const char names[] = " -a '(wick list --quiet 2>/dev/null)'";
    if (kind == COMPLETE_WORDS) {
        printf(" -a '");
        completion_print_words(words, ' ');
        putchar('\'');
    } else if (kind == COMPLETE_MODELS || kind == COMPLETE_NAMES) {
        printf("%s", names);
    }
    if (kind == COMPLETE_FILES || kind == COMPLETE_MODELS) printf(" -F");
}

static void fish_option(void *user, const app_option *o) {
    printf("complete -c wick -n '__fish_seen_subcommand_from %s' -l %s", ((const app_verb *)user)->name, o->name);
    if (o->letter) printf(" -s %c", o->letter);
    if (o->alias) printf(" -l %s", o->alias);
    if (o->type != APP_FLAG) {
        printf(" -r");
        fish_values(completion_of_option(o), o->value);
    }
    printf(" -d ");
    fish_text(o->help);
    putchar('\n');
}

void completion_fish(void) {
    printf("# fish completion for wick, made by 'wick completion fish'\ncomplete -c wick -f\n");
    for (const app_verb *const *v = app_verbs; *v; v++) {
        const char *words;
        completion_kind kind = completion_of_verb(*v, &words);
        printf("complete -c wick -n __fish_use_subcommand -a %s -d ", (*v)->name);
        fish_text((*v)->summary);
        putchar('\n');
        if (kind != COMPLETE_NOTHING) {
            printf("complete -c wick -n '__fish_seen_subcommand_from %s'", (*v)->name);
            fish_values(kind, words);
            putchar('\n');
        }
        app_each_option(*v, fish_option, (void *)*v);
        printf("complete -c wick -n '__fish_seen_subcommand_from %s' -l help -s h -d 'explain the verb'\n", (*v)->name);
    }
}
