/*
 * The parser on any bytes: it reads nothing beyond them, ends, and says the same however they are
 * cut. The first two bytes choose the cuts, the rest is what a client sends.
 */
#include "tests/unit/http/feed.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_BYTES_MAX = 2048, CUTS_MAX = 64 };

static void feed_cut(const char *bytes, size_t len, const size_t *cuts, size_t count,
                     struct buf *out)
{
    struct feed feed = {
        .bytes = bytes, .len = len, .limits = {100, 600}, .body_bytes_max = 300, .out = out};
    buf_init(out, 1 << 22);
    feed_all(&feed, cuts, count);
}

/* Steps of 1 to 16 bytes, or long ones, by the choice. */
static size_t make_cuts(uint8_t first, uint8_t step, size_t len, size_t *cuts)
{
    size_t count = 0;
    for (size_t at = first; at < len && count < CUTS_MAX; at += 1 + step % 16)
        cuts[count++] = at;
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > INPUT_BYTES_MAX)
        return 0;
    const char *bytes = (const char *)data + 2;
    size_t cuts[CUTS_MAX], count = make_cuts(data[0], data[1], size - 2, cuts);
    struct buf once, cut;
    feed_cut(bytes, size - 2, NULL, 0, &once);
    feed_cut(bytes, size - 2, cuts, count, &cut);
    if (!str_eq(buf_str(&once), buf_str(&cut)))
        abort();
    buf_clear(&once);
    buf_clear(&cut);
    return 0;
}
