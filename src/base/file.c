#include "base/file.h"

#include "base/mem.h"
#include "base/os.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char *partial_name(const char *path) {
    const char *slash = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash - path) + 1 : 0;
    size_t cap = strlen(path) + 40;
    char *name = wick_alloc(cap);
    if (name) snprintf(name, cap, "%.*s.%s.%ld.partial", (int)folder, path, path + folder, (long)getpid());
    return name;
}

wick_status wick_outfile_open(wick_outfile *f, const char *path, uint64_t size_hint, wick_error *err) {
    *f = (wick_outfile){.fd = -1};
    uint64_t room = size_hint ? wick_os_disk_free(path) : UINT64_MAX;
    if (size_hint > room)
        return wick_fail(err, WICK_EIO, "%s: needs %llu MB of disk space, %llu MB are free", path, (unsigned long long)(size_hint >> 20),
                         (unsigned long long)(room >> 20));
    f->path = wick_strdup(path);
    f->partial = partial_name(path);
    wick_status status = f->path && f->partial ? wick_os_create(f->partial, &f->fd, err) : wick_fail_nomem(err);
    if (status != WICK_OK) wick_outfile_abort(f);
    return status;
}

wick_status wick_outfile_write(wick_outfile *f, uint64_t offset, const void *data, size_t size, wick_error *err) {
    return wick_os_pwrite(f->fd, data, size, offset, f->path, err);
}

wick_status wick_outfile_commit(wick_outfile *f, wick_error *err) {
    int fd = f->fd;
    f->fd = -1;
    wick_status status = wick_os_sync_close(fd, f->path, err);
    if (status == WICK_OK) status = wick_os_rename(f->partial, f->path, err);
    if (status == WICK_OK) { /* nothing to remove any more */
        wick_free(f->partial);
        f->partial = NULL;
    }
    wick_outfile_abort(f);
    return status;
}

void wick_outfile_abort(wick_outfile *f) {
    if (!f->path && !f->partial) return;
    wick_os_close(f->fd);
    if (f->partial) wick_os_remove(f->partial);
    wick_free(f->path);
    wick_free(f->partial);
    *f = (wick_outfile){.fd = -1};
}

wick_status wick_file_write(const char *path, const void *data, size_t size, wick_error *err) {
    wick_outfile f;
    WICK_TRY(wick_outfile_open(&f, path, size, err));
    wick_status status = wick_outfile_write(&f, 0, data, size, err);
    if (status == WICK_OK) return wick_outfile_commit(&f, err);
    wick_outfile_abort(&f);
    return status;
}

char *wick_path_join(const char *folder, const char *name) {
    size_t a = strlen(folder), b = strlen(name), slash = a && folder[a - 1] != '/';
    char *path = wick_alloc(a + slash + b + 1);
    if (!path) return NULL;
    memcpy(path, folder, a);
    if (slash) path[a] = '/';
    memcpy(path + a + slash, name, b + 1);
    return path;
}

wick_status wick_path_first(const char *folder, const char *const *names, size_t n, char **out, wick_error *err) {
    for (size_t i = 0; i < n; i++) {
        *out = wick_path_join(folder, names[i]);
        if (!*out) return wick_fail_nomem(err);
        if (wick_os_path_kind(*out) == WICK_PATH_FILE) return WICK_OK;
        wick_free(*out);
    }
    *out = NULL;
    return WICK_OK;
}
