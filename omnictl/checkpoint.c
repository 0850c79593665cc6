/*
 * A small text file, replaced as a whole by rename:
 *
 *   omni-progress 1
 *   file SIZE MTIME_NS SHA256_OF_THE_FIRST_64_KIB
 *   run UUID
 *   counts IMPORTED FAILED SKIPPED
 *   done RECORDS                  all up to here, a multiple of 8
 *   tail HEX                      a bit for each record behind, the lowest bit first
 *   end
 */
#include "omnictl/checkpoint.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/encode.h"
#include "base/id.h"
#include "crypto/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HEAD_BYTES = 64 * 1024,
    TAIL_BYTES_MAX = 64 * 1024 * 1024,
    TEXT_BYTES_MAX = 2 * TAIL_BYTES_MAX + 4096,
    DROP_BYTES = 4096, /* moving the tail up at each byte would cost too much */
};

struct checkpoint {
    char *path, *temporary;
    struct buf identity; /* the line `file …` */
    char run[ID_TEXT_BYTES + 1];
    struct checkpoint_counts counts;
    uint64_t done;   /* a multiple of 8 */
    struct buf tail; /* bit i: record done + 1 + i */
};

/* The content's identity, as a line of the file. */
static enum code identify(const char *path, int fd, struct buf *out, struct error *err)
{
    struct stat about;
    uint8_t digest[CRYPTO_SHA256_BYTES];
    char *head = xmalloc(HEAD_BYTES);
    ssize_t got = pread(fd, head, HEAD_BYTES, 0);
    if (got < 0 || fstat(fd, &about) != 0) {
        xfree(head);
        return error_errno(err, CODE_FAILED_PRECONDITION, errno, "read %s", path);
    }
    crypto_sha256((struct str){head, (size_t)got}, digest);
    xfree(head);
    buf_addf(out, "file %lld %lld%09ld ", (long long)about.st_size, (long long)about.st_mtim.tv_sec,
             about.st_mtim.tv_nsec);
    encode_hex(out, (struct str){(char *)digest, sizeof digest});
    return CODE_OK;
}

static bool read_numbers(struct str line, struct str name, uint64_t *numbers, size_t count)
{
    struct str word;
    if (!str_next(&line, ' ', &word) || !str_eq(word, name))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!str_next(&line, ' ', &word) || !str_to_u64(word, &numbers[i]))
            return false;
    return true;
}

static bool read_tail(struct checkpoint *checkpoint, struct str line)
{
    struct str prefix = STR("tail ");
    if (!str_starts(line, prefix))
        return false;
    struct str hex = str_from(line, prefix.len);
    char *into = buf_reserve(&checkpoint->tail, hex.len / 2 + 1);
    if (!into || !decode_hex(hex, (uint8_t *)into))
        return false;
    checkpoint->tail.len += hex.len / 2;
    return true;
}

static bool read_run(struct checkpoint *checkpoint, struct str line)
{
    struct str prefix = STR("run ");
    struct id id;
    if (!str_starts(line, prefix) || !id_parse(str_from(line, prefix.len), &id))
        return false;
    id_format(id, checkpoint->run);
    return true;
}

static enum code parse(struct checkpoint *checkpoint, const char *path, struct str text,
                       struct error *err)
{
    struct str line[7] = {0};
    uint64_t counts[3] = {0};
    for (size_t i = 0; i < 7; i++)
        if (!str_next(&text, '\n', &line[i]))
            break;
    bool whole = str_eq(line[0], STR("omni-progress 1")) && str_eq(line[6], STR("end")) &&
                 read_run(checkpoint, line[2]) && read_numbers(line[3], STR("counts"), counts, 3) &&
                 read_numbers(line[4], STR("done"), &checkpoint->done, 1) &&
                 checkpoint->done % 8 == 0 && read_tail(checkpoint, line[5]);
    if (!whole)
        return error_set(err, CODE_FAILED_PRECONDITION, "PROGRESS_UNREADABLE",
                         "%s is damaged; --restart begins anew", checkpoint->path);
    if (!str_eq(line[1], buf_str(&checkpoint->identity)))
        return error_set(err, CODE_FAILED_PRECONDITION, "FILE_CHANGED",
                         "%s has changed since its import was interrupted; --restart begins anew "
                         "(with --skip-existing, past what is there)",
                         path);
    checkpoint->counts = (struct checkpoint_counts){counts[0], counts[1], counts[2]};
    return CODE_OK;
}

static enum code load(struct checkpoint *checkpoint, const char *path, struct error *err)
{
    struct buf text;
    char *piece;
    ssize_t got = 0;
    int fd = open(checkpoint->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return CODE_OK;
    if (fd < 0)
        return error_errno(err, CODE_FAILED_PRECONDITION, errno, "open %s", checkpoint->path);
    buf_init(&text, TEXT_BYTES_MAX);
    while ((piece = buf_reserve(&text, HEAD_BYTES)) && (got = read(fd, piece, HEAD_BYTES)) > 0)
        text.len += (size_t)got;
    enum code code =
        got < 0 ? error_errno(err, CODE_FAILED_PRECONDITION, errno, "read %s", checkpoint->path)
                : parse(checkpoint, path, buf_str(&text), err);
    close(fd);
    buf_clear(&text);
    return code;
}

static char *with_ending(const char *path, const char *ending)
{
    size_t size = strlen(path) + strlen(ending) + 1;
    char *text = xmalloc(size);
    snprintf(text, size, "%s%s", path, ending);
    return text;
}

enum code checkpoint_open(const char *path, int fd, bool restart, struct checkpoint **checkpoint,
                          struct error *err)
{
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return error_set(err, CODE_FAILED_PRECONDITION, "FILE_BUSY",
                         "%s is being imported by another process", path);
    struct checkpoint *made = xcalloc(1, sizeof *made);
    made->path = with_ending(path, ".omni-progress");
    made->temporary = with_ending(path, ".omni-progress.new");
    id_format(id_new(clock_real()), made->run);
    buf_init(&made->identity, 256);
    buf_init(&made->tail, TAIL_BYTES_MAX);
    enum code code = identify(path, fd, &made->identity, err);
    if (code == CODE_OK && !restart)
        code = load(made, path, err);
    if (code != CODE_OK)
        checkpoint_free(made);
    else
        *checkpoint = made;
    return code;
}

void checkpoint_free(struct checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    xfree(checkpoint->path);
    xfree(checkpoint->temporary);
    buf_clear(&checkpoint->identity);
    buf_clear(&checkpoint->tail);
    xfree(checkpoint);
}

const char *checkpoint_path(const struct checkpoint *checkpoint)
{
    return checkpoint->path;
}

const char *checkpoint_run(const struct checkpoint *checkpoint)
{
    return checkpoint->run;
}

struct checkpoint_counts *checkpoint_counts(struct checkpoint *checkpoint)
{
    return &checkpoint->counts;
}

bool checkpoint_has(const struct checkpoint *checkpoint, uint64_t record)
{
    if (record <= checkpoint->done)
        return true;
    uint64_t bit = record - checkpoint->done - 1;
    return bit / 8 < checkpoint->tail.len &&
           ((unsigned char)checkpoint->tail.ptr[bit / 8] >> bit % 8 & 1);
}

/* Whole bytes at the front of the tail become part of what is done. */
static void shorten(struct checkpoint *checkpoint, size_t least)
{
    size_t full = 0;
    while (full < checkpoint->tail.len && (unsigned char)checkpoint->tail.ptr[full] == 0xFF)
        full++;
    if (full < least)
        return;
    buf_drop_front(&checkpoint->tail, full);
    checkpoint->done += full * 8;
}

void checkpoint_add(struct checkpoint *checkpoint, uint64_t record)
{
    if (record <= checkpoint->done)
        return;
    uint64_t bit = record - checkpoint->done - 1;
    struct buf *tail = &checkpoint->tail;
    while (bit / 8 >= tail->len && !tail->overflow)
        buf_add_char(tail, 0);
    if (bit / 8 >= tail->len)
        return; /* half a billion records behind an unfinished one: it will be sent again */
    tail->ptr[bit / 8] = (char)((unsigned char)tail->ptr[bit / 8] | 1U << bit % 8);
    if (tail->len > 2 * DROP_BYTES)
        shorten(checkpoint, DROP_BYTES);
}

static enum code replace_file(struct checkpoint *checkpoint, struct str text, struct error *err)
{
    int fd = open(checkpoint->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return error_errno(err, CODE_FAILED_PRECONDITION, errno, "create %s",
                           checkpoint->temporary);
    bool whole = true;
    while (text.len && whole) {
        ssize_t wrote = write(fd, text.ptr, text.len);
        whole = wrote >= 0 || errno == EINTR;
        text = str_from(text, wrote > 0 ? (size_t)wrote : 0);
    }
    whole = whole && fsync(fd) == 0;
    whole = close(fd) == 0 && whole;
    if (whole && rename(checkpoint->temporary, checkpoint->path) == 0)
        return CODE_OK;
    error_errno(err, CODE_FAILED_PRECONDITION, errno, "write %s", checkpoint->path);
    unlink(checkpoint->temporary);
    return err->code;
}

enum code checkpoint_save(struct checkpoint *checkpoint, struct error *err)
{
    const struct checkpoint_counts *counts = &checkpoint->counts;
    struct buf text;
    shorten(checkpoint, 1);
    buf_init(&text, TEXT_BYTES_MAX);
    buf_addf(&text, "omni-progress 1\n%s\nrun %s\ncounts %llu %llu %llu\ndone %llu\ntail ",
             buf_cstr(&checkpoint->identity), checkpoint->run, (unsigned long long)counts->imported,
             (unsigned long long)counts->failed, (unsigned long long)counts->skipped,
             (unsigned long long)checkpoint->done);
    encode_hex(&text, buf_str(&checkpoint->tail));
    buf_add_cstr(&text, "\nend\n");
    enum code code = replace_file(checkpoint, buf_str(&text), err);
    buf_clear(&text);
    return code;
}

void checkpoint_remove(struct checkpoint *checkpoint)
{
    unlink(checkpoint->path);
}
