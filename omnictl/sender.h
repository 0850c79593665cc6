/*
 * Sends CreateUser calls, many at a time, and each again until it is answered for good.
 *
 * Calls that fail with what may pass (api_retryable) are repeated with growing pauses, byte for
 * byte, so that their request ids make them one. While the service pushes back (RESOURCE_EXHAUSTED)
 * fewer are sent at a time. All functions are for one thread; answers arrive in others and wait for
 * sender_turn.
 */
#pragma once
#include "base/error.h"
#include "base/str.h"
#include "omnictl/command.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sender;

struct sender_options {
    const struct command_globals *globals; /* where the user service is, and who we are */
    size_t parallel;                       /* calls under way at once, at most */
    int64_t patience_ms;                   /* how long the service may answer nothing for good */
    int64_t deadline_ms;                   /* of a call */
};

/* A record's end: `err` NULL when the user was created. */
typedef void (*sender_done_fn)(void *argument, uint64_t record, uint64_t line,
                               const struct error *err);

struct sender *sender_new(const struct sender_options *options, sender_done_fn done,
                          void *argument);

/* Cancels what is under way; its records end nowhere. NULL is allowed. */
void sender_free(struct sender *sender);

/* May another be submitted now? */
bool sender_has_room(const struct sender *sender);

/* The encoded CreateUserRequest is copied. Only when there is room. */
void sender_submit(struct sender *sender, uint64_t record, uint64_t line, struct str request);

/* Takes the answers that have come, calling `done`, and repeats what is due. */
void sender_turn(struct sender *sender);

/* Records that have not ended. */
size_t sender_unfinished(const struct sender *sender);

/* Becomes readable when answers have come; when to take a turn even so. */
int sender_fd(const struct sender *sender);
int64_t sender_wait_ms(const struct sender *sender);

/* No record has ended for longer than the patience, though tried: the last error. */
bool sender_gave_up(const struct sender *sender, struct error *err);

/* No call is repeated any more: what fails ends with its error code but is not reported. */
void sender_stop(struct sender *sender);
