/*
 * grpc.health.v1: Check answers at once in the completion thread, even when the server is
 * overloaded; Watch costs no thread, only memory, and has a bound of its own.
 */
#pragma once
#include "rpc/server.h"

struct health;

/* All services and the server as a whole ("") are SERVING. */
struct health *health_new(const struct rpc_service *services, size_t service_count);
void health_free(struct health *health);

/* The service to serve: method 0 is Check, method 1 is Watch (health_watch). */
const struct rpc_service *health_service(const struct health *health);

/* A service that is new here becomes known. Tells who watches it. Any thread. */
void health_set(struct health *health, const char *service, bool serving);

/* Everything is NOT_SERVING for good; watchers are told so and their calls ended. Any thread. */
void health_close(struct health *health);

/* Takes a Watch call over (the handler's reference), in the completion thread. */
void health_watch(struct rpc_call *call);

/* Any call's client has gone or its call is over: told for every call, in the completion thread. */
void health_call_closed(struct rpc_call *call);
