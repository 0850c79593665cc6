/* See archive_s3.h. */
#include "analytics/archive_s3.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CALL_MS = 60 * 1000,
    PARTS_MAX = 10000,
    HASH_BYTES = 64 * 1024,
};

static const int64_t PART_BYTES = 32 << 20, ORPHAN_MS = (int64_t)24 * 3600 * 1000;

static const struct str CONTENT_TYPE = {"application/x-ndjson", 20};

struct archive_s3 {
    struct archive base;
    struct archive_s3_options options;
};

/* A part of the source, or all of it, as S3 reads it. */
struct window {
    const struct archive_source *source;
    int64_t start;
};

static struct archive_s3 *from(struct archive *archive)
{
    return (struct archive_s3 *)archive;
}

static ssize_t read_window(void *context, int64_t offset, char *into, size_t room)
{
    const struct window *window = context;
    ssize_t got;
    do
        got = pread(window->source->fd, into, room, (off_t)(window->start + offset));
    while (got < 0 && errno == EINTR);
    return got;
}

static struct s3_content content_of(struct window *window, int64_t size_bytes,
                                    const uint8_t digest[CRYPTO_SHA256_BYTES])
{
    const struct archive_source *source = window->source;
    struct s3_content content = {.size_bytes = size_bytes};
    if (source->fd >= 0) {
        content.read = read_window;
        content.context = window;
    } else {
        content.bytes = (struct str){source->bytes.ptr + window->start, (size_t)size_bytes};
    }
    memcpy(content.sha256, digest, sizeof content.sha256);
    return content;
}

/* --- what lies at a key --- */

static enum code s3_stat(struct archive *archive, struct str key, struct archive_object *object,
                         struct error *err)
{
    struct archive_s3 *a = from(archive);
    struct s3_object head;
    struct arena arena = {0};
    struct buf digest;
    enum code code = s3_head(a->options.client, key, a->options.call_ms, &arena, &head, err);
    buf_init(&digest, CRYPTO_SHA256_BYTES + 4);
    if (code == CODE_OK && (!head.sha256.ptr || !decode_base64(&digest, head.sha256, true) ||
                            digest.len != CRYPTO_SHA256_BYTES))
        code =
            error_set(err, CODE_DATA_LOSS, "ARCHIVE_DIGEST",
                      "archive: %.*s has no SHA-256: somebody else has put it there", STR_ARG(key));
    if (code == CODE_OK) {
        object->size_bytes = (uint64_t)head.size_bytes;
        memcpy(object->digest, digest.ptr, sizeof object->digest);
    }
    buf_clear(&digest);
    arena_clear(&arena);
    return code;
}

static enum code taken(struct str key, struct error *err)
{
    return error_set(err, CODE_ALREADY_EXISTS, "OBJECT_EXISTS", "archive: %.*s exists",
                     STR_ARG(key));
}

/* The key was taken when an attempt was repeated whose answer had been lost. */
static enum code whose(struct archive *archive, struct str key, const struct archive_source *source,
                       struct error *err)
{
    struct archive_object object;
    if (s3_stat(archive, key, &object, err) != CODE_OK)
        return err->code == CODE_NOT_FOUND ? (err->code = CODE_UNAVAILABLE) : err->code;
    if (object.size_bytes == source->size_bytes &&
        memcmp(object.digest, source->digest, sizeof object.digest) == 0)
        return CODE_OK;
    return taken(key, err);
}

/* --- content that is not what it was --- */

static bool digest_range(const struct archive_source *source, int64_t start, int64_t size_bytes,
                         uint8_t digest[CRYPTO_SHA256_BYTES])
{
    struct crypto_hash *hash = crypto_hash_new();
    bool whole = true;
    if (source->fd < 0) {
        crypto_hash_add(hash, (struct str){source->bytes.ptr + start, (size_t)size_bytes});
    } else {
        struct window window = {source, start};
        char *chunk = xmalloc(HASH_BYTES);
        for (int64_t at = 0; whole && at < size_bytes;) {
            int64_t left = size_bytes - at;
            ssize_t got = read_window(&window, at, chunk,
                                      left < HASH_BYTES ? (size_t)left : (size_t)HASH_BYTES);
            whole = got > 0;
            if (whole)
                crypto_hash_add(hash, (struct str){chunk, (size_t)got});
            at += got;
        }
        xfree(chunk);
    }
    crypto_hash_finish(hash, digest);
    return whole;
}

/* Cheaply: has it the size that was said? */
static bool has_size(const struct archive_source *source)
{
    struct stat info;
    if (source->fd < 0)
        return source->bytes.len == source->size_bytes;
    return fstat(source->fd, &info) == 0 && (uint64_t)info.st_size == source->size_bytes;
}

static bool is_sound(const struct archive_source *source)
{
    uint8_t digest[CRYPTO_SHA256_BYTES];
    return digest_range(source, 0, (int64_t)source->size_bytes, digest) &&
           memcmp(digest, source->digest, sizeof digest) == 0;
}

static enum code unsound(struct str key, struct error *err)
{
    return error_set(err, CODE_DATA_LOSS, "ARCHIVE_DIGEST",
                     "archive: what was to become %.*s is not what was written before",
                     STR_ARG(key));
}

/* --- creating --- */

struct creation {
    struct archive_s3 *archive;
    struct str key;
    const struct archive_source *source;
    bool created, unsure;
};

static enum code create_whole(struct creation *c, struct error *err)
{
    struct window window = {c->source, 0};
    struct s3_content content =
        content_of(&window, (int64_t)c->source->size_bytes, c->source->digest);
    return s3_create(c->archive->options.client, c->key, CONTENT_TYPE, &content,
                     c->archive->options.call_ms, &c->created, &c->unsure, err);
}

static enum code send_parts(struct creation *c, struct str upload_id, int64_t part_bytes,
                            struct s3_part *parts, size_t count, struct arena *arena,
                            struct error *err)
{
    int64_t size_bytes = (int64_t)c->source->size_bytes;
    for (size_t i = 0; i < count; i++) {
        int64_t start = (int64_t)i * part_bytes;
        int64_t size = size_bytes - start < part_bytes ? size_bytes - start : part_bytes;
        uint8_t digest[CRYPTO_SHA256_BYTES];
        if (!digest_range(c->source, start, size, digest))
            return unsound(c->key, err);
        struct window window = {c->source, start};
        struct s3_content content = content_of(&window, size, digest);
        parts[i].number = (int)i + 1;
        if (s3_upload_part(c->archive->options.client, c->key, upload_id, &content,
                           c->archive->options.call_ms, arena, &parts[i], err) != CODE_OK)
            return err->code;
    }
    return CODE_OK;
}

static enum code create_in_parts(struct creation *c, struct error *err)
{
    struct aws_client *client = c->archive->options.client;
    int64_t call_ms = c->archive->options.call_ms, part_bytes = c->archive->options.part_bytes;
    int64_t size_bytes = (int64_t)c->source->size_bytes;
    if (part_bytes * PARTS_MAX < size_bytes)
        part_bytes = size_bytes / PARTS_MAX + 1;
    size_t count = (size_t)((size_bytes + part_bytes - 1) / part_bytes);
    struct arena arena = {0};
    struct s3_part *parts = arena_alloc0(&arena, count * sizeof *parts);
    struct error ignored;
    struct str upload_id;
    /* Parts have digests of their own: that they make up the whole is for us to see. */
    enum code code = is_sound(c->source) ? CODE_OK : unsound(c->key, err);
    if (code == CODE_OK)
        code = s3_upload_begin(client, c->key, CONTENT_TYPE, c->source->digest, call_ms, &arena,
                               &upload_id, err);
    if (code == CODE_OK) {
        code = send_parts(c, upload_id, part_bytes, parts, count, &arena, err);
        if (code == CODE_OK)
            code = s3_upload_finish(client, c->key, upload_id, parts, count, call_ms, &c->created,
                                    &c->unsure, err);
        /* Of one that is finished nothing is left to abort. */
        if (!c->created && s3_upload_abort(client, c->key, upload_id, call_ms, &ignored) != CODE_OK)
            log_warn("upload_left", LOG_S("key", c->key), LOG_ERR(&ignored));
    }
    arena_clear(&arena);
    return code;
}

static enum code create_once(struct creation *c, struct error *err)
{
    c->created = c->unsure = false;
    enum code code = (int64_t)c->source->size_bytes > c->archive->options.part_bytes
                         ? create_in_parts(c, err)
                         : create_whole(c, err);
    bool digest = strcmp(err->reason, "BadDigest") == 0 ||
                  strcmp(err->reason, "XAmzContentSHA256Mismatch") == 0 ||
                  strcmp(err->reason, "IncompleteBody") == 0;
    /* S3 has found another digest than we have said: is it the way, or the source? */
    return code != CODE_OK && digest && !is_sound(c->source) ? unsound(c->key, err) : code;
}

static enum code s3_create_object(struct archive *archive, struct str key,
                                  const struct archive_source *source, struct error *err)
{
    struct creation creation = {.archive = from(archive), .key = key, .source = source};
    if (archive_check_key(key, err) != CODE_OK)
        return err->code;
    if (!has_size(source))
        return unsound(key, err);
    error_clear(err);
    enum code code = create_once(&creation, err);
    if (code ==
        CODE_ABORTED) /* 409, again and again: nothing is decided, the call may be repeated */
        return err->code = CODE_UNAVAILABLE;
    if (code != CODE_OK || creation.created)
        return code;
    return creation.unsure ? whose(archive, key, source, err) : taken(key, err);
}

/* --- listing --- */

static enum code s3_list_objects(struct archive *archive, struct str prefix, archive_list_fn each,
                                 void *argument, struct error *err)
{
    struct archive_s3 *a = from(archive);
    struct str token = STR("");
    char kept[2048];
    struct arena arena = {0};
    enum code code;
    do {
        struct s3_object *objects;
        size_t count;
        code = s3_list(a->options.client, prefix, &token, a->options.call_ms, &arena, &objects,
                       &count, err);
        for (size_t i = 0; code == CODE_OK && i < count; i++)
            each(argument, objects[i].key, (uint64_t)objects[i].size_bytes);
        if (code == CODE_OK && token.len >= sizeof kept)
            code = error_set(err, CODE_INTERNAL, NULL, "archive: S3's continuation is too long");
        if (code == CODE_OK && token.len) {
            memcpy(kept, token.ptr, token.len);
            token.ptr = kept;
        }
        arena_reset(&arena);
    } while (code == CODE_OK && token.len);
    arena_clear(&arena);
    return code;
}

/* --- life --- */

static void s3_free(struct archive *archive)
{
    xfree(from(archive));
}

static const struct archive_vtable VTABLE = {s3_create_object, s3_stat, s3_list_objects, s3_free};

/* Uploads of processes that are gone; younger ones may be another process's. */
static enum code abort_orphans(struct archive_s3 *a, struct error *err)
{
    struct arena arena = {0};
    struct s3_upload *uploads;
    size_t count = 0;
    int64_t before_ms = clock_wall_ms(a->options.clock) - a->options.orphan_ms;
    enum code code =
        s3_uploads(a->options.client, a->options.call_ms, &arena, &uploads, &count, err);
    for (size_t i = 0; code == CODE_OK && i < count; i++) {
        if (uploads[i].begun_ms >= before_ms)
            continue;
        log_info("orphan_aborted", LOG_S("key", uploads[i].key));
        code = s3_upload_abort(a->options.client, uploads[i].key, uploads[i].upload_id,
                               a->options.call_ms, err);
    }
    arena_clear(&arena);
    return code;
}

enum code archive_s3_open(const struct archive_s3_options *options, struct archive **archive,
                          struct error *err)
{
    struct archive_s3 *a = xcalloc(1, sizeof *a);
    a->base.vtable = &VTABLE;
    a->options = *options;
    a->options.call_ms = options->call_ms ? options->call_ms : CALL_MS;
    a->options.part_bytes = options->part_bytes ? options->part_bytes : PART_BYTES;
    a->options.orphan_ms = options->orphan_ms ? options->orphan_ms : ORPHAN_MS;
    if (abort_orphans(a, err) != CODE_OK) {
        xfree(a);
        return err->code;
    }
    *archive = &a->base;
    return CODE_OK;
}
