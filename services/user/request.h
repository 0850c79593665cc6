/*
 * From messages to the domain's values, checked: every violation of a request is in *err before a
 * function returns, with its path in the request.
 */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "rpc/caller.h"
#include "user/store.h"
#include "user/user.h"

#include "omnidata/user/v1/user.pb-c.h"

enum {
    REQUEST_ID_BYTES = 128,
    REQUEST_BATCH_MAX = 100,
    REQUEST_PATHS_MAX = 100, /* of a mask */
    REQUEST_QUERY_BYTES = 256,
    LIST_PAGE_DEFAULT = 50,
    LIST_PAGE_MAX = 1000,
    SEARCH_PAGE_DEFAULT = 20,
    SEARCH_PAGE_MAX = 100,
};

/* A malformed id is INVALID_ARGUMENT: no server can ever have given it. */
enum code request_id(const char *text, const char *path, struct id *id,
                     struct error *err) MUST_CHECK;

/* The new user, but for id and times. */
enum code request_create(const Omnidata__User__V1__CreateUserRequest *request, struct arena *arena,
                         struct user *user, struct error *err) MUST_CHECK;

/* The change, but for its time. */
enum code request_change(const Omnidata__User__V1__UpdateUserRequest *request, struct arena *arena,
                         struct user_change *change, struct error *err) MUST_CHECK;

/* 0: the default; above the maximum: the maximum; negative: INVALID_ARGUMENT. */
enum code request_page_size(int32_t wanted, int32_t usual, int32_t most, size_t *limit,
                            struct error *err) MUST_CHECK;

/* The words of a search; *count may be 0, when the text holds nothing that can be found. */
enum code request_words(const char *query, struct arena *arena,
                        struct str words[STORE_SEARCH_WORDS_MAX], size_t *count,
                        struct error *err) MUST_CHECK;

/* A request id as a store keeps it: behind a hash of whose it is. So what another caller used
 * neither replays nor is known. */
struct str request_own_id(const struct rpc_caller *caller, struct str id, struct arena *arena);

/*
 * The idempotency of a request: NULL in *once when it has no request_id. The hash is over what the
 * request means, not how it was written: labels in another order are the same request. The id is
 * the caller's own.
 */
enum code request_once(const struct rpc_caller *caller, const char *request_id, struct str method,
                       const struct user_change *meaning, struct arena *arena,
                       const struct store_once **once, struct error *err) MUST_CHECK;
