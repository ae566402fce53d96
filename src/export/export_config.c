#include "export/export_config.h"

#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- life */

wick_status wick_export_config_new(wick_export_config **out, wick_error *err) {
    *out = WICK_NEW(wick_export_config);
    if (!*out) return wick_fail_nomem(err);
    (*out)->options = wick_export_options_default();
    return WICK_OK;
}

void wick_export_config_free(wick_export_config *c) {
    if (!c) return;
    for (size_t i = 0; i < c->n_string; i++) wick_free(c->strings[i]);
    wick_free(c->strings);
    wick_free(c);
}

const wick_export_options *wick_export_config_get(const wick_export_config *c) { return &c->options; }
wick_export_options *wick_export_config_edit(wick_export_config *c) { return &c->options; }

char *wick_config_keep(wick_export_config *c, const char *s) {
    if (!WICK_GROW(c->strings, c->n_string, c->string_cap)) return NULL;
    char *copy = wick_strdup(s);
    if (copy) c->strings[c->n_string++] = copy;
    return copy;
}

/* ---------------------------------------------------------------- finding fields */

const wick_config_field *wick_config_find(const char *path) {
    for (size_t i = 0; i < wick_config_n_field; i++)
        if (!strcmp(wick_config_fields[i].path, path)) return &wick_config_fields[i];
    return NULL;
}

bool wick_config_is_group(const char *path) {
    size_t n = strlen(path);
    for (size_t i = 0; i < wick_config_n_field; i++)
        if (!strncmp(wick_config_fields[i].path, path, n) && wick_config_fields[i].path[n] == '.') return true;
    return false;
}

/* Edit distance, two rows; both texts are shorter than WICK_CONFIG_PATH. */
static int distance(const char *a, const char *b) {
    int row[WICK_CONFIG_PATH + 1], n = (int)strlen(b);
    for (int j = 0; j <= n; j++) row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            int keep = diagonal + (tolower((unsigned char)a[i - 1]) != b[j - 1]), least = row[j] < row[j - 1] ? row[j] : row[j - 1];
            diagonal = row[j];
            row[j] = keep < least + 1 ? keep : least + 1;
        }
    }
    return row[n];
}

static const char *last_part(const char *path) {
    const char *dot = strrchr(path, '.');
    return dot ? dot + 1 : path;
}

/* The field meant, probably: right name in the wrong group, or a few letters off. */
static const char *nearest(const char *path) {
    const char *best = NULL;
    int best_distance = (int)strlen(path) / 3 + 1;
    for (size_t i = 0; i < wick_config_n_field; i++) {
        const char *candidate = wick_config_fields[i].path;
        int whole = distance(path, candidate), part = distance(last_part(path), last_part(candidate)) + 1;
        int d = whole < part ? whole : part;
        if (d < best_distance) best = candidate, best_distance = d;
    }
    return best;
}

wick_status wick_config_unknown(const char *path, const char *where, wick_error *err) {
    const char *near = strlen(path) < WICK_CONFIG_PATH ? nearest(path) : NULL;
    if (!near) return wick_fail(err, WICK_EINVAL, "%s: there is no option '%.100s'", where, path);
    return wick_fail(err, WICK_EINVAL, "%s: there is no option '%.100s'; did you mean '%s'?", where, path, near);
}

/* ---------------------------------------------------------------- values */

/* Is `text` one of the words between '|'? */
static bool listed(const char *list, const char *text) {
    size_t n = strlen(text);
    for (const char *p = list; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
        if (!strncmp(p, text, n) && (p[n] == '|' || !p[n])) return true;
    return false;
}

/* The name of an enumeration's member, from its name or its value; NULL: none. */
static const char *enum_name(const char *const *names, const char *text, char name[WICK_CONFIG_PATH]) {
    for (; *names; names++) {
        const char *value = strchr(*names, '=');
        size_t n = value ? (size_t)(value - *names) : strlen(*names);
        snprintf(name, WICK_CONFIG_PATH, "%.*s", (int)n, *names);
        if (!strcmp(name, text) || (value && !strcmp(value + 1, text))) return name;
    }
    return NULL;
}

static const char *bool_name(const char *s) {
    static const char *const yes[] = {"true", "yes", "on", "1"}, *const no[] = {"false", "no", "off", "0"};
    for (int i = 0; i < 4; i++) {
        if (!strcasecmp(s, yes[i])) return "true";
        if (!strcasecmp(s, no[i])) return "false";
    }
    return NULL;
}

static bool is_number(const char *s, bool integer) {
    char *end;
    errno = 0;
    if (isspace((unsigned char)*s) || !*s) return false;
    if (integer)
        (void)strtoll(s, &end, 10);
    else if (!isfinite(strtod(s, &end)))
        return false;
    return !*end && !errno;
}

/* The value in its one spelling; *out points to static text, the value's or `name`. */
static wick_status normalize(const wick_config_field *f, const wick_config_value *v, char name[WICK_CONFIG_PATH], const char **out,
                             const char *where, wick_error *err) {
    static const char *const kinds[] = {"true or false", "an integer", "a number", "a text", NULL, "a list"};
    *out = v->is_null || (v->is_list && v->n_item == 0) ? "null" : v->text;
    if (v->is_null) return WICK_OK;
    if (v->is_list != (f->type == WICK_CONFIG_LIST))
        *out = NULL;
    else if (f->type == WICK_CONFIG_BOOL)
        *out = bool_name(v->text);
    else if (f->type == WICK_CONFIG_INT || f->type == WICK_CONFIG_FLOAT)
        *out = is_number(v->text, f->type == WICK_CONFIG_INT) ? v->text : NULL;
    else if (f->type == WICK_CONFIG_ENUM)
        *out = enum_name(f->names, v->text, name);
    if (*out) return WICK_OK;
    if (f->type != WICK_CONFIG_ENUM || v->is_list)
        return wick_fail(err, WICK_EINVAL, "%s: %s is '%.60s', expected %s", where, f->path, v->is_list ? "a list" : v->text,
                         f->type == WICK_CONFIG_ENUM ? "a name" : kinds[f->type]);
    char all[300] = "";
    size_t n = 0;
    for (const char *const *p = f->names; *p && n < sizeof all; p++)
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%.*s", n ? ", " : "", (int)strcspn(*p, "="), *p);
    return wick_fail(err, WICK_EINVAL, "%s: %s is '%.60s', expected one of %s", where, f->path, v->text, all);
}

wick_status wick_config_apply(wick_export_config *c, const char *path, const wick_config_value *v, const char *where, wick_error *err) {
    const wick_config_field *f = wick_config_find(path);
    char name[WICK_CONFIG_PATH];
    const char *text;
    if (!f && wick_config_is_group(path)) {
        if (v->is_null) return WICK_OK;
        return wick_fail(err, WICK_EINVAL, "%s: '%s' is a group of options, not an option", where, path);
    }
    if (!f) return wick_config_unknown(path, where, err);
    if (strstr(v->text ? v->text : "", "${"))
        return wick_fail(err, WICK_EUNSUPPORTED, "%s: %s: '%.60s' is to be filled in from elsewhere; write the value itself", where, path,
                         v->text);
    WICK_TRY(normalize(f, v, name, &text, where, err));
    if (f->use == WICK_CONFIG_SET) {
        wick_config_value plain = {.text = text, .is_null = v->is_null};
        return f->set(c, &plain, where, err);
    }
    /* Null is the schema's default, which an absent field would have had too. */
    if (f->use == WICK_CONFIG_FREE || v->is_null || listed(f->accepted, text ? text : "")) return WICK_OK;
    return wick_fail(err, WICK_EUNSUPPORTED, "%s: %s: %s is not possible: %s", where, f->path, v->is_list ? "a list" : text, f->reason);
}

/* ---------------------------------------------------------------- overrides */

/* Takes one pair of quotes off, and the backslashes before such quotes inside: how Hydra's command line quotes. */
static void unquote(char *s) {
    size_t n = strlen(s);
    char q = *s;
    if (n < 2 || (q != '"' && q != '\'') || s[n - 1] != q) return;
    char *to = s;
    for (char *from = s + 1; from < s + n - 1; from++) {
        if (*from == '\\' && from[1] == q && from + 1 < s + n - 1) from++;
        *to++ = *from;
    }
    *to = 0;
}

static wick_status set_parts(wick_export_config *c, char *path, const char *value, const char *where, wick_error *err) {
    char *text = wick_strdup(value);
    if (!text) return wick_fail_nomem(err);
    bool quoted = *text == '"' || *text == '\'';
    unquote(text);
    wick_config_value v = {.text = text, .is_null = !quoted && (!*text || !strcasecmp(text, "null") || !strcmp(text, "~"))};
    if (!quoted && *text == '[' && text[strlen(text) - 1] == ']') v.is_list = true, v.n_item = strspn(text + 1, " ") + 2 < strlen(text);
    wick_status status = wick_config_apply(c, path, &v, where, err);
    wick_free(text);
    return status;
}

wick_status wick_export_config_set(wick_export_config *c, const char *assignment, wick_error *err) {
    char path[WICK_CONFIG_PATH], where[120];
    const char *begin = assignment + strspn(assignment, "+"), *equals = strchr(begin, '=');
    snprintf(where, sizeof where, "the override '%.100s'", assignment);
    if (*begin == '~') return wick_fail(err, WICK_EUNSUPPORTED, "%s: options cannot be deleted; set them to null", where);
    if (!equals || equals == begin) return wick_fail(err, WICK_EINVAL, "%s: expected group.option=value", where);
    if (equals - begin >= WICK_CONFIG_PATH) return wick_fail(err, WICK_EINVAL, "%s: the name is too long", where);
    snprintf(path, sizeof path, "%.*s", (int)(equals - begin), begin);
    return set_parts(c, path, equals + 1, where, err);
}
