/* Trace ids are random bytes in hex; nothing here records spans. */
#include "telemetry/trace.h"

#include "base/encode.h"
#include "base/id.h"

#include <string.h>

/* Exactly `chars` lower-case hex digits up to the next `-`. */
static bool take_hex(struct str *rest, size_t chars, struct str *piece)
{
    if (!str_next(rest, '-', piece) || piece->len != chars)
        return false;
    for (size_t i = 0; i < chars; i++) {
        char c = piece->ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

/* The same, not all zero, as a C string. */
static bool take_id(struct str *rest, size_t chars, char *to)
{
    struct str piece;
    if (!take_hex(rest, chars, &piece))
        return false;
    memcpy(to, piece.ptr, chars);
    to[chars] = '\0';
    return strspn(to, "0") < chars;
}

bool trace_parse(struct str traceparent, struct trace *trace)
{
    struct str rest = traceparent, version, flags;
    char id[TRACE_ID_CHARS + 1], span[TRACE_SPAN_CHARS + 1];
    *trace = (struct trace){0};
    if (!take_hex(&rest, 2, &version) || str_eq(version, STR("ff")))
        return false;
    bool known = str_eq(version, STR("00"));
    if (known && traceparent.len != TRACE_PARENT_CHARS)
        return false;
    if (!take_id(&rest, TRACE_ID_CHARS, id) || !take_id(&rest, TRACE_SPAN_CHARS, span) ||
        !take_hex(&rest, 2, &flags) || (known && rest.ptr))
        return false;
    memcpy(trace->id, id, sizeof id);
    memcpy(trace->span, span, sizeof span);
    trace->sampled = decode_hex_digit(flags.ptr[1]) % 2 == 1;
    return true;
}

static void random_hex(char *to, size_t chars)
{
    unsigned char bytes[TRACE_ID_CHARS / 2];
    char memory[TRACE_ID_CHARS + 1];
    struct buf text = {.ptr = memory, .cap = sizeof memory, .max = TRACE_ID_CHARS};
    id_random_nonce(bytes, chars / 2);
    bytes[0] |= 1; /* never all zero */
    encode_hex(&text, (struct str){(const char *)bytes, chars / 2});
    memcpy(to, buf_cstr(&text), chars + 1);
}

void trace_new(struct trace *trace)
{
    random_hex(trace->id, TRACE_ID_CHARS);
    random_hex(trace->span, TRACE_SPAN_CHARS);
    trace->sampled = true;
}

void trace_child(const struct trace *parent, struct trace *child)
{
    *child = *parent;
    random_hex(child->span, TRACE_SPAN_CHARS);
}

void trace_format(const struct trace *trace, char text[TRACE_PARENT_CHARS + 1])
{
    char *to = mempcpy(text, "00-", 3);
    to = mempcpy(to, trace->id, TRACE_ID_CHARS);
    *to++ = '-';
    to = mempcpy(to, trace->span, TRACE_SPAN_CHARS);
    to = mempcpy(to, trace->sampled ? "-01" : "-00", 3);
    *to = '\0';
}
