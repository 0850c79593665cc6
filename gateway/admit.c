/*
 * Who is admitted, and how often: the limit of an address, the API key, its plan's rate and quota.
 * The order, and why it is this one, stands at the list in gateway.c.
 *
 * With a secret key all of its use counts together. A public key is in everybody's hands: what
 * comes with it counts for each signed-in user or, when nobody is signed in, each network by
 * itself. Who sends a token with it is therefore counted only when that has been verified.
 */
#include "gateway/admit.h"

#include "gateway/access.h"
#include "gateway/ratelimit.h"
#include "gateway/request.h"
#include "http/resume.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { NAME_BYTES_MAX = 1200, SUBJECT_BYTES_MAX = 1024 };

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* --- answers --- */

/* The headers of all limits that are known, the tightest first, on every answer from now on. */
static void add_headers(struct request *request, struct ratelimit *limits, size_t count)
{
    if (count == 2 && limits[1].left < limits[0].left) {
        struct ratelimit tightest = limits[1];
        limits[1] = limits[0];
        limits[0] = tightest;
    }
    request_header(request, STR("RateLimit"), ratelimit_state(limits, count, request->arena));
    request_header(request, STR("RateLimit-Policy"),
                   ratelimit_policy(limits, count, request->arena));
    request->common_header_count = request->header_count;
}

/* 429: `limit` has refused, the other one is only mentioned as a policy. */
static enum stage_result refuse(struct request *request, const struct ratelimit *limit,
                                const char *reason, const char *what)
{
    struct error err = {0};
    int64_t seconds = limit->again_s > 0 ? limit->again_s : 1;
    struct ratelimit shown = *limit;
    shown.left = 0;
    shown.again_s = seconds;
    error_set(&err, CODE_RESOURCE_EXHAUSTED, reason, "%s; again in %" PRId64 " s.", what, seconds);
    err.retry_after_ms = seconds < UINT32_MAX / 1000 ? (uint32_t)seconds * 1000 : UINT32_MAX;
    add_headers(request, &shown, 1);
    return request_fail_own(request, 0, &err);
}

static enum stage_result unavailable(struct request *request, const char *reason, const char *text)
{
    struct error err = {0};
    error_set(&err, CODE_UNAVAILABLE, reason, "%s", text);
    err.retry_after_ms = 1000;
    return request_fail_own(request, 0, &err);
}

/* --- addresses --- */

enum stage_result stage_address(struct request *request)
{
    const struct access *access = request->gateway->access;
    struct address address;
    if (!address_of_client(request->http, access->trusted, &address))
        return STAGE_GO; /* a local socket: no address, nothing to count */
    char *text = arena_alloc(request->arena, ADDRESS_TEXT_BYTES);
    address_format(&address, text);
    request->caller.address = str_of(text);
    request->network = address_network(&address);
    if (!access->addresses)
        return STAGE_GO;
    struct str name = {(const char *)request->network.bytes, sizeof request->network.bytes};
    struct throttle_result result =
        throttle_take(access->addresses, name, &access->address_limit, 1, now_ns());
    if (result.admitted)
        return STAGE_GO;
    struct ratelimit limit = ratelimit_of_bucket("address", &access->address_limit, &result);
    return refuse(request, &limit, "ADDRESS_RATE_EXCEEDED", "Too many requests from this address");
}

/* --- the key --- */

static enum stage_result forbidden(struct request *request, const char *reason, const char *text)
{
    struct error err = {0};
    error_set(&err, CODE_PERMISSION_DENIED, reason, "%s", text);
    return request_fail_own(request, 0, &err);
}

/* An unknown key, an ended one and a disabled one are the same to whoever has no right to know. */
static const char KEY_INVALID[] = "API_KEY_INVALID",
                  KEY_INVALID_TEXT[] = "This API key is not valid.";

enum stage_result stage_key(struct request *request)
{
    const struct access *access = request->gateway->access;
    struct admit *admit = &request->admit;
    struct str secret = http_header_find(request->http, STR("X-API-Key"));
    if (!access->keys || request->match.route->method->policy.access == SCHEMA_ACCESS_PUBLIC)
        return STAGE_GO;
    if (!secret.len)
        return forbidden(request, "API_KEY_MISSING", "An API key is needed, in X-API-Key.");
    if (http_header_count(request->http, STR("X-API-Key")) > 1)
        return forbidden(request, "API_KEY_REPEATED", "There is more than one X-API-Key.");
    switch (keys_find(access->keys, secret, request->arena, &admit->key)) {
    case KEYS_NOT_YET:
        return unavailable(request, "KEYS_NOT_KNOWN", "The API keys are not known yet; try again.");
    case KEYS_UNKNOWN:
        return forbidden(request, KEY_INVALID, KEY_INVALID_TEXT);
    case KEYS_FOUND:
        break;
    }
    admit->has_key = true;
    request->caller.key_id = admit->key.id;
    return STAGE_GO;
}

enum code admit_again(const struct request *request, struct error *err)
{
    const struct admit *admit = &request->admit;
    if (admit->has_key && !keys_hold(request->gateway->access->keys, &admit->key))
        return error_set(err, CODE_PERMISSION_DENIED, KEY_INVALID, "%s", KEY_INVALID_TEXT);
    if (request->caller.subject.len &&
        clock_wall_us(clock_real()) / 1000000 >= request->caller.until_s)
        return error_set(err, CODE_UNAUTHENTICATED, "TOKEN_EXPIRED", "The token has expired.");
    return CODE_OK;
}

/* --- the rate --- */

/* Whose use of a public key it is, as AccessService has it. */
static void find_subject(struct request *request)
{
    struct admit *admit = &request->admit;
    struct buf text;
    char network[ADDRESS_TEXT_BYTES];
    buf_init_arena(&text, request->arena, SUBJECT_BYTES_MAX);
    if (request->caller.subject.len) {
        buf_add(&text, STR("user:"));
        buf_add(&text, request->caller.issuer);
        buf_add_char(&text, '\n');
        buf_add(&text, request->caller.subject);
    } else {
        address_format(&request->network, network);
        buf_add(&text, STR("ip:"));
        buf_add_cstr(&text, network);
    }
    admit->subject = buf_str(&text);
}

static struct throttle_result take_rate(struct request *request)
{
    const struct access *access = request->gateway->access;
    struct admit *admit = &request->admit;
    struct buf name;
    if (!admit->key.is_public)
        return throttle_take(access->by_key, admit->key.id, &admit->key.plan.rate,
                             request->match.route->method->policy.quota_cost, now_ns());
    find_subject(request);
    buf_init_arena(&name, request->arena, NAME_BYTES_MAX);
    buf_add(&name, admit->key.id);
    buf_add_char(&name, '\0');
    buf_add(&name, admit->subject);
    return throttle_take(access->by_caller, buf_str(&name), &admit->key.plan.rate,
                         request->match.route->method->policy.quota_cost, now_ns());
}

static enum stage_result charge_rate(struct request *request)
{
    struct admit *admit = &request->admit;
    admit->rate = take_rate(request);
    admit->rate_taken = true;
    if (admit->rate.admitted)
        return STAGE_GO;
    struct ratelimit limit = ratelimit_of_bucket("rate", &admit->key.plan.rate, &admit->rate);
    return refuse(request, &limit, "RATE_EXCEEDED", "The API key's plan allows no more at once");
}

enum stage_result stage_rate(struct request *request)
{
    const struct admit *admit = &request->admit;
    bool later = admit->key.is_public && http_header_find(request->http, STR("Authorization")).ptr;
    return admit->has_key && !later ? charge_rate(request) : STAGE_GO;
}

/* --- the quota --- */

static enum stage_result quota_result(struct request *request, const struct quota_outcome *outcome)
{
    struct admit *admit = &request->admit;
    const struct key_plan *plan = &admit->key.plan;
    struct ratelimit limits[2] = {ratelimit_of_bucket("rate", &plan->rate, &admit->rate)};
    limits[1] =
        ratelimit_of_quota(plan, outcome->left, outcome->reset_us, clock_wall_us(clock_real()));
    if (outcome->verdict == QUOTA_ADMITTED) {
        add_headers(request, limits, 2);
        return STAGE_GO;
    }
    if (outcome->verdict != QUOTA_USED_UP)
        return unavailable(request, "QUOTA_UNAVAILABLE",
                           "The API key's quota cannot be looked up right now; try again.");
    limits[1].again_s = (outcome->retry_ms + 999) / 1000;
    const char *what = arena_printf(request->arena, "The API key's quota of this %s is used up",
                                    plan->period == KEY_PERIOD_OTHER ? "period" : limits[1].name);
    return refuse(request, &limits[1], "QUOTA_EXCEEDED", what);
}

enum stage_result stage_charge(struct request *request)
{
    struct admit *admit = &request->admit;
    if (!admit->has_key)
        return STAGE_GO;
    if (!admit->rate_taken && charge_rate(request) == STAGE_ANSWERED)
        return STAGE_ANSWERED;
    if (!admit->key.plan.quota) {
        struct ratelimit only = ratelimit_of_bucket("rate", &admit->key.plan.rate, &admit->rate);
        add_headers(request, &only, 1);
        return STAGE_GO;
    }
    admit->outcome = quota_spend(request->gateway->access->quota, admit->key.id, admit->subject,
                                 request->match.route->method->policy.quota_cost, NULL);
    admit->waiting = admit->outcome.verdict == QUOTA_WAIT;
    return admit->waiting ? STAGE_GO : quota_result(request, &admit->outcome);
}

/* In the thread that brings leases. */
static void on_lease(void *argument, const struct quota_outcome *outcome)
{
    struct request *request = argument;
    request->admit.outcome = *outcome;
    http_resume(request->exchange);
}

enum stage_result stage_settle(struct request *request)
{
    struct admit *admit = &request->admit;
    if (!admit->waiting)
        return STAGE_GO;
    if (!admit->parked) {
        admit->parked = true;
        admit->waiter.done = on_lease;
        admit->waiter.argument = request;
        struct quota_outcome outcome =
            quota_spend(request->gateway->access->quota, admit->key.id, admit->subject,
                        request->match.route->method->policy.quota_cost, &admit->waiter);
        if (outcome.verdict == QUOTA_WAIT)
            return STAGE_ANSWERED; /* it will be; on_lease has it come here once more */
        admit->outcome = outcome;
    }
    admit->waiting = false;
    return quota_result(request, &admit->outcome);
}
