/* Get, batch get, list, search: one look at the store each, then an event into the ring. */
#include "user/service_internal.h"

#include "pb/proto.h"
#include "rpc/status_details.h"
#include "user/reasons.h"
#include "user/request.h"

#include "google/rpc/status.pb-c.h"

#include <string.h>

static struct str shown_id(struct id id, struct arena *arena)
{
    char *text = arena_alloc(arena, ID_TEXT_BYTES + 1);
    id_format(id, text);
    return (struct str){text, ID_TEXT_BYTES};
}

enum code service_get_user(struct rpc_call *call, const void *message, void *response,
                           struct error *err)
{
    const Omnidata__User__V1__GetUserRequest *request = message;
    struct service *service = rpc_call_context(call);
    struct arena *arena = rpc_call_arena(call);
    struct store_call store_call = service_store_call(call);
    struct event_facts facts = {.kind = EVENT_USER_READ};
    struct user user;
    struct id id;
    enum code code = request_id(request->id, "id", &id, err);
    if (code == CODE_OK) {
        facts.user_id = shown_id(id, arena);
        code = service->store->vtable->get(service->store, &store_call, id, arena, &user, err);
    }
    if (code == CODE_OK) {
        service_fill_user(response, &user, arena);
        facts.result_count = 1;
    }
    return service_tell(call, &facts, code);
}

/* --- batch get --- */

static Google__Rpc__Status *error_message(struct error *err, struct arena *arena)
{
    struct str encoded = status_details_encode(arena, err);
    Google__Rpc__Status *status =
        encoded.len ? proto_decode(arena, &google__rpc__status__descriptor, encoded) : NULL;
    if (!status) {
        status = arena_alloc(arena, sizeof *status);
        google__rpc__status__init(status);
    }
    status->code = (int32_t)err->code;
    status->message = arena_cstr(arena, str_of(err->text));
    return status;
}

/* One result, and its event. */
static void fill_result(struct rpc_call *call, Omnidata__User__V1__UserResult *result,
                        const char *text, const struct user *user, struct error *err)
{
    struct arena *arena = rpc_call_arena(call);
    struct event_facts facts = {.kind = EVENT_USER_READ, .user_id = str_of(text)};
    omnidata__user__v1__user_result__init(result);
    if (user) {
        result->result_case = OMNIDATA__USER__V1__USER_RESULT__RESULT_USER;
        result->user = service_user_list(user, 1, arena)[0];
        facts.result_count = 1;
    } else {
        if (err->code == CODE_OK)
            error_set(err, CODE_NOT_FOUND, REASON_USER_NOT_FOUND, "there is no such user");
        result->result_case = OMNIDATA__USER__V1__USER_RESULT__RESULT_ERROR;
        result->error = error_message(err, arena);
    }
    service_tell(call, &facts, user ? CODE_OK : err->code);
}

static enum code batch_get(struct rpc_call *call,
                           const Omnidata__User__V1__BatchGetUsersRequest *request,
                           Omnidata__User__V1__BatchGetUsersResponse *response, struct error *err)
{
    struct service *service = rpc_call_context(call);
    struct arena *arena = rpc_call_arena(call);
    struct store_call store_call = service_store_call(call);
    struct id ids[REQUEST_BATCH_MAX] = {0};
    struct user *users[REQUEST_BATCH_MAX];
    size_t count = request->n_ids;
    if (count > REQUEST_BATCH_MAX)
        return error_field(err, "ids", "there are more than %d ids", REQUEST_BATCH_MAX);
    for (size_t i = 0; i < count; i++)
        (void)id_parse(str_of(request->ids[i]), &ids[i]); /* none: the id that nobody has */
    if (service->store->vtable->get_many(service->store, &store_call, ids, count, arena, users,
                                         err) != CODE_OK)
        return err->code;
    response->n_results = count;
    response->results = arena_alloc(arena, (count + 1) * sizeof *response->results);
    Omnidata__User__V1__UserResult *results = arena_alloc(arena, (count + 1) * sizeof *results);
    for (size_t i = 0; i < count; i++) {
        struct error own = {0};
        if (request_id(request->ids[i], "id", &ids[i], &own) != CODE_OK)
            users[i] = NULL;
        fill_result(call, &results[i], request->ids[i], users[i], &own);
        response->results[i] = &results[i];
    }
    return CODE_OK;
}

enum code service_batch_get_users(struct rpc_call *call, const void *request, void *response,
                                  struct error *err)
{
    struct event_facts facts = {.kind = EVENT_USER_READ};
    if (batch_get(call, request, response, err) == CODE_OK)
        return CODE_OK;
    return service_tell(call, &facts, err->code);
}

/* --- pages --- */

static enum code list(struct rpc_call *call, const Omnidata__User__V1__ListUsersRequest *request,
                      Omnidata__User__V1__ListUsersResponse *response, struct error *err)
{
    struct service *service = rpc_call_context(call);
    struct arena *arena = rpc_call_arena(call);
    struct store_call store_call = service_store_call(call);
    struct page_scope scope = {STR("ListUsers"), store_call.tenant, STR("")};
    struct store_page page;
    struct str after;
    size_t limit = 0;
    enum code sized =
        request_page_size(request->page_size, LIST_PAGE_DEFAULT, LIST_PAGE_MAX, &limit, err);
    if (page_token_open(service->tokens, &scope, str_of(request->page_token), arena, &after, err) !=
            CODE_OK ||
        sized != CODE_OK ||
        service->store->vtable->list(service->store, &store_call, after, limit, arena, &page,
                                     err) != CODE_OK)
        return err->code;
    response->n_users = page.count;
    response->users = service_user_list(page.users, page.count, arena);
    response->next_page_token =
        arena_cstr(arena, page_token_seal(service->tokens, &scope, page.next, arena));
    return CODE_OK;
}

enum code service_list_users(struct rpc_call *call, const void *request, void *response,
                             struct error *err)
{
    const Omnidata__User__V1__ListUsersResponse *listed = response;
    struct event_facts facts = {.kind = EVENT_USERS_LISTED};
    enum code code = list(call, request, response, err);
    if (code == CODE_OK)
        facts.result_count = (uint32_t)listed->n_users;
    return service_tell(call, &facts, code);
}

/* What a search was understood as: its words, each behind a space. */
static struct str meaning_of(const struct str *words, size_t count, struct arena *arena)
{
    struct buf text;
    buf_init_arena(&text, arena, 64 * 1024);
    for (size_t i = 0; i < count; i++) {
        buf_add_char(&text, ' ');
        buf_add(&text, words[i]);
    }
    return buf_str(&text);
}

static enum code search(struct rpc_call *call,
                        const Omnidata__User__V1__SearchUsersRequest *request,
                        Omnidata__User__V1__SearchUsersResponse *response, struct error *err)
{
    struct service *service = rpc_call_context(call);
    struct arena *arena = rpc_call_arena(call);
    struct store_call store_call = service_store_call(call);
    struct page_scope scope = {STR("SearchUsers"), store_call.tenant, STR("")};
    struct str words[STORE_SEARCH_WORDS_MAX], after;
    struct store_page page;
    size_t count = 0, limit = 0;
    enum code sized =
        request_page_size(request->page_size, SEARCH_PAGE_DEFAULT, SEARCH_PAGE_MAX, &limit, err);
    if (request_words(request->query, arena, words, &count, err) != CODE_OK || sized != CODE_OK)
        return err->code;
    scope.query = meaning_of(words, count, arena);
    if (page_token_open(service->tokens, &scope, str_of(request->page_token), arena, &after, err) !=
            CODE_OK ||
        service->store->vtable->search(service->store, &store_call, words, count, after, limit,
                                       arena, &page, err) != CODE_OK)
        return err->code;
    response->n_users = page.count;
    response->users = service_user_list(page.users, page.count, arena);
    response->next_page_token =
        arena_cstr(arena, page_token_seal(service->tokens, &scope, page.next, arena));
    return CODE_OK;
}

enum code service_search_users(struct rpc_call *call, const void *message, void *response,
                               struct error *err)
{
    const Omnidata__User__V1__SearchUsersRequest *request = message;
    const Omnidata__User__V1__SearchUsersResponse *found = response;
    struct event_facts facts = {.kind = EVENT_USERS_SEARCHED, .query = str_of(request->query)};
    enum code code = search(call, request, response, err);
    if (code == CODE_OK)
        facts.result_count = (uint32_t)found->n_users;
    return service_tell(call, &facts, code);
}
