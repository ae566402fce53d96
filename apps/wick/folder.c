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

wick_status app_folder(app_folder_kind kind, char **path, wick_error *err) {
    const char *given = getenv(kind == APP_FOLDER_DATA ? "XDG_DATA_HOME" : "XDG_STATE_HOME"), *home = getenv("HOME");
    wick_strbuf b = {0};
    *path = NULL;
    if (given && given[0] == '/') /* the specification: relative paths are to be ignored */
        wick_strbuf_printf(&b, "%s/wick", given);
    else if (home && home[0] == '/')
        wick_strbuf_printf(&b, "%s/.local/%s/wick", home, kind == APP_FOLDER_DATA ? "share" : "state");
    else
        return wick_fail(err, WICK_ENOTFOUND, "HOME is not set: there is no folder to keep anything in");
    *path = wick_strbuf_take(&b, NULL);
    if (!*path) return wick_fail_nomem(err);
    wick_status status = make_folders(*path, err);
    if (status != WICK_OK) {
        wick_free(*path);
        *path = NULL;
    }
    return status;
}
