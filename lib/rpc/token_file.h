/* The file of tokens that peers prove themselves with: lines `name token`, `#` begins a comment. */
#pragma once
#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

#include <stddef.h>

enum {
    TOKEN_BYTES_MIN = 32,
    TOKEN_BYTES_MAX = 256,
    TOKEN_NAME_BYTES_MAX = 64,
    TOKEN_FILE_BYTES_MAX = 64 * 1024,
    TOKENS_MAX = 64,
};

struct peer_token {
    struct str name, token;
};

/*
 * Reads the file into the arena. FAILED_PRECONDITION with path and line, never the token: when the
 * file cannot be read, others than its owner may write to it or anybody may read it, or a line is
 * wrong.
 */
enum code token_file_read(const char *path, struct arena *arena, struct peer_token **tokens,
                          size_t *count, struct error *err) MUST_CHECK;

/* The lines of a text; `path` is for messages. */
enum code token_file_parse(const char *path, struct str text, struct arena *arena,
                           struct peer_token **tokens, size_t *count, struct error *err) MUST_CHECK;

/* A peer's name: 1 to 64 of a-z, 0-9, `-`. */
bool token_name_is_legal(struct str name);
