/* The services as the commands call them: addresses, method names, deadlines, and what is said when
 * one does not answer. */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "omnictl/command.h"
#include "rpc/client.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#define API_CREATE_USER STR("/omnidata.user.v1.UserService/CreateUser")
#define API_LIST_USERS STR("/omnidata.user.v1.UserService/ListUsers")
#define API_GET_EMITTED STR("/omnidata.event.v1.EventSourceService/GetEmitted")
#define API_GET_PIPELINE STR("/omnidata.analytics.v1.AnalyticsService/GetPipelineStatus")
#define API_GET_SUMMARY STR("/omnidata.analytics.v1.AnalyticsService/GetSummary")
#define API_GET_SERIES STR("/omnidata.analytics.v1.AnalyticsService/QueryTimeSeries")
#define API_TOP_SEARCHES STR("/omnidata.analytics.v1.AnalyticsService/TopSearches")

/* Clients of the two services, as the operator. Connecting happens in the background. */
struct rpc_client *api_connect_users(const struct command_globals *globals);
struct rpc_client *api_connect_analytics(const struct command_globals *globals);

/* True for what may be gone at the next attempt: UNAVAILABLE, RESOURCE_EXHAUSTED,
 * DEADLINE_EXCEEDED. */
bool api_retryable(enum code code);

/* How long to wait before attempt `attempts` + 1, at least *err's retry_after; with jitter. */
int64_t api_backoff_ms(uint32_t attempts, const struct error *err, uint64_t random);

/* A blocking call, repeated while that may help, for up to `patience_ms` or until a signal. */
enum code api_call(struct rpc_client *client, struct str method, const ProtobufCMessage *request,
                   const ProtobufCMessageDescriptor *type, struct arena *arena, void **response,
                   int64_t patience_ms, struct error *err) MUST_CHECK;

/* Says "omnictl NAME: the user service at ADDRESS: …"; the exit code that fits. */
int api_complain(const char *command, const char *service, const char *address,
                 const struct error *err);

/* From now on SIGINT and SIGTERM count in this variable instead of ending the process. */
volatile sig_atomic_t *api_catch_signals(void);
