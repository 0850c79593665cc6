/*
 * What the rooms of the service share:
 *   service.c          the tables; words that all handlers need
 *   service_write.c    create, update, delete
 *   service_read.c     get, batch get, list, search
 *   service_events.c   EventSourceService
 */
#pragma once
#include "user/service.h"

#include "omnidata/event/v1/source.pb-c.h"
#include "omnidata/user/v1/user.pb-c.h"

/* Who holds it may change what is not his, and administrates keys and plans. */
#define SERVICE_SCOPE_ADMIN "admin"

/* The call's tenant and what is left of its time. */
struct store_call service_store_call(const struct rpc_call *call);

/* Microseconds since 1970. */
Google__Protobuf__Timestamp *service_timestamp(int64_t us, struct arena *arena);

/* Fills an initialised message; texts are the user's own, which must be followed by NUL as those in
 * an arena are. */
void service_fill_user(Omnidata__User__V1__User *message, const struct user *user,
                       struct arena *arena);

/* Filled messages for a repeated field. */
Omnidata__User__V1__User **service_user_list(const struct user *users, size_t count,
                                             struct arena *arena);

/* What the call itself says about an event: trace, key and, in *actor, who acts. */
void service_sign(const struct rpc_call *call, struct event_facts *facts,
                  struct store_actor *actor);

/* Tells of a read or a failure; `code` is also returned. */
enum code service_tell(struct rpc_call *call, struct event_facts *facts, enum code code);

/* --- handlers --- */
enum code service_create_user(struct rpc_call *, const void *, void *, struct error *);
enum code service_update_user(struct rpc_call *, const void *, void *, struct error *);
enum code service_delete_user(struct rpc_call *, const void *, void *, struct error *);
enum code service_get_user(struct rpc_call *, const void *, void *, struct error *);
enum code service_batch_get_users(struct rpc_call *, const void *, void *, struct error *);
enum code service_list_users(struct rpc_call *, const void *, void *, struct error *);
enum code service_search_users(struct rpc_call *, const void *, void *, struct error *);
enum code service_forget_actor(struct rpc_call *, const void *, void *, struct error *);
enum code service_get_emitted(struct rpc_call *, const void *, void *, struct error *);
