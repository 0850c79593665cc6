/*
 * The one error domain: gRPC's status codes (google/rpc/code.proto), with a message for people, a
 * reason for programs (google.rpc.ErrorInfo) and the fields at fault (google.rpc.BadRequest).
 *
 * A function that can fail returns `enum code` and fills *err when that is not CODE_OK. Layers may
 * put words in front of the message; they never translate one code into another.
 */
#pragma once
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum code {
    CODE_OK = 0,
    CODE_CANCELLED = 1,
    CODE_UNKNOWN = 2,
    CODE_INVALID_ARGUMENT = 3,
    CODE_DEADLINE_EXCEEDED = 4,
    CODE_NOT_FOUND = 5,
    CODE_ALREADY_EXISTS = 6,
    CODE_PERMISSION_DENIED = 7,
    CODE_RESOURCE_EXHAUSTED = 8,
    CODE_FAILED_PRECONDITION = 9,
    CODE_ABORTED = 10,
    CODE_OUT_OF_RANGE = 11,
    CODE_UNIMPLEMENTED = 12,
    CODE_INTERNAL = 13,
    CODE_UNAVAILABLE = 14,
    CODE_DATA_LOSS = 15,
    CODE_UNAUTHENTICATED = 16,
};

enum {
    ERROR_TEXT_BYTES = 256,
    ERROR_REASON_BYTES = 64,
    ERROR_FIELD_BYTES = 128,
    ERROR_FIELDS_MAX = 8,
};

struct error_field {
    char path[ERROR_FIELD_BYTES]; /* as the caller wrote it: `user.email` */
    char text[ERROR_TEXT_BYTES];
};

struct error {
    enum code code;
    char text[ERROR_TEXT_BYTES];     /* a sentence for people; may be shown to the caller */
    char reason[ERROR_REASON_BYTES]; /* UPPER_SNAKE_CASE, or "" */
    uint32_t retry_after_ms;         /* 0: not said */
    bool unsure;                     /* what was asked may have been, or still be, carried out */
    uint32_t field_count;
    struct error_field fields[ERROR_FIELDS_MAX];
};

#define MUST_CHECK __attribute__((warn_unused_result))

/* "NOT_FOUND"; "UNKNOWN" for a number that is none of them. */
const char *code_name(enum code code);

/* Forgets what *err held. Costs a few stores, not sizeof. */
void error_clear(struct error *err);

/* Sets code, reason (may be NULL) and message; over-long texts are cut. Returns `code`. */
enum code error_set(struct error *err, enum code code, const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * Adds a field violation; the first one also makes *err INVALID_ARGUMENT with its text as message.
 * Violations beyond ERROR_FIELDS_MAX are dropped. Returns CODE_INVALID_ARGUMENT.
 */
enum code error_field(struct error *err, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Names a field in an error that is there already, whose code, reason and message stay: a conflict
 * about `user.email` remains a conflict.
 * Violations beyond ERROR_FIELDS_MAX are dropped. Returns the code.
 */
enum code error_add_field(struct error *err, const char *path, const char *text);

/* Puts "what: " before the message. Returns the code. */
enum code error_prefix(struct error *err, const char *what);

/* error_set with errno's text behind the message: "open /x: Permission denied". */
enum code error_errno(struct error *err, enum code code, int error_number, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
