/* Checkpoints: what the readers say about models, and what they say about files that are none. */
#include "support/support.h"

#include "base/half.h"
#include "base/mem.h"
#include "export/checkpoint.h"
#include "export/quantize.h"

#include <math.h>
#include <sys/stat.h>

#define STORIES WICK_TEST_DATA "/../../examples/models/stories260K/stories260K.bin"

static void test_stories(void **state) {
    (void)state;
    wick_checkpoint *c;
    assert_ok(wick_checkpoint_open(STORIES, NULL, &c, err));
    const wick_arch *a = &c->arch;
    assert_string_equal(a->family, "llama");
    assert_int_equal(a->dim, 64);
    assert_int_equal(a->n_layer, 5);
    assert_int_equal(a->n_head, 8);
    assert_int_equal(a->n_kv_head, 4);
    assert_int_equal(a->d_head, 8);
    assert_int_equal(a->n_rotary, 8);
    assert_int_equal(a->d_ffn, 172);
    assert_int_equal(a->n_vocab, 512);
    assert_int_equal(a->max_context, 512);
    assert_true(a->tied && !a->qkv_bias && !a->qk_norm);
    assert_int_equal(c->bos_id, 1);
    assert_int_equal(c->n_eos, 2);
    assert_string_equal(c->name, "stories260K");
    assert_non_null(strstr(c->tokenizer, "tok512.bin"));
    assert_null(c->chat_template);
    assert_string_equal(c->layers[4].weights[WICK_ROLE_UP].tensor->name, "layers.4.w3");
    assert_ptr_equal(c->weights[WICK_ROLE_HEAD].tensor, c->weights[WICK_ROLE_EMBEDDING].tensor);
    assert_int_equal(c->layers[0].weights[WICK_ROLE_K].d_pair, 8);
    assert_int_equal(c->layers[0].weights[WICK_ROLE_V].d_pair, 0);
    wick_checkpoint_close(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
