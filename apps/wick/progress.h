/* progress.h: how long work shows itself on stderr: a bar on a terminal, a line per 10 % elsewhere, nothing when it is over
 * before anybody would look. */
#ifndef WICK_APP_PROGRESS_H
#define WICK_APP_PROGRESS_H

#include <stdbool.h>

typedef struct app_progress {
    const char *label;
    double started, shown; /* seconds */
    double first;          /* what the first update found done already: it counts for the part, not for the speed */
    int last_tenth;
    bool bytes; /* it is bytes that are counted: amounts and speed are told */
    bool terminal, drawn, updated;
} app_progress;

void app_progress_begin(app_progress *p, const char *label);
void app_progress_begin_bytes(app_progress *p, const char *label);
/* A wick_progress_fn over app_progress; false once the user has pressed Ctrl-C. */
bool app_progress_update(void *progress, double done, double total);
void app_progress_end(app_progress *p);

/* Ctrl-C sets a flag instead of ending the process, so that work can stop cleanly. A second one ends it. */
void app_catch_interrupt(void);
bool app_interrupted(void);

double app_seconds(void);

#endif
