/* Keys over time: the clock is turned, the issuer changes its keys and goes away. */
#include "tests/unit/gateway/issuer_world.h"

#include "base/alloc.h"
#include "base/log.h"

#include <pthread.h>
#include <stdatomic.h>

enum { REFRESH_MS = 300000, REFETCH_MS = 60000, KEEP_MS = 3600000 };

struct fixture {
    struct issuer_world world;
    struct jwks *jwks;
};

static int set_up(void **state)
{
    struct fixture *fixture = xcalloc(1, sizeof *fixture);
    world_init(&fixture->world);
    fixture->jwks = jwks_new(&(struct jwks_options){.issuer = STR(ISSUER),
                                                    .refresh_ms = REFRESH_MS,
                                                    .refetch_ms = REFETCH_MS,
                                                    .keep_ms = KEEP_MS,
                                                    .clock = &fixture->world.clock,
                                                    .fetcher = world_fetcher(&fixture->world)});
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    jwks_free(fixture->jwks);
    world_clear(&fixture->world);
    xfree(fixture);
    return 0;
}

static enum jwks_answer find(struct fixture *fixture, const char *kid)
{
    struct jwks_found found = {0};
    enum jwks_answer answer = jwks_find(fixture->jwks, str_of(kid), CRYPTO_KEY_P256, &found);
    assert_int_equal(answer == JWKS_FOUND, found.key != NULL);
    jwk_set_release(found.set);
    return answer;
}

/* Rule 24. */
static void keys_come_and_are_refreshed(void **state)
{
    struct fixture *fixture = *state;
    struct issuer_world *world = &fixture->world;
    assert_int_equal(find(fixture, "old"), JWKS_NONE);
    int64_t wait_ms = jwks_step(fixture->jwks);
    assert_int_equal(world->fetches, 1);
    assert_true(wait_ms > REFRESH_MS * 8 / 10 && wait_ms <= REFRESH_MS);
    assert_int_equal(find(fixture, "old"), JWKS_FOUND);
    assert_int_equal(jwks_step(fixture->jwks), wait_ms); /* not due: nothing happens */
    assert_int_equal(world->fetches, 1);
    world->now_ms += wait_ms;
    world->keys = world_jwks(world, true, true);
    jwks_step(fixture->jwks);
    assert_int_equal(world->fetches, 2);
    assert_int_equal(find(fixture, "new"), JWKS_FOUND);
}

/* Rule 24. */
static void unknown_keys_cause_one_fetch_a_minute(void **state)
{
    struct fixture *fixture = *state;
    struct issuer_world *world = &fixture->world;
    jwks_step(fixture->jwks);
    world->now_ms += REFETCH_MS - 1;
    assert_int_equal(find(fixture, "new"), JWKS_UNKNOWN);
    assert_true(jwks_step(fixture->jwks) > 0);
    assert_int_equal(world->fetches, 1);
    world->now_ms += 1;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(find(fixture, i % 2 ? "new" : "none"), JWKS_ASKING);
    assert_true(jwks_step(fixture->jwks) > 0);
    assert_int_equal(world->fetches, 2);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(find(fixture, "new"), JWKS_UNKNOWN);
    assert_true(jwks_step(fixture->jwks) > 0);
    assert_int_equal(world->fetches, 2);
    world->now_ms += REFETCH_MS;
    world->keys = world_jwks(world, true, true);
    assert_int_equal(find(fixture, "new"), JWKS_ASKING);
    jwks_step(fixture->jwks);
    assert_int_equal(find(fixture, "new"), JWKS_FOUND);
}

static void find_new(void *argument)
{
    assert_int_equal(find(argument, "new"), JWKS_ASKING);
    assert_int_equal(find(argument, "old"), JWKS_FOUND);
}

static void the_issuer_is_being_asked(void **state)
{
    struct fixture *fixture = *state;
    jwks_step(fixture->jwks);
    fixture->world.meanwhile = find_new;
    fixture->world.argument = fixture;
    fixture->world.now_ms += REFRESH_MS;
    jwks_step(fixture->jwks);
    assert_int_equal(fixture->world.fetches, 2);
    assert_int_equal(find(fixture, "new"), JWKS_UNKNOWN);
}

static void known_keys_cause_none(void **state)
{
    struct fixture *fixture = *state;
    jwks_step(fixture->jwks);
    fixture->world.now_ms += REFETCH_MS;
    assert_int_equal(find(fixture, "old"), JWKS_FOUND);
    assert_true(jwks_step(fixture->jwks) > 0);
    assert_int_equal(fixture->world.fetches, 1);
}

static void failures_are_repeated_slower_and_slower(void **state)
{
    struct fixture *fixture = *state;
    struct issuer_world *world = &fixture->world;
    static const int64_t pauses[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    world->fault = CODE_UNAVAILABLE;
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        int64_t wait_ms = jwks_step(fixture->jwks);
        assert_int_equal(world->fetches, i + 1);
        assert_true(wait_ms > pauses[i] * 8 / 10 && wait_ms <= pauses[i]);
        assert_int_equal(find(fixture, "old"), JWKS_NONE); /* nor does asking hurry it */
        assert_true(jwks_step(fixture->jwks) > 0);
        world->now_ms += wait_ms;
    }
    world->fault = CODE_OK;
    assert_true(jwks_step(fixture->jwks) > REFETCH_MS);
    assert_int_equal(find(fixture, "old"), JWKS_FOUND);
    world->fault = CODE_UNAVAILABLE;
    world->now_ms += REFRESH_MS;
    assert_true(jwks_step(fixture->jwks) <= 1000); /* from the beginning */
}

/* Rule 24. */
static void old_keys_are_kept_for_a_while(void **state)
{
    struct fixture *fixture = *state;
    struct issuer_world *world = &fixture->world;
    jwks_step(fixture->jwks);
    world->fault = CODE_DEADLINE_EXCEEDED;
    world->now_ms += KEEP_MS;
    jwks_step(fixture->jwks);
    assert_int_equal(find(fixture, "old"), JWKS_FOUND);
    world->now_ms += 1;
    assert_int_equal(find(fixture, "old"), JWKS_NONE);
    world->fault = CODE_OK;
    world->now_ms += 60000;
    jwks_step(fixture->jwks);
    assert_int_equal(find(fixture, "old"), JWKS_FOUND);
}

/* Rule 24. */
static void keys_that_are_withdrawn_are_gone(void **state)
{
    struct fixture *fixture = *state;
    struct issuer_world *world = &fixture->world;
    static const char *const others[] = {
        "{\"keys\":[]}", "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"old\",\"k\":\"AA\"}]}"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        world->keys = world_jwks(world, true, false);
        world->now_ms += REFRESH_MS;
        jwks_step(fixture->jwks);
        assert_int_equal(find(fixture, "old"), JWKS_FOUND);
        uint64_t generation = jwks_generation(fixture->jwks);
        world->keys = others[i];
        world->now_ms += REFRESH_MS;
        assert_true(jwks_step(fixture->jwks) > REFETCH_MS); /* no failure, so it is in no hurry */
        assert_int_equal(find(fixture, "old"), JWKS_UNKNOWN);
        assert_int_not_equal(jwks_generation(fixture->jwks), generation);
    }
}

static void what_is_no_set_withdraws_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct issuer_world *world = &fixture->world;
    jwks_step(fixture->jwks);
    uint64_t generation = jwks_generation(fixture->jwks);
    world->keys = "{\"keys\":{}}";
    world->now_ms += REFRESH_MS;
    assert_true(jwks_step(fixture->jwks) <= 1000);
    assert_int_equal(find(fixture, "old"), JWKS_FOUND);
    assert_int_equal(jwks_generation(fixture->jwks), generation);
}

static void the_generation_tells_that_a_key_has_gone(void **state)
{
    struct fixture *fixture = *state;
    struct issuer_world *world = &fixture->world;
    jwks_step(fixture->jwks);
    uint64_t generation = jwks_generation(fixture->jwks);
    world->now_ms += REFRESH_MS;
    jwks_step(fixture->jwks);
    world->now_ms += REFRESH_MS;
    world->keys = world_jwks(world, true, true);
    jwks_step(fixture->jwks);
    assert_int_equal(jwks_generation(fixture->jwks), generation); /* one more is no harm */
    world->now_ms += REFRESH_MS;
    world->keys = world_jwks(world, false, true);
    jwks_step(fixture->jwks);
    assert_int_not_equal(jwks_generation(fixture->jwks), generation);
    assert_int_equal(find(fixture, "old"), JWKS_UNKNOWN);
}

static void a_set_outlives_its_successor_while_it_is_held(void **state)
{
    struct fixture *fixture = *state;
    struct issuer_world *world = &fixture->world;
    struct jwks_found found;
    jwks_step(fixture->jwks);
    assert_int_equal(jwks_find(fixture->jwks, STR("old"), CRYPTO_KEY_P256, &found), JWKS_FOUND);
    world->now_ms += REFRESH_MS;
    world->keys = world_jwks(world, false, true);
    jwks_step(fixture->jwks);
    assert_false(crypto_public_key_verify(found.key, STR("text"), STR("")));
    jwk_set_release(found.set);
}

static void describe(struct fixture *fixture, struct buf *out)
{
    struct json_out json = json_out_to(out);
    buf_reset(out);
    jwks_describe(fixture->jwks, &json);
}

static void it_tells_how_it_is(void **state)
{
    struct fixture *fixture = *state;
    struct buf out;
    buf_init_arena(&out, &fixture->world.arena, 4096);
    describe(fixture, &out);
    assert_string_equal(buf_cstr(&out), "{\"issuer\":\"" ISSUER "\",\"keys\":0,\"failing\":false}");
    jwks_step(fixture->jwks);
    fixture->world.now_ms += REFRESH_MS;
    fixture->world.fault = CODE_UNAVAILABLE;
    jwks_step(fixture->jwks);
    describe(fixture, &out);
    assert_string_equal(buf_cstr(&out), "{\"issuer\":\"" ISSUER "\",\"keys\":1,\"age_s\":300,"
                                        "\"failing\":true}");
}

/* --- with its thread, on the machine's clock --- */

struct finding {
    struct jwks *jwks;
    atomic_bool stop;
    int found;
};

static void *keep_finding(void *argument)
{
    struct finding *finding = argument;
    while (!atomic_load(&finding->stop)) {
        struct jwks_found found = {0};
        if (jwks_find(finding->jwks, STR("old"), CRYPTO_KEY_P256, &found) == JWKS_FOUND)
            finding->found++;
        jwks_generation(finding->jwks);
        jwk_set_release(found.set);
    }
    return NULL;
}

/* Two sets in turn; tells when it was asked often enough. */
struct turning {
    const char *sets[2];
    pthread_mutex_t lock;
    pthread_cond_t often;
    int times;
};

static enum code get_in_turn(void *context, struct str url, struct arena *arena, struct str *body,
                             struct error *err)
{
    struct turning *turning = context;
    (void)arena, (void)err;
    pthread_mutex_lock(&turning->lock);
    *body = str_ends(url, STR("/keys")) ? str_of(turning->sets[turning->times++ % 2])
                                        : STR("{\"issuer\":\"" ISSUER "\","
                                              "\"jwks_uri\":\"" ISSUER "/keys\"}");
    if (turning->times == 20)
        pthread_cond_signal(&turning->often);
    pthread_mutex_unlock(&turning->lock);
    return CODE_OK;
}

static void sets_change_under_running_requests(void **state)
{
    struct fixture *fixture = *state;
    struct turning turning = {
        {world_jwks(&fixture->world, true, false), world_jwks(&fixture->world, true, true)},
        PTHREAD_MUTEX_INITIALIZER,
        PTHREAD_COND_INITIALIZER,
        0};
    struct finding finding = {
        .jwks = jwks_new(&(struct jwks_options){.issuer = STR(ISSUER),
                                                .refresh_ms = 5,
                                                .refetch_ms = 5,
                                                .keep_ms = KEEP_MS,
                                                .clock = clock_real(),
                                                .fetcher = {get_in_turn, &turning}})};
    pthread_t thread;
    jwks_start(finding.jwks);
    pthread_create(&thread, NULL, keep_finding, &finding);
    pthread_mutex_lock(&turning.lock);
    while (turning.times < 20)
        pthread_cond_wait(&turning.often, &turning.lock);
    pthread_mutex_unlock(&turning.lock);
    atomic_store(&finding.stop, true);
    pthread_join(thread, NULL);
    assert_true(finding.found > 0);
    jwks_free(finding.jwks);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(keys_come_and_are_refreshed),
        TEST(unknown_keys_cause_one_fetch_a_minute),
        TEST(the_issuer_is_being_asked),
        TEST(known_keys_cause_none),
        TEST(failures_are_repeated_slower_and_slower),
        TEST(old_keys_are_kept_for_a_while),
        TEST(keys_that_are_withdrawn_are_gone),
        TEST(what_is_no_set_withdraws_nothing),
        TEST(the_generation_tells_that_a_key_has_gone),
        TEST(a_set_outlives_its_successor_while_it_is_held),
        TEST(it_tells_how_it_is),
        TEST(sets_change_under_running_requests),
    };
    log_init("jwks_test", LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
