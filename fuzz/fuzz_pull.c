/* What `wick pull` reads from servers and from its own folders: manifests, a hub's listings, headers, addresses, and what was typed. */
#include "fuzz.h"

#include "fetch_url.h"
#include "hub_listing.h"
#include "manifest.h"
#include "pull_source.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static void must(bool promise) {
    if (!promise) abort();
}

static void fuzz_manifest(wick_bytes text) {
    manifest m;
    wick_error err = {0};
    if (manifest_parse(&m, text, "input", &err) != WICK_OK) {
        must(err.message[0]);
        return;
    }
    must(!m.model[0] || manifest_name_valid(m.model));
    for (size_t i = 0; i < m.n_files; i++) must(manifest_file_name_valid(m.files[i].name) && !strstr(m.files[i].name, ".."));
    manifest_release(&m);
}

static void fuzz_listing(wick_bytes text) {
    static const char *const selectors[] = {"", "Q4_0", "m.pte", "model-Q8_0.gguf"};
    hub_listing l;
    wick_error err = {0};
    if (hub_listing_parse(&l, text, "input", &err) != WICK_OK) {
        must(err.message[0]);
        return;
    }
    for (size_t s = 0; s < sizeof selectors / sizeof *selectors; s++) {
        hub_choice c;
        if (hub_choose(&l, selectors[s], &c, &err) != WICK_OK) continue;
        must(c.n_picks > 0);
        for (size_t i = 0; i < c.n_picks; i++) {
            must(c.picks[i] < l.n_files && !strstr(l.files[c.picks[i]].path, ".."));
            must(c.form != HUB_SAFETENSORS || manifest_name_valid(l.files[c.picks[i]].path));
        }
        hub_choice_release(&c);
    }
    hub_listing_release(&l);
}

static void fuzz_line(const char *line) {
    static const char endpoint[] = "https://hub.example";
    uint64_t first, last, total;
    wick_error err = {0};
    pull_source s;
    if (fetch_content_range(line, &first, &last, &total)) must(first <= last && (last == UINT64_MAX || last < total));
    if (fetch_etag_strong(line, 256)) must(strlen(line) < 256 && !strchr(line, '\n'));
    bool allowed = fetch_url_allowed(line, NULL, false, &err) == WICK_OK;
    must(allowed || err.message[0]);
    if (fetch_url_allowed(line, "https://elsewhere.example/", true, &err) == WICK_OK) must(strncmp(line, "http://", 7) != 0);
    if (fetch_url_may_have_token(line, endpoint)) must(allowed);
    wick_free(fetch_url_shown(line));
    if (pull_source_parse(&s, line, endpoint, &err) != WICK_OK) return;
    must(manifest_name_valid(s.name) && s.text[0]);
    must(s.kind != PULL_HUB || (!strstr(s.selector, "..") && strchr(s.location, ':') == NULL));
    pull_source_release(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wick_bytes text = {data, size};
    char *line = wick_strndup(size ? (const char *)data : "", size);
    fuzz_manifest(text);
    fuzz_listing(text);
    if (line) fuzz_line(line);
    wick_free(line);
    return 0;
}
