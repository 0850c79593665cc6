/*
 * An object on its way: one intent, one spool file, the parts in it.
 *
 *     OPEN ──close──▶ CLOSED ──seal──▶ SEALED ──commit──▶ STORED ──mark──▶ MARKED ──ack──▶ (gone)
 *
 * Every arrow may fail and be tried again. A segment whose intent was lost to a tombstone, or whose
 * spool failed, is given up from wherever it is: its messages come again.
 */
#pragma once
#include "analytics/archive.h"
#include "analytics/ledger.h"
#include "analytics/spool.h"

enum segment_state {
    SEGMENT_OPEN,
    SEGMENT_CLOSED,
    SEGMENT_SEALED,
    SEGMENT_STORED,
    SEGMENT_MARKED,
};

enum { SEGMENT_HOURS_MAX = 64 };

struct segment {
    struct ledger_intent intent;
    enum segment_state state;
    int64_t partition_s, opened_ms; /* opened_ms: monotonic */
    struct spool *spool;
    struct part_id *members;
    size_t member_count, member_room;
    uint32_t *table; /* index + 1 into members; twice as many slots as room */
    struct ledger_hour hours[SEGMENT_HOURS_MAX];
    size_t hour_count;
};

/* Chooses id and key, and makes the spool file in `directory`. */
enum code segment_open(const char *directory, int compression_level, struct id consumer,
                       enum batch_part_kind kind, int64_t partition_s, const struct clock *clock,
                       struct segment **segment, struct error *err) MUST_CHECK;
void segment_free(struct segment *segment);

bool segment_has(const struct segment *segment, struct part_id part);

/* Adds a part with its rows; after an error the segment is to be given up. */
enum code segment_add(struct segment *segment, struct part_id part, struct str rows, int64_t hour_s,
                      uint64_t events, struct error *err) MUST_CHECK;

/* To the next state; `state` must be that. */
void segment_move(struct segment *segment, enum segment_state state);

/* OPEN to CLOSED. After an error the segment is to be given up. */
enum code segment_close(struct segment *segment, struct error *err) MUST_CHECK;

/* CLOSED to SEALED; errors as the ledger's seal. */
enum code segment_seal(struct segment *segment, struct ledger *ledger,
                       struct error *err) MUST_CHECK;

/* SEALED to STORED. ABORTED when something else lies at the key: the segment is to be given up. */
enum code segment_commit(struct segment *segment, struct archive *archive,
                         struct error *err) MUST_CHECK;
