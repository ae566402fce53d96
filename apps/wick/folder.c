#include "folder.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/strbuf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* mkdir -p; what is missing is made for this user alone. */
static wick_status make_folders(char *path, wick_error *err) {
    for (char *p = path + 1;; p++) {
        if (*p && *p != '/') continue;
        char end = *p;
        *p = 0;
        bool made = mkdir(path, 0700) == 0 || errno == EEXIST;
        int fault = errno;
        if (!made) return wick_fail(err, WICK_EIO, "%s: cannot make this folder: %s", path, strerror(fault));
        *p = end;
        if (!end) return WICK_OK;
    }
}

wick_status app_folder_path(app_folder_kind kind, char **path, wick_error *err) {
    const char *given = getenv(kind == APP_FOLDER_STATE ? "XDG_STATE_HOME" : "XDG_DATA_HOME"), *home = getenv("HOME");
    const char *models = kind == APP_FOLDER_MODELS ? getenv("WICK_MODELS") : NULL, *below = kind == APP_FOLDER_MODELS ? "/models" : "";
    wick_strbuf b = {0};
    *path = NULL;
    if (models && models[0])
        wick_strbuf_puts(&b, models);
    else if (given && given[0] == '/') /* the specification: relative paths are to be ignored */
        wick_strbuf_printf(&b, "%s/wick%s", given, below);
    else if (home && home[0] == '/')
        wick_strbuf_printf(&b, "%s/.local/%s/wick%s", home, kind == APP_FOLDER_STATE ? "state" : "share", below);
    else
        return wick_fail(err, WICK_ENOTFOUND, "HOME is not set: there is no folder to keep anything in");
    *path = wick_strbuf_take(&b, NULL);
    return *path ? WICK_OK : wick_fail_nomem(err);
}

wick_status app_folder(app_folder_kind kind, char **path, wick_error *err) {
    WICK_TRY(app_folder_path(kind, path, err));
    wick_status status = make_folders(*path, err);
    if (status != WICK_OK) {
        wick_free(*path);
        *path = NULL;
    }
    return status;
}
