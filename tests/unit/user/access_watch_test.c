/* The watch: one snapshot shared by many threads while changes come; for ThreadSanitizer too. */
#include "tests/contract/user/access_suite.h"

#include "user/access_watch.h"

#include <pthread.h>

enum { WATCHERS = 6, CHANGES = 40, PATIENCE_MS = 20000 };

struct watcher {
    struct access_watch *watch;
    uint64_t last; /* waits for a snapshot of this version or a later one */
    bool ordered, closed;
    size_t keys;
    pthread_t thread;
};

static struct access_watch *watch_of(struct access_suite *suite)
{
    struct access_watch *watch = NULL;
    assert_int_equal(access_watch_new(suite->store, &suite->clock, &watch, &suite->err), CODE_OK);
    return watch;
}

static void *follow(void *argument)
{
    struct watcher *watcher = argument;
    uint64_t held = 0;
    watcher->ordered = true;
    while (held < watcher->last) {
        struct access_view *view;
        enum access_watch_result result =
            access_watch_next(watcher->watch, held, PATIENCE_MS, &view);
        if (result != ACCESS_WATCH_NEW) {
            watcher->closed = result == ACCESS_WATCH_CLOSED;
            break;
        }
        watcher->ordered &= view->message.version > held;
        watcher->keys = view->message.n_keys;
        held = view->message.version;
        access_view_release(watcher->watch, view);
    }
    return NULL;
}

static void start(struct watcher *watchers, struct access_watch *watch, uint64_t last)
{
    for (int i = 0; i < WATCHERS; i++) {
        watchers[i] = (struct watcher){.watch = watch, .last = last};
        assert_int_equal(pthread_create(&watchers[i].thread, NULL, follow, &watchers[i]), 0);
    }
}

static void all_come_to_the_last_version(void **state)
{
    struct access_suite *suite = *state;
    struct watcher watchers[WATCHERS];
    access_suite_plan(suite, "p", 0);
    struct access_watch *watch = watch_of(suite);
    /* Versions grow by one here: the suite's clock stands still. */
    start(watchers, watch, access_suite_version(suite) + CHANGES);
    for (int i = 0; i < CHANGES; i++) {
        access_suite_made(suite, "k");
        access_watch_refresh(watch);
    }
    for (int i = 0; i < WATCHERS; i++) {
        pthread_join(watchers[i].thread, NULL);
        assert_true(watchers[i].ordered);
        assert_false(watchers[i].closed);
        assert_int_equal(watchers[i].keys, CHANGES);
    }
    access_watch_free(watch);
}

static void closing_sends_all_away(void **state)
{
    struct access_suite *suite = *state;
    struct watcher watchers[WATCHERS];
    struct access_watch *watch = watch_of(suite);
    start(watchers, watch, UINT64_MAX);
    access_watch_close(watch);
    for (int i = 0; i < WATCHERS; i++) {
        pthread_join(watchers[i].thread, NULL);
        assert_true(watchers[i].closed);
    }
    access_watch_free(watch);
}

static void a_change_by_another_process_is_found(void **state)
{
    struct access_suite *suite = *state;
    struct access_watch *watch = watch_of(suite);
    struct access_view *view;
    access_suite_plan(suite, "p", 0); /* and nobody tells the watch */
    uint64_t version = access_suite_version(suite);
    assert_int_equal(access_watch_next(watch, version - 1, PATIENCE_MS, &view), ACCESS_WATCH_NEW);
    assert_int_equal(view->message.version, version);
    access_view_release(watch, view);
    assert_int_equal(access_watch_next(watch, version, 1, &view), ACCESS_WATCH_NOTHING);
    access_watch_free(watch);
}

static void what_is_over_is_not_shown(void **state)
{
    struct access_suite *suite = *state;
    char secret[ACCESS_SECRET_CHARS + 1];
    struct access_view *view;
    access_suite_plan(suite, "p", 0);
    struct access_key expired = access_suite_key(suite, "e"),
                      rotated = access_suite_key(suite, "r");
    expired.expire_us = suite->wall_us + 10;
    assert_int_equal(ACCESS(suite, create_key, &expired, NULL), CODE_OK);
    access_key_rotate(&rotated, suite->wall_us, 1000, secret);
    access_key_rotate(&rotated, suite->wall_us, 10, secret);
    assert_int_equal(ACCESS(suite, create_key, &rotated, NULL), CODE_OK);
    suite->wall_us += 10;
    struct access_watch *watch = watch_of(suite);
    assert_int_equal(access_watch_next(watch, 0, 0, &view), ACCESS_WATCH_NEW);
    assert_int_equal(view->message.n_keys, 1);
    assert_int_equal(view->message.keys[0]->n_secret_hashes, 2);
    assert_int_equal(view->message.keys[0]->n_old_secret_expire_times, 1);
    access_view_release(watch, view);
    access_watch_free(watch);
}

/* All keys there may be, all with as many secrets as there may be, on plans with long names. */
static void the_largest_snapshot_fits_a_message(void **state)
{
    enum { MESSAGE_BYTES_MAX = 4 << 20 };
    struct access_suite *suite = *state;
    char plan[ACCESS_PLAN_ID_CHARS + 1], secret[ACCESS_SECRET_CHARS + 1];
    struct access_view *view;
    memset(plan, 'p', ACCESS_PLAN_ID_CHARS);
    plan[ACCESS_PLAN_ID_CHARS] = '\0';
    access_suite_plan(suite, plan, QUOTA_MAX);
    for (int i = 0; i < ACCESS_KEYS_MAX; i++) {
        struct access_key key = access_suite_key(suite, "k");
        key.plan_id = str_of(plan);
        key.is_public = true;
        key.expire_us = INT64_MAX / 2;
        for (int k = 1; k < ACCESS_SECRETS_MAX; k++)
            access_key_rotate(&key, suite->wall_us, k * 1000001LL, secret);
        assert_int_equal(ACCESS(suite, create_key, &key, NULL), CODE_OK);
    }
    struct access_watch *watch = watch_of(suite);
    assert_int_equal(access_watch_next(watch, 0, 0, &view), ACCESS_WATCH_NEW);
    assert_int_equal(view->message.n_keys, ACCESS_KEYS_MAX);
    assert_int_equal(view->message.keys[0]->n_secret_hashes, ACCESS_SECRETS_MAX);
    assert_in_range(protobuf_c_message_get_packed_size(&view->message.base), 1, MESSAGE_BYTES_MAX);
    access_view_release(watch, view);
    access_watch_free(watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ACCESS_TEST(all_come_to_the_last_version),         ACCESS_TEST(closing_sends_all_away),
        ACCESS_TEST(a_change_by_another_process_is_found), ACCESS_TEST(what_is_over_is_not_shown),
        ACCESS_TEST(the_largest_snapshot_fits_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
