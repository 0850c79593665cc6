/* Against the vectors that come with the reference implementation. */
#include "base/siphash.h"
#include "tests/support/unit.h"

#include <sys/wait.h>
#include <unistd.h>

static const struct siphash_key KEY = {0x0706050403020100U, 0x0f0e0d0c0b0a0908U};

static void vectors(void **state)
{
    static const struct {
        size_t length;
        uint64_t hash;
    } cases[] = {
        {0, 0x726fdb47dd0e0e31U},  {1, 0x74f839c593dc67fdU},  {7, 0xab0200f58b01d137U},
        {8, 0x93f5f5799a932462U},  {15, 0xa129ca6149be45e5U}, {16, 0x3f2acc7f57c29bdbU},
        {63, 0x958a324ceb064572U},
    };
    char text[64];
    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)i;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(siphash(KEY, (struct str){text, cases[i].length}), cases[i].hash);
}

static void depends_on_the_key(void **state)
{
    (void)state;
    struct siphash_key other = {KEY.k0, KEY.k1 + 1};
    assert_true(siphash(KEY, STR("text")) != siphash(other, STR("text")));
}

/* What one process answers; its key is drawn there. */
static uint64_t hash_in_a_child(void)
{
    int ends[2];
    uint64_t hash = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        hash = siphash_own(STR("text"));
        bool same = hash == siphash_own(STR("text")) && hash != siphash_own(STR("texts"));
        _exit(same && write(ends[1], &hash, sizeof hash) == sizeof hash ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(read(ends[0], &hash, sizeof hash), sizeof hash);
    close(ends[0]);
    close(ends[1]);
    return hash;
}

/* Else who knows the program knows which texts fall together. */
static void every_process_has_its_own_key(void **state)
{
    (void)state;
    assert_true(hash_in_a_child() != hash_in_a_child());
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
        cmocka_unit_test(depends_on_the_key),
        cmocka_unit_test(every_process_has_its_own_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
