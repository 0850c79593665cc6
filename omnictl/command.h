/*
 * What a command of omnictl is. A new one is a file with a `struct command` and a line in the table
 * of commands.c; reading its options, its help and the usual refusals come from here.
 */
#pragma once
#include "base/buf.h"
#include "base/config.h"
#include "rpc/identity.h"

#include <stddef.h>

/* What the program's exit code says. */
enum command_exit {
    COMMAND_OK = 0,
    COMMAND_FAILED = 1,      /* it ran, and what it did or found is not all well */
    COMMAND_USAGE = 2,       /* wrong options, an unreadable file: nothing was done */
    COMMAND_UNREACHABLE = 3, /* a service did not answer */
    COMMAND_INTERRUPTED = 130,
};

/* Options that every command has. */
struct command_globals {
    const char *users;     /* address of the user service */
    const char *analytics; /* address of the analytics service */
    struct rpc_identity_options identity_options;
    struct rpc_identity *identity; /* what we prove ourselves with, for commands that call */
};

struct command_call {
    const struct command_globals *globals;
    const void *settings; /* the command's own struct, filled by its items */
    const char *const *arguments;
    size_t argument_count;
};

struct command {
    const char *name;
    const char *arguments; /* "FILE|-", as the usage line shows them */
    const char *summary;   /* one line */
    const char *detail;    /* more, for `omnictl help NAME`; NULL: none */
    const struct config_item *items;
    size_t item_count;
    size_t settings_size;
    size_t arguments_min, arguments_max;
    bool calls; /* the services: the peer options are looked at before it runs */
    int (*run)(const struct command_call *call); /* an enum command_exit */
};

extern const struct command COMMAND_IMPORT, COMMAND_EXPORT, COMMAND_GEN, COMMAND_TOP,
    COMMAND_RECONCILE, COMMAND_KEYS, COMMAND_PLANS, COMMAND_AWS, COMMAND_DLQ;

/* Prints "omnictl NAME: …" on standard error; returns COMMAND_USAGE. */
int command_refuse(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The whole program: picks the command, reads its options, runs it; the process's exit code. */
int commands_main(int argc, char *const *argv);
