/*
 * One JSON line a request, gathered and written by a thread of its own: under load one write(2) for
 * many lines, otherwise within some 20 ms. When nobody reads the output, lines are dropped and
 * counted, never waited for.
 */
#pragma once
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct access_log;

struct access_line {
    struct str method, route, code, request_id, trace_id, peer;
    struct str key_id, client;  /* the API key; the client's address when it is not the peer's */
    struct str issuer, subject; /* the signed-in user */
    struct str reason;          /* of a refusal */
    struct str error;           /* what was kept from the caller; empty: nothing */
    int status;
    uint64_t bytes;
    int64_t duration_us;
    bool aborted; /* the client did not get all of it */
    bool dropped; /* a stream whose reader was too slow */
};

/* To this file descriptor, which stays the caller's. */
struct access_log *access_log_new(int fd, const char *program);

/* Thread-safe; never blocks on output. NULL is allowed. */
void access_log_add(struct access_log *log, const struct access_line *line);

/* Writes what is left, joins, frees. NULL is allowed. */
void access_log_free(struct access_log *log);
