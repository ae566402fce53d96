/* os.h: what Wick asks of the operating system. The only other file that includes OS headers is os_*.c. */
#ifndef WICK_BASE_OS_H
#define WICK_BASE_OS_H

#include "base/error.h"

#include <stdatomic.h>

/* Zeroed pages for large blocks, with huge pages where the system gives them; NULL: none. */
void *wick_os_pages_alloc(size_t n);
void wick_os_pages_free(void *p, size_t n);

/* Threads this process may really use: the smallest of online CPUs, affinity mask and cgroup quota (rounded up). >= 1. */
int wick_os_cpu_count(void);

/* Monotonic seconds. */
double wick_os_seconds(void);
/* Processor seconds of the calling thread. */
double wick_os_thread_seconds(void);
/* Seconds of wall-clock time since 1970. */
int64_t wick_os_unix_time(void);

/* Peak resident memory of this process in bytes; 0: unknown. */
uint64_t wick_os_peak_rss(void);

/* ---- files ---- */
typedef struct wick_mapping {
    const uint8_t *data;
    size_t size;
    bool mapped; /* else read into memory */
} wick_mapping;

/* Maps a file read-only (or reads it, if asked or if it cannot be mapped). An empty file gives size 0 and data != NULL. */
wick_status wick_os_map(const char *path, bool no_mmap, wick_mapping *out, wick_error *err);
void wick_os_unmap(wick_mapping *m);
/* Tells the system that these bytes of a mapping are not needed soon: they stop counting as resident. */
void wick_os_forget(const wick_mapping *m, uint64_t offset, uint64_t size);

/* A file opened for positioned writing; -1 handles are closed. */
wick_status wick_os_create(const char *path, int *fd, wick_error *err);
wick_status wick_os_pwrite(int fd, const void *data, size_t size, uint64_t offset, const char *path, wick_error *err);
wick_status wick_os_sync_close(int fd, const char *path, wick_error *err);
void wick_os_close(int fd);
wick_status wick_os_rename(const char *from, const char *to, wick_error *err);
void wick_os_remove(const char *path);
/* Bytes an ordinary user may still write on the file system of `path`'s folder; UINT64_MAX: unknown. */
uint64_t wick_os_disk_free(const char *path);

typedef enum wick_path_kind { WICK_PATH_NONE, WICK_PATH_FILE, WICK_PATH_FOLDER, WICK_PATH_OTHER } wick_path_kind;
wick_path_kind wick_os_path_kind(const char *path);

/* Calls fn for every name in a folder except "." and "..", in no order; false from fn ends the walk. */
wick_status wick_os_list(const char *folder, bool (*fn)(void *user, const char *name), void *user, wick_error *err);

/* ---- sleeping and waking (futex where there is one) ---- */
void wick_os_wait(const _Atomic uint32_t *word, uint32_t while_equal);
void wick_os_wake_all(const _Atomic uint32_t *word);

#endif
