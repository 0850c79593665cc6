/* What omnictl shows: the progress line, the picture of the pipeline, the table of hours. */
#include "tests/support/unit.h"

#include "omnictl/pipeline_view.h"
#include "omnictl/progress.h"
#include "omnictl/reconcile_hours.h"

#include <string.h>

static void test_progress_line(void **state)
{
    static const struct {
        struct progress_state now;
        uint64_t before;
        int64_t elapsed_ms;
        size_t columns;
        const char *wanted;
    } CASES[] = {
        {{50, 100, 1234567, 0},
         0,
         10000,
         80,
         "importing x  50% [========>        ] 1,234,567 users  123,456/s  0:10 left"},
        {{0, 0, 12, 3}, 0, 500, 80, "importing x: 12 users  24/s  3 failed"},
        {{100, 100, 10, 0}, 0, 2000, 0, "importing x 100% 10 users  5/s"},
        {{50, 100, 2000, 0}, 1000, 10000, 0, "importing x  50% 2,000 users  100/s  0:10 left"},
        {{50, 100, 1000, 0}, 0, 10000, 20, "importing x  50% 1,"},
    };
    struct buf out;
    (void)state;
    buf_init(&out, 1024);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        buf_reset(&out);
        progress_render(&out, "importing x", &CASES[i].now, CASES[i].before, CASES[i].elapsed_ms,
                        CASES[i].columns);
        if (CASES[i].columns)
            assert_true(out.len < CASES[i].columns);
        if (i > 0) /* the first one's bar is as long as there is room */
            assert_string_equal(buf_cstr(&out), CASES[i].wanted);
        else
            assert_non_null(strstr(buf_cstr(&out), "] 1,234,567 users  123,456/s  0:10 left"));
    }
    buf_clear(&out);
}

static void test_foreign_text_steers_nothing(void **state)
{
    static const struct {
        const char *text;
        size_t columns;
        const char *wanted;
        size_t used;
    } CASES[] = {
        {"plain", 10, "plain", 5},
        {"plain", 3, "pla", 3},
        {"\x1b[2J\n\t\x7f", 10, "?[2J???", 7},
        {"\xC2\x9B"
         "2J",
         10, "?2J", 3},
        {"a\u202eb\u2066", 10, "a?b?", 4},
        {"日本語", 5, "日本", 4},
        {"e\u0301e", 1, "e\u0301", 1},
        {"\U0001F680x", 2, "\U0001F680", 2},
        {"\xFF", 20, "(not UTF-8)", 11},
        {"", 5, "", 0},
    };
    struct buf out;
    (void)state;
    buf_init(&out, 1024);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        buf_reset(&out);
        size_t used = view_add_clean(&out, str_of(CASES[i].text), CASES[i].columns);
        assert_string_equal(buf_cstr(&out), CASES[i].wanted);
        assert_int_equal(used, CASES[i].used);
    }
    buf_clear(&out);
}

/* Whatever the width, no line is wider. */
static void test_picture_fits_every_width(void **state)
{
    struct pipeline_view view = {.users = {"users", "127.0.0.1:1", true, {0}},
                                 .analytics = {"analytics", "127.0.0.1:2", true, {0}},
                                 .outbox_pending = 123456789,
                                 .outbox_oldest_ms = 3600000,
                                 .point_count = VIEW_POINTS_MAX,
                                 .kind_count = 1,
                                 .search_count = 1};
    struct buf out;
    (void)state;
    memcpy(view.searches[0].query, "日本語日本語", sizeof "日本語日本語");
    for (size_t i = 0; i < VIEW_POINTS_MAX; i++)
        view.points[i] = i * i;
    buf_init(&out, 1 << 20);
    for (size_t columns = 1; columns < 200; columns++) {
        struct buf clean;
        struct str rest, line;
        buf_init(&clean, 4096);
        buf_reset(&out);
        pipeline_view_text(&out, &view, columns, false);
        rest = buf_str(&out);
        while (str_next(&rest, '\n', &line)) {
            buf_reset(&clean);
            assert_true(view_add_clean(&clean, line, 1000) <= columns);
        }
        buf_clear(&clean);
    }
    buf_clear(&out);
}

static void test_hours(void **state)
{
    static const int64_t ORDER[] = {7200, 0, 3600, 10800, 3600, 0};
    struct hour_list list = {0};
    struct buf out;
    (void)state;
    for (size_t i = 0; i < sizeof ORDER / sizeof *ORDER; i++)
        hour_list_at(&list, ORDER[i])->emitted++;
    assert_int_equal(list.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(list.hours[i].hour_s, (int64_t)i * 3600);
    assert_false(hour_list_equal(&list));
    for (size_t i = 0; i < 4; i++)
        list.hours[i].archived = list.hours[i].emitted;
    assert_true(hour_list_equal(&list));
    list.hours[0].archived--;
    list.hours[0].quarantined++;
    assert_true(hour_list_equal(&list));
    list.hours[3].archived += 1000;
    assert_false(hour_list_equal(&list));
    buf_init(&out, 1 << 16);
    hour_list_table(&list, &out);
    assert_non_null(strstr(buf_cstr(&out), "! 1970-01-01T03:00:00Z"));
    assert_non_null(strstr(buf_cstr(&out), "-1,000\n"));
    assert_non_null(strstr(buf_cstr(&out), "  1970-01-01T00:00:00Z"));
    buf_clear(&out);
    hour_list_clear(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_progress_line),
        cmocka_unit_test(test_foreign_text_steers_nothing),
        cmocka_unit_test(test_picture_fits_every_width),
        cmocka_unit_test(test_hours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
