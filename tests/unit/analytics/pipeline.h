/*
 * For tests of the pipeline: a directory with queue, ledger and archive in it, a clock that the
 * test turns, batches, what the archive holds, and ports that fail at the n-th call.
 */
#pragma once
#include "analytics/archive_dir.h"
#include "analytics/consumer.h"
#include "analytics/event.h"
#include "analytics/ledger_sqlite.h"
#include "analytics/wire.h"
#include "base/alloc.h"
#include "base/log.h"
#include "pb/nano.h"
#include "queue/queue_sqlite.h"
#include "tests/support/unit.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

enum { LEASE_MS = 30000, STALE_MS = 40000, AGE_MS = 5000, RETRY_MS = 100 };

/* 2026-11-22T18:00:00Z and a bit. */
static int64_t now_ms = 1795370400000 + 120000;

static inline int64_t fake_wall_us(const struct clock *clock)
{
    (void)clock;
    return now_ms * 1000;
}

static inline int64_t fake_mono_ms(const struct clock *clock)
{
    (void)clock;
    return now_ms;
}

static const struct clock FAKE = {fake_wall_us, fake_mono_ms};

static int64_t place_retry_ms = RETRY_MS;

struct place {
    char directory[64];
    struct queue *queue;
    struct ledger *ledger;
    struct archive *archive;
};

static inline const char *place_path(const struct place *p, const char *name)
{
    static char path[4][128];
    static int next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", p->directory, name);
    return path[next];
}

static inline void place_reopen(struct place *p)
{
    struct error err;
    queue_free(p->queue);
    ledger_free(p->ledger);
    archive_free(p->archive);
    assert_int_equal(queue_sqlite_open(place_path(p, "queue.db"), 1 << 28, &FAKE, &p->queue, &err),
                     CODE_OK);
    assert_int_equal(ledger_sqlite_open(place_path(p, "ledger.db"), &p->ledger, &err), CODE_OK);
    assert_int_equal(archive_dir_open(place_path(p, "archive"), &p->archive, &err), CODE_OK);
}

static inline void place_open(struct place *p)
{
    *p = (struct place){0};
    bool memory = access("/dev/shm", W_OK) == 0;
    snprintf(p->directory, sizeof p->directory, "%s/pipeline-XXXXXX", memory ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(p->directory));
    log_init("test", LOG_ERROR);
    place_reopen(p);
}

static inline int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static inline void place_close(struct place *p)
{
    queue_free(p->queue);
    ledger_free(p->ledger);
    archive_free(p->archive);
    nftw(p->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline struct consumer *place_consumer(const struct place *p, const char *spool)
{
    struct consumer_options options = {
        .queue = p->queue,
        .archive = p->archive,
        .ledger = p->ledger,
        .clock = &FAKE,
        .spool_dir = place_path(p, spool),
        .lease_ms = LEASE_MS,
        .stale_ms = STALE_MS,
        .segment_age_ms = AGE_MS,
        .segment_bytes = 1 << 20,
        .retention_ms = (int64_t)35 * 86400000,
        .trends_retention_ms = (int64_t)35 * 86400000,
        .retry_ms = place_retry_ms,
        .compression_level = 1,
        .group_max = 3,
        .held_max = 1000,
        .segments_max = 12,
    };
    struct consumer *consumer;
    struct error err;
    assert_int_equal(consumer_new(&options, &consumer, &err), CODE_OK);
    return consumer;
}

/* --- batches --- */

struct made_event {
    int64_t time_ms;
    int32_t kind, status;
    const char *query;
    const char *actor;
    uint32_t result_count;
};

static inline void add_timestamp(struct buf *out, uint32_t number, int64_t seconds)
{
    struct buf inner;
    buf_init(&inner, 64);
    if (seconds) {
        wire_add_varint(&inner, 1 << 3);
        wire_add_varint(&inner, (uint64_t)seconds);
    }
    wire_add_varint(out, number << 3 | WIRE_BYTES);
    wire_add_bytes(out, buf_str(&inner));
    buf_clear(&inner);
}

static inline void add_event(struct buf *out, const struct made_event *made)
{
    omnidata_event_v1_Event event = omnidata_event_v1_Event_init_zero;
    struct buf bytes;
    buf_init(&bytes, 4096);
    id_format(id_new(&FAKE), event.id);
    event.schema_version = 1;
    event.has_time = true;
    event.time.seconds = made->time_ms / 1000;
    event.time.nanos = (int32_t)(made->time_ms % 1000) * 1000000;
    event.kind = (omnidata_event_v1_EventKind)made->kind;
    event.status = made->status;
    event.result_count = made->result_count;
    snprintf(event.query, sizeof event.query, "%s", made->query ? made->query : "");
    snprintf(event.actor, sizeof event.actor, "%s", made->actor ? made->actor : "");
    assert_true(nano_encode(&bytes, omnidata_event_v1_Event_fields, &event));
    wire_add_varint(out, 4 << 3 | WIRE_BYTES);
    wire_add_bytes(out, buf_str(&bytes));
    buf_clear(&bytes);
}

static inline void begin_batch(struct buf *out, struct id id, int64_t hour_s, uint64_t count)
{
    char text[ID_TEXT_BYTES + 1];
    id_format(id, text);
    wire_add_varint(out, 1 << 3 | WIRE_BYTES);
    wire_add_bytes(out, str_of(text));
    add_timestamp(out, 2, hour_s);
    wire_add_varint(out, 3 << 3);
    wire_add_varint(out, count);
}

static inline void add_raw_event(struct buf *out, const char *bytes)
{
    wire_add_varint(out, 4 << 3 | WIRE_BYTES);
    wire_add_bytes(out, str_of(bytes));
}

static inline void send_bytes(struct place *p, struct id id, struct str body, uint64_t units)
{
    char text[ID_TEXT_BYTES + 1];
    struct error err;
    id_format(id, text);
    struct queue_item item = {str_of(text), body, units};
    assert_int_equal(p->queue->vtable->send(p->queue, &item, 1, &err), CODE_OK);
}

/* --- what the archive holds --- */

struct line {
    char *text;
    char key[LEDGER_KEY_BYTES];
};

struct lines {
    struct line *items;
    size_t count, room;
    size_t objects, tombstones;
    const struct place *place;
};

static inline char *decompress(const struct place *p, const char *key, size_t *length)
{
    char path[256];
    snprintf(path, sizeof path, "%s/archive/%s", p->directory, key);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    static char packed[1 << 20];
    size_t size = fread(packed, 1, sizeof packed, file);
    fclose(file);
    size_t room = 1 << 20;
    char *text = xmalloc(room);
    ZSTD_DCtx *context = ZSTD_createDCtx();
    ZSTD_inBuffer in = {packed, size, 0};
    ZSTD_outBuffer out = {text, room, 0};
    while (in.pos < in.size)
        assert_false(ZSTD_isError(ZSTD_decompressStream(context, &out, &in)));
    ZSTD_freeDCtx(context);
    *length = out.pos;
    return text;
}

static inline void add_object_lines(void *argument, struct str key, uint64_t size_bytes)
{
    struct lines *lines = argument;
    char name[LEDGER_KEY_BYTES];
    size_t length;
    (void)size_bytes;
    snprintf(name, sizeof name, "%.*s", STR_ARG(key));
    char *text = decompress(lines->place, name, &length);
    struct str rest = {text, length}, piece;
    lines->objects++;
    if (!length)
        lines->tombstones++;
    else
        assert_int_equal(text[length - 1], '\n');
    while (rest.len && str_next(&rest, '\n', &piece)) {
        if (lines->count == lines->room) {
            lines->room = lines->room ? lines->room * 2 : 64;
            lines->items = xrealloc(lines->items, lines->room * sizeof *lines->items);
        }
        struct line *line = &lines->items[lines->count++];
        line->text = xmalloc(piece.len + 1);
        memcpy(line->text, piece.ptr, piece.len);
        line->text[piece.len] = '\0';
        snprintf(line->key, sizeof line->key, "%s", name);
    }
    xfree(text);
}

static inline struct lines read_archive(const struct place *p, const char *folder)
{
    struct lines lines = {.place = p};
    struct error err;
    assert_int_equal(
        p->archive->vtable->list(p->archive, str_of(folder), add_object_lines, &lines, &err),
        CODE_OK);
    return lines;
}

static inline void free_lines(struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        xfree(lines->items[i].text);
    xfree(lines->items);
}

static inline size_t count_lines_with(const struct lines *lines, const char *part)
{
    size_t count = 0;
    for (size_t i = 0; i < lines->count; i++)
        count += strstr(lines->items[i].text, part) != NULL;
    return count;
}
