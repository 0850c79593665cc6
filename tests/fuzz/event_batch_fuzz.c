/* Bytes from the queue as a batch: whatever they are, they become rows that end in a newline,
 * deltas that can be read, and as many events as were said at most. */
#include "analytics/batch.h"
#include "analytics/rollup.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct queue_message message = {
        .id = STR("01a204dd-c1b8-7000-8995-8cb654efa687"),
        .body = {(const char *)data, size},
        .sent_ms = 1795370400000,
    };
    struct rollup_delta sum = {0};
    struct buf rows, deltas;
    struct batch batch;
    uint64_t events = 0;
    buf_init(&rows, 64 << 20);
    buf_init(&deltas, 64 << 20);
    batch_read(&message, (int64_t)35 * 86400000, &rows, &deltas, &batch);
    require(!rows.overflow && !deltas.overflow);
    for (int kind = 0; kind < PART_KINDS; kind++) {
        const struct batch_part *part = &batch.parts[kind];
        require((part->row_bytes > 0) == (part->events > 0));
        require(!part->row_bytes || rows.ptr[part->row_start + part->row_bytes - 1] == '\n');
        require(rollup_merge_encoded(
            &sum, (struct str){deltas.ptr + part->delta_start, part->delta_bytes}));
        events += kind == PART_SEARCHES ? 0 : part->events;
    }
    require(events >= 1 && sum.claimed == events);
    rollup_clear(&sum);
    /* The same bytes as a delta of somebody else: refused or read, never more. */
    (void)!rollup_merge_encoded(&sum, message.body);
    rollup_clear(&sum);
    buf_clear(&rows);
    buf_clear(&deltas);
    return 0;
}
