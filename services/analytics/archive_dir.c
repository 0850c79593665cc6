/*
 * An object is written to a temporary file, checked against its digest on the way, made durable,
 * and then given its name by link(2), which fails when the name is taken: create-only without a
 * race. The directory is made durable before success or "taken" is told, so that neither is taken
 * back by a power failure.
 */
#include "analytics/archive_dir.h"

#include "base/alloc.h"
#include "base/id.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { KEY_BYTES = 512, CHUNK_BYTES = 64 * 1024, STALE_TEMPORARY_S = 3600, DEPTH_MAX = 8 };

static const char TEMPORARY[] = ".tmp";

struct archive_dir {
    struct archive base;
    int root_fd;
};

static struct archive_dir *from(struct archive *archive)
{
    return (struct archive_dir *)archive;
}

static enum code io_error(struct error *err, int number, const char *what, const char *key)
{
    if (number == ENOSPC || number == EDQUOT)
        return error_set(err, CODE_RESOURCE_EXHAUSTED, "DISK_FULL",
                         "archive: %s %s: the disk is full", what, key);
    return error_errno(err, CODE_UNAVAILABLE, number, "archive: %s %s", what, key);
}

static enum code check_key(struct str key, char text[KEY_BYTES], struct error *err)
{
    if (archive_check_key(key, err) != CODE_OK)
        return err->code;
    memcpy(text, key.ptr, key.len);
    text[key.len] = '\0';
    return CODE_OK;
}

/* --- writing --- */

static enum code write_all(int fd, struct str bytes, const char *key, struct error *err)
{
    while (bytes.len) {
        ssize_t wrote = write(fd, bytes.ptr, bytes.len);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return io_error(err, errno, "write", key);
        bytes = str_from(bytes, (size_t)wrote);
    }
    return CODE_OK;
}

static enum code copy_file(int to, int fd, struct crypto_hash *hash, uint64_t *size_bytes,
                           const char *key, struct error *err)
{
    char *chunk = xmalloc(CHUNK_BYTES);
    enum code code = CODE_OK;
    while (code == CODE_OK) {
        ssize_t got = pread(fd, chunk, CHUNK_BYTES, (off_t)*size_bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            code = io_error(err, errno, "read what goes to", key);
        if (got <= 0)
            break;
        struct str bytes = {chunk, (size_t)got};
        crypto_hash_add(hash, bytes);
        *size_bytes += bytes.len;
        code = write_all(to, bytes, key, err);
    }
    xfree(chunk);
    return code;
}

static enum code write_content(int to, const struct archive_source *source, const char *key,
                               struct error *err)
{
    uint8_t digest[CRYPTO_SHA256_BYTES];
    struct crypto_hash *hash = crypto_hash_new();
    uint64_t size_bytes = 0;
    enum code code;
    if (source->fd >= 0) {
        code = copy_file(to, source->fd, hash, &size_bytes, key, err);
    } else {
        crypto_hash_add(hash, source->bytes);
        size_bytes = source->bytes.len;
        code = write_all(to, source->bytes, key, err);
    }
    crypto_hash_finish(hash, digest);
    if (code == CODE_OK &&
        (size_bytes != source->size_bytes || memcmp(digest, source->digest, sizeof digest) != 0))
        return error_set(err, CODE_DATA_LOSS, "ARCHIVE_DIGEST",
                         "archive: what was to become %s is not what was written before", key);
    if (code == CODE_OK && fsync(to) != 0)
        code = io_error(err, errno, "fsync", key);
    return code;
}

static enum code sync_directory(int fd, const char *path, struct error *err)
{
    return fsync(fd) == 0 ? CODE_OK : io_error(err, errno, "fsync", path);
}

/*
 * The directory of a key, made with those above it. The one above is synced even when the directory
 * was there: whoever made it may not have come to that yet.
 */
static enum code open_directory(const struct archive_dir *a, const char *key, int *fd,
                                struct error *err)
{
    int at = dup(a->root_fd);
    struct str rest = str_of(key), name;
    if (at < 0)
        return io_error(err, errno, "dup", key);
    while (str_find(rest, '/') >= 0 && str_next(&rest, '/', &name)) {
        char text[KEY_BYTES];
        snprintf(text, sizeof text, "%.*s", STR_ARG(name));
        if ((mkdirat(at, text, 0755) != 0 && errno != EEXIST) || fsync(at) != 0) {
            io_error(err, errno, "make the directory of", key);
            close(at);
            return err->code;
        }
        int next = openat(at, text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int number = errno;
        close(at);
        if (next < 0)
            return io_error(err, number, "open the directory of", key);
        at = next;
    }
    *fd = at;
    return CODE_OK;
}

static enum code give_name(const struct archive_dir *a, const char *temporary, const char *key,
                           struct error *err)
{
    int directory = -1;
    if (open_directory(a, key, &directory, err) != CODE_OK)
        return err->code;
    const char *slash = strrchr(key, '/');
    int result = linkat(a->root_fd, temporary, directory, slash ? slash + 1 : key, 0);
    int number = errno;
    enum code code = CODE_OK;
    if (result != 0 && number != EEXIST)
        code = io_error(err, number, "link", key);
    else
        code = sync_directory(directory, key, err);
    if (code == CODE_OK && result != 0)
        code = error_set(err, CODE_ALREADY_EXISTS, "OBJECT_EXISTS", "archive: %s exists", key);
    close(directory);
    return code;
}

static enum code dir_create(struct archive *archive, struct str key,
                            const struct archive_source *source, struct error *err)
{
    struct archive_dir *a = from(archive);
    char name[KEY_BYTES], temporary[64], id[ID_TEXT_BYTES + 1];
    struct id unique;
    if (check_key(key, name, err) != CODE_OK)
        return err->code;
    id_random_nonce(unique.bytes, sizeof unique.bytes);
    id_format(unique, id);
    snprintf(temporary, sizeof temporary, "%s/%s", TEMPORARY, id);
    int fd = openat(a->root_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return io_error(err, errno, "create a file for", name);
    enum code code = write_content(fd, source, name, err);
    if (close(fd) != 0 && code == CODE_OK)
        code = io_error(err, errno, "close", name);
    if (code == CODE_OK)
        code = give_name(a, temporary, name, err);
    unlinkat(a->root_fd, temporary, 0);
    return code;
}

/* --- reading --- */

static enum code dir_stat(struct archive *archive, struct str key, struct archive_object *object,
                          struct error *err)
{
    struct archive_dir *a = from(archive);
    char name[KEY_BYTES];
    if (check_key(key, name, err) != CODE_OK)
        return err->code;
    int fd = openat(a->root_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return error_set(err, CODE_NOT_FOUND, "OBJECT_NOT_FOUND", "archive: no %s", name);
    if (fd < 0)
        return io_error(err, errno, "open", name);
    struct crypto_hash *hash = crypto_hash_new();
    char *chunk = xmalloc(CHUNK_BYTES);
    enum code code = CODE_OK;
    ssize_t got;
    object->size_bytes = 0;
    while ((got = read(fd, chunk, CHUNK_BYTES)) > 0 || (got < 0 && errno == EINTR)) {
        if (got < 0)
            continue;
        crypto_hash_add(hash, (struct str){chunk, (size_t)got});
        object->size_bytes += (uint64_t)got;
    }
    if (got < 0)
        code = io_error(err, errno, "read", name);
    crypto_hash_finish(hash, object->digest);
    xfree(chunk);
    close(fd);
    return code;
}

/* Names with a dot in front are not objects. Takes `fd`. */
static enum code list_directory(int fd, char *key, size_t length, int depth, archive_list_fn each,
                                void *argument, struct error *err)
{
    DIR *directory = fdopendir(fd);
    enum code code = CODE_OK;
    struct dirent *entry;
    struct stat info;
    if (!directory) {
        close(fd);
        return io_error(err, errno, "list", key);
    }
    while (code == CODE_OK && (entry = readdir(directory))) {
        if (entry->d_name[0] == '.' || fstatat(fd, entry->d_name, &info, 0) != 0)
            continue;
        int added = snprintf(key + length, KEY_BYTES - length, "%s", entry->d_name);
        size_t end = length + (size_t)added;
        if (added < 0 || end + 2 > KEY_BYTES)
            continue;
        if (S_ISREG(info.st_mode)) {
            each(argument, (struct str){key, end}, (uint64_t)info.st_size);
        } else if (S_ISDIR(info.st_mode) && depth < DEPTH_MAX) {
            int inner = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            key[end] = '/';
            if (inner >= 0)
                code = list_directory(inner, key, end + 1, depth + 1, each, argument, err);
        }
        key[length] = '\0';
    }
    closedir(directory);
    return code;
}

static enum code dir_list(struct archive *archive, struct str prefix, archive_list_fn each,
                          void *argument, struct error *err)
{
    struct archive_dir *a = from(archive);
    char key[KEY_BYTES] = ".";
    if (prefix.len && str_ends(prefix, STR("/")))
        prefix.len--;
    if (prefix.len && check_key(prefix, key, err) != CODE_OK)
        return err->code;
    int fd = openat(a->root_fd, key, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return CODE_OK;
    if (fd < 0)
        return io_error(err, errno, "open", key);
    if (prefix.len)
        key[prefix.len++] = '/';
    return list_directory(fd, key, prefix.len, 0, each, argument, err);
}

static void dir_free(struct archive *archive)
{
    struct archive_dir *a = from(archive);
    close(a->root_fd);
    xfree(a);
}

static const struct archive_vtable VTABLE = {dir_create, dir_stat, dir_list, dir_free};

/* What a process that died left behind; younger files may be another process's. */
static void remove_stale(int root_fd)
{
    int fd = openat(root_fd, TEMPORARY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    struct stat info;
    while (directory && (entry = readdir(directory)))
        if (fstatat(fd, entry->d_name, &info, 0) == 0 && S_ISREG(info.st_mode) &&
            info.st_mtime + STALE_TEMPORARY_S < time(NULL))
            unlinkat(fd, entry->d_name, 0);
    if (directory)
        closedir(directory);
    else if (fd >= 0)
        close(fd);
}

enum code archive_dir_open(const char *path, struct archive **archive, struct error *err)
{
    int fd = -1;
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return error_errno(err, CODE_FAILED_PRECONDITION, errno, "cannot make %s", path);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, CODE_FAILED_PRECONDITION, errno, "cannot open %s", path);
    if ((mkdirat(fd, TEMPORARY, 0755) != 0 && errno != EEXIST) ||
        faccessat(fd, TEMPORARY, W_OK | X_OK, AT_EACCESS) != 0) {
        error_errno(err, CODE_FAILED_PRECONDITION, errno, "cannot write %s", path);
        close(fd);
        return err->code;
    }
    remove_stale(fd);
    struct archive_dir *a = xcalloc(1, sizeof *a);
    a->base.vtable = &VTABLE;
    a->root_fd = fd;
    *archive = &a->base;
    return CODE_OK;
}
