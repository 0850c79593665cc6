/* A stub of AWS, and a process that knows its keys and has a client of it. */
#pragma once
#include "tests/unit/aws/stub.h"

#include "aws/client.h"

enum { LONG_MS = 20000 };

static const char *const WORLD_KEYS[] = {"AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=secret",
                                         "AWS_REGION=eu-central-1", NULL};

struct world {
    struct stub *stub;
    struct aws *aws;
    struct aws_client *client; /* NULL at first */
    struct arena arena;
    struct aws_response response;
    struct error err;
};

static inline struct aws_client *world_client(struct world *world,
                                              const struct aws_service *service, const char *name)
{
    struct aws_location location;
    const char *text = arena_printf(&world->arena, "%s://%s?endpoint=%s", service->name, name,
                                    world->stub->endpoint);
    assert_int_equal(aws_location_read(str_of(text), service->name, stub_getenv, NULL, 0,
                                       &world->arena, &location, &world->err),
                     CODE_OK);
    return aws_client_new(&(struct aws_client_options){.aws = world->aws,
                                                       .service = service,
                                                       .location = &location,
                                                       .attempt_ms = 5000,
                                                       .backoff_ms = 1});
}

static inline int world_set_up(void **state)
{
    struct world *world = xcalloc(1, sizeof *world);
    stub_environment = WORLD_KEYS;
    stub_clock_ahead_ms = 0;
    world->stub = stub_new();
    assert_int_equal(aws_open(&(struct aws_options){.environment = stub_getenv,
                                                    .clock = &STUB_CLOCK,
                                                    .user_agent = "test"},
                              &world->aws, &world->err),
                     CODE_OK);
    *state = world;
    return 0;
}

static inline int world_tear_down(void **state)
{
    struct world *world = *state;
    aws_client_free(world->client);
    aws_free(world->aws);
    stub_free(world->stub);
    arena_clear(&world->arena);
    xfree(world);
    return 0;
}
