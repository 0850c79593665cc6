/*
 * From a full segment to acknowledged messages. Each step is tried until it succeeds or the intent
 * turns out to be lost; messages are deleted last, when nothing can go wrong with their rows any
 * more.
 */
#include "analytics/consumer_parts.h"

#include "base/alloc.h"
#include "base/log.h"

#include <string.h>

void consumer_release(struct consumer *c, struct id batch, int64_t delay_ms)
{
    struct queue *queue = c->options.queue;
    struct error ignored; /* what cannot be released comes again when its lease ends */
    char *handle = held_handle(&c->held, batch, true);
    if (handle)
        (void)!queue->vtable->extend(queue, str_of(handle), delay_ms, &ignored);
    xfree(handle);
}

static struct id batch_of(struct part_id part)
{
    struct id batch;
    memcpy(batch.bytes, part.bytes, sizeof batch.bytes);
    return batch;
}

static void forget(struct consumer *c, struct segment *segment)
{
    for (size_t i = 0; i < c->segment_count; i++) {
        if (c->segments[i] != segment)
            continue;
        c->segments[i] = c->segments[--c->segment_count];
        break;
    }
    segment_free(segment);
}

/* While a segment is open no object was ever asked for: that it never will be needs no tombstone.
 */
static enum code abort_open(struct consumer *c, const struct segment *segment, struct error *err)
{
    struct ledger *ledger = c->options.ledger;
    return ledger->vtable->finish(ledger, segment->intent.id, LEDGER_ABORTED, err);
}

void consumer_give_up(struct consumer *c, struct segment *segment, int64_t delay_ms)
{
    struct error ignored; /* whoever meets the intent later settles it */
    if (segment->state == SEGMENT_OPEN)
        (void)!abort_open(c, segment, &ignored);
    log_warn("segment_given_up", LOG_C("key", segment->intent.key),
             LOG_I("batches", segment->member_count));
    for (size_t i = 0; i < segment->member_count; i++)
        consumer_release(c, batch_of(segment->members[i]), delay_ms);
    forget(c, segment);
}

enum code finish_acknowledge(struct consumer *c, const struct id *batches, size_t count,
                             struct error *err)
{
    struct queue *queue = c->options.queue;
    struct str *handles = xcalloc(count + 1, sizeof *handles);
    size_t done = 0;
    for (size_t i = 0; i < count; i++) {
        char *handle =
            held_pending(&c->held, batches[i]) ? NULL : held_handle(&c->held, batches[i], false);
        if (handle)
            handles[done++] = str_of(handle);
    }
    enum code code = done ? queue->vtable->remove(queue, handles, done, err) : CODE_OK;
    for (size_t i = 0; i < done; i++)
        xfree((char *)handles[i].ptr);
    for (size_t i = 0; code == CODE_OK && i < count; i++)
        if (!held_pending(&c->held, batches[i]))
            xfree(held_handle(&c->held, batches[i], true));
    xfree(handles);
    return code;
}

static enum code acknowledge(struct consumer *c, const struct segment *segment, struct error *err)
{
    struct id *batches = xcalloc(segment->member_count + 1, sizeof *batches);
    size_t count = 0;
    for (size_t i = 0; i < segment->member_count; i++) {
        struct id batch = batch_of(segment->members[i]);
        enum batch_part_kind kind = (enum batch_part_kind)segment->members[i].bytes[16];
        if (held_settle(&c->held, batch, kind, NULL))
            batches[count++] = batch;
    }
    enum code code = finish_acknowledge(c, batches, count, err);
    xfree(batches);
    return code;
}

static enum code mark(struct consumer *c, struct segment *segment, struct error *err)
{
    struct ledger *ledger = c->options.ledger;
    enum code code = ledger->vtable->finish(ledger, segment->intent.id, LEDGER_ARCHIVED, err);
    if (code == CODE_OK)
        segment_move(segment, SEGMENT_MARKED);
    return code;
}

static enum code next_step(struct consumer *c, struct segment *segment, struct error *err)
{
    switch (segment->state) {
    case SEGMENT_OPEN:
        return segment_close(segment, err);
    case SEGMENT_CLOSED:
        return segment_seal(segment, c->options.ledger, err);
    case SEGMENT_SEALED:
        return segment_commit(segment, c->options.archive, err);
    case SEGMENT_STORED:
        return mark(c, segment, err);
    case SEGMENT_MARKED:
        break;
    }
    return acknowledge(c, segment, err);
}

/* No use in trying again: the spool is broken, or the intent belongs to a tombstone. */
static bool is_final(enum segment_state state, enum code code)
{
    return state == SEGMENT_OPEN || code == CODE_ABORTED || code == CODE_DATA_LOSS ||
           code == CODE_FAILED_PRECONDITION || (state == SEGMENT_CLOSED && code == CODE_NOT_FOUND);
}

/* Everything that was meant for it turned out to be archived. */
static void drop_empty(struct consumer *c, struct segment *segment)
{
    struct error err;
    if (abort_open(c, segment, &err) != CODE_OK)
        consumer_pause(c, "abort_failed", &err);
    forget(c, segment);
}

void finish_segment(struct consumer *c, struct segment *segment)
{
    struct error err;
    if (segment->state == SEGMENT_OPEN && !segment->member_count) {
        drop_empty(c, segment);
        return;
    }
    for (;;) {
        enum segment_state state = segment->state;
        enum code code = next_step(c, segment, &err);
        if (code == CODE_OK && state == SEGMENT_MARKED) {
            log_info("archived", LOG_C("key", segment->intent.key),
                     LOG_I("bytes", spool_size_bytes(segment->spool)),
                     LOG_I("batches", segment->member_count));
            forget(c, segment);
            return;
        }
        if (code == CODE_OK)
            continue;
        consumer_pause(c, "archive_failed", &err);
        if (is_final(state, code))
            consumer_give_up(c, segment, code == CODE_ABORTED ? 0 : c->options.retry_ms);
        return;
    }
}

bool finish_segments(struct consumer *c)
{
    size_t stuck = 0;
    for (size_t i = c->segment_count; i-- > 0;) {
        struct segment *segment = c->segments[i];
        size_t before = c->segment_count;
        if (segment->state == SEGMENT_OPEN)
            continue;
        finish_segment(c, segment);
        stuck += c->segment_count == before;
    }
    return stuck == 0;
}
