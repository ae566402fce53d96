/* chat_line.h: what the user says next: from a terminal with line editing and history, or from a pipe.
 *
 * A message is one line, or several: a line that ends in a backslash goes on in the next one, and text between """ and """ is
 * taken as it is, line breaks and indentation included. A line that begins with '/' and a word is a command; quoted text never
 * is. Text pasted into a terminal stays together: its line breaks are part of the line. */
#ifndef WICK_APP_CHAT_LINE_H
#define WICK_APP_CHAT_LINE_H

#include "base/strbuf.h"

#include <stdbool.h>

typedef struct chat_line chat_line;

typedef enum chat_input {
    CHAT_INPUT_MESSAGE,
    CHAT_INPUT_COMMAND,
    CHAT_INPUT_INTERRUPTED, /* Ctrl-C */
    CHAT_INPUT_END,         /* Ctrl-D, or the end of the pipe */
} chat_input;

/* Standard input, whatever it is. keep_history: lines also go to the history file in the user's state folder. */
wick_status chat_line_new(bool keep_history, chat_line **out, wick_error *err);
void chat_line_free(chat_line *line);
bool chat_line_is_terminal(const chat_line *line);
void chat_line_keep_history(chat_line *line, bool keep);

/* The next message or command, in *text (emptied first). Blank lines are skipped. */
chat_input chat_line_read(chat_line *line, wick_strbuf *text);

/* Ctrl-C raises a flag that stays until it is taken; the third one in a row ends the program. */
void chat_interrupt_catch(void);
bool chat_interrupt_seen(void);
void chat_interrupt_take(void);

#endif
