/* Output by write(2) in large pieces; files by a temporary name in the same folder and rename. */
#include "omnictl/output.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE_BYTES = 256 * 1024, BUFFER_BYTES_MAX = 64 * 1024 * 1024 };

struct output {
    int fd;
    char *path;      /* NULL: standard output */
    char *temporary; /* NULL: written into what is there */
    struct buf buf;
    bool gone;
};

/* Is there something at `path` that a rename must not replace: a pipe, a device? */
static bool is_special(const char *path)
{
    struct stat there;
    return stat(path, &there) == 0 && !S_ISREG(there.st_mode) && !S_ISDIR(there.st_mode);
}

/* The file itself when `path` is a link to it: the link stays. xfree. */
static char *follow(const char *path)
{
    char real[PATH_MAX];
    return xstrdup(realpath(path, real) ? real : path);
}

static enum code open_temporary(struct output *out, struct error *err)
{
    struct buf name;
    buf_init(&name, BUFFER_BYTES_MAX);
    buf_addf(&name, "%s.part-%d", out->path, (int)getpid());
    out->temporary = xstrdup(buf_cstr(&name));
    buf_clear(&name);
    out->fd = open(out->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (out->fd >= 0)
        return CODE_OK;
    error_errno(err, CODE_FAILED_PRECONDITION, errno, "create %s", out->path);
    xfree(out->temporary);
    out->temporary = NULL;
    return err->code;
}

enum code output_open(const char *path, struct output **output, struct error *err)
{
    struct output *out = xcalloc(1, sizeof *out);
    buf_init(&out->buf, BUFFER_BYTES_MAX);
    out->fd = STDOUT_FILENO;
    if (path && strcmp(path, "-") != 0) {
        bool special = is_special(path);
        out->path = special ? xstrdup(path) : follow(path);
        enum code code = CODE_OK;
        if (!special)
            code = open_temporary(out, err);
        else if ((out->fd = open(path, O_WRONLY | O_CLOEXEC)) < 0)
            code = error_errno(err, CODE_FAILED_PRECONDITION, errno, "open %s", path);
        if (code != CODE_OK) {
            output_abandon(out);
            return code;
        }
    }
    *output = out;
    return CODE_OK;
}

struct buf *output_buf(struct output *output)
{
    return &output->buf;
}

bool output_gone(const struct output *output)
{
    return output->gone;
}

static enum code write_all(struct output *output, struct error *err)
{
    const char *name = output->path ? output->path : "standard output";
    size_t done = 0;
    if (output->buf.overflow)
        return error_set(err, CODE_RESOURCE_EXHAUSTED, NULL, "write %s: a line is too long", name);
    while (done < output->buf.len && !output->gone) {
        ssize_t wrote = write(output->fd, output->buf.ptr + done, output->buf.len - done);
        if (wrote >= 0)
            done += (size_t)wrote;
        else if (errno == EPIPE && !output->path)
            output->gone = true;
        else if (errno != EINTR)
            return error_errno(err, CODE_FAILED_PRECONDITION, errno, "write %s", name);
    }
    buf_reset(&output->buf);
    return CODE_OK;
}

enum code output_flush(struct output *output, struct error *err)
{
    return output->buf.len < PIECE_BYTES && !output->buf.overflow ? CODE_OK
                                                                  : write_all(output, err);
}

/* The folder of the file, made durable, so that the new name survives a crash. */
static void sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct str folder = slash ? (struct str){path, (size_t)(slash - path) + 1} : STR(".");
    struct buf name;
    buf_init(&name, BUFFER_BYTES_MAX);
    buf_add(&name, folder);
    int fd = open(buf_cstr(&name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    buf_clear(&name);
    if (fd < 0)
        return;
    fsync(fd); /* best effort: some file systems cannot */
    close(fd);
}

enum code output_finish(struct output *output, struct error *err)
{
    enum code code = write_all(output, err);
    if (code == CODE_OK && output->temporary) {
        if (fsync(output->fd) != 0 || rename(output->temporary, output->path) != 0) {
            code = error_errno(err, CODE_FAILED_PRECONDITION, errno, "write %s", output->path);
        } else {
            xfree(output->temporary);
            output->temporary = NULL;
            sync_folder(output->path);
        }
    }
    output_abandon(output);
    return code;
}

void output_abandon(struct output *output)
{
    if (!output)
        return;
    if (output->path && output->fd >= 0)
        close(output->fd);
    if (output->temporary)
        unlink(output->temporary);
    xfree(output->path);
    xfree(output->temporary);
    buf_clear(&output->buf);
    xfree(output);
}
