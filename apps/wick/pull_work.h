/* pull_work.h: the folder in which a model comes together.
 *
 * ".NAME.partial/" in the store belongs to one process at a time, which holds a lock on it; the lock goes with the process, however
 * it ends. What is there stays there until the model is whole, so a pull that was interrupted, or killed, goes on where it
 * stopped. Then one rename makes it the model: nobody ever sees half of one, nor none while an old one is replaced. */
#ifndef WICK_APP_PULL_WORK_H
#define WICK_APP_PULL_WORK_H

#include "manifest.h"

typedef struct pull_work {
    char *store, *name, *folder;
    int lock;
    manifest about; /* what the folder holds; kept in it by pull_work_note */
} pull_work;

/* Makes or takes over the folder for this name. It fails if another process has it. Files that came from another source are
 * thrown away, all files if `anew`. */
wick_status pull_work_open(pull_work *w, const char *name, const char *source, bool anew, wick_error *err);
/* "folder/name", to be freed; NULL: no memory. */
char *pull_work_path(const pull_work *w, const char *name);
/* Writes the manifest to disk. */
wick_status pull_work_note(pull_work *w, wick_error *err);
/* Makes the folder the model, in the place of one that had the name. */
wick_status pull_work_commit(pull_work *w, wick_error *err);
/* Gives the folder up: it stays for the next attempt, unless there is nothing in it. Harmless after commit or on a zeroed struct. */
void pull_work_close(pull_work *w);
/* Throws away what was fetched, and gives the folder up. */
void pull_work_discard(pull_work *w);

#endif
