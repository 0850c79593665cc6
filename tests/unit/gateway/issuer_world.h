/* An issuer without a network for unit tests: a clock to turn, keys to sign with, documents to
 * change, and faults. */
#pragma once
#include "tests/support/unit.h"

#include "base/arena.h"
#include "base/clock.h"
#include "gateway/jwks.h"
#include "tests/support/signer.h"

#include <string.h>

#define ISSUER "https://issuer.example"

enum { START_S = 1800000000 };

struct issuer_world {
    struct clock clock; /* first: the clock's functions cast it back */
    int64_t now_ms;
    struct arena arena;
    struct signer *old_key, *new_key; /* P-256, with the ids "old" and "new" */
    const char *discovery, *keys;
    enum code fault;                   /* of every fetch */
    int fetches;                       /* of key sets and failed ones */
    void (*meanwhile)(void *argument); /* while the key set is fetched; NULL: nothing */
    void *argument;
};

static int64_t world_wall_us(const struct clock *clock)
{
    return ((const struct issuer_world *)clock)->now_ms * 1000;
}

static int64_t world_mono_ms(const struct clock *clock)
{
    return ((const struct issuer_world *)clock)->now_ms;
}

static enum code world_get(void *context, struct str url, struct arena *arena, struct str *body,
                           struct error *err)
{
    struct issuer_world *world = context;
    (void)arena;
    bool discovery = str_ends(url, STR("/.well-known/openid-configuration"));
    world->fetches += !discovery || world->fault;
    if (world->fault)
        return error_set(err, world->fault, NULL, "the issuer is away");
    if (!discovery && world->meanwhile)
        world->meanwhile(world->argument);
    *body = str_of(discovery ? world->discovery : world->keys);
    return CODE_OK;
}

static const char *world_jwks(struct issuer_world *world, bool with_old, bool with_new)
{
    struct buf out;
    buf_init_arena(&out, &world->arena, 4096);
    buf_add_cstr(&out, "{\"keys\":[");
    if (with_old)
        signer_add_jwk(world->old_key, "old", "", &out);
    if (with_old && with_new)
        buf_add_char(&out, ',');
    if (with_new)
        signer_add_jwk(world->new_key, "new", "", &out);
    buf_add_cstr(&out, "]}");
    return buf_cstr(&out);
}

static void world_init(struct issuer_world *world)
{
    memset(world, 0, sizeof *world);
    world->clock = (struct clock){world_wall_us, world_mono_ms};
    world->now_ms = (int64_t)START_S * 1000;
    world->old_key = signer_new(CRYPTO_KEY_P256, 0);
    world->new_key = signer_new(CRYPTO_KEY_P256, 0);
    world->discovery = "{\"issuer\":\"" ISSUER "\",\"jwks_uri\":\"" ISSUER "/keys\"}";
    world->keys = world_jwks(world, true, false);
}

static void world_clear(struct issuer_world *world)
{
    signer_free(world->old_key);
    signer_free(world->new_key);
    arena_clear(&world->arena);
}

static inline struct jwks_fetcher world_fetcher(struct issuer_world *world)
{
    return (struct jwks_fetcher){world_get, world};
}
