/*
 * "OMNIKEYS", a version and a length (32 and 64 bits, little-endian), SHA-256 of what stands before
 * and behind it, the snapshot.
 */
#include "gateway/key_file.h"

#include "base/alloc.h"
#include "crypto/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    MAGIC_BYTES = 8,
    FORMAT = 1,
    HEAD_BYTES = MAGIC_BYTES + 4 + 8,
    BEGIN_BYTES = HEAD_BYTES + CRYPTO_SHA256_BYTES,
    FILE_BYTES_MAX = 256 << 20,
    READ_BYTES = 64 << 10,
};

static const char MAGIC[] = "OMNIKEYS";

static uint64_t number_at(const char *from, size_t count)
{
    uint64_t value = 0;
    for (size_t i = count; i-- > 0;)
        value = value << 8 | (unsigned char)from[i];
    return value;
}

static void put_number(char *to, uint64_t value, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = (char)(value >> 8 * i);
}

static void digest_of(struct str head, struct str snapshot, uint8_t digest[CRYPTO_SHA256_BYTES])
{
    struct crypto_hash *hash = crypto_hash_new();
    crypto_hash_add(hash, head);
    crypto_hash_add(hash, snapshot);
    crypto_hash_finish(hash, digest);
}

enum code key_file_parse(struct str file, struct str *snapshot, struct error *err)
{
    uint8_t digest[CRYPTO_SHA256_BYTES];
    if (file.len < BEGIN_BYTES || memcmp(file.ptr, MAGIC, MAGIC_BYTES) != 0)
        return error_set(err, CODE_INVALID_ARGUMENT, "DAMAGED", "is no file of keys");
    if (number_at(file.ptr + MAGIC_BYTES, 4) != FORMAT)
        return error_set(err, CODE_INVALID_ARGUMENT, "OTHER_VERSION", "is of another version");
    *snapshot = str_from(file, BEGIN_BYTES);
    digest_of((struct str){file.ptr, HEAD_BYTES}, *snapshot, digest);
    if (number_at(file.ptr + MAGIC_BYTES + 4, 8) != snapshot->len ||
        !crypto_equal(digest, file.ptr + HEAD_BYTES, sizeof digest))
        return error_set(err, CODE_INVALID_ARGUMENT, "DAMAGED", "is damaged");
    return CODE_OK;
}

enum code key_file_read(const char *path, struct buf *file, struct str *snapshot, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno == ENOENT ? CODE_NOT_FOUND : CODE_FAILED_PRECONDITION, errno,
                           "open %s", path);
    ssize_t n = 1;
    buf_init(file, FILE_BYTES_MAX);
    while (n > 0) {
        char *room = buf_reserve(file, READ_BYTES);
        n = room ? read(fd, room, READ_BYTES) : (errno = EFBIG, -1);
        if (n > 0)
            file->len += (size_t)n;
    }
    int failed = errno;
    close(fd);
    if (n < 0)
        return error_errno(err, CODE_FAILED_PRECONDITION, failed, "read %s", path);
    if (key_file_parse(buf_str(file), snapshot, err) != CODE_OK)
        return error_prefix(err, path);
    return CODE_OK;
}

static bool write_all(int fd, struct str bytes)
{
    while (bytes.len) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno != EINTR)
            return false;
        bytes = str_from(bytes, n > 0 ? (size_t)n : 0);
    }
    return true;
}

/* A rename is durable when its directory is. */
static bool sync_directory_of(const char *path)
{
    char *copy = xstrdup(path), *slash = strrchr(copy, '/');
    if (slash)
        *slash = '\0';
    int fd = open(slash ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    xfree(copy);
    return good;
}

enum code key_file_write(const char *path, struct str snapshot, struct error *err)
{
    char begin[BEGIN_BYTES];
    uint8_t digest[CRYPTO_SHA256_BYTES];
    struct buf fresh;
    memcpy(begin, MAGIC, MAGIC_BYTES);
    put_number(begin + MAGIC_BYTES, FORMAT, 4);
    put_number(begin + MAGIC_BYTES + 4, snapshot.len, 8);
    digest_of((struct str){begin, HEAD_BYTES}, snapshot, digest);
    memcpy(begin + HEAD_BYTES, digest, sizeof digest);
    buf_init(&fresh, strlen(path) + 8);
    buf_addf(&fresh, "%s.new", path);
    int fd = open(buf_cstr(&fresh), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write_all(fd, (struct str){begin, sizeof begin}) &&
                write_all(fd, snapshot) && fsync(fd) == 0;
    good = good && rename(buf_cstr(&fresh), path) == 0 && sync_directory_of(path);
    if (!good)
        error_errno(err, CODE_UNAVAILABLE, errno, "write %s", path);
    if (fd >= 0)
        close(fd);
    buf_clear(&fresh);
    return good ? CODE_OK : err->code;
}
