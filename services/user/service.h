/*
 * UserService and EventSourceService: what the methods of the protos do. Handlers are straight
 * lines: read the request, ask the store, tell of it, answer.
 */
#pragma once
#include "base/clock.h"
#include "rpc/server.h"
#include "user/emitter.h"
#include "user/page_token.h"
#include "user/store.h"

struct service {
    struct store *store;
    struct emitter *emitter;
    const struct page_tokens *tokens;
    const struct clock *clock;
};

/* What peers may call by themselves; clients of a gateway are held to the protos' policies. */
extern const struct rpc_grant SERVICE_GRANTS[];
extern const size_t SERVICE_GRANT_COUNT;

/* The services' tables, with `service` as their context; it outlives the server. */
enum { SERVICE_COUNT = 2 };
void service_tables(struct service *service, struct rpc_service tables[SERVICE_COUNT]);
