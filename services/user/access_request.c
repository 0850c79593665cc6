/* Field by field. */
#include "user/access_request.h"

#include "base/buf.h"
#include "crypto/crypto.h"
#include "user/request.h"
#include "user/validate.h"

#include <arpa/inet.h>
#include <math.h>
#include <string.h>

enum {
    RATE_MAX = 1000000,
    SHOWN_PATH_BYTES = 80,
    MEANING_BYTES_MAX = 16 * 1024,
    HASHED_BYTES_MAX = 2048,
    NETWORK_BYTES = 8, /* of an IPv6 address: what a household has */
    SUBJECT_BYTES_MAX = 16 * 1024,
};
static const int64_t END_OF_TIME_S = 253402300800; /* 10000-01-01 */

/* --- plans --- */

static void check_plan_id(struct str id, const char *path, struct error *err)
{
    bool good = id.len >= 1 && id.len <= ACCESS_PLAN_ID_CHARS;
    for (size_t i = 0; good && i < id.len; i++) {
        char c = id.ptr[i];
        good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    }
    if (!id.len)
        error_field(err, path, "is required");
    else if (!good)
        error_field(err, path, "must be 1 to %d characters of a-z, 0-9 and `-`",
                    ACCESS_PLAN_ID_CHARS);
}

static void check_quota(const Omnidata__Access__V1__Plan *plan, struct error *err)
{
    int period = (int)plan->quota_period;
    if (plan->quota > QUOTA_MAX)
        error_field(err, "plan.quota", "must be at most 10^15");
    if (period < QUOTA_NONE || period > QUOTA_WEEK)
        error_field(err, "plan.quota_period", "%d is not a known period", period);
    else if (plan->quota && period == QUOTA_NONE)
        error_field(err, "plan.quota_period", "a quota needs one: day, week or month");
    else if (!plan->quota && period != QUOTA_NONE)
        error_field(err, "plan.quota", "there is a period but no quota");
}

enum code access_request_plan(const Omnidata__Access__V1__PutPlanRequest *request,
                              struct access_plan *plan, struct error *err)
{
    const Omnidata__Access__V1__Plan *message = request->plan;
    if (!message)
        return error_field(err, "plan", "is required");
    check_plan_id(str_of(message->id), "plan.id", err);
    if (!isfinite(message->rate) || message->rate <= 0 || message->rate > RATE_MAX)
        error_field(err, "plan.rate", "must be above 0 and at most %d", RATE_MAX);
    if (message->burst < 1 || message->burst > RATE_MAX)
        error_field(err, "plan.burst", "must be 1 to %d", RATE_MAX);
    check_quota(message, err);
    *plan = (struct access_plan){
        .id = str_of(message->id),
        .rate = message->rate,
        .burst = message->burst,
        .quota = message->quota,
        .period = (enum quota_period)message->quota_period,
    };
    return err->code;
}

/* --- keys --- */

static int64_t read_expiry(const Google__Protobuf__Timestamp *time, int64_t now_us,
                           struct error *err)
{
    if (!time)
        return 0;
    if (time->seconds < 0 || time->seconds >= END_OF_TIME_S || time->nanos < 0 ||
        time->nanos > 999999999) {
        error_field(err, "api_key.expire_time", "is no point in time");
        return 0;
    }
    int64_t us = time->seconds * 1000000 + time->nanos / 1000;
    if (us <= now_us)
        error_field(err, "api_key.expire_time", "has passed already");
    return us;
}

static enum code read_once(const struct rpc_caller *caller, struct str id,
                           const struct access_key *key, struct arena *arena,
                           const struct store_once **once, struct error *err)
{
    struct buf meaning;
    *once = NULL;
    if (!id.len)
        return CODE_OK;
    if (id.len > REQUEST_ID_BYTES)
        return error_field(err, "request_id", "is longer than %d bytes", REQUEST_ID_BYTES);
    buf_init_arena(&meaning, arena, MEANING_BYTES_MAX);
    buf_addf(&meaning, "CreateApiKey:%zu:", key->name.len);
    buf_add(&meaning, key->name);
    buf_addf(&meaning, ":%.*s:%d:%lld", STR_ARG(key->plan_id), key->is_public,
             (long long)key->expire_us);
    struct store_once *made = arena_alloc(arena, sizeof *made);
    made->request_id = request_own_id(caller, id, arena);
    crypto_sha256(buf_str(&meaning), made->hash);
    *once = made;
    return CODE_OK;
}

/* The fields that are named, checked. */
static void read_fields(const Omnidata__Access__V1__ApiKey *message, unsigned fields,
                        int64_t now_us, struct access_key *key, struct error *err)
{
    if (fields & ACCESS_FIELD_NAME) {
        key->name = str_of(message->display_name);
        validate_name(key->name, "api_key.display_name", 1, ACCESS_KEY_NAME_CHARS, err);
    }
    if (fields & ACCESS_FIELD_PLAN) {
        key->plan_id = str_of(message->plan_id);
        check_plan_id(key->plan_id, "api_key.plan_id", err);
    }
    if (fields & ACCESS_FIELD_EXPIRY)
        key->expire_us = read_expiry(message->expire_time, now_us, err);
}

enum code access_request_key(const struct rpc_caller *caller,
                             const Omnidata__Access__V1__CreateApiKeyRequest *request,
                             int64_t now_us, struct arena *arena, struct access_key *key,
                             const struct store_once **once, struct error *err)
{
    const Omnidata__Access__V1__ApiKey *message = request->api_key;
    memset(key, 0, sizeof *key);
    *once = NULL;
    if (!message)
        return error_field(err, "api_key", "is required");
    key->is_public = message->public_;
    read_fields(message, ACCESS_FIELDS_ALL, now_us, key, err);
    if (err->code != CODE_OK)
        return err->code;
    return read_once(caller, str_of(request->request_id), key, arena, once, err);
}

static const struct {
    const char *path;
    unsigned field; /* 0: output only, ignored (AIP-203) */
} MASK_NAMES[] = {
    {"display_name", ACCESS_FIELD_NAME},
    {"plan_id", ACCESS_FIELD_PLAN},
    {"expire_time", ACCESS_FIELD_EXPIRY},
    {"*", ACCESS_FIELDS_ALL},
    {"id", 0},
    {"disabled", 0},
    {"create_time", 0},
    {"prefix", 0},
    {"disable_time", 0},
    {"rotate_time", 0},
    {"old_secret_expire_time", 0},
    {"etag", 0},
};

static unsigned read_mask(const Google__Protobuf__FieldMask *mask, struct error *err)
{
    unsigned fields = 0;
    for (size_t i = 0; i < mask->n_paths; i++) {
        size_t k = 0, count = sizeof MASK_NAMES / sizeof *MASK_NAMES;
        while (k < count && strcmp(mask->paths[i], MASK_NAMES[k].path) != 0)
            k++;
        if (k < count)
            fields |= MASK_NAMES[k].field;
        else if (strcmp(mask->paths[i], "public") == 0)
            error_field(err, "update_mask", "`public` never changes: make another key");
        else
            error_field(err, "update_mask", "a key has no field `%.*s`",
                        STR_ARG(str_utf8_cut(str_of(mask->paths[i]), SHOWN_PATH_BYTES)));
    }
    return fields;
}

static unsigned set_fields(const Omnidata__Access__V1__ApiKey *message)
{
    return (*message->display_name ? ACCESS_FIELD_NAME : 0U) |
           (*message->plan_id ? ACCESS_FIELD_PLAN : 0U) |
           (message->expire_time ? ACCESS_FIELD_EXPIRY : 0U);
}

enum code access_request_change(const Omnidata__Access__V1__UpdateApiKeyRequest *request,
                                int64_t now_us, struct access_key_change *change, struct error *err)
{
    const Omnidata__Access__V1__ApiKey *message = request->api_key;
    memset(change, 0, sizeof *change);
    if (!message)
        return error_field(err, "api_key", "is required");
    change->etag = str_of(message->etag);
    if (request->update_mask && request->update_mask->n_paths)
        change->fields = read_mask(request->update_mask, err);
    else
        change->fields = set_fields(message);
    read_fields(message, change->fields, now_us, &change->values, err);
    return err->code;
}

/* --- leases --- */

static void read_lease_id(const char *text, struct str gateway, const char *path,
                          uint8_t to[QUOTA_LEASE_ID_BYTES], struct error *err)
{
    uint8_t digest[CRYPTO_SHA256_BYTES];
    struct id id = {0};
    struct buf whole;
    if (request_id(text, path, &id, err) != CODE_OK)
        return;
    buf_init(&whole, HASHED_BYTES_MAX);
    buf_add_mem(&whole, id.bytes, sizeof id.bytes);
    buf_add(&whole, gateway);
    crypto_sha256(buf_str(&whole), digest);
    buf_clear(&whole);
    memcpy(to, digest, QUOTA_LEASE_ID_BYTES);
}

enum code access_request_lease(const Omnidata__Access__V1__LeaseQuotaRequest *request,
                               struct access_lease_request *lease, struct error *err)
{
    struct str gateway = str_of(request->gateway_id);
    memset(lease, 0, sizeof *lease);
    lease->want = request->want;
    lease->need = request->need;
    lease->returns = *request->returned_lease_id;
    lease->unspent = request->unspent;
    enum code key = request_id(request->key_id, "key_id", &lease->key_id, err);
    if (!gateway.len || gateway.len > ACCESS_GATEWAY_ID_BYTES) {
        error_field(err, "gateway_id", "must be 1 to %d bytes", ACCESS_GATEWAY_ID_BYTES);
        return err->code;
    }
    if (lease->need > lease->want)
        error_field(err, "need", "is more than want");
    if (lease->want)
        read_lease_id(request->lease_id, gateway, "lease_id", lease->lease, err);
    if (lease->returns)
        read_lease_id(request->returned_lease_id, gateway, "returned_lease_id", lease->returned,
                      err);
    else if (lease->unspent)
        error_field(err, "unspent", "of which lease? returned_lease_id is empty");
    else if (!lease->want)
        error_field(err, "want", "is 0, and no lease is returned: there is nothing to do");
    return key == CODE_OK ? err->code : key; /* with all the violations beside that of the key */
}

enum code access_request_counter(const struct access_key *key, struct str subject,
                                 struct access_counter *counter, struct error *err)
{
    struct buf whole;
    if (subject.len && !key->is_public)
        return error_field(err, "subject", "the key is not public: all use of it counts together");
    if (key->is_public && !str_starts(subject, STR("user:")) && !str_starts(subject, STR("ip:")))
        return error_field(err, "subject",
                           "the key is public: whose use is it? `user:…` or `ip:…`");
    if (subject.len > ACCESS_SUBJECT_BYTES)
        return error_field(err, "subject", "is longer than %d bytes", ACCESS_SUBJECT_BYTES);
    buf_init(&whole, HASHED_BYTES_MAX);
    buf_add_mem(&whole, key->id.bytes, sizeof key->id.bytes);
    buf_add(&whole, subject);
    crypto_sha256(buf_str(&whole), counter->bytes);
    buf_clear(&whole);
    return CODE_OK;
}

/* `ip:` and the address, or the network of an IPv6 address; empty when it is no address. */
static void add_network(struct buf *out, struct str address, struct arena *arena)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    const char *written = arena_cstr(arena, address);
    uint8_t bytes[sizeof(struct in6_addr)];
    char text[INET6_ADDRSTRLEN];
    if (inet_pton(AF_INET, written, bytes) == 1) {
        inet_ntop(AF_INET, bytes, text, sizeof text);
    } else if (inet_pton(AF_INET6, written, bytes) != 1) {
        return;
    } else if (memcmp(bytes, mapped, sizeof mapped) == 0) {
        inet_ntop(AF_INET, bytes + sizeof mapped, text, sizeof text);
    } else {
        memset(bytes + NETWORK_BYTES, 0, sizeof bytes - NETWORK_BYTES);
        inet_ntop(AF_INET6, bytes, text, sizeof text);
    }
    buf_addf(out, "ip:%s", text);
}

struct str access_subject_of(const struct rpc_caller *caller, struct arena *arena)
{
    struct buf out;
    buf_init_arena(&out, arena, SUBJECT_BYTES_MAX);
    if (!rpc_caller_signed_in(caller)) {
        add_network(&out, caller->address, arena);
        return buf_str(&out);
    }
    buf_add_cstr(&out, "user:");
    buf_add(&out, caller->issuer);
    buf_add_char(&out, '\n');
    buf_add(&out, caller->subject);
    return buf_str(&out);
}
