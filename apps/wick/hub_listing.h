/* hub_listing.h: what a repository holds, and which of it makes a model.
 *
 * A hub answers GET /api/models/USER/REPO/revision/REVISION?blobs=true with one JSON object: "sha" is the commit, "siblings" are the
 * files with "rfilename", "size" and, for large ones, "lfs": {"sha256", "size"} (Hugging Face Hub API, ModelInfo and RepoSibling of
 * the Python package huggingface_hub). The names are the server's: they are used to ask for files, never as paths on this disk,
 * except those of safetensors checkpoints, which refer to each other by name; these must be plain. */
#ifndef WICK_APP_HUB_LISTING_H
#define WICK_APP_HUB_LISTING_H

#include "digest.h"

#include "base/bytes.h"
#include "base/error.h"

typedef struct hub_file {
    char *path;
    uint64_t size; /* UINT64_MAX: the server did not say */
    char sha256[DIGEST_TEXT];
} hub_file;

typedef struct hub_listing {
    char *commit;
    hub_file *files;
    size_t n_files, cap_files;
} hub_listing;

void hub_listing_release(hub_listing *l);
/* `name` stands in messages. */
wick_status hub_listing_parse(hub_listing *out, wick_bytes text, const char *name, wick_error *err);
/* Adds a file (of a folder here, for instance). */
wick_status hub_listing_add(hub_listing *l, const char *path, uint64_t size, const char *sha256, wick_error *err);

typedef enum hub_form {
    HUB_PROGRAM,     /* a .pte, perhaps with a tokenizer */
    HUB_FILE,        /* one checkpoint file */
    HUB_SAFETENSORS, /* a folder: weights, configuration, tokenizer */
} hub_form;

/* Files to fetch, the model (or a first piece of it) first. Indices into the listing. */
typedef struct hub_choice {
    hub_form form;
    size_t *picks, n_picks, cap_picks;
} hub_choice;

/* selector "": the only program; else a GGUF, preferably Q8_0; else safetensors.
 * A selector is a file's whole path, or names a quantization. What cannot be decided or is not there is said with what there is. */
wick_status hub_choose(const hub_listing *l, const char *selector, hub_choice *out, wick_error *err);
void hub_choice_release(hub_choice *c);

/* The last part of a path. */
const char *hub_base_name(const char *path);

#endif
