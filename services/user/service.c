/* The tables, and the words that all handlers need. */
#include "user/service_internal.h"

#include "google/protobuf/empty.pb-c.h"
#include "user/pseudonyms.h"

#include <string.h>

struct store_call service_store_call(const struct rpc_call *call)
{
    return (struct store_call){STORE_TENANT, rpc_call_remaining_ms(call)};
}

static char *text_in(struct str text)
{
    return (char *)(uintptr_t)text.ptr; /* protobuf-c does not write to what it packs */
}

Google__Protobuf__Timestamp *service_timestamp(int64_t us, struct arena *arena)
{
    Google__Protobuf__Timestamp *time = arena_alloc(arena, sizeof *time);
    google__protobuf__timestamp__init(time);
    time->seconds = us / 1000000;
    time->nanos = (int32_t)(us % 1000000) * 1000;
    return time;
}

static void fill_labels(Omnidata__User__V1__User *message, const struct user *user,
                        struct arena *arena)
{
    if (!user->label_count)
        return;
    message->n_labels = user->label_count;
    message->labels = arena_alloc(arena, user->label_count * sizeof *message->labels);
    Omnidata__User__V1__User__LabelsEntry *entries =
        arena_alloc(arena, user->label_count * sizeof *entries);
    for (size_t i = 0; i < user->label_count; i++) {
        omnidata__user__v1__user__labels_entry__init(&entries[i]);
        entries[i].key = (char *)arena_cstr(arena, user->labels[i].key);
        entries[i].value = (char *)arena_cstr(arena, user->labels[i].value);
        message->labels[i] = &entries[i];
    }
}

void service_fill_user(Omnidata__User__V1__User *message, const struct user *user,
                       struct arena *arena)
{
    char *id = arena_alloc(arena, ID_TEXT_BYTES + 1), *etag = arena_alloc(arena, USER_ETAG_BYTES);
    id_format(user->id, id);
    user_etag(user, etag);
    message->id = id;
    message->etag = etag;
    message->email = text_in(user->email);
    message->display_name = text_in(user->display_name);
    message->given_name = text_in(user->given_name);
    message->family_name = text_in(user->family_name);
    message->status = (Omnidata__User__V1__UserStatus)user->status;
    fill_labels(message, user, arena);
    message->create_time = service_timestamp(user->create_us, arena);
    message->update_time = service_timestamp(user->update_us, arena);
    if (!user->owner_issuer.len && !user->owner_subject.len)
        return;
    message->owner = arena_alloc(arena, sizeof *message->owner);
    omnidata__user__v1__owner__init(message->owner);
    message->owner->issuer = text_in(user->owner_issuer);
    message->owner->subject = text_in(user->owner_subject);
}

Omnidata__User__V1__User **service_user_list(const struct user *users, size_t count,
                                             struct arena *arena)
{
    Omnidata__User__V1__User **list = arena_alloc(arena, (count + 1) * sizeof *list);
    Omnidata__User__V1__User *messages = arena_alloc(arena, (count + 1) * sizeof *messages);
    for (size_t i = 0; i < count; i++) {
        omnidata__user__v1__user__init(&messages[i]);
        service_fill_user(&messages[i], &users[i], arena);
        list[i] = &messages[i];
    }
    return list;
}

void service_sign(const struct rpc_call *call, struct event_facts *facts, struct store_actor *actor)
{
    const struct rpc_caller *caller = rpc_call_caller(call);
    facts->trace_id = rpc_call_trace_id(call);
    facts->key_id = caller->key_id;
    if (!rpc_caller_signed_in(caller))
        return;
    *actor = pseudonyms_actor(caller->issuer, caller->subject);
    facts->by = actor;
}

enum code service_tell(struct rpc_call *call, struct event_facts *facts, enum code code)
{
    struct service *service = rpc_call_context(call);
    struct store_actor actor;
    facts->status = (int32_t)code;
    service_sign(call, facts, &actor);
    emitter_put(service->emitter, facts);
    return code;
}

static void together_begin(void *context)
{
    struct store *store = ((struct service *)context)->store;
    if (store->vtable->together_begin)
        store->vtable->together_begin(store);
}

static void together_end(void *context)
{
    struct store *store = ((struct service *)context)->store;
    if (store->vtable->together_end)
        store->vtable->together_end(store);
}

static const struct rpc_together TOGETHER = {together_begin, together_end};

/* A write waits for its group's commit; a read waits for nobody. */
#define WRITE(verb, input_type, output_type, handler) \
    { \
        .name = (verb), .input = &input_type##__descriptor, .output = &output_type##__descriptor, \
        .unary = (handler) \
    }
#define READ(verb, input_type, output_type, handler) \
    { \
        .name = (verb), .input = &input_type##__descriptor, .output = &output_type##__descriptor, \
        .unary = (handler), .quick = true, .together = &TOGETHER \
    }

static const struct rpc_method USER_METHODS[] = {
    WRITE("CreateUser", omnidata__user__v1__create_user_request, omnidata__user__v1__user,
          service_create_user),
    READ("GetUser", omnidata__user__v1__get_user_request, omnidata__user__v1__user,
         service_get_user),
    READ("BatchGetUsers", omnidata__user__v1__batch_get_users_request,
         omnidata__user__v1__batch_get_users_response, service_batch_get_users),
    WRITE("UpdateUser", omnidata__user__v1__update_user_request, omnidata__user__v1__user,
          service_update_user),
    WRITE("DeleteUser", omnidata__user__v1__delete_user_request, google__protobuf__empty,
          service_delete_user),
    READ("ListUsers", omnidata__user__v1__list_users_request,
         omnidata__user__v1__list_users_response, service_list_users),
    READ("SearchUsers", omnidata__user__v1__search_users_request,
         omnidata__user__v1__search_users_response, service_search_users),
};

static const struct rpc_method EVENT_METHODS[] = {
    WRITE("ForgetActor", omnidata__event__v1__forget_actor_request, google__protobuf__empty,
          service_forget_actor),
    READ("GetEmitted", omnidata__event__v1__get_emitted_request,
         omnidata__event__v1__get_emitted_response, service_get_emitted),
};

/* The operator imports, exports and looks; gateways learn keys and quotas from here. */
const struct rpc_grant SERVICE_GRANTS[] = {
    {"operator", "/", SERVICE_SCOPE_ADMIN},
    {"gateway", "/omnidata.access.v1.AccessService/WatchSnapshot", NULL},
    {"gateway", "/omnidata.access.v1.AccessService/LeaseQuota", NULL},
};
const size_t SERVICE_GRANT_COUNT = sizeof SERVICE_GRANTS / sizeof *SERVICE_GRANTS;

void service_tables(struct service *service, struct rpc_service tables[SERVICE_COUNT])
{
    tables[0] = (struct rpc_service){"omnidata.user.v1.UserService", USER_METHODS,
                                     sizeof USER_METHODS / sizeof *USER_METHODS, service};
    tables[1] = (struct rpc_service){"omnidata.event.v1.EventSourceService", EVENT_METHODS,
                                     sizeof EVENT_METHODS / sizeof *EVENT_METHODS, service};
}
