/*
 * The round: finish what is due, take messages, read them, claim, spool, fold. Reading comes before
 * claiming because the claim carries what the batch adds to the trends.
 *
 * Backpressure: while an object cannot be finished (a full disk, an archive that does not answer)
 * no messages are taken; they wait in the queue, which is durable and has a maximum.
 */
#include "analytics/consumer_parts.h"

#include "base/alloc.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    ROWS_BYTES_MAX = 1 << 30,
    FOLD_MAX = 256,
    RECOVER_MAX = 64,
    PURGE_EVERY_MS = 60 * 60 * 1000,
    DRAIN_POLL_MS = 50,
};

static const int64_t PURGE_SLACK_MS = (int64_t)86400 * 1000;

/* --- life --- */

static enum code clear_spool(const char *path, struct error *err)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return error_errno(err, CODE_FAILED_PRECONDITION, errno, "cannot make %s", path);
    DIR *directory = opendir(path);
    if (!directory || access(path, W_OK | X_OK) != 0) {
        error_errno(err, CODE_FAILED_PRECONDITION, errno, "cannot write %s", path);
        if (directory)
            closedir(directory);
        return err->code;
    }
    struct dirent *entry;
    while ((entry = readdir(directory)))
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(directory), entry->d_name, 0);
    closedir(directory);
    return CODE_OK;
}

enum code consumer_new(const struct consumer_options *options, struct consumer **consumer,
                       struct error *err)
{
    if (clear_spool(options->spool_dir, err) != CODE_OK)
        return err->code;
    struct consumer *c = xcalloc(1, sizeof *c);
    c->options = *options;
    c->spool_dir = xstrdup(options->spool_dir);
    c->options.spool_dir = c->spool_dir;
    if (c->options.group_max > CONSUMER_GROUP_MAX)
        c->options.group_max = CONSUMER_GROUP_MAX;
    if (c->options.segments_max > CONSUMER_SEGMENTS_MAX)
        c->options.segments_max = CONSUMER_SEGMENTS_MAX;
    c->id = id_new(options->clock);
    held_init(&c->held);
    arena_init(&c->arena);
    buf_init(&c->rows, ROWS_BYTES_MAX);
    buf_init(&c->deltas, ROWS_BYTES_MAX);
    c->fold_pending = true;
    c->recover_at_ms = clock_mono_ms(options->clock) + options->stale_ms;
    *consumer = c;
    return CODE_OK;
}

void consumer_free(struct consumer *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->segment_count; i++)
        segment_free(c->segments[i]);
    held_clear(&c->held);
    arena_clear(&c->arena);
    buf_clear(&c->rows);
    buf_clear(&c->deltas);
    xfree(c->spool_dir);
    xfree(c);
}

size_t consumer_segment_count(const struct consumer *c)
{
    return c->segment_count;
}

void consumer_pause(struct consumer *c, const char *event, const struct error *err)
{
    log_warn(event, LOG_ERR(err));
    c->paused_until_ms = clock_mono_ms(c->options.clock) + c->options.retry_ms;
}

void consumer_heartbeat(struct consumer *c)
{
    struct ledger *ledger = c->options.ledger;
    struct error err;
    if (held_extend(&c->held, c->options.queue, c->options.lease_ms, &err) != CODE_OK)
        log_warn("heartbeat_failed", LOG_ERR(&err));
    if (ledger->vtable->beat(ledger, c->id, clock_wall_ms(c->options.clock), &err) != CODE_OK)
        log_warn("heartbeat_failed", LOG_ERR(&err));
}

/* --- segments --- */

struct segment *consumer_segment(struct consumer *c, struct id intent)
{
    for (size_t i = 0; i < c->segment_count; i++)
        if (memcmp(&c->segments[i]->intent.id, &intent, sizeof intent) == 0)
            return c->segments[i];
    return NULL;
}

static struct segment *oldest_open(struct consumer *c)
{
    struct segment *oldest = NULL;
    for (size_t i = 0; i < c->segment_count; i++) {
        struct segment *s = c->segments[i];
        if (s->state == SEGMENT_OPEN && (!oldest || s->opened_ms < oldest->opened_ms))
            oldest = s;
    }
    return oldest;
}

/* The open segment for rows of this kind and hour, begun in the ledger; NULL after a failure. */
static struct segment *segment_for(struct consumer *c, enum batch_part_kind kind,
                                   int64_t partition_s)
{
    struct ledger *ledger = c->options.ledger;
    struct segment *segment;
    struct error err;
    for (size_t i = 0; i < c->segment_count; i++) {
        segment = c->segments[i];
        if (segment->state == SEGMENT_OPEN && segment->intent.kind == kind &&
            segment->partition_s == partition_s)
            return segment;
    }
    if (c->segment_count >= CONSUMER_SEGMENTS_MAX)
        return NULL;
    if (segment_open(c->options.spool_dir, c->options.compression_level, c->id, kind, partition_s,
                     c->options.clock, &segment, &err) != CODE_OK) {
        consumer_pause(c, "spool_failed", &err);
        return NULL;
    }
    if (ledger->vtable->begin(ledger, &segment->intent, &err) != CODE_OK) {
        consumer_pause(c, "begin_failed", &err);
        segment_free(segment);
        return NULL;
    }
    c->segments[c->segment_count++] = segment;
    return segment;
}

static bool is_due(const struct consumer *c, const struct segment *s, int64_t now_ms)
{
    return s->state == SEGMENT_OPEN &&
           (now_ms - s->opened_ms >= c->options.segment_age_ms ||
            spool_size_bytes(s->spool) >= (uint64_t)c->options.segment_bytes ||
            s->member_count + CONSUMER_GROUP_MAX > LEDGER_MEMBERS_MAX ||
            s->hour_count + CONSUMER_GROUP_MAX > SEGMENT_HOURS_MAX);
}

static size_t open_count(const struct consumer *c)
{
    size_t count = 0;
    for (size_t i = 0; i < c->segment_count; i++)
        count += c->segments[i]->state == SEGMENT_OPEN;
    return count;
}

static void close_due(struct consumer *c)
{
    int64_t now_ms = clock_mono_ms(c->options.clock);
    for (size_t i = c->segment_count; i-- > 0;)
        if (i < c->segment_count && is_due(c, c->segments[i], now_ms))
            finish_segment(c, c->segments[i]);
    /* Parts without rows of their own kind open further ones while a group is read: leave room. */
    while (open_count(c) > c->options.segments_max ||
           (held_count(&c->held) > c->options.held_max && oldest_open(c)))
        finish_segment(c, oldest_open(c));
}

/* --- a group of messages --- */

struct group {
    struct queue_message messages[CONSUMER_GROUP_MAX];
    struct batch batches[CONSUMER_GROUP_MAX];
    bool refused[CONSUMER_GROUP_MAX]; /* released again before it was claimed */
    bool touched[CONSUMER_GROUP_MAX]; /* some part of it was not archived before */
    size_t count;
    struct ledger_claim claims[CONSUMER_GROUP_MAX * PART_KINDS];
    size_t owners[CONSUMER_GROUP_MAX * PART_KINDS]; /* the claim's batch */
    size_t claim_count;
};

static struct str part_of(const struct buf *buf, size_t start, size_t size_bytes)
{
    return (struct str){buf->ptr ? buf->ptr + start : "", size_bytes};
}

/* Chooses a segment for each part and lists the claims. */
static void prepare_batch(struct consumer *c, struct group *group, size_t index)
{
    const struct batch *batch = &group->batches[index];
    size_t first = group->claim_count;
    for (int kind = 0; kind < PART_KINDS; kind++) {
        const struct batch_part *part = &batch->parts[kind];
        struct segment *segment = NULL;
        if (!part->events)
            continue;
        segment = segment_for(c, part->folder, batch->partition_s);
        if (!segment) {
            group->claim_count = first;
            group->refused[index] = true;
            consumer_release(c, batch->id, c->options.retry_ms);
            return;
        }
        group->owners[group->claim_count] = index;
        group->claims[group->claim_count++] = (struct ledger_claim){
            .part = part_id_of(batch->id, (enum batch_part_kind)kind),
            .intent = segment->intent.id,
            .delta = part_of(&c->deltas, part->delta_start, part->delta_bytes),
        };
    }
}

static void read_group(struct consumer *c, struct group *group)
{
    buf_reset(&c->rows);
    buf_reset(&c->deltas);
    for (size_t i = 0; i < group->count; i++) {
        struct batch *batch = &group->batches[i];
        uint8_t pending = 0;
        batch_read(&group->messages[i], c->options.retention_ms, &c->rows, &c->deltas, batch);
        for (int kind = 0; kind < PART_KINDS; kind++)
            pending |= (uint8_t)(batch->parts[kind].events ? 1u << kind : 0);
        held_add(&c->held, batch->id, group->messages[i].handle, pending);
    }
    /* The buffers have stopped moving: claims may point into them. */
    for (size_t i = 0; i < group->count; i++)
        prepare_batch(c, group, i);
}

static void include(struct consumer *c, struct segment *segment, const struct batch *batch,
                    struct part_id part)
{
    const struct batch_part *content = &batch->parts[part.bytes[16]];
    struct error err;
    if (segment_add(segment, part, part_of(&c->rows, content->row_start, content->row_bytes),
                    batch->hour_s, content->events, &err) == CODE_OK)
        return;
    consumer_pause(c, "spool_failed", &err);
    consumer_release(c, batch->id, c->options.retry_ms);
    consumer_give_up(c, segment, c->options.retry_ms);
}

static void take_over(struct consumer *c, struct segment *segment, const struct batch *batch,
                      const struct ledger_claim *claim)
{
    struct ledger *ledger = c->options.ledger;
    struct error err;
    bool stolen = false;
    enum code code =
        ledger->vtable->steal(ledger, claim->part, claim->holder, claim->intent, &stolen, &err);
    if (code != CODE_OK)
        consumer_pause(c, "steal_failed", &err);
    if (stolen)
        include(c, segment, batch, claim->part);
    else
        consumer_release(c, batch->id, c->options.retry_ms);
}

/* Acts on what the ledger said of one part. */
static void act_on_claim(struct consumer *c, struct group *group, size_t index)
{
    const struct ledger_claim *claim = &group->claims[index];
    const struct batch *batch = &group->batches[group->owners[index]];
    struct segment *mine = consumer_segment(c, claim->intent);
    struct segment *holder = consumer_segment(c, claim->holder);
    if (holder && segment_has(holder, claim->part)) { /* we have it: a receipt that came again */
        group->touched[group->owners[index]] = true;
        return;
    }
    if (!mine || (holder && holder != mine)) { /* given up meanwhile, or under way without it */
        group->touched[group->owners[index]] = true;
        consumer_release(c, batch->id, c->options.retry_ms);
        return;
    }
    int64_t wait_ms = 0;
    enum settled settled = SETTLED_FREE;
    if (!holder)
        settled = settle_claim(c, claim->part, claim->holder, mine->intent.kind, &wait_ms);
    if (settled == SETTLED_ARCHIVED) {
        held_settle(&c->held, batch->id, (enum batch_part_kind)claim->part.bytes[16], NULL);
        return;
    }
    group->touched[group->owners[index]] = true;
    if (settled == SETTLED_LATER)
        consumer_release(c, batch->id, wait_ms);
    else if (holder)
        include(c, mine, batch, claim->part);
    else
        take_over(c, mine, batch, claim);
}

static void announce(const struct consumer *c, const struct group *group)
{
    for (size_t i = 0; i < group->claim_count; i++) {
        size_t owner = group->owners[i];
        if (c->options.fresh && group->claims[i].fresh &&
            group->claims[i].part.bytes[16] == PART_EVENTS)
            c->options.fresh(c->options.fresh_argument, &group->batches[owner],
                             group->messages[owner].body);
    }
}

/* Batches that turned out to be archived already, all of them: away with the messages. */
static void drop_duplicates(struct consumer *c, const struct group *group)
{
    struct ledger *ledger = c->options.ledger;
    struct id batches[CONSUMER_GROUP_MAX];
    struct error err;
    size_t count = 0;
    for (size_t i = 0; i < group->count; i++)
        if (!group->refused[i] && !group->touched[i])
            batches[count++] = group->batches[i].id;
    if (!count)
        return;
    if (finish_acknowledge(c, batches, count, &err) != CODE_OK ||
        ledger->vtable->count_duplicates(ledger, count, &err) != CODE_OK)
        consumer_pause(c, "duplicates_failed", &err);
}

static void process(struct consumer *c, struct group *group)
{
    struct ledger *ledger = c->options.ledger;
    struct error err;
    read_group(c, group);
    if (group->claim_count &&
        ledger->vtable->claim(ledger, group->claims, group->claim_count, &err) != CODE_OK) {
        consumer_pause(c, "claim_failed", &err);
        for (size_t i = 0; i < group->count; i++)
            consumer_release(c, group->batches[i].id, c->options.retry_ms);
        return;
    }
    c->fold_pending = true;
    announce(c, group);
    for (size_t i = 0; i < group->claim_count; i++)
        act_on_claim(c, group, i);
    drop_duplicates(c, group);
}

static void take_group(struct consumer *c, int64_t wait_ms)
{
    struct queue *queue = c->options.queue;
    struct group *group = xcalloc(1, sizeof *group);
    struct error err;
    arena_reset(&c->arena);
    if (queue->vtable->receive(queue, c->options.group_max, c->options.lease_ms, wait_ms, &c->arena,
                               group->messages, &group->count, &err) != CODE_OK)
        consumer_pause(c, "receive_failed", &err);
    else if (group->count)
        process(c, group);
    xfree(group);
}

/* --- the round --- */

static void fold(struct consumer *c)
{
    struct ledger *ledger = c->options.ledger;
    struct error err;
    size_t folded;
    if (!c->fold_pending)
        return;
    if (ledger->vtable->fold(ledger, FOLD_MAX, &folded, &err) != CODE_OK)
        consumer_pause(c, "fold_failed", &err);
    else
        c->fold_pending = folded == FOLD_MAX;
}

void consumer_recover(struct consumer *c, int64_t before_ms)
{
    struct ledger *ledger = c->options.ledger;
    struct id stale[RECOVER_MAX];
    struct ledger_intent intent;
    struct error err;
    size_t count, settled;
    do {
        settled = 0;
        if (ledger->vtable->stale(ledger, c->id, before_ms, stale, RECOVER_MAX, &count, &err) !=
            CODE_OK) {
            consumer_pause(c, "recover_failed", &err);
            return;
        }
        for (size_t i = 0; i < count; i++) {
            if (ledger->vtable->get(ledger, stale[i], &intent, &err) == CODE_OK &&
                settle_intent(c, &intent, &err) == CODE_OK)
                settled++;
            else
                consumer_pause(c, "recover_failed", &err);
        }
    } while (settled == RECOVER_MAX);
}

static void purge(struct consumer *c)
{
    struct ledger *ledger = c->options.ledger;
    struct queue *queue = c->options.queue;
    int64_t now_ms = clock_wall_ms(c->options.clock);
    struct queue_stats stats;
    struct error err;
    if (queue->vtable->stats(queue, &stats, &err) == CODE_OK) {
        /* A message that waits may be a duplicate of a batch as old, when it was sent, as the
         * retention: the ledger must remember that one. */
        int64_t oldest_ms = stats.since_ms && stats.since_ms < now_ms ? stats.since_ms : now_ms;
        if (ledger->vtable->purge(ledger, oldest_ms - c->options.retention_ms - PURGE_SLACK_MS,
                                  (now_ms - c->options.trends_retention_ms) / 1000,
                                  &err) == CODE_OK)
            return;
    }
    log_warn("purge_failed", LOG_ERR(&err));
}

static void look_after(struct consumer *c)
{
    int64_t now_ms = clock_mono_ms(c->options.clock);
    if (now_ms >= c->recover_at_ms) {
        c->recover_at_ms = now_ms + c->options.stale_ms;
        consumer_recover(c, clock_wall_ms(c->options.clock) - c->options.stale_ms);
    }
    if (now_ms >= c->purge_at_ms) {
        c->purge_at_ms = now_ms + PURGE_EVERY_MS;
        purge(c);
    }
}

/* No longer than until the next segment is due. */
static int64_t patience(struct consumer *c, int64_t wait_ms)
{
    const struct segment *oldest = oldest_open(c);
    if (oldest) {
        int64_t left_ms =
            oldest->opened_ms + c->options.segment_age_ms - clock_mono_ms(c->options.clock);
        wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
    }
    return c->fold_pending || wait_ms < 0 ? 0 : wait_ms;
}

int64_t consumer_step(struct consumer *c, int64_t wait_ms)
{
    int64_t pause_ms = c->paused_until_ms - clock_mono_ms(c->options.clock);
    if (pause_ms > 0)
        return pause_ms;
    look_after(c);
    if (finish_segments(c)) {
        close_due(c);
        if (c->paused_until_ms <= clock_mono_ms(c->options.clock))
            take_group(c, patience(c, wait_ms));
    }
    fold(c);
    pause_ms = c->paused_until_ms - clock_mono_ms(c->options.clock);
    return pause_ms > 0 ? pause_ms : 0;
}

bool consumer_drain(struct consumer *c, int64_t grace_ms)
{
    int64_t until_ms = clock_mono_ms(c->options.clock) + grace_ms;
    const struct timespec poll = {0, DRAIN_POLL_MS * 1000000L};
    for (;;) {
        for (size_t i = c->segment_count; i-- > 0;)
            if (i < c->segment_count)
                finish_segment(c, c->segments[i]);
        fold(c);
        if ((!c->segment_count && !c->fold_pending) || clock_mono_ms(c->options.clock) >= until_ms)
            break;
        nanosleep(&poll, NULL);
    }
    held_release_all(&c->held, c->options.queue);
    return c->segment_count == 0;
}
