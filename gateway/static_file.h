/* One file in memory, in the forms it is sent in. */
#pragma once
#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <sys/stat.h>

struct static_file {
    char *path;             /* below the directory, without a leading slash */
    struct buf plain, gzip; /* gzip: empty when it would not be smaller */
    char etag[36], gzip_etag[40];
    const char *type;
    struct timespec changed;
    ino_t inode;
    off_t size;
    int64_t checked_ms; /* when it was last compared with the disk */
};

/*
 * Opens a decoded path below `directory`, component by component: no links, no "..", nothing
 * hidden, regular files only. -1 when there is none.
 */
int static_file_open(int directory, struct str path, struct stat *about);

/* Reads what was opened; NULL when that fails or it is larger than 16 MiB. */
struct static_file *static_file_read(int fd, struct str path, const struct stat *about);
bool static_file_same(const struct static_file *file, const struct stat *about);
void static_file_free(struct static_file *file);
