/* The small readers of lib/base and the traceparent: what they take they give back alike. */
#include "base/arena.h"
#include "base/config.h"
#include "base/encode.h"
#include "base/id.h"
#include "base/json_out.h"
#include "base/time_text.h"
#include "telemetry/trace.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { OUT_BYTES_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void there_and_back(struct arena *arena, struct str text)
{
    struct buf encoded, decoded;
    buf_init_arena(&encoded, arena, OUT_BYTES_MAX);
    buf_init_arena(&decoded, arena, OUT_BYTES_MAX);
    encode_base64(&encoded, text);
    must(decode_base64(&decoded, buf_str(&encoded), true) && str_eq(buf_str(&decoded), text));
    buf_reset(&encoded);
    buf_reset(&decoded);
    encode_percent(&encoded, text);
    must(decode_percent(&decoded, buf_str(&encoded), true) && str_eq(buf_str(&decoded), text));
    buf_reset(&decoded);
    decode_percent(&decoded, text, false);
    decode_base64(&decoded, text, false);
    buf_reset(&encoded);
    json_escape(&encoded, text);
    must(str_is_utf8(buf_str(&encoded)));
    must(str_find(buf_str(&encoded), '\n') < 0);
    if (str_is_utf8(text))
        for (size_t cut = 0; cut < text.len && cut < 16; cut++)
            must(str_is_utf8(str_utf8_cut(text, cut)));
}

static void times(struct arena *arena, struct str text)
{
    int64_t seconds, again;
    int32_t nanos, nanos_again;
    struct buf out;
    if (!time_parse_rfc3339(text, &seconds, &nanos))
        return;
    buf_init_arena(&out, arena, OUT_BYTES_MAX);
    time_add_rfc3339(&out, seconds, nanos);
    must(time_parse_rfc3339(buf_str(&out), &again, &nanos_again));
    must(seconds == again && nanos == nanos_again);
    must(time_seconds_of(time_utc_of(seconds)) == seconds);
}

static void names(struct str text)
{
    struct trace trace, trace_again;
    struct id id, id_again;
    int64_t number;
    char formatted[TRACE_PARENT_CHARS + 1];
    config_parse_duration(text, &number);
    config_parse_size(text, &number);
    if (trace_parse(text, &trace)) {
        trace_format(&trace, formatted);
        must(trace_parse(str_of(formatted), &trace_again));
        must(memcmp(&trace, &trace_again, sizeof trace) == 0);
    }
    if (id_parse(text, &id)) {
        id_format(id, formatted);
        must(id_parse(str_of(formatted), &id_again) && memcmp(&id, &id_again, sizeof id) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct str text = {(const char *)data, size};
    there_and_back(&arena, text);
    times(&arena, text);
    names(text);
    arena_clear(&arena);
    return 0;
}
