/*
 * The ledger as a port: which intent holds which part of which batch, what every intent has come
 * to, and the totals. It is the memory by which everything is archived and counted exactly once;
 * every function is one conditional step, which a key-value store with conditional writes and small
 * transactions can take as well (DynamoDB). Implementations: ledger_sqlite.c. All functions are
 * thread-safe.
 *
 * The life of an intent, an object to be:
 *
 *     OPEN ──seal──▶ SEALED ──(the object is there)──▶ ARCHIVED
 *       └──────────────┴──(its tombstone is there)───▶ ABORTED
 *
 * After any error a step may or may not have been taken; every step may be repeated.
 */
#pragma once
#include "analytics/batch.h"
#include "analytics/rollup.h"
#include "base/arena.h"
#include "base/error.h"
#include "crypto/crypto.h"

enum { LEDGER_KEY_BYTES = 128, LEDGER_MEMBERS_MAX = 10000 };

enum ledger_state { LEDGER_OPEN, LEDGER_SEALED, LEDGER_ARCHIVED, LEDGER_ABORTED };

struct ledger_intent {
    struct id id, consumer;
    enum batch_part_kind kind;
    char key[LEDGER_KEY_BYTES]; /* of the object */
    enum ledger_state state;
    uint8_t digest[CRYPTO_SHA256_BYTES]; /* from SEALED on */
    int64_t seen_ms;                     /* when its consumer last gave a sign of life; 0: never */
};

struct ledger_claim {
    struct part_id part;
    struct id intent;
    struct str delta; /* encoded */
    struct id holder; /* out: who holds the part now */
    bool fresh;       /* out: nobody had claimed it before; its delta is counted from now on */
};

/* How many events of an hour an object holds. */
struct ledger_hour {
    int64_t hour_s;
    uint64_t events;
};

struct ledger_seal {
    const struct part_id *members;
    size_t member_count;
    const struct ledger_hour *hours;
    size_t hour_count;
    const uint8_t *digest;
};

struct ledger_status {
    uint64_t claimed, archived, quarantined, duplicates, objects;
};

struct ledger_pipeline_hour {
    int64_t hour_s;
    uint64_t archived, quarantined;
};

typedef void (*ledger_count_fn)(void *argument, const struct rollup_count *count);
typedef void (*ledger_hour_fn)(void *argument, const struct ledger_pipeline_hour *hour);

struct ledger {
    const struct ledger_vtable *vtable;
};

struct ledger_vtable {
    /* Records an open intent: id, consumer, kind, key. */
    enum code (*begin)(struct ledger *ledger, const struct ledger_intent *intent,
                       struct error *err);
    /* Claims each part that nobody holds, with its delta. */
    enum code (*claim)(struct ledger *ledger, struct ledger_claim *claims, size_t count,
                       struct error *err);
    /* Moves a claim; *stolen is false when `from` did not hold it. */
    enum code (*steal)(struct ledger *ledger, struct part_id part, struct id from, struct id to,
                       bool *stolen, struct error *err);
    /* OPEN to SEALED; OK as well when it was sealed with the same digest before. ABORTED
     * (INTENT_LOST) when it is in any other state. */
    enum code (*seal)(struct ledger *ledger, struct id intent, const struct ledger_seal *seal,
                      struct error *err);
    /* SEALED to ARCHIVED, adding its hours to the totals; or OPEN or SEALED to ABORTED. Harmless
     * when the intent is there already; FAILED_PRECONDITION from the wrong state. */
    enum code (*finish)(struct ledger *ledger, struct id intent, enum ledger_state state,
                        struct error *err);
    /* NOT_FOUND */
    enum code (*get)(struct ledger *ledger, struct id intent, struct ledger_intent *found,
                     struct error *err);
    /* Whether the part is a member of the sealed intent. */
    enum code (*holds)(struct ledger *ledger, struct id intent, struct part_id part, bool *held,
                       struct error *err);
    /* Up to `max` OPEN or SEALED intents of other consumers that were last seen before. */
    enum code (*stale)(struct ledger *ledger, struct id consumer, int64_t before_ms,
                       struct id *intents, size_t max, size_t *count, struct error *err);
    /* The consumer's sign of life. */
    enum code (*beat)(struct ledger *ledger, struct id consumer, int64_t now_ms, struct error *err);
    /* Adds up to `max` deltas to the totals; *folded: how many. */
    enum code (*fold)(struct ledger *ledger, size_t max, size_t *folded, struct error *err);
    /* Batches that came again after they were archived. */
    enum code (*count_duplicates)(struct ledger *ledger, uint64_t batches, struct error *err);
    /* Forgets claims of batches made before, finished intents from before, consumers not seen
     * since, and minutes and search texts before `trends_before_s`. A bounded piece of work. */
    enum code (*purge)(struct ledger *ledger, int64_t before_ms, int64_t trends_before_s,
                       struct error *err);

    /* Counts of points [start, end) of the granularity's width (ROLLUP_MINUTE_S, …), in order of
     * time. */
    enum code (*counts)(struct ledger *ledger, int64_t width_s, int64_t start_s, int64_t end_s,
                        ledger_count_fn each, void *argument, struct error *err);
    /* Adds the texts of the hours [start, end) to `into`. */
    enum code (*texts)(struct ledger *ledger, enum rollup_class class, int64_t start_s,
                       int64_t end_s, struct sketch *into, struct error *err);
    /* Per hour [start, end), in order. */
    enum code (*hours)(struct ledger *ledger, int64_t start_s, int64_t end_s, ledger_hour_fn each,
                       void *argument, struct error *err);
    enum code (*status)(struct ledger *ledger, struct ledger_status *status, struct error *err);
    void (*free)(struct ledger *ledger);
};

static inline void ledger_free(struct ledger *ledger)
{
    if (ledger)
        ledger->vtable->free(ledger);
}
