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
    *p = (app_progress){.label = label, .started = now, .shown = now, .terminal = isatty(STDERR_FILENO)};
}

void app_progress_begin_bytes(app_progress *p, const char *label) {
    app_progress_begin(p, label);
    p->bytes = true;
}

static void draw(const app_progress *p, double done, double total) {
    double part = done < total ? done / total : 1, fresh = done - p->first, seconds = app_seconds() - p->started;
    if (total <= 0) { /* nobody knows how long it will be */
        fprintf(stderr, "\r%.40s  %.1f MB, %.1f MB/s \033[K", p->label, done / 1e6, seconds > 0 ? fresh / seconds / 1e6 : 0);
        fflush(stderr);
        return;
    }
    char bar[31];
    int full = (int)(part * 30);
    for (int i = 0; i < 30; i++) bar[i] = i < full ? '#' : '.';
    bar[30] = 0;
    double left = fresh > 0 ? seconds * (total - done) / fresh : 0;
    fprintf(stderr, "\r%.40s [%s] %3d %%", p->label, bar, (int)(part * 100));
    if (p->bytes) fprintf(stderr, "  %.1f of %.1f MB, %.1f MB/s", done / 1e6, total / 1e6, seconds > 0 ? fresh / seconds / 1e6 : 0);
    fprintf(stderr, "  %.0f s left \033[K", left);
    fflush(stderr);
}

bool app_progress_update(void *progress, double done, double total) {
    app_progress *p = progress;
    double now = app_seconds(), part = total > 0 ? done / total : 0;
    if (!p->updated) p->first = done;
    p->updated = true;
    if (p->terminal && now - p->started > 0.3 && now - p->shown > 0.1) {
        draw(p, done, total);
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
