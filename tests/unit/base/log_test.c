/* Log lines: one JSON object each, whole, whatever goes into them. */
#include "tests/support/unit.h"

#include "base/log.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 20 };

static char text[READ_BYTES];
static FILE *file;
static int saved_stderr;

static int catch_stderr(void **state)
{
    (void)state;
    fflush(stderr);
    saved_stderr = dup(STDERR_FILENO);
    file = tmpfile();
    assert_non_null(file);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    log_init("tester", LOG_INFO);
    log_set_trace(STR(""));
    return 0;
}

static int release_stderr(void **state)
{
    (void)state;
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    fclose(file);
    return 0;
}

/* All that was written so far. */
static const char *written(void)
{
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    return text;
}

/* What stands behind the time, which is another one each time. */
static const char *behind_time(void)
{
    const char *line = written();
    assert_true(str_starts(str_of(line), STR("{\"time\":\"20")));
    const char *at = strstr(line, "Z\",");
    assert_non_null(at);
    return at + 3;
}

static void writes_typed_fields(void **state)
{
    struct error err;
    (void)state;
    error_set(&err, CODE_NOT_FOUND, "X", "no \"such\"\nthing");
    log_set_trace(STR("4bf92f3577b34da6a3ce929d0e0e4736"));
    log_warn("thing_lost", LOG_C("name", "a\tb"), LOG_I("count", -3), LOG_D("share", 0.5),
             LOG_B("again", true), LOG_S("raw", STR("\xFF")), LOG_ERR(&err));
    assert_string_equal(behind_time(),
                        "\"level\":\"warn\",\"program\":\"tester\",\"event\":\"thing_lost\","
                        "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\","
                        "\"name\":\"a\\tb\",\"count\":-3,\"share\":0.5,\"again\":true,"
                        "\"raw\":\"\xEF\xBF\xBD\",\"code\":\"NOT_FOUND\","
                        "\"error\":\"no \\\"such\\\"\\nthing\"}\n");
}

static void leaves_out_lower_levels(void **state)
{
    enum log_level level;
    (void)state;
    log_debug("unseen", LOG_I("n", 1));
    assert_string_equal(written(), "");
    assert_true(log_level_parse(STR("debug"), &level));
    assert_false(log_level_parse(STR("DEBUG"), &level));
    log_init("tester", level);
    log_debug("seen", LOG_I("n", 1));
    assert_non_null(strstr(written(), "\"level\":\"debug\""));
}

static void drops_the_field_that_is_too_long_and_keeps_the_line_whole(void **state)
{
    static char huge[20000];
    (void)state;
    memset(huge, '"', sizeof huge - 1);
    log_info("big", LOG_I("before", 1), LOG_C("huge", huge), LOG_I("after", 2));
    assert_string_equal(behind_time(),
                        "\"level\":\"info\",\"program\":\"tester\",\"event\":\"big\","
                        "\"before\":1,\"after\":2}\n");
}

/* Each length that comes near the line's maximum: the end is always there. */
static void ends_every_line_near_the_maximum(void **state)
{
    static char near[8200];
    (void)state;
    for (size_t length = 8000; length < sizeof near - 1; length++) {
        memset(near, 'x', length);
        near[length] = '\0';
        rewind(file);
        assert_int_equal(ftruncate(fileno(file), 0), 0);
        lseek(STDERR_FILENO, 0, SEEK_SET);
        log_info("near", LOG_C("text", near));
        assert_true(str_ends(str_of(behind_time()), STR("}\n")));
    }
}

static void *write_many(void *argument)
{
    (void)argument;
    for (int i = 0; i < 200; i++)
        log_info("many", LOG_C("text", "0123456789012345678901234567890123456789"));
    return NULL;
}

static void keeps_lines_of_threads_apart(void **state)
{
    pthread_t threads[4];
    size_t lines = 0;
    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, NULL), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    struct str rest = str_of(written()), line;
    while (str_next(&rest, '\n', &line) && line.len) {
        assert_true(str_starts(line, STR("{\"time\"")));
        assert_true(str_ends(line, STR("6789\"}")));
        lines++;
    }
    assert_int_equal(lines, 800);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, catch_stderr, release_stderr)
    const struct CMUnitTest tests[] = {
        CASE(writes_typed_fields),
        CASE(leaves_out_lower_levels),
        CASE(drops_the_field_that_is_too_long_and_keeps_the_line_whole),
        CASE(ends_every_line_near_the_maximum),
        CASE(keeps_lines_of_threads_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
