/* What `omnictl keys` and `omnictl plans` share: calls of AccessService, and how what they give is
 * written. */
#pragma once
#include "base/arena.h"
#include "base/json_out.h"
#include "omnictl/command.h"

#include "omnidata/access/v1/access.pb-c.h"

enum { ACCESS_TEXT_BYTES_MAX = 64 * 1024 * 1024 };

/* A verb of the command: its options are names out of the command's table. */
struct access_verb {
    const char *name;
    size_t arguments; /* behind the verb */
    const char *usage;
    const char *options; /* " name name ", those that it takes */
};

/*
 * The verb that arguments[0] names, if the number of arguments and the options that were given fit;
 * NULL after a word on standard error. `given` lists " name name " of the options given.
 */
const struct access_verb *access_verb_find(const struct command *command,
                                           const struct access_verb *verbs, size_t count,
                                           const struct command_call *call, const char *given);

/* Calls `method` of AccessService; an exit code, after a word on standard error when it is not
 * COMMAND_OK. */
int access_call(const struct command *command, const struct command_call *call, const char *method,
                const ProtobufCMessage *request, const ProtobufCMessageDescriptor *type,
                struct arena *arena, void **response);

/* "2026-11-26T10:00:00Z", or `none`. */
const char *access_time(const Google__Protobuf__Timestamp *time, const char *none,
                        struct arena *arena);
const char *access_period(Omnidata__Access__V1__QuotaPeriod period);

/* As ProtoJSON writes them, but that 64-bit numbers are numbers. */
void access_plan_json(struct json_out *json, const Omnidata__Access__V1__Plan *plan);
