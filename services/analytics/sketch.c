/*
 * A hash table of counters. An item's `count` is what was added plus `error`, the bound that held
 * when it came in. Pruning: with v the (capacity + 1)-th largest count, everything that is not
 * above v goes and v becomes the bound for absent texts; in Misra-Gries' terms, v minus the old
 * bound is taken from each of capacity + 1 counters, which is why the bound cannot pass
 * N / (capacity + 1).
 */
#include "analytics/sketch.h"

#include "analytics/wire.h"
#include "base/alloc.h"
#include "base/siphash.h"

#include <stdlib.h>
#include <string.h>

struct sketch {
    size_t capacity, used, room, slots; /* room and slots: powers of two, or 0 */
    uint64_t total, absent;
    struct sketch_item *items;
    uint32_t *table; /* index + 1 into items; 0: free */
};

struct sketch *sketch_new(size_t capacity)
{
    struct sketch *sketch = xcalloc(1, sizeof *sketch);
    sketch->capacity = capacity;
    return sketch;
}

static uint32_t *slot_of(const struct sketch *sketch, struct str text);

static void fill_table(struct sketch *sketch)
{
    memset(sketch->table, 0, sketch->slots * sizeof *sketch->table);
    for (size_t i = 0; i < sketch->used; i++)
        *slot_of(sketch, sketch->items[i].text) = (uint32_t)i + 1;
}

/* Room for `more` items without pruning. */
static void reserve(struct sketch *sketch, size_t more)
{
    if (sketch->used + more <= sketch->room)
        return;
    sketch->room = sketch->room ? sketch->room : 16;
    while (sketch->room < sketch->used + more)
        sketch->room *= 2;
    sketch->slots = sketch->room * 2;
    sketch->items = xrealloc(sketch->items, sketch->room * sizeof *sketch->items);
    sketch->table = xrealloc(sketch->table, sketch->slots * sizeof *sketch->table);
    fill_table(sketch);
}

void sketch_free(struct sketch *sketch)
{
    if (!sketch)
        return;
    for (size_t i = 0; i < sketch->used; i++)
        xfree((char *)sketch->items[i].text.ptr);
    xfree(sketch->items);
    xfree(sketch->table);
    xfree(sketch);
}

/* The slot that holds the text, or the free one where it belongs. */
static uint32_t *slot_of(const struct sketch *sketch, struct str text)
{
    size_t at = (size_t)siphash_own(text) & (sketch->slots - 1);
    while (sketch->table[at] && !str_eq(sketch->items[sketch->table[at] - 1].text, text))
        at = (at + 1) & (sketch->slots - 1);
    return &sketch->table[at];
}

static int by_count_then_text(const void *a, const void *b)
{
    const struct sketch_item *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return str_cmp(x->text, y->text);
}

static int by_text(const void *a, const void *b)
{
    const struct sketch_item *const *x = a, *const *y = b;
    return str_cmp((*x)->text, (*y)->text);
}

void sketch_prune(struct sketch *sketch)
{
    if (sketch->used <= sketch->capacity)
        return;
    qsort(sketch->items, sketch->used, sizeof *sketch->items, by_count_then_text);
    uint64_t bound = sketch->items[sketch->capacity].count;
    size_t kept = sketch->capacity;
    while (kept && sketch->items[kept - 1].count <= bound)
        kept--;
    for (size_t i = kept; i < sketch->used; i++)
        xfree((char *)sketch->items[i].text.ptr);
    sketch->used = kept;
    if (bound > sketch->absent)
        sketch->absent = bound;
    fill_table(sketch);
}

/* The text's counter; a new one starts at `bound`, the most that may have been missed. */
static struct sketch_item *item_for(struct sketch *sketch, struct str text, uint64_t bound)
{
    reserve(sketch, 1);
    uint32_t *slot = slot_of(sketch, text);
    if (*slot)
        return &sketch->items[*slot - 1];
    char *copy = xmalloc(text.len + 1);
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    struct sketch_item *item = &sketch->items[sketch->used++];
    *item = (struct sketch_item){.text = {copy, text.len}, .count = bound, .error = bound};
    *slot = (uint32_t)sketch->used;
    return item;
}

static void add_caller(struct sketch_item *item, uint32_t caller)
{
    uint32_t at = 0;
    while (at < item->caller_count && item->callers[at] < caller)
        at++;
    if (item->caller_count == SKETCH_CALLERS_MAX ||
        (at < item->caller_count && item->callers[at] == caller))
        return;
    memmove(&item->callers[at + 1], &item->callers[at],
            (item->caller_count - at) * sizeof *item->callers);
    item->callers[at] = caller;
    item->caller_count++;
}

void sketch_add(struct sketch *sketch, struct str text, uint32_t caller)
{
    if (sketch->used >= sketch->capacity * 2 && !*slot_of(sketch, text))
        sketch_prune(sketch);
    struct sketch_item *item = item_for(sketch, text, sketch->absent);
    item->count++;
    add_caller(item, caller);
    sketch->total++;
}

/* A text that is new here may have been missed here `bound` times. */
static void merge_item(struct sketch *into, const struct sketch_item *item, uint64_t bound)
{
    struct sketch_item *mine = item_for(into, item->text, bound);
    mine->count += item->count;
    mine->error += item->error;
    for (uint32_t i = 0; i < item->caller_count; i++)
        add_caller(mine, item->callers[i]);
}

/* Nothing is pruned in between: until the end, counts of one side only are no bounds. */
void sketch_merge(struct sketch *into, const struct sketch *from)
{
    for (size_t i = 0; from->absent && i < into->used; i++) {
        struct sketch_item *mine = &into->items[i];
        if (!from->used || !*slot_of(from, mine->text)) {
            mine->count += from->absent;
            mine->error += from->absent;
        }
    }
    reserve(into, from->used);
    for (size_t i = 0; i < from->used; i++)
        merge_item(into, &from->items[i], into->absent);
    into->absent += from->absent;
    into->total += from->total;
    if (into->used > into->capacity * 2)
        sketch_prune(into);
}

uint64_t sketch_total(const struct sketch *sketch)
{
    return sketch->total;
}

uint64_t sketch_absent(const struct sketch *sketch)
{
    return sketch->absent;
}

size_t sketch_top(const struct sketch *sketch, uint32_t callers_min, struct sketch_item *items,
                  size_t max)
{
    struct sketch_item *all = xcalloc(sketch->used + 1, sizeof *all);
    size_t count = 0;
    for (size_t i = 0; i < sketch->used; i++)
        if (sketch->items[i].caller_count >= callers_min)
            all[count++] = sketch->items[i];
    qsort(all, count, sizeof *all, by_count_then_text);
    if (count > max)
        count = max;
    if (count)
        memcpy(items, all, count * sizeof *all);
    xfree(all);
    return count;
}

void sketch_encode(const struct sketch *sketch, struct buf *out)
{
    const struct sketch_item **sorted = xcalloc(sketch->used + 1, sizeof *sorted);
    for (size_t i = 0; i < sketch->used; i++)
        sorted[i] = &sketch->items[i];
    qsort(sorted, sketch->used, sizeof *sorted, by_text);
    wire_add_varint(out, sketch->total);
    wire_add_varint(out, sketch->absent);
    wire_add_varint(out, sketch->used);
    for (size_t i = 0; i < sketch->used; i++) {
        wire_add_bytes(out, sorted[i]->text);
        wire_add_varint(out, sorted[i]->count);
        wire_add_varint(out, sorted[i]->error);
        wire_add_varint(out, sorted[i]->caller_count);
        for (uint32_t k = 0; k < sorted[i]->caller_count; k++)
            wire_add_varint(out, sorted[i]->callers[k]);
    }
    xfree(sorted);
}

static bool decode_item(struct str *bytes, struct sketch_item *item)
{
    uint64_t callers, caller;
    *item = (struct sketch_item){0};
    if (!wire_take_bytes(bytes, &item->text) || !wire_take_varint(bytes, &item->count) ||
        !wire_take_varint(bytes, &item->error) || !wire_take_varint(bytes, &callers) ||
        callers > SKETCH_CALLERS_MAX)
        return false;
    for (uint64_t i = 0; i < callers; i++) {
        if (!wire_take_varint(bytes, &caller))
            return false;
        item->callers[item->caller_count++] = (uint32_t)caller;
    }
    return true;
}

bool sketch_decode(struct str *bytes, struct sketch *into)
{
    uint64_t total, absent, count;
    struct sketch_item item;
    if (!wire_take_varint(bytes, &total) || !wire_take_varint(bytes, &absent) ||
        !wire_take_varint(bytes, &count) || count > bytes->len)
        return false;
    struct sketch *from = sketch_new(count ? (size_t)count : 1);
    bool good = true;
    for (uint64_t i = 0; good && i < count; i++) {
        good = decode_item(bytes, &item);
        if (good)
            merge_item(from, &item, 0);
    }
    from->total = total;
    from->absent = absent;
    if (good)
        sketch_merge(into, from);
    sketch_free(from);
    return good;
}
