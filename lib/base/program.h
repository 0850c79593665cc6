/* What every server program begins and ends with: signals, its data directory, saying that it
 * listens. */
#pragma once
#include "base/error.h"

#include <stddef.h>

enum { PROGRAM_PATH_BYTES = 4096 };

/*
 * SIGTERM and SIGINT wait for program_wait_signal, SIGPIPE is ignored. Call before the first thread
 * is started: threads inherit it, so that no other thread is ever interrupted.
 */
void program_block_signals(void);

/* Blocks until SIGTERM or SIGINT; logs and returns which. */
int program_wait_signal(void);

/*
 * Makes the directory and those above it, for the owner only. FAILED_PRECONDITION, or
 * INVALID_ARGUMENT when the path is too long, naming "--setting" and the path.
 */
enum code program_make_directory(const char *setting, const char *path,
                                 struct error *err) MUST_CHECK;

/*
 * The path in a setting's value "scheme:PATH", or `folder`/`usual` for a bare "scheme:".
 * INVALID_ARGUMENT naming "--setting" when it has another scheme or is too long.
 */
enum code program_backend_path(const char *setting, const char *value, const char *scheme,
                               const char *folder, const char *usual, char path[PROGRAM_PATH_BYTES],
                               struct error *err) MUST_CHECK;

/* The log line that says the program is ready: "listening", with the address as it was set but
 * with the port that was given; port 0: the address as it is (a unix socket). */
void program_log_listening(const char *address, int port);
