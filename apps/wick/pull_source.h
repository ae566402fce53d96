/* pull_source.h: what `wick pull` was asked for. A file or folder here, a URL, or a repository of a Hugging Face hub, with the
 * spellings under which people meet them: USER/REPO, USER/REPO:TAG, hf.co/USER/REPO, https://huggingface.co/USER/REPO/... */
#ifndef WICK_APP_PULL_SOURCE_H
#define WICK_APP_PULL_SOURCE_H

#include "base/error.h"

typedef enum pull_kind { PULL_LOCAL, PULL_URL, PULL_HUB } pull_kind;

typedef struct pull_source {
    pull_kind kind;
    char *text;     /* how the manifest names it: an absolute path, the URL without what follows '?' or '#', USER/REPO:SELECTOR */
    char *location; /* path, URL as it was given, or USER/REPO */
    char *selector; /* hub: a quantization (Q4_0) or a file of the repository; "" elsewhere */
    char *revision; /* hub: branch, tag or commit, if the URL named one; "" elsewhere */
    char *name;     /* for the model, unless another one is given; a valid one */
} pull_source;

/* `endpoint`: the hub's address without a '/' at its end. A path that exists here wins over a repository of the same spelling. */
wick_status pull_source_parse(pull_source *out, const char *word, const char *endpoint, wick_error *err);
void pull_source_release(pull_source *s);

#endif
