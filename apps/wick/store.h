/* store.h: models by name.
 *
 * One folder ($WICK_MODELS, else models/ in the user's data folder) holds every model under the name that people type. A model is
 *
 *     NAME/NAME.pte, NAME/tokenizer.json ..., NAME/wick.json      what `wick pull` made, or
 *     NAME.pte                                                    a program that somebody put there
 *
 * and nothing else is needed: the folder may be copied, linked or edited by hand. What is not finished has a name that begins with
 * a dot (".NAME.partial/", see pull_work.h), so a model that can be named is whole.
 *
 * Wherever a verb takes a model file it takes a name as well, through store_resolve. */
#ifndef WICK_APP_STORE_H
#define WICK_APP_STORE_H

#include "manifest.h"

#define STORE_REMOVED_SUFFIX ".removed" /* hidden entries that end so are being deleted */

typedef struct store_model {
    char *name, *folder, *path; /* folder: "" for a bare file; path: the program, "" while a pull is unfinished */
    manifest about;             /* of a bare file: empty texts */
    uint64_t size;              /* bytes of all its files */
    int64_t modified;           /* seconds since 1970 */
    bool partial;               /* an unfinished pull */
} store_model;

void store_model_release(store_model *m);

/* The model of exactly this name. WICK_ENOTFOUND: there is none. */
wick_status store_find(const char *name, store_model *out, wick_error *err);

/* All of them in the order of their names, unfinished pulls too. A model whose manifest cannot be read is listed without one. */
wick_status store_list(store_model **models, size_t *n, wick_error *err);
void store_list_free(store_model *models, size_t n);

/* Removes a model, and what an unfinished pull of that name left. WICK_ENOTFOUND: there is neither. */
wick_status store_remove(const char *name, wick_error *err);

/* The file that `word` means where a model file is expected: a path that exists; else a stored model's name; else what it was
 * pulled from (USER/REPO:TAG, a URL); else the only name that begins so. A name of the store goes before a folder of that name here.
 * *path is to be freed (base/mem.h). WICK_ENOTFOUND says where it was looked for and what fetches it. */
wick_status store_resolve(const char *word, char **path, wick_error *err);
/* For option values: replaces *word by the resolved path, which lives until exit; NULL stays. False: err says why. */
wick_status store_resolve_option(const char **word, wick_error *err);

/* Does the file begin as a program does? What does not is left to other readers and their complaints. */
bool store_is_program(const char *path);

/* Fills in what a program says of itself: about->quantization (of most of its weights) and about->context. Fails if it is none. */
wick_status store_describe(const char *path, manifest *about, wick_error *err);

/* Deletes a file, a link, or a folder with all that is in it. */
wick_status store_delete_tree(const char *path, wick_error *err);

#endif
