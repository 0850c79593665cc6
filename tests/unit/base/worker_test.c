/* The pool: bounded, in order, and nothing taken is left undone. */
#include "tests/support/unit.h"

#include "base/worker.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

static sem_t started, go;
static atomic_int done;

static void wait_for_go(void *job)
{
    (void)job;
    sem_post(&started);
    sem_wait(&go);
    atomic_fetch_add(&done, 1);
}

static void count(void *job)
{
    (void)job;
    atomic_fetch_add(&done, 1);
}

static void refuses_when_full_and_finishes_what_it_took(void **state)
{
    struct worker_pool *pool = worker_pool_new("test", 1, 2);
    (void)state;
    sem_init(&started, 0, 0);
    sem_init(&go, 0, 0);
    atomic_store(&done, 0);
    assert_true(worker_pool_submit(pool, wait_for_go, NULL));
    sem_wait(&started);
    assert_true(worker_pool_submit(pool, count, NULL));
    assert_true(worker_pool_submit(pool, count, NULL));
    assert_false(worker_pool_submit(pool, count, NULL));
    assert_int_equal(worker_pool_waiting(pool), 2);
    sem_post(&go);
    worker_pool_free(pool);
    assert_int_equal(atomic_load(&done), 3);
    worker_pool_free(NULL);
}

static void runs_all_jobs_of_many_threads(void **state)
{
    struct worker_pool *pool = worker_pool_new("test", 4, 100000);
    (void)state;
    atomic_store(&done, 0);
    for (int i = 0; i < 50000; i++)
        assert_true(worker_pool_submit(pool, count, NULL));
    worker_pool_free(pool);
    assert_int_equal(atomic_load(&done), 50000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_when_full_and_finishes_what_it_took),
        cmocka_unit_test(runs_all_jobs_of_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
