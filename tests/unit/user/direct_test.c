/* What is kept, what there is room for, and what turns out to be an orphan; a store that fails. */
#include "tests/support/unit.h"

#include "user/direct.h"
#include "user/emitter.h"

#include <stdio.h>
#include <string.h>

static struct store_batch batch_of(uint8_t number, struct str body)
{
    return (struct store_batch){.id = {{number}}, .count = number, .body = body};
}

static void what_is_kept_is_found(void **state)
{
    struct direct *direct = direct_new(1 << 16);
    struct arena arena = {0};
    struct store_batch one = batch_of(1, STR("one")), two = batch_of(2, STR("two"));
    struct store_batch asked[] = {batch_of(2, STR("-")), batch_of(3, STR("-")),
                                  batch_of(1, STR("-"))};
    (void)state;
    assert_true(direct_keep(direct, &one));
    assert_true(direct_keep(direct, &two));
    direct_fill(direct, asked, 3, &arena);
    assert_true(str_eq(asked[0].body, STR("two")));
    assert_true(str_eq(asked[1].body, STR("-")));
    assert_true(str_eq(asked[2].body, STR("one")));
    assert_true(direct_drop(direct, one.id));
    assert_false(direct_drop(direct, one.id));
    assert_true(str_eq(asked[2].body, STR("one"))); /* a copy */
    arena_clear(&arena);
    direct_free(direct);
}

static void room_is_counted_in_bytes_and_batches(void **state)
{
    struct direct *direct = direct_new(20000);
    char bytes[12000] = {0};
    struct store_batch large = batch_of(1, (struct str){bytes, sizeof bytes});
    struct store_batch small[] = {batch_of(2, STR("x")), batch_of(3, STR("x"))};
    (void)state;
    assert_true(direct_keep(direct, &large));
    assert_true(direct_keep(direct, &small[0])); /* 4096 at the least */
    assert_false(direct_keep(direct, &small[1]));
    assert_true(direct_drop(direct, small[0].id));
    assert_true(direct_keep(direct, &small[1]));
    assert_true(direct_drop(direct, large.id));
    assert_true(direct_keep(direct, &large));
    direct_free(direct);
    direct_free(NULL);
}

static void only_what_was_announced_before_can_be_an_orphan(void **state)
{
    struct direct *direct = direct_new(1 << 16);
    struct store_batch batches[] = {batch_of(1, STR("a")), batch_of(2, STR("b")),
                                    batch_of(3, STR("c"))};
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_true(direct_keep(direct, &batches[i]));
    direct_announced(direct, batches[1].id);
    uint64_t mark = direct_mark(direct);
    direct_announced(direct, batches[2].id);
    direct_announced(direct, (struct id){{9}}); /* gone already */
    assert_int_equal(direct_drop_orphans(direct, mark), 2);
    assert_false(direct_drop(direct, batches[1].id));
    assert_true(direct_drop(direct, batches[0].id));
    assert_true(direct_drop(direct, batches[2].id));
    direct_free(direct);
}

/* --- an emitter over a store that fails --- */

struct failing_store {
    struct store base;
    struct direct *direct;
    bool is_sent; /* the relay was faster, though the call failed */
};

static enum code failing_add(struct store *base, const struct store_batch *batches, size_t count,
                             struct error *err)
{
    struct failing_store *store = (struct failing_store *)base;
    for (size_t i = 0; i < count && store->is_sent; i++)
        assert_true(direct_drop(store->direct, batches[i].id));
    return error_set(err, CODE_UNAVAILABLE, NULL, "as told");
}

static void no_stats(struct store *base, struct store_outbox_stats *stats)
{
    (void)base;
    *stats = (struct store_outbox_stats){0};
}

static const struct store_vtable FAILING = {.outbox_add = failing_add, .outbox_stats = no_stats};

static void what_the_store_does_not_take_is_dropped_and_counted(void **state)
{
    (void)state;
    for (int sent = 0; sent < 2; sent++) {
        struct failing_store store = {.base = {&FAILING}, .is_sent = sent};
        store.direct = direct_new(1 << 20);
        struct emitter *emitter = emitter_new_idle(&(struct emitter_options){
            .store = &store.base,
            .direct = store.direct,
            .clock = clock_real(),
            .ring_slots = 8,
            .outbox_bytes_max = 1 << 20,
        });
        for (int i = 0; i < 3; i++)
            emitter_put(emitter, &(struct event_facts){.kind = EVENT_USER_READ});
        emitter_flush(emitter);
        assert_int_equal(emitter_dropped(emitter), sent ? 0 : 3);
        assert_int_equal(direct_drop_orphans(store.direct, UINT64_MAX), 0);
        emitter_free(emitter);
        direct_free(store.direct);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_is_found),
        cmocka_unit_test(room_is_counted_in_bytes_and_batches),
        cmocka_unit_test(only_what_was_announced_before_can_be_an_orphan),
        cmocka_unit_test(what_the_store_does_not_take_is_dropped_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
