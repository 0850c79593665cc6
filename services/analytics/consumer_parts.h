/* What the files of the consumer share: consumer.c has the round, settle.c other people's claims,
 * finish.c the way from a full segment to acknowledged messages. */
#pragma once
#include "analytics/consumer.h"
#include "analytics/held.h"
#include "analytics/segment.h"

#include <stdbool.h>

enum { CONSUMER_SEGMENTS_MAX = 32, CONSUMER_GROUP_MAX = 32 };

struct consumer {
    struct consumer_options options;
    char *spool_dir; /* that the options point to */
    struct id id;
    struct held held;
    struct segment *segments[CONSUMER_SEGMENTS_MAX];
    size_t segment_count;
    int64_t paused_until_ms; /* monotonic: after a failure */
    int64_t recover_at_ms, purge_at_ms;
    bool fold_pending;
    struct arena arena;      /* of a round's messages */
    struct buf rows, deltas; /* of a round's batches */
};

/* The segment of this intent, or NULL. */
struct segment *consumer_segment(struct consumer *consumer, struct id intent);

/* Gives a segment up: its messages are released to come again after `delay_ms`. */
void consumer_give_up(struct consumer *consumer, struct segment *segment, int64_t delay_ms);

/* Releases a message, to come again after `delay_ms`. */
void consumer_release(struct consumer *consumer, struct id batch, int64_t delay_ms);

/* Logs a failure and pauses taking messages. */
void consumer_pause(struct consumer *consumer, const char *event, const struct error *err);

/* Takes every segment that is not open as far as it goes. False when one is stuck. */
bool finish_segments(struct consumer *consumer);

/* Closes a segment and takes it as far as it goes. */
void finish_segment(struct consumer *consumer, struct segment *segment);

/* Deletes the messages of batches with nothing pending. */
enum code finish_acknowledge(struct consumer *consumer, const struct id *batches, size_t count,
                             struct error *err) MUST_CHECK;

enum settled {
    SETTLED_ARCHIVED, /* the part is in an object */
    SETTLED_FREE,     /* its holder will never archive it: the claim may be taken over */
    SETTLED_LATER,    /* not known yet */
};

/*
 * What became of a part that somebody else's intent, or a former one of ours, holds. It is free for
 * objects of the same folder only: a batch and the word that it is lost do not take claims from
 * each other, since the claim's delta is the one's or the other's. Whichever has claimed first
 * comes again until it is archived.
 *
 * With SETTLED_LATER *wait_ms says when to look again: not before the holder can have died, since
 * each look is a receipt, and a message with many receipts goes to the dead letters.
 */
enum settled settle_claim(struct consumer *consumer, struct part_id part, struct id holder,
                          enum batch_part_kind folder, int64_t *wait_ms);

/* Brings an unfinished intent to ARCHIVED or ABORTED; updates *intent. */
enum code settle_intent(struct consumer *consumer, struct ledger_intent *intent,
                        struct error *err) MUST_CHECK;
