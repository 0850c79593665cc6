/*
 * Messages to JSON. What encoders usually send (fields in order, each once) is written in one pass
 * without memory; a look ahead over the tags tells. The unusual (fields out of order, messages in
 * pieces, a oneof set twice) takes the slow way: field by field, each looked for in all the bytes.
 */
#include "gateway/transcode_out.h"

#include <string.h>

bool out_fail(struct out *out, const struct schema_message *message, const char *what)
{
    error_set(out->err, CODE_INTERNAL, "BAD_UPSTREAM_MESSAGE", "%.*s: %s",
              STR_ARG(message->full_name), what);
    return false;
}

bool out_unsayable(struct out *out, const struct schema_message *message, const char *what)
{
    error_set(out->err, CODE_INTERNAL, "NO_JSON_FORM", "%.*s: %s", STR_ARG(message->full_name),
              what);
    return false;
}

enum order { ORDER_PLAIN, ORDER_MIXED, ORDER_MALFORMED };

/* How the records of a message stand. */
static enum order look_ahead(const struct schema_message *message, struct str wire)
{
    struct wire_record record;
    enum wire_result result;
    uint64_t oneofs = 0;
    uint32_t last = 0;
    enum order order = message->oneof_count > 64 ? ORDER_MIXED : ORDER_PLAIN;
    while ((result = wire_next(&wire, &record)) == WIRE_RECORD) {
        const struct schema_field *field = schema_field_numbered(message, record.number);
        if (!field || !out_matches(field, &record))
            continue;
        if (record.number < last || (record.number == last && !field->repeated))
            order = ORDER_MIXED;
        last = record.number;
        if (field->oneof >= 0 && field->oneof < 64) {
            if (oneofs >> field->oneof & 1)
                order = ORDER_MIXED;
            oneofs |= (uint64_t)1 << field->oneof;
        }
    }
    return result == WIRE_MALFORMED ? ORDER_MALFORMED : order;
}

static bool value_out(struct out *out, const struct schema_field *field, uint64_t bits,
                      struct str bytes)
{
    if (field->message)
        return out_message(out, field->message, bytes);
    if (out_scalar(out->buf, field, bits, bytes))
        return true;
    error_set(out->err, CODE_INTERNAL, "BAD_UPSTREAM_MESSAGE", "%.*s is not UTF-8",
              STR_ARG(field->name));
    return false;
}

static void key_out(struct out *out, const struct schema_field *field, bool *comma)
{
    if (*comma)
        buf_add_char(out->buf, ',');
    *comma = true;
    buf_add(out->buf, field->json_key);
}

/* The elements of one record of a list; *count goes on. */
static bool elements_out(struct out *out, const struct schema_field *field,
                         const struct wire_record *record, bool *comma, size_t *count)
{
    struct str packed = record->bytes;
    uint64_t bits = record->value;
    bool is_packed = field->wire != WIRE_BYTES && record->type == WIRE_BYTES;
    for (bool first = true; is_packed ? packed.len > 0 : first; first = false) {
        if (is_packed && !wire_next_packed(&packed, (enum wire_type)field->wire, &bits)) {
            error_set(out->err, CODE_INTERNAL, "BAD_UPSTREAM_MESSAGE", "%.*s: malformed list",
                      STR_ARG(field->name));
            return false;
        }
        if ((*count)++) {
            buf_add_char(out->buf, ',');
        } else {
            key_out(out, field, comma);
            buf_add_char(out->buf, '[');
        }
        if (!value_out(out, field, bits, record->bytes))
            return false;
    }
    return true;
}

/*
 * The occurrences of a list in *wire, which moves on behind the last one looked at. With `message`
 * given it stops at the next field of that message, else it goes to the end.
 */
static bool list_out(struct out *out, const struct schema_field *field, struct str *wire,
                     const struct schema_message *message, bool *comma)
{
    struct wire_record record;
    struct str rest = *wire;
    size_t count = 0;
    while (wire_next(&rest, &record) == WIRE_RECORD) {
        if (record.number == field->number && out_matches(field, &record)) {
            if (!elements_out(out, field, &record, comma, &count))
                return false;
        } else if (message) {
            const struct schema_field *next = schema_field_numbered(message, record.number);
            if (next && out_matches(next, &record))
                break;
        }
        *wire = rest;
    }
    if (count)
        buf_add_char(out->buf, ']');
    return true;
}

static bool map_member(struct out *out, const struct schema_field *field, struct str wire,
                       bool *comma)
{
    char room[256];
    struct buf before = {.ptr = room, .cap = sizeof room, .max = sizeof room - 1};
    size_t count;
    if (field->json_key.len + 1 > before.max) {
        bool none = false;
        struct str key = {"", 0};
        size_t mark = out->buf->len;
        key_out(out, field, comma);
        if (!out_map(out, field, wire, key, &count))
            return false;
        if (!count)
            out->buf->len = mark, *comma = none;
        return true;
    }
    if (*comma)
        buf_add_char(&before, ',');
    buf_add(&before, field->json_key);
    if (!out_map(out, field, wire, buf_str(&before), &count))
        return false;
    *comma |= count > 0;
    return true;
}

static bool single_out(struct out *out, const struct schema_field *field, uint64_t bits,
                       struct str bytes, bool *comma)
{
    if (!field->presence && (field->wire == WIRE_BYTES ? !bytes.len : !out_normal(field, bits)))
        return true;
    key_out(out, field, comma);
    return value_out(out, field, bits, bytes);
}

static bool members_in_order(struct out *out, const struct schema_message *message, struct str wire,
                             bool *comma)
{
    struct wire_record record;
    uint32_t map_done = 0;
    for (struct str at = wire; wire_next(&wire, &record) == WIRE_RECORD; at = wire) {
        const struct schema_field *field = schema_field_numbered(message, record.number);
        if (!field || !out_matches(field, &record))
            continue;
        bool ok = true;
        if (field->map_key) {
            if (map_done != record.number)
                ok = map_member(out, field, at, comma);
            map_done = record.number;
        } else if (field->repeated) {
            ok = list_out(out, field, &at, message, comma);
            wire = at;
        } else {
            ok = single_out(out, field, record.value, record.bytes, comma);
        }
        if (!ok)
            return false;
    }
    return true;
}

/* The part of the wire behind the last record of another member of the field's oneof; false when
 * another member is the last. */
static bool oneof_part(const struct schema_message *message, const struct schema_field *field,
                       struct str *wire)
{
    struct wire_record record;
    struct str rest = *wire;
    bool ours = false;
    while (wire_next(&rest, &record) == WIRE_RECORD) {
        const struct schema_field *other = schema_field_numbered(message, record.number);
        if (!other || other->oneof != field->oneof || !out_matches(other, &record))
            continue;
        ours = other == field;
        if (!ours)
            *wire = rest;
    }
    return ours;
}

struct str out_merged(struct out *out, const struct schema_field *field, struct str wire)
{
    struct wire_record record;
    struct str one = {"", 0};
    struct buf all;
    size_t count = 0;
    buf_init_arena(&all, out->to->arena, wire.len);
    while (wire_next(&wire, &record) == WIRE_RECORD) {
        if (record.number != field->number || record.type != WIRE_BYTES)
            continue;
        if (count++ == 1)
            buf_add(&all, one);
        if (count > 1)
            buf_add(&all, record.bytes);
        one = record.bytes;
    }
    return count > 1 ? buf_str(&all) : one;
}

static bool single_of_many(struct out *out, const struct schema_message *message,
                           const struct schema_field *field, struct str wire, bool *comma)
{
    struct wire_record record, last = {0};
    if (field->oneof >= 0 && !oneof_part(message, field, &wire))
        return true;
    for (struct str rest = wire; wire_next(&rest, &record) == WIRE_RECORD;)
        if (record.number == field->number && out_matches(field, &record))
            last = record;
    if (!last.number)
        return true;
    struct str bytes = field->message ? out_merged(out, field, wire) : last.bytes;
    return single_out(out, field, last.value, bytes, comma);
}

static bool members_mixed(struct out *out, const struct schema_message *message, struct str wire,
                          bool *comma)
{
    for (uint32_t i = 0; i < message->field_count; i++) {
        const struct schema_field *field = &message->fields[i];
        struct str all = wire;
        if (field->map_key    ? !map_member(out, field, wire, comma)
            : field->repeated ? !list_out(out, field, &all, NULL, comma)
                              : !single_of_many(out, message, field, wire, comma))
            return false;
    }
    return true;
}

bool out_members(struct out *out, const struct schema_message *message, struct str wire,
                 bool *comma)
{
    enum order order = look_ahead(message, wire);
    if (order == ORDER_MALFORMED)
        return out_fail(out, message, "malformed bytes");
    return order == ORDER_PLAIN ? members_in_order(out, message, wire, comma)
                                : members_mixed(out, message, wire, comma);
}

bool out_message(struct out *out, const struct schema_message *message, struct str wire)
{
    bool comma = false, ok;
    int opens = message->well_known != SCHEMA_VALUE; /* which shows as what it holds */
    if (out->depth_left < opens)
        return out_fail(out, message, "nested too deep");
    out->depth_left -= opens;
    if (message->well_known != SCHEMA_PLAIN) {
        ok = out_known(out, message, wire);
    } else {
        buf_add_char(out->buf, '{');
        ok = out_members(out, message, wire, &comma);
        buf_add_char(out->buf, '}');
    }
    out->depth_left += opens;
    return ok;
}

static enum code finished(struct transcode_out *to, bool ok, struct error *err)
{
    if (ok && to->out->overflow)
        return error_set(err, CODE_INTERNAL, "RESPONSE_TOO_LARGE",
                         "the answer is larger than the gateway passes on");
    return ok ? CODE_OK : err->code;
}

enum code transcode_message_out(struct transcode_out *to, const struct schema_message *message,
                                struct str wire, struct error *err)
{
    struct out out = {to, to->out, err, TRANSCODE_DEPTH_MAX + 1}; /* this one, and those within */
    return finished(to, out_message(&out, message, wire), err);
}

enum code transcode_field_out(struct transcode_out *to, const struct schema_message *message,
                              const struct schema_field *field, struct str wire, struct error *err)
{
    struct out out = {to, to->out, err, TRANSCODE_DEPTH_MAX};
    struct str key = field->json_key;
    size_t mark = to->out->len, count = 0;
    bool comma = false, ok;
    if (look_ahead(message, wire) == ORDER_MALFORMED) {
        ok = out_fail(&out, message, "malformed bytes");
    } else if (field->map_key) {
        ok = out_map(&out, field, wire, STR(""), &count);
    } else {
        ok = field->repeated ? list_out(&out, field, &wire, NULL, &comma)
                             : single_of_many(&out, message, field, wire, &comma);
        if (ok && to->out->len > mark) { /* the key goes, the value stays */
            to->out->len -= key.len;
            memmove(to->out->ptr + mark, to->out->ptr + mark + key.len, to->out->len - mark);
        }
    }
    if (ok && to->out->len == mark) {
        if (field->map_key)
            buf_add(to->out, STR("{}"));
        else if (field->repeated)
            buf_add(to->out, STR("[]"));
        else if (field->message)
            buf_add(to->out, field->message->well_known == SCHEMA_PLAIN ? STR("{}") : STR("null"));
        else
            ok = value_out(&out, field, 0, STR(""));
    }
    return finished(to, ok, err);
}

bool transcode_peek(const struct schema_path *path, struct str wire, struct arena *arena,
                    struct str *text)
{
    struct transcode_out to = {.arena = arena};
    struct out out = {&to, NULL, NULL, 0};
    struct wire_record record, last = {0};
    if (!path->count)
        return false;
    for (size_t i = 0; i + 1 < path->count; i++)
        wire = out_merged(&out, path->fields[i], wire);
    const struct schema_field *field = path->fields[path->count - 1];
    while (wire_next(&wire, &record) == WIRE_RECORD)
        if (record.number == field->number && out_matches(field, &record))
            last = record;
    if (!last.number || field->repeated || field->message)
        return false;
    if (field->type == SCHEMA_STRING) {
        *text = last.bytes;
        return text->len > 0;
    }
    struct buf buf;
    buf_init_arena(&buf, arena, last.bytes.len * 2 + 64);
    if (!out_scalar(&buf, field, last.value, last.bytes))
        return false;
    *text = buf_str(&buf);
    if (text->len > 1 && text->ptr[0] == '"')
        *text = (struct str){text->ptr + 1, text->len - 2};
    return text->len > 0;
}
