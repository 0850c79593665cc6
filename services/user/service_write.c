/*
 * Create, update, delete. The event of a success commits with the row; a failure is told of through
 * the ring, unless the store cannot say whether it is one: if the write is carried out after all,
 * its event commits with it. An answer given a second time for the same request_id, and an update
 * that changes nothing, are no events at all.
 */
#include "user/service_internal.h"

#include "user/reasons.h"
#include "user/request.h"

#include <string.h>

/* One write on its way: what the three methods have in common. */
struct writing {
    struct rpc_call *call;
    struct service *service;
    struct arena *arena;
    struct event_facts facts;
    struct store_actor actor;
    struct store_owner owner;
    char user_id[ID_TEXT_BYTES + 1];
    struct store_write write;
};

static void begin(struct writing *writing, struct rpc_call *call, enum event_kind kind)
{
    memset(writing, 0, sizeof *writing);
    writing->call = call;
    writing->service = rpc_call_context(call);
    writing->arena = rpc_call_arena(call);
    writing->facts.kind = kind;
}

/*
 * A client changes what its user created; who holds the scope `admin` changes anything. It is a
 * condition of the write, so that nobody learns what there is by being refused.
 */
static enum code limit_to_own(struct writing *writing, struct error *err)
{
    const struct rpc_caller *caller = rpc_call_caller(writing->call);
    if (writing->facts.kind == EVENT_USER_CREATED ||
        rpc_caller_holds(caller, STR(SERVICE_SCOPE_ADMIN)))
        return CODE_OK;
    if (!rpc_caller_signed_in(caller)) /* whose users nobody created are nobody's to change */
        return error_set(err, CODE_PERMISSION_DENIED, REASON_NOT_OWNER,
                         "nobody is signed in who could have created a user");
    writing->owner = (struct store_owner){caller->issuer, caller->subject};
    writing->write.owner = &writing->owner;
    return CODE_OK;
}

/* The request is good: what it is about, whether it is to happen once, and its event. */
static enum code prepare(struct writing *writing, const char *request_id, struct str method,
                         const struct user_change *meaning, struct id about, struct error *err)
{
    const struct rpc_caller *caller = rpc_call_caller(writing->call);
    id_format(about, writing->user_id);
    writing->facts.user_id = (struct str){writing->user_id, ID_TEXT_BYTES};
    if (writing->facts.kind != EVENT_USER_CREATED)
        rpc_call_about(writing->call, writing->facts.user_id);
    if (limit_to_own(writing, err) != CODE_OK ||
        request_once(caller, request_id, method, meaning, writing->arena, &writing->write.once,
                     err) != CODE_OK ||
        emitter_admit(writing->service->emitter, err) != CODE_OK)
        return err->code;
    service_sign(writing->call, &writing->facts, &writing->actor);
    writing->facts.result_count = writing->facts.kind != EVENT_USER_DELETED;
    writing->write.call = service_store_call(writing->call);
    writing->write.event = emitter_write(writing->service->emitter, &writing->write.call,
                                         &writing->facts, writing->arena);
    return CODE_OK;
}

static enum code end(struct writing *writing, enum code code, const struct error *err)
{
    if (code == CODE_OK || err->unsure)
        return code;
    writing->facts.result_count = 0;
    return service_tell(writing->call, &writing->facts, code);
}

static enum code create(struct writing *writing,
                        const Omnidata__User__V1__CreateUserRequest *request, struct user *created,
                        struct error *err)
{
    struct store *store = writing->service->store;
    struct user_change meaning = {.fields = USER_FIELDS_ALL};
    struct user user;
    bool replayed;
    if (request_create(request, writing->arena, &user, err) != CODE_OK)
        return err->code;
    meaning.values = user;
    user.owner_issuer = rpc_call_caller(writing->call)->issuer;
    user.owner_subject = rpc_call_caller(writing->call)->subject;
    user.id = id_new(writing->service->clock);
    user.create_us = user.update_us = clock_wall_us(writing->service->clock);
    if (prepare(writing, request->request_id, STR("CreateUser"), &meaning, user.id, err) != CODE_OK)
        return err->code;
    enum code code = store->vtable->create(store, &writing->write, &user, writing->arena, created,
                                           &replayed, err);
    if (code != CODE_OK)
        writing->facts.user_id = STR(""); /* there is no user with the id it would have got */
    return code;
}

enum code service_create_user(struct rpc_call *call, const void *request, void *response,
                              struct error *err)
{
    struct writing writing;
    struct user created;
    begin(&writing, call, EVENT_USER_CREATED);
    enum code code = create(&writing, request, &created, err);
    if (code == CODE_OK) {
        service_fill_user(response, &created, writing.arena);
        rpc_call_about(call, str_of(((const Omnidata__User__V1__User *)response)->id));
    }
    return end(&writing, code, err);
}

static enum code update(struct writing *writing,
                        const Omnidata__User__V1__UpdateUserRequest *request, struct user *updated,
                        struct error *err)
{
    struct store *store = writing->service->store;
    struct user_change change;
    bool replayed;
    if (request_change(request, writing->arena, &change, err) != CODE_OK ||
        prepare(writing, request->request_id, STR("UpdateUser"), &change, change.id, err) !=
            CODE_OK)
        return err->code;
    change.now_us = clock_wall_us(writing->service->clock);
    return store->vtable->update(store, &writing->write, &change, writing->arena, updated,
                                 &replayed, err);
}

enum code service_update_user(struct rpc_call *call, const void *request, void *response,
                              struct error *err)
{
    struct writing writing;
    struct user updated;
    begin(&writing, call, EVENT_USER_UPDATED);
    enum code code = update(&writing, request, &updated, err);
    if (code == CODE_OK)
        service_fill_user(response, &updated, writing.arena);
    return end(&writing, code, err);
}

static enum code delete (struct writing *writing,
                         const Omnidata__User__V1__DeleteUserRequest *request, struct error *err) {
    struct store *store = writing->service->store;
    struct user_change meaning = {.etag = str_of(request->etag)};
    bool replayed;
    if (request_id(request->id, "id", &meaning.id, err) != CODE_OK ||
        prepare(writing, request->request_id, STR("DeleteUser"), &meaning, meaning.id, err) !=
            CODE_OK) return err->code;
    return store->vtable->remove(store, &writing->write, meaning.id, meaning.etag, &replayed, err);
}

enum code service_delete_user(struct rpc_call *call, const void *request, void *response,
                              struct error *err)
{
    struct writing writing;
    (void)response;
    begin(&writing, call, EVENT_USER_DELETED);
    enum code code = delete (&writing, request, err);
    return end(&writing, code, err);
}
