/*
 * Other people's claims. The archive decides, not the ledger: a tombstone is created at the key of
 * the intent. Only one object can ever be there, so either the tombstone is there and the intent's
 * own object never will be, or that object is there and the sealed list tells what is in it.
 */
#include "analytics/consumer_parts.h"

#include "base/log.h"

#include <string.h>

static enum code finish_intent(struct consumer *c, struct ledger_intent *intent,
                               enum ledger_state state, struct error *err)
{
    struct ledger *ledger = c->options.ledger;
    enum code code = ledger->vtable->finish(ledger, intent->id, state, err);
    if (code != CODE_OK && code != CODE_FAILED_PRECONDITION)
        return code;
    return ledger->vtable->get(ledger, intent->id, intent, err);
}

/* The key is taken: by a tombstone that was there before, or by the intent's object. */
static enum code judge_object(struct consumer *c, struct ledger_intent *intent,
                              const uint8_t *tombstone, struct error *err)
{
    struct archive *archive = c->options.archive;
    struct ledger *ledger = c->options.ledger;
    struct archive_object object;
    if (archive->vtable->stat(archive, str_of(intent->key), &object, err) != CODE_OK)
        return err->code;
    if (memcmp(object.digest, tombstone, sizeof object.digest) == 0)
        return finish_intent(c, intent, LEDGER_ABORTED, err);
    /* It was sealed before it was created, perhaps after we looked. */
    if (ledger->vtable->get(ledger, intent->id, intent, err) != CODE_OK)
        return err->code;
    if (intent->state == LEDGER_SEALED &&
        memcmp(object.digest, intent->digest, sizeof object.digest) == 0)
        return finish_intent(c, intent, LEDGER_ARCHIVED, err);
    if (intent->state == LEDGER_ARCHIVED || intent->state == LEDGER_ABORTED)
        return CODE_OK;
    /* Somebody put something else there: the intent's own object cannot land any more. */
    log_error("foreign_object", LOG_C("key", intent->key));
    return finish_intent(c, intent, LEDGER_ABORTED, err);
}

enum code settle_intent(struct consumer *c, struct ledger_intent *intent, struct error *err)
{
    struct archive *archive = c->options.archive;
    struct archive_source tombstone = {.fd = -1, .bytes = spool_empty_frame()};
    tombstone.size_bytes = tombstone.bytes.len;
    crypto_sha256(tombstone.bytes, tombstone.digest);
    enum code code = archive->vtable->create(archive, str_of(intent->key), &tombstone, err);
    if (code == CODE_OK)
        code = finish_intent(c, intent, LEDGER_ABORTED, err);
    else if (code == CODE_ALREADY_EXISTS)
        code = judge_object(c, intent, tombstone.digest, err);
    if (code == CODE_OK && intent->state != LEDGER_ARCHIVED && intent->state != LEDGER_ABORTED)
        code = error_set(err, CODE_ABORTED, "INTENT_MOVED", "the intent changed meanwhile");
    if (code == CODE_OK)
        log_info("intent_settled", LOG_C("key", intent->key),
                 LOG_B("archived", intent->state == LEDGER_ARCHIVED));
    return code;
}

/* How long until the owner, if nothing is heard of it, is taken for dead. */
static int64_t life_left_ms(const struct consumer *c, const struct ledger_intent *intent)
{
    if (memcmp(&intent->consumer, &c->id, sizeof c->id) == 0)
        return 0;
    int64_t left_ms = intent->seen_ms + c->options.stale_ms - clock_wall_ms(c->options.clock);
    return left_ms < c->options.stale_ms ? left_ms : c->options.stale_ms;
}

static enum settled failed(struct consumer *c, const struct error *err)
{
    consumer_pause(c, "settle_failed", err);
    return SETTLED_LATER;
}

enum settled settle_claim(struct consumer *c, struct part_id part, struct id holder,
                          enum batch_part_kind folder, int64_t *wait_ms)
{
    struct ledger *ledger = c->options.ledger;
    struct ledger_intent intent;
    struct error err;
    bool held = false;
    *wait_ms = c->options.retry_ms;
    if (ledger->vtable->get(ledger, holder, &intent, &err) != CODE_OK)
        return failed(c, &err);
    if (intent.state == LEDGER_OPEN || intent.state == LEDGER_SEALED) {
        int64_t left_ms = life_left_ms(c, &intent);
        *wait_ms += left_ms > 0 ? left_ms : 0;
        if (left_ms > 0)
            return SETTLED_LATER;
        if (settle_intent(c, &intent, &err) != CODE_OK)
            return failed(c, &err);
    }
    if (intent.state == LEDGER_ARCHIVED &&
        ledger->vtable->holds(ledger, holder, part, &held, &err) != CODE_OK)
        return failed(c, &err);
    if (held)
        return SETTLED_ARCHIVED;
    *wait_ms += c->options.stale_ms;
    return intent.kind == folder ? SETTLED_FREE : SETTLED_LATER;
}
