/* Pseudonyms on the real store: the same for the same user, remembered, and gone when forgotten. */
#include "tests/contract/user/store_suite.h"

#include "user/emitter.h"
#include "user/pseudonyms.h"

static const struct store_call CALL = {STORE_TENANT, INT64_MAX};

static struct id find(struct pseudonyms *pseudonyms, struct store_actor actor)
{
    struct error err = {0};
    struct id id;
    assert_int_equal(pseudonyms_find(pseudonyms, &CALL, &actor, &id, 1, &err), CODE_OK);
    return id;
}

#define assert_same(a, b) assert_memory_equal((a).bytes, (b).bytes, sizeof(struct id))
#define assert_other(a, b) assert_memory_not_equal((a).bytes, (b).bytes, sizeof(struct id))

static void who_is_who(void **state)
{
    struct store_actor ada = pseudonyms_actor(STR("https://i"), STR("ada"));
    struct store_actor again = pseudonyms_actor(STR("https://i"), STR("ada"));
    struct store_actor moved = pseudonyms_actor(STR("https://ia"), STR("da"));
    (void)state;
    assert_memory_equal(ada.hash, again.hash, sizeof ada.hash);
    assert_memory_not_equal(ada.hash, moved.hash, sizeof ada.hash);
}

static void the_same_until_forgotten(void **state)
{
    struct suite *suite = *state;
    struct pseudonyms *pseudonyms = pseudonyms_new(suite->store, &suite->clock.base);
    struct store_actor ada = pseudonyms_actor(STR("i"), STR("ada"));
    struct store_actor bob = pseudonyms_actor(STR("i"), STR("bob"));
    struct id first = find(pseudonyms, ada), second = find(pseudonyms, bob);
    assert_other(first, second);
    assert_int_equal(first.bytes[6] >> 4, 4); /* random: it does not say when it was made */
    assert_same(find(pseudonyms, ada), first);
    suite->clock.wall_us += 3600LL * 1000000; /* not remembered any more: from the store */
    assert_same(find(pseudonyms, ada), first);
    pseudonyms_free(pseudonyms);
    suite_reopen(suite);
    pseudonyms = pseudonyms_new(suite->store, &suite->clock.base);
    assert_same(find(pseudonyms, ada), first);
    assert_int_equal(pseudonyms_forget(pseudonyms, &CALL, &ada, &suite->err), CODE_OK);
    struct id fresh = find(pseudonyms, ada);
    assert_other(fresh, first);
    assert_same(find(pseudonyms, ada), fresh);
    assert_same(find(pseudonyms, bob), second);
    pseudonyms_free(pseudonyms);
}

static void many_at_once_and_some_twice(void **state)
{
    struct suite *suite = *state;
    struct pseudonyms *pseudonyms = pseudonyms_new(suite->store, &suite->clock.base);
    struct store_actor actors[PSEUDONYMS_AT_ONCE];
    struct id found[PSEUDONYMS_AT_ONCE], again[PSEUDONYMS_AT_ONCE];
    for (int i = 0; i < PSEUDONYMS_AT_ONCE; i++) {
        char subject[16];
        snprintf(subject, sizeof subject, "s%d", i / 2);
        actors[i] = pseudonyms_actor(STR("i"), str_of(subject));
    }
    struct id known = find(pseudonyms, actors[10]);
    for (int round = 0; round < 2; round++)
        assert_int_equal(pseudonyms_find(pseudonyms, &CALL, actors, round ? again : found,
                                         PSEUDONYMS_AT_ONCE, &suite->err),
                         CODE_OK);
    assert_same(found[11], known);
    for (int i = 0; i < PSEUDONYMS_AT_ONCE; i += 2) {
        assert_same(found[i], found[i + 1]);
        assert_other(found[i], found[(i + 2) % PSEUDONYMS_AT_ONCE]);
        assert_same(found[i], again[i]);
    }
    pseudonyms_free(pseudonyms);
}

/* A store whose answer comes when the actor, whose pseudonym is in it, has just been forgotten. */
struct slow_store {
    struct store base;
    struct store_vtable vtable;
    struct store *real;
    struct pseudonyms *pseudonyms;
    const struct store_actor *forget; /* NULL: nobody more */
};

static enum code slow_actors(struct store *base, const struct store_call *call,
                             const struct store_actor *actors, struct id *pseudonyms, size_t count,
                             struct error *err)
{
    struct slow_store *slow = (struct slow_store *)base;
    enum code code = slow->real->vtable->actors(slow->real, call, actors, pseudonyms, count, err);
    const struct store_actor *forget = slow->forget;
    slow->forget = NULL;
    if (forget)
        assert_int_equal(pseudonyms_forget(slow->pseudonyms, call, forget, err), CODE_OK);
    return code;
}

static enum code slow_forget(struct store *base, const struct store_call *call,
                             const struct store_actor *actor, struct error *err)
{
    struct slow_store *slow = (struct slow_store *)base;
    return slow->real->vtable->actor_forget(slow->real, call, actor, err);
}

static void forgotten_while_it_is_found(void **state)
{
    struct suite *suite = *state;
    struct store_actor ada = pseudonyms_actor(STR("i"), STR("ada"));
    struct slow_store slow = {.vtable = {.actors = slow_actors, .actor_forget = slow_forget},
                              .real = suite->store,
                              .forget = &ada};
    slow.base.vtable = &slow.vtable;
    slow.pseudonyms = pseudonyms_new(&slow.base, &suite->clock.base);
    struct id before = find(slow.pseudonyms, ada); /* asked for before, so it may still be */
    struct id after = find(slow.pseudonyms, ada);
    assert_other(before, after);
    assert_same(find(slow.pseudonyms, ada), after);
    struct pseudonyms *another = pseudonyms_new(suite->store, &suite->clock.base);
    assert_same(find(another, ada), after); /* it is the one that the store has */
    pseudonyms_free(another);
    pseudonyms_free(slow.pseudonyms);
}

/* What the events carry: of a read through the ring, and of a write. */
static void events_carry_them(void **state)
{
    struct suite *suite = *state;
    struct emitter *emitter =
        emitter_new_idle(&(struct emitter_options){.store = suite->store,
                                                   .clock = &suite->clock.base,
                                                   .ring_slots = 256,
                                                   .outbox_bytes_max = 1 << 20});
    struct store_actor ada = pseudonyms_actor(STR("i"), STR("ada"));
    const struct event_facts facts = {.kind = EVENT_USER_READ, .key_id = STR("k"), .by = &ada};
    const struct event_facts nobodys = {.kind = EVENT_USERS_LISTED};
    struct store_batch batch;
    size_t count;
    char text[ID_TEXT_BYTES + 1];
    for (int i = 0; i < 100; i++) { /* more than are looked up at once */
        emitter_put(emitter, &facts);
        emitter_put(emitter, &nobodys);
    }
    struct store_event written = emitter_write(emitter, &CALL, &facts, &suite->arena);
    emitter_flush(emitter);
    struct pseudonyms *pseudonyms = pseudonyms_new(suite->store, &suite->clock.base);
    id_format(find(pseudonyms, ada), text);
    assert_non_null(memmem(written.bytes.ptr, written.bytes.len, text, ID_TEXT_BYTES));
    assert_int_equal(suite->store->vtable->outbox_oldest(suite->store, 1, 1 << 20, &suite->arena,
                                                         &batch, &count, &suite->err),
                     CODE_OK);
    assert_int_equal(batch.count, 200);
    size_t times = 0;
    for (const char *at = batch.body.ptr, *end = at + batch.body.len;
         (at = memmem(at, (size_t)(end - at), text, ID_TEXT_BYTES)); at += ID_TEXT_BYTES)
        times++;
    assert_int_equal(times, 100);
    pseudonyms_free(pseudonyms);
    emitter_free(emitter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_who),
        SUITE_TEST(the_same_until_forgotten),
        SUITE_TEST(many_at_once_and_some_twice),
        SUITE_TEST(forgotten_while_it_is_found),
        SUITE_TEST(events_carry_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
