/* Whose a user is, as a condition of a write, and the pseudonyms of those who act. */
#include "tests/contract/user/store_suite.h"

#include <pthread.h>

static const struct store_owner ADA = {STR("https://issuer"), STR("ada")};

static struct user create_for(struct suite *suite, const char *email,
                              const struct store_owner *owner)
{
    struct user user = suite_user(suite, email, "Somebody"), created;
    if (owner) {
        user.owner_issuer = owner->issuer;
        user.owner_subject = owner->subject;
    }
    assert_int_equal(suite_create_once(suite, &user, NULL, &created), CODE_OK);
    return created;
}

static enum code update_as(struct suite *suite, struct id id, const struct store_owner *owner,
                           struct str etag, const struct store_once *once)
{
    struct user_change change = {.id = id,
                                 .etag = etag,
                                 .fields = USER_FIELD_GIVEN_NAME,
                                 .values = {.given_name = STR("New")},
                                 .now_us = suite->clock.wall_us + 1};
    struct store_write write = suite_write(once);
    struct user updated;
    write.owner = owner;
    error_clear(&suite->err);
    return suite->store->vtable->update(suite->store, &write, &change, &suite->arena, &updated,
                                        &suite->replayed, &suite->err);
}

static enum code remove_as(struct suite *suite, struct id id, const struct store_owner *owner,
                           struct str etag)
{
    struct store_write write = suite_write(NULL);
    write.owner = owner;
    error_clear(&suite->err);
    return suite->store->vtable->remove(suite->store, &write, id, etag, &suite->replayed,
                                        &suite->err);
}

static void check_refused(struct suite *suite, enum code code, char text[ERROR_TEXT_BYTES])
{
    assert_int_equal(code, CODE_PERMISSION_DENIED);
    assert_string_equal(suite->err.reason, REASON_NOT_OWNER);
    assert_int_equal(suite->err.field_count, 0);
    if (text[0])
        assert_string_equal(suite->err.text, text); /* the same for all */
    snprintf(text, ERROR_TEXT_BYTES, "%s", suite->err.text);
}

static void only_the_owner_writes(void **state)
{
    static const struct store_owner others[] = {
        {STR("https://issuer"), STR("adam")},
        {STR("https://issuer"), STR("Ada")},
        {STR("https://other"), STR("ada")},
        {STR("https://issuer"), STR("")},
        {STR(""), STR("")},
    };
    struct suite *suite = *state;
    char text[ERROR_TEXT_BYTES] = "";
    struct user mine = create_for(suite, "a@x", &ADA), got;
    struct user nobodys = create_for(suite, "b@x", NULL);
    struct id unknown = id_new(&suite->clock.base);
    uint64_t events = suite_stats(suite).events;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        check_refused(suite, update_as(suite, mine.id, &others[i], STR(""), NULL), text);
        check_refused(suite, remove_as(suite, mine.id, &others[i], STR("")), text);
    }
    /* None, another's, and another's with a wrong etag are told alike. */
    check_refused(suite, update_as(suite, unknown, &ADA, STR(""), NULL), text);
    check_refused(suite, remove_as(suite, unknown, &ADA, STR("")), text);
    check_refused(suite, update_as(suite, nobodys.id, &ADA, STR(""), NULL), text);
    check_refused(suite, remove_as(suite, nobodys.id, &ADA, STR("")), text);
    check_refused(suite, update_as(suite, nobodys.id, &ADA, STR("1-0"), NULL), text);
    check_refused(suite, remove_as(suite, nobodys.id, &ADA, STR("1-0")), text);
    assert_int_equal(suite_stats(suite).events, events);
    assert_int_equal(suite_get(suite, mine.id, &got), CODE_OK);
    assert_int_equal(got.version, 1);

    assert_int_equal(update_as(suite, mine.id, &ADA, STR("1-0"), NULL), CODE_ABORTED);
    assert_int_equal(update_as(suite, mine.id, &ADA, STR(""), NULL), CODE_OK);
    assert_int_equal(suite_get(suite, mine.id, &got), CODE_OK);
    assert_str_equal(got.owner_subject, STR("ada"));
    assert_int_equal(remove_as(suite, mine.id, &ADA, STR("")), CODE_OK);
    check_refused(suite, remove_as(suite, mine.id, &ADA, STR("")), text); /* it is gone */
    /* Whoever is held to no owner learns what there is. */
    assert_int_equal(update_as(suite, unknown, NULL, STR(""), NULL), CODE_NOT_FOUND);
    assert_int_equal(remove_as(suite, nobodys.id, NULL, STR("")), CODE_OK);
}

/* An answer given before is given again, and a refusal leaves no trace under the request id. */
static void a_refusal_is_not_remembered(void **state)
{
    struct suite *suite = *state;
    struct user mine = create_for(suite, "a@x", &ADA);
    const struct store_owner other = {STR("https://issuer"), STR("eve")};
    struct store_once once = {.request_id = STR("r1"), .hash = {1}};
    assert_int_equal(update_as(suite, mine.id, &other, STR(""), &once), CODE_PERMISSION_DENIED);
    assert_int_equal(update_as(suite, mine.id, &ADA, STR(""), &once), CODE_OK);
    assert_false(suite->replayed);
    assert_int_equal(update_as(suite, mine.id, &ADA, STR(""), &once), CODE_OK);
    assert_true(suite->replayed);
}

/* --- pseudonyms --- */

static struct store_actor actor_of(uint8_t number)
{
    return (struct store_actor){.hash = {number, 7, number}};
}

static struct id id_of(uint8_t number)
{
    return (struct id){.bytes = {number, 9}};
}

static enum code resolve(struct suite *suite, const struct store_actor *actors, struct id *ids,
                         size_t count)
{
    struct store_call call = suite_call();
    error_clear(&suite->err);
    return suite->store->vtable->actors(suite->store, &call, actors, ids, count, &suite->err);
}

static void pseudonyms_stay_until_they_are_forgotten(void **state)
{
    struct suite *suite = *state;
    struct store_actor actors[] = {actor_of(1), actor_of(2), actor_of(3)};
    struct id first[] = {id_of(1), id_of(2)}, second[] = {id_of(11), id_of(12), id_of(13)};
    struct store_call call = suite_call();
    assert_int_equal(resolve(suite, actors, first, 2), CODE_OK);
    assert_memory_equal(first[0].bytes, id_of(1).bytes, sizeof first[0].bytes);
    suite_reopen(suite);
    assert_int_equal(resolve(suite, actors, second, 3), CODE_OK);
    assert_memory_equal(second[0].bytes, id_of(1).bytes, sizeof second[0].bytes);
    assert_memory_equal(second[1].bytes, id_of(2).bytes, sizeof second[1].bytes);
    assert_memory_equal(second[2].bytes, id_of(13).bytes, sizeof second[2].bytes);
    for (int i = 0; i < 2; i++) /* the second time there is none: as well */
        assert_int_equal(
            suite->store->vtable->actor_forget(suite->store, &call, &actors[0], &suite->err),
            CODE_OK);
    struct id third[] = {id_of(21), id_of(22)};
    assert_int_equal(resolve(suite, actors, third, 2), CODE_OK);
    assert_memory_equal(third[0].bytes, id_of(21).bytes, sizeof third[0].bytes);
    assert_memory_equal(third[1].bytes, id_of(2).bytes, sizeof third[1].bytes);
    assert_int_equal(resolve(suite, actors, third, 0), CODE_OK);
}

struct proposer {
    struct suite *suite;
    struct id id;
    enum code code;
};

static void *propose(void *argument)
{
    struct proposer *proposer = argument;
    struct store *store = proposer->suite->store;
    struct store_actor actor = actor_of(5);
    struct store_call call = suite_call();
    struct error err = {0};
    proposer->code = store->vtable->actors(store, &call, &actor, &proposer->id, 1, &err);
    return NULL;
}

static void who_propose_at_once_agree(void **state)
{
    enum { PROPOSERS = 8 };
    struct proposer proposers[PROPOSERS];
    pthread_t threads[PROPOSERS];
    for (uint8_t i = 0; i < PROPOSERS; i++) {
        proposers[i] = (struct proposer){.suite = *state, .id = id_of(i)};
        assert_int_equal(pthread_create(&threads[i], NULL, propose, &proposers[i]), 0);
    }
    for (int i = 0; i < PROPOSERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(proposers[i].code, CODE_OK);
    }
    for (int i = 1; i < PROPOSERS; i++)
        assert_memory_equal(proposers[i].id.bytes, proposers[0].id.bytes, sizeof(struct id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SUITE_TEST(only_the_owner_writes),
        SUITE_TEST(a_refusal_is_not_remembered),
        SUITE_TEST(pseudonyms_stay_until_they_are_forgotten),
        SUITE_TEST(who_propose_at_once_agree),
    };
    return suite_run(tests);
}
