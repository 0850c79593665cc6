/*
 * One message of the queue as what it brings: up to three parts, each of which is claimed, archived
 * and acknowledged by itself. The rows of a part go to one object, under one hour.
 *
 *   PART_EVENTS    a row per event                      events/v1/dt=…/hour=…/
 *   PART_SEARCHES  the texts of its searches, kept      searches/v1/dt=…/hour=…/
 *                  apart for their own retention
 *   PART_ERRORS    what could not be read, raw          errors/v1/dt=…/hour=…/
 *
 * A batch that says that its events are lost has PART_EVENTS as the one with the events has, so
 * that only one of the two is ever counted, but as a row that goes to errors/.
 *
 * The hour is the batch's own, so that late batches land where they belong. Only a batch whose hour
 * is out of range (more than 7 days before or 5 minutes after it was sent) goes to the hour in
 * which it was sent. An event whose time is out of that range, or not in the hour, gets the time of
 * sending, moved into the hour; what the producer said is kept beside it.
 *
 * Everything here depends on the message's bytes and its time of sending only, never on now:
 * reading it again, by whomever, gives the same.
 */
#pragma once
#include "analytics/event.h"
#include "analytics/row.h"
#include "base/buf.h"
#include "queue/queue.h"

enum batch_part_kind { PART_EVENTS, PART_SEARCHES, PART_ERRORS, PART_KINDS };

/* What is claimed: a batch's part. 16 bytes of the batch's id and the kind, in order of time. */
struct part_id {
    uint8_t bytes[17];
};

static inline struct part_id part_id_of(struct id batch, enum batch_part_kind kind)
{
    struct part_id part;
    __builtin_memcpy(part.bytes, batch.bytes, sizeof batch.bytes);
    part.bytes[16] = (uint8_t)kind;
    return part;
}

struct batch_part {
    size_t row_start, row_bytes;     /* in the buffer of rows */
    size_t delta_start, delta_bytes; /* in the buffer of deltas */
    uint64_t events;                 /* that the part stands for; 0: there is no such part */
    enum batch_part_kind folder;     /* whose objects its rows go to: mostly its own kind's */
};

struct batch {
    struct id id;
    int64_t hour_s;      /* that the events are counted under: the producer's */
    int64_t partition_s; /* the hour in the keys */
    int64_t sent_ms;
    struct batch_part parts[PART_KINDS];
};

/*
 * Reads a message; rows and deltas are appended to the buffers. Never fails: what cannot be read
 * becomes PART_ERRORS. Batches whose id is older, when sent, than `retention_ms` are errors as
 * well: the ledger may have forgotten that it saw them.
 */
void batch_read(const struct queue_message *message, int64_t retention_ms, struct buf *rows,
                struct buf *deltas, struct batch *batch);

/* The time that an event gets, and whether it is another than the producer's. */
bool batch_clamp(bool has_time, struct row_time *time, int64_t partition_s, int64_t sent_ms);
