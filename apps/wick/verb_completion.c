/* wick completion: scripts that make shells complete command lines of wick. */
#include "completion.h"

#include <string.h>

static int completion_main(int argc, char **argv) {
    const app_option options[] = {{0}};
    int n, status;
    if (!app_parse(&app_verb_completion, options, argc, argv, &n, &status)) return status;
    const char *shell = n == 1 ? argv[1] : "";
    if (strcmp(shell, "bash") == 0)
        completion_bash();
    else if (strcmp(shell, "zsh") == 0)
        completion_zsh();
    else if (strcmp(shell, "fish") == 0)
        completion_fish();
    else
        return app_usage_error(&app_verb_completion, "expected one of bash, zsh and fish");
    return APP_OK;
}

const app_verb app_verb_completion = {
    "completion", "bash|zsh|fish", "print a shell's completion script",
    "Verbs, options, their values, files and names of pulled models are completed. 'make install' puts the scripts where the\n"
    "shells look for them; without it:\n\n"
    "  source <(wick completion bash)          in ~/.bashrc\n"
    "  source <(wick completion zsh)           in ~/.zshrc, after compinit\n"
    "  wick completion fish | source           in ~/.config/fish/config.fish\n",
    completion_main};
