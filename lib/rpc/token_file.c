/* Read whole, once, at start; a message names the line, and never shows what may be a secret. */
#include "rpc/token_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#define REASON "TOKEN_FILE"

bool token_name_is_legal(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return name.len && name.len <= TOKEN_NAME_BYTES_MAX;
}

/* What gRPC carries as a header's value. */
static const char *token_fault(struct str token)
{
    if (token.len < TOKEN_BYTES_MIN || token.len > TOKEN_BYTES_MAX)
        return "the token must have 32 to 256 characters";
    for (size_t i = 0; i < token.len; i++)
        if (token.ptr[i] <= ' ' || token.ptr[i] > '~')
            return "the token may hold printable ASCII characters only";
    return NULL;
}

static enum code refuse_line(const char *path, int line, const char *fault, struct error *err)
{
    return error_set(err, CODE_FAILED_PRECONDITION, REASON, "%s, line %d: %s", path, line, fault);
}

enum code token_file_parse(const char *path, struct str text, struct arena *arena,
                           struct peer_token **tokens, size_t *count, struct error *err)
{
    struct str line;
    *tokens = arena_alloc(arena, TOKENS_MAX * sizeof **tokens);
    *count = 0;
    for (int number = 1; str_next(&text, '\n', &line); number++) {
        if (str_ends(line, STR("\r")))
            line.len--;
        line = str_trim(line);
        if (!line.len || line.ptr[0] == '#')
            continue;
        size_t end = 0;
        while (end < line.len && line.ptr[end] != ' ' && line.ptr[end] != '\t')
            end++;
        struct peer_token one = {{line.ptr, end}, str_trim(str_from(line, end))};
        if (!token_name_is_legal(one.name))
            return refuse_line(path, number, "the name must be 1 to 64 of a-z, 0-9 and -", err);
        const char *fault = token_fault(one.token);
        if (fault)
            return refuse_line(path, number, fault, err);
        for (size_t i = 0; i < *count; i++)
            if (str_eq((*tokens)[i].token, one.token))
                return refuse_line(path, number, "the token stands in an earlier line too", err);
        if (*count == TOKENS_MAX)
            return refuse_line(path, number, "there are more than 64 tokens", err);
        (*tokens)[(*count)++] = one;
    }
    if (*count)
        return CODE_OK;
    return error_set(err, CODE_FAILED_PRECONDITION, REASON, "%s: there is no token in it", path);
}

static enum code read_all(int fd, const char *path, struct arena *arena, struct str *text,
                          struct error *err)
{
    char *bytes = arena_alloc(arena, TOKEN_FILE_BYTES_MAX + 1);
    size_t length = 0;
    while (length <= TOKEN_FILE_BYTES_MAX) {
        ssize_t got = read(fd, bytes + length, TOKEN_FILE_BYTES_MAX + 1 - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_errno(err, CODE_FAILED_PRECONDITION, errno, "%s", path);
        if (got == 0)
            break;
        length += (size_t)got;
    }
    *text = (struct str){bytes, length};
    if (length <= TOKEN_FILE_BYTES_MAX)
        return CODE_OK;
    return error_set(err, CODE_FAILED_PRECONDITION, REASON, "%s: is larger than 64 KiB", path);
}

enum code token_file_read(const char *path, struct arena *arena, struct peer_token **tokens,
                          size_t *count, struct error *err)
{
    struct str text;
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, CODE_FAILED_PRECONDITION, errno, "%s", path);
    enum code code = CODE_OK;
    if (fstat(fd, &about) != 0)
        code = error_errno(err, CODE_FAILED_PRECONDITION, errno, "%s", path);
    else if (about.st_mode & (S_IWGRP | S_IRWXO))
        code = error_set(err, CODE_FAILED_PRECONDITION, REASON,
                         "%s: others may read it or change it (mode %04o): chmod 600 it", path,
                         (unsigned)about.st_mode & 07777);
    if (code == CODE_OK)
        code = read_all(fd, path, arena, &text, err);
    close(fd);
    if (code != CODE_OK)
        return code;
    return token_file_parse(path, text, arena, tokens, count, err);
}
