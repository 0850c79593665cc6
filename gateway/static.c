/*
 * The files in a small table under one lock; an answer is copied out while it is held. A file that
 * was looked at long ago is compared with the disk first.
 */
#include "gateway/static.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/encode.h"
#include "gateway/conditional.h"
#include "gateway/origin.h"
#include "gateway/static_file.h"
#include "json/json_in.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

enum { FILES_MAX = 1024, LOOK_AGAIN_MS = 200, PATH_BYTES_MAX = 1024, POLICY_BYTES_MAX = 4096 };

struct static_files {
    int directory;
    const char *page_config;
    struct buf policy;    /* the Content-Security-Policy */
    pthread_mutex_t lock; /* for all below */
    struct static_file *files[FILES_MAX];
    size_t count;
};

/* Sign-in is at another origin, and the page fetches its tokens there. */
static enum code make_policy(struct buf *policy, struct str origins, struct error *err)
{
    struct str piece;
    enum code code = origins_check("page-origins", origins, false, err);
    if (code != CODE_OK)
        return code;
    buf_add(policy, STR("default-src 'none'; script-src 'self'; style-src 'self'; "
                        "img-src 'self' data:; font-src 'self'; connect-src 'self'"));
    while (origins.len && str_next(&origins, ',', &piece)) {
        buf_add(policy, STR(" "));
        buf_add(policy, str_trim(piece));
    }
    buf_add(policy, STR("; manifest-src 'self'; base-uri 'none'; form-action 'self'; "
                        "frame-ancestors 'none'"));
    if (policy->overflow)
        return error_set(err, CODE_INVALID_ARGUMENT, "INVALID_SETTING",
                         "--page-origins: too many of them");
    return CODE_OK;
}

/* A file that the operator names: it may be a link, as files of a Kubernetes ConfigMap are. */
static int open_config(const char *path, struct stat *about)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && (fstat(fd, about) != 0 || !S_ISREG(about->st_mode))) {
        close(fd);
        errno = EINVAL;
        return -1;
    }
    return fd;
}

/* What is wrong with it is told at the start, not by a page that does not work. */
static enum code check_config(const char *path, struct error *err)
{
    struct stat about;
    struct arena arena;
    const struct json_value *value;
    if (!path[0])
        return CODE_OK;
    int fd = open_config(path, &about);
    struct static_file *file = fd < 0 ? NULL : static_file_read(fd, STR("config.json"), &about);
    int failed = errno;
    if (fd >= 0)
        close(fd);
    if (!file)
        return error_errno(err, CODE_FAILED_PRECONDITION, failed, "--page-config: %s", path);
    arena_init(&arena);
    enum code code = json_read(&arena, buf_str(&file->plain), json_limits_default(), &value, err);
    if (code == CODE_OK && value->kind != JSON_OBJECT)
        code = error_set(err, CODE_INVALID_ARGUMENT, "INVALID_SETTING", "is not a JSON object");
    arena_clear(&arena);
    static_file_free(file);
    return code == CODE_OK ? code : error_prefix(err, "--page-config");
}

enum code static_open(const struct static_options *options, struct static_files **opened,
                      struct error *err)
{
    struct static_files *files = xcalloc(1, sizeof *files);
    files->directory = -1;
    files->page_config = options->page_config;
    buf_init(&files->policy, POLICY_BYTES_MAX);
    pthread_mutex_init(&files->lock, NULL);
    enum code code = make_policy(&files->policy, options->page_origins, err);
    if (code == CODE_OK)
        code = check_config(options->page_config, err);
    if (code == CODE_OK)
        files->directory = open(options->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (code == CODE_OK && files->directory < 0)
        code = error_errno(err, CODE_FAILED_PRECONDITION, errno, "--frontend-dir: %s",
                           options->directory);
    if (code != CODE_OK) {
        static_free(files);
        files = NULL;
    }
    *opened = files;
    return code;
}

void static_free(struct static_files *files)
{
    if (!files)
        return;
    for (size_t i = 0; i < files->count; i++)
        static_file_free(files->files[i]);
    if (files->directory >= 0)
        close(files->directory);
    buf_clear(&files->policy);
    pthread_mutex_destroy(&files->lock);
    xfree(files);
}

static void forget(struct static_files *files, size_t index)
{
    static_file_free(files->files[index]);
    files->files[index] = files->files[--files->count];
}

/* The file as it is on the disk now or was a moment ago; NULL when there is none. Under the lock.
 */
static struct static_file *find(struct static_files *files, struct str path)
{
    int64_t now = clock_mono_ms(clock_real());
    size_t index = 0;
    struct stat about;
    while (index < files->count && !str_eq(str_of(files->files[index]->path), path))
        index++;
    struct static_file *file = index < files->count ? files->files[index] : NULL;
    if (file && now - file->checked_ms < LOOK_AGAIN_MS)
        return file;
    int fd = files->page_config[0] && str_eq(path, STR("config.json"))
                 ? open_config(files->page_config, &about)
                 : static_file_open(files->directory, path, &about);
    if (!file || fd < 0 || !static_file_same(file, &about)) {
        if (file)
            forget(files, index);
        if (files->count == FILES_MAX)
            forget(files, 0);
        file = fd < 0 ? NULL : static_file_read(fd, path, &about);
        if (file)
            files->files[files->count++] = file;
    }
    if (fd >= 0)
        close(fd);
    if (file)
        file->checked_ms = now;
    return file;
}

/* The path below the directory: decoded once, "/" is index.html. False for what cannot be one. */
static bool decode_path(struct http_exchange *exchange, struct str *path)
{
    struct str raw = http_exchange_request(exchange)->path;
    struct buf decoded;
    if (raw.len < 1 || raw.len > PATH_BYTES_MAX || raw.ptr[0] != '/')
        return false;
    buf_init_arena(&decoded, http_exchange_arena(exchange), PATH_BYTES_MAX + sizeof "index.html");
    if (!decode_percent(&decoded, str_from(raw, 1), false))
        return false;
    if (!decoded.len || decoded.ptr[decoded.len - 1] == '/')
        buf_add(&decoded, STR("index.html"));
    *path = buf_str(&decoded);
    return true;
}

bool static_exists(struct static_files *files, struct http_exchange *exchange)
{
    struct str path;
    if (!decode_path(exchange, &path))
        return false;
    pthread_mutex_lock(&files->lock);
    bool exists = find(files, path) != NULL;
    pthread_mutex_unlock(&files->lock);
    return exists;
}

static void add(struct http_header *headers, size_t *count, struct str name, struct str value)
{
    headers[(*count)++] = (struct http_header){name, value};
}

static void add_security(struct http_header *headers, size_t *count, struct str policy)
{
    add(headers, count, STR("Content-Security-Policy"), policy);
    add(headers, count, STR("Referrer-Policy"), STR("no-referrer"));
    add(headers, count, STR("Cross-Origin-Opener-Policy"), STR("same-origin"));
}

/* If-Match may name any representation, not only the one that would be sent (RFC 9110 section
 * 13.1.1). */
static bool is_current(const struct static_file *file, struct http_exchange *exchange)
{
    struct str wanted = http_header_list(http_exchange_request(exchange), STR("If-Match"),
                                         http_exchange_arena(exchange));
    return !wanted.ptr || conditional_matches_strongly(wanted, str_of(file->etag)) ||
           (file->gzip.len && conditional_matches_strongly(wanted, str_of(file->gzip_etag)));
}

/* Under the lock. */
static void answer_file(struct static_files *files, const struct static_file *file,
                        struct http_exchange *exchange, struct http_header *headers, size_t count)
{
    const struct http_request *request = http_exchange_request(exchange);
    struct arena *arena = http_exchange_arena(exchange);
    bool gzip =
        file->gzip.len &&
        conditional_accepts(http_header_list(request, STR("Accept-Encoding"), arena), STR("gzip"));
    struct str etag = str_of(gzip ? file->gzip_etag : file->etag);
    struct str known = http_header_list(request, STR("If-None-Match"), arena);
    bool unchanged = known.ptr && conditional_matches(known, etag);
    add(headers, &count, STR("Content-Type"), str_of(file->type));
    add(headers, &count, STR("ETag"), etag);
    add(headers, &count, STR("Cache-Control"), STR("no-cache"));
    if (file->gzip.len)
        add(headers, &count, STR("Vary"), STR("Accept-Encoding"));
    if (gzip)
        add(headers, &count, STR("Content-Encoding"), STR("gzip"));
    add_security(headers, &count, buf_str(&files->policy));
    http_answer(exchange, unchanged ? 304 : 200, headers, count,
                unchanged ? STR("") : buf_str(gzip ? &file->gzip : &file->plain));
}

enum static_result static_answer(struct static_files *files, struct http_exchange *exchange,
                                 struct http_header *headers, size_t count)
{
    enum static_result result = STATIC_NO_FILE;
    struct str path;
    if (!decode_path(exchange, &path))
        return result;
    pthread_mutex_lock(&files->lock);
    const struct static_file *file = find(files, path);
    if (file)
        result = is_current(file, exchange) ? STATIC_ANSWERED : STATIC_MISMATCH;
    if (result == STATIC_ANSWERED)
        answer_file(files, file, exchange, headers, count);
    pthread_mutex_unlock(&files->lock);
    return result;
}
