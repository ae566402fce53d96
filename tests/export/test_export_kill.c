/* An export that is killed at a random moment leaves the old file, or none: never a part of the new one. */
#include "export/lowered.h"

#include "base/file.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static wick_status export_to(const char *path) {
    wick_export_options o = wick_export_options_default();
    o.checkpoint = test_data(STORIES);
    o.output = path;
    o.max_seq_len = 64;
    o.threads = 2;
    return wick_export(&o, NULL, NULL, NULL);
}

/* Starts an export and kills it after `microseconds`; true: it had not ended by then. */
static bool kill_export(const char *path, unsigned microseconds) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(export_to(path) == WICK_OK ? 0 : 1);
    struct timespec t = {.tv_nsec = (long)microseconds * 1000};
    nanosleep(&t, NULL);
    kill(child, SIGKILL);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status)) assert_int_equal(WEXITSTATUS(status), 0);
    return WIFSIGNALED(status);
}

static bool same_bytes(const char *path, const uint8_t *bytes, size_t n) {
    size_t size;
    uint8_t *found = test_read(path, &size);
    bool same = size == n && memcmp(found, bytes, n) == 0;
    free(found);
    return same;
}

static void killed_exports_leave_the_old_file_or_none(void **state) {
    (void)state;
    static const char old[] = "the file that was here before";
    char path[1100];
    snprintf(path, sizeof path, "%s/a.pte", folder_new("kill"));
    double start = wick_os_seconds();
    assert_int_equal(export_to(path), WICK_OK);
    unsigned usual = (unsigned)((wick_os_seconds() - start) * 1e6) + 1000;
    size_t size;
    uint8_t *whole = test_read(path, &size);
    test_rng rng = {1};
    int n_killed = 0;
    for (int i = 0; i < 60 && n_killed < 30; i++) {
        bool had_one = i % 2;
        remove(path);
        if (had_one) assert_ok(wick_file_write(path, old, sizeof old, err));
        n_killed += kill_export(path, test_rng_below(&rng, usual));
        bool exists = wick_os_path_kind(path) == WICK_PATH_FILE;
        assert_true(exists || !had_one);
        if (exists) assert_true(same_bytes(path, whole, size) || (had_one && same_bytes(path, (const uint8_t *)old, sizeof old)));
    }
    assert_true(n_killed > 0); /* how many depends on how busy the machine is */
    free(whole);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_exports_leave_the_old_file_or_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
