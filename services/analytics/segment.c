/* Keys are Hive partitions, so that Athena and DuckDB find an hour without listing all. */
#include "analytics/segment.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/time_text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { MEMBERS_FIRST = 64, PATH_BYTES = 4096 };

static void make_key(struct ledger_intent *intent, int64_t partition_s)
{
    static const char *const FOLDERS[PART_KINDS] = {"events", "searches", "errors"};
    struct time_utc t = time_utc_of(partition_s);
    char id[ID_TEXT_BYTES + 1];
    id_format(intent->id, id);
    snprintf(intent->key, sizeof intent->key, "%s/v1/dt=%04d-%02d-%02d/hour=%02d/%s.ndjson.zst",
             FOLDERS[intent->kind], t.year, t.month, t.day, t.hour, id);
}

enum code segment_open(const char *directory, int compression_level, struct id consumer,
                       enum batch_part_kind kind, int64_t partition_s, const struct clock *clock,
                       struct segment **segment, struct error *err)
{
    struct segment *s = xcalloc(1, sizeof *s);
    char path[PATH_BYTES], id[ID_TEXT_BYTES + 1];
    s->intent = (struct ledger_intent){.id = id_new(clock), .consumer = consumer, .kind = kind};
    s->partition_s = partition_s;
    s->opened_ms = clock_mono_ms(clock);
    make_key(&s->intent, partition_s);
    id_format(s->intent.id, id);
    snprintf(path, sizeof path, "%s/%s", directory, id);
    if (spool_open(path, compression_level, &s->spool, err) != CODE_OK) {
        xfree(s);
        return err->code;
    }
    *segment = s;
    return CODE_OK;
}

void segment_free(struct segment *segment)
{
    spool_free(segment->spool);
    xfree(segment->members);
    xfree(segment->table);
    xfree(segment);
}

static uint32_t *slot_of(const struct segment *segment, struct part_id part)
{
    size_t mask = segment->member_room * 2 - 1;
    uint64_t hash;
    memcpy(&hash, part.bytes + 8, sizeof hash);
    hash = (hash ^ part.bytes[16]) * 0x9E3779B97F4A7C15u;
    size_t at = (size_t)(hash >> 32) & mask;
    while (segment->table[at] &&
           memcmp(&segment->members[segment->table[at] - 1], &part, sizeof part) != 0)
        at = (at + 1) & mask;
    return &segment->table[at];
}

bool segment_has(const struct segment *segment, struct part_id part)
{
    return segment->member_room && *slot_of(segment, part);
}

static void add_member(struct segment *segment, struct part_id part)
{
    if (segment->member_count == segment->member_room) {
        segment->member_room = segment->member_room ? segment->member_room * 2 : MEMBERS_FIRST;
        segment->members =
            xrealloc(segment->members, segment->member_room * sizeof *segment->members);
        xfree(segment->table);
        segment->table = xcalloc(segment->member_room * 2, sizeof *segment->table);
        for (size_t i = 0; i < segment->member_count; i++)
            *slot_of(segment, segment->members[i]) = (uint32_t)i + 1;
    }
    uint32_t *slot = slot_of(segment, part);
    segment->members[segment->member_count++] = part;
    *slot = (uint32_t)segment->member_count;
}

static struct ledger_hour *hour_of(struct segment *segment, int64_t hour_s)
{
    for (size_t i = 0; i < segment->hour_count; i++)
        if (segment->hours[i].hour_s == hour_s)
            return &segment->hours[i];
    if (segment->hour_count == SEGMENT_HOURS_MAX)
        return NULL;
    segment->hours[segment->hour_count] = (struct ledger_hour){hour_s, 0};
    return &segment->hours[segment->hour_count++];
}

enum code segment_add(struct segment *segment, struct part_id part, struct str rows, int64_t hour_s,
                      uint64_t events, struct error *err)
{
    struct ledger_hour *hour = hour_of(segment, hour_s);
    if (!hour)
        return error_set(err, CODE_INTERNAL, "SEGMENT_HOURS", "a segment of too many hours");
    if (spool_add(segment->spool, rows, err) != CODE_OK)
        return err->code;
    add_member(segment, part);
    hour->events += events;
    return CODE_OK;
}

void segment_move(struct segment *segment, enum segment_state state)
{
    assert(state == segment->state + 1);
    segment->state = state;
}

enum code segment_close(struct segment *segment, struct error *err)
{
    if (spool_finish(segment->spool, err) != CODE_OK)
        return err->code;
    segment_move(segment, SEGMENT_CLOSED);
    return CODE_OK;
}

enum code segment_seal(struct segment *segment, struct ledger *ledger, struct error *err)
{
    struct ledger_seal seal = {
        .members = segment->members,
        .member_count = segment->member_count,
        .hours = segment->hours,
        .hour_count = segment->hour_count,
        .digest = spool_digest(segment->spool),
    };
    if (ledger->vtable->seal(ledger, segment->intent.id, &seal, err) != CODE_OK)
        return err->code;
    segment_move(segment, SEGMENT_SEALED);
    return CODE_OK;
}

/* The key is taken: by our own object, whose reply was lost, or by a tombstone. */
static enum code look_at_taken_key(struct segment *segment, struct archive *archive,
                                   struct error *err)
{
    struct archive_object object;
    uint8_t empty[CRYPTO_SHA256_BYTES];
    if (archive->vtable->stat(archive, str_of(segment->intent.key), &object, err) != CODE_OK) {
        if (err->code == CODE_NOT_FOUND)
            err->code = CODE_UNAVAILABLE; /* taken and not there: not settled yet */
        return err->code;
    }
    if (memcmp(object.digest, spool_digest(segment->spool), sizeof object.digest) == 0) {
        segment_move(segment, SEGMENT_STORED);
        return CODE_OK;
    }
    crypto_sha256(spool_empty_frame(), empty);
    if (memcmp(object.digest, empty, sizeof empty) != 0)
        log_error("foreign_object", LOG_C("key", segment->intent.key));
    return error_set(err, CODE_ABORTED, "INTENT_LOST", "archive: %s is another object",
                     segment->intent.key);
}

enum code segment_commit(struct segment *segment, struct archive *archive, struct error *err)
{
    struct archive_source source = {.fd = spool_fd(segment->spool),
                                    .size_bytes = spool_size_bytes(segment->spool)};
    memcpy(source.digest, spool_digest(segment->spool), sizeof source.digest);
    enum code code = archive->vtable->create(archive, str_of(segment->intent.key), &source, err);
    if (code == CODE_ALREADY_EXISTS)
        return look_at_taken_key(segment, archive, err);
    if (code == CODE_OK)
        segment_move(segment, SEGMENT_STORED);
    return code;
}
