/* folder.h: where this user's files lie (XDG Base Directory Specification, https://specifications.freedesktop.org/basedir-spec/). */
#ifndef WICK_APP_FOLDER_H
#define WICK_APP_FOLDER_H

#include "wick.h"

typedef enum app_folder_kind {
    APP_FOLDER_DATA,   /* $XDG_DATA_HOME/wick, else ~/.local/share/wick */
    APP_FOLDER_STATE,  /* $XDG_STATE_HOME/wick, else ~/.local/state/wick */
    APP_FOLDER_MODELS, /* $WICK_MODELS, else models/ in the data folder */
} app_folder_kind;

/* The folder's path (from base/mem.h, to be freed), whether it exists or not. */
wick_status app_folder_path(app_folder_kind kind, char **path, wick_error *err);
/* The same, made if it was missing, for this user alone. */
wick_status app_folder(app_folder_kind kind, char **path, wick_error *err);

#endif
