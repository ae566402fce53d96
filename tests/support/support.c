#include "support/support.h"

#include <ftw.h>
#include <unistd.h>

static char *slot(void) {
    static char ring[8][1024];
    static int i;
    return ring[i++ % 8];
}

const char *test_data(const char *name) {
    char *s = slot();
    snprintf(s, 1024, "%s/%s", WICK_TEST_DATA, name);
    return s;
}

static char tmp[256];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f) {
    (void)st, (void)type, (void)f;
    return remove(path);
}

static void remove_tmp(void) { nftw(tmp, remove_one, 8, FTW_DEPTH | FTW_PHYS); }

const char *test_tmp(const char *name) {
    if (!tmp[0]) {
        const char *base = getenv("TMPDIR");
        snprintf(tmp, sizeof tmp, "%s/wick-test-XXXXXX", base ? base : "/tmp");
        if (!mkdtemp(tmp)) abort();
        atexit(remove_tmp);
    }
    char *s = slot();
    snprintf(s, 1024, "%s/%s", tmp, name);
    return s;
}

uint8_t *test_read(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    if (!f) fail_msg("cannot open %s", path);
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    rewind(f);
    uint8_t *data = malloc((size_t)n + 1);
    if (!data || fread(data, 1, (size_t)n, f) != (size_t)n) fail_msg("cannot read %s", path);
    fclose(f);
    data[n] = 0;
    *size = (size_t)n;
    return data;
}

uint64_t test_rng_next(test_rng *r) {
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return r->state * 0x2545f4914f6cdd1du;
}

uint32_t test_rng_below(test_rng *r, uint32_t n) { return (uint32_t)((test_rng_next(r) >> 32) * n >> 32); }
float test_rng_float(test_rng *r) { return (float)(int32_t)(test_rng_next(r) >> 32) * 0x1p-31f; }
