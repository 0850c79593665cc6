/*
 * Services with canned behaviours, for tests of lib/rpc: UserService, where the id that is asked
 * for says what happens, and a service with streams in every direction.
 *
 *   GetUser id=   missing | fields | busy | internal | bad-code | facts | slow:<ms> | size:<bytes>
 *                 | serving:yes | serving:no (what health says of this service)
 *                 | anything else: a user with that id
 */
#pragma once
#include "base/str.h"
#include "omnidata/user/v1/user.pb-c.h"
#include "pb/proto.h"
#include "rpc/server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define GET_REQUEST Omnidata__User__V1__GetUserRequest
#define GET_REQUEST_TYPE (&omnidata__user__v1__get_user_request__descriptor)
#define GET_REQUEST_INIT OMNIDATA__USER__V1__GET_USER_REQUEST__INIT
#define USER Omnidata__User__V1__User
#define USER_TYPE (&omnidata__user__v1__user__descriptor)
#define USER_INIT OMNIDATA__USER__V1__USER__INIT
#define LABEL Omnidata__User__V1__User__LabelsEntry

#define GET_USER STR("/omnidata.user.v1.UserService/GetUser")
#define GET_QUICKLY STR("/omnidata.user.v1.UserService/GetUserQuickly")

/* What handlers saw. */
struct echo_state {
    atomic_int running, finished, cancelled;
    atomic_int brackets;               /* that quick calls have run in */
    atomic_int bracketed;              /* calls that ran in one */
    _Atomic(pthread_t) bracket_thread; /* whose bracket is open; 0: nobody's */
    struct rpc_server *_Atomic server; /* for `serving`: set after the start */
};

static inline void echo_nap(void)
{
    nanosleep(&(struct timespec){0, 1000000}, NULL);
}

static inline void echo_label(struct rpc_call *call, USER *user, const char *key, struct str value)
{
    struct arena *arena = rpc_call_arena(call);
    LABEL *label = arena_alloc(arena, sizeof *label);
    LABEL **more = arena_alloc(arena, (user->n_labels + 1) * sizeof *more);
    omnidata__user__v1__user__labels_entry__init(label);
    label->key = arena_cstr(arena, str_of(key));
    label->value = arena_cstr(arena, value);
    for (size_t i = 0; i < user->n_labels; i++)
        more[i] = user->labels[i];
    more[user->n_labels++] = label;
    user->labels = more;
}

/* What the call says about itself, as labels; and trailers. */
static inline void echo_facts(struct rpc_call *call, USER *user)
{
    struct arena *arena = rpc_call_arena(call);
    int64_t left_ms = rpc_call_remaining_ms(call);
    echo_label(call, user, "x-in", rpc_call_metadata(call, STR("x-in")));
    echo_label(call, user, "x-in-bin", rpc_call_metadata(call, STR("x-in-bin")));
    echo_label(call, user, "trace", rpc_call_trace_id(call));
    echo_label(call, user, "peer", rpc_call_peer(call));
    if (left_ms != INT64_MAX)
        echo_label(call, user, "left-ms", str_of(arena_printf(arena, "%lld", (long long)left_ms)));
    rpc_call_add_trailer(call, STR("x-out"), STR("after"));
    rpc_call_add_trailer(call, STR("Not A Key"), STR("x")); /* left out, nothing else */
    rpc_call_add_trailer(call, STR("x-bad"), STR("line\n"));
    rpc_call_add_trailer(call, STR("x-out-bin"), (struct str){"\x00\xff\x01", 3});
}

static inline enum code echo_slow(struct rpc_call *call, struct str text, struct error *err)
{
    struct echo_state *state = rpc_call_context(call);
    uint64_t ms = 0;
    str_to_u64(text, &ms);
    atomic_fetch_add(&state->running, 1);
    for (uint64_t i = 0; i < ms && !rpc_call_cancelled(call); i++)
        echo_nap();
    atomic_fetch_add(&state->finished, 1);
    if (!rpc_call_cancelled(call))
        return CODE_OK;
    atomic_fetch_add(&state->cancelled, 1);
    return error_set(err, CODE_CANCELLED, NULL, "gave up");
}

static inline enum code echo_fields(struct error *err)
{
    error_clear(err);
    error_field(err, "user.email", "is no address");
    return error_field(err, "user.display_name", "is empty: %s", "\xe2\x82\xac");
}

static void echo_together_begin(void *context)
{
    struct echo_state *state = context;
    atomic_fetch_add(&state->brackets, 1);
    atomic_store(&state->bracket_thread, pthread_self());
}

static void echo_together_end(void *context)
{
    atomic_store(&((struct echo_state *)context)->bracket_thread, 0);
}

static const struct rpc_together ECHO_TOGETHER = {echo_together_begin, echo_together_end};

static inline enum code echo_get(struct rpc_call *call, const void *message, void *into,
                                 struct error *err)
{
    struct echo_state *echo = rpc_call_context(call);
    if (pthread_equal(atomic_load(&echo->bracket_thread), pthread_self()))
        atomic_fetch_add(&echo->bracketed, 1);
    const GET_REQUEST *request = message;
    USER *user = into;
    struct str id = str_of(request->id);
    uint64_t size;
    user->id = request->id;
    if (str_eq(id, STR("missing")))
        return error_set(err, CODE_NOT_FOUND, "USER_NOT_FOUND", "there is no user %s", request->id);
    if (str_eq(id, STR("fields")))
        return echo_fields(err);
    if (str_eq(id, STR("busy"))) {
        error_set(err, CODE_RESOURCE_EXHAUSTED, "BUSY", "come back later");
        err->retry_after_ms = 1500;
        return CODE_RESOURCE_EXHAUSTED;
    }
    if (str_eq(id, STR("internal")))
        return error_set(err, CODE_INTERNAL, NULL, "a wheel came off");
    if (str_eq(id, STR("bad-code"))) {
        error_set(err, CODE_NOT_FOUND, "MIXED", "said one code, returned another");
        return CODE_ABORTED;
    }
    if (str_eq(id, STR("facts")))
        echo_facts(call, user);
    if (str_starts(id, STR("serving:")))
        rpc_server_set_serving(((struct echo_state *)rpc_call_context(call))->server,
                               "omnidata.user.v1.UserService", str_eq(id, STR("serving:yes")));
    if (str_starts(id, STR("slow:")))
        return echo_slow(call, str_from(id, 5), err);
    if (str_starts(id, STR("size:")) && str_to_u64(str_from(id, 5), &size)) {
        user->display_name = arena_alloc(rpc_call_arena(call), size + 1);
        memset(user->display_name, 'x', size);
        user->display_name[size] = '\0';
    }
    return CODE_OK;
}

/* --- streams --- */

/* As many users as the id says. */
static inline enum code echo_count(struct rpc_call *call, const void *message, struct error *err)
{
    struct echo_state *state = rpc_call_context(call);
    uint64_t count = 0;
    str_to_u64(str_of(((const GET_REQUEST *)message)->id), &count);
    for (uint64_t i = 0; i < count; i++) {
        USER user = USER_INIT;
        char text[32];
        snprintf(text, sizeof text, "%llu", (unsigned long long)i);
        user.id = text;
        if (rpc_call_send(call, &user.base, err) != CODE_OK) {
            atomic_fetch_add(&state->cancelled, 1);
            return err->code;
        }
    }
    rpc_call_add_trailer(call, STR("x-count"), STR("done"));
    if (count == 13)
        return error_set(err, CODE_OUT_OF_RANGE, "UNLUCKY", "thirteen is too many");
    return CODE_OK;
}

/* One user that tells how many requests came, and the last one's id. */
static inline enum code echo_collect(struct rpc_call *call, const void *none, struct error *err)
{
    USER user = USER_INIT;
    char count_text[32];
    unsigned count = 0;
    void *message;
    (void)none;
    for (;; count++) {
        enum code code = rpc_call_receive(call, &message, err);
        if (code != CODE_OK)
            return code;
        if (!message)
            break;
        user.id = ((GET_REQUEST *)message)->id;
        if (strcmp(user.id, "stop") == 0)
            return error_set(err, CODE_ABORTED, "STOPPED", "heard enough");
    }
    snprintf(count_text, sizeof count_text, "%u", count);
    user.display_name = count_text;
    return rpc_call_send(call, &user.base, err);
}

/* A user for each request. */
static inline enum code echo_chat(struct rpc_call *call, const void *none, struct error *err)
{
    (void)none;
    for (;;) {
        USER user = USER_INIT;
        void *message;
        enum code code = rpc_call_receive(call, &message, err);
        if (code != CODE_OK || !message)
            return code;
        user.id = ((GET_REQUEST *)message)->id;
        if ((code = rpc_call_send(call, &user.base, err)) != CODE_OK)
            return code;
    }
}

/* One user, then nothing until the caller goes. */
static inline enum code echo_hold(struct rpc_call *call, const void *message, struct error *err)
{
    struct echo_state *state = rpc_call_context(call);
    USER user = USER_INIT;
    (void)message;
    user.id = (char[]){"held"};
    if (rpc_call_send(call, &user.base, err) != CODE_OK)
        return err->code;
    atomic_fetch_add(&state->running, 1);
    while (!rpc_call_cancelled(call))
        echo_nap();
    atomic_fetch_add(&state->cancelled, 1);
    return error_set(err, CODE_CANCELLED, NULL, "the caller has gone");
}

static const struct rpc_method ECHO_USER_METHODS[] = {
    {.name = "GetUser", .input = GET_REQUEST_TYPE, .output = USER_TYPE, .unary = echo_get},
    {.name = "GetUserQuickly",
     .input = GET_REQUEST_TYPE,
     .output = USER_TYPE,
     .unary = echo_get,
     .quick = true,
     .together = &ECHO_TOGETHER},
};

static const struct rpc_method ECHO_STREAM_METHODS[] = {
    {.name = "Count",
     .input = GET_REQUEST_TYPE,
     .output = USER_TYPE,
     .stream = echo_count,
     .server_streams = true},
    {.name = "Collect",
     .input = GET_REQUEST_TYPE,
     .output = USER_TYPE,
     .stream = echo_collect,
     .client_streams = true},
    {.name = "Chat",
     .input = GET_REQUEST_TYPE,
     .output = USER_TYPE,
     .stream = echo_chat,
     .client_streams = true,
     .server_streams = true},
    {.name = "Hold",
     .input = GET_REQUEST_TYPE,
     .output = USER_TYPE,
     .stream = echo_hold,
     .server_streams = true},
};

enum { ECHO_SERVICES = 2 };

static inline void echo_services(struct echo_state *state, struct rpc_service *services)
{
    services[0] = (struct rpc_service){"omnidata.user.v1.UserService", ECHO_USER_METHODS,
                                       sizeof ECHO_USER_METHODS / sizeof *ECHO_USER_METHODS, state};
    services[1] =
        (struct rpc_service){"test.v1.Streams", ECHO_STREAM_METHODS,
                             sizeof ECHO_STREAM_METHODS / sizeof *ECHO_STREAM_METHODS, state};
}
