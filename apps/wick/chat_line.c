#include "chat_line.h"

#include "folder.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <histedit.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

enum { HISTORY_SIZE = 1000 };

struct chat_line {
    EditLine *edit; /* NULL: no terminal */
    History *history;
    char *history_path; /* NULL: kept in memory only */
    bool keep_history, in_message;
    char *line; /* getline's */
    size_t cap;
};

/* ---------------------------------------------------------------- Ctrl-C */

static volatile sig_atomic_t interrupts;

static void on_interrupt(int signal_number) {
    if (++interrupts > 2) {
        signal(signal_number, SIG_DFL);
        raise(signal_number);
    }
}

void chat_interrupt_catch(void) {
    struct sigaction action = {.sa_handler = on_interrupt}; /* no SA_RESTART: a read must end */
    sigaction(SIGINT, &action, NULL);
}

bool chat_interrupt_seen(void) { return interrupts > 0; }
void chat_interrupt_take(void) { interrupts = 0; }

/* ---------------------------------------------------------------- a terminal */

/* Waits for a byte. SIGINT is held back except while waiting, so that none can slip in between the look at the flag and the
 * wait. 1: *byte, 0: end, -1: interrupted or failed. */
static int wait_byte(unsigned char *byte) {
    sigset_t held, before;
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigprocmask(SIG_BLOCK, &held, &before);
    ssize_t n = -1;
    while (!chat_interrupt_seen()) {
        struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
        if (ppoll(&p, 1, NULL, &before) < 0) {
            if (errno == EINTR) continue;
            break;
        }
        n = read(STDIN_FILENO, byte, 1);
        if (n >= 0 || errno != EINTR) break;
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return n < 0 ? -1 : (int)n;
}

/* libedit's way to read a character: its own would swallow the first Ctrl-C. Bytes that are no character are skipped. */
static int read_character(EditLine *edit, wchar_t *out) {
    mbstate_t state = {0};
    (void)edit;
    for (;;) {
        unsigned char byte;
        int n = wait_byte(&byte);
        if (n <= 0) return n;
        if (byte == 0) byte = 4; /* how a Ctrl-D arrives that was typed before line editing began, while an answer ran */
        size_t used = mbrtowc(out, (const char *)&byte, 1, &state);
        if (used == 0 || used == 1) return 1;
        if (used == (size_t)-1) state = (mbstate_t){0};
    }
}

/* Terminals put pasted text between ESC [200~ and ESC [201~ if asked: it becomes part of the line, line breaks, tabs and all, instead of
 * being sent off line by line. */
static const wchar_t paste_end[] = L"\033[201~";
enum { PASTE_END = sizeof paste_end / sizeof *paste_end - 1, PASTE_MAX = 1 << 20 };

static unsigned char take_paste(EditLine *edit, int key) {
    wchar_t *text = NULL, c;
    size_t n = 0, cap = 0;
    (void)key;
    while (n < PASTE_MAX && el_wgetc(edit, &c) == 1 && WICK_GROW(text, n, cap)) {
        text[n++] = c == L'\r' ? L'\n' : c;
        if (n >= PASTE_END && wmemcmp(text + n - PASTE_END, paste_end, PASTE_END) == 0) {
            n -= PASTE_END;
            break;
        }
    }
    if (n && WICK_GROW(text, n, cap)) {
        text[n] = 0;
        el_winsertstr(edit, text);
    }
    wick_free(text);
    return CC_REFRESH;
}

/* Asks the terminal to mark pasted text, or no longer: other programs would be surprised. */
static void mark_pastes(bool on) {
    const char *kind = getenv("TERM");
    if (!kind || strcmp(kind, "dumb") == 0) return;
    FILE *f = isatty(STDOUT_FILENO) ? stdout : stderr;
    fputs(on ? "\033[?2004h" : "\033[?2004l", f);
    fflush(f);
}

static char *prompt(EditLine *edit) {
    static char first[] = ">>> ", next[] = "... ";
    const chat_line *line = NULL;
    el_get(edit, EL_CLIENTDATA, &line);
    return line && line->in_message ? next : first;
}

static void open_history(chat_line *line) {
    HistEvent event;
    char *folder = NULL;
    if (!line->history || app_folder(APP_FOLDER_STATE, &folder, NULL) != WICK_OK) return;
    line->history_path = wick_path_join(folder, "chat_history");
    wick_free(folder);
    if (line->history_path) history(line->history, &event, H_LOAD, line->history_path);
}

/* The old file stays whole until the new one is: another name first, then a rename. */
static void save_history(const chat_line *line) {
    HistEvent event;
    char partial[4096];
    if (!line->keep_history || !line->history_path) return;
    int n = snprintf(partial, sizeof partial, "%s.%ld.partial", line->history_path, (long)getpid());
    if (n < 0 || n >= (int)sizeof partial) return;
    if (history(line->history, &event, H_SAVE, partial) < 0 || rename(partial, line->history_path) != 0) remove(partial);
}

static bool open_terminal(chat_line *line) {
    HistEvent event;
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) setlocale(LC_CTYPE, "C.UTF-8");
    line->edit = el_init("wick", stdin, isatty(STDOUT_FILENO) ? stdout : stderr, stderr);
    line->history = history_init();
    if (!line->edit || !line->history) return false;
    history(line->history, &event, H_SETSIZE, HISTORY_SIZE);
    history(line->history, &event, H_SETUNIQUE, 1);
    el_set(line->edit, EL_CLIENTDATA, line);
    el_set(line->edit, EL_PROMPT, prompt);
    el_set(line->edit, EL_EDITOR, "emacs");
    el_set(line->edit, EL_HIST, history, line->history);
    el_set(line->edit, EL_SIGNAL, 1);
    el_set(line->edit, EL_GETCFN, read_character);
    el_set(line->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_set(line->edit, EL_ADDFN, "take-paste", "Insert pasted text", take_paste);
    el_set(line->edit, EL_BIND, "\033[200~", "take-paste", NULL);
    el_source(line->edit, NULL); /* the user's own ~/.editrc */
    open_history(line);
    return true;
}

/* ---------------------------------------------------------------- */

wick_status chat_line_new(bool keep_history, chat_line **out, wick_error *err) {
    chat_line *line = WICK_NEW(chat_line);
    *out = NULL;
    if (!line) return wick_fail_nomem(err);
    line->keep_history = keep_history;
    if (isatty(STDIN_FILENO) && !open_terminal(line)) {
        chat_line_free(line);
        return wick_fail(err, WICK_EIO, "the terminal cannot be used for line editing");
    }
    *out = line;
    return WICK_OK;
}

void chat_line_free(chat_line *line) {
    if (!line) return;
    if (line->history) history_end(line->history);
    if (line->edit) el_end(line->edit);
    wick_free(line->history_path);
    free(line->line);
    wick_free(line);
}

bool chat_line_is_terminal(const chat_line *line) { return line->edit != NULL; }
void chat_line_keep_history(chat_line *line, bool keep) { line->keep_history = keep; }

/* One line without its end; NULL: interrupted or over. Lent until the next call. */
static const char *read_line(chat_line *line, size_t *size) {
    int n = 0;
    const char *text;
    if (line->edit) {
        HistEvent event;
        el_resize(line->edit);
        mark_pastes(true);
        text = el_gets(line->edit, &n);
        mark_pastes(false);
        if (text && n > 1) {
            history(line->history, &event, H_ENTER, text);
            save_history(line);
        }
    } else {
        n = (int)getline(&line->line, &line->cap, stdin);
        text = n > 0 ? line->line : NULL;
    }
    if (!text || chat_interrupt_seen()) return NULL;
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r')) n--;
    *size = (size_t)n;
    return text;
}

static const char quotes[] = "\"\"\"";

/* Where quoted text may begin: at the start, or as the argument of a command. */
static const char *find_quotes(const char *text, bool is_command) {
    if (strncmp(text, quotes, 3) == 0) return text;
    const char *at = is_command ? strstr(text, quotes) : NULL;
    return at && at[-1] == ' ' ? at : NULL;
}

/* "/word" and then nothing or an argument: "/usr/bin is a folder" is a message. */
static bool looks_like_command(const char *text) {
    size_t n = strcspn(text, " \t\n");
    return text[0] == '/' && n > 1 && !memchr(text + 1, '/', n - 1);
}

/* Adds the text after the opening quotes, line by line, to the closing ones. The line breaks next to the quotes do not count. */
static bool read_quoted(chat_line *line, const char *from, wick_strbuf *text) {
    char *first = wick_strdup(from); /* the next line takes the place of this one */
    if (!first) return false;
    const char *at = first;
    size_t size = strlen(first);
    bool more = false;
    while (at) {
        size_t trimmed = size;
        while (trimmed && at[trimmed - 1] == ' ') trimmed--;
        bool last = trimmed >= 3 && memcmp(at + trimmed - 3, quotes, 3) == 0;
        size_t n = last ? trimmed - 3 : size;
        if (more && !(last && n == 0)) wick_strbuf_putc(text, '\n');
        wick_strbuf_add(text, at, n);
        more |= at != first || n > 0;
        if (last) break;
        line->in_message = true;
        at = read_line(line, &size);
    }
    wick_free(first);
    return at != NULL;
}

/* The line and those that its backslash calls for. */
static bool read_continued(chat_line *line, const char *at, size_t size, wick_strbuf *text) {
    while (at && size && at[size - 1] == '\\') {
        wick_strbuf_add(text, at, size - 1);
        wick_strbuf_putc(text, '\n');
        line->in_message = true;
        at = read_line(line, &size);
    }
    if (at) wick_strbuf_add(text, at, size);
    return at != NULL;
}

static bool is_blank(const char *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (text[i] != ' ' && text[i] != '\t') return false;
    return true;
}

/* One message; false: interrupted or over in the middle of it. */
static bool read_message(chat_line *line, wick_strbuf *text, bool *is_command) {
    size_t size;
    const char *at = read_line(line, &size);
    *is_command = at && looks_like_command(at);
    if (!at) return false;
    char *copy = wick_strndup(at, size);
    if (!copy) return false;
    const char *quoted = find_quotes(copy, *is_command);
    bool whole;
    if (quoted) {
        wick_strbuf_add(text, copy, (size_t)(quoted - copy));
        whole = read_quoted(line, quoted + 3, text);
    } else {
        whole = read_continued(line, copy, size, text);
    }
    wick_free(copy);
    return whole;
}

chat_input chat_line_read(chat_line *line, wick_strbuf *text) {
    for (;;) {
        bool is_command = false;
        wick_strbuf_reset(text);
        wick_strbuf_puts(text, "");
        line->in_message = false;
        bool whole = read_message(line, text, &is_command);
        if (chat_interrupt_seen()) {
            chat_interrupt_take();
            return CHAT_INPUT_INTERRUPTED;
        }
        if (text->data && !is_blank(text->data, text->size)) return is_command ? CHAT_INPUT_COMMAND : CHAT_INPUT_MESSAGE;
        if (!whole) return CHAT_INPUT_END;
    }
}
