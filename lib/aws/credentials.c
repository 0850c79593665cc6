/* One thread renews; everybody else takes the snapshot that is there. */
#include "aws/credentials.h"

#include "aws/credentials_sources.h"
#include "base/alloc.h"
#include "base/id.h"
#include "base/log.h"
#include "base/wait.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum {
    LEAD_MS = 5 * 60 * 1000,
    JITTER_MS = 60 * 1000,
    RETRY_MS = 5000,
    RETRY_MAX_MS = 60 * 1000,
    FIRST_ATTEMPTS = 3,
    FIRST_PAUSE_MS = 500,
};

struct snapshot {
    struct aws_credentials base;
    atomic_int users;
    char texts[];
};

struct waiter {
    struct waiter *next;
    uint64_t generation; /* what it found too old */
    aws_renewed_fn renewed;
    void *argument;
};

struct aws_provider {
    struct aws_provider_options options;
    const struct credentials_source *source;
    pthread_t thread;
    bool thread_runs;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    struct snapshot *current;
    struct waiter *waiters;
    bool stopping;
};

/* --- snapshots --- */

static struct str put(char **to, struct str text)
{
    struct str copy = {*to, text.len};
    if (text.len)
        memcpy(*to, text.ptr, text.len);
    (*to)[text.len] = '\0';
    *to += text.len + 1;
    return copy;
}

static struct snapshot *snapshot_of(const struct credentials_found *found, uint64_t generation)
{
    struct snapshot *snapshot =
        xcalloc(1, sizeof *snapshot + found->id.len + found->secret.len + found->token.len + 3);
    char *to = snapshot->texts;
    snapshot->base.id = put(&to, found->id);
    snapshot->base.secret = put(&to, found->secret);
    snapshot->base.token = put(&to, found->token);
    snapshot->base.expires_ms = found->expires_ms;
    snapshot->base.generation = generation;
    atomic_init(&snapshot->users, 1);
    return snapshot;
}

void aws_credentials_release(const struct aws_credentials *credentials)
{
    struct snapshot *snapshot = (struct snapshot *)credentials;
    if (snapshot && atomic_fetch_sub(&snapshot->users, 1) == 1) {
        explicit_bzero((char *)snapshot->base.secret.ptr, snapshot->base.secret.len);
        xfree(snapshot);
    }
}

const struct aws_credentials *aws_provider_get(struct aws_provider *provider)
{
    pthread_mutex_lock(&provider->lock);
    struct snapshot *snapshot = provider->current;
    atomic_fetch_add(&snapshot->users, 1);
    pthread_mutex_unlock(&provider->lock);
    return &snapshot->base;
}

/* --- fetching --- */

static enum code fetch(struct aws_provider *provider, const struct credentials_source *source,
                       bool *configured, struct error *err)
{
    struct arena arena = {0};
    const struct credentials_context context = {
        provider->options.environment, provider->options.http, provider->options.clock, &arena};
    struct credentials_found found = {0};
    enum code code = source->fetch(&context, &found, configured, err);
    if (code == CODE_OK && *configured) {
        pthread_mutex_lock(&provider->lock);
        struct snapshot *old = provider->current;
        provider->current = snapshot_of(&found, old ? old->base.generation + 1 : 1);
        pthread_mutex_unlock(&provider->lock);
        aws_credentials_release(old ? &old->base : NULL);
    }
    arena_clear(&arena);
    return code == CODE_OK ? code : error_prefix(err, source->name);
}

/* --- the thread --- */

int64_t aws_renewal_delay_ms(struct aws_renewals *renewals, bool renewed, int64_t left_ms,
                             int64_t dice_ms)
{
    if (renewed && left_ms > renewals->retry_ms) {
        int64_t lead_ms = LEAD_MS + dice_ms;
        renewals->in_vain = 0;
        return left_ms - (lead_ms < left_ms / 2 ? lead_ms : left_ms / 2);
    }
    int64_t pause_ms = renewals->retry_ms;
    for (int i = 0; i < renewals->in_vain && pause_ms < RETRY_MAX_MS; i++)
        pause_ms *= 2;
    renewals->in_vain++;
    pause_ms = pause_ms < RETRY_MAX_MS ? pause_ms : RETRY_MAX_MS;
    return pause_ms - dice_ms % (pause_ms / 2 + 1);
}

static int64_t random_up_to(uint32_t most)
{
    uint32_t dice;
    id_random_nonce(&dice, sizeof dice);
    return (int64_t)(dice % ((uint64_t)most + 1));
}

/* Until the next renewal; -1: none is due ever. */
static int64_t delay_of(const struct aws_provider *provider, struct aws_renewals *renewals,
                        bool renewed)
{
    int64_t expires_ms = provider->current->base.expires_ms; /* this thread alone replaces it */
    if (renewed && expires_ms == INT64_MAX)
        return -1;
    return aws_renewal_delay_ms(renewals, renewed,
                                expires_ms - clock_wall_ms(provider->options.clock),
                                random_up_to(provider->options.jitter_ms));
}

/* False: it is time to end. */
static bool wait_until_due(struct aws_provider *provider, int64_t delay_ms)
{
    struct timespec due = wait_deadline(delay_ms > 0 ? delay_ms : 0);
    int result = 0;
    pthread_mutex_lock(&provider->lock);
    while (!provider->stopping && !provider->waiters && result == 0)
        result = delay_ms < 0 ? pthread_cond_wait(&provider->changed, &provider->lock)
                              : pthread_cond_timedwait(&provider->changed, &provider->lock, &due);
    bool go_on = !provider->stopping;
    pthread_mutex_unlock(&provider->lock);
    return go_on;
}

static void tell_waiters(struct aws_provider *provider, const struct error *err)
{
    pthread_mutex_lock(&provider->lock);
    struct waiter *waiter = provider->waiters;
    provider->waiters = NULL;
    pthread_mutex_unlock(&provider->lock);
    while (waiter) {
        struct waiter *next = waiter->next;
        waiter->renewed(waiter->argument, err);
        xfree(waiter);
        waiter = next;
    }
}

/* Many calls learn of the same end; those that come late find newer credentials. */
static bool is_renewed_already(struct aws_provider *provider)
{
    pthread_mutex_lock(&provider->lock);
    bool newer = provider->waiters != NULL;
    for (const struct waiter *waiter = provider->waiters; waiter; waiter = waiter->next)
        newer &= waiter->generation < provider->current->base.generation;
    pthread_mutex_unlock(&provider->lock);
    return newer;
}

static void *run(void *argument)
{
    struct aws_provider *provider = argument;
    struct aws_renewals renewals = {.retry_ms = provider->options.retry_ms};
    int64_t delay_ms = delay_of(provider, &renewals, true);
    while (wait_until_due(provider, delay_ms)) {
        struct error err = {0};
        bool configured = false;
        if (is_renewed_already(provider)) {
            tell_waiters(provider, NULL);
            continue;
        }
        enum code code = fetch(provider, provider->source, &configured, &err);
        if (code == CODE_OK && !configured)
            code = error_set(&err, CODE_FAILED_PRECONDITION, NULL, "%s: credentials are gone",
                             provider->source->name);
        if (code != CODE_OK)
            log_warn("aws_credentials_not_renewed", LOG_ERR(&err));
        delay_ms = delay_of(provider, &renewals, code == CODE_OK);
        tell_waiters(provider, code == CODE_OK ? NULL : &err);
    }
    return NULL;
}

bool aws_provider_renew(struct aws_provider *provider, uint64_t generation, aws_renewed_fn renewed,
                        void *argument)
{
    struct waiter *waiter = xcalloc(1, sizeof *waiter);
    *waiter = (struct waiter){NULL, generation, renewed, argument};
    pthread_mutex_lock(&provider->lock);
    bool taken = !provider->stopping;
    if (taken) {
        waiter->next = provider->waiters;
        provider->waiters = waiter;
        pthread_cond_signal(&provider->changed);
    }
    pthread_mutex_unlock(&provider->lock);
    if (!taken)
        xfree(waiter);
    return taken;
}

/* --- the first --- */

/* A program that starts on a bad moment of STS need not end for it. */
static enum code fetch_first(struct aws_provider *provider, const struct credentials_source *source,
                             bool *configured, struct error *err)
{
    enum code code = fetch(provider, source, configured, err);
    for (int attempt = 2; code == CODE_UNAVAILABLE && !source->silent && attempt <= FIRST_ATTEMPTS;
         attempt++) {
        wait_until_due(provider, random_up_to(FIRST_PAUSE_MS));
        error_clear(err);
        code = fetch(provider, source, configured, err);
    }
    return code;
}

static enum code find_source(struct aws_provider *provider, struct error *err)
{
    for (size_t i = 0; i < CREDENTIALS_SOURCE_COUNT; i++) {
        const struct credentials_source *source = &CREDENTIALS_SOURCES[i];
        bool configured = false;
        enum code code = fetch_first(provider, source, &configured, err);
        if (code != CODE_OK && !source->silent)
            return error_prefix(err, "AWS credentials");
        if (code == CODE_OK && configured) {
            provider->source = source;
            return CODE_OK;
        }
    }
    return error_set(err, CODE_FAILED_PRECONDITION, NULL,
                     "no AWS credentials: not in the environment (AWS_ACCESS_KEY_ID …), no web "
                     "identity, no profile, no container's, no instance's");
}

enum code aws_provider_open(const struct aws_provider_options *options,
                            struct aws_provider **provider, struct error *err)
{
    struct aws_provider *p = xcalloc(1, sizeof *p);
    p->options = *options;
    p->options.jitter_ms = options->jitter_ms ? options->jitter_ms : JITTER_MS;
    p->options.retry_ms = options->retry_ms ? options->retry_ms : RETRY_MS;
    pthread_mutex_init(&p->lock, NULL);
    wait_cond_init(&p->changed);
    if (find_source(p, err) != CODE_OK)
        goto fail;
    p->thread_runs = pthread_create(&p->thread, NULL, run, p) == 0;
    if (!p->thread_runs) {
        error_set(err, CODE_RESOURCE_EXHAUSTED, NULL, "cannot start the thread for credentials");
        goto fail;
    }
    pthread_setname_np(p->thread, "aws-credentials");
    *provider = p;
    return CODE_OK;
fail:
    aws_provider_free(p);
    return err->code;
}

void aws_provider_stop(struct aws_provider *provider)
{
    struct error err = {0};
    pthread_mutex_lock(&provider->lock);
    provider->stopping = true;
    pthread_cond_signal(&provider->changed);
    pthread_mutex_unlock(&provider->lock);
    if (provider->thread_runs)
        pthread_join(provider->thread, NULL);
    provider->thread_runs = false;
    error_set(&err, CODE_CANCELLED, NULL, "stopping");
    tell_waiters(provider, &err);
}

void aws_provider_free(struct aws_provider *provider)
{
    if (!provider)
        return;
    aws_provider_stop(provider);
    aws_credentials_release(provider->current ? &provider->current->base : NULL);
    pthread_cond_destroy(&provider->changed);
    pthread_mutex_destroy(&provider->lock);
    xfree(provider);
}

const char *aws_provider_source(const struct aws_provider *provider)
{
    return provider->source->name;
}
