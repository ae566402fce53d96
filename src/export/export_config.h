/* export_config.h: the schema of ExecuTorch's export_llm configuration (LlmConfig of extension/llm/export/config/llm_config.py,
 * release 1.5), and the state behind wick_export_config. Only export_config*.c include it.
 *
 * Every field of the schema is a row of one table. A row says of what type the field is, which names an enumeration has, and
 * what Wick does with it:
 *
 *   SET    it changes the export: a function puts it into wick_export_options;
 *   ONLY   Wick does one thing here: that value is accepted, any other is refused with the reason;
 *   FREE   whatever it says, the program is the same: accepted if the type is right.
 *
 * Fields that a file leaves out have the schema's default where that decides numbers (qmode, embedding_quantize, group_size,
 * backend), and Wick's default elsewhere: no use_kv_cache is not use_kv_cache: false. */
#ifndef WICK_EXPORT_CONFIG_H
#define WICK_EXPORT_CONFIG_H

#include "base/bytes.h"
#include "base/error.h"
#include "wick_export.h"

enum { WICK_CONFIG_PATH = 128 }; /* bytes of a dotted path; the longest has 50 */

typedef enum wick_config_type {
    WICK_CONFIG_BOOL,
    WICK_CONFIG_INT,
    WICK_CONFIG_FLOAT,
    WICK_CONFIG_TEXT,
    WICK_CONFIG_ENUM,
    WICK_CONFIG_LIST, /* lists and lists of objects: only whether they are empty matters so far */
} wick_config_type;

typedef enum wick_config_use { WICK_CONFIG_SET, WICK_CONFIG_ONLY, WICK_CONFIG_FREE } wick_config_use;

/* A value on its way in: text as it was written; is_null for an unquoted null, ~ or nothing; is_list with n_item. */
typedef struct wick_config_value {
    const char *text;
    bool is_null, is_list;
    size_t n_item;
} wick_config_value;

typedef struct wick_config_field {
    const char *path;
    wick_config_type type;
    wick_config_use use;
    /* ONLY: the values that are accepted, separated by '|' ("null" for null and empty lists), and why no other is. */
    const char *accepted, *reason;
    /* SET. v->is_null: back to the default of the schema. */
    wick_status (*set)(wick_export_config *c, const wick_config_value *v, const char *where, wick_error *err);
    const char *const *names; /* ENUM: "name" or "name=value" (the schema accepts the name, the old command line the value) */
} wick_config_field;

extern const wick_config_field wick_config_fields[];
extern const size_t wick_config_n_field;

struct wick_export_config {
    wick_export_options options;
    char **strings; /* all that options point to */
    size_t n_string, string_cap;
    char *output_folder, *output_name; /* borrowed from strings */
};

/* A copy that lives as long as the config; NULL: no memory. */
char *wick_config_keep(wick_export_config *c, const char *s);

/* Checks and applies one value. `where` stands in messages: "model.yaml:12", "the override 'a.b=c'". */
wick_status wick_config_apply(wick_export_config *c, const char *path, const wick_config_value *v, const char *where, wick_error *err);
/* A configuration in memory, YAML or JSON; `name` stands in messages. */
wick_status wick_config_read(wick_export_config *c, wick_bytes text, const char *name, wick_error *err);
/* Is there a field whose path begins with this one and a dot? */
bool wick_config_is_group(const char *path);
const wick_config_field *wick_config_find(const char *path);
/* The error for a path that is not in the schema, with the nearest one that is. */
wick_status wick_config_unknown(const char *path, const char *where, wick_error *err);

#endif
