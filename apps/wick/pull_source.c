#include "pull_source.h"

#include "manifest.h"

#include "base/mem.h"
#include "base/os.h"
#include "base/strbuf.h"

#include <limits.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

void pull_source_release(pull_source *s) {
    wick_free(s->text);
    wick_free(s->location);
    wick_free(s->selector);
    wick_free(s->revision);
    wick_free(s->name);
    *s = (pull_source){0};
}

/* ---------------------------------------------------------------- names for models */

static const char *const file_suffixes[] = {".pte", ".gguf", ".safetensors", ".bin", NULL};

/* Length of a file name without a suffix that says its kind. */
static size_t stem_length(const char *name, size_t n) {
    for (const char *const *s = file_suffixes; *s; s++) {
        size_t m = strlen(*s);
        if (n > m && strncasecmp(name + n - m, *s, m) == 0) return n - m;
    }
    return n;
}

static bool allowed_in_name(char c) {
    char one[2] = {c, 0}, two[3] = {'x', c, 0};
    return one[0] && manifest_name_valid(two);
}

/* A valid name out of any bytes: what may not stand in one becomes '-', what may not begin one is left out. */
static wick_status make_name(const char *from, size_t n, char **out, wick_error *err) {
    wick_strbuf b = {0};
    for (size_t i = 0; i < n && b.size < 100; i++)
        if (b.size || (from[i] != '.' && from[i] != '-' && allowed_in_name(from[i])))
            wick_strbuf_putc(&b, (char)(allowed_in_name(from[i]) ? from[i] : '-'));
    if (!b.size) wick_strbuf_puts(&b, "model");
    *out = wick_strbuf_take(&b, NULL);
    return *out ? WICK_OK : wick_fail_nomem(err);
}

static wick_status name_of_file(const char *path, size_t n, char **out, wick_error *err) {
    while (n && path[n - 1] == '/') n--;
    size_t from = n;
    while (from && path[from - 1] != '/') from--;
    return make_name(path + from, stem_length(path + from, n - from), out, err);
}

/* REPO without "-GGUF" (a program comes out, whatever it is made of), and the tag if there is one; or the file's name. */
static wick_status name_of_repository(pull_source *s, wick_error *err) {
    const char *repo = strchr(s->location, '/');
    repo = repo ? repo + 1 : s->location;
    size_t n = strlen(repo), m = strlen("-GGUF");
    if (n > m && strcasecmp(repo + n - m, "-GGUF") == 0) n -= m;
    if (stem_length(s->selector, strlen(s->selector)) < strlen(s->selector))
        return name_of_file(s->selector, strlen(s->selector), &s->name, err);
    wick_strbuf b = {0};
    wick_strbuf_add(&b, repo, n);
    if (s->selector[0]) wick_strbuf_printf(&b, "-%s", s->selector);
    wick_status status = b.failed ? wick_fail_nomem(err) : make_name(b.data, b.size, &s->name, err);
    wick_strbuf_release(&b);
    return status;
}

/* ---------------------------------------------------------------- kinds */

static wick_status take(char **field, const char *text, size_t n, wick_error *err) {
    *field = wick_strndup(text, n);
    return *field ? WICK_OK : wick_fail_nomem(err);
}

/* One half of USER/REPO: what hubs allow. Its length, 0 if it is none. */
static size_t part_length(const char *p) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t n = strspn(p, letters);
    return p[0] == '.' || p[0] == '-' || n > 96 ? 0 : n;
}

/* Length of USER/REPO (or of a bare REPO, if `alone` allows one) at the beginning of a text; 0: there is none. */
static size_t repository_length(const char *p, bool alone) {
    size_t user = part_length(p), repo = user && p[user] == '/' ? part_length(p + user + 1) : 0;
    return repo ? user + 1 + repo : alone ? user : 0;
}

/* A path inside a repository; no "..", no empty part, nothing that is no text. */
static bool selector_valid(const char *p) {
    for (const char *c = p; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 127 || *c == '\\' || *c == '?' || *c == '#' || *c == '%') return false;
    return p[0] != '/' && !strstr(p, "..") && !strstr(p, "//") && strlen(p) <= 1000;
}

static wick_status hub(pull_source *s, const char *repo, size_t n, const char *selector, const char *revision, size_t n_revision,
                       wick_error *err) {
    wick_strbuf text = {0};
    s->kind = PULL_HUB;
    if (!selector_valid(selector))
        return wick_fail(err, WICK_EINVAL, "'%.*s:%s': after the ':' comes a quantization (Q4_0) or a file of the repository", (int)n, repo,
                         selector);
    WICK_TRY(take(&s->location, repo, n, err));
    WICK_TRY(take(&s->selector, selector, strlen(selector), err));
    WICK_TRY(take(&s->revision, revision, n_revision, err));
    wick_strbuf_printf(&text, "%s%s%s", s->location, selector[0] ? ":" : "", selector);
    s->text = wick_strbuf_take(&text, NULL);
    if (!s->text) return wick_fail_nomem(err);
    return name_of_repository(s, err);
}

/* What follows a hub's address: USER/REPO, perhaps with :SELECTOR, or /tree|blob|resolve/REVISION and /FILE. False: something else. */
static bool hub_page(const char *p, const char **selector, const char **revision, size_t *n_revision, size_t *n) {
    *n = repository_length(p, false);
    *selector = *revision = "";
    *n_revision = 0;
    if (!*n) return false;
    const char *rest = p + *n;
    if (*rest == ':') *selector = rest + 1;
    if (!*rest || strcmp(rest, "/") == 0 || *rest == ':') return true;
    static const char *const views[] = {"/tree/", "/blob/", "/resolve/", NULL};
    for (const char *const *v = views; *v; v++) {
        size_t m = strlen(*v);
        if (strncmp(rest, *v, m) != 0) continue;
        *revision = rest + m;
        *n_revision = strcspn(*revision, "/");
        if ((*revision)[*n_revision]) *selector = *revision + *n_revision + 1;
        return *n_revision > 0;
    }
    return false;
}

static const char *after(const char *word, const char *prefix) {
    size_t n = strlen(prefix);
    return n && strncasecmp(word, prefix, n) == 0 ? word + n : NULL;
}

/* The hub's part of an address, NULL if it is none of the hub. */
static const char *below_hub(const char *word, const char *endpoint) {
    static const char *const hubs[] = {"https://huggingface.co/", "https://hf.co/", "huggingface.co/", "hf.co/", "hf://", "hf:", NULL};
    for (const char *const *h = hubs; *h; h++)
        if (after(word, *h)) return after(word, *h);
    const char *rest = after(word, endpoint);
    return rest && *rest == '/' ? rest + 1 : NULL;
}

static wick_status url(pull_source *s, const char *word, wick_error *err) {
    s->kind = PULL_URL;
    const char *path = strstr(word, "://") + 3;
    size_t n = strcspn(word, "?#"), host = strcspn(path, "/?#");
    if (memchr(path, '@', host))
        return wick_fail(err, WICK_EINVAL, "a URL with a user or password in it would be kept and shown: take a link without");
    WICK_TRY(take(&s->text, word, n, err));
    WICK_TRY(take(&s->location, word, strlen(word), err));
    WICK_TRY(take(&s->selector, "", 0, err));
    WICK_TRY(take(&s->revision, "", 0, err));
    return name_of_file(word, n, &s->name, err);
}

/* The path as it is spelled, made absolute: behind links there may be a file of another name. */
static wick_status absolute(const char *word, char **out, wick_error *err) {
    char here[PATH_MAX];
    wick_strbuf b = {0};
    while (word[0] == '.' && word[1] == '/') word += 2;
    if (word[0] != '/') {
        if (!getcwd(here, sizeof here)) return wick_fail(err, WICK_EIO, "the current folder has no path any more");
        wick_strbuf_printf(&b, "%s/", here);
    }
    wick_strbuf_puts(&b, word);
    *out = wick_strbuf_take(&b, NULL);
    return *out ? WICK_OK : wick_fail_nomem(err);
}

static wick_status local(pull_source *s, const char *word, wick_error *err) {
    s->kind = PULL_LOCAL;
    if (wick_os_path_kind(word) == WICK_PATH_NONE) return wick_fail(err, WICK_ENOTFOUND, "%s: no such file or folder", word);
    WICK_TRY(absolute(word, &s->text, err));
    WICK_TRY(take(&s->location, s->text, strlen(s->text), err));
    WICK_TRY(take(&s->selector, "", 0, err));
    WICK_TRY(take(&s->revision, "", 0, err));
    return name_of_file(s->text, strlen(s->text), &s->name, err);
}

/* Looks like a file, so that a missing one is not taken for a repository. */
static bool looks_local(const char *word) {
    return word[0] == '/' || word[0] == '.' || word[0] == '~' || stem_length(word, strlen(word)) < strlen(word);
}

static wick_status parse(pull_source *s, const char *word, const char *endpoint, wick_error *err) {
    const char *page = below_hub(word, endpoint), *selector, *revision;
    size_t n, n_revision;
    bool address = after(word, "https://") || after(word, "http://");
    if (!address && wick_os_path_kind(word) != WICK_PATH_NONE) return local(s, word, err);
    if (page && (!address || !strchr(page, '?')) && hub_page(page, &selector, &revision, &n_revision, &n))
        return hub(s, page, n, selector, revision, n_revision, err);
    if (page && !address && (n = repository_length(page, true)) && (!page[n] || page[n] == ':'))
        return hub(s, page, n, page[n] ? page + n + 1 : "", "", 0, err);
    if (address) return url(s, word, err);
    n = repository_length(word, false);
    if (n && (word[n] == ':' || (!word[n] && !looks_local(word)))) return hub(s, word, n, word[n] ? word + n + 1 : "", "", 0, err);
    if (looks_local(word)) return local(s, word, err); /* says that it is missing */
    return wick_fail(err, WICK_EINVAL, "'%.200s' is no file here, no URL and no USER/REPO[:QUANTIZATION] of a hub", word);
}

wick_status pull_source_parse(pull_source *out, const char *word, const char *endpoint, wick_error *err) {
    *out = (pull_source){0};
    wick_status status = parse(out, word, endpoint, err);
    if (status != WICK_OK) pull_source_release(out);
    return status;
}
