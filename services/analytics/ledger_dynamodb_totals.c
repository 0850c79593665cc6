/*
 * Totals: folding deltas into them, and reading. An item of a minute, hour or day has one number
 * per kind and status, named k<kind + 1>s<status>, since a number of an item that does not exist
 * yet can be added to and an entry of a map cannot. Search texts are one sketch per hour and class,
 * in chunks that an item can hold; its version is what a fold is conditional on.
 */
#include "analytics/ledger_dynamodb_rows.h"

#include "analytics/ledger_pack.h"
#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAGE = 500,
    DELTAS_AT_ONCE = 40,
    FOLD_ATTEMPTS = 10,
    NAMES_MAX = 64, /* counters of one item in one transaction */
    CHUNK_BYTES = 300 * 1024,
    SKETCH_BYTES_MAX = 3 << 20,
    EXPRESSION_BYTES_MAX = 4096,
};

static const int64_t TIME_OFFSET = 100000000000, TIME_MAX = 800000000000;
static const int64_t WIDTHS[] = {ROLLUP_MINUTE_S, ROLLUP_HOUR_S, ROLLUP_DAY_S};

struct str ledger_time_text(struct arena *arena, int64_t time_s)
{
    int64_t bounded = time_s < -TIME_OFFSET ? -TIME_OFFSET : time_s > TIME_MAX ? TIME_MAX : time_s;
    return str_of(arena_printf(arena, "%012lld", (long long)(bounded + TIME_OFFSET)));
}

bool ledger_read_time(struct str text, int64_t *time_s)
{
    if (!str_to_i64(text, time_s))
        return false;
    *time_s -= TIME_OFFSET;
    return true;
}

static struct dynamodb_key totals_key(void)
{
    return (struct dynamodb_key){STR("L/g"), STR("-")};
}

static struct str width_pk(struct arena *arena, int64_t width_s)
{
    return str_of(arena_printf(arena, "L/t/%lld", (long long)width_s));
}

static struct str class_pk(struct arena *arena, enum rollup_class class)
{
    return str_of(arena_printf(arena, "L/x/%d", (int)class));
}

static struct dynamodb_key chunk_key(struct arena *arena, enum rollup_class class, int64_t hour_s,
                                     int chunk)
{
    struct str time = ledger_time_text(arena, hour_s);
    return (struct dynamodb_key){class_pk(arena, class),
                                 str_of(arena_printf(arena, "%.*s/%02d", STR_ARG(time), chunk))};
}

static int64_t floor_to(int64_t time_s, int64_t width_s)
{
    int64_t rest = time_s % width_s;
    return time_s - (rest < 0 ? rest + width_s : rest);
}

/* --- what archiving adds --- */

static void add_up(struct dynamodb_write *write, struct dynamodb_key key, enum batch_part_kind kind,
                   uint64_t events, int64_t objects)
{
    const struct dynamodb_value values[] = {
        dynamodb_n(":a", kind == PART_EVENTS ? (int64_t)events : 0),
        dynamodb_n(":q", kind == PART_ERRORS ? (int64_t)events : 0), dynamodb_n(":o", objects)};
    const struct dynamodb_update update = {
        .expression = objects ? "ADD a :a, q :q, o :o" : "ADD a :a, q :q",
        .values = values,
        .count = objects ? 3 : 2,
    };
    dynamodb_write_update(write, key, &update);
}

void ledger_write_archived(struct dynamodb_write *write, struct arena *arena,
                           enum batch_part_kind kind, struct str hours)
{
    struct ledger_hour hour;
    uint64_t sum = 0;
    while (ledger_next_hour(&hours, &hour)) {
        struct dynamodb_key key = {STR("L/h"), ledger_time_text(arena, hour.hour_s)};
        sum += hour.events;
        if (kind != PART_SEARCHES)
            add_up(write, key, kind, hour.events, 0);
    }
    add_up(write, totals_key(), kind, sum, 1);
}

enum code ledger_dynamodb_count_duplicates(struct ledger *ledger, uint64_t batches,
                                           struct error *err)
{
    struct ledger_dynamodb *l = ledger_dynamodb_from(ledger);
    struct arena arena = {0};
    const struct dynamodb_value value = dynamodb_n(":n", (int64_t)batches);
    const struct dynamodb_update update = {.expression = "ADD d :n", .values = &value, .count = 1};
    struct dynamodb_refusal refusal;
    enum code code = dynamodb_change(&l->ops, totals_key(), &update, ledger_until(l), &arena, NULL,
                                     &refusal, err);
    arena_clear(&arena);
    return code;
}

/* --- folding: counts --- */

/* Writes the counts of one item; they are next to each other in `counts`. */
static bool write_counts(struct ledger_dynamodb *l, struct dynamodb_write *write,
                         struct arena *arena, int64_t width_s, int64_t time_s,
                         const struct rollup_count *counts, size_t count)
{
    struct dynamodb_value values[NAMES_MAX + 1];
    struct buf expression;
    size_t used = 0;
    buf_init_arena(&expression, arena, EXPRESSION_BYTES_MAX);
    for (size_t i = 0; i < count && used < NAMES_MAX; i++) {
        const char *value = arena_printf(arena, ":n%zu", i);
        buf_addf(&expression, "%s k%ds%d %s", i ? "," : "ADD", counts[i].kind + 1, counts[i].status,
                 value);
        values[used++] = dynamodb_n(value, (int64_t)counts[i].count);
    }
    if (width_s == ROLLUP_MINUTE_S) {
        buf_add_cstr(&expression, " SET #ttl = :ttl");
        values[used++] = dynamodb_n(":ttl", ledger_ttl(time_s, l->trends_retention_ms));
    }
    struct dynamodb_key key = {width_pk(arena, width_s), ledger_time_text(arena, time_s)};
    dynamodb_write_update(write, key,
                          &(struct dynamodb_update){.expression = buf_cstr(&expression),
                                                    .values = values,
                                                    .count = used});
    return count <= NAMES_MAX && !expression.overflow;
}

static int by_item(const void *a, const void *b)
{
    const struct rollup_count *x = a, *y = b;
    if (x->time_s != y->time_s)
        return x->time_s < y->time_s ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return x->status < y->status ? -1 : x->status > y->status;
}

/* The sum's counts by points of this width: sorted, equal ones added up. */
static struct rollup_count *counts_of(const struct rollup_delta *sum, int64_t width_s,
                                      struct arena *arena, size_t *count)
{
    struct rollup_count *list = arena_alloc(arena, (sum->count_used + 1) * sizeof *list);
    for (size_t i = 0; i < sum->count_used; i++) {
        list[i] = sum->counts[i];
        list[i].time_s = floor_to(list[i].time_s, width_s);
    }
    qsort(list, sum->count_used, sizeof *list, by_item);
    *count = 0;
    for (size_t i = 0; i < sum->count_used; i++) {
        if (*count && by_item(&list[*count - 1], &list[i]) == 0)
            list[*count - 1].count += list[i].count;
        else
            list[(*count)++] = list[i];
    }
    return list;
}

static bool write_width(struct ledger_dynamodb *l, struct dynamodb_write *write,
                        struct arena *arena, const struct rollup_delta *sum, int64_t width_s)
{
    size_t count;
    const struct rollup_count *list = counts_of(sum, width_s, arena, &count);
    bool fits = true;
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && list[to].time_s == list[from].time_s; to++)
            ;
        fits = write_counts(l, write, arena, width_s, list[from].time_s, list + from, to - from) &&
               fits;
    }
    return fits;
}

/* --- folding: texts --- */

/* Adds what is stored of an hour; *version is 0 when nothing is. */
static enum code load_texts(struct ledger_dynamodb *l, struct arena *arena, enum rollup_class class,
                            int64_t hour_s, struct sketch *into, int64_t *version,
                            struct error *err)
{
    const struct json_value *item;
    struct buf bytes;
    struct str rest;
    int64_t chunks = 1;
    *version = 0;
    buf_init_arena(&bytes, arena, SKETCH_BYTES_MAX + CHUNK_BYTES);
    for (int chunk = 0; chunk < chunks; chunk++) {
        if (dynamodb_get(&l->ops, chunk_key(arena, class, hour_s, chunk), ledger_until(l), arena,
                         &item, err) != CODE_OK)
            return err->code;
        if (!item && chunk == 0)
            return CODE_OK;
        if (chunk == 0) {
            *version = dynamodb_number(item, "v");
            chunks = dynamodb_number(item, "n");
        } else if (dynamodb_number(item, "v") != *version) {
            return error_set(err, CODE_ABORTED, NULL, "ledger: another process is folding");
        }
        buf_add(&bytes, dynamodb_bytes(item, "b", arena));
    }
    rest = buf_str(&bytes);
    if (!sketch_decode(&rest, into))
        return error_set(err, CODE_DATA_LOSS, "SKETCH_CORRUPT",
                         "ledger: the search texts of an hour cannot be read");
    return CODE_OK;
}

static void write_chunks(struct ledger_dynamodb *l, struct dynamodb_write *write,
                         struct arena *arena, const struct rollup_texts *texts, struct str bytes,
                         int64_t version)
{
    int64_t chunks = (int64_t)(bytes.len + CHUNK_BYTES - 1) / CHUNK_BYTES;
    for (int chunk = 0; chunk < chunks; chunk++) {
        struct str piece = {bytes.ptr, bytes.len < CHUNK_BYTES ? bytes.len : CHUNK_BYTES};
        const struct dynamodb_value attributes[] = {
            dynamodb_b("b", piece), dynamodb_n("v", version + 1), dynamodb_n("n", chunks),
            dynamodb_n("ttl", ledger_ttl(texts->hour_s, l->trends_retention_ms))};
        struct dynamodb_condition condition = dynamodb_if(NULL);
        if (chunk == 0)
            condition = version ? dynamodb_if_n("v = :n", version)
                                : dynamodb_if("attribute_not_exists(pk)");
        dynamodb_write_put(write, chunk_key(arena, texts->class, texts->hour_s, chunk), attributes,
                           4, condition);
        bytes = str_from(bytes, piece.len);
    }
}

static enum code write_texts(struct ledger_dynamodb *l, struct dynamodb_write *write,
                             struct arena *arena, const struct rollup_texts *texts,
                             struct error *err)
{
    struct sketch *sketch = sketch_new(ROLLUP_TEXTS);
    struct buf bytes;
    int64_t version;
    buf_init_arena(&bytes, arena, SKETCH_BYTES_MAX);
    enum code code = load_texts(l, arena, texts->class, texts->hour_s, sketch, &version, err);
    if (code == CODE_OK) {
        sketch_merge(sketch, texts->sketch);
        sketch_prune(sketch);
        sketch_encode(sketch, &bytes);
        write_chunks(l, write, arena, texts, buf_str(&bytes), version);
    }
    sketch_free(sketch);
    return code;
}

/* --- folding: a transaction --- */

/* One transaction for `count` deltas. *fits: it has no more actions than a transaction may have. */
static enum code write_fold(struct ledger_dynamodb *l, struct dynamodb_write *write,
                            struct arena *arena, const struct json_value *const *deltas,
                            size_t count, bool *fits, struct error *err)
{
    struct rollup_delta sum = {0};
    enum code code = CODE_OK;
    *fits = true;
    dynamodb_write_begin(write, &l->ops, arena);
    for (size_t i = 0; code == CODE_OK && i < count; i++) {
        struct dynamodb_key key = {dynamodb_text(deltas[i], "pk"), dynamodb_text(deltas[i], "sk")};
        if (!rollup_merge_encoded(&sum, dynamodb_bytes(deltas[i], "e", arena)))
            code =
                error_set(err, CODE_DATA_LOSS, "DELTA_CORRUPT", "ledger: a delta cannot be read");
        dynamodb_write_delete(write, key, dynamodb_if("attribute_exists(pk)"));
    }
    for (size_t i = 0; code == CODE_OK && i < sizeof WIDTHS / sizeof *WIDTHS; i++)
        *fits = write_width(l, write, arena, &sum, WIDTHS[i]) && *fits;
    for (size_t i = 0; code == CODE_OK && *fits && i < sum.texts_used; i++)
        code = write_texts(l, write, arena, &sum.texts[i], err);
    dynamodb_write_add(write, totals_key(), 'c', (int64_t)sum.claimed);
    *fits = *fits && write->count <= DYNAMODB_WRITE_MAX;
    rollup_clear(&sum);
    return code;
}

/* As many of the deltas as fit, from the first on; *folded: how many. ABORTED: another process
 * has folded some of them, or the same hours' texts: read anew. */
static enum code fold_some(struct ledger_dynamodb *l, const struct json_value *const *deltas,
                           size_t count, size_t *folded, struct error *err)
{
    struct arena arena = {0};
    struct dynamodb_write write;
    struct dynamodb_refusal refusal;
    enum code code;
    bool fits;
    for (;; count /= 2) {
        arena_reset(&arena);
        code = write_fold(l, &write, &arena, deltas, count, &fits, err);
        if (code != CODE_OK || fits)
            break;
        if (count == 1) {
            code = error_set(err, CODE_DATA_LOSS, "DELTA_TOO_WIDE",
                             "ledger: a delta touches more than a transaction may");
            break;
        }
    }
    if (code == CODE_OK)
        code = dynamodb_write_run(&write, ledger_until(l), &arena, &refusal, err);
    *folded = code == CODE_OK ? count : 0;
    arena_clear(&arena);
    return code;
}

static enum code fold_page(struct ledger_dynamodb *l, int shard, size_t max, size_t *folded,
                           bool *more, struct error *err)
{
    struct arena arena = {0};
    struct dynamodb_query range = {.pk = ledger_delta_pk(&arena, shard)};
    const struct json_value *deltas[DELTAS_AT_ONCE], *items;
    size_t count = 0, limit = max < DELTAS_AT_ONCE ? max : DELTAS_AT_ONCE, done = 0;
    *folded = 0;
    enum code code = dynamodb_page(&l->ops, &range, limit, ledger_until(l), &arena, &items, err);
    if (code == CODE_OK)
        for (const struct json_value *item = items->first; item && count < limit; item = item->next)
            deltas[count++] = item;
    while (code == CODE_OK && *folded < count) {
        code = fold_some(l, deltas + *folded, count - *folded, &done, err);
        *folded += done;
    }
    *more = code == CODE_OK && range.start.len > 0;
    arena_clear(&arena);
    return code;
}

enum code ledger_dynamodb_fold(struct ledger *ledger, size_t max, size_t *folded, struct error *err)
{
    struct ledger_dynamodb *l = ledger_dynamodb_from(ledger);
    enum code code = CODE_OK;
    *folded = 0;
    for (int shard = 0; code == CODE_OK && shard < LEDGER_SHARDS; shard++) {
        bool more = true;
        for (int attempt = 0; code == CODE_OK && more && *folded < max && attempt < FOLD_ATTEMPTS;
             attempt++) {
            size_t some;
            code = fold_page(l, shard, max - *folded, &some, &more, err);
            *folded += some;
            if (some)
                attempt = -1;
            if (code != CODE_ABORTED)
                continue;
            error_clear(err); /* somebody else folds too: look at what is left */
            code = CODE_OK;
            more = true;
        }
    }
    return code;
}

/* --- reading --- */

typedef enum code (*item_fn)(const struct json_value *item, struct arena *arena, void *argument,
                             struct error *err);

static enum code each_item(struct ledger_dynamodb *l, struct str pk, struct str from, struct str to,
                           item_fn each, void *argument, struct error *err)
{
    struct arena arena = {0};
    struct dynamodb_query range = {.pk = pk, .from = from, .to = to};
    char start[64];
    enum code code;
    do {
        const struct json_value *items;
        arena_reset(&arena);
        code = dynamodb_page(&l->ops, &range, PAGE, ledger_until(l), &arena, &items, err);
        for (const struct json_value *item = code == CODE_OK ? items->first : NULL;
             item && code == CODE_OK; item = item->next)
            code = each(item, &arena, argument, err);
        if (code == CODE_OK && range.start.len) {
            snprintf(start, sizeof start, "%.*s", STR_ARG(range.start));
            range.start = str_of(start);
        }
    } while (code == CODE_OK && range.start.len);
    arena_clear(&arena);
    return code;
}

struct each_count {
    ledger_count_fn each;
    void *argument;
};

/* "k<kind + 1>s<status>" */
static bool read_name(struct str name, struct rollup_count *count)
{
    int64_t kind, status;
    ptrdiff_t middle = str_find(name, 's');
    if (middle < 2 || name.ptr[0] != 'k' ||
        !str_to_i64((struct str){name.ptr + 1, (size_t)middle - 1}, &kind) ||
        !str_to_i64(str_from(name, (size_t)middle + 1), &status))
        return false;
    count->kind = (int32_t)kind - 1;
    count->status = (int32_t)status;
    return true;
}

static enum code count_item(const struct json_value *item, struct arena *arena, void *argument,
                            struct error *err)
{
    const struct each_count *to = argument;
    struct rollup_count count;
    (void)arena;
    (void)err;
    if (!ledger_read_time(dynamodb_text(item, "sk"), &count.time_s))
        return CODE_OK;
    for (const struct json_value *value = item->first; value; value = value->next) {
        int64_t number;
        const struct json_value *text = json_get(value, STR("N"));
        if (!text || !read_name(value->key, &count) || !str_to_i64(text->text, &number))
            continue;
        count.count = (uint64_t)number;
        to->each(to->argument, &count);
    }
    return CODE_OK;
}

enum code ledger_dynamodb_counts(struct ledger *ledger, int64_t width_s, int64_t start_s,
                                 int64_t end_s, ledger_count_fn each, void *argument,
                                 struct error *err)
{
    struct ledger_dynamodb *l = ledger_dynamodb_from(ledger);
    struct arena arena = {0};
    struct each_count to = {each, argument};
    enum code code = CODE_OK;
    if (start_s < end_s)
        code = each_item(l, width_pk(&arena, width_s), ledger_time_text(&arena, start_s),
                         ledger_time_text(&arena, end_s - 1), count_item, &to, err);
    arena_clear(&arena);
    return code;
}

/* The chunks of an hour, put together: they come in order. */
struct texts_reader {
    struct sketch *into;
    struct buf bytes;
    int64_t version, chunks, seen;
    bool torn; /* a fold came between two pages */
};

static enum code texts_item(const struct json_value *item, struct arena *arena, void *argument,
                            struct error *err)
{
    struct texts_reader *reader = argument;
    struct str sk = dynamodb_text(item, "sk");
    if (str_ends(sk, STR("/00"))) {
        reader->torn |= reader->seen < reader->chunks;
        buf_reset(&reader->bytes);
        reader->version = dynamodb_number(item, "v");
        reader->chunks = dynamodb_number(item, "n");
        reader->seen = 0;
    }
    if (reader->seen >= reader->chunks) /* of a time when there were more */
        return CODE_OK;
    reader->torn |= dynamodb_number(item, "v") != reader->version;
    buf_add(&reader->bytes, dynamodb_bytes(item, "b", arena));
    if (++reader->seen < reader->chunks || reader->torn)
        return CODE_OK;
    struct str bytes = buf_str(&reader->bytes);
    if (!sketch_decode(&bytes, reader->into))
        return error_set(err, CODE_DATA_LOSS, "SKETCH_CORRUPT",
                         "the search texts of an hour cannot be read");
    return CODE_OK;
}

enum code ledger_dynamodb_texts(struct ledger *ledger, enum rollup_class class, int64_t start_s,
                                int64_t end_s, struct sketch *into, struct error *err)
{
    struct ledger_dynamodb *l = ledger_dynamodb_from(ledger);
    struct arena arena = {0};
    struct texts_reader reader = {.into = into};
    enum code code = CODE_OK;
    buf_init(&reader.bytes, SKETCH_BYTES_MAX + CHUNK_BYTES);
    if (start_s < end_s) {
        struct dynamodb_key from = chunk_key(&arena, class, start_s, 0);
        struct dynamodb_key to = chunk_key(&arena, class, end_s - 1, 99);
        code = each_item(l, from.pk, from.sk, to.sk, texts_item, &reader, err);
    }
    if (code == CODE_OK && reader.torn)
        code = error_set(err, CODE_UNAVAILABLE, NULL, "the search texts are being changed");
    buf_clear(&reader.bytes);
    arena_clear(&arena);
    return code;
}

struct each_hour {
    ledger_hour_fn each;
    void *argument;
};

static enum code hour_item(const struct json_value *item, struct arena *arena, void *argument,
                           struct error *err)
{
    const struct each_hour *to = argument;
    struct ledger_pipeline_hour hour = {.archived = (uint64_t)dynamodb_number(item, "a"),
                                        .quarantined = (uint64_t)dynamodb_number(item, "q")};
    (void)arena;
    (void)err;
    if (ledger_read_time(dynamodb_text(item, "sk"), &hour.hour_s))
        to->each(to->argument, &hour);
    return CODE_OK;
}

enum code ledger_dynamodb_hours(struct ledger *ledger, int64_t start_s, int64_t end_s,
                                ledger_hour_fn each, void *argument, struct error *err)
{
    struct ledger_dynamodb *l = ledger_dynamodb_from(ledger);
    struct arena arena = {0};
    struct each_hour to = {each, argument};
    enum code code = CODE_OK;
    if (start_s < end_s)
        code = each_item(l, STR("L/h"), ledger_time_text(&arena, start_s),
                         ledger_time_text(&arena, end_s - 1), hour_item, &to, err);
    arena_clear(&arena);
    return code;
}

enum code ledger_dynamodb_status(struct ledger *ledger, struct ledger_status *status,
                                 struct error *err)
{
    struct ledger_dynamodb *l = ledger_dynamodb_from(ledger);
    struct arena arena = {0};
    const struct json_value *item;
    enum code code = dynamodb_get(&l->ops, totals_key(), ledger_until(l), &arena, &item, err);
    *status = (struct ledger_status){0};
    if (code == CODE_OK)
        *status = (struct ledger_status){
            .claimed = (uint64_t)dynamodb_number(item, "c"),
            .archived = (uint64_t)dynamodb_number(item, "a"),
            .quarantined = (uint64_t)dynamodb_number(item, "q"),
            .duplicates = (uint64_t)dynamodb_number(item, "d"),
            .objects = (uint64_t)dynamodb_number(item, "o"),
        };
    arena_clear(&arena);
    return code;
}
