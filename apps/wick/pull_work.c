#include "pull_work.h"

#include "folder.h"
#include "store.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static wick_status fail_errno(const char *path, const char *what, wick_error *err) {
    return wick_fail(err, WICK_EIO, "%s: cannot %s: %s", path, what, strerror(errno));
}

/* Locks the folder. *lost: between opening and locking it became a model, or went away; there is a new one to be made. */
static wick_status lock_folder(pull_work *w, bool *lost, wick_error *err) {
    struct stat mine, there;
    *lost = false;
    if (mkdir(w->folder, 0700) != 0 && errno != EEXIST) return fail_errno(w->folder, "make this folder", err);
    w->lock = open(w->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (w->lock < 0 && errno == ENOENT) return *lost = true, WICK_OK;
    if (w->lock < 0) return fail_errno(w->folder, "open this folder", err);
    if (flock(w->lock, LOCK_EX | LOCK_NB) != 0) {
        bool taken = errno == EWOULDBLOCK;
        wick_status status = fail_errno(w->folder, "lock this folder", err);
        close(w->lock);
        w->lock = -1; /* what is not ours is not tidied up */
        return !taken ? status
                      : wick_fail(err, WICK_EIO, "'%s' is being pulled by another process: wait for it, or take another --name", w->name);
    }
    *lost = fstat(w->lock, &mine) != 0 || stat(w->folder, &there) != 0 || mine.st_ino != there.st_ino || mine.st_dev != there.st_dev;
    if (*lost) {
        close(w->lock);
        w->lock = -1;
    }
    return WICK_OK;
}

typedef struct sweeper {
    const pull_work *w;
    wick_status status;
    wick_error *err;
} sweeper;

static bool sweep(void *user, const char *name) {
    sweeper *s = user;
    char *path = pull_work_path(s->w, name);
    s->status = path ? store_delete_tree(path, s->err) : wick_fail_nomem(s->err);
    wick_free(path);
    return s->status == WICK_OK;
}

static wick_status empty(const pull_work *w, wick_error *err) {
    sweeper s = {.w = w, .err = err};
    WICK_TRY(wick_os_list(w->folder, sweep, &s, err));
    return s.status;
}

/* What an earlier attempt left, if it is of use. */
static wick_status take_over(pull_work *w, const char *source, bool anew, wick_error *err) {
    wick_error unread;
    bool usable = !anew && manifest_load(&w->about, w->folder, &unread) == WICK_OK && strcmp(w->about.source, source) == 0;
    if (!usable) {
        manifest_release(&w->about);
        WICK_TRY(empty(w, err));
        WICK_TRY(manifest_init(&w->about, err));
    }
    char *inner = pull_work_path(w, MANIFEST_CHECKPOINT);
    bool made = inner && (mkdir(inner, 0700) == 0 || errno == EEXIST);
    wick_status status = made ? WICK_OK : inner ? fail_errno(inner, "make this folder", err) : wick_fail_nomem(err);
    wick_free(inner);
    WICK_TRY(status);
    return manifest_set(&w->about.source, source, err);
}

static wick_status open_folder(pull_work *w, const char *name, const char *source, bool anew, wick_error *err) {
    wick_strbuf folder = {0};
    bool lost = true;
    WICK_TRY(app_folder(APP_FOLDER_MODELS, &w->store, err));
    wick_strbuf_printf(&folder, "%s/.%s.partial", w->store, name);
    w->folder = wick_strbuf_take(&folder, NULL);
    w->name = wick_strdup(name);
    if (!w->folder || !w->name) return wick_fail_nomem(err);
    while (lost) WICK_TRY(lock_folder(w, &lost, err));
    return take_over(w, source, anew, err);
}

wick_status pull_work_open(pull_work *w, const char *name, const char *source, bool anew, wick_error *err) {
    *w = (pull_work){.lock = -1};
    wick_status status = open_folder(w, name, source, anew, err);
    if (status != WICK_OK) pull_work_close(w);
    return status;
}

char *pull_work_path(const pull_work *w, const char *name) { return wick_path_join(w->folder, name); }

wick_status pull_work_note(pull_work *w, wick_error *err) { return manifest_save(&w->about, w->folder, err); }

/* A name survives a crash once its folder is on disk. */
static wick_status sync_folder(const char *path, wick_error *err) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? fail_errno(path, "open this folder", err) : wick_os_sync_close(fd, path, err);
}

/* The old model of this name changes places with the new one, so that the name is never away. The new one is out of the reach of
 * other pulls first: what comes back in its place is the old model, and only to be deleted. */
static wick_status exchange(const pull_work *w, const char *target, const char *hidden, wick_error *err) {
    if (wick_os_path_kind(target) == WICK_PATH_NONE) return wick_os_rename(w->folder, target, err);
    WICK_TRY(wick_os_rename(w->folder, hidden, err));
    if (renameat2(AT_FDCWD, hidden, AT_FDCWD, target, RENAME_EXCHANGE) !=
        0) { /* a file system that cannot: the name is away for a moment */
        WICK_TRY(store_delete_tree(target, err));
        return wick_os_rename(hidden, target, err);
    }
    return store_delete_tree(hidden, err);
}

static wick_status put_in_place(pull_work *w, wick_error *err) {
    char *target = wick_path_join(w->store, w->name), *inner = pull_work_path(w, MANIFEST_CHECKPOINT);
    wick_strbuf hidden = {0};
    wick_strbuf_printf(&hidden, "%s/.%s.%ld" STORE_REMOVED_SUFFIX, w->store, w->name, (long)getpid());
    wick_status status = target && inner && !hidden.failed ? WICK_OK : wick_fail_nomem(err);
    if (status == WICK_OK) {
        rmdir(inner); /* stays if something is kept in it */
        status = pull_work_note(w, err);
    }
    if (status == WICK_OK) status = sync_folder(w->folder, err);
    if (status == WICK_OK) status = exchange(w, target, hidden.data, err);
    if (status == WICK_OK) status = sync_folder(w->store, err);
    wick_strbuf_release(&hidden);
    wick_free(target);
    wick_free(inner);
    return status;
}

static void give_up(pull_work *w) {
    if (w->lock >= 0) close(w->lock);
    wick_free(w->store);
    wick_free(w->name);
    wick_free(w->folder);
    manifest_release(&w->about);
    *w = (pull_work){.lock = -1};
}

wick_status pull_work_commit(pull_work *w, wick_error *err) {
    WICK_TRY(put_in_place(w, err));
    give_up(w);
    return WICK_OK;
}

void pull_work_close(pull_work *w) {
    if (!w->folder) return;
    wick_error ignored;
    if (w->lock >= 0 && w->about.n_files == 0) store_delete_tree(w->folder, &ignored);
    give_up(w);
}

void pull_work_discard(pull_work *w) {
    wick_error ignored;
    if (w->lock >= 0) store_delete_tree(w->folder, &ignored);
    give_up(w);
}
