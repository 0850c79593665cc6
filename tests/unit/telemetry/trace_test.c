/* traceparent, after the W3C recommendation's own rules. */
#include "tests/support/unit.h"

#include "telemetry/trace.h"

#include <string.h>

#define ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

static void reads_what_is_valid_only(void **state)
{
    static const struct {
        const char *text;
        bool ok, sampled;
    } cases[] = {
        {"00-" ID "-" SPAN "-01", true, true},
        {"00-" ID "-" SPAN "-00", true, false},
        {"00-" ID "-" SPAN "-0b", true, true},
        {"00-" ID "-" SPAN "-0a", true, false},
        {"cc-" ID "-" SPAN "-01-what-the-future-brings", true, true},
        {"00-" ID "-" SPAN "-01-more", false, false},
        {"ff-" ID "-" SPAN "-01", false, false},
        {"00-00000000000000000000000000000000-" SPAN "-01", false, false},
        {"00-" ID "-0000000000000000-01", false, false},
        {"00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01", false, false},
        {"zz-" ID "-" SPAN "-01", false, false},
        {"0-" ID "-" SPAN "-01", false, false},
        {"00-" ID "-" SPAN "-0g", false, false},
        {"00-" ID "-" SPAN "-x1", false, false},
        {"00-" ID "-" SPAN, false, false},
        {"00-" ID "-" SPAN "-", false, false},
        {"", false, false},
    };
    struct trace trace;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(trace_parse(str_of(cases[i].text), &trace), cases[i].ok);
        assert_int_equal(trace.sampled, cases[i].sampled);
        assert_string_equal(trace.id, cases[i].ok ? ID : "");
    }
}

static void passes_the_trace_on_with_a_new_span(void **state)
{
    struct trace trace, child, again;
    char text[TRACE_PARENT_CHARS + 1];
    (void)state;
    trace_new(&trace);
    trace_child(&trace, &child);
    assert_string_equal(trace.id, child.id);
    assert_string_not_equal(trace.span, child.span);
    trace_format(&child, text);
    assert_int_equal(strlen(text), TRACE_PARENT_CHARS);
    assert_true(trace_parse(str_of(text), &again));
    assert_string_equal(again.span, child.span);
    assert_true(again.sampled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_is_valid_only),
        cmocka_unit_test(passes_the_trace_on_with_a_new_span),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
