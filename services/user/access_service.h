/*
 * AccessService: what the methods of access.proto do. Administration in access_service.c, quotas
 * and use in access_service_quota.c.
 */
#pragma once
#include "base/clock.h"
#include "rpc/server.h"
#include "user/access_store.h"
#include "user/access_watch.h"
#include "user/page_token.h"

#include <pthread.h>

enum { ACCESS_STRIPES = 16 };

struct access_service {
    struct access_store *store;
    struct access_watch *watch;
    const struct page_tokens *tokens;
    const struct clock *clock;
    int64_t lease_ms; /* how long a lease lasts */
    /* Requests for one quota go one behind the other in this process: between processes the
     * store's condition decides, here it need not come to that. */
    pthread_mutex_t stripes[ACCESS_STRIPES];
};

/* Fills the rest when the fields above are set. */
void access_service_init(struct access_service *service);

/* The service's table, with `service` as its context; it outlives the server. */
struct rpc_service access_service_table(struct access_service *service);
