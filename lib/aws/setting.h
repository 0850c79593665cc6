/* What a program's main does with a setting like --events=sqs://QUEUE: reads it and, for the first
 * of them, opens what all AWS clients share. */
#pragma once
#include "aws/client.h"

struct aws_setting {
    const char *name;                 /* "events": errors begin with "--events" */
    const char *text;                 /* its value */
    const char *service;              /* "sqs" */
    struct aws_parameter *parameters; /* of the caller's own; see location.h */
    size_t parameter_count;
};

/* True when the value is SERVICE://… */
bool aws_setting_is(const char *text, const char *service);

/* *location is in `arena`; *aws is opened when it is NULL, and the caller's. `program` is the user
 * agent. */
enum code aws_setting_open(const struct aws_setting *setting, const char *program,
                           struct arena *arena, struct aws **aws, struct aws_location *location,
                           struct error *err) MUST_CHECK;
