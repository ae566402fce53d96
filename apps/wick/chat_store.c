#include "chat_store.h"

#include "folder.h"

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/strbuf.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SCHEMA = 2 };

struct chat_store {
    sqlite3 *db;
    char *folder, *path;
};

static const char schema[] = /* table names are singular: a row is one of it */
    "BEGIN;"
    "CREATE TABLE chat (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, model TEXT NOT NULL, system TEXT, settings TEXT,"
    " created INTEGER NOT NULL, updated INTEGER NOT NULL);"
    "CREATE TABLE message (chat INTEGER NOT NULL REFERENCES chat (id) ON DELETE CASCADE, position INTEGER NOT NULL,"
    " role TEXT NOT NULL CHECK (role IN ('user', 'assistant')), content TEXT NOT NULL, stopped INTEGER NOT NULL,"
    " said INTEGER NOT NULL, PRIMARY KEY (chat, position)) WITHOUT ROWID;"
    "PRAGMA user_version = 2;"
    "COMMIT;";

static const char from_1[] = "BEGIN; ALTER TABLE chat ADD COLUMN settings TEXT; PRAGMA user_version = 2; COMMIT;";

static wick_status broken(const chat_store *s, wick_error *err) {
    return wick_fail(err, WICK_EIO, "%s: %s", s->path, sqlite3_errmsg(s->db));
}

/* Prepares a statement and binds its parameters: 'i' an int64_t, 't' a text or NULL. */
static wick_status prepare(chat_store *s, sqlite3_stmt **out, wick_error *err, const char *sql, const char *kinds, va_list args) {
    if (sqlite3_prepare_v2(s->db, sql, -1, out, NULL) != SQLITE_OK) return broken(s, err);
    for (int i = 0; kinds[i]; i++) {
        int fault = kinds[i] == 'i' ? sqlite3_bind_int64(*out, i + 1, va_arg(args, int64_t))
                                    : sqlite3_bind_text(*out, i + 1, va_arg(args, const char *), -1, SQLITE_TRANSIENT);
        if (fault != SQLITE_OK) return broken(s, err);
    }
    return WICK_OK;
}

static wick_status query(chat_store *s, sqlite3_stmt **out, wick_error *err, const char *sql, const char *kinds, ...) {
    va_list args;
    va_start(args, kinds);
    wick_status status = prepare(s, out, err, sql, kinds, args);
    va_end(args);
    return status;
}

static wick_status change(chat_store *s, wick_error *err, const char *sql, const char *kinds, ...) {
    va_list args;
    sqlite3_stmt *q = NULL;
    va_start(args, kinds);
    wick_status status = prepare(s, &q, err, sql, kinds, args);
    va_end(args);
    if (status == WICK_OK && sqlite3_step(q) != SQLITE_DONE) status = broken(s, err);
    sqlite3_finalize(q);
    return status;
}

/* Ends a transaction: all of it or nothing. */
static wick_status end(chat_store *s, wick_status status, wick_error *err) {
    if (status == WICK_OK) status = change(s, err, "COMMIT", "");
    if (status != WICK_OK) sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

static wick_status check_schema(chat_store *s, wick_error *err) {
    sqlite3_stmt *q = NULL;
    WICK_TRY(query(s, &q, err, "PRAGMA user_version", ""));
    int version = sqlite3_step(q) == SQLITE_ROW ? sqlite3_column_int(q, 0) : -1;
    sqlite3_finalize(q);
    if (version < 0) return broken(s, err);
    if (version > SCHEMA)
        return wick_fail(err, WICK_EUNSUPPORTED, "%s: chats of version %d, this Wick knows %d: a newer one wrote them", s->path, version,
                         SCHEMA);
    if (version == SCHEMA) return WICK_OK;
    if (sqlite3_exec(s->db, version == 1 ? from_1 : schema, NULL, NULL, NULL) == SQLITE_OK) return WICK_OK;
    wick_status status = broken(s, err);
    sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

static wick_status open_database(chat_store *s, wick_error *err) {
    WICK_TRY(app_folder(APP_FOLDER_DATA, &s->folder, err));
    if (!(s->path = wick_path_join(s->folder, "chats.db"))) return wick_fail_nomem(err);
    int fault = sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (fault == SQLITE_OK) {
        sqlite3_busy_timeout(s->db, 5000);
        fault = sqlite3_exec(s->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON", NULL, NULL, NULL);
    }
    return fault == SQLITE_OK ? check_schema(s, err) : broken(s, err);
}

wick_status chat_store_open(chat_store **out, wick_error *err) {
    chat_store *s = WICK_NEW(chat_store);
    *out = NULL;
    if (!s) return wick_fail_nomem(err);
    wick_status status = open_database(s, err);
    if (status == WICK_OK)
        *out = s;
    else
        chat_store_close(s);
    return status;
}

void chat_store_close(chat_store *s) {
    if (!s) return;
    sqlite3_close(s->db);
    wick_free(s->folder);
    wick_free(s->path);
    wick_free(s);
}

/* ---------------------------------------------------------------- writing */

static wick_status insert(chat_store *s, int64_t id, const chat_log *log, size_t i, wick_error *err) {
    const chat_message *m = &log->messages[i];
    return change(s, err, "INSERT INTO message (chat, position, role, content, stopped, said) VALUES (?, ?, ?, ?, ?, ?)", "iittii", id,
                  (int64_t)i, chat_role_name(m->role), m->content, (int64_t)m->stopped, wick_os_unix_time());
}

static wick_status touch(chat_store *s, int64_t id, wick_error *err) {
    return change(s, err, "UPDATE chat SET updated = ? WHERE id = ?", "ii", wick_os_unix_time(), id);
}

static wick_status add(chat_store *s, const char *name, const char *model, const chat_log *log, int64_t *id, wick_error *err) {
    int64_t now = wick_os_unix_time();
    if (name) WICK_TRY(change(s, err, "DELETE FROM chat WHERE name = ?", "t", name));
    WICK_TRY(change(s, err, "INSERT INTO chat (name, model, system, settings, created, updated) VALUES (?, ?, ?, ?, ?, ?)", "ttttii", name,
                    model, log->system, log->settings, now, now));
    *id = sqlite3_last_insert_rowid(s->db);
    for (size_t i = 0; i < log->n_message; i++) WICK_TRY(insert(s, *id, log, i, err));
    return WICK_OK;
}

static void forget_state(const chat_store *s, int64_t id) {
    char *path = chat_store_state_path(s, id);
    if (path) wick_os_remove(path);
    wick_free(path);
}

wick_status chat_store_add(chat_store *s, const char *name, const char *model, const chat_log *log, int64_t *id, wick_error *err) {
    chat_entry old = {0};
    const char *slash = strrchr(model, '/');
    bool replaces = name && chat_store_find(s, name, &old, NULL) == WICK_OK;
    *id = 0;
    WICK_TRY(change(s, err, "BEGIN IMMEDIATE", ""));
    WICK_TRY(end(s, add(s, name, slash ? slash + 1 : model, log, id, err), err));
    if (replaces) forget_state(s, old.id);
    return WICK_OK;
}

static wick_status put(chat_store *s, int64_t id, const chat_log *log, size_t i, wick_error *err) {
    WICK_TRY(change(s, err, "DELETE FROM message WHERE chat = ? AND position >= ?", "ii", id, (int64_t)i));
    WICK_TRY(insert(s, id, log, i, err));
    return touch(s, id, err);
}

wick_status chat_store_put(chat_store *s, int64_t id, const chat_log *log, size_t i, wick_error *err) {
    WICK_TRY(change(s, err, "BEGIN IMMEDIATE", ""));
    return end(s, put(s, id, log, i, err), err);
}

wick_status chat_store_cut(chat_store *s, int64_t id, size_t n, wick_error *err) {
    return change(s, err, "DELETE FROM message WHERE chat = ? AND position >= ?", "ii", id, (int64_t)n);
}

wick_status chat_store_set_system(chat_store *s, int64_t id, const char *system, wick_error *err) {
    return change(s, err, "UPDATE chat SET system = ? WHERE id = ?", "ti", system, id);
}

wick_status chat_store_set_settings(chat_store *s, int64_t id, const char *settings, wick_error *err) {
    return change(s, err, "UPDATE chat SET settings = ? WHERE id = ?", "ti", settings, id);
}

wick_status chat_store_remove(chat_store *s, int64_t id, wick_error *err) {
    WICK_TRY(change(s, err, "DELETE FROM chat WHERE id = ?", "i", id));
    forget_state(s, id);
    return WICK_OK;
}

/* ---------------------------------------------------------------- reading */

/* The beginning of a text on one line, in whole characters. */
static void summarize(char *out, size_t size, const unsigned char *text) {
    const char *from = text ? (const char *)text : "";
    size_t n = strlen(from);
    bool whole = n < size;
    if (!whole) n = wick_utf8_complete(from, size - 4);
    for (size_t i = 0; i < n; i++) out[i] = (unsigned char)from[i] < ' ' || from[i] == 127 ? ' ' : from[i];
    strcpy(out + n, whole ? "" : "...");
}

/* What the columns of an entry are; placeholders follow. */
#define SELECT_ENTRY                                                                                                                       \
    "SELECT id, name, model, updated, (SELECT count(*) FROM message WHERE chat = id),"                                                     \
    " (SELECT content FROM message WHERE chat = id ORDER BY position LIMIT 1) FROM chat "

static void read_entry(sqlite3_stmt *q, chat_entry *e) {
    *e = (chat_entry){.id = sqlite3_column_int64(q, 0), .updated = sqlite3_column_int64(q, 3), .n_message = sqlite3_column_int64(q, 4)};
    summarize(e->name, sizeof e->name, sqlite3_column_text(q, 1));
    summarize(e->model, sizeof e->model, sqlite3_column_text(q, 2));
    summarize(e->title, sizeof e->title, sqlite3_column_text(q, 5));
}

wick_status chat_store_find(chat_store *s, const char *key, chat_entry *out, wick_error *err) {
    sqlite3_stmt *q = NULL;
    char *rest = NULL;
    long long id = key ? strtoll(key, &rest, 10) : 0;
    wick_status status = !key    ? query(s, &q, err, SELECT_ENTRY "WHERE name IS NULL ORDER BY updated DESC, id DESC LIMIT 1", "")
                         : *rest ? query(s, &q, err, SELECT_ENTRY "WHERE name = ?", "t", key)
                                 : query(s, &q, err, SELECT_ENTRY "WHERE id = ?", "i", (int64_t)id);
    if (status == WICK_OK) {
        int step = sqlite3_step(q);
        if (step == SQLITE_ROW)
            read_entry(q, out);
        else if (step != SQLITE_DONE)
            status = broken(s, err);
        else if (key)
            status = wick_fail(err, WICK_ENOTFOUND, "there is no chat '%s': /load lists them", key);
        else
            status = wick_fail(err, WICK_ENOTFOUND, "there is no chat to go on with");
    }
    sqlite3_finalize(q);
    return status;
}

wick_status chat_store_list(chat_store *s, void (*fn)(void *user, const chat_entry *entry), void *user, wick_error *err) {
    sqlite3_stmt *q = NULL;
    wick_status status = query(s, &q, err, SELECT_ENTRY "ORDER BY updated DESC, id DESC", "");
    int step = SQLITE_DONE;
    while (status == WICK_OK && (step = sqlite3_step(q)) == SQLITE_ROW) {
        chat_entry e;
        read_entry(q, &e);
        fn(user, &e);
    }
    if (status == WICK_OK && step != SQLITE_DONE) status = broken(s, err);
    sqlite3_finalize(q);
    return status;
}

static wick_status load_texts(chat_store *s, int64_t id, chat_log *log, wick_error *err) {
    sqlite3_stmt *q = NULL;
    wick_status status = query(s, &q, err, "SELECT system, settings FROM chat WHERE id = ?", "i", id);
    if (status == WICK_OK)
        status = sqlite3_step(q) == SQLITE_ROW ? chat_log_set_system(log, (const char *)sqlite3_column_text(q, 0), err) : broken(s, err);
    if (status == WICK_OK) status = chat_log_set_settings(log, (const char *)sqlite3_column_text(q, 1), err);
    sqlite3_finalize(q);
    return status;
}

static wick_status load_messages(chat_store *s, int64_t id, chat_log *log, wick_error *err) {
    sqlite3_stmt *q = NULL;
    wick_status status = query(s, &q, err, "SELECT role, content, stopped FROM message WHERE chat = ? ORDER BY position", "i", id);
    int step = SQLITE_DONE;
    while (status == WICK_OK && (step = sqlite3_step(q)) == SQLITE_ROW) {
        const char *role = (const char *)sqlite3_column_text(q, 0), *content = (const char *)sqlite3_column_text(q, 1);
        status = role && content ? chat_log_add(log, *role == 'u' ? CHAT_USER : CHAT_ASSISTANT, content, sqlite3_column_int(q, 2) != 0, err)
                                 : wick_fail_nomem(err);
    }
    if (status == WICK_OK && step != SQLITE_DONE) status = broken(s, err);
    sqlite3_finalize(q);
    return status;
}

wick_status chat_store_load(chat_store *s, int64_t id, chat_log *out, wick_error *err) {
    *out = (chat_log){0};
    wick_status status = load_texts(s, id, out, err);
    if (status == WICK_OK) status = load_messages(s, id, out, err);
    if (status != WICK_OK) chat_log_release(out);
    return status;
}

/* ---------------------------------------------------------------- names */

char *chat_store_state_path(const chat_store *s, int64_t id) {
    wick_strbuf b = {0};
    wick_strbuf_printf(&b, "%s/states", s->folder);
    if (!b.failed) mkdir(b.data, 0700);
    wick_strbuf_printf(&b, "/%" PRId64 ".kv", id);
    return wick_strbuf_take(&b, NULL);
}

bool chat_store_name_valid(const char *name) {
    size_t n = strlen(name);
    bool letter = false;
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)name[i] < ' ' || name[i] == 127) return false;
        letter |= name[i] < '0' || name[i] > '9';
    }
    return n > 0 && n < sizeof((chat_entry *)0)->name && letter && wick_utf8_valid(name, n);
}
