/* Making and ending them, in an order that leaves nobody with a client that is gone. */
#include "gateway/access.h"

#include "base/alloc.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>

enum {
    ADDRESSES = 1 << 16,
    CALLERS = 1 << 16,
    KEYS = 1 << 15,
    LEASE_WAIT_MS = 2000,
    RETURN_WAIT_MS = 1000,
};

/* A lease must not grow older than the store believes: CLOCK_MONOTONIC stands still in a laptop's
 * sleep, this one does not. */
static int64_t boot_ms(const struct clock *clock)
{
    struct timespec now;
    (void)clock;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t wall_us(const struct clock *clock)
{
    (void)clock;
    return clock_wall_us(clock_real());
}

static const struct clock LEASE_CLOCK = {wall_us, boot_ms};

static enum code make_state_dir(const char *path, struct error *err)
{
    if (!path[0] || mkdir(path, 0700) == 0 || errno == EEXIST)
        return CODE_OK;
    return error_errno(err, CODE_FAILED_PRECONDITION, errno, "--state-dir: %s", path);
}

static enum code with_keys(const struct gateway_options *options, struct rpc_client *client,
                           struct access *access, struct error *err)
{
    if (!client)
        return error_set(err, CODE_FAILED_PRECONDITION, "INVALID_SETTING",
                         "--access=policy needs an upstream for omnidata.access.v1 in --upstreams");
    access->lessor = quota_rpc_of(client);
    struct quota_options quota = {.lessor = &access->lessor.lessor,
                                  .state_dir = options->state_dir,
                                  .clock = &LEASE_CLOCK,
                                  .wait_ms = LEASE_WAIT_MS};
    if (make_state_dir(options->state_dir, err) != CODE_OK ||
        quota_new(&quota, &access->quota, err) != CODE_OK)
        return err->code;
    struct keys_options keys = {client, options->state_dir, clock_real()};
    access->by_key = throttle_new(KEYS);
    access->by_caller = throttle_new(CALLERS);
    access->keys = keys_new(&keys);
    quota_start(access->quota);
    return CODE_OK;
}

enum code access_new(const struct gateway_options *options, struct rpc_client *client,
                     struct access **access, struct error *err)
{
    struct access *made = xcalloc(1, sizeof *made);
    enum code code = address_list_new(options->trusted_proxies, &made->trusted, err);
    if (code == CODE_OK && options->ip_rate > 0) {
        made->addresses = throttle_new(ADDRESSES);
        made->address_limit =
            throttle_limit_of((double)options->ip_rate, (uint32_t)options->ip_burst);
    }
    if (code == CODE_OK && options->access == GATEWAY_ACCESS_POLICY)
        code = with_keys(options, client, made, err);
    if (code != CODE_OK) {
        access_stop(made);
        access_free(made);
        made = NULL;
    }
    *access = made;
    return code;
}

void access_drain(struct access *access)
{
    if (access->quota)
        quota_drain(access->quota, RETURN_WAIT_MS);
}

void access_stop(struct access *access)
{
    if (!access)
        return;
    keys_free(access->keys);
    access->keys = NULL;
    if (access->quota)
        quota_drain(access->quota, 0);
}

void access_free(struct access *access)
{
    if (!access)
        return;
    quota_free(access->quota);
    throttle_free(access->by_key);
    throttle_free(access->by_caller);
    throttle_free(access->addresses);
    address_list_free(access->trusted);
    xfree(access);
}
