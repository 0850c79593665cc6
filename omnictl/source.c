/* Reads when there is something to read, so that whoever waits can do other things meanwhile. */
#include "omnictl/source.h"

#include "base/alloc.h"
#include "omnictl/csv.h"
#include "omnictl/user_read.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE_BYTES = 256 * 1024, LINE_BYTES_MAX = 1024 * 1024 };

struct source {
    int fd;
    bool owned, ended;
    enum source_choice choice;
    const char *name;
    uint64_t read_bytes, size_bytes, records, line;
    char *piece;
    struct str rest; /* of the piece: read, but not taken */
    struct buf text; /* NDJSON: a line that goes over pieces */
    bool too_long;
    struct csv *csv;
    struct user_columns *columns;
    struct arena arena;
};

static enum source_choice choice_of_name(const char *path)
{
    struct str name = str_of(path);
    if (str_ends(name, STR(".csv")) || str_ends(name, STR(".CSV")))
        return SOURCE_CSV;
    if (str_ends(name, STR(".ndjson")) || str_ends(name, STR(".jsonl")) ||
        str_ends(name, STR(".json")))
        return SOURCE_NDJSON;
    return SOURCE_GUESS;
}

enum code source_open(const char *path, enum source_choice choice, struct source **source,
                      struct error *err)
{
    struct stat about = {0};
    bool input = strcmp(path, "-") == 0;
    int fd = input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, CODE_FAILED_PRECONDITION, errno, "open %s", path);
    if (fstat(fd, &about) != 0 || S_ISDIR(about.st_mode)) {
        error_errno(err, CODE_FAILED_PRECONDITION, S_ISDIR(about.st_mode) ? EISDIR : errno,
                    "read %s", path);
        if (!input)
            close(fd);
        return err->code;
    }
    struct source *made = xcalloc(1, sizeof *made);
    made->fd = fd;
    made->owned = !input;
    made->name = input ? "standard input" : path;
    made->choice = choice != SOURCE_GUESS || input ? choice : choice_of_name(path);
    made->size_bytes = S_ISREG(about.st_mode) ? (uint64_t)about.st_size : 0;
    made->piece = xmalloc(PIECE_BYTES);
    buf_init(&made->text, LINE_BYTES_MAX);
    *source = made;
    return CODE_OK;
}

void source_close(struct source *source)
{
    if (!source)
        return;
    if (source->owned)
        close(source->fd);
    xfree(source->piece);
    buf_clear(&source->text);
    csv_free(source->csv);
    user_columns_free(source->columns);
    arena_clear(&source->arena);
    xfree(source);
}

int source_fd(const struct source *source)
{
    return source->fd;
}

uint64_t source_read_bytes(const struct source *source)
{
    return source->read_bytes - source->rest.len;
}

uint64_t source_size_bytes(const struct source *source)
{
    return source->size_bytes;
}

/* SOURCE_USER: there is a piece, or the end has come. */
static enum source_result read_piece(struct source *source, struct error *err)
{
    struct pollfd ready = {.fd = source->fd, .events = POLLIN};
    if (source->rest.len || source->ended)
        return SOURCE_USER;
    if (poll(&ready, 1, 0) <= 0)
        return SOURCE_WAIT;
    ssize_t got = read(source->fd, source->piece, PIECE_BYTES);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return SOURCE_WAIT;
    if (got < 0) {
        error_errno(err, CODE_FAILED_PRECONDITION, errno, "read %s", source->name);
        return SOURCE_BROKEN;
    }
    source->ended = got == 0;
    source->rest = (struct str){source->piece, (size_t)got};
    source->read_bytes += (uint64_t)got;
    return SOURCE_USER;
}

/* By the first byte that is neither space nor byte order mark. */
static void guess(struct source *source)
{
    for (size_t i = 0; i < source->rest.len; i++)
        if (!strchr(" \t\r\n\xEF\xBB\xBF", source->rest.ptr[i]) || !source->rest.ptr[i]) {
            source->choice = source->rest.ptr[i] == '{' ? SOURCE_NDJSON : SOURCE_CSV;
            return;
        }
    if (source->ended || source->rest.len)
        source->choice = SOURCE_NDJSON;
}

/* --- NDJSON --- */

/* The next line without its end; false when the piece ends within it. */
static bool take_line(struct source *source, struct str *line)
{
    ptrdiff_t end = str_find(source->rest, '\n');
    if (end < 0 && !source->ended) {
        buf_add(&source->text, source->rest);
        source->rest.len = 0;
        return false;
    }
    struct str part = source->rest;
    if (end >= 0)
        part.len = (size_t)end;
    source->rest = str_from(source->rest, end >= 0 ? (size_t)end + 1 : source->rest.len);
    *line = part;
    if (source->text.len || source->text.overflow) {
        buf_add(&source->text, part);
        *line = buf_str(&source->text);
    }
    source->too_long = source->text.overflow;
    buf_reset(&source->text); /* the bytes stay until the next line */
    source->line++;
    if (source->line == 1 && str_starts(*line, STR("\xEF\xBB\xBF")))
        *line = str_from(*line, 3);
    if (line->len && line->ptr[line->len - 1] == '\r')
        line->len--;
    return true;
}

static enum source_result next_json(struct source *source, struct source_item *item)
{
    struct str line = {0};
    for (;;) {
        enum source_result result = read_piece(source, &item->err);
        if (result != SOURCE_USER)
            return result;
        bool last = source->ended && !source->rest.len && !source->text.len;
        if (last && !source->text.overflow)
            return SOURCE_END;
        if (!take_line(source, &line) || (!str_trim(line).len && !source->too_long))
            continue;
        item->record = ++source->records;
        item->line = source->line;
        if (source->too_long) {
            error_set(&item->err, CODE_INVALID_ARGUMENT, "LINE_TOO_LONG",
                      "the line is longer than 1 MiB");
            return SOURCE_WRONG;
        }
        return user_read_json(&source->arena, line, &item->user, &item->err) == CODE_OK
                   ? SOURCE_USER
                   : SOURCE_WRONG;
    }
}

/* --- CSV --- */

static enum source_result take_record(struct source *source, enum csv_result result,
                                      struct source_item *item)
{
    item->line = csv_line(source->csv);
    if (result == CSV_WRONG)
        error_set(&item->err, CODE_INVALID_ARGUMENT, "INVALID_CSV", "%s", csv_problem(source->csv));
    if (!source->columns) {
        if (result == CSV_WRONG ||
            user_columns_new(source->csv, &source->columns, &item->err) != CODE_OK)
            return SOURCE_BROKEN;
        return SOURCE_WAIT; /* the header; go on */
    }
    item->record = ++source->records;
    if (result == CSV_WRONG)
        return SOURCE_WRONG;
    return user_read_csv(&source->arena, source->columns, source->csv, &item->user, &item->err) ==
                   CODE_OK
               ? SOURCE_USER
               : SOURCE_WRONG;
}

static enum source_result next_csv(struct source *source, struct source_item *item)
{
    if (!source->csv)
        source->csv = csv_new(LINE_BYTES_MAX, USER_READ_COLUMNS_MAX);
    for (;;) {
        enum source_result result = read_piece(source, &item->err);
        if (result != SOURCE_USER)
            return result;
        enum csv_result parsed =
            source->ended ? csv_end(source->csv) : csv_feed(source->csv, &source->rest);
        if (parsed == CSV_MORE && source->ended)
            return SOURCE_END;
        if (parsed == CSV_MORE)
            continue;
        result = take_record(source, parsed, item);
        if (result != SOURCE_WAIT)
            return result;
    }
}

enum source_result source_next(struct source *source, struct source_item *item)
{
    arena_reset(&source->arena);
    error_clear(&item->err);
    if (source->choice == SOURCE_GUESS) {
        enum source_result result = read_piece(source, &item->err);
        if (result != SOURCE_USER)
            return result;
        guess(source);
    }
    return source->choice == SOURCE_CSV ? next_csv(source, item) : next_json(source, item);
}
