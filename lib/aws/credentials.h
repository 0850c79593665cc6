/*
 * Who we are to AWS. The first source that is configured is used, in this order: environment, web
 * identity (IRSA), profile files, container (ECS, EKS pod identity), instance metadata (IMDSv2).
 * credentials_sources.h has the sources; here they are kept fresh: one thread renews five minutes
 * before they end (with jitter), or when somebody learned from AWS that they have ended.
 */
#pragma once
#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* An immutable, counted snapshot. Never logged. */
struct aws_credentials {
    struct str id, secret, token; /* token may be empty */
    int64_t expires_ms;           /* UTC; INT64_MAX: never */
    uint64_t generation;          /* grows with each renewal */
};

struct aws_provider;
struct http_client;

struct aws_provider_options {
    char *(*environment)(const char *);
    const struct clock *clock;
    struct http_client *http; /* the caller's; outlives the provider */
    uint32_t jitter_ms;       /* a renewal is up to so much earlier; 0: a minute */
    int64_t retry_ms;         /* after a renewal in vain, at first; 0: 5 seconds */
};

/*
 * Finds the source and fetches for the first time, waiting for it. FAILED_PRECONDITION with what
 * was looked for when there is none; a source that is configured but does not answer is an error
 * that names it.
 */
enum code aws_provider_open(const struct aws_provider_options *options,
                            struct aws_provider **provider, struct error *err) MUST_CHECK;

/* Stops its thread; who waits for a renewal is told CANCELLED. From then on nothing is renewed. */
void aws_provider_stop(struct aws_provider *provider);

/* Stops, frees. NULL is allowed. */
void aws_provider_free(struct aws_provider *provider);

/* The current ones, at once; give them back. Any thread. */
const struct aws_credentials *aws_provider_get(struct aws_provider *provider);
void aws_credentials_release(const struct aws_credentials *credentials);

/* `err` is NULL when there are newer ones. From the provider's thread. */
typedef void (*aws_renewed_fn)(void *argument, const struct error *err);

/*
 * AWS said that the credentials of `generation` have expired: renews unless that has happened
 * already. `renewed` runs exactly once, later, from another thread; false: the provider has been
 * stopped, and it never runs. Any thread.
 */
bool aws_provider_renew(struct aws_provider *provider, uint64_t generation, aws_renewed_fn renewed,
                        void *argument) MUST_CHECK;

/*
 * How long until the next renewal. Credentials that end in `left_ms` are used until five minutes
 * and `dice_ms` before their end, until half of it when that is little. A renewal was in vain if it
 * failed, or if by our clock, which may be ahead, they end within retry_ms: the pause is retry_ms
 * then, twice as long each time, a minute at most, and shorter by up to half with the dice.
 */
struct aws_renewals {
    int64_t retry_ms;
    int in_vain; /* how many in a row; kept by the function */
};
int64_t aws_renewal_delay_ms(struct aws_renewals *renewals, bool renewed, int64_t left_ms,
                             int64_t dice_ms);

/* "environment", "web identity", "profile", "container", "instance metadata". */
const char *aws_provider_source(const struct aws_provider *provider);
