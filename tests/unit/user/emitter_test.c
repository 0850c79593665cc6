/* How far a flush goes in sealing the events of writes: over a store that only counts them. */
#include "tests/support/unit.h"

#include "base/arena.h"
#include "user/emitter.h"

struct counting_store {
    struct store base;
    size_t unsealed;
    size_t batch; /* the most that one takes */
    size_t come;  /* while one is sealed */
    int seals;
    enum code code;
};

static void counted(struct store *base, struct store_outbox_stats *stats)
{
    *stats = (struct store_outbox_stats){.unsealed = ((struct counting_store *)base)->unsealed};
}

static enum code seal(struct store *base, size_t *sealed, struct error *err)
{
    struct counting_store *store = (struct counting_store *)base;
    store->seals++;
    if (store->code != CODE_OK)
        return error_set(err, store->code, NULL, "as told");
    *sealed = store->unsealed < store->batch ? store->unsealed : store->batch;
    store->unsealed += store->come - *sealed;
    return CODE_OK;
}

static const struct store_vtable VTABLE = {.outbox_stats = counted, .outbox_seal = seal};

static void count_up(void *argument)
{
    ++*(int *)argument;
}

static void flush(struct counting_store *store, int *told)
{
    store->base.vtable = &VTABLE;
    struct emitter *emitter = emitter_new_idle(&(struct emitter_options){.store = &store->base,
                                                                         .clock = clock_real(),
                                                                         .ring_slots = 2,
                                                                         .outbox_bytes_max = 1,
                                                                         .sealed = count_up,
                                                                         .argument = told});
    emitter_flush(emitter);
    emitter_free(emitter);
}

static void a_flush_seals_all_that_waited_and_ends(void **state)
{
    static const struct {
        size_t unsealed, batch, come;
        int seals;
        size_t left;
    } cases[] = {
        {0, 1000, 0, 0, 0},         {2500, 877, 0, 3, 0},
        {4000, 1000, 0, 4, 0},      {10, 1, 1, 10, 10}, /* as fast as they are sealed */
        {2000, 1000, 900, 2, 1800}, {5, 0, 0, 1, 5},    /* counted, but not there */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct counting_store store = {
            .unsealed = cases[i].unsealed, .batch = cases[i].batch, .come = cases[i].come};
        int told = 0;
        flush(&store, &told);
        assert_int_equal(store.seals, cases[i].seals);
        assert_int_equal(store.unsealed, cases[i].left);
        assert_int_equal(told, cases[i].seals && cases[i].batch);
    }
}

static void a_store_that_fails_is_not_asked_again_in_this_flush(void **state)
{
    struct counting_store store = {.unsealed = 5, .batch = 1, .code = CODE_UNAVAILABLE};
    int told = 0;
    (void)state;
    flush(&store, &told);
    assert_int_equal(store.seals, 1);
    assert_int_equal(told, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flush_seals_all_that_waited_and_ends),
        cmocka_unit_test(a_store_that_fails_is_not_asked_again_in_this_flush),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
