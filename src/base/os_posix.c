#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "base/os.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

/* ---------------------------------------------------------------- memory */

void *wick_os_pages_alloc(size_t n) {
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
#if defined(MADV_HUGEPAGE)
    if (n >= (size_t)4 << 20) madvise(p, n, MADV_HUGEPAGE);
#endif
    return p;
}

void wick_os_pages_free(void *p, size_t n) { munmap(p, n); }

/* ---------------------------------------------------------------- processor and time */

#if defined(__linux__)
/* CPUs granted by the cgroup's quota, rounded up; 0: no quota. */
static int cgroup_cpus(void) {
    long long quota = 0, period = 0;
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (f) {
        int n = fscanf(f, "%lld %lld", &quota, &period);
        fclose(f);
        if (n != 2) return 0; /* "max": no quota */
    } else {
        FILE *q = fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "re"), *p = fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "re");
        bool both = q && p && fscanf(q, "%lld", &quota) == 1 && fscanf(p, "%lld", &period) == 1;
        if (q) fclose(q);
        if (p) fclose(p);
        if (!both) return 0;
    }
    return quota > 0 && period > 0 ? (int)((quota + period - 1) / period) : 0;
}
#endif

int wick_os_cpu_count(void) {
    long n = sysconf(_SC_NPROCESSORS_ONLN);
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) < n) n = CPU_COUNT(&set);
    int quota = cgroup_cpus();
    if (quota && quota < n) n = quota;
#endif
    return n < 1 ? 1 : (int)n;
}

double wick_os_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double wick_os_thread_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int64_t wick_os_unix_time(void) { return (int64_t)time(NULL); }

uint64_t wick_os_peak_rss(void) {
    struct rusage u;
    if (getrusage(RUSAGE_SELF, &u) != 0) return 0;
#if defined(__APPLE__)
    return (uint64_t)u.ru_maxrss;
#else
    return (uint64_t)u.ru_maxrss * 1024;
#endif
}

/* ---------------------------------------------------------------- reading files */

static wick_status fail_errno(wick_error *err, const char *path, const char *what) {
    int e = errno;
    return wick_fail(err, e == ENOENT ? WICK_ENOTFOUND : e == ENOMEM ? WICK_ENOMEM : WICK_EIO, "%s: %s: %s", path, what, strerror(e));
}

static wick_status read_whole(int fd, const char *path, size_t size, wick_mapping *out, wick_error *err) {
    uint8_t *data = wick_alloc(size ? size : 1);
    if (!data) return wick_fail(err, WICK_ENOMEM, "%s: no memory for %zu bytes", path, size);
    size_t at = 0;
    while (at < size) {
        ssize_t n = read(fd, data + at, size - at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            wick_free(data);
            return n < 0 ? fail_errno(err, path, "cannot read") : wick_fail(err, WICK_EIO, "%s: shrank while it was read", path);
        }
        at += (size_t)n;
    }
    *out = (wick_mapping){data, size, false};
    return WICK_OK;
}

wick_status wick_os_map(const char *path, bool no_mmap, wick_mapping *out, wick_error *err) {
    *out = (wick_mapping){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail_errno(err, path, "cannot open");
    struct stat st;
    wick_status status = WICK_OK;
    if (fstat(fd, &st) != 0) {
        status = fail_errno(err, path, "cannot examine");
    } else if (!S_ISREG(st.st_mode)) {
        status = wick_fail(err, WICK_EIO, "%s: %s, expected a file", path, S_ISDIR(st.st_mode) ? "is a folder" : "is not a regular file");
    } else if ((uint64_t)st.st_size > SIZE_MAX / 2) {
        status = wick_fail(err, WICK_ELIMIT, "%s: too large for this machine", path);
    } else {
        size_t size = (size_t)st.st_size;
        void *p = no_mmap || !size ? MAP_FAILED : mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p != MAP_FAILED)
            *out = (wick_mapping){p, size, true};
        else
            status = read_whole(fd, path, size, out, err);
    }
    close(fd);
    return status;
}

void wick_os_unmap(wick_mapping *m) {
    if (m->mapped)
        munmap((void *)(uintptr_t)m->data, m->size);
    else
        wick_free((void *)(uintptr_t)m->data);
    *m = (wick_mapping){0};
}

void wick_os_forget(const wick_mapping *m, uint64_t offset, uint64_t size) {
    if (!m->mapped || offset >= m->size) return;
    if (size > m->size - offset) size = m->size - offset;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)m->data + offset, to = from + size;
    from = (from + page - 1) & ~(page - 1);
    to &= ~(page - 1);
    if (to > from) madvise((void *)from, to - from, MADV_DONTNEED);
}

/* ---------------------------------------------------------------- writing files */

wick_status wick_os_create(const char *path, int *fd, wick_error *err) {
    *fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return *fd < 0 ? fail_errno(err, path, "cannot create") : WICK_OK;
}

wick_status wick_os_pwrite(int fd, const void *data, size_t size, uint64_t offset, const char *path, wick_error *err) {
    const char *p = data;
    while (size) {
        ssize_t n = pwrite(fd, p, size, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fail_errno(err, path, "cannot write");
        p += n, size -= (size_t)n, offset += (uint64_t)n;
    }
    return WICK_OK;
}

wick_status wick_os_sync_close(int fd, const char *path, wick_error *err) {
    bool ok = fsync(fd) == 0 || errno == EINVAL; /* EINVAL: pipes and the like cannot be synced */
    wick_status status = ok ? WICK_OK : fail_errno(err, path, "cannot flush to disk");
    if (close(fd) != 0 && status == WICK_OK) status = fail_errno(err, path, "cannot close");
    return status;
}

void wick_os_close(int fd) {
    if (fd >= 0) close(fd);
}

wick_status wick_os_rename(const char *from, const char *to, wick_error *err) {
    return rename(from, to) == 0 ? WICK_OK : fail_errno(err, to, "cannot rename into place");
}

void wick_os_remove(const char *path) { unlink(path); }

uint64_t wick_os_disk_free(const char *path) {
    char *folder = wick_strdup(path);
    if (!folder) return UINT64_MAX;
    char *slash = strrchr(folder, '/');
    if (slash) slash[slash == folder] = 0;
    struct statvfs v;
    int rc = statvfs(slash ? folder : ".", &v);
    wick_free(folder);
    return rc == 0 ? (uint64_t)v.f_bavail * v.f_frsize : UINT64_MAX;
}

wick_path_kind wick_os_path_kind(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0) return WICK_PATH_NONE;
    return S_ISREG(st.st_mode) ? WICK_PATH_FILE : S_ISDIR(st.st_mode) ? WICK_PATH_FOLDER : WICK_PATH_OTHER;
}

wick_status wick_os_list(const char *folder, bool (*fn)(void *user, const char *name), void *user, wick_error *err) {
    DIR *d = opendir(folder);
    if (!d) return fail_errno(err, folder, "cannot list");
    for (struct dirent *e; (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && !fn(user, e->d_name)) break;
    closedir(d);
    return WICK_OK;
}

/* ---------------------------------------------------------------- waiting */

void wick_os_wait(const _Atomic uint32_t *word, uint32_t while_equal) {
#if defined(__linux__)
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, while_equal, NULL, NULL, 0);
#else
    if (atomic_load(word) == while_equal) sched_yield();
#endif
}

void wick_os_wake_all(const _Atomic uint32_t *word) {
#if defined(__linux__)
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 0x7fffffff, NULL, NULL, 0);
#else
    (void)word;
#endif
}
