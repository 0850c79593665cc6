/* Settings: where they come from, that every problem is told at once, and the help. */
#include "tests/support/unit.h"

#include "base/config.h"

#include <stdlib.h>
#include <string.h>

struct settings {
    const char *listen, *level;
    int64_t threads, body, grace;
    bool fast;
};

static const struct config_item ITEMS[] = {
    {"listen", CONFIG_TEXT, offsetof(struct settings, listen), "127.0.0.1:1", NULL, NULL, NULL,
     "where"},
    {"log-level", CONFIG_CHOICE, offsetof(struct settings, level), "info", NULL, NULL, "debug|info",
     "how much"},
    {"threads", CONFIG_INT, offsetof(struct settings, threads), "2", "1", "64", NULL, "how many"},
    {"body", CONFIG_SIZE, offsetof(struct settings, body), "1MiB", "1", "1GiB", NULL, "how big"},
    {"grace", CONFIG_DURATION, offsetof(struct settings, grace), "5s", "0", "1h", NULL, "how long"},
    {"fast", CONFIG_BOOL, offsetof(struct settings, fast), "false", NULL, NULL, NULL, "hurry"},
};
static const struct config_program PROGRAM = {"omni-test", "tests", ITEMS,
                                              sizeof ITEMS / sizeof *ITEMS};

static char *environment(const char *name)
{
    static char threads[] = "7", level[] = "debug";
    if (strcmp(name, "OMNI_THREADS") == 0)
        return threads;
    return strcmp(name, "OMNI_LOG_LEVEL") == 0 ? level : NULL;
}

static char *nothing(const char *name)
{
    (void)name;
    return NULL;
}

#define READ(environment, ...) \
    config_read(&PROGRAM, (int)(sizeof((char *[]){"p", ##__VA_ARGS__}) / sizeof(char *)), \
                (char *[]){"p", ##__VA_ARGS__}, environment, &settings, &message)

static void takes_argument_before_environment_before_default(void **state)
{
    struct settings settings;
    struct buf message;
    (void)state;
    buf_init(&message, 10000);
    assert_int_equal(READ(environment, "--threads=9", "--body", "64KiB", "--fast=true"),
                     CONFIG_READY);
    assert_int_equal(settings.threads, 9);
    assert_int_equal(settings.body, 65536);
    assert_int_equal(settings.grace, 5000);
    assert_string_equal(settings.level, "debug");
    assert_string_equal(settings.listen, "127.0.0.1:1");
    assert_true(settings.fast);
    assert_int_equal(READ(environment), CONFIG_READY);
    assert_int_equal(settings.threads, 7);
    buf_clear(&message);
}

static void tells_every_problem_at_once(void **state)
{
    struct settings settings;
    struct buf message;
    (void)state;
    buf_init(&message, 10000);
    assert_int_equal(READ(nothing, "--threads=0", "--body=2GiB", "--grace=5", "--fast=yes",
                          "--log-level=loud", "--colour=red", "stray", "--listen"),
                     CONFIG_WRONG);
    const char *text = buf_cstr(&message);
    static const char *const wanted[] = {
        "--threads: 0 is below the least, 1\n",
        "--body: 2GiB is above the most, 1GiB\n",
        "--grace: \"5\" is not a duration such as 250ms, 5s, 2m, 24h or 7d\n",
        "--fast: \"yes\" is not true or false\n",
        "--log-level: \"loud\" is none of debug|info\n",
        "--colour=red: no such setting (see --help)\n",
        "stray: no such setting (see --help)\n",
        "--listen: its value is missing\n",
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        assert_non_null(strstr(text, wanted[i]));
    buf_clear(&message);
}

static void helps_on_request(void **state)
{
    struct settings settings;
    struct buf message;
    (void)state;
    buf_init(&message, 10000);
    assert_int_equal(READ(nothing, "--threads=0", "--help"), CONFIG_HELP);
    const char *text = buf_cstr(&message);
    assert_non_null(strstr(text, "omni-test: tests"));
    assert_non_null(strstr(text, "--log-level"));
    assert_non_null(strstr(text, "OMNI_LOG_LEVEL"));
    assert_non_null(strstr(text, "default 2, 1 to 64"));
    buf_clear(&message);
}

static void reads_units(void **state)
{
    int64_t value;
    (void)state;
    assert_true(config_parse_duration(STR("2h"), &value) && value == 7200000);
    assert_true(config_parse_duration(STR("0"), &value) && value == 0);
    assert_false(config_parse_duration(STR("5"), &value));
    assert_false(config_parse_duration(STR("9223372036854775807d"), &value));
    assert_true(config_parse_size(STR("3GiB"), &value) && value == 3LL << 30);
    assert_false(config_parse_size(STR("-1"), &value));
    assert_false(config_parse_size(STR("1kb"), &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_argument_before_environment_before_default),
        cmocka_unit_test(tells_every_problem_at_once),
        cmocka_unit_test(helps_on_request),
        cmocka_unit_test(reads_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
