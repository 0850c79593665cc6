/* omnictl/checkpoint: what was finished stays finished; nothing else does. */
#include "tests/support/unit.h"

#include "omnictl/checkpoint.h"
#include "omnictl/random.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/omnictl-checkpoint-XXXXXX";
static char file[64], progress[80];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(file, sizeof file, "%s/u.csv", folder);
    snprintf(progress, sizeof progress, "%s.omni-progress", file);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(progress);
    unlink(file);
    return rmdir(folder);
}

static void write_text(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static struct checkpoint *open_again(int *fd, bool restart)
{
    struct checkpoint *checkpoint = NULL;
    struct error err;
    *fd = open(file, O_RDONLY);
    if (checkpoint_open(file, *fd, restart, &checkpoint, &err) != CODE_OK)
        fail_msg("%s", err.text);
    return checkpoint;
}

static void close_both(struct checkpoint *checkpoint, int fd)
{
    checkpoint_free(checkpoint);
    close(fd);
}

static void refused(const char *words)
{
    struct checkpoint *checkpoint = NULL;
    struct error err;
    int fd = open(file, O_RDONLY);
    assert_int_equal(checkpoint_open(file, fd, false, &checkpoint, &err), CODE_FAILED_PRECONDITION);
    if (!strstr(err.text, words))
        fail_msg("%s, wanted %s", err.text, words);
    close(fd);
}

static void test_records_in_any_order(void **state)
{
    enum { RECORDS = 100000 };
    static bool done[RECORDS + 1];
    struct random random = random_of(5, 5);
    struct error err;
    int fd;
    (void)state;
    write_text(file, "content");
    unlink(progress);
    struct checkpoint *checkpoint = open_again(&fd, false);
    for (size_t i = 0; i < 4 * RECORDS; i++) {
        /* Mostly near the front, as a window of calls is. */
        uint32_t record = 1 + random_below(&random, 1 + (uint32_t)(i / 4));
        if (record > RECORDS - 50)
            continue;
        done[record] = true;
        checkpoint_add(checkpoint, record);
    }
    for (uint64_t i = 1; i <= RECORDS / 2; i++) {
        done[i] = true;
        checkpoint_add(checkpoint, i);
    }
    *checkpoint_counts(checkpoint) = (struct checkpoint_counts){7, 8, 9};
    for (int turn = 0; turn < 2; turn++) {
        for (uint64_t i = 1; i <= RECORDS; i++)
            if (checkpoint_has(checkpoint, i) != done[i])
                fail_msg("turn %d, record %llu", turn, (unsigned long long)i);
        assert_false(checkpoint_has(checkpoint, RECORDS + 100000));
        assert_int_equal(checkpoint_save(checkpoint, &err), CODE_OK);
        close_both(checkpoint, fd);
        checkpoint = open_again(&fd, false);
        assert_int_equal(checkpoint_counts(checkpoint)->imported, 7);
        assert_int_equal(checkpoint_counts(checkpoint)->failed, 8);
        assert_int_equal(checkpoint_counts(checkpoint)->skipped, 9);
    }
    close_both(checkpoint, fd);
}

static void test_restart_and_remove(void **state)
{
    struct error err;
    int fd;
    (void)state;
    write_text(file, "content");
    unlink(progress);
    struct checkpoint *checkpoint = open_again(&fd, false);
    checkpoint_add(checkpoint, 1);
    char run[64];
    snprintf(run, sizeof run, "%s", checkpoint_run(checkpoint));
    assert_int_equal(checkpoint_save(checkpoint, &err), CODE_OK);
    close_both(checkpoint, fd);
    checkpoint = open_again(&fd, true);
    assert_false(checkpoint_has(checkpoint, 1));
    assert_string_not_equal(checkpoint_run(checkpoint), run);
    close_both(checkpoint, fd);
    checkpoint = open_again(&fd, false);
    assert_true(checkpoint_has(checkpoint, 1));
    assert_string_equal(checkpoint_run(checkpoint), run);
    checkpoint_remove(checkpoint);
    assert_int_not_equal(access(progress, F_OK), 0);
    close_both(checkpoint, fd);
}

static void test_another_content_is_refused(void **state)
{
    struct error err;
    int fd;
    (void)state;
    write_text(file, "content");
    unlink(progress);
    struct checkpoint *checkpoint = open_again(&fd, false);
    assert_int_equal(checkpoint_save(checkpoint, &err), CODE_OK);
    close_both(checkpoint, fd);
    write_text(file, "Content");
    refused("has changed since");
}

static void test_damaged_files_are_refused(void **state)
{
    static const char *const TEXTS[] = {
        "",
        "omni-progress 1\n",
        "omni-progress 2\nfile 1 2 3\nrun 01900000-0000-7000-8000-000000000000\ncounts 1 2 3\ndone "
        "8\ntail \nend\n",
        "omni-progress 1\nfile 1 2 3\nrun x\ncounts 1 2 3\ndone 8\ntail 00\nend\n",
        "omni-progress 1\nfile 1 2 3\nrun 01900000-0000-7000-8000-000000000000\ncounts 1 2\ndone "
        "8\ntail \nend\n",
        "omni-progress 1\nfile 1 2 3\nrun 01900000-0000-7000-8000-000000000000\ncounts 1 2 3\ndone "
        "9\ntail \nend\n",
        "omni-progress 1\nfile 1 2 3\nrun 01900000-0000-7000-8000-000000000000\ncounts 1 2 3\ndone "
        "8\ntail 0\nend\n",
        "omni-progress 1\nfile 1 2 3\nrun 01900000-0000-7000-8000-000000000000\ncounts 1 2 3\ndone "
        "8\ntail zz\nend\n",
        "omni-progress 1\nfile 1 2 3\nrun 01900000-0000-7000-8000-000000000000\ncounts 1 2 3\ndone "
        "8\ntail 00\n",
    };
    (void)state;
    write_text(file, "content");
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        write_text(progress, TEXTS[i]);
        refused("is damaged");
    }
    unlink(progress);
}

static void test_one_at_a_time(void **state)
{
    int fd;
    (void)state;
    write_text(file, "content");
    unlink(progress);
    struct checkpoint *checkpoint = open_again(&fd, false);
    refused("by another process");
    close_both(checkpoint, fd);
    close_both(open_again(&fd, false), fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_in_any_order),
        cmocka_unit_test(test_restart_and_remove),
        cmocka_unit_test(test_another_content_is_refused),
        cmocka_unit_test(test_damaged_files_are_refused),
        cmocka_unit_test(test_one_at_a_time),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
