/*
 * A store that keeps books as the access service does, for the tests of quotas: it answers when the
 * test says so, late, wrongly or never, by a clock that the test turns. It never has to grant more
 * than its quota.
 */
#pragma once
#include "gateway/quota.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ASKED_MAX = 4096, LEASES_MAX = 8192, VALID_MS = 10000, WAIT_MS = 2000 };

static int64_t now_ms;

static inline int64_t wall_us(const struct clock *clock)
{
    (void)clock;
    return now_ms * 1000;
}

static inline int64_t mono_ms(const struct clock *clock)
{
    (void)clock;
    return now_ms;
}

static const struct clock CLOCK = {wall_us, mono_ms};

/* --- the store --- */

struct store_lease {
    char id[40], gateway_id[40];
    uint64_t granted;
    bool returned;
};

struct question {
    char lease_id[40], returned_id[40], gateway_id[40], subject[40];
    uint64_t want, need, unspent;
    size_t owner; /* for tests that have several gateways */
    quota_granted_fn granted;
    void *argument;
};

struct store {
    struct quota_lessor lessor; /* first */
    uint64_t quota, used;
    uint64_t chunk_max; /* 0: a quarter of what is left, as the service does */
    struct store_lease leases[LEASES_MAX];
    size_t lease_count;
    struct question questions[ASKED_MAX];
    size_t question_count, asked_in_all;
    enum code fails; /* what is answered instead */
    bool forgets;    /* carries out, and the answer is lost */
};

static inline void store_ask(const struct quota_lessor *lessor, const struct quota_ask *ask,
                             quota_granted_fn granted, void *argument)
{
    struct store *store = (struct store *)(uintptr_t)lessor;
    assert_true(store->question_count < ASKED_MAX);
    struct question *question = &store->questions[store->question_count++];
    snprintf(question->lease_id, 40, "%.*s", STR_ARG(ask->lease_id));
    snprintf(question->returned_id, 40, "%.*s", STR_ARG(ask->returned_lease_id));
    snprintf(question->gateway_id, 40, "%.*s", STR_ARG(ask->gateway_id));
    snprintf(question->subject, 40, "%.*s", STR_ARG(ask->subject));
    question->want = ask->want;
    question->need = ask->need;
    question->owner = 0;
    question->unspent = ask->unspent;
    question->granted = granted;
    question->argument = argument;
    store->asked_in_all++;
}

static inline struct store_lease *lease_of(struct store *store, const struct question *question,
                                           const char *id)
{
    for (size_t i = 0; i < store->lease_count; i++)
        if (strcmp(store->leases[i].id, id) == 0) {
            assert_string_equal(store->leases[i].gateway_id, question->gateway_id);
            return &store->leases[i];
        }
    return NULL;
}

static inline uint64_t grant(struct store *store, const struct question *question)
{
    struct store_lease *lease = lease_of(store, question, question->lease_id);
    if (lease)
        return lease->granted;
    uint64_t left = store->quota - store->used;
    uint64_t most = store->chunk_max ? store->chunk_max : (left + 3) / 4;
    assert_true(question->need <= question->want);
    most = most > question->need ? most : question->need;
    uint64_t granted = question->want < most ? question->want : most;
    granted = granted < left ? granted : left;
    if (!granted || granted < question->need)
        return 0;
    lease = &store->leases[store->lease_count++];
    snprintf(lease->id, 40, "%s", question->lease_id);
    snprintf(lease->gateway_id, 40, "%s", question->gateway_id);
    lease->granted = granted;
    store->used += granted;
    assert_true(store->used <= store->quota);
    return granted;
}

static inline void take_back(struct store *store, const struct question *question)
{
    struct store_lease *lease = lease_of(store, question, question->returned_id);
    assert_non_null(lease);
    assert_true(question->unspent <= lease->granted);
    if (!lease->returned)
        store->used -= question->unspent;
    lease->returned = true;
}

/* What becomes of the n-th question: carried out or not, and heard of or not. */
enum fate { ANSWERED, ANSWER_LOST, QUESTION_LOST };

static inline void carry_out(struct store *store, const struct question *question,
                             struct quota_grant *result)
{
    if (question->returned_id[0])
        take_back(store, question);
    if (question->want)
        result->granted = grant(store, question);
    result->valid_ms = VALID_MS;
    result->retry_ms = 7000;
    result->remaining = store->quota - store->used;
    result->reset_us = 1000000000;
}

static inline struct question take_question(struct store *store, size_t at)
{
    struct question question = store->questions[at];
    memmove(store->questions + at, store->questions + at + 1,
            (--store->question_count - at) * sizeof question);
    return question;
}

static inline void answer_one(struct store *store, size_t at, enum fate fate)
{
    struct question question = take_question(store, at);
    struct quota_grant result = {.code = store->fails};
    if (fate != QUESTION_LOST)
        carry_out(store, &question, &result);
    if (fate != ANSWERED)
        result = (struct quota_grant){.code = store->fails ? store->fails : CODE_UNAVAILABLE};
    question.granted(question.argument, &result);
}

/* Answers what was asked so far, and what the answers bring. */
static inline void answer(struct store *store)
{
    while (store->question_count)
        answer_one(store, 0,
                   store->fails == CODE_OK ? ANSWERED
                   : store->forgets        ? ANSWER_LOST
                                           : QUESTION_LOST);
}

/* --- folders for what a gateway keeps --- */

/* Its path; remove_folder frees it. */
static inline char *new_folder(void)
{
    char *folder = strdup("/tmp/omni-quota-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return folder;
}

static inline void remove_folder(char *folder)
{
    char path[96];
    snprintf(path, sizeof path, "%s/leases", folder);
    unlink(path);
    rmdir(folder);
    free(folder);
}

/* --- a gateway --- */

static inline struct quota *new_gateway_of(const struct quota_lessor *lessor, const char *state_dir)
{
    struct quota_options options = {lessor, state_dir, &CLOCK, WAIT_MS};
    struct quota *quota;
    struct error err = {0};
    if (quota_new(&options, &quota, &err) != CODE_OK)
        fail_msg("%s", err.text);
    return quota;
}

static inline struct quota *new_gateway(struct store *store, const char *state_dir)
{
    return new_gateway_of(&store->lessor, state_dir);
}
