/* Generation on a stock program: stop strings and banned strings, against definitions that work on whole texts. */
#include "base/cpu.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "llm/prompt.h"
#include "llm/watch.h"
#include "support/stock_agree.h"
#include "support/stock_session.h"
#include "wick.h"

#define TOKENIZER WICK_TEST_DATA "/../../examples/models/stories260K/tok512.bin"
enum { N_ANSWER = 60 };

typedef struct fixture {
    wick_model *model;
    wick_session *session;
    wick_tokenizer *tokenizer;
} fixture;

static int set_up(void **state) {
    static fixture f;
    wick_model_options o = wick_model_options_default();
    const char *path = stock_file("st_fp32_sdpa.pte");
    if (!path) return -1;
    assert_ok(wick_model_open(path, &o, &f.model, err));
    f.session = open_session(f.model, 1, 0, 0);
    assert_ok(wick_tokenizer_open(TOKENIZER, &f.tokenizer, err));
    *state = &f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    wick_session_free(f->session);
    wick_tokenizer_free(f->tokenizer);
    wick_model_close(f->model);
    return 0;
}

/* What a reader sees, piece by piece. */
typedef struct reader {
    char text[4096];
    size_t size;
} reader;

static bool take(void *user, const char *text, size_t size) {
    reader *r = user;
    assert_true(size > 0 && r->size + size < sizeof r->text);
    assert_true(wick_utf8_valid(text, size)); /* whole characters */
    memcpy(r->text + r->size, text, size);
    r->text[r->size += size] = 0;
    return true;
}

static wick_generate_options greedy(const fixture *f) {
    wick_generate_options o = wick_generate_options_default();
    o.prompt = "Once upon a time";
    o.tokenizer = f->tokenizer;
    o.max_new_tokens = N_ANSWER;
    o.sampler.temperature = 0;
    return o;
}

static char *decoded(const fixture *f, const int32_t *ids, size_t n) {
    static char *text;
    assert_ok(wick_tokenizer_decode(f->tokenizer, ids, n, true, &text, NULL, err));
    return text;
}

/* ---------------------------------------------------------------- stop strings */

/* Where the answer must end: of the stop strings, the one that is whole first, then the longest. SIZE_MAX: nowhere. */
static size_t first_stop(const char *text, const char *const *stop, size_t n, size_t *which) {
    size_t best = SIZE_MAX, end = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        const char *at = strstr(text, stop[i]);
        if (!at) continue;
        size_t from = (size_t)(at - text), to = from + strlen(stop[i]);
        if (to < end || (to == end && from < best)) best = from, end = to, *which = i;
    }
    return best;
}

/* A piece of a text, of whole characters; "x" if it came out empty. */
static void random_piece(test_rng *r, const char *text, char *out) {
    size_t size = strlen(text), from = test_rng_below(r, (uint32_t)size + 1), n = 1 + test_rng_below(r, 8);
    while (from && (text[from] & 0xc0) == 0x80) from--;
    if (n > size - from) n = size - from;
    while (from + n < size && (text[from + n] & 0xc0) == 0x80) n++;
    memcpy(out, text + from, n);
    strcpy(out + n, n ? "" : "x");
    if (!test_rng_below(r, 4)) strcat(out, "?"); /* begins like the text, and goes on in another way */
}

/* What a stream of tokens has brought so far. */
static const char *streamed(const fixture *f, const int32_t *ids, size_t n) {
    static char out[4096];
    static wick_decoder *d;
    size_t at = 0, size;
    assert_ok(wick_decoder_new(f->tokenizer, true, &d, err));
    for (size_t i = 0; i < n; i++, at += size) {
        static const char *text;
        assert_ok(wick_decoder_push(d, ids[i], &text, &size, err));
        memcpy(out + at, text, size);
    }
    out[at] = 0;
    wick_decoder_free(d);
    return out;
}

static void check_stop(const fixture *f, const int32_t *forced, size_t n_forced, const char *whole, const char *const *stop,
                       size_t n_stop) {
    wick_generate_options o = greedy(f);
    wick_generate_result r;
    reader seen = {0};
    size_t which = 0, at = first_stop(whole, stop, n_stop, &which);
    o.forced = forced, o.n_forced = n_forced, o.ignore_eos = true;
    o.stop = stop, o.n_stop = n_stop;
    o.on_text = take, o.user = &seen;
    assert_ok(wick_generate(f->session, &o, &r, err));
    assert_string_equal(r.text, seen.text);
    assert_int_equal(strlen(r.text), at < strlen(whole) ? at : strlen(whole));
    assert_memory_equal(r.text, whole, strlen(r.text));
    assert_int_equal(r.finish, at == SIZE_MAX ? WICK_FINISH_LENGTH : WICK_FINISH_STOP);
    assert_int_equal(r.i_stop, at == SIZE_MAX ? -1 : (int64_t)which);
    assert_memory_equal(r.tokens, forced, r.n_predicted * sizeof *forced);
    if (at != SIZE_MAX) { /* not a token too many: what was certain before the last one had no stop string */
        assert_true(r.n_predicted > 0 && first_stop(streamed(f, forced, r.n_predicted - 1), stop, n_stop, &which) == SIZE_MAX);
    } else {
        assert_int_equal(r.n_predicted, n_forced);
    }
    wick_generate_result_release(&r);
}

/* Any tokens (single bytes too, in any order), any strings. */
static void test_stop_strings(void **state) {
    const fixture *f = *state;
    test_rng r = {11};
    for (int round = 0; round < 300; round++) {
        int32_t forced[12];
        char pieces[3][64];
        const char *stop[3];
        bool bytes = round % 3 == 0;
        for (int i = 0; i < 12; i++)
            forced[i] = bytes && i % 2 ? 3 + 0xc0 + (int32_t)test_rng_below(&r, 64) : 3 + (int32_t)test_rng_below(&r, 509);
        if (bytes) forced[4] = 3 + 0xc3, forced[5] = 3 + 0xa9;
        size_t n_stop = 1 + test_rng_below(&r, 3);
        char *whole = decoded(f, forced, 12);
        if (strlen(whole) == 12 || memchr(whole, 0, 12)) n_stop = 1;
        for (size_t i = 0; i < n_stop; i++) random_piece(&r, whole, pieces[i]), stop[i] = pieces[i];
        check_stop(f, forced, 12, whole, stop, n_stop);
        wick_text_free(whole);
    }
}

static void test_watch(void **state) {
    (void)state;
    static const char *const stop[] = {"abcd", "bc"}, *const banned[] = {"cx", "bcz"};
    wick_watch w = {stop, banned, 2, 2};
    wick_sighting s = wick_watch_look(&w, "xab", 0, 3);
    assert_true(!s.found && s.at == 1);
    s = wick_watch_look(&w, "xabcd", 0, 5); /* "bc" is whole before "abcd" is */
    assert_true(s.found && !s.banned && s.at == 2 && s.i == 1);
    s = wick_watch_look(&w, "xac", 0, 3);
    assert_true(!s.found && s.at == 2);
    s = wick_watch_look(&w, "xacx", 0, 4);
    assert_true(s.found && s.banned && s.at == 2 && s.i == 0);
    s = wick_watch_look(&w, "xbcx", 2, 4); /* what lies before `from` was looked at */
    assert_true(s.found && s.banned && s.at == 2);
    s = wick_watch_look(&w, "xyz", 0, 3);
    assert_true(!s.found && s.at == 3);
    static const char *const empty[] = {"a", ""}, *const broken[] = {"\xff"};
    w = (wick_watch){empty, NULL, 2, 0};
    wick_error e;
    assert_int_equal(wick_watch_check(&w, &e), WICK_EINVAL);
    assert_string_equal(e.message, "stop string 2 is empty");
    w = (wick_watch){NULL, broken, 0, 1};
    assert_int_equal(wick_watch_check(&w, &e), WICK_EINVAL);
}

/* ---------------------------------------------------------------- banned strings */

typedef struct bans {
    size_t place[4000];
    int32_t token[4000];
    size_t n;
} bans;

static int32_t best_allowed(const float *logits, int n_vocab, const bans *b, size_t place) {
    int32_t best = -1;
    for (int32_t i = 0; i < n_vocab; i++) {
        bool banned = false;
        for (size_t k = 0; k < b->n; k++) banned |= b->place[k] == place && b->token[k] == i;
        if (!banned && (best < 0 || logits[i] > logits[best])) best = i;
    }
    return best;
}

/* The definition, with everything anew for every token: where the text has a banned string, the first token without which the string
 * would not begin is not chosen at that place. */
static size_t search(const fixture *f, wick_session *s, const int32_t *prompt, size_t n_prompt, const char *const *banned, size_t n_banned,
                     int32_t *out) {
    static bans b;
    int32_t text[200];
    size_t n = 0;
    b.n = 0;
    memcpy(text, prompt, n_prompt * sizeof *text);
    while (n < N_ANSWER) {
        assert_ok(wick_session_sync(s, text, n_prompt + n, err));
        text[n_prompt + n] = best_allowed(wick_session_logits(s), 512, &b, n);
        if (text[n_prompt + n] == 2) return n;
        n++;
        size_t which, at;
        char *whole = decoded(f, text + n_prompt, n);
        at = first_stop(whole, banned, n_banned, &which);
        wick_text_free(whole);
        for (size_t k = 1; at != SIZE_MAX && k <= n; k++) {
            char *part = decoded(f, text + n_prompt, k);
            bool reached = strlen(part) > at;
            wick_text_free(part);
            if (!reached) continue;
            size_t kept = 0;
            for (size_t i = 0; i < b.n; i++)
                if (b.place[i] <= k - 1) b.place[kept] = b.place[i], b.token[kept++] = b.token[i];
            b.n = kept;
            assert_true(b.n < 4000);
            b.place[b.n] = k - 1, b.token[b.n++] = text[n_prompt + k - 1];
            n = k - 1;
            break;
        }
    }
    memcpy(out, text + n_prompt, n * sizeof *out);
    return n;
}

static void check_banned(const fixture *f, wick_session *s, wick_session *scratch, const char *const *banned, size_t n) {
    wick_generate_options o = greedy(f);
    wick_generate_result r;
    reader seen = {0};
    int32_t want[N_ANSWER];
    o.banned = banned, o.n_banned = n;
    o.on_text = take, o.user = &seen;
    assert_ok(wick_generate(s, &o, &r, err));
    for (size_t i = 0; i < n; i++) assert_null(strstr(r.text, banned[i]));
    assert_string_equal(r.text, seen.text);
    char *whole = decoded(f, r.tokens, r.n_predicted);
    assert_string_equal(r.text, whole);
    wick_text_free(whole);
    size_t n_want = search(f, scratch, r.prompt_tokens, r.n_prompt, banned, n, want);
    assert_int_equal(r.n_predicted, n_want + (r.finish == WICK_FINISH_STOP));
    assert_memory_equal(r.tokens, want, n_want * sizeof *want);
    wick_generate_result_release(&r);
}

static void test_banned_strings(void **state) {
    const fixture *f = *state;
    static const char *const sets[][4] = {{"little"}, {"girl named"},         {"e girl", "boy"}, {" the"},
                                          {"e"},      {"Lily", "Tom", "Tim"}, {". She", ". He"}, {" to p", " w", "o the"}};
    wick_session *other = open_session(f->model, 2, 3, 0), *scratch = open_session(f->model, 1, 0, 0);
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        size_t n = 0;
        while (n < 4 && sets[i][n]) n++;
        check_banned(f, f->session, scratch, sets[i], n);
        check_banned(f, other, scratch, sets[i], n); /* other threads and chunks */
    }
    wick_session_free(other);
    wick_session_free(scratch);
}

/* With a seed and penalties: going back leaves nothing behind but the numbers drawn. */
static void test_banned_by_chance(void **state) {
    const fixture *f = *state;
    static const char *const banned[] = {"a", "the"};
    wick_generate_result r, again;
    wick_generate_options o = greedy(f);
    o.sampler.temperature = 1, o.sampler.seed = 5, o.sampler.repeat_penalty = 1.1f;
    o.banned = banned, o.n_banned = 2;
    assert_ok(wick_generate(f->session, &o, &r, err));
    assert_ok(wick_generate(f->session, &o, &again, err));
    assert_null(strchr(r.text, 'a'));
    assert_string_equal(r.text, again.text);
    assert_true(strlen(r.text) > 20);
    wick_generate_result_release(&r);
    wick_generate_result_release(&again);
}

/* One seed, one text: whatever the threads, the chunks of the prompt and the instructions of the machine. */
static void test_seed(void **state) {
    const fixture *f = *state;
    wick_generate_options o = greedy(f);
    wick_generate_result want = {0};
    o.sampler.temperature = 1, o.sampler.top_p = 0.9f, o.sampler.seed = 77, o.sampler.repeat_penalty = 1.1f,
    o.sampler.dry_multiplier = 0.5f;
    for (const char *const *level = wick_cpu_level_names(); *level; level++) {
        uint32_t mask;
        wick_cpu_level(*level, &mask);
        if ((mask & wick_cpu_detect()) != mask) {
            print_message("skipped: this machine has no %s\n", *level);
            continue;
        }
        wick_model_options m = wick_model_options_default();
        static wick_model *model;
        m.cpu = *level;
        assert_ok(wick_model_open(stock_file("st_fp32_sdpa.pte"), &m, &model, err));
        for (int threads = 1; threads <= 3; threads++) {
            wick_session *s = open_session(model, threads, threads, 0);
            wick_generate_result r;
            assert_ok(wick_generate(s, &o, &r, err));
            if (!want.text)
                want = r;
            else {
                assert_int_equal(r.n_predicted, want.n_predicted);
                assert_memory_equal(r.tokens, want.tokens, r.n_predicted * sizeof *r.tokens);
                wick_generate_result_release(&r);
            }
            wick_session_free(s);
        }
        wick_model_close(model);
    }
    o.sampler.seed = 78;
    wick_generate_result other;
    assert_ok(wick_generate(f->session, &o, &other, err));
    assert_string_not_equal(other.text, want.text);
    wick_generate_result_release(&other);
    wick_generate_result_release(&want);
}

static void test_refusals(void **state) {
    const fixture *f = *state;
    static const char *const all[] = {" ", "a", "b"};
    static const int32_t forced[] = {5, 6};
    char letters[256][5];
    const char *every[256];
    size_t n = 0;
    wick_error e;
    wick_generate_options o = greedy(f);
    o.banned = all, o.n_banned = 3, o.forced = forced, o.n_forced = 2;
    assert_int_equal(wick_generate(f->session, &o, NULL, &e), WICK_EINVAL);
    o = greedy(f); /* nothing is left but tokens without text */
    for (int c = 1; c < 128; c++) snprintf(letters[n], sizeof *letters, "%c", c), every[n] = letters[n], n++;
    every[n++] = "\xef\xbf\xbd";
    o.banned = every, o.n_banned = n, o.ignore_eos = true;
    wick_generate_result r = {0};
    wick_status status = wick_generate(f->session, &o, &r, &e);
    assert_true(status == WICK_ELIMIT || (status == WICK_OK && !strpbrk(r.text, "abcdefghijklmnopqrstuvwxyz ")));
    wick_generate_result_release(&r);
}

/* ---------------------------------------------------------------- DRY's breakers */

/* Every token that has one of the texts where it stands after another token ("a" and it, without "a"), and no other. */
static void check_breakers(const fixture *f, const char *const *texts, size_t n, const char *const *meant, size_t n_meant) {
    wick_generate_options o = greedy(f);
    wick_sampler_options s = wick_sampler_options_default();
    static int32_t *ids;
    size_t n_found = 0;
    o.dry_breakers = texts, o.n_dry_breakers = n;
    s.dry_multiplier = 1;
    assert_ok(wick_dry_breakers(&o, f->tokenizer, 512, &s, &ids, err));
    for (int32_t id = 0; id < 512; id++) {
        const int32_t pair[] = {wick_tokenizer_id(f->tokenizer, "a", 1), id};
        char *text;
        bool want = false, is = false;
        wick_tokenizer_decode(f->tokenizer, pair, 2, false, &text, NULL, NULL);
        for (size_t i = 0; i < n_meant; i++) want |= strstr(text + 1, meant[i]) != NULL;
        wick_text_free(text);
        for (size_t i = 0; i < s.n_dry_breakers; i++) is |= s.dry_breakers[i] == id;
        if (is != want) fail_msg("token %d should %sbe a breaker", id, want ? "" : "not ");
        n_found += want;
    }
    assert_int_equal(s.n_dry_breakers, n_found);
    assert_true(n_found > 0 || !n_meant);
    wick_free(ids);
}

static void test_dry_breakers(void **state) {
    const fixture *f = *state;
    static const char *const usual[] = {"\n", ":", "\"", "*"}, *const space[] = {" th"}, *const two[] = {"ing", "?"},
                             *const none[] = {NULL};
    static const char *const unknown[] = {"e", "in a hole"}, *const empty[] = {""};
    check_breakers(f, NULL, 0, usual, 4);
    check_breakers(f, usual, 4, usual, 4);
    check_breakers(f, space, 1, space, 1);
    check_breakers(f, two, 2, two, 2);
    check_breakers(f, none, 0, NULL, 0);
    wick_generate_options o = greedy(f);
    wick_error e;
    o.sampler.dry_multiplier = 1;
    o.dry_breakers = unknown, o.n_dry_breakers = 2;
    assert_int_equal(wick_generate(f->session, &o, NULL, &e), WICK_EINVAL);
    assert_string_equal(e.message, "DRY sequence breaker \"in a hole\": no token has it; a breaker lies within one token");
    o.dry_breakers = empty, o.n_dry_breakers = 1;
    assert_int_equal(wick_generate(f->session, &o, NULL, &e), WICK_EINVAL);
}

/* Breakers everywhere leave nothing to repeat: the answer is that without DRY. */
static void test_dry_text(void **state) {
    const fixture *f = *state;
    static const char *const none[] = {NULL};
    char letters[95][2];
    const char *all[95];
    for (int i = 0; i < 95; i++) letters[i][0] = (char)(' ' + i), letters[i][1] = 0, all[i] = letters[i];
    wick_generate_result with, without, plain;
    wick_generate_options o = greedy(f);
    o.max_new_tokens = 200;
    assert_ok(wick_generate(f->session, &o, &plain, err));
    o.sampler.dry_multiplier = 5, o.sampler.dry_allowed_length = 1;
    o.dry_breakers = all, o.n_dry_breakers = 95;
    assert_ok(wick_generate(f->session, &o, &with, err));
    o.dry_breakers = none, o.n_dry_breakers = 0;
    assert_ok(wick_generate(f->session, &o, &without, err));
    assert_string_equal(with.text, plain.text);
    assert_string_not_equal(without.text, plain.text);
    wick_generate_result_release(&with);
    wick_generate_result_release(&without);
    wick_generate_result_release(&plain);
}

static void test_min_tokens(void **state) {
    const fixture *f = *state;
    wick_generate_options o = greedy(f);
    wick_generate_result r;
    wick_error untouched = {0};
    assert_int_equal(wick_generate(f->session, &o, NULL, &untouched), WICK_OK);
    assert_int_equal(untouched.code, WICK_OK); /* what was tried and not needed leaves no complaint */
    const wick_logit_bias always = {2, 1000};
    o.sampler.biases = &always, o.sampler.n_biases = 1;
    assert_ok(wick_generate(f->session, &o, &r, err));
    assert_int_equal(r.n_predicted, 1);
    assert_int_equal(r.finish, WICK_FINISH_STOP);
    assert_string_equal(r.text, "");
    wick_generate_result_release(&r);
    o.sampler.min_tokens = 7;
    assert_ok(wick_generate(f->session, &o, &r, err));
    assert_int_equal(r.n_predicted, 8);
    assert_int_equal(r.tokens[7], 2);
    wick_generate_result_release(&r);
}

static void test_allocation_failure(void **state) {
    const fixture *f = *state;
    static const char *const stop[] = {"!"}, *const banned[] = {"girl", "e"};
    uint64_t live = wick_mem_stats_get().n_live;
    wick_status status = WICK_ENOMEM;
    for (uint64_t i = 1; status != WICK_OK; i++) {
        wick_generate_options o = greedy(f);
        wick_generate_result r;
        o.max_new_tokens = 6;
        o.stop = stop, o.n_stop = 1, o.banned = banned, o.n_banned = 2;
        wick_mem_fail_at(i);
        status = wick_generate(f->session, &o, &r, NULL);
        wick_mem_fail_at(0);
        if (status == WICK_OK)
            wick_generate_result_release(&r);
        else
            assert_int_equal(status, WICK_ENOMEM);
        assert_int_equal(wick_mem_stats_get().n_live, live);
        assert_true(i < 3000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_watch),          cmocka_unit_test(test_stop_strings),
        cmocka_unit_test(test_banned_strings), cmocka_unit_test(test_banned_by_chance),
        cmocka_unit_test(test_seed),           cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_min_tokens),     cmocka_unit_test(test_dry_breakers),
        cmocka_unit_test(test_dry_text),       cmocka_unit_test(test_allocation_failure),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
