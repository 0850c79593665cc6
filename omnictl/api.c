/* Calls with patience: a service that restarts is waited for, one that says no is believed. */
#include "omnictl/api.h"

#include "base/clock.h"
#include "omnictl/command.h"
#include "omnictl/random.h"

#include <poll.h>
#include <stdio.h>

enum {
    MESSAGE_BYTES_MAX = 16 * 1024 * 1024,
    DEADLINE_MS = 10 * 1000,
    BACKOFF_FIRST_MS = 50,
    BACKOFF_DOUBLINGS_MAX = 6, /* 3.2 s */
};

static volatile sig_atomic_t signals_seen;

static void count_signal(int number)
{
    (void)number;
    signals_seen = signals_seen + 1;
}

volatile sig_atomic_t *api_catch_signals(void)
{
    struct sigaction action = {.sa_handler = count_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return &signals_seen;
}

static struct rpc_client *client_of(const char *address, const char *peer,
                                    struct rpc_identity *identity)
{
    const struct rpc_client_options options = {.target = address,
                                               .message_bytes_max = MESSAGE_BYTES_MAX,
                                               .identity = identity,
                                               .peer = peer};
    return rpc_client_new(&options);
}

struct rpc_client *api_connect_users(const struct command_globals *globals)
{
    return client_of(globals->users, "user", globals->identity);
}

struct rpc_client *api_connect_analytics(const struct command_globals *globals)
{
    return client_of(globals->analytics, "analytics", globals->identity);
}

bool api_retryable(enum code code)
{
    return code == CODE_UNAVAILABLE || code == CODE_RESOURCE_EXHAUSTED ||
           code == CODE_DEADLINE_EXCEEDED;
}

int64_t api_backoff_ms(uint32_t attempts, const struct error *err, uint64_t random)
{
    uint32_t doublings = attempts ? attempts - 1 : 0;
    if (doublings > BACKOFF_DOUBLINGS_MAX)
        doublings = BACKOFF_DOUBLINGS_MAX;
    int64_t most = (int64_t)BACKOFF_FIRST_MS << doublings;
    int64_t least = (int64_t)err->retry_after_ms;
    return least + most / 2 + (int64_t)(random % (uint64_t)(most / 2 + 1));
}

enum code api_call(struct rpc_client *client, struct str method, const ProtobufCMessage *request,
                   const ProtobufCMessageDescriptor *type, struct arena *arena, void **response,
                   int64_t patience_ms, struct error *err)
{
    const struct rpc_call_options options = {.method = method, .deadline_ms = DEADLINE_MS};
    int64_t end_ms = clock_mono_ms(clock_real()) + patience_ms;
    struct random random = random_of((uint64_t)clock_wall_us(clock_real()), 0);
    for (uint32_t attempts = 1;; attempts++) {
        error_clear(err);
        enum code code =
            rpc_client_call_typed(client, &options, request, type, arena, response, err);
        int64_t wait_ms = api_backoff_ms(attempts, err, random_next(&random));
        if (!api_retryable(code) || clock_mono_ms(clock_real()) + wait_ms >= end_ms || signals_seen)
            return code;
        poll(NULL, 0, (int)wait_ms);
    }
}

int api_complain(const char *command, const char *service, const char *address,
                 const struct error *err)
{
    fprintf(stderr, "omnictl %s: the %s service at %s: %s%s%s\n", command, service, address,
            code_name(err->code), err->text[0] ? ": " : "", err->text);
    return api_retryable(err->code) ? COMMAND_UNREACHABLE : COMMAND_FAILED;
}
