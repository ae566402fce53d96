/* Export configurations, YAML and JSON, and overrides: the first line is taken as one. */
#include "fuzz.h"

#include "export/export_config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wick_export_config *c;
    wick_error err = {0};
    if (wick_export_config_new(&c, &err) != WICK_OK) return 0;
    if (wick_config_read(c, (wick_bytes){data, size}, "input", &err) != WICK_OK && !err.message[0]) abort();
    char line[512];
    size_t n = 0;
    while (n < size && n + 1 < sizeof line && data[n] && data[n] != '\n') n++;
    if (n) memcpy(line, data, n);
    line[n] = 0;
    err.message[0] = 0;
    if (wick_export_config_set(c, line, &err) != WICK_OK && !err.message[0]) abort();
    const wick_export_options *o = wick_export_config_get(c);
    if (!o->qmode || !o->embedding_quantize || o->group_size < 32) abort();
    wick_export_config_free(c);
    return 0;
}
