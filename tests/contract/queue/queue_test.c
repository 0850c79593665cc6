/* What every queue must do, run on each implementation. A new backend adds a row to BACKENDS; SQS's
 * runs where OMNI_TEST_AWS says where one is (make interop), in real time. */
#include "aws/sqs.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/id.h"
#include "queue/queue_sqlite.h"
#include "queue/queue_sqs.h"
#include "tests/support/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LEASE_MS = 1000, LONG_MS = 60000, MANY = 300 };

static int64_t now_ms = 1000000;

static int64_t fake_wall_us(const struct clock *clock)
{
    (void)clock;
    return now_ms * 1000;
}

static int64_t fake_mono_ms(const struct clock *clock)
{
    (void)clock;
    return now_ms;
}

static const struct clock CLOCK = {fake_wall_us, fake_mono_ms};

struct fixture {
    struct queue *queue;
    struct arena arena;
    char directory[64], path[96];
    struct aws *aws;
};

typedef enum code (*open_fn)(struct fixture *f, uint64_t max_bytes, struct error *err);

static enum code open_sqlite(struct fixture *f, uint64_t max_bytes, struct error *err)
{
    return queue_sqlite_open(f->path, max_bytes, &CLOCK, &f->queue, err);
}

/* A queue of each test's own; opened anew it is the same one. */
static enum code open_sqs(struct fixture *f, uint64_t max_bytes, struct error *err)
{
    struct aws_location location;
    struct str name = str_from(str_of(f->directory), 5), arn;
    char text[256];
    bool created;
    (void)max_bytes;
    if (!f->aws && aws_open(&(struct aws_options){0}, &f->aws, err) != CODE_OK)
        return err->code;
    snprintf(text, sizeof text, "sqs://%.*s?endpoint=%s", STR_ARG(name), getenv("OMNI_TEST_AWS"));
    if (aws_location_read(str_of(text), "sqs", getenv, NULL, 0, &f->arena, &location, err) !=
        CODE_OK)
        return err->code;
    struct aws_client *client = aws_client_new(&(struct aws_client_options){
        .aws = f->aws, .service = &SQS_SERVICE, .location = &location});
    enum code code = sqs_create(client, name, STR(""), 10000, &f->arena, &arn, &created, err);
    aws_client_free(client);
    if (code != CODE_OK)
        return code;
    return queue_sqs_open(&(struct queue_sqs_options){.aws = f->aws, .location = &location},
                          &f->queue, err);
}

static const struct backend {
    const char *name;
    open_fn open;
    bool real_time; /* nobody can turn its clock */
    bool local;     /* knows ids and sizes, orders by time, has one owner */
} BACKENDS[] = {{"sqlite", open_sqlite, false, true}, {"sqs", open_sqs, true, false}};

static const struct backend *backend = BACKENDS;

/* --- time --- */

enum { SLACK_MS = 400 };

static void pass(int64_t ms)
{
    if (backend->real_time)
        usleep((unsigned)ms * 1000);
    else
        now_ms += ms;
}

/* To the last moment of a lease that began now, and from there to its end. */
static void pass_most_of_a_lease(void)
{
    pass(backend->real_time ? LEASE_MS / 2 : LEASE_MS - 1);
}

static void pass_the_rest_of_it(void)
{
    pass(backend->real_time ? LEASE_MS / 2 + SLACK_MS : 1);
}

static void pass_a_lease(void)
{
    pass(backend->real_time ? LEASE_MS + SLACK_MS : LEASE_MS);
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct error err;
    snprintf(f->directory, sizeof f->directory, "/tmp/queue-test-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    snprintf(f->path, sizeof f->path, "%s/queue.db", f->directory);
    assert_int_equal(backend->open(f, 1 << 20, &err), CODE_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
    char name[128];
    queue_free(f->queue);
    aws_free(f->aws);
    arena_clear(&f->arena);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        snprintf(name, sizeof name, "%s%s", f->path, ends[i]);
        unlink(name);
    }
    rmdir(f->directory);
    xfree(f);
    return 0;
}

static void reopen(struct fixture *f)
{
    struct error err;
    queue_free(f->queue);
    assert_int_equal(backend->open(f, 1 << 20, &err), CODE_OK);
}

static void send_one(struct fixture *f, const char *id, const char *body)
{
    struct queue_item item = {str_of(id), str_of(body), 7};
    struct error err;
    assert_int_equal(f->queue->vtable->send(f->queue, &item, 1, &err), CODE_OK);
}

static size_t receive_for(struct fixture *f, size_t max, int64_t lease_ms,
                          struct queue_message *messages)
{
    struct error err;
    size_t count = 0;
    assert_int_equal(
        f->queue->vtable->receive(f->queue, max, lease_ms, 0, &f->arena, messages, &count, &err),
        CODE_OK);
    return count;
}

static size_t receive(struct fixture *f, size_t max, struct queue_message *messages)
{
    return receive_for(f, max, LEASE_MS, messages);
}

static struct queue_message receive_one(struct fixture *f)
{
    struct queue_message message;
    assert_int_equal(receive(f, 1, &message), 1);
    return message;
}

static void remove_one(struct fixture *f, struct str handle)
{
    struct error err;
    assert_int_equal(f->queue->vtable->remove(f->queue, &handle, 1, &err), CODE_OK);
}

static uint64_t waiting(struct fixture *f)
{
    struct queue_stats stats;
    struct error err;
    assert_int_equal(f->queue->vtable->stats(f->queue, &stats, &err), CODE_OK);
    return stats.messages;
}

/* Rule 27. */
static void test_in_order_with_its_content(void **state)
{
    struct fixture *f = *state;
    struct queue_message m[3];
    struct queue_stats stats;
    struct error err;
    int64_t sent_ms = backend->real_time ? clock_wall_ms(clock_real()) : now_ms;
    send_one(f, "a", "first");
    pass(5);
    send_one(f, "b", "\x01\xFF");
    assert_int_equal(receive(f, 3, m), 2);
    assert_true(str_eq(m[0].id, STR("a")) && str_eq(m[0].body, STR("first")));
    assert_true(str_eq(m[1].id, STR("b")) && str_eq(m[1].body, STR("\x01\xFF")));
    assert_int_equal(m[0].receive_count, 1);
    assert_int_equal(f->queue->vtable->stats(f->queue, &stats, &err), CODE_OK);
    assert_int_equal(stats.messages, 2);
    assert_true(stats.since_ms <= sent_ms);
    if (!backend->local) {
        assert_in_range(m[0].sent_ms, sent_ms - 60000, sent_ms + 60000);
        return;
    }
    assert_int_equal(m[0].sent_ms, sent_ms);
    assert_int_equal(stats.units, 14);
    assert_int_equal(stats.oldest_ms, sent_ms);
}

/* Rule 29. */
static void test_a_lease_hides_until_it_ends(void **state)
{
    struct fixture *f = *state;
    struct queue_message m;
    send_one(f, "a", "x");
    receive_one(f);
    pass_most_of_a_lease();
    assert_int_equal(receive(f, 1, &m), 0);
    pass_the_rest_of_it();
    m = receive_one(f);
    assert_int_equal(m.receive_count, 2);
}

/* Rule 29. */
static void test_extend_keeps_it_hidden(void **state)
{
    struct fixture *f = *state;
    struct queue_message m, again;
    struct error err;
    send_one(f, "a", "x");
    m = receive_one(f);
    for (int i = 0; i < 5; i++) {
        pass_most_of_a_lease();
        assert_int_equal(f->queue->vtable->extend(f->queue, m.handle, LEASE_MS, &err), CODE_OK);
    }
    assert_int_equal(receive(f, 1, &again), 0);
}

static void test_extend_of_nothing_releases(void **state)
{
    struct fixture *f = *state;
    struct error err;
    send_one(f, "a", "x");
    struct queue_message m = receive_one(f);
    assert_int_equal(f->queue->vtable->extend(f->queue, m.handle, 0, &err), CODE_OK);
    assert_int_equal(receive_one(f).receive_count, 2);
}

/* Rule 29. */
static void test_extend_tells_of_a_lost_lease(void **state)
{
    struct fixture *f = *state;
    struct error err;
    bool lost[3];
    send_one(f, "a", "x");
    send_one(f, "b", "x");
    struct queue_message old = receive_one(f), held = receive_one(f);
    pass(LEASE_MS / 2);
    assert_int_equal(f->queue->vtable->extend(f->queue, held.handle, 2 * LEASE_MS, &err), CODE_OK);
    pass(LEASE_MS / 2 + (backend->real_time ? SLACK_MS : 0));
    assert_int_equal(f->queue->vtable->extend(f->queue, old.handle, LEASE_MS, &err),
                     CODE_NOT_FOUND);
    receive_one(f);
    struct str handles[] = {old.handle, held.handle, STR("no handle")};
    assert_int_equal(f->queue->vtable->extend_many(f->queue, handles, 3, LEASE_MS, lost, &err),
                     CODE_OK);
    assert_true(lost[0] && !lost[1] && lost[2]);
}

static void test_remove_is_for_the_last_receipt_only(void **state)
{
    struct fixture *f = *state;
    send_one(f, "a", "x");
    struct queue_message old = receive_one(f);
    pass_a_lease();
    struct queue_message held = receive_one(f);
    if (backend->local) { /* SQS may delete by a handle that is stale */
        remove_one(f, old.handle);
        assert_int_equal(waiting(f), 1);
    }
    remove_one(f, held.handle);
    assert_int_equal(waiting(f), 0);
    remove_one(f, held.handle);
    assert_int_equal(waiting(f), 0);
}

static void test_an_id_waits_once(void **state)
{
    struct fixture *f = *state;
    struct queue_item two[] = {{STR("a"), STR("x"), 1}, {STR("a"), STR("x"), 1}};
    struct error err;
    assert_int_equal(f->queue->vtable->send(f->queue, two, 2, &err), CODE_OK);
    send_one(f, "a", "x");
    assert_int_equal(waiting(f), 1);
    struct queue_message m = receive_one(f);
    send_one(f, "a", "x"); /* it waits still, though leased */
    assert_int_equal(waiting(f), 1);
    remove_one(f, m.handle);
    send_one(f, "a", "x");
    assert_int_equal(waiting(f), 1);
}

static void test_full_refuses_all_and_takes_again(void **state)
{
    struct fixture *f = *state;
    struct error err;
    char *big = xcalloc(1, 700 * 1024);
    struct str body = {big, 700 * 1024};
    struct queue_item items[] = {{STR("a"), body, 1}, {STR("b"), body, 1}};
    assert_int_equal(f->queue->vtable->send(f->queue, items, 2, &err), CODE_RESOURCE_EXHAUSTED);
    assert_string_equal(err.reason, "QUEUE_FULL");
    assert_int_equal(waiting(f), 0);
    assert_int_equal(f->queue->vtable->send(f->queue, items, 1, &err), CODE_OK);
    assert_int_equal(f->queue->vtable->send(f->queue, items + 1, 1, &err), CODE_RESOURCE_EXHAUSTED);
    assert_int_equal(f->queue->vtable->send(f->queue, items, 1, &err), CODE_OK); /* a duplicate */
    remove_one(f, receive_one(f).handle);
    assert_int_equal(f->queue->vtable->send(f->queue, items + 1, 1, &err), CODE_OK);
    xfree(big);
}

static void test_a_restart_keeps_messages_and_ends_leases(void **state)
{
    struct fixture *f = *state;
    send_one(f, "a", "x");
    send_one(f, "b", "y");
    struct queue_message gone = receive_one(f), held = receive_one(f);
    remove_one(f, gone.handle);
    reopen(f);
    assert_int_equal(waiting(f), 1);
    struct queue_message again = receive_one(f);
    assert_true(str_eq(again.id, STR("b")));
    assert_int_equal(again.receive_count, 2);
    remove_one(f, held.handle); /* from before: stale */
    assert_int_equal(waiting(f), 1);
}

static void test_many_at_once(void **state)
{
    struct fixture *f = *state;
    struct queue_message *m = xcalloc(MANY, sizeof *m);
    struct str *handles = xcalloc(MANY, sizeof *handles);
    struct error err;
    char id[16];
    for (int i = 0; i < MANY; i++) {
        snprintf(id, sizeof id, "%d", i);
        send_one(f, id, id);
    }
    assert_int_equal(receive_for(f, MANY, LONG_MS, m), MANY);
    for (int i = 0; i < MANY; i++)
        handles[i] = m[i].handle;
    struct str last = m[MANY - 1].id;
    assert_int_equal(f->queue->vtable->remove(f->queue, handles, MANY - 1, &err), CODE_OK);
    assert_int_equal(waiting(f), 1);
    assert_int_equal(f->queue->vtable->extend(f->queue, handles[MANY - 1], 0, &err), CODE_OK);
    assert_true(str_eq(receive_one(f).id, last));
    xfree(m);
    xfree(handles);
}

static void *wake_later(void *argument)
{
    struct fixture *f = argument;
    usleep(20000);
    f->queue->vtable->wake(f->queue);
    return NULL;
}

static void *send_later(void *argument)
{
    usleep(20000);
    send_one(argument, "late", "x");
    return NULL;
}

static size_t receive_waiting(struct fixture *f, void *(*other)(void *))
{
    struct queue_message m;
    struct error err;
    size_t count;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, other, f), 0);
    assert_int_equal(
        f->queue->vtable->receive(f->queue, 1, LEASE_MS, 30000, &f->arena, &m, &count, &err),
        CODE_OK);
    pthread_join(thread, NULL);
    return count;
}

static void test_a_receiver_waits_and_is_woken(void **state)
{
    assert_int_equal(receive_waiting(*state, send_later), 1);
    assert_int_equal(receive_waiting(*state, wake_later), 0);
}

static void test_a_second_owner_is_refused(void **state)
{
    struct fixture *f = *state;
    struct queue *second = NULL;
    struct error err;
    assert_int_equal(queue_sqlite_open(f->path, 1 << 20, &CLOCK, &second, &err),
                     CODE_FAILED_PRECONDITION);
    assert_non_null(strstr(err.text, f->path));
}

int main(void)
{
    const struct CMUnitTest common[] = {
        cmocka_unit_test_setup_teardown(test_in_order_with_its_content, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_lease_hides_until_it_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_extend_keeps_it_hidden, setup, teardown),
        cmocka_unit_test_setup_teardown(test_extend_of_nothing_releases, setup, teardown),
        cmocka_unit_test_setup_teardown(test_extend_tells_of_a_lost_lease, setup, teardown),
        cmocka_unit_test_setup_teardown(test_remove_is_for_the_last_receipt_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_receiver_waits_and_is_woken, setup, teardown),
    };
    const struct CMUnitTest of_local_ones[] = {
        cmocka_unit_test_setup_teardown(test_an_id_waits_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_refuses_all_and_takes_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_restart_keeps_messages_and_ends_leases, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_second_owner_is_refused, setup, teardown),
    };
    int failed = 0;
    for (size_t i = 0; i < sizeof BACKENDS / sizeof *BACKENDS; i++) {
        backend = &BACKENDS[i];
        if (!backend->local && !getenv("OMNI_TEST_AWS"))
            continue;
        failed += cmocka_run_group_tests_name(backend->name, common, NULL, NULL);
        if (backend->local)
            failed += cmocka_run_group_tests_name(backend->name, of_local_ones, NULL, NULL);
    }
    return failed;
}
