/*
 * The files of one directory over HTTP: strong ETags, gzip made once, types by name, security
 * headers. Files are kept in memory and looked at again for changes, so an edit is seen at once.
 * Nothing outside of the directory can be reached: no "..", no links, no hidden files.
 */
#pragma once
#include "base/error.h"
#include "http/server.h"

struct static_files;

struct static_options {
    const char *directory;
    const char *page_config; /* the file that is /config.json; "": the directory's own, if any */
    struct str page_origins; /* origin,…: beside its own, where pages may send requests to */
};

/*
 * FAILED_PRECONDITION naming what cannot be opened, INVALID_ARGUMENT naming a setting that is
 * wrong. The texts must live as long as the files.
 */
enum code static_open(const struct static_options *options, struct static_files **files,
                      struct error *err) MUST_CHECK;
void static_free(struct static_files *files);

enum static_result {
    STATIC_ANSWERED,
    STATIC_NO_FILE,  /* nothing has been answered */
    STATIC_MISMATCH, /* nor here: If-Match names no representation of the file */
};

/*
 * Answers GET or HEAD for a file, adding to `headers` (HTTP_HEADERS_MAX long, `count` used).
 * Thread-safe.
 */
enum static_result static_answer(struct static_files *files, struct http_exchange *exchange,
                                 struct http_header *headers, size_t count);

/* True when a path names a file of the directory. Thread-safe. */
bool static_exists(struct static_files *files, struct http_exchange *exchange);
