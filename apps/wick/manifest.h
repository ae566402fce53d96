/* manifest.h: what a stored model is and where it came from, in words that people and programs can read.
 *
 * "wick.json" lies in the model's folder. While a model is being fetched it lies in the folder of the unfinished pull and says what
 * is there, so that the next attempt can go on: which file came from where, under which entity tag, and whether it is whole. It
 * is a file like any other, perhaps somebody else's: reading it trusts nothing. */
#ifndef WICK_APP_MANIFEST_H
#define WICK_APP_MANIFEST_H

#include "digest.h"

#include "base/bytes.h"
#include "base/error.h"

#define MANIFEST_NAME       "wick.json"
#define MANIFEST_CHECKPOINT "checkpoint/" /* what the program was made from lies in this folder inside the model's */

typedef struct manifest_file {
    char *name, *url, *etag; /* url, etag: "" where there is none; never with what follows a '?' (signatures, tokens) */
    uint64_t size;
    char sha256[DIGEST_TEXT]; /* "": not known yet */
    bool partial;             /* on its way */
} manifest_file;

typedef struct manifest {
    char *source;   /* what `wick pull` was asked for: USER/REPO:TAG, a URL, an absolute path */
    char *revision; /* commit of a repository, "" elsewhere */
    char *recipe;   /* overrides of the export, joined by spaces; "" */
    char *model;    /* the program's file name; "" while it does not exist */
    char *quantization;
    int64_t context, pulled; /* tokens; seconds since 1970 */
    manifest_file *files;    /* what came from the source; beside the program, or below MANIFEST_CHECKPOINT */
    size_t n_files, cap_files;
} manifest;

/* Letters, digits and "._+-", not beginning with '.' or '-', at most 150 bytes; files also directly below MANIFEST_CHECKPOINT. */
bool manifest_name_valid(const char *name);
bool manifest_file_name_valid(const char *name);

/* An empty one: every text is "". */
wick_status manifest_init(manifest *m, wick_error *err);
void manifest_release(manifest *m);
/* Replaces a text; NULL counts as "". */
wick_status manifest_set(char **field, const char *text, wick_error *err);
/* The file of that name; it is added if `add` says so. NULL: none, or no memory. */
manifest_file *manifest_find(manifest *m, const char *name, bool add);
void manifest_forget(manifest *m, const char *name);

/* Reads JSON text. `name` stands in messages. */
wick_status manifest_parse(manifest *out, wick_bytes text, const char *name, wick_error *err);
/* From and to folder/wick.json; writing replaces the file as a whole. WICK_ENOTFOUND: there is none. */
wick_status manifest_load(manifest *out, const char *folder, wick_error *err);
wick_status manifest_save(const manifest *m, const char *folder, wick_error *err);

/* A moment as "2026-01-15T12:34:56Z". */
void manifest_time_text(int64_t seconds, char out[32]);

#endif
