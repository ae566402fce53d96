#include "progress.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t interrupts;

static void on_interrupt(int signal_number) {
    if (++interrupts > 1) {
        signal(signal_number, SIG_DFL);
        raise(signal_number);
    }
}

void app_catch_interrupt(void) { signal(SIGINT, on_interrupt); }
bool app_interrupted(void) { return interrupts > 0; }

double app_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void app_progress_begin(app_progress *p, const char *label) {
    double now = app_seconds();
    *p = (app_progress){label, now, now, 0, isatty(STDERR_FILENO), false};
}

static void draw(const app_progress *p, double part) {
    char bar[31];
    int full = (int)(part * 30);
    for (int i = 0; i < 30; i++) bar[i] = i < full ? '#' : '.';
    bar[30] = 0;
    double left = part > 0 ? (app_seconds() - p->started) * (1 - part) / part : 0;
    fprintf(stderr, "\r%s [%s] %3d %%  %.0f s left \033[K", p->label, bar, (int)(part * 100), left);
    fflush(stderr);
}

bool app_progress_update(void *progress, double done, double total) {
    app_progress *p = progress;
    double now = app_seconds(), part = total > 0 ? done / total : 1;
    if (p->terminal && now - p->started > 0.3 && now - p->shown > 0.1) {
        draw(p, part);
        p->shown = now;
        p->drawn = true;
    } else if (!p->terminal && now - p->started > 2 && (int)(part * 10) > p->last_tenth) {
        p->last_tenth = (int)(part * 10);
        fprintf(stderr, "%s: %d %%\n", p->label, p->last_tenth * 10);
    }
    return !app_interrupted();
}

void app_progress_end(app_progress *p) {
    if (p->drawn) fputs("\r\033[K", stderr);
}
