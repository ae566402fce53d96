/* The quantizer against what ExecuTorch's exporter wrote for the same weights, and against its own definition. */
#include "support/support.h"

#include "base/half.h"
#include "base/mem.h"
#include "export/hqq.h"
#include "export/quantize.h"

#include <math.h>
#include <sodium.h>

#define STORIES WICK_TEST_DATA "/../../examples/models/stories260K/stories260K.bin"

static void hash_source(const wick_source *s, char hex[65]) {
    void *bytes = malloc((size_t)s->size);
    uint8_t digest[32];
    assert_ok(s->read(s->user, bytes, err));
    crypto_hash_sha256(digest, bytes, s->size);
    sodium_bin2hex(hex, 65, digest, 32);
    free(bytes);
}

/* Every line of the list is a tensor, a scheme and the hashes that stock's files have for its codes and scales. */
static void test_same_bytes_as_stock(void **state) {
    (void)state;
    wick_container *c;
    wick_quantizer *z;
    assert_ok(wick_container_open(STORIES, &c, err));
    assert_ok(wick_quantizer_new(WICK_DTYPE_KEEP, &z, err));
    size_t size;
    char *text = (char *)test_read(test_data("quantize/stories260K_hqq.txt"), &size), *line = text;
    int n = 0;
    for (; *line; line = strchr(line, '\n') + 1, n++) {
        char name[64], packing[8], scale[8], codes_hash[65], scales_hash[65], hex[65];
        wick_scheme scheme = {.kind = WICK_SCHEME_INT};
        long long group;
        assert_int_equal(
            sscanf(line, "%63s %d %lld %7s %7s %64s %64s", name, &scheme.bits, &group, packing, scale, codes_hash, scales_hash), 7);
        scheme.group = group;
        scheme.packing = packing[0] == 'l' ? WICK_PACK_LOW_FIRST : packing[0] == 'h' ? WICK_PACK_HIGH_FIRST : WICK_PACK_BYTE;
        scheme.scale_dtype = scale[0] == 'b' ? WICK_BF16 : WICK_F32;
        const wick_tensor *t = wick_container_find(c, name);
        assert_non_null(t);
        wick_weight w = {.tensor = t, .n_row = t->dims[0], .n_col = t->dims[1]};
        wick_part part;
        assert_ok(wick_quantizer_part(z, &w, scheme, false, &part, err));
        hash_source(&part.data, hex);
        assert_string_equal(hex, codes_hash);
        hash_source(&part.scales, hex); /* kept from the codes */
        assert_string_equal(hex, scales_hash);
        hash_source(&part.scales, hex); /* made again */
        assert_string_equal(hex, scales_hash);
    }
    assert_int_equal(n, 33);
    free(text);
    wick_quantizer_free(z);
    wick_container_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bytes_as_stock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
