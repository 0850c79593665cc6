/* The only file that sees zstd.h. Window and level keep a compressor near one megabyte. */
#include "analytics/spool.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

enum { WINDOW_LOG = 19 };

struct spool {
    int fd;
    char *path;
    ZSTD_CCtx *compressor;
    struct crypto_hash *hash;
    char *out;
    size_t out_bytes;
    uint64_t size_bytes;
    uint8_t digest[CRYPTO_SHA256_BYTES];
};

struct str spool_empty_frame(void)
{
    /* RFC 8878: magic, single segment with a content size of 0, one last raw block of 0 bytes. */
    return STR("\x28\xB5\x2F\xFD\x20\x00\x01\x00\x00");
}

enum code spool_open(const char *path, int level, struct spool **spool, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == ENOSPC || errno == EDQUOT))
        return error_set(err, CODE_RESOURCE_EXHAUSTED, "DISK_FULL", "spool: the disk is full");
    if (fd < 0)
        return error_errno(err, CODE_UNAVAILABLE, errno, "spool: open %s", path);
    struct spool *s = xcalloc(1, sizeof *s);
    s->fd = fd;
    s->path = xstrdup(path);
    s->compressor = ZSTD_createCCtx();
    s->hash = crypto_hash_new();
    s->out_bytes = ZSTD_CStreamOutSize();
    s->out = xmalloc(s->out_bytes);
    ZSTD_CCtx_setParameter(s->compressor, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(s->compressor, ZSTD_c_windowLog, WINDOW_LOG);
    ZSTD_CCtx_setParameter(s->compressor, ZSTD_c_checksumFlag, 1);
    *spool = s;
    return CODE_OK;
}

static enum code write_out(struct spool *s, struct str bytes, struct error *err)
{
    crypto_hash_add(s->hash, bytes);
    while (bytes.len) {
        ssize_t wrote = write(s->fd, bytes.ptr, bytes.len);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0 && (errno == ENOSPC || errno == EDQUOT))
            return error_set(err, CODE_RESOURCE_EXHAUSTED, "DISK_FULL", "spool: the disk is full");
        if (wrote < 0)
            return error_errno(err, CODE_UNAVAILABLE, errno, "spool: write %s", s->path);
        bytes = str_from(bytes, (size_t)wrote);
        s->size_bytes += (uint64_t)wrote;
    }
    return CODE_OK;
}

static enum code compress(struct spool *s, struct str rows, ZSTD_EndDirective mode,
                          struct error *err)
{
    ZSTD_inBuffer in = {rows.ptr, rows.len, 0};
    size_t left;
    do {
        ZSTD_outBuffer out = {s->out, s->out_bytes, 0};
        left = ZSTD_compressStream2(s->compressor, &out, &in, mode);
        if (ZSTD_isError(left))
            return error_set(err, CODE_INTERNAL, "ZSTD", "spool: %s", ZSTD_getErrorName(left));
        if (out.pos && write_out(s, (struct str){s->out, out.pos}, err) != CODE_OK)
            return err->code;
    } while (in.pos < in.size || (mode == ZSTD_e_end && left));
    return CODE_OK;
}

enum code spool_add(struct spool *s, struct str rows, struct error *err)
{
    return compress(s, rows, ZSTD_e_continue, err);
}

static void free_compressor(struct spool *s)
{
    ZSTD_freeCCtx(s->compressor);
    s->compressor = NULL;
    xfree(s->out);
    s->out = NULL;
}

enum code spool_finish(struct spool *s, struct error *err)
{
    if (compress(s, STR(""), ZSTD_e_end, err) != CODE_OK)
        return err->code;
    crypto_hash_finish(s->hash, s->digest);
    s->hash = NULL;
    free_compressor(s);
    return CODE_OK;
}

uint64_t spool_size_bytes(const struct spool *s)
{
    return s->size_bytes;
}

const uint8_t *spool_digest(const struct spool *s)
{
    return s->digest;
}

int spool_fd(const struct spool *s)
{
    return s->fd;
}

void spool_free(struct spool *s)
{
    uint8_t unused[CRYPTO_SHA256_BYTES];
    if (!s)
        return;
    if (s->hash)
        crypto_hash_finish(s->hash, unused);
    free_compressor(s);
    close(s->fd);
    unlink(s->path);
    xfree(s->path);
    xfree(s);
}
