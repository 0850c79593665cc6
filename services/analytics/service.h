/*
 * AnalyticsService over gRPC (proto/omnidata/analytics/v1/analytics.proto): service.c takes events
 * in and lets listeners hear them, service_query.c answers questions.
 */
#pragma once
#include "analytics/ledger.h"
#include "analytics/tail.h"
#include "base/clock.h"
#include "omnidata/analytics/v1/analytics.pb-c.h"
#include "queue/queue.h"
#include "rpc/server.h"

struct service {
    struct queue *queue;
    struct ledger *ledger;
    struct tail *tail;
    const struct clock *clock;
    int64_t trends_retention_ms; /* how long the ledger keeps minutes */
    uint32_t callers_min;        /* a text from fewer callers is not published */
};

/* What peers may call by themselves; clients of a gateway are held to the protos' policies. */
extern const struct rpc_grant SERVICE_GRANTS[];
extern const size_t SERVICE_GRANT_COUNT;

/* The method table; `service` must outlive the server. */
struct rpc_service service_table(struct service *service);

/* At most 100, and every number must be a kind that this version knows. */
enum code service_check_kinds(const Omnidata__Event__V1__EventKind *kinds, size_t count,
                              struct error *err);

enum code service_get_summary(struct rpc_call *call, const void *request, void *response,
                              struct error *err);
enum code service_query_time_series(struct rpc_call *call, const void *request, void *response,
                                    struct error *err);
enum code service_top_searches(struct rpc_call *call, const void *request, void *response,
                               struct error *err);
enum code service_get_pipeline_status(struct rpc_call *call, const void *request, void *response,
                                      struct error *err);
