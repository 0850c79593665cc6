/*
 * Create, update, delete: read what is there, make one transaction of all that changes, and read
 * again when something else was faster.
 */
#include "user/store_dynamodb_outbox.h"

#include "user/fold.h"
#include "user/record.h"
#include "user/store_refusals.h"

#include <string.h>

enum { RECORD_BYTES_MAX = 64 * 1024, TTL_SLACK_S = 3600 };

/* One write under way: what it was asked, what it found, and its transaction. */
struct attempt {
    struct store_dynamodb *store;
    const struct store_write *write;
    int64_t until_ms;
    struct arena *arena; /* for as long as the call */
    struct dynamodb_key once_key;
    struct dynamodb_write tx;
    struct dynamodb_refusal refusal;
    int user_action, email_action, once_action; /* -1: none */
    bool unsure;                                /* a transaction with the event may be committed */
};

static void attempt_init(struct attempt *attempt, struct store_dynamodb *store,
                         const struct store_write *write, struct arena *arena)
{
    *attempt = (struct attempt){.store = store, .write = write, .arena = arena};
    attempt->until_ms = dynamodb_until(&store->table.ops, write->call.remaining_ms);
    if (write->once)
        attempt->once_key =
            dynamodb_hash_key(arena, write->call.tenant, 'o', write->once->request_id);
}

static void attempt_begin(struct attempt *attempt)
{
    attempt->user_action = attempt->email_action = attempt->once_action = -1;
    dynamodb_write_begin(&attempt->tx, &attempt->store->table.ops, attempt->arena);
}

/* --- idempotency --- */

static void put_once(struct attempt *attempt, const struct user *answer)
{
    const struct store_once *once = attempt->write->once;
    struct json_out *json = &attempt->tx.json;
    int64_t now_ms = clock_wall_ms(attempt->store->clock);
    int64_t expires_ms = now_ms + STORE_IDEMPOTENCY_MS;
    struct buf record;
    if (!once)
        return;
    buf_init_arena(&record, attempt->arena, RECORD_BYTES_MAX);
    if (answer)
        record_add_user(&record, answer);
    attempt->once_action = dynamodb_write_put_begin(&attempt->tx, attempt->once_key);
    dynamodb_put_b(json, "h", (struct str){(const char *)once->hash, STORE_HASH_BYTES});
    dynamodb_put_b(json, "a", buf_str(&record));
    dynamodb_put_n(json, "x", expires_ms);
    dynamodb_put_n(json, "ttl", expires_ms / 1000 + TTL_SLACK_S);
    dynamodb_write_put_end(&attempt->tx,
                           dynamodb_if_n("attribute_not_exists(pk) OR x <= :n", now_ms));
}

/* *replayed: `item` is the record of the same request, whose answer goes to *answer. */
static enum code read_once(const struct attempt *attempt, const struct json_value *item,
                           struct user *answer, bool *replayed, struct error *err)
{
    const struct store_once *once = attempt->write->once;
    if (!once || !item || dynamodb_number(item, "x") <= clock_wall_ms(attempt->store->clock))
        return CODE_OK;
    struct str hash = dynamodb_bytes(item, "h", attempt->arena);
    struct str record = dynamodb_bytes(item, "a", attempt->arena);
    if (hash.len != STORE_HASH_BYTES || memcmp(hash.ptr, once->hash, STORE_HASH_BYTES) != 0)
        return store_refuse_reused(err);
    if (record.len && !record_read_user(record, attempt->arena, answer))
        return error_set(err, CODE_DATA_LOSS, "DATABASE_CORRUPT", "a stored answer is damaged");
    *replayed = true;
    return CODE_OK;
}

/* --- parts of a transaction --- */

static void put_user(struct attempt *attempt, const struct user *user,
                     const struct search_terms *terms, struct dynamodb_condition condition)
{
    struct dynamodb_key key =
        dynamodb_user_key(attempt->arena, attempt->write->call.tenant, user->id);
    attempt->user_action = dynamodb_write_put_begin(&attempt->tx, key);
    item_put_user(&attempt->tx.json, user, terms);
    dynamodb_write_put_end(&attempt->tx, condition);
}

static struct dynamodb_key email_key(const struct attempt *attempt, struct str folded)
{
    return dynamodb_hash_key(attempt->arena, attempt->write->call.tenant, 'e', folded);
}

static void put_email(struct attempt *attempt, struct str folded, struct id id)
{
    attempt->email_action = dynamodb_write_put_begin(&attempt->tx, email_key(attempt, folded));
    dynamodb_put_s(&attempt->tx.json, "id", dynamodb_id_text(attempt->arena, id));
    dynamodb_write_put_end(&attempt->tx, dynamodb_if("attribute_not_exists(pk)"));
}

/* Event and idempotency record, and off it goes. ABORTED: a condition did not hold. */
static enum code commit(struct attempt *attempt, const struct user *answer, struct error *err)
{
    outbox_put_event(attempt->store, &attempt->tx, attempt->arena, &attempt->write->event);
    put_once(attempt, answer);
    enum code code =
        dynamodb_write_run(&attempt->tx, attempt->until_ms, attempt->arena, &attempt->refusal, err);
    if (code == CODE_OK)
        outbox_written(attempt->store, &attempt->write->event);
    else if (attempt->refusal.unsure)
        attempt->unsure = true;
    return code;
}

/* --- create --- */

/* A condition did not hold: a replay, a taken address, or this very user, made by an attempt whose
 * answer was lost. */
static enum code explain_create(struct attempt *attempt, const struct user *user,
                                struct user *answer, bool *replayed, struct error *err)
{
    const struct dynamodb_refusal *refusal = &attempt->refusal;
    const struct json_value *once = NULL;
    bool email_failed = dynamodb_write_failed(refusal, attempt->email_action);
    error_clear(err);
    if (attempt->write->once &&
        dynamodb_fetch(&attempt->store->table.ops, &attempt->once_key, 1, attempt->until_ms,
                       attempt->arena, &once, err) != CODE_OK)
        return err->code;
    if (read_once(attempt, once, answer, replayed, err) != CODE_OK || *replayed)
        return err->code;
    if (email_failed && str_eq(dynamodb_text(refusal->items[attempt->email_action], "id"),
                               dynamodb_id_text(attempt->arena, user->id))) {
        *answer = *user;
        return CODE_OK;
    }
    if (email_failed)
        return store_refuse_email(err);
    if (dynamodb_write_failed(refusal, attempt->user_action))
        return error_set(err, CODE_INTERNAL, NULL, "there is a user with this id already");
    return error_set(err, CODE_ABORTED, NULL, "the idempotency record has gone"); /* once more */
}

static enum code create(struct attempt *attempt, const struct user *user, struct user *answer,
                        bool *replayed, struct error *err)
{
    struct search_terms terms;
    search_terms_of_user(attempt->arena, user, &terms);
    for (int n = 0;; n++) {
        attempt_begin(attempt);
        put_user(attempt, user, &terms, dynamodb_if("attribute_not_exists(pk)"));
        put_email(attempt, fold_case(attempt->arena, user->email), user->id);
        index_write(&attempt->tx, attempt->arena, attempt->write->call.tenant, user->id, NULL,
                    &terms);
        *answer = *user;
        enum code code = commit(attempt, user, err);
        if (code != CODE_ABORTED)
            return code;
        code = explain_create(attempt, user, answer, replayed, err);
        if (code != CODE_ABORTED)
            return code;
        error_clear(err);
        if (dynamodb_pause(&attempt->store->table.ops, n, attempt->until_ms, err) != CODE_OK)
            return err->code;
    }
}

/* --- what update and delete have in common --- */

struct stored_user {
    struct user user;
    struct search_terms terms; /* as the index has them */
};

/* Reads the user and, with a request_id, its record, in one request. */
static enum code load(struct attempt *attempt, struct id id, struct stored_user *found,
                      struct user *answer, bool *replayed, struct error *err)
{
    struct dynamodb_key keys[2] = {
        dynamodb_user_key(attempt->arena, attempt->write->call.tenant, id), attempt->once_key};
    const struct json_value *items[2] = {NULL, NULL};
    if (dynamodb_fetch(&attempt->store->table.ops, keys, attempt->write->once ? 2 : 1,
                       attempt->until_ms, attempt->arena, items, err) != CODE_OK ||
        read_once(attempt, items[1], answer, replayed, err) != CODE_OK || *replayed)
        return err->code;
    if (!items[0])
        return store_check_owner(attempt->write->owner, NULL, err);
    search_terms_of_tokens(attempt->arena, dynamodb_text(items[0], "nk"),
                           dynamodb_text(items[0], "tk"), &found->terms);
    if (item_user(items[0], attempt->arena, &found->user, err) != CODE_OK)
        return err->code;
    return store_check_owner(attempt->write->owner, &found->user, err);
}

static struct dynamodb_condition unchanged_since(const struct user *user)
{
    return dynamodb_if_n("v = :n", (int64_t)user->version);
}

/* After ABORTED: the address is taken, or somebody was faster and it has to be read again. */
static enum code explain_change(struct attempt *attempt, int n, bool *again, struct error *err)
{
    error_clear(err);
    *again = !dynamodb_write_failed(&attempt->refusal, attempt->email_action) ||
             dynamodb_write_failed(&attempt->refusal, attempt->user_action) ||
             dynamodb_write_failed(&attempt->refusal, attempt->once_action);
    if (!*again)
        return store_refuse_email(err);
    return dynamodb_pause(&attempt->store->table.ops, n, attempt->until_ms, err);
}

/* --- update --- */

static void plan_update(struct attempt *attempt, const struct stored_user *found,
                        const struct user *user)
{
    uint32_t tenant = attempt->write->call.tenant;
    struct arena *arena = attempt->arena;
    struct search_terms after;
    struct str before_email = fold_case(arena, found->user.email);
    struct str after_email = fold_case(arena, user->email);
    search_terms_of_user(arena, user, &after);
    put_user(attempt, user, &after, unchanged_since(&found->user));
    if (!str_eq(before_email, after_email)) {
        dynamodb_write_delete(&attempt->tx, email_key(attempt, before_email), dynamodb_if(NULL));
        put_email(attempt, after_email, user->id);
    }
    index_write(&attempt->tx, arena, tenant, user->id, &found->terms, &after);
}

/* What changes nothing needs a record only, so that its answer stays the same. */
static enum code commit_record(struct attempt *attempt, const struct user *answer,
                               struct error *err)
{
    if (!attempt->write->once)
        return CODE_OK;
    put_once(attempt, answer);
    return dynamodb_write_run(&attempt->tx, attempt->until_ms, attempt->arena, &attempt->refusal,
                              err);
}

static enum code update(struct attempt *attempt, const struct user_change *change,
                        struct user *answer, bool *replayed, struct error *err)
{
    struct stored_user found;
    bool again = true;
    for (int n = 0; again; n++) {
        if (load(attempt, change->id, &found, answer, replayed, err) != CODE_OK || *replayed ||
            user_check_etag(&found.user, change->etag, "user.etag", err) != CODE_OK ||
            user_apply(&found.user, change, attempt->arena, answer, err) != CODE_OK)
            return err->code;
        attempt_begin(attempt);
        enum code code;
        if (answer->version == found.user.version) {
            code = commit_record(attempt, answer, err);
        } else {
            plan_update(attempt, &found, answer);
            code = commit(attempt, answer, err);
        }
        if (code != CODE_ABORTED)
            return code;
        if (explain_change(attempt, n, &again, err) != CODE_OK)
            return err->code;
    }
    return CODE_OK;
}

/* --- delete --- */

static enum code erase(struct attempt *attempt, struct id id, struct str etag, bool *replayed,
                       struct error *err)
{
    struct stored_user found;
    struct user ignored;
    bool again = true;
    for (int n = 0; again; n++) {
        if (load(attempt, id, &found, &ignored, replayed, err) != CODE_OK || *replayed ||
            user_check_etag(&found.user, etag, "etag", err) != CODE_OK)
            return err->code;
        uint32_t tenant = attempt->write->call.tenant;
        attempt_begin(attempt);
        attempt->user_action =
            dynamodb_write_delete(&attempt->tx, dynamodb_user_key(attempt->arena, tenant, id),
                                  unchanged_since(&found.user));
        dynamodb_write_delete(&attempt->tx,
                              email_key(attempt, fold_case(attempt->arena, found.user.email)),
                              dynamodb_if(NULL));
        index_write(&attempt->tx, attempt->arena, tenant, id, &found.terms, NULL);
        enum code code = commit(attempt, NULL, err);
        if (code != CODE_ABORTED)
            return code;
        if (explain_change(attempt, n, &again, err) != CODE_OK)
            return err->code;
    }
    return CODE_OK;
}

/* --- the vtable's functions --- */

static enum code end(const struct attempt *attempt, enum code code, struct error *err)
{
    if (attempt->unsure)
        atomic_store(&attempt->store->unsure, true);
    if (code != CODE_OK)
        err->unsure = attempt->unsure;
    return code;
}

enum code store_dynamodb_create(struct store *base, const struct store_write *write,
                                const struct user *user, struct arena *arena, struct user *created,
                                bool *replayed, struct error *err)
{
    struct arena own = {0};
    struct attempt attempt;
    struct user first = *user, answer = {0};
    first.version = 1;
    *replayed = false;
    attempt_init(&attempt, (struct store_dynamodb *)base, write, &own);
    enum code code = create(&attempt, &first, &answer, replayed, err);
    if (code == CODE_OK)
        *created = user_copy(arena, &answer);
    arena_clear(&own);
    return end(&attempt, code, err);
}

enum code store_dynamodb_update(struct store *base, const struct store_write *write,
                                const struct user_change *change, struct arena *arena,
                                struct user *updated, bool *replayed, struct error *err)
{
    struct arena own = {0};
    struct attempt attempt;
    struct user answer = {0};
    *replayed = false;
    attempt_init(&attempt, (struct store_dynamodb *)base, write, &own);
    enum code code = update(&attempt, change, &answer, replayed, err);
    if (code == CODE_OK)
        *updated = user_copy(arena, &answer);
    arena_clear(&own);
    return end(&attempt, code, err);
}

enum code store_dynamodb_remove(struct store *base, const struct store_write *write, struct id id,
                                struct str etag, bool *replayed, struct error *err)
{
    struct arena own = {0};
    struct attempt attempt;
    *replayed = false;
    attempt_init(&attempt, (struct store_dynamodb *)base, write, &own);
    enum code code = erase(&attempt, id, etag, replayed, err);
    arena_clear(&own);
    return end(&attempt, code, err);
}
