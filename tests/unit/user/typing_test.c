/* Which searches were steps of typing, and how long one is held to know. */
#include "tests/support/unit.h"

#include "base/error.h"
#include "user/typing.h"

#include <stdio.h>
#include <string.h>

static const int64_t T = 1795370400000;

static omnidata_event_v1_Event search(const char *text, const char *actor, const char *key_id,
                                      int64_t time_ms)
{
    omnidata_event_v1_Event event = {
        .kind = (omnidata_event_v1_EventKind)EVENT_USERS_SEARCHED,
        .has_time = true,
        .time = {time_ms / 1000, (int32_t)(time_ms % 1000) * 1000000},
    };
    snprintf(event.query, sizeof event.query, "%s", text);
    snprintf(event.actor, sizeof event.actor, "%s", actor);
    snprintf(event.key_id, sizeof event.key_id, "%s", key_id);
    return event;
}

struct typed {
    const char *text, *actor;
    int64_t after_ms;
};

static void add_text(struct buf *to, const omnidata_event_v1_Event *event)
{
    buf_add_cstr(to, event->query);
    buf_add_cstr(to, event->partial ? "- " : " ");
}

/* Each line's searches, and in which order they go on their way; a step ends in `-`. */
static void steps(void **state)
{
    static const struct {
        struct typed typed[8];
        const char *told;
    } CASES[] = {
        {{{"jose", "", 0}}, "jose "},
        {{{"j", "", 0}, {"jo", "", 200}, {"jos", "", 400}, {"jose", "", 600}}, "j- jo- jos- jose "},
        {{{"j", "", 0}, {"jose", "", 900}}, "j- jose "},
        /* by what a search finds, not by bytes: case, accents, a space that comes first */
        {{{"Jo", "", 0}, {"jOsé", "", 100}}, "Jo- jOsé "},
        {{{"jose", "", 0}, {"José Á", "", 100}}, "jose- José Á "},
        {{{"anna", "", 0}, {"anna ", "", 100}, {"anna m", "", 200}}, "anna- anna - anna m "},
        {{{"李", "", 0}, {"李小", "", 100}}, "李- 李小 "},
        /* going back is no typing towards: each was looked at */
        {{{"jose", "", 0}, {"jos", "", 100}, {"jo", "", 200}}, "jose jos jo "},
        /* what comes later takes only what is just before it */
        {{{"jo", "", 0}, {"mul", "", 100}, {"jose", "", 200}}, "jo mul jose "},
        {{{"j", "", 0}, {"jo", "", 100}, {"anna", "", 200}}, "j- jo anna "},
        /* next in time: threads may tell of two in the wrong order */
        {{{"jose", "", 200}, {"jo", "", 0}}, "jo- jose "},
        {{{"jo", "", 0}, {"jose", "", 0}}, "jo- jose "},
        {{{"jose", "", 0}, {"jo", "", 0}}, "jose jo "},
        /* too late to be the same typing */
        {{{"jo", "", 0}, {"jose", "", 2001}}, "jo jose "},
        {{{"jo", "", 0}, {"jose", "", 2000}}, "jo- jose "},
        /* the same text twice is two searches */
        {{{"anna", "", 0}, {"anna", "", 100}}, "anna anna "},
        {{{"Jo", "", 0}, {"jO", "", 100}}, "Jo jO "},
        /* others in between: too many, when callers are not known */
        {{{"an", "", 0}, {"be", "", 50}, {"ann", "", 100}}, "an be ann "},
        {{{"an", "a", 0}, {"be", "b", 50}, {"ann", "a", 100}, {"ber", "b", 150}},
         "an- be- ann ber "},
        /* nobody takes over another's; "a" and "abn" have one place */
        {{{"an", "a", 0}, {"ann", "b", 100}, {"anna", "a", 200}}, "an- anna ann "},
        {{{"an", "a", 0}, {"anna", "abn", 100}}, "an anna "},
        {{{"an", "a", 0}, {"anna", "abn", 100}, {"ann", "a", 200}}, "an anna ann "},
        /* marks alone fold to nothing, which is the beginning of all */
        {{{"\xCC\x81", "", 0}, {"x", "", 10}}, "\xCC\x81 x "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct typing *typing = typing_new();
        struct buf told;
        omnidata_event_v1_Event event;
        buf_init(&told, 256);
        for (size_t k = 0; k < 8 && CASES[i].typed[k].text; k++) {
            const struct typed *typed = &CASES[i].typed[k];
            event = search(typed->text, typed->actor, "key", T + typed->after_ms);
            if (typing_pass(typing, &event))
                add_text(&told, &event);
        }
        while (typing_release(typing, INT64_MAX, &event))
            add_text(&told, &event);
        assert_int_equal(typing_held(typing), 0);
        assert_string_equal(buf_cstr(&told), CASES[i].told);
        buf_clear(&told);
        typing_free(typing);
    }
}

static void others_are_not_held(void **state)
{
    struct typing *typing = typing_new();
    omnidata_event_v1_Event event = search("jose", "a", "k", T);
    (void)state;
    event.kind = (omnidata_event_v1_EventKind)EVENT_USER_READ;
    assert_true(typing_pass(typing, &event));
    event = search("jose", "a", "k", T);
    event.status = CODE_INVALID_ARGUMENT;
    assert_true(typing_pass(typing, &event));
    event = search("", "a", "k", T);
    assert_true(typing_pass(typing, &event));
    assert_int_equal(typing_held(typing), 0);
    typing_free(typing);
}

static void held_for_two_seconds(void **state)
{
    struct typing *typing = typing_new();
    omnidata_event_v1_Event event = search("jo", "a", "", T);
    (void)state;
    assert_false(typing_pass(typing, &event));
    event = search("anna", "b", "", T + 500);
    assert_false(typing_pass(typing, &event));
    assert_int_equal(typing_held(typing), 2);
    assert_false(typing_release(typing, T + TYPING_STEP_MS, &event));
    assert_true(typing_release(typing, T + TYPING_STEP_MS + 1, &event));
    assert_string_equal(event.query, "jo");
    assert_false(typing_release(typing, T + TYPING_STEP_MS + 1, &event));
    assert_int_equal(typing_held(typing), 1);
    /* A clock that was set back does not hold it for as long as that. */
    assert_false(typing_release(typing, T + 500 - TYPING_STEP_MS, &event));
    assert_true(typing_release(typing, T - 3600000, &event));
    assert_string_equal(event.query, "anna");
    typing_free(typing);
}

/* More callers than places: none is lost, and each goes its way once. */
static void every_search_goes_on_once(void **state)
{
    enum { SEARCHES = 5 * TYPING_CALLERS };
    struct typing *typing = typing_new();
    omnidata_event_v1_Event event;
    char seen[SEARCHES] = {0}, text[16];
    int told = 0;
    (void)state;
    for (int i = 0; i < SEARCHES; i++) {
        snprintf(text, sizeof text, "%d", i);
        event = search(text, text, "", T + i);
        event.result_count = (uint32_t)i;
        if (typing_pass(typing, &event))
            told += !seen[event.result_count]++;
    }
    assert_true(typing_held(typing) <= TYPING_CALLERS && typing_held(typing) > TYPING_CALLERS / 2);
    while (typing_release(typing, INT64_MAX, &event)) {
        assert_false(event.partial);
        told += !seen[event.result_count]++;
    }
    assert_int_equal(told, SEARCHES);
    assert_null(memchr(seen, 2, sizeof seen));
    typing_free(typing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps),
        cmocka_unit_test(others_are_not_held),
        cmocka_unit_test(held_for_two_seconds),
        cmocka_unit_test(every_search_goes_on_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
