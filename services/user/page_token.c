/* Token: base64url of version, key id, the first half of the MAC, position. */
#include "user/page_token.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/encode.h"
#include "base/id.h"
#include "crypto/crypto.h"
#include "user/reasons.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    TOKEN_VERSION = 1,
    KEY_ID_BYTES = 4,
    KEY_BYTES = 32,
    KEYS_MAX = 8,
    MAC_BYTES = 16,
    HEAD_BYTES = 1 + KEY_ID_BYTES + MAC_BYTES,
    RAW_BYTES_MAX = HEAD_BYTES + PAGE_POSITION_BYTES_MAX,
    TOKEN_BYTES_MAX = (RAW_BYTES_MAX + 2) / 3 * 4,
    FILE_BYTES_MAX = 4096,
    PATH_BYTES = 4096,
};

struct key {
    uint8_t id[KEY_ID_BYTES], secret[KEY_BYTES];
};

struct page_tokens {
    struct key keys[KEYS_MAX]; /* the first one signs */
    size_t count;
};

/* --- the key file: "<8 hex digits> <64 hex digits>" a line --- */

static bool parse_keys(struct str text, struct page_tokens *tokens)
{
    struct str rest = text, line;
    while (str_next(&rest, '\n', &line)) {
        if (!str_trim(line).len)
            continue;
        struct key *key = &tokens->keys[tokens->count];
        if (tokens->count == KEYS_MAX || line.len != 2 * KEY_ID_BYTES + 1 + 2 * KEY_BYTES ||
            line.ptr[2 * KEY_ID_BYTES] != ' ' ||
            !decode_hex((struct str){line.ptr, 2 * KEY_ID_BYTES}, key->id) ||
            !decode_hex(str_from(line, 2 * KEY_ID_BYTES + 1), key->secret))
            return false;
        tokens->count++;
    }
    return tokens->count > 0;
}

static enum code write_all(int fd, struct str text)
{
    while (text.len) {
        ssize_t written = write(fd, text.ptr, text.len);
        if (written < 0)
            return CODE_FAILED_PRECONDITION;
        text = str_from(text, (size_t)written);
    }
    return fsync(fd) == 0 ? CODE_OK : CODE_FAILED_PRECONDITION;
}

/* Under another name first: a half-written key file is never seen. */
static enum code make_key_file(const char *path, struct error *err)
{
    struct key key;
    struct buf line;
    char temporary[PATH_BYTES];
    snprintf(temporary, sizeof temporary, "%s.new", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, CODE_FAILED_PRECONDITION, errno, "cannot write %s", temporary);
    id_random_bytes(&key, sizeof key);
    buf_init(&line, 256);
    encode_hex(&line, (struct str){(const char *)key.id, sizeof key.id});
    buf_add_char(&line, ' ');
    encode_hex(&line, (struct str){(const char *)key.secret, sizeof key.secret});
    buf_add_char(&line, '\n');
    enum code code = write_all(fd, buf_str(&line));
    if (code == CODE_OK && rename(temporary, path) != 0)
        code = CODE_FAILED_PRECONDITION;
    if (code != CODE_OK)
        error_errno(err, code, errno, "cannot write %s", path);
    close(fd);
    explicit_bzero(&key, sizeof key);
    buf_clear(&line);
    return code;
}

enum code page_tokens_open(const char *path, struct page_tokens **out, struct error *err)
{
    char text[FILE_BYTES_MAX];
    if (access(path, F_OK) != 0 && errno == ENOENT && make_key_file(path, err) != CODE_OK)
        return err->code;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (length < 0) {
        error_errno(err, CODE_FAILED_PRECONDITION, errno, "cannot read %s", path);
        if (fd >= 0)
            close(fd);
        return err->code;
    }
    close(fd);
    struct page_tokens *tokens = xcalloc(1, sizeof *tokens);
    bool good = parse_keys((struct str){text, (size_t)length}, tokens);
    explicit_bzero(text, sizeof text);
    if (!good) {
        page_tokens_free(tokens);
        return error_set(err, CODE_FAILED_PRECONDITION, NULL, "%s holds no page token keys", path);
    }
    *out = tokens;
    return CODE_OK;
}

void page_tokens_free(struct page_tokens *tokens)
{
    if (tokens)
        explicit_bzero(tokens, sizeof *tokens);
    xfree(tokens);
}

/* --- tokens --- */

static void add_length(struct buf *out, size_t length)
{
    for (int shift = 0; shift < 32; shift += 8)
        buf_add_char(out, (char)(length >> shift));
}

static void make_mac(const struct key *key, const struct page_scope *scope, struct str position,
                     struct arena *arena, uint8_t mac[CRYPTO_SHA256_BYTES])
{
    struct buf bytes;
    buf_init_arena(&bytes, arena, scope->method.len + scope->query.len + position.len + 64);
    buf_add_char(&bytes, TOKEN_VERSION);
    add_length(&bytes, scope->tenant);
    add_length(&bytes, scope->method.len);
    buf_add(&bytes, scope->method);
    add_length(&bytes, scope->query.len);
    buf_add(&bytes, scope->query);
    buf_add(&bytes, position);
    crypto_hmac_sha256((struct str){(const char *)key->secret, KEY_BYTES}, buf_str(&bytes), mac);
}

struct str page_token_seal(const struct page_tokens *tokens, const struct page_scope *scope,
                           struct str position, struct arena *arena)
{
    const struct key *key = &tokens->keys[0];
    uint8_t mac[CRYPTO_SHA256_BYTES];
    struct buf raw, text;
    if (!position.len)
        return STR("");
    assert(position.len <= PAGE_POSITION_BYTES_MAX);
    make_mac(key, scope, position, arena, mac);
    buf_init_arena(&raw, arena, RAW_BYTES_MAX);
    buf_add_char(&raw, TOKEN_VERSION);
    buf_add_mem(&raw, key->id, KEY_ID_BYTES);
    buf_add_mem(&raw, mac, MAC_BYTES);
    buf_add(&raw, position);
    buf_init_arena(&text, arena, TOKEN_BYTES_MAX);
    encode_base64url(&text, buf_str(&raw));
    return str_of(buf_cstr(&text));
}

static enum code refuse(struct error *err)
{
    error_field(err, "page_token", "is not a token that was given for this query");
    snprintf(err->reason, sizeof err->reason, "%s", REASON_PAGE_TOKEN_INVALID);
    return err->code;
}

enum code page_token_open(const struct page_tokens *tokens, const struct page_scope *scope,
                          struct str token, struct arena *arena, struct str *position,
                          struct error *err)
{
    uint8_t mac[CRYPTO_SHA256_BYTES];
    struct buf raw;
    *position = STR("");
    if (!token.len)
        return CODE_OK;
    buf_init_arena(&raw, arena, TOKEN_BYTES_MAX);
    if (token.len > TOKEN_BYTES_MAX || !decode_base64(&raw, token, true) || raw.overflow ||
        raw.len <= HEAD_BYTES || raw.ptr[0] != TOKEN_VERSION)
        return refuse(err);
    struct str rest = str_from(buf_str(&raw), HEAD_BYTES);
    for (size_t i = 0; i < tokens->count; i++) {
        const struct key *key = &tokens->keys[i];
        if (memcmp(key->id, raw.ptr + 1, KEY_ID_BYTES) != 0)
            continue;
        make_mac(key, scope, rest, arena, mac);
        if (!crypto_equal(mac, raw.ptr + 1 + KEY_ID_BYTES, MAC_BYTES))
            break;
        *position = rest;
        return CODE_OK;
    }
    return refuse(err);
}
