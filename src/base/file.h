/* file.h: the one way Wick writes a file.
 *
 * The bytes go to a temporary neighbour (".NAME.PID.partial"), in any order and from any thread; commit flushes them to disk and
 * renames. Until then the old file, if any, is untouched; a crash leaves at most the neighbour, an abort leaves nothing. */
#ifndef WICK_BASE_FILE_H
#define WICK_BASE_FILE_H

#include "base/error.h"

typedef struct wick_outfile {
    char *path, *partial;
    int fd;
} wick_outfile;

/* Creates the temporary file; size_hint > 0: fails now if the disk cannot hold that many bytes. */
wick_status wick_outfile_open(wick_outfile *f, const char *path, uint64_t size_hint, wick_error *err);
/* Thread-safe for disjoint ranges. */
wick_status wick_outfile_write(wick_outfile *f, uint64_t offset, const void *data, size_t size, wick_error *err);
/* Flushes, renames, releases. On failure nothing is left behind. */
wick_status wick_outfile_commit(wick_outfile *f, wick_error *err);
/* Removes the temporary file; harmless after commit or on a zeroed struct. */
void wick_outfile_abort(wick_outfile *f);

/* A whole small file at once. */
wick_status wick_file_write(const char *path, const void *data, size_t size, wick_error *err);

/* "folder/name" in fresh memory; NULL: none. */
char *wick_path_join(const char *folder, const char *name);

/* The first of n names that is a file in a folder, as wick_path_join makes it (free with wick_free); NULL: none of them. */
wick_status wick_path_first(const char *folder, const char *const *names, size_t n, char **out, wick_error *err);

#endif
