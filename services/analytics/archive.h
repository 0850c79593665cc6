/*
 * The archive as a port: objects under keys, created once and never changed. Creating an object is
 * the commit of the whole pipeline, therefore it is conditional: of all who create a key exactly
 * one ever succeeds (S3: If-None-Match: *; a directory: link). Implementations: archive_dir.c,
 * archive_s3.c.
 * All functions are thread-safe.
 */
#pragma once
#include "base/error.h"
#include "base/str.h"
#include "crypto/crypto.h"

#include <stdint.h>

/* What goes into an object: a file from its beginning (fd >= 0), or bytes in memory (fd -1). */
struct archive_source {
    int fd;
    struct str bytes;
    uint64_t size_bytes;
    uint8_t digest[CRYPTO_SHA256_BYTES]; /* SHA-256 of the content */
};

struct archive_object {
    uint64_t size_bytes;
    uint8_t digest[CRYPTO_SHA256_BYTES];
};

struct archive {
    const struct archive_vtable *vtable;
};

typedef void (*archive_list_fn)(void *argument, struct str key, uint64_t size_bytes);

struct archive_vtable {
    /*
     * OK: the object is there, whole, with this digest, durably. ALREADY_EXISTS: the key was taken,
     * durably; by what, archive_stat tells. DATA_LOSS: the content has another digest, nothing was
     * created. RESOURCE_EXHAUSTED: no room, nothing was created. Any other error: the object may or
     * may not be there; the same call may be repeated.
     */
    enum code (*create)(struct archive *archive, struct str key,
                        const struct archive_source *source, struct error *err);
    /* Size and digest of what is there; NOT_FOUND. */
    enum code (*stat)(struct archive *archive, struct str key, struct archive_object *object,
                      struct error *err);
    /* Calls `each` for every object whose key begins with `prefix`, a folder; in no order. */
    enum code (*list)(struct archive *archive, struct str prefix, archive_list_fn each,
                      void *argument, struct error *err);
    void (*free)(struct archive *archive);
};

/* INVALID_ARGUMENT unless it is made of folders and names of a-z A-Z 0-9 - _ = and (not first) a
 * dot. */
enum code archive_check_key(struct str key, struct error *err) MUST_CHECK;

static inline void archive_free(struct archive *archive)
{
    if (archive)
        archive->vtable->free(archive);
}
