/* Claims, intents and consumers; see ledger_dynamodb.h. */
#include "analytics/ledger_dynamodb_rows.h"

#include "analytics/ledger_pack.h"
#include "base/alloc.h"
#include "base/encode.h"

#include <string.h>

enum {
    SCHEMA_VERSION = 1,
    CALL_MS = 30 * 1000,
    CLAIMS_AT_ONCE = DYNAMODB_WRITE_MAX / 2,
    CLAIM_BYTES_MAX = 3 << 20, /* of a transaction, which may have 4 MiB */
    PAGE = 500,
    FINISH_ATTEMPTS = 4,
};

/* --- keys --- */

static struct str hex_of(struct arena *arena, const void *bytes, size_t size_bytes)
{
    struct buf text;
    buf_init_arena(&text, arena, 2 * size_bytes);
    encode_hex(&text, (struct str){bytes, size_bytes});
    return buf_str(&text);
}

static struct str id_text(struct arena *arena, struct id id)
{
    return hex_of(arena, id.bytes, sizeof id.bytes);
}

static bool read_id(struct str text, struct id *id)
{
    return text.len == 2 * sizeof id->bytes && decode_hex(text, id->bytes);
}

static struct str part_text(struct arena *arena, struct part_id part)
{
    return hex_of(arena, part.bytes, sizeof part.bytes);
}

static struct dynamodb_key claim_key(struct arena *arena, struct part_id part)
{
    return (struct dynamodb_key){
        str_of(arena_printf(arena, "L/c/%.*s", STR_ARG(part_text(arena, part)))), STR("-")};
}

static struct dynamodb_key intent_key(struct arena *arena, struct id intent)
{
    return (struct dynamodb_key){
        str_of(arena_printf(arena, "L/i/%.*s", STR_ARG(id_text(arena, intent)))), STR("-")};
}

static struct dynamodb_key unfinished_key(struct arena *arena, struct id intent)
{
    return (struct dynamodb_key){STR("L/u"), id_text(arena, intent)};
}

static struct dynamodb_key consumer_key(struct arena *arena, struct id consumer)
{
    return (struct dynamodb_key){STR("L/s"), id_text(arena, consumer)};
}

struct str ledger_delta_pk(struct arena *arena, int shard)
{
    return str_of(arena_printf(arena, "L/d/%d", shard));
}

struct dynamodb_key ledger_delta_key(struct arena *arena, struct part_id part)
{
    return (struct dynamodb_key){ledger_delta_pk(arena, part.bytes[15] % LEDGER_SHARDS),
                                 part_text(arena, part)};
}

int64_t ledger_ttl(int64_t from_s, int64_t retention_ms)
{
    return from_s + retention_ms / 1000 + LEDGER_SLACK_S;
}

static int64_t now_s(const struct ledger_dynamodb *l)
{
    return clock_wall_ms(l->ops.clock) / 1000;
}

/* When a UUID version 7 was made. */
static int64_t made_s(const uint8_t *id)
{
    int64_t ms = 0;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | id[i];
    return ms / 1000;
}

/* --- claims --- */

/* A round of claiming: which claims stand in the transaction, in its order. */
struct round {
    size_t indexes[CLAIMS_AT_ONCE];
    size_t count;
};

static void write_claim(struct ledger_dynamodb *l, struct dynamodb_write *write,
                        struct arena *arena, const struct ledger_claim *claim)
{
    const struct dynamodb_value attributes[] = {
        dynamodb_s("i", id_text(arena, claim->intent)),
        dynamodb_n("ttl", ledger_ttl(made_s(claim->part.bytes), l->retention_ms))};
    const struct dynamodb_value delta = dynamodb_b("e", claim->delta);
    dynamodb_write_put(write, claim_key(arena, claim->part), attributes, 2,
                       dynamodb_if("attribute_not_exists(pk)"));
    dynamodb_write_put(write, ledger_delta_key(arena, claim->part), &delta, 1, dynamodb_if(NULL));
}

static bool is_in(const struct round *round, const struct ledger_claim *claims,
                  const struct part_id *part)
{
    for (size_t i = 0; i < round->count; i++)
        if (memcmp(&claims[round->indexes[i]].part, part, sizeof *part) == 0)
            return true;
    return false;
}

/* As many of those that are open as one transaction takes, no part twice. */
static void choose(struct ledger_dynamodb *l, const struct ledger_claim *claims, const bool *done,
                   size_t count, struct dynamodb_write *write, struct arena *arena,
                   struct round *round)
{
    round->count = 0;
    for (size_t i = 0; i < count && round->count < CLAIMS_AT_ONCE; i++) {
        if (done[i] || is_in(round, claims, &claims[i].part))
            continue;
        if (round->count &&
            dynamodb_write_bytes(write) + claims[i].delta.len * 4 / 3 > (size_t)CLAIM_BYTES_MAX)
            break;
        write_claim(l, write, arena, &claims[i]);
        round->indexes[round->count++] = i;
    }
}

/* Who holds the part: from the item as it was, or by looking. */
static enum code find_holder(struct ledger_dynamodb *l, struct ledger_claim *claim,
                             const struct json_value *item, struct arena *arena, bool *held,
                             struct error *err)
{
    if (!item &&
        dynamodb_get(&l->ops, claim_key(arena, claim->part), ledger_until(l), arena, &item, err))
        return err->code;
    claim->fresh = false;
    *held = item && read_id(dynamodb_text(item, "i"), &claim->holder);
    if (item && !*held)
        return error_set(err, CODE_DATA_LOSS, "CLAIM_CORRUPT", "ledger: a claim cannot be read");
    return CODE_OK;
}

static enum code claim_round(struct ledger_dynamodb *l, struct ledger_claim *claims, bool *done,
                             size_t count, struct arena *arena, size_t *open, struct error *err)
{
    struct dynamodb_write write;
    struct dynamodb_refusal refusal;
    struct round round;
    dynamodb_write_begin(&write, &l->ops, arena);
    choose(l, claims, done, count, &write, arena, &round);
    enum code code = dynamodb_write_run(&write, ledger_until(l), arena, &refusal, err);
    if (code != CODE_OK && code != CODE_ABORTED)
        return code;
    for (size_t i = 0; i < round.count; i++) {
        struct ledger_claim *claim = &claims[round.indexes[i]];
        bool *is_done = &done[round.indexes[i]];
        if (code == CODE_OK) {
            claim->fresh = *is_done = true;
            claim->holder = claim->intent;
        } else if (dynamodb_write_failed(&refusal, (int)(2 * i)) &&
                   find_holder(l, claim, refusal.items[2 * i], arena, is_done, err) != CODE_OK) {
            return err->code;
        }
        *open -= *is_done;
    }
    return CODE_OK;
}

static enum code l_claim(struct ledger *ledger, struct ledger_claim *claims, size_t count,
                         struct error *err)
{
    struct ledger_dynamodb *l = ledger_dynamodb_from(ledger);
    struct arena arena = {0};
    bool *done = xcalloc(count + 1, sizeof *done);
    size_t open = count;
    enum code code = CODE_OK;
    while (code == CODE_OK && open) {
        code = claim_round(l, claims, done, count, &arena, &open, err);
        arena_reset(&arena);
    }
    xfree(done);
    arena_clear(&arena);
    return code;
}

static enum code l_steal(struct ledger *ledger, struct part_id part, struct id from, struct id to,
                         bool *stolen, struct error *err)
{
    struct ledger_dynamodb *l = ledger_dynamodb_from(ledger);
    struct arena arena = {0};
    const struct json_value *item;
    struct dynamodb_key key = claim_key(&arena, part);
    const struct dynamodb_value value = dynamodb_s(":to", id_text(&arena, to));
    const struct dynamodb_update update = {
        "SET i = :to", &value, 1, {"i = :from", dynamodb_s(":from", id_text(&arena, from)), {0}}};
    struct dynamodb_refusal refusal;
    enum code code =
        dynamodb_change(&l->ops, key, &update, ledger_until(l), &arena, NULL, &refusal, err);
    *stolen = code == CODE_OK;
    if (dynamodb_condition_failed(&refusal)) {
        error_clear(err);
        code = CODE_OK;
        /* An attempt whose answer was lost may have done it: nobody else steals for this intent. */
        if (refusal.unsure)
            code = dynamodb_get(&l->ops, key, ledger_until(l), &arena, &item, err);
        if (refusal.unsure && code == CODE_OK)
            *stolen = str_eq(dynamodb_text(item, "i"), value.text);
    }
    arena_clear(&arena);
    return code;
}

/* --- intents --- */

static enum code l_begin(struct ledger *ledger, const struct ledger_intent *intent,
                         struct error *err)
{
    struct ledger_dynamodb *l = ledger_dynamodb_from(ledger);
    struct arena arena = {0};
    struct dynamodb_write write;
    struct dynamodb_refusal refusal;
    const struct dynamodb_value attributes[] = {
        dynamodb_s("c", id_text(&arena, intent->consumer)),
        dynamodb_n("k", intent->kind),
        dynamodb_s("o", str_of(intent->key)),
        dynamodb_n("s", LEDGER_OPEN),
    };
    dynamodb_write_begin(&write, &l->ops, &arena);
    dynamodb_write_put(&write, intent_key(&arena, intent->id), attributes,
                       sizeof attributes / sizeof *attributes,
                       dynamodb_if("attribute_not_exists(pk)"));
    dynamodb_write_put(&write, unfinished_key(&arena, intent->id), attributes, 1,
                       dynamodb_if(NULL));
    enum code code = dynamodb_write_run(&write, ledger_until(l), &arena, &refusal, err);
    if (code == CODE_ABORTED) { /* it has been begun before */
        error_clear(err);
        code = CODE_OK;
    }
    arena_clear(&arena);
    return code;
}

static enum code load(struct ledger_dynamodb *l, struct id intent, struct arena *arena,
                      struct ledger_intent *found, const struct json_value **item,
                      struct error *err)
{
    if (dynamodb_get(&l->ops, intent_key(arena, intent), ledger_until(l), arena, item, err) !=
        CODE_OK)
        return err->code;
    if (!*item)
        return error_set(err, CODE_NOT_FOUND, "INTENT_NOT_FOUND", "ledger: no such intent");
    struct str key = dynamodb_text(*item, "o"), digest = dynamodb_bytes(*item, "d", arena);
    *found = (struct ledger_intent){
        .id = intent,
        .kind = (enum batch_part_kind)dynamodb_number(*item, "k"),
        .state = (enum ledger_state)dynamodb_number(*item, "s"),
    };
    if (!read_id(dynamodb_text(*item, "c"), &found->consumer) || key.len >= sizeof found->key ||
        digest.len > sizeof found->digest)
        return error_set(err, CODE_DATA_LOSS, "INTENT_CORRUPT", "ledger: an intent cannot be read");
    memcpy(found->key, key.ptr, key.len);
    if (digest.len)
        memcpy(found->digest, digest.ptr, digest.len);
    return CODE_OK;
}

static enum code l_get(struct ledger *ledger, struct id intent, struct ledger_intent *found,
                       struct error *err)
{
    struct ledger_dynamodb *l = ledger_dynamodb_from(ledger);
    struct arena arena = {0};
    const struct json_value *item;
    enum code code = load(l, intent, &arena, found, &item, err);
    if (code == CODE_OK)
        code = dynamodb_get(&l->ops, consumer_key(&arena, found->consumer), ledger_until(l), &arena,
                            &item, err);
    if (code == CODE_OK)
        found->seen_ms = dynamodb_number(item, "m");
    arena_clear(&arena);
    return code;
}

static enum code l_seal(struct ledger *ledger, struct id intent, const struct ledger_seal *seal,
                        struct error *err)
{
    struct ledger_dynamodb *l = ledger_dynamodb_from(ledger);
    struct arena arena = {0};
    struct ledger_intent found;
    const struct json_value *item;
    const struct dynamodb_value values[] = {
        dynamodb_n(":sealed", LEDGER_SEALED),
        dynamodb_b(":d", (struct str){(const char *)seal->digest, CRYPTO_SHA256_BYTES}),
        dynamodb_b(":h", ledger_pack_hours(seal, &arena)),
        dynamodb_b(":m", ledger_pack_members(seal, &arena)),
    };
    const struct dynamodb_update update = {"SET s = :sealed, d = :d, h = :h, m = :m", values,
                                           sizeof values / sizeof *values,
                                           dynamodb_if_n("s = :n", LEDGER_OPEN)};
    struct dynamodb_refusal refusal;
    enum code code = dynamodb_change(&l->ops, intent_key(&arena, intent), &update, ledger_until(l),
                                     &arena, NULL, &refusal, err);
    if (dynamodb_condition_failed(&refusal)) {
        error_clear(err);
        code = load(l, intent, &arena, &found, &item, err);
        if (code == CODE_OK && (found.state != LEDGER_SEALED ||
                                memcmp(found.digest, seal->digest, CRYPTO_SHA256_BYTES) != 0))
            code = error_set(err, CODE_ABORTED, "INTENT_LOST",
                             "ledger: the intent is not open any more");
    }
    arena_clear(&arena);
    return code;
}

static enum code write_finish(struct ledger_dynamodb *l, const struct ledger_intent *intent,
                              enum ledger_state state, struct str hours, struct arena *arena,
                              struct error *err)
{
    struct dynamodb_write write;
    struct dynamodb_refusal refusal;
    const struct dynamodb_value values[] = {
        dynamodb_n(":after", state), dynamodb_n(":ttl", ledger_ttl(now_s(l), l->retention_ms))};
    dynamodb_write_begin(&write, &l->ops, arena);
    const struct dynamodb_update update = {"SET s = :after, #ttl = :ttl", values, 2,
                                           dynamodb_if_n("s = :n", intent->state)};
    dynamodb_write_update(&write, intent_key(arena, intent->id), &update);
    dynamodb_write_delete(&write, unfinished_key(arena, intent->id), dynamodb_if(NULL));
    if (state == LEDGER_ARCHIVED)
        ledger_write_archived(&write, arena, intent->kind, hours);
    return dynamodb_write_run(&write, ledger_until(l), arena, &refusal, err);
}

static enum code l_finish(struct ledger *ledger, struct id intent, enum ledger_state state,
                          struct error *err)
{
    struct ledger_dynamodb *l = ledger_dynamodb_from(ledger);
    struct arena arena = {0};
    struct ledger_intent found;
    const struct json_value *item;
    enum code code = CODE_ABORTED;
    for (int i = 0; i < FINISH_ATTEMPTS && code == CODE_ABORTED; i++) {
        code = load(l, intent, &arena, &found, &item, err);
        if (code != CODE_OK || found.state == state)
            break;
        if (found.state != LEDGER_SEALED &&
            !(found.state == LEDGER_OPEN && state == LEDGER_ABORTED)) {
            code = error_set(err, CODE_FAILED_PRECONDITION, "INTENT_STATE",
                             "ledger: an intent cannot go from state %d to %d", found.state, state);
            break;
        }
        /* ABORTED: somebody has moved it meanwhile, so look again. */
        code = write_finish(l, &found, state, dynamodb_bytes(item, "h", &arena), &arena, err);
    }
    if (code == CODE_ABORTED)
        err->code = code = CODE_UNAVAILABLE; /* nothing is decided: the step may be repeated */
    arena_clear(&arena);
    return code;
}

static enum code l_holds(struct ledger *ledger, struct id intent, struct part_id part, bool *held,
                         struct error *err)
{
    struct ledger_dynamodb *l = ledger_dynamodb_from(ledger);
    struct arena arena = {0};
    const struct json_value *item;
    *held = false;
    enum code code =
        dynamodb_get(&l->ops, intent_key(&arena, intent), ledger_until(l), &arena, &item, err);
    int64_t state = code == CODE_OK ? dynamodb_number(item, "s") : LEDGER_OPEN;
    if (state == LEDGER_SEALED || state == LEDGER_ARCHIVED) {
        *held = ledger_has_member(dynamodb_bytes(item, "m", &arena), part);
    }
    arena_clear(&arena);
    return code;
}

/* --- consumers --- */

struct sighting {
    struct id consumer;
    int64_t seen_ms;
};

static enum code sightings(struct ledger_dynamodb *l, struct arena *arena, struct sighting **list,
                           size_t *count, struct error *err)
{
    struct dynamodb_query range = {.pk = STR("L/s")};
    size_t room = 0;
    *list = NULL;
    *count = 0;
    do {
        const struct json_value *items;
        if (dynamodb_page(&l->ops, &range, PAGE, ledger_until(l), arena, &items, err) != CODE_OK)
            return err->code;
        if (*count + items->count > room) {
            room = 2 * (*count + items->count);
            *list = xrealloc(*list, room * sizeof **list);
        }
        for (const struct json_value *item = items->first; item; item = item->next)
            if (read_id(dynamodb_text(item, "sk"), &(*list)[*count].consumer))
                (*list)[(*count)++].seen_ms = dynamodb_number(item, "m");
    } while (range.start.len);
    return CODE_OK;
}

static int64_t seen_of(const struct sighting *list, size_t count, struct id consumer)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(&list[i].consumer, &consumer, sizeof consumer) == 0)
            return list[i].seen_ms;
    return 0;
}

static enum code stale_page(struct ledger_dynamodb *l, struct dynamodb_query *range,
                            const struct sighting *seen, size_t seen_count, struct id consumer,
                            int64_t before_ms, struct id *intents, size_t max, size_t *count,
                            struct arena *arena, struct error *err)
{
    const struct json_value *items;
    if (dynamodb_page(&l->ops, range, PAGE, ledger_until(l), arena, &items, err) != CODE_OK)
        return err->code;
    for (const struct json_value *item = items->first; item && *count < max; item = item->next) {
        struct id owner;
        if (read_id(dynamodb_text(item, "c"), &owner) &&
            memcmp(&owner, &consumer, sizeof owner) != 0 &&
            seen_of(seen, seen_count, owner) < before_ms &&
            read_id(dynamodb_text(item, "sk"), &intents[*count]))
            (*count)++;
    }
    return CODE_OK;
}

static enum code l_stale(struct ledger *ledger, struct id consumer, int64_t before_ms,
                         struct id *intents, size_t max, size_t *count, struct error *err)
{
    struct ledger_dynamodb *l = ledger_dynamodb_from(ledger);
    struct arena arena = {0};
    struct dynamodb_query range = {.pk = STR("L/u")};
    struct sighting *seen;
    size_t seen_count;
    *count = 0;
    enum code code = sightings(l, &arena, &seen, &seen_count, err);
    do
        if (code == CODE_OK)
            code = stale_page(l, &range, seen, seen_count, consumer, before_ms, intents, max, count,
                              &arena, err);
    while (code == CODE_OK && range.start.len && *count < max);
    xfree(seen);
    arena_clear(&arena);
    return code;
}

static enum code l_beat(struct ledger *ledger, struct id consumer, int64_t now_ms,
                        struct error *err)
{
    struct ledger_dynamodb *l = ledger_dynamodb_from(ledger);
    struct arena arena = {0};
    const struct dynamodb_value values[] = {
        dynamodb_n(":m", now_ms), dynamodb_n(":ttl", ledger_ttl(now_ms / 1000, l->retention_ms))};
    const struct dynamodb_update update = {"SET m = :m, #ttl = :ttl", values, 2,
                                           dynamodb_if("attribute_not_exists(m) OR m < :m")};
    struct dynamodb_refusal refusal;
    enum code code = dynamodb_change(&l->ops, consumer_key(&arena, consumer), &update,
                                     ledger_until(l), &arena, NULL, &refusal, err);
    if (dynamodb_condition_failed(&refusal)) { /* it was seen later than that */
        error_clear(err);
        code = CODE_OK;
    }
    arena_clear(&arena);
    return code;
}

static enum code l_purge(struct ledger *ledger, int64_t before_ms, int64_t trends_before_s,
                         struct error *err)
{
    (void)ledger;
    (void)before_ms;
    (void)trends_before_s;
    (void)err;
    return CODE_OK; /* items go by their ttl */
}

/* --- life --- */

static void l_free(struct ledger *ledger)
{
    xfree(ledger_dynamodb_from(ledger));
}

static const struct ledger_vtable VTABLE = {
    .begin = l_begin,
    .claim = l_claim,
    .steal = l_steal,
    .seal = l_seal,
    .finish = l_finish,
    .get = l_get,
    .holds = l_holds,
    .stale = l_stale,
    .beat = l_beat,
    .fold = ledger_dynamodb_fold,
    .count_duplicates = ledger_dynamodb_count_duplicates,
    .purge = l_purge,
    .counts = ledger_dynamodb_counts,
    .texts = ledger_dynamodb_texts,
    .hours = ledger_dynamodb_hours,
    .status = ledger_dynamodb_status,
    .free = l_free,
};

static enum code check_schema(struct ledger_dynamodb *l, struct error *err)
{
    struct arena arena = {0};
    const struct dynamodb_key key = {STR("L/schema"), STR("-")};
    const struct dynamodb_value version = dynamodb_n("v", SCHEMA_VERSION);
    const struct json_value *item;
    struct dynamodb_refusal refusal;
    enum code code =
        dynamodb_put(&l->ops, key, &version, 1, dynamodb_if("attribute_not_exists(pk)"),
                     ledger_until(l), &arena, &refusal, err);
    if (dynamodb_condition_failed(&refusal)) {
        error_clear(err);
        code = dynamodb_get(&l->ops, key, ledger_until(l), &arena, &item, err);
        if (code == CODE_OK && dynamodb_number(item, "v") != SCHEMA_VERSION)
            code = error_set(err, CODE_FAILED_PRECONDITION, "SCHEMA",
                             "the ledger's layout is version %lld; this program knows %d",
                             (long long)dynamodb_number(item, "v"), SCHEMA_VERSION);
    }
    arena_clear(&arena);
    return code;
}

enum code ledger_dynamodb_open(const struct ledger_dynamodb_options *options,
                               struct ledger **ledger, struct error *err)
{
    struct ledger_dynamodb *l = xcalloc(1, sizeof *l);
    l->base.vtable = &VTABLE;
    dynamodb_ops_init(&l->ops, &options->port, options->table, options->clock);
    l->call_ms = options->call_ms ? options->call_ms : CALL_MS;
    l->retention_ms = options->retention_ms;
    l->trends_retention_ms = options->trends_retention_ms;
    if (check_schema(l, err) != CODE_OK) {
        xfree(l);
        return err->code;
    }
    *ledger = &l->base;
    return CODE_OK;
}
