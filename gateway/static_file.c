/* Reading, hashing and compressing a file; finding it without leaving the directory. */
#include "gateway/static_file.h"

#include "base/alloc.h"
#include "base/encode.h"
#include "crypto/crypto.h"
#include "gateway/compress.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 16 << 20, GZIP_AT_LEAST = 256, ETAG_BYTES = 16 };

static const char *type_of(struct str path)
{
    static const char *const table[][2] = {
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".json", "application/json"},
        {".map", "application/json"},
        {".webmanifest", "application/manifest+json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".jpeg", "image/jpeg"},
        {".gif", "image/gif"},
        {".webp", "image/webp"},
        {".ico", "image/x-icon"},
        {".woff", "font/woff"},
        {".woff2", "font/woff2"},
        {".ttf", "font/ttf"},
        {".txt", "text/plain; charset=utf-8"},
        {".md", "text/markdown; charset=utf-8"},
        {".xml", "application/xml"},
        {".pdf", "application/pdf"},
        {".wasm", "application/wasm"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (str_ends(path, str_of(table[i][0])))
            return table[i][1];
    return "application/octet-stream";
}

int static_file_open(int directory, struct str path, struct stat *about)
{
    struct str rest = path, part;
    int at = dup(directory);
    while (at >= 0 && str_next(&rest, '/', &part)) {
        char name[NAME_MAX + 1];
        bool last = !rest.ptr;
        int next = -1;
        if (part.len && part.len <= NAME_MAX && part.ptr[0] != '.' && str_find(part, '\0') < 0) {
            memcpy(name, part.ptr, part.len);
            name[part.len] = '\0';
            next =
                openat(at, name,
                       O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (last ? 0 : O_DIRECTORY));
        }
        close(at);
        at = next;
    }
    if (at >= 0 && (fstat(at, about) != 0 || !S_ISREG(about->st_mode))) {
        close(at);
        at = -1;
    }
    return at;
}

static bool read_all(int fd, struct buf *to, size_t size)
{
    char *room = buf_reserve(to, size);
    while (room && to->len < size) {
        ssize_t n = read(fd, room + to->len, size - to->len);
        if (n <= 0)
            return false;
        to->len += (size_t)n;
    }
    return room || !size;
}

static bool worth_compressing(const char *type)
{
    return strncmp(type, "text/", 5) == 0 || strstr(type, "json") || strstr(type, "xml") ||
           strstr(type, "wasm");
}

static void make_etags(struct static_file *file)
{
    uint8_t digest[CRYPTO_SHA256_BYTES];
    struct buf hex;
    crypto_sha256(buf_str(&file->plain), digest);
    buf_init(&hex, ETAG_BYTES * 2);
    encode_hex(&hex, (struct str){(const char *)digest, ETAG_BYTES});
    snprintf(file->etag, sizeof file->etag, "\"%s\"", buf_cstr(&hex));
    snprintf(file->gzip_etag, sizeof file->gzip_etag, "\"%s-gz\"", buf_cstr(&hex));
    buf_clear(&hex);
}

struct static_file *static_file_read(int fd, struct str path, const struct stat *about)
{
    if (about->st_size > FILE_BYTES_MAX)
        return NULL;
    struct static_file *file = xcalloc(1, sizeof *file);
    struct buf name;
    buf_init(&file->plain, FILE_BYTES_MAX);
    buf_init(&file->gzip, FILE_BYTES_MAX);
    buf_init(&name, path.len);
    buf_add(&name, path);
    file->path = xstrdup(buf_cstr(&name));
    buf_clear(&name);
    file->type = type_of(path);
    file->changed = about->st_mtim;
    file->inode = about->st_ino;
    file->size = about->st_size;
    if (!read_all(fd, &file->plain, (size_t)about->st_size)) {
        static_file_free(file);
        return NULL;
    }
    if (file->plain.len >= GZIP_AT_LEAST && worth_compressing(file->type))
        (void)compress_best(&file->gzip, buf_str(&file->plain));
    make_etags(file);
    return file;
}

bool static_file_same(const struct static_file *file, const struct stat *about)
{
    return file->inode == about->st_ino && file->size == about->st_size &&
           file->changed.tv_sec == about->st_mtim.tv_sec &&
           file->changed.tv_nsec == about->st_mtim.tv_nsec;
}

void static_file_free(struct static_file *file)
{
    if (!file)
        return;
    buf_clear(&file->plain);
    buf_clear(&file->gzip);
    xfree(file->path);
    xfree(file);
}
